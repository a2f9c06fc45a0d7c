#!/bin/bash
# demo.sh: contrib/demo.sh interrupted, at its start and in the middle, leaves no process and no folder of its own.
. "$(dirname "$0")/tap.sh"
if [ "$(id -u)" != 0 ]; then
  skip "the demonstration" "Postfix and Dovecot need root to start"
  tap_done
fi
# As from a terminal: in a process group of its own, in which Ctrl-C reaches everybody. With "all" the signal goes to
# the group, with "one" to the demonstration alone; it is sent DELAY after its output holds TEXT, and once more a moment
# later.
cat >"$T/run.py" <<'PY'
import os, signal, subprocess, sys, time
demo, text, delay, number, whom = sys.argv[1], sys.argv[2], float(sys.argv[3]), getattr(signal, sys.argv[4]), sys.argv[5]
def usual():
    for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(n, signal.SIG_DFL)
out = open(sys.argv[6], "wb")
p = subprocess.Popen([demo], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, preexec_fn=usual)
for _ in range(2400):
    if text.encode() in open(sys.argv[6], "rb").read() or p.poll() is not None:
        break
    time.sleep(0.05)
time.sleep(delay)
for _ in range(2):
    if p.poll() is None:
        (os.killpg if whom == "all" else os.kill)(p.pid, number)
    time.sleep(0.3)
sys.exit(p.wait(120))
PY
interrupted() { # TEXT DELAY SIGNAL WHOM
  local status left
  mkdir -p "$T/tmp"
  TMPDIR=$T/tmp python3 "$T/run.py" "$SRC/contrib/demo.sh" "$1" "$2" "$3" "$4" "$T/demo.out"; status=$?
  tail -n 3 "$T/demo.out"
  grep -q "$1" "$T/demo.out" || { echo "it did not come so far"; return 1; }
  for _ in 1 2 3 4 5 6 7 8 9 10; do # what was told to end may need a moment
    left=$(for p in /proc/[0-9]*; do
      { [[ "$(readlink "$p/cwd")" == "$T/tmp"* ]] || tr '\0' ' ' <"$p/cmdline" | grep -q "$T/tmp/recrypt-demo"; } && tr '\0' ' ' <"$p/cmdline" && echo
    done 2>/dev/null)
    [ -n "$left" ] || break
    sleep 0.5
  done
  [ -z "$left" ] || { echo "left running: $left"; return 1; }
  [ -z "$(ls -A "$T/tmp")" ] || { echo "left: $(ls -A "$T/tmp")"; return 1; }
  [ "$status" = 130 ] || { echo "exit status $status"; return 1; }
}
ok "Ctrl-C while the servers start" interrupted "Starting example.com" 0.4 SIGINT all
if [ -n "${LONG:-}" ]; then
  for delay in 0 0.2 0.7 1 1.5 2 3; do
    ok "SIGTERM $delay s after the servers began to start" interrupted "Starting example.com" $delay SIGTERM one
  done
  ok "SIGHUP to everybody" interrupted "=== 2" 0.1 SIGHUP all
  ok "Ctrl-C in the middle of the story" interrupted "=== 3" 0.3 SIGINT all
fi
ok "SIGTERM in the middle of the story" interrupted "=== 5" 0.2 SIGTERM one
tap_done
