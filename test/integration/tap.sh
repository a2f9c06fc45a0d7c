# tap.sh - sourced by every integration test: where things are, TAP output, a private directory, processes by pid.
#
# BUILD  folder with the built programs (default: the current one)    SRC  source tree
# T      private folder of this test, removed at the end (kept and named when KEEP is set)
set -u
export PYTHONDONTWRITEBYTECODE=1
ulimit -c 0 # what is killed or traced on purpose leaves nothing in the folder it was started in
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$PWD}
SRC=$(cd "$SRC" && pwd) BUILD=$(cd "$BUILD" && pwd)
VECTORS=${RECRYPT_VECTORS:-$SRC/../shared/vectors}
T=$(mktemp -d "${TMPDIR:-/tmp}/recrypt-test.XXXXXX") || exit 99
chmod 755 "$T"
tap_n=0 tap_failed=0 tap_pids= tap_name=$(basename "$0" .sh)

tap_end() {
  trap '' INT TERM HUP PIPE
  for p in $tap_pids; do kill "$p" 2>/dev/null; done
  for p in $tap_pids; do tap_gone "$p"; done
  if type world_stop >/dev/null 2>&1; then world_stop; fi
  if [ -n "${KEEP:-}" ]; then echo "# kept: $T"; else rm -rf "$T"; fi
}
# Waits for a process to end, ten seconds at most, then kills it.
tap_gone() {
  for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$1" 2>/dev/null
}
trap tap_end EXIT
trap 'exit 130' INT TERM HUP PIPE

# ok NAME COMMAND...: passes when the command does. What it prints is shown only when it fails; what it tells always.
ok() {
  local name=$1; shift
  tap_n=$((tap_n + 1))
  if "$@" >"$T/.out" 2>&1; then
    echo "ok $tap_n - $tap_name: $name"
  else
    echo "not ok $tap_n - $tap_name: $name"; sed 's/^/# /' "$T/.out" | tail -n 40
    tap_failed=$((tap_failed + 1))
  fi
  [ ! -s "$T/.told" ] || { sed 's/^/# /' "$T/.told"; rm "$T/.told"; }
}
# tell TEXT: how much of what was done; of a command that ok runs.
tell() { echo "$*" >>"$T/.told"; }
not() { ! "$@"; }
# status WANTED COMMAND...: passes when the command's exit status is WANTED.
status() {
  local want=$1 got; shift
  "$@"; got=$?
  [ "$got" = "$want" ] || { echo "exit status $got, wanted $want"; return 1; }
}
# says TEXT COMMAND...: passes when the command's output (both streams) holds the text, whatever its status.
says() {
  local text=$1 out; shift
  out=$("$@" 2>&1)
  case $out in *"$text"*) ;; *) printf 'wanted: %s\ngot: %s\n' "$text" "$out"; return 1 ;; esac
}
same() { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $tap_name: $1 # SKIP $2"; }
tap_done() { echo "1..$tap_n"; [ "$tap_failed" = 0 ]; exit; }

# start NAME COMMAND...: in the background, its output in $T/NAME.log; its pid in $pid and stopped at the end.
start() {
  local name=$1; shift
  "$@" >>"$T/$name.log" 2>&1 &
  pid=$!
  tap_pids="$tap_pids $pid"
}
# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local n=$(($1 * 20)); shift
  while [ "$n" -gt 0 ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; n=$((n - 1)); done
  return 1
}
# recryptd does not serve as root: where root runs the tests it becomes this user, who owns the folders that it writes
# to.
service_user=$([ "$(id -u)" != 0 ] || echo daemon)
service_folder() { mkdir -p -m 700 "$@" && { [ -z "$service_user" ] || chown "$service_user:" "$@"; }; }
service_file() { : >>"$1" && { [ -z "$service_user" ] || chown "$service_user:" "$1"; }; }
service_line() { [ -z "$service_user" ] || echo "user = \"$service_user\""; } # of recryptd.conf
# A free loopback port, none of those that the kernel gives to clients: another test's could have it before the server
# does.
free_port() {
  python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(10000, 32000)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PY
}
# Does something listen on that loopback port?
listens() { /usr/bin/python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1"; }
