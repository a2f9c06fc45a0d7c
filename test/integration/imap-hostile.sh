#!/bin/bash
# A client, or an IMAP server, that means harm, at either end of recrypt-imapfilter: its memory stays bounded, other sessions notice
# nothing, and nothing said outside TLS is taken for something said inside.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
hostile() { "$python" "$SRC/test/integration/imap-hostile.py" "$@" >"$T/figures" 2>&1; local s=$?; [ $s = 0 ] || cat "$T/figures"; return $s; }
measured() { # NAME ARGUMENT...: what it cost is shown also when it passes
  local name=$1; shift
  ok "$name" hostile "$@"
  sed 's/^/# /' "$T/figures"
}
imap_certificate >"$T/openssl.log" 2>&1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$T/other.key" -out "$T/other.pem" >>"$T/openssl.log" 2>&1
front=$(imap_port) secure=$(imap_port) strict=$(imap_port) evil=$(imap_port) evil_front=$(imap_port) evil_tls=$(imap_port)
limit=3
ok "Dovecot starts" imap_dovecot 'mail_max_userip_connections = 1000'
TLS_PORT=$secure
ok "the filter starts" imap_filter filter "$front" "$server_port" "login_timeout = \"${limit}s\""; main_pid=$filter_pid
unset TLS_PORT
ok "one that wants TLS of everybody" imap_filter strict "$strict" "$server_port" 'plaintext_login = "no"'; strict_pid=$filter_pid
ok "one in front of another server" imap_filter evil "$evil_front" "$evil" 'login_timeout = "3s"' 'timeout = "2s"'; evil_pid=$filter_pid
ok "one with STARTTLS to another server" imap_filter evil_tls "$evil_tls" "$evil" 'login_timeout = "3s"' 'timeout = "2s"' \
  'backend_tls = "starttls"' 'backend_name = "localhost"' "backend_ca = \"$T/tls.pem\""; evil_tls_pid=$filter_pid

for c in ${HC:-slow unfinished huge brackets endless octets unread}; do measured "client: $c" client $c "$front" "$main_pid" $limit; done
measured "client: no TLS handshake" client handshake "$secure" "$main_pid" $limit "$front"
measured "client: more behind STARTTLS" client injected "$front" "$main_pid" $limit
measured "client: no login without TLS" client clear "$strict" "$strict_pid" $limit "$front"
for c in ${HS:-greetings answers noise fetched}; do measured "server: $c" server $c "$evil_front" "$evil_pid" "$evil" $limit; done
measured "server: STARTTLS" server starttls "$evil_tls" "$evil_tls_pid" "$evil" "$T/tls.pem"
for p in filter:$main_pid strict:$strict_pid evil:$evil_pid evil_tls:$evil_tls_pid; do
  ok "clean stop: ${p%:*}" imap_filter_stop "${p#*:}"
done
ok "without a word of memory" not grep -qi 'sanitizer\|leak' "$T"/*.log
tap_done
