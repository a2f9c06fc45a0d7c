#!/bin/bash
# bench.sh [NAME]: the benchmark, all of it or one part (recrypt, milter, list, lda, memory, imap). Run by "make bench",
# as root. Starts a private Postfix, Dovecot, recryptd, recrypt-milter and recrypt-lda in one folder that it removes;
# rounds.py measures. The last part has servers of its own, in imap.sh.
[ "${1:-}" != imap ] || exec "$(dirname "$0")/imap.sh"
. "$(dirname "$0")/../integration/tap.sh"
. "$SRC/contrib/demo/world.sh"
only=${1:-}
die() { echo "bench.sh: $*" >&2; exit 1; }
tool=$BUILD/recrypt/recrypt com=example.com net=example.net
# Up to the first many members one message with all grants goes out, above it each gets a copy of her own.
inline_max=50
lists="list@$com copies@$com local@$com"

# One domain with all its servers. The members elsewhere have their keys here too, and their mail server is smtp-sink.
bench_world() {
  world_domains=$com
  mkdir -p "$T/$net"
  WORLD=$T world_pick_port $net smtp
  world_start "$T" || return
  world_service_stop $com
  sed -i -e "s|^domains *=.*|domains = {\"$com\", \"$net\"}|; s|^registration *=.*|registration = \"open\"|" \
    -e "s|^list_max_size *=.*|list_max_size = \"60M\"|; s|^inline_max *=.*|inline_max = $inline_max|" "$(world_conf $com recryptd)"
  world_service_start $com
  start sink smtp-sink -u nobody "127.0.0.2:$(world_port $net smtp)" 200
}

# Postfix's other ports: without a milter, with noop-milter, and with the recrypt-milter whose memory is measured.
bench_ports() {
  local p
  for p in plain noop memory; do world_pick_port $com $p; done
  cat >>"$T/$com/postfix/etc/master.cf" <<END
127.0.0.1:$(world_port $com plain) inet n - n - - smtpd
  -o smtpd_milters=
127.0.0.1:$(world_port $com noop) inet n - n - - smtpd
  -o smtpd_milters=unix:$T/noop.sock
127.0.0.1:$(world_port $com memory) inet n - n - - smtpd
  -o smtpd_milters=unix:$T/$com/milter/memory.sock
END
  postconf -c "$T/$com/postfix/etc" "transport_maps = $(postconf -c "$T/$com/postfix/etc" -h transport_maps), inline:{discard.example=discard:}"
  start noop "$BUILD/test/bench/noop-milter" "unix:$T/noop.sock"
  wait_for 5 test -S "$T/noop.sock" && chmod 666 "$T/noop.sock"
  postfix -c "$T/$com/postfix/etc" reload 2>>"$T/$com/log/postfix-start"
  for p in plain noop; do wait_for 10 world_listens 127.0.0.1 "$(world_port $com $p)" || return; done
}

bench_person() { # ADDRESS
  local home=$T/home/${1%@*}
  mkdir -p "$home"
  cp "$T/home/recrypt.conf" "$home/" && RECRYPT_HOME=$home "$tool" personal "$1" >/dev/null
}
# list@: as many members elsewhere as are taken inline. copies@: the same and one more. local@: fifty members here.
bench_people() {
  local d i members=() local_members=() list
  for d in $com $net; do
    printf 'service "%s" {\n  url = "http://%s:%s/.well-known/meshrecrypt"\n}\n' $d "$(world_ip $com)" "$(world_port $com web)"
  done >"$T/home/recrypt.conf"
  bench_person alice@$com || return
  for i in $(seq $inline_max); do
    bench_person "m$i@$net" && bench_person "c$i@$com" || return
    members+=("m$i@$net") local_members+=("c$i@$com")
  done
  bench_person more@$net || return
  export RECRYPT_HOME=$T/home/alice
  for list in $lists; do "$tool" newgroup "$list" >/dev/null || return; done
  "$tool" add list@$com "${members[@]}" >/dev/null && "$tool" add copies@$com "${members[@]}" more@$net >/dev/null &&
    "$tool" add local@$com "${local_members[@]}" >/dev/null &&
    world_mailbox $com $lists "${local_members[@]}"
}

# The mail: 10 KiB, in the clear and sealed to each list; and about 25 MB, sealed in two parts and as one JOSE part.
bench_mail() {
  local list name
  "$python" "$SRC/test/bench/rounds.py" mail 10240 >"$T/plain.eml" || return
  for list in $lists; do
    "$tool" seal --to "$list" "$T/plain.eml" >"$T/${list%@*}.eml" || return
  done
  [ -z "$only" ] || [ "$only" = memory ] || return 0
  "$python" "$SRC/test/bench/rounds.py" mail 18250000 >"$T/large.eml" &&
    "$tool" seal --to list@$com "$T/large.eml" >"$T/two-part.eml" &&
    "$python" "$SRC/test/bench/rounds.py" whole "$T/two-part.eml" >"$T/whole.eml"
}

bench_lda() { world_lmtp_start $com; }

# Two Dovecots: as it comes, and with mail_crypt under one P-256 key. mail_fsync stays as it comes: synced at LMTP.
bench_dovecot() { # NAME [EXTRA-LINE...]
  local w=$T/dovecot-$1; shift
  mkdir -p "$w" && install -d -o mail -g mail "$w/mail"
  {
    cat <<END
base_dir = $w/run
state_dir = $w/state
log_path = $w/log
protocols = lmtp
ssl = no
first_valid_uid = 1
mail_location = maildir:$w/mail/%n/Maildir
auth_username_format = %n
userdb {
  driver = static
  args = uid=mail gid=mail home=$w/mail/%n allow_all_users=yes
}
passdb {
  driver = static
  args = nopassword=y
}
service anvil {
  chroot =
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
END
    printf '%s\n' "$@"
  } >"$w/dovecot.conf"
  start "dovecot-${w##*-}" dovecot -F -c "$w/dovecot.conf"
  wait_for 10 test -S "$w/run/lmtp"
}
bench_dovecots() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/crypt.pem" 2>/dev/null ||
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/crypt.pem" 2>/dev/null
  openssl pkey -in "$T/crypt.pem" -pubout -out "$T/crypt-public.pem" || return
  chmod 644 "$T/crypt.pem"
  bench_dovecot plain && bench_dovecot crypt 'mail_plugins = mail_crypt' 'plugin {' \
    "mail_crypt_global_private_key = <$T/crypt.pem" "mail_crypt_global_public_key = <$T/crypt-public.pem" \
    'mail_crypt_save_version = 2' '}'
}

# Ed25519 and Cv25519, as gateways have them today: the list's own key, and one of each member's.
bench_gpg() {
  local i
  export GNUPGHOME=$T/gnupg
  install -d -m 700 "$GNUPGHOME"
  for i in list@$com $(seq -f "m%.0f@$net" $inline_max); do
    gpg --batch --quiet --passphrase '' --quick-generate-key "$i" future-default 2>>"$T/gpg.log" || return
  done
}

[ -z "$only" ] || [ "$only" != recrypt ] || exec "$python" "$SRC/test/bench/rounds.py" measure "$T" "$BUILD" recrypt
[ "$(id -u)" = 0 ] || die "Postfix and Dovecot need root to start"
"$SRC/contrib/packages.sh" build servers bench || die "packages are missing"
for step in world ports people mail lda dovecots gpg; do
  "bench_$step" >"$T/setup.log" 2>&1 || { world_show_logs; tail -n 20 "$T/setup.log"; die "cannot set up: $step"; }
done
SINK="127.0.0.2:$(world_port $net smtp)" OURS="127.0.0.1:$(world_port $com smtp)" PLAIN="127.0.0.1:$(world_port $com plain)" \
  NOOP="127.0.0.1:$(world_port $com noop)" MEMORY="127.0.0.1:$(world_port $com memory)" \
  MILTER_CONF=$(world_conf $com recrypt-milter) \
  "$python" "$SRC/test/bench/rounds.py" measure "$T" "$BUILD" $only
status=$?
[ -n "$only" ] || "$SRC/test/bench/imap.sh" || status=$?
exit $status
