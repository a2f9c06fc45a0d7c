# imap-servers.sh - sourced after tap.sh: a private Dovecot or Cyrus, recrypt-imapfilter in front of it, a certificate.
#
#   imap_dovecot [LINE...]      people bob@, u10@ to u99@example.com, password "secret"; LINEs are added to dovecot.conf. Sets server_port,
#                               and server_tls, which begins with TLS
#   imap_cyrus                  the same with Cyrus, CYRUS being the folder of contrib/cyrus/unpack.sh
. "$SRC/test/integration/dovecot.sh"
. "$SRC/contrib/cyrus/instance.sh"
python=/usr/bin/python3

# tls.pem and tls.key for localhost.
imap_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$T/tls.key" -out "$T/tls.pem" && chmod 644 "$T/tls.key"
}

imap_dovecot() { # LINE...
  dovecot_people=$(seq -f 'u%g' 10 99)
  # no pause behind a wrong password
  dovecot_start 'auth_failure_delay = 0' 'service anvil {' 'unix_listener anvil-auth-penalty {' 'mode = 0' '}' '}' "$@" || return
  server_port=$imap_port server_tls=$imaps_port
}

imap_cyrus() {
  local d=$T/cyrus
  server_port=$(free_port)
  # shellcheck disable=SC2086
  cyrus_prepare "$d" "$CYRUS" 127.0.0.1 "$server_port" bob@example.com $(seq -f 'u%g@example.com' 10 99) || return
  start syslog cyrus_log "$d"
  wait_for 5 test -S "$d/syslog" || return
  start cyrus cyrus_exec "$d" "$CYRUS"
  wait_for 10 listens "$server_port"
}

# imap_filter NAME PORT BACKEND LINE...: recrypt-imapfilter with the sample configuration and these lines, listening on
# the port, in front of the server on port BACKEND; an unprivileged user when we are root. Configuration in
# $T/NAME.conf, log in $T/NAME.log, process in $filter_pid. TLS_PORT, when it is set, is a port that begins with TLS.
filter=$BUILD/recrypt-imapfilter
imap_filter_conf() { # NAME PORT BACKEND LINE...
  local name=$1 port=$2 backend=$3; shift 3
  {
    sed -e "s|^listen = .*|listen = {\"inet:127.0.0.1:$port\"}|; s|^listen_tls = .*|listen_tls = {${TLS_PORT:+\"inet:127.0.0.1:$TLS_PORT\"}}|" \
      -e "s|127\.0\.0\.1:1143|127.0.0.1:$backend|; s|/run/recryptd/|$T/|; s|/etc/recrypt/tls-certificate|$T/tls|; s|/etc/recrypt/tls-key.pem|$T/tls.key|" \
      -e "s|^user = .*|user = \"$([ "$(id -u)" != 0 ] || echo nobody)\"|" "$SRC/contrib/imapfilter.conf"
    printf '%s\n' 'max_per_address = 0' "$@"
  } >"$T/$name.conf"
}
imap_filter() {
  imap_filter_conf "$@"
  start "$1" "$filter" -f -c "$T/$1.conf"; filter_pid=$pid
  wait_for 10 listens "$2"
}
# Clean stop: status 0.
imap_filter_stop() { # PID
  kill -TERM "$1" && wait "$1"
}

# imap_hostile NAME END ARGUMENT...: a test by imap-hostile-END.py; what it cost is shown also when it passes.
imap_hostile() {
  local name=$1; shift
  ok "$name" imap_hostile_run "$@"
  sed 's/^/# /' "$T/figures"
}
imap_hostile_run() {
  local end=$1; shift
  "$python" "$SRC/test/integration/imap-hostile-$end.py" "$@" >"$T/figures" 2>&1 && return
  cat "$T/figures"; : >"$T/figures"
  return 1
}
