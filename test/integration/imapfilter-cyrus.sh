#!/bin/bash
# recrypt-imapfilter in front of a private Cyrus: the same session straight and through it, in all forms; who the client
# is. Debian's packages of Cyrus and Dovecot exclude each other, so Cyrus is unpacked beside Dovecot.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
CYRUS=${RECRYPT_CYRUS:-$SRC/build/cyrus}
session() { "$python" "$SRC/test/integration/imap-session.py" "$@"; }

"$SRC/contrib/cyrus/unpack.sh" "$CYRUS" >"$T/.out" 2>&1 || { cat "$T/.out" >&2; skip "the filter before Cyrus" "Debian's Cyrus is not in $CYRUS and cannot be downloaded"; tap_done; }
imap_certificate >"$T/openssl.log" 2>&1
plain=$(free_port) secure=$(free_port)
ok "Cyrus starts" imap_cyrus
[ "$tap_failed" = 0 ] || tail -n 20 "$T"/*.log "$T/cyrus/log" | sed 's/^/# /'
TLS_PORT=$secure
ok "the filter starts" imap_filter filter "$plain" "$server_port"; main_pid=$filter_pid
ok "the same session by all ways: the same answers" session compare 67108864 straight=$server_port filter=$plain \
  tls=$secure,tls,$T/tls.pem starttls=$plain,starttls,$T/tls.pem
ok "the client says who it is" session who "$plain" 127.0.0.9
if [ -s "$T/cyrus/log" ]; then
  ok "Cyrus' log has what the filter says of the client" grep -q 'client id.*x-originating-ip.*127\.0\.0\.9' "$T/cyrus/log"
else
  skip "Cyrus' log has what the filter says of the client" "it goes to the host's syslog: this system permits no /dev of one's own"
fi
ok "clean stop" imap_filter_stop "$main_pid"
tap_done
