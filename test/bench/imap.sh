#!/bin/bash
# imap.sh: the benchmark's part about recrypt-imapfilter, run by bench.sh: a private Dovecot, the filter in front of it, recryptd.
# imap-rounds.py measures.
. "$(dirname "$0")/../integration/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
die() { echo "imap.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "Dovecot needs root to start"
rounds=$SRC/test/bench/imap-rounds.py
plain=$(imap_port) secure=$(imap_port) idle=$(imap_port) idle_backend=$(imap_port)

bench_servers() {
  imap_certificate && imap_dovecot &&
    "$python" "$rounds" mailbox "$T/mail/example.com/u10/Maildir" 2000 10240 && chown -R mail:mail "$T/mail" || return
  TLS_PORT=$secure imap_filter filter "$plain" "$server_port" || return
  start idle-backend "$python" "$rounds" backend "$idle_backend"
  wait_for 5 listens "$idle_backend" && imap_filter idle "$idle" "$idle_backend"
}
bench_servers >"$T/setup.log" 2>&1 || { tail -n 20 "$T"/*.log >&2; die "cannot set up"; }
PORT_DOVECOT=$server_port PORT_DOVECOT_TLS=$server_tls PORT_FILTER=$plain PORT_FILTER_TLS=$secure PORT_IDLE=$idle \
  PID_DOVECOT=$dovecot_pid PID_IDLE=$filter_pid "$python" "$rounds" "$T"
