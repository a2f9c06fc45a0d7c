#!/bin/bash
# imap.sh: the benchmark's part about recrypt-imapfilter, run by bench.sh: a private Dovecot, the filter in front of it,
# recryptd. imap-rounds.py measures.
. "$(dirname "$0")/../integration/tap.sh"
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/imap-servers.sh"
die() { echo "imap.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "Dovecot needs root to start"
rounds=$SRC/test/bench/imap-rounds.py
plain=$(free_port) secure=$(free_port) idle=$(free_port) idle_backend=$(free_port) grants=$(free_port) relay=$(free_port) unix=$(free_port)
distinct=100 bob=bob@example.com list=list@example.com

bench_servers() {
  imap_certificate && imap_dovecot 'service imap-login {' 'unix_listener front {' 'mode = 0666' '}' '}' &&
    imap_filter unix "$unix" "$server_port" "backend = \"unix:$T/dovecot/run/front\"" && unix_pid=$filter_pid &&
    TLS_PORT=$secure imap_filter filter "$plain" "$server_port" && main_pid=$filter_pid || return
  start idle-backend "$python" "$rounds" backend "$idle_backend"
  wait_for 5 listens "$idle_backend" && imap_filter idle "$idle" "$idle_backend" && idle_pid=$filter_pid &&
    imap_filter grants "$grants" "$server_port" "recryptd = \"unix:$T/example.com/recryptd.sock\""
}
# Bob, who is a member of a list, and his telephone; messages to both, some sealed and then copied: each costs the same.
bench_people() {
  local i
  service_conf example.com open && service_conf example.net open
  echo 'delivery_users = {"nobody"}' >>"$T/example.com/recryptd.conf"
  service_start example.com
  for i in alice bob phone; do home $i; done
  as alice personal alice@example.com && as bob personal $bob && as alice newgroup $list && as alice add $list $bob && as phone device connect $bob --name phone >"$T/connect" &&
    as bob device accept phone && as phone device connect $bob || return
  device=$(basename "$(echo "$T/phone/devices/$bob"/M*.jwk)" .jwk)
}
bench_mail() {
  local i
  "$python" "$rounds" mailbox "$T/mail/example.com/u10/Maildir" 2000 10240
  "$python" "$SRC/test/bench/rounds.py" mail 2048 >"$T/letter"
  for i in $(seq $distinct); do
    as alice seal --to $bob "$T/letter" >"$T/own.$i" && as alice seal --to $list "$T/letter" >"$T/list.$i" || return
  done
  "$python" "$rounds" copies "$T/mail/example.com/bob/Maildir" 2000 "$T"/own.* &&
    "$python" "$rounds" copies "$T/mail/example.com/bob/Maildir/.List" 2000 "$T"/list.* && chown -R mail:mail "$T/mail"
}
for step in people servers mail; do
  "bench_$step" >"$T/setup.log" 2>&1 || { tail -n 20 "$T"/*.log >&2; die "cannot set up: $step"; }
done
export BUILD DEVICE="$device" PID_DOVECOT="$dovecot_pid" PID_IDLE="$idle_pid" PID_FILTER="$main_pid" PID_UNIX="$unix_pid"
PORT_DOVECOT=$server_port PORT_DOVECOT_TLS=$server_tls PORT_FILTER=$plain PORT_FILTER_TLS=$secure PORT_IDLE=$idle PORT_GRANTS=$grants \
  PORT_RELAY=$relay PORT_UNIX=$unix "$python" "$rounds" "$T"
