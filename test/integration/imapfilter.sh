#!/bin/bash
# recrypt-imapfilter in front of a private Dovecot: every way to it and through it gives the answers that Dovecot gives, octet for
# octet; who the client is; what a reload, a kill, a wrong configuration do.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
session() { "$python" "$SRC/test/integration/imap-session.py" "$@"; }
large=$([ -n "${LONG:-}" ] && echo 67108864 || echo 8388608)

imap_certificate >"$T/openssl.log" 2>&1
server_tls=$(imap_port) plain=$(imap_port) secure=$(imap_port) to_tls=$(imap_port) to_starttls=$(imap_port)
ok "Dovecot starts" imap_dovecot 'ssl = yes' "ssl_cert = <$T/tls.pem" "ssl_key = <$T/tls.key" 'login_trusted_networks = 127.0.0.1' \
  'service imap-login {' 'inet_listener second {' "port = $server_tls" 'ssl = yes' '}' '}'
TLS_PORT=$secure
ok "the filter starts" imap_filter filter "$plain" "$server_port" 'backend_id = true'
main_pid=$filter_pid
unset TLS_PORT
ok "another one, with TLS to Dovecot" imap_filter tls "$to_tls" "$server_tls" 'backend_tls = "tls"' 'backend_name = "localhost"' "backend_ca = \"$T/tls.pem\""
ok "another one, with STARTTLS to Dovecot" imap_filter starttls "$to_starttls" "$server_port" 'backend_tls = "starttls"' \
  'backend_name = "localhost"' "backend_ca = \"$T/tls.pem\""
ok "the same session by all ways: the same answers" session compare dovecot "$large" straight=$server_port filter=$plain \
  tls=$secure,tls,$T/tls.pem starttls=$plain,starttls,$T/tls.pem to-tls=$to_tls to-starttls=$to_starttls
tap_done
