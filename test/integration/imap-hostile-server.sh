#!/bin/bash
# An IMAP server that means harm, behind recrypt-imapfilter: garbage, answers without an end, wrong tags, PREAUTH,
# silence, more than it may behind STARTTLS. Memory stays bounded, other sessions notice nothing, no password is given
# away.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
imap_certificate >"$T/openssl.log" 2>&1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$T/other.key" -out "$T/other.pem" >>"$T/openssl.log" 2>&1
server=$(free_port) front=$(free_port) front_tls=$(free_port) limit=2
ok "a filter" imap_filter filter "$front" "$server" "login_timeout = \"${limit}s\"" 'timeout = "2s"'; main_pid=$filter_pid
ok "one with STARTTLS to the server" imap_filter tls "$front_tls" "$server" "login_timeout = \"${limit}s\"" 'timeout = "2s"' \
  'backend_tls = "starttls"' 'backend_name = "localhost"' "backend_ca = \"$T/tls.pem\""; tls_pid=$filter_pid

for c in greetings answers endless deaf order noise fetched; do
  imap_hostile "server: $c" server $c "$front" "$main_pid" "$server" $limit
done
imap_hostile "server: STARTTLS" server starttls "$front_tls" "$tls_pid" "$server" "$T/tls.pem"
for p in $main_pid $tls_pid; do ok "clean stop" imap_filter_stop "$p"; done
ok "the log has its own words, a line each, and none of the server's" not grep -v '^20[0-9T:Z-]* recrypt-imapfilter\[[0-9]*\]: [ -~]*$' "$T/filter.log"
ok "without a word of memory" not grep -qi 'sanitizer\|leak' "$T"/*.log
tap_done
