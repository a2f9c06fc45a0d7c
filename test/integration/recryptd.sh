#!/bin/bash
# recryptd as a host runs it: detached, as its own user, with TLS; its certificate replaced while it runs. The protocol
# itself is tested by test/unit/test-recryptd.
. "$(dirname "$0")/tap.sh"

port=$(free_port)
url=https://localhost:$port/.well-known/meshrecrypt
conf=$T/recryptd.conf

certificate() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -addext subjectAltName=DNS:localhost \
    -days 2 -keyout "$T/tls.key.new" -out "$T/tls.pem.new" 2>/dev/null && chmod "$2" "$T/tls.key.new" &&
    mv "$T/tls.key.new" "$T/tls.key" && mv "$T/tls.pem.new" "$T/tls.pem"
}
configure() { # EXTRA-LINE...
  {
    printf '%s\n' 'domains = {"example.com"}' "url = \"$url\"" "listen_web = \"localhost:$port\"" \
      "tls_certificate = \"$T/tls.pem\"" "tls_key = \"$T/tls.key\"" "listen_local = \"unix:$T/run/sock\"" \
      "state_directory = \"$T/state\""
    printf '%s\n' "$@"
  } >"$conf"
}
hello() { curl -sf --cacert "$T/tls.pem" --json '{"HelloRequest":{}}' "$@" "$url"; }
served_name() { echo | openssl s_client -connect "localhost:$port" 2>/dev/null | sed -n 's/^subject=CN = //p'; }
serves() { [ "$(served_name)" = "$1" ]; }
# The detached process, found by the socket it listens on: it wrote no pid file.
pid_of() { python3 - "$T/run/sock" <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
print(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
PY
}
recryptd() { "$BUILD/recryptd" -c "$conf" "$@"; }

mkdir -m 755 "$T/run"
me=$(id -un)
if [ "$me" = root ]; then
  me=daemon
  chown daemon "$T/run"
fi
configure "user = \"$me\""
certificate first 600
ok "the sample configuration is accepted" bash -c "
  sed -e 's|^tls_[a-z]* *=|#&|; s|0.0.0.0:443|127.0.0.1:8443|; s|\"recryptd\"|\"daemon\"|; s|recrypt-milter|nobody|; s|vmail|mail|' \
    '$SRC/contrib/recryptd.conf' >'$T/sample.conf' && '$BUILD/recryptd' -n -c '$T/sample.conf'"
ok "--help and --version" bash -c "'$BUILD/recryptd' --help | grep -q -- --invite && '$BUILD/recryptd' --version | grep -q '[0-9]'"
ok "every option of --help is in the manual" bash -c "
  '$BUILD/recryptd' --help | grep -o -- '--[a-z]*' | sort -u | while read -r o; do
    grep -q -- \"Fl -\${o#--}\" '$SRC/doc/recryptd.8' || { echo \"\$o is not\"; exit 1; }
  done"
ok "every option of the configuration is in its manual" bash -c "
  sed -n 's/^ *CFG_[A-Z_]*(\"\([a-z_]*\)\".*/\1/p' '$SRC/service/settings.c' | while read -r o; do
    grep -qw -- \"\$o\" '$SRC/doc/recryptd.conf.5' || { echo \"\$o is not\"; exit 1; }
  done"
ok "a fault at the start is the detaching command's exit status" status 78 recryptd -c "$T/none"
as_root() { # without a user, or with root for one, nothing is begun
  local line mode
  for line in "" 'user = "root"'; do
    configure "$line"
    for mode in -f --check "--invite bob@example.com"; do
      # shellcheck disable=SC2086
      says "not as root: set user" recryptd $mode && status 78 recryptd $mode || return
    done
  done
  [ ! -e "$T/state" ] && [ ! -e "$T/run/sock" ]
}
if [ "$(id -u)" = 0 ]; then ok "it does not serve as root" as_root; else skip "it does not serve as root" "root does not run the tests"; fi
configure "user = \"$me\""
ok "it returns when it serves" recryptd
pid=$(pid_of)
ok "it was there to be found" [ -n "$pid" ]
tap_pids="$tap_pids $pid"
ok "TLS: Hello" hello
ok "TLS 1.2 and up only" not openssl s_client -connect "localhost:$port" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null
ok "plain HTTP on the TLS port is not answered" not curl -sf --json '{}' "http://localhost:$port/"
ok "it runs as its user" same "$(ps -o user= -p "$pid")" "$me"
ok "what it made belongs to that user, and nobody else reads it" same \
  "$(find "$T/state" \( ! -user "$me" -o -perm /077 \) -printf '%P ')" ""
ok "an invitation can be made while it runs" recryptd --invite bob@example.com
ok "a second one is refused" status 73 recryptd -f
certificate second 600
if [ "$me" = daemon ]; then
  kill -HUP "$pid"
  wait_for 5 hello
  ok "a key that only root reads stays until a restart" serves first
fi
chmod 644 "$T/tls.key"
kill -HUP "$pid"
ok "a new certificate is taken into use" wait_for 5 serves second
ok "and is served" hello
echo rubbish >"$T/tls.pem.bad"
cp "$T/tls.pem" "$T/tls.pem.good"
cp "$T/tls.pem.bad" "$T/tls.pem"
kill -HUP "$pid"
sleep 0.5
cp "$T/tls.pem.good" "$T/tls.pem"
ok "a broken one changes nothing" hello

# Half a request from many: others are served, and the limit holds.
ok "many slow clients: others are still served" python3 - "$port" "$T/tls.pem" <<'PY'
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
slow = []
for i in range(20):
    s = context.wrap_socket(socket.create_connection(("localhost", int(sys.argv[1])), 5), server_hostname="localhost")
    s.sendall(b"POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    slow.append(s)
s = context.wrap_socket(socket.create_connection(("localhost", int(sys.argv[1])), 5), server_hostname="localhost")
s.sendall(b"POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
          b'{"HelloRequest":{}}')
sys.exit(0 if s.recv(4096).startswith(b"HTTP/1.1 200") else 1)
PY
kill "$pid"
gone() { ! kill -0 "$pid" 2>/dev/null; }
ok "SIGTERM ends it" wait_for 5 gone
ok "its socket is gone" not test -e "$T/run/sock"
ok "--check finds no fault" says "no fault" recryptd --check
ok "and leaves nothing that the service could not open" same "$(find "$T/state" ! -user "$me" -printf '%P ')" ""
ok "it starts again" recryptd
pid=$(pid_of)
tap_pids="$tap_pids $pid"
ok "and serves" hello
: >"$T/run/other"
chown "$me" "$T/run/other"
sed -i 's|/run/sock|/run/other|' "$conf"
kill -HUP "$pid"
sleep 0.5
kill "$pid"
wait_for 5 gone
ok "another socket in the configuration read since: its own is gone, what is there is left alone" same "$(ls "$T/run")" other
sed -i 's|/run/other|/run/sock|' "$conf"

# As systemd starts it.
start manager /usr/bin/python3 "$SRC/test/integration/lda-tool.py" manager "$T/manager.sock" "$T/manager.out"
wait_for 5 test -S "$T/manager.sock"
NOTIFY_SOCKET=$T/manager.sock WATCHDOG_USEC=200000 start service recryptd -f
told() { # STATE HOW-OFTEN
  [ "$(grep -c "^$1=1" "$T/manager.out")" -ge "$2" ]
}
ok "it tells the service manager that it serves" wait_for 5 told READY 1
ok "and that it is alive" wait_for 5 told WATCHDOG 3
pid=$(pid_of)
kill -HUP "$pid"
ok "and when it reads its configuration" wait_for 5 told RELOADING 1
ok "and when it has" wait_for 5 told READY 2
kill "$pid"
ok "and when it ends" wait_for 5 told STOPPING 1
tap_done
