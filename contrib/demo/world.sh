# world.sh - sourced: two mail domains on loopback, each with its own Postfix, Dovecot, recryptd, recrypt-milter and
# recrypt-lda, in one private folder. Nothing outside that folder is written; servers are stopped by their own pids.
#
#   world_start FOLDER    needs SRC (source tree) and BUILD (built programs); root, for Postfix and Dovecot
#   world_stop            safe to call at any time, also twice
# Afterwards: FOLDER/DOMAIN/{etc,postfix,recryptd,milter,lda,mail,dovecot,log}, FOLDER/home/PERSON, and the functions
# below.
#
# The programs run as users that every Debian has, where a real host has its own: recryptd as daemon, recrypt-milter as
# nobody, recrypt-lda and the mailboxes as mail.

# Debian's own, which has Debian's python3-jwcrypto.
python=/usr/bin/python3
WORLD= world_starting=
world_domains="example.com example.net"
world_net_example_com=127.0.0.1
world_net_example_net=127.0.0.2
# Each domain's mail server: "postfix", or one that a file sourced after this one brings (contrib/sendmail/instance.sh).
world_mta_example_com=postfix
world_mta_example_net=postfix

# The loopback address of a domain, and a port of one of its servers: world_port example.com smtp|imap|web
world_ip() { eval "echo \$world_net_$(echo "$1" | tr . _)"; }
world_port() { cat "$WORLD/$1/port.$2"; }
# A free one, below those that the kernel gives to clients: until the server listens, one of theirs could be taken by
# any.
world_pick_port() {
  "$python" - "$(world_ip "$1")" >"$WORLD/$1/port.$2" <<'EOF'
import random, socket, sys
for _ in range(1000):
    try:
        s = socket.socket()
        s.bind((sys.argv[1], random.randrange(10240, 32000)))
        print(s.getsockname()[1])
        break
    except OSError:
        pass
EOF
}
# world_mta DOMAIN VERB ARGUMENT...: the mail server's own way to start, stop, queue, flush, mailbox.
world_mta() {
  local d=$1 verb=$2 kind; shift 2
  eval "kind=\$world_mta_$(echo "$d" | tr . _)"
  "world_${kind}_$verb" "$d" "$@"
}
world_other() { case $1 in example.com) echo example.net ;; *) echo example.com ;; esac; }

# A sample configuration with this world's names, paths, users and ports in place of a real host's.
world_config() { # DOMAIN SAMPLE
  local d=$1 w=$WORLD/$1 web
  web=$(world_ip "$d"):$(world_port "$d" web)
  sed -e "s|example\\\\\.com|$(echo "$d" | sed 's/\./\\\\./g')|g" -e "s|^\( *url *= *\).*|\1\"http://$web/.well-known/meshrecrypt\"|; s|^\( *listen_web *= *\).*|\1\"$web\"|" \
    -e 's|^\( *tls_[a-z]* *=\)|#\1|' -e "s|example\.com|$d|g" \
    -e "s|/etc/recrypt/|$w/etc/|g; s|/etc/postfix/|$w/postfix/etc/|g; s|/etc/dovecot/|$w/dovecot/|g" \
    -e "s|/run/recrypt-milter/|$w/milter/|g; s|/run/recryptd/|$w/run/|g; s|/run/recrypt-lda/|$w/lda/|g" \
    -e "s|/var/lib/recryptd|$w/recryptd|g; s|/var/log/recrypt/|$w/log/|g; s|/var/mail/recrypt|$w/mail|g" \
    -e "s|/usr/sbin/recrypt|$BUILD/recrypt|g; s|=vmail|=mail|g; s|\"vmail\"|\"mail\"|g" \
    -e "s|\"recrypt-milter\"|\"nobody\"|g; s|\"recryptd\"|\"daemon\"|g" \
    -e "s|127\.0\.0\.1:10026|$(world_ip "$d"):$(world_port "$d" copies)|g" \
    -e "s|@DIR@|$w/dovecot|g; s|@ADDRESS@|$(world_ip "$d")|g; s|@PORT@|$(world_port "$d" imap)|g" \
    -e "s|@INTERNAL_USER@|dovecot|g; s|@INTERNAL_GROUP@|dovecot|g; s|@LOGIN_USER@|dovenull|g" "$2"
}

world_postfix_start() { # DOMAIN
  local d=$1 w=$WORLD/$1/postfix ip other
  ip=$(world_ip "$d") other=$(world_other "$d")
  mkdir -p "$w/etc" "$w/queue" "$w/data"
  chown postfix "$w/data"
  {
    cat <<EOF
compatibility_level = 3.6
queue_directory = $w/queue
data_directory = $w/data
command_directory = $(dirname "$(command -v postqueue)")
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = $WORLD/$d/log/postfix
maillog_file_prefixes = $WORLD
myhostname = mail.$d
mydestination =
mynetworks = 127.0.0.0/8
# the address to listen on stands in master.cf: 127.0.0.2 is no interface of its own
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = $ip
smtp_host_lookup = native
smtp_tls_security_level = none
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error:5.4.4 outside of this demonstration
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
EOF
    # where the other domain is
    world_config "$d" "$SRC/contrib/postfix/main.cf" |
      sed "s|^transport_maps = .*|&, inline:{{$other=smtp:[$(world_ip "$other")]:$(world_port "$other" smtp)}}|"
  } >"$w/etc/main.cf"
  world_config "$d" "$SRC/contrib/postfix/recrypt_transport" >"$w/etc/recrypt_transport"
  {
    echo "$ip:$(world_port "$d" smtp) inet n - n - - smtpd"
    cat <<'EOF'
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
local     unix  -       n       n       -       -       local
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
EOF
    world_config "$d" "$SRC/contrib/postfix/master.cf"
  } >"$w/etc/master.cf"
  : >"$w/etc/recrypt_mailboxes"
  postmap -c "$w/etc" "hash:$w/etc/recrypt_mailboxes" || return
  postfix -c "$w/etc" start >>"$WORLD/$d/log/postfix-start" 2>&1
}

# world_mailbox DOMAIN ADDRESS...: the mail server accepts mail for these from now on (the administrator's line in the
# map).
world_mailbox() { local d=$1; shift; world_mta "$d" mailbox "$@"; }
# The mail server's queue: how many messages wait; and a run through it now.
world_queue() { world_mta "$1" queue; }
world_flush() { world_mta "$1" flush; }

# A running smtpd sees a new map by its time, in whole seconds: so never two in the same second.
world_postfix_mailbox() {
  local d=$1 map=$WORLD/$1/postfix/etc/recrypt_mailboxes a; shift
  for a in "$@"; do echo "$a recrypt" >>"$map"; done
  while [ "$(date +%s)" = "$(stat -c %Y "$map.db")" ]; do sleep 0.1; done
  postmap -c "$WORLD/$d/postfix/etc" "hash:$map"
}
# Lines for main.cf, in force when this returns; and those of a sample.
world_postconf() { # DOMAIN LINE...
  local c=$WORLD/$1/postfix/etc; shift
  postconf -c "$c" -e "$@" && postfix -c "$c" reload >/dev/null 2>&1 && sleep 1
}
world_postfix_sample() { # DOMAIN SAMPLE
  local lines
  mapfile -t lines < <(world_config "$1" "$SRC/contrib/postfix/$2" | grep -v '^#')
  world_postconf "$1" "${lines[@]}"
}
world_postfix_queue() { postqueue -c "$WORLD/$1/postfix/etc" -j | wc -l; }
world_postfix_flush() { postqueue -c "$WORLD/$1/postfix/etc" -f; }
world_postfix_stop() {
  [ ! -e "$WORLD/$1/postfix/etc/main.cf" ] || postfix -c "$WORLD/$1/postfix/etc" stop >/dev/null 2>&1
}

# One that has ended, and that nobody has asked about yet, runs no more.
world_runs() { kill -0 "$1" 2>/dev/null && ! grep -qs ') Z ' "/proc/$1/stat"; }
# Stops the process whose pid is in a file; waits until it is gone.
world_kill() {
  [ -s "$1" ] || return 0
  local p; p=$(cat "$1"); rm -f "$1"
  kill "$p" 2>/dev/null || return 0
  for _ in $(seq 200); do world_runs "$p" || return 0; sleep 0.05; done
  kill -9 "$p" 2>/dev/null
}
world_wait() { # SECONDS COMMAND...
  local n=$(($1 * 20)); shift
  while [ "$n" -gt 0 ] && [ ! -e "$WORLD/stopping" ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; n=$((n - 1)); done
  echo "world.sh: gave up waiting for: $*" >&2
  return 1
}
world_listens() { "$python" -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)' "$1" "$2"; }

# Runs a server in the background: its output in the domain's log folder, its pid in a file.
world_server() { # DOMAIN NAME COMMAND...
  local w=$WORLD/$1 name=$2; shift 2
  "$@" >>"$w/log/$name" 2>&1 </dev/null &
  echo $! >"$w/$name.pid"
}
world_conf() { echo "$WORLD/$1/etc/$2.conf"; }

world_service_start() {
  world_server "$1" recryptd "$BUILD/recryptd" -f -c "$(world_conf "$1" recryptd)"
  world_wait 10 world_listens "$(world_ip "$1")" "$(world_port "$1" web)"
}
world_service_stop() { world_kill "$WORLD/$1/recryptd.pid"; }
# An invitation, as the administrator of the host makes it.
world_invite() { "$BUILD/recryptd" -c "$(world_conf "$1" recryptd)" --invite "$2"; }

world_milter_start() {
  world_server "$1" milter "$BUILD/recrypt-milter" -f -c "$(world_conf "$1" recrypt-milter)"
  world_wait 10 test -S "$WORLD/$1/milter/milter.sock"
}
world_milter_stop() { world_kill "$WORLD/$1/milter.pid"; }

# recrypt-lda as an LMTP server, for Postfix with contrib/postfix/lmtp.cf.
world_lmtp_start() {
  world_server "$1" lmtp "$BUILD/recrypt-lda" -c "$(world_conf "$1" recrypt-lda)" --lmtp
  world_wait 10 test -S "$WORLD/$1/lda/lmtp.sock"
}
world_lmtp_stop() { world_kill "$WORLD/$1/lmtp.pid"; }

world_dovecot_start() {
  local d=$1 w=$WORLD/$1/dovecot f
  mkdir -p "$w"
  for f in "$SRC"/contrib/dovecot/*; do world_config "$d" "$f" >"$w/${f##*/}"; done
  for f in alice bob carol dave erin frank; do echo "$f@$d:{PLAIN}secret"; done >"$w/users"
  world_server "$d" dovecot dovecot -F -c "$w/dovecot.conf"
  world_wait 10 world_listens "$(world_ip "$d")" "$(world_port "$d" imap)"
}

# One domain with all its servers.
world_domain() { # DOMAIN
  local d=$1 w=$WORLD/$1 c
  for c in recryptd recrypt-milter recrypt-lda; do world_config "$d" "$SRC/contrib/$c.conf" >"$w/etc/$c.conf"; done
  install -d -o daemon -g daemon -m 700 "$w/recryptd"
  install -d -o daemon -g daemon -m 755 "$w/run"
  install -d -o nobody -g postfix -m 750 "$w/milter"
  install -d -o mail -g mail -m 700 "$w/mail"
  install -d -o mail -g postfix -m 2750 "$w/lda"
  world_service_start "$d" && world_milter_start "$d" && world_dovecot_start "$d" && world_mta "$d" start &&
    world_wait 10 world_listens "$(world_ip "$d")" "$(world_port "$d" smtp)"
}

# A person's home on her own machine: which service a domain has is told by configuration.
world_home() { # PERSON
  local h=$WORLD/home/$1 d
  mkdir -p "$h" && chmod 700 "$h"
  for d in $world_domains; do
    printf 'service "%s" {\n  url = "http://%s:%s/.well-known/meshrecrypt"\n}\n' "$d" "$(world_ip "$d")" "$(world_port "$d" web)"
  done >"$h/recrypt.conf"
}

world_start() { # FOLDER
  local d p status=0
  WORLD=$1
  for d in $world_domains; do
    mkdir -p "$WORLD/$d/etc"
    # recryptd makes its access log there, the others write to what is open. Nobody else may put a link in a log's
    # place.
    install -d -o daemon -g daemon -m 755 "$WORLD/$d/log"
    for p in smtp imap web copies; do world_pick_port "$d" $p || return; done
  done
  for p in alice bob carol dave erin; do world_home $p; done
  for d in $world_domains; do
    world_domain "$d" &
    world_starting="$world_starting $!"
  done
  for p in $world_starting; do wait "$p" || status=1; done
  world_starting=
  [ $status = 0 ] || { world_show_logs; return 1; }
}

world_stop() {
  local d s p pids=
  [ -d "$WORLD" ] || return 0
  # Interrupted while it starts: whoever starts servers must have ended before they are stopped.
  touch "$WORLD/stopping"
  for p in $world_starting; do wait "$p"; done
  world_starting=
  for d in $world_domains; do
    world_mta "$d" stop &
    pids="$pids $!"
  done
  for p in $pids; do wait "$p"; done
  for d in $world_domains; do
    for s in dovecot lmtp milter recryptd; do world_kill "$WORLD/$d/$s.pid"; done
  done
}

# The end of each server's log, for a failure.
world_show_logs() {
  local f
  for f in "$WORLD"/*/log/*; do
    [ ! -s "$f" ] || { printf -- '--- %s\n' "${f#"$WORLD"/}"; tail -n 15 "$f"; }
  done
}
