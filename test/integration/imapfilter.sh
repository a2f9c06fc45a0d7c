#!/bin/bash
# recrypt-imapfilter in front of a private Dovecot: every way to it and through it gives the answers that Dovecot gives,
# octet for octet; who the client is; what a reload, a kill, a wrong configuration do.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/imap-servers.sh"
session() { "$python" "$SRC/test/integration/imap-session.py" "$@"; }

imap_certificate >"$T/openssl.log" 2>&1
plain=$(free_port) secure=$(free_port) to_unix=$(free_port) to_tls=$(free_port) to_starttls=$(free_port)
ok "Dovecot starts" imap_dovecot 'login_trusted_networks = 127.0.0.1' 'service imap-login {' 'unix_listener front {' 'mode = 0666' '}' '}'
TLS_PORT=$secure
ok "the filter starts" imap_filter filter "$plain" "$server_port"
main_pid=$filter_pid
unset TLS_PORT
ok "another one, with TLS to Dovecot" imap_filter tls "$to_tls" "$server_tls" 'backend_tls = "tls"' 'backend_name = "localhost"' "backend_ca = \"$T/dovecot/cert.pem\""
ok "another one, with STARTTLS to Dovecot" imap_filter starttls "$to_starttls" "$server_port" 'backend_tls = "starttls"' \
  'backend_name = "localhost"' "backend_ca = \"$T/dovecot/cert.pem\""
ok "another one, with a Unix socket to Dovecot" imap_filter unix "$to_unix" "$server_port" "backend = \"unix:$T/dovecot/run/front\""
ok "the same session by all ways: the same answers" session compare 67108864 straight=$server_port filter=$plain \
  tls=$secure,tls,$T/tls.pem starttls=$plain,starttls,$T/tls.pem to-tls=$to_tls to-starttls=$to_starttls to-unix=$to_unix
ok "what the filter answers itself" session own "$plain"
ok "the client says who it is" session who "$plain" 127.0.0.9
ok "Dovecot's log has the client's address" grep -q 'Login: user=<u20@example.com>.*rip=127\.0\.0\.9' "$T/dovecot.log"
ok "and not the one that it made up" not grep -q '192\.0\.2\.6' "$T/dovecot.log"
ok "the filter's log has it, and no password" bash -c "grep -q 'u20@example.com at 127.0.0.9: logged in' '$T/filter.log' && ! grep -q secret '$T'/filter.log"

# Killed in the middle of APPEND and FETCH.
killed=$(free_port)
imap_filter_conf killed "$killed" "$server_port"
killed_often() { # TIMES
  "$python" "$SRC/test/integration/imap-killed.py" "$killed" "$server_port" "$1" "$filter" -f -c "$T/killed.conf" >"$T/killed"
  local status=$?
  tell "killed $1 times: $(tail -n 1 "$T/killed")"
  return $status
}
ok "killed while messages come and go: none is lost, none is half" killed_often "$([ -n "${LONG:-}" ] && echo 200 || echo 16)"

# Reload, limits, a server that is away.
reload=$(free_port) nobody=$(free_port)
ok "another filter" imap_filter reload "$reload" "$server_port"; reload_pid=$filter_pid
start kept "$python" "$SRC/test/integration/imap-session.py" kept "$reload" "$T/enough"; kept_pid=$pid
wait_for 5 grep -q ready "$T/kept.log"
reloaded() { # LINE of the log
  local n; n=$(grep -c "$1" "$T/reload.log")
  kill -HUP "$reload_pid" && wait_for 5 sh -c "[ \"\$(grep -c '$1' '$T/reload.log')\" -gt $n ]"
}
imap_filter_conf reload "$reload" "$nobody"
ok "SIGHUP: another server, which is away" reloaded 'configuration reloaded'
ok "new sessions are told to try later" session refused_for_now "$reload"
imap_filter_conf reload "$reload" "$server_port" 'max_per_address = broken'
ok "SIGHUP with a broken configuration is reported" reloaded 'former configuration stays'
imap_filter_conf reload "$reload" "$server_port" 'max_per_address = 8'
ok "SIGHUP: the server is there again, for eight sessions" reloaded 'configuration reloaded'
touch "$T/enough"
ok "the old session knew nothing of all that" wait "$kept_pid"
ok "eight, and no more" session crowd "$reload" 8
imap_filter_conf reload "$reload" "$server_port" 'max_per_address = 0'
ok "SIGHUP: no limit for an address" reloaded 'configuration reloaded'

# Its certificate is replaced while it runs: root reads the key, and the program has given root up.
TLS_PORT=$(free_port)
certificate=$(free_port)
ok "another filter, with TLS" imap_filter certificate "$certificate" "$server_port"; certificate_pid=$filter_pid
serial() { openssl s_client -connect "127.0.0.1:$TLS_PORT" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
unchanged() { # LINE of the log, serial number
  kill -HUP "$certificate_pid" && wait_for 5 grep -q "$1" "$T/certificate.log" && same "$(serial)" "$2"
}
first=$(serial)
imap_certificate >>"$T/openssl.log" 2>&1
ok "a new certificate" unchanged 'configuration reloaded' "$(openssl x509 -noout -serial -in "$T/tls.pem")"
ok "is another one" not same "$(serial)" "$first"
second=$(serial)
cp "$T/tls.pem" "$T/tls.was"; echo broken >"$T/tls.pem"
ok "a broken one: the former stays" unchanged 'former configuration stays' "$second"
cp "$T/tls.was" "$T/tls.pem"
if [ "$(id -u)" = 0 ]; then
  chmod 600 "$T/tls.key"
  ok "a key that only root can read: both stay" unchanged 'not readable any more' "$second"
  chmod 644 "$T/tls.key"
fi
ok "no TLS before 1.2" not openssl s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0' -connect "127.0.0.1:$TLS_PORT" </dev/null
ok "clean stop" imap_filter_stop "$certificate_pid"
unset TLS_PORT

ok "sessions are told when it stops" session farewell "$reload" "$reload_pid"
ok "clean stop" wait "$reload_pid"
ok "its port is free at once" imap_filter reload "$reload" "$server_port" 'max_connections = 8'
ok "max_connections" session crowd "$reload" 8

# Started as its user, it has the certificate's key and people's passwords all the same.
own=$(free_port)
as_user=(); [ "$(id -u)" != 0 ] || as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
out_of_sight() {
  imap_filter_conf own "$own" "$server_port"
  start own "${as_user[@]}" "$filter" -f -c "$T/own.conf"
  wait_for 10 listens "$own" && ! "${as_user[@]}" cat "/proc/$pid/environ" >/dev/null
}
if "${as_user[@]}" test -x "$filter"; then ok "other processes of its user cannot look into it" out_of_sight
else skip "other processes of its user cannot look into it" "the user nobody cannot run it from here"; fi

# Wrong certificates, wrong configurations.
wrong=$(free_port)
ok "a filter that looks for another name in Dovecot's certificate" imap_filter wrong "$wrong" "$server_tls" 'backend_tls = "tls"' \
  'backend_name = "imap.example.com"' "backend_ca = \"$T/dovecot/cert.pem\""
ok "gives nobody's password away" session refused_for_now "$wrong"
ok "and says why" grep -qi 'hostname mismatch' "$T/wrong.log"
refuses() { # STATUS TEXT LINE...
  local want=$1 text=$2; shift 2
  imap_filter_conf bad "$nobody" "$server_port" "$@"
  status "$want" timeout 10 "$filter" -f -c "$T/bad.conf" 2>&1 | tee "$T/bad.log"
  [ "${PIPESTATUS[0]}" = 0 ] && grep -q "$text" "$T/bad.log"
}
ok "a port that is taken: 69" status 69 timeout 10 "$filter" -f -c "$T/filter.conf"
ok "no configuration: 78" status 78 "$filter" -f -c "$T/none.conf"
ok "an option that is none: 64" status 64 "$filter" --bogus
ok "an unknown setting: 78" refuses 78 'bogus' 'bogus = 1'
ok "a certificate that is not there: 78" refuses 78 'tls_certificate' "tls_certificate = \"$T/none.pem\""
ok "a key that is another's: 78" refuses 78 'tls_key\|key' "tls_key = \"$T/dovecot/users\""
ok "a server elsewhere without a word about TLS: 78" refuses 78 'in the clear' 'backend = "inet:192.0.2.1:143"'
ok "no time at all: 78" refuses 78 'login_timeout' 'login_timeout = "0s"'
ok "nowhere to listen: 78" refuses 78 'listen' 'listen = {}'
if [ "$(id -u)" = 0 ]; then
  ok "root without a user: 78" refuses 78 'not as root' 'user = ""'
  ok "it gave up root" same "$(stat -c %U "/proc/$main_pid")" nobody
fi
ok "-n: a good configuration" bash -c "'$filter' -n -c '$T/filter.conf' | grep -q good"
sed 's|^user = .*|user = "no-such-user"|' "$T/filter.conf" >"$T/user.conf"
ok "-n: a user who is not there" says "no user 'no-such-user'" status 78 "$filter" -n -c "$T/user.conf"
ok "--help and --version" bash -c "'$filter' --help | grep -q -- -n && '$filter' --version | grep -q '[0-9]'"
ok "clean stop" imap_filter_stop "$main_pid"
ok "without a word of memory" not grep -qi 'sanitizer\|leak' "$T"/*.log
tap_done
