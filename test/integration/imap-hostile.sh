#!/bin/bash
# A client that means harm, before recrypt-imapfilter: its memory stays bounded, other sessions notice nothing, and
# nothing said outside TLS is taken for something said inside.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
imap_certificate >"$T/openssl.log" 2>&1
front=$(free_port) secure=$(free_port) strict=$(free_port) limit=2
ok "Dovecot starts" imap_dovecot 'mail_max_userip_connections = 1000'
TLS_PORT=$secure
ok "the filter starts" imap_filter filter "$front" "$server_port" "login_timeout = \"${limit}s\""; main_pid=$filter_pid
unset TLS_PORT
ok "one that wants TLS of everybody" imap_filter strict "$strict" "$server_port" 'plaintext_login = "no"'; strict_pid=$filter_pid

for c in slow unfinished huge brackets endless octets unread; do imap_hostile "client: $c" client $c "$front" "$main_pid" $limit; done
imap_hostile "client: no TLS handshake" client handshake "$secure" "$main_pid" $limit "$front"
imap_hostile "client: more behind STARTTLS" client injected "$front" "$main_pid" $limit
imap_hostile "client: no login without TLS" client clear "$strict" "$strict_pid" $limit "$front"
for p in $main_pid $strict_pid; do ok "clean stop" imap_filter_stop "$p"; done
ok "the log has its own words, a line each, and none of a client's" not grep -v '^20[0-9T:Z-]* recrypt-imapfilter\[[0-9]*\]: [ -~]*$' "$T/filter.log"
ok "without a word of memory" not grep -qi 'sanitizer\|leak' "$T"/*.log
tap_done
