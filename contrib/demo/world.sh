# world.sh - sourced: two mail domains on loopback, each with its own Postfix, Dovecot, recryptd, recrypt-milter and
# recrypt-lda, in one private folder. Nothing outside that folder is written; servers are stopped by their own pids.
#
#   world_start FOLDER    needs SRC (source tree) and BUILD (built programs); root, for Postfix and Dovecot
#   world_stop            safe to call at any time, also twice
# Afterwards, for D = example.com, example.net: FOLDER/D/{postfix,recryptd,milter,lda,mail,dovecot,log}, and the shell functions below.
#
# The programs run as users that every Debian has, where a real host has its own: recryptd as daemon, recrypt-milter as
# nobody, recrypt-lda and the mailboxes as mail.

WORLD=
world_domains="example.com example.net"
world_net_example_com=127.0.0.1
world_net_example_net=127.0.0.2

# The loopback address of a domain, and a port of one of its servers: world_port example.com smtp|imap|web
world_ip() { eval "echo \$world_net_$(echo "$1" | tr . _)"; }
world_port() { cat "$WORLD/$1/port.$2"; }
world_pick_port() {
  python3 -c 'import socket, sys; s = socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[1])' "$(world_ip "$1")" \
    >"$WORLD/$1/port.$2"
}
world_other() { case $1 in example.com) echo example.net ;; *) echo example.com ;; esac; }

# A sample configuration with this world's names, paths, users and ports in place of a real host's.
world_config() { # DOMAIN SAMPLE
  local d=$1 w=$WORLD/$1
  sed -e "s|example\.com|@DOMAIN@|g" -e "s|@DOMAIN@|$d|g" \
    -e "s|/etc/recrypt/|$w/etc/|g; s|/etc/postfix/|$w/postfix/etc/|g; s|/etc/dovecot/|$w/dovecot/|g" \
    -e "s|/run/recrypt-milter/|$w/milter/|g; s|/run/recryptd/|$w/recryptd/run/|g; s|/run/recrypt-lda/|$w/lda/|g" \
    -e "s|/var/lib/recryptd|$w/recryptd/lib|g; s|/var/log/recrypt/|$w/log/|g; s|/var/mail/recrypt|$w/mail|g" \
    -e "s|/usr/sbin/recrypt|$BUILD/recrypt|g; s|=vmail|=mail|g" "$2"
}

world_postfix() { # DOMAIN
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
transport_maps = inline:{{$other=smtp:[$(world_ip "$other")]:$(world_port "$other" smtp)}}
default_transport = error:5.4.4 outside of this demonstration
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
EOF
    world_config "$d" "$SRC/contrib/postfix/main.cf"
  } >"$w/etc/main.cf"
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

# world_mailbox DOMAIN ADDRESS...: Postfix accepts mail for these from now on (the administrator's line in the map).
world_mailbox() {
  local d=$1; shift
  for a in "$@"; do echo "$a recrypt" >>"$WORLD/$d/postfix/etc/recrypt_mailboxes"; done
  postmap -c "$WORLD/$d/postfix/etc" "hash:$WORLD/$d/postfix/etc/recrypt_mailboxes"
}
# The sender's queue: how many messages wait; and a run through it now.
world_queue() { postqueue -c "$WORLD/$1/postfix/etc" -j | wc -l; }
world_flush() { postqueue -c "$WORLD/$1/postfix/etc" -f; }

world_postfix_stop() { [ ! -e "$1/etc/main.cf" ] || postfix -c "$1/etc" stop >/dev/null 2>&1 || true; }
# Stops the process whose pid is in a file; waits until it is gone.
world_kill() {
  [ -s "$1" ] || return 0
  local p; p=$(cat "$1"); rm -f "$1"
  kill "$p" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$p" 2>/dev/null
}
world_wait() { # SECONDS COMMAND...
  local n=$(($1 * 20)); shift
  while [ "$n" -gt 0 ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; n=$((n - 1)); done
  echo "world.sh: gave up waiting for: $*" >&2
  return 1
}
world_listens() { python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)' "$1" "$2"; }

world_recryptd_conf() { echo "$WORLD/$1/etc/recryptd.conf"; }
# One domain's service: recryptd, as daemon.
world_service_start() {
  local d=$1 w=$WORLD/$1
  "$BUILD/recryptd" -f -c "$(world_recryptd_conf "$d")" >>"$w/log/recryptd" 2>&1 &
  echo $! >"$w/recryptd.pid"
  world_wait 10 world_listens "$(world_ip "$d")" "$(world_port "$d" web)"
}
world_service_stop() { world_kill "$WORLD/$1/recryptd.pid"; }
# An invitation, as the administrator of the host makes it.
world_invite() { "$BUILD/recryptd" -c "$(world_recryptd_conf "$1")" --invite "$2"; }

world_milter_start() {
  local d=$1 w=$WORLD/$1
  "$BUILD/recrypt-milter" -f -c "$w/etc/recrypt-milter.conf" >>"$w/log/milter" 2>&1 &
  echo $! >"$w/milter.pid"
  world_wait 10 test -S "$w/milter/milter.sock"
}

world_dovecot_start() {
  local d=$1 w=$WORLD/$1/dovecot
  dovecot -F -c "$w/dovecot.conf" >>"$WORLD/$d/log/dovecot" 2>&1 &
  echo $! >"$WORLD/$d/dovecot.pid"
  world_wait 10 world_listens "$(world_ip "$d")" "$(world_port "$d" imap)"
}
