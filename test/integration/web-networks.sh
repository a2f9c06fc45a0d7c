#!/bin/bash
# One network takes all the connections to recryptd that it can get: whoever comes from another one is served. In a
# network of its own, where this machine has as many addresses as it wants.
. "$(dirname "$0")/own-network.sh"
many=9 # addresses, each of which may have 32 of the 256 connections
own_network "connections by network" fd00:0:0:2::1 $(printf "fd00:0:0:1::%d\n" $(seq $many))
own_recryptd fd00:0:0:2::1

hello() { # FROM
  curl -sf --max-time 5 --interface "$1" --cacert "$T/tls.pem" --json '{"HelloRequest":{}}' "$url"
}
greedy() {
  cat >"$T/greedy.py" <<'PY'
import socket, sys, time
held = []
for n in range(1, int(sys.argv[1]) + 1):
    for _ in range(32):
        s = socket.socket(socket.AF_INET6)
        s.settimeout(5)
        s.bind((f"fd00:0:0:1::{n}", 0))
        s.connect(("fd00:0:0:2::1", 8443))
        held.append(s)
time.sleep(1)
closed = 0
for s in held:
    s.setblocking(False)
    try:
        closed += s.recv(1) == b""
    except BlockingIOError:
        pass
    except ConnectionResetError:
        closed += 1
open(sys.argv[2], "w").write(f"{len(held) - closed}")
time.sleep(60)
PY
  start greedy python3 "$T/greedy.py" "$many" "$T/greedy.ready"
  greedy=$pid
  wait_for 20 test -s "$T/greedy.ready" || { cat "$T/greedy.log"; return 1; }
}
start recryptd "$BUILD/recryptd" -f -c "$T/recryptd.conf"
ok "recryptd serves" wait_for 10 hello fd00:0:0:2::1
ok "a network takes what it gets" greedy
echo "# it holds $(cat "$T/greedy.ready") connections"
ok "not more than one host may have" same "$(cat "$T/greedy.ready")" 32
ok "another network is served" hello fd00:0:0:2::1
ok "that one is not" not hello fd00:0:0:1::1
kill "$greedy"
ok "until its connections have ended" wait_for 10 hello fd00:0:0:1::1

# Four unfinished requests of max_body are all that is kept of such: one network does not have them.
hoard() {
  cat >"$T/hoard.py" <<'PY'
import socket, ssl, sys, time
size, held = 15 << 20, []
tls = ssl.create_default_context(cafile=sys.argv[1])
for n in range(1, 6):
    s = socket.socket(socket.AF_INET6)
    s.settimeout(20)
    s.bind((f"fd00:0:0:1::{n}", 0))
    s.connect(("fd00:0:0:2::1", 8443))
    s = tls.wrap_socket(s, server_hostname="fd00:0:0:2::1")
    s.sendall(b"POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: [fd00:0:0:2::1]:8443\r\nContent-Type: application/jose+json\r\n"
              + b"Content-Length: %d\r\n\r\n" % size + bytes(size - 1))
    held.append(s)
open(sys.argv[2], "w").write("ready")
time.sleep(60)
PY
  start hoard python3 "$T/hoard.py" "$T/tls.pem" "$T/hoard.ready"
  hoard=$pid
  wait_for 30 test -s "$T/hoard.ready" || { cat "$T/hoard.log"; return 1; }
}
large() { # FROM: HTTP's status for a request of 200 KB, which is refused for what it is
  head -c 200000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' --max-time 5 --interface "$1" --cacert "$T/tls.pem" --data-binary @- \
    -H 'Content-Type: application/jose+json' "$url"
}
ok "one network sends large requests and does not end them" hoard
ok "another one's is looked at" same "$(large fd00:0:0:2::1)" 400
ok "a second one of its own has to wait" same "$(large fd00:0:0:1::9)" 503
ok "small ones pass" hello fd00:0:0:1::9
kill "$hoard"
large_again() { same "$(large fd00:0:0:1::9)" 400; }
ok "until the first has ended" wait_for 10 large_again
tap_done
