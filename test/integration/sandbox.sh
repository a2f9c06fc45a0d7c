#!/bin/bash
# The running programs are confined: the kernel says so, and a forbidden call made inside of one ends it (gdb makes the
# call; none of the programs has a way to).
. "$(dirname "$0")/tap.sh"
me=$(id -un)
if [ "$me" = root ]; then me=daemon; fi
install -d -o "$me" "$T/state" "$T/run" "$T/mail"

cat >"$T/recryptd.conf" <<CONF
domains = {"example.com"}
url = "http://127.0.0.1:1/.well-known/meshrecrypt"
listen_local = "unix:$T/run/recryptd.sock"
state_directory = "$T/state"
user = "$me"
CONF
printf '%s\n' "socket = \"unix:$T/run/milter.sock\"" "recryptd = \"unix:$T/run/recryptd.sock\"" "user = \"$me\"" >"$T/milter.conf"
printf '%s\n' "lmtp_listen = \"unix:$T/run/lmtp.sock\"" "recryptd = \"unix:$T/run/recryptd.sock\"" "user = \"$me\"" \
  "mail_root = \"$T/mail\"" "log = stderr" >"$T/lda.conf"
printf '%s\n' "listen = {\"unix:$T/run/imap.sock\"}" "recryptd = \"unix:$T/run/recryptd.sock\"" "user = \"$me\"" >"$T/imapfilter.conf"
if [ ! -e "$BUILD/common/sandbox-filters.h" ]; then
  skip "sandbox" "built without libseccomp, or with sanitizers"
  tap_done
fi

run() { # NAME
  case $1 in
    recryptd) start "$1" "$BUILD/recryptd" -f -c "$T/recryptd.conf"; wait_for 10 test -S "$T/run/recryptd.sock" ;;
    milter) start "$1" "$BUILD/recrypt-milter" -f -c "$T/milter.conf"; wait_for 10 test -S "$T/run/milter.sock" ;;
    imapfilter) start "$1" "$BUILD/recrypt-imapfilter" -f -c "$T/imapfilter.conf"; wait_for 10 test -S "$T/run/imap.sock" ;;
    lda) start "$1" "$BUILD/recrypt-lda" -c "$T/lda.conf" --lmtp; wait_for 10 test -S "$T/run/lmtp.sock" ;;
  esac
}
confined() { # PID: filter in force in every thread, no new privileges, no capabilities, not root
  local t
  for t in /proc/"$1"/task/*; do
    grep -q '^Seccomp:[[:space:]]*2' "$t/status" || { cat "$t/status"; return 1; }
    grep -q '^NoNewPrivs:[[:space:]]*1' "$t/status" || { cat "$t/status"; return 1; }
    grep -q '^CapEff:[[:space:]]*0*$' "$t/status" || { cat "$t/status"; return 1; }
  done
}
can_gdb=
if command -v gdb >/dev/null; then
  sleep 60 & p=$!
  gdb -p $p -batch -ex 'call (int)getpid()' >"$T/gdb.out" 2>&1 && grep -q '^\$1 = ' "$T/gdb.out" && can_gdb=yes
  kill $p
fi
# The call is made, and the process ends by SIGSYS (31).
inject() { # PID CALL
  gdb -nx -p "$1" -batch -ex "call $2" >"$T/gdb.out" 2>&1
  wait_for 3 ended "$1" || { cat "$T/gdb.out"; return 1; }
  wait "$1"
  same $? 159
}
ended() { ! kill -0 "$1" || grep -q '^State:.Z' "/proc/$1/status"; }
execve='(long)syscall(59L, "/bin/true", 0L, 0L)'
[ "$(uname -m)" = x86_64 ] || can_gdb=
for name in recryptd milter lda imapfilter; do
  ok "$name starts" run $name
  victim=$pid
  ok "$name: confined, in every thread" wait_for 3 confined "$victim"
  if [ -n "$can_gdb" ]; then
    ok "$name: starting a program from inside of it ends it" inject "$victim" "$execve"
    rm -f "$T/run/$name.sock" "$T/run/lmtp.sock" "$T/run/imap.sock"
    ok "$name starts again" run $name
  else
    skip "$name: a forbidden call" "gdb is not there, or may not trace"
  fi
done
for name in recryptd milter lda imapfilter; do
  sed 's/^sandbox.*//' "$T/$name.conf" >"$T/$name.open"; echo 'sandbox = no' >>"$T/$name.open"
done
ok "sandbox = no is accepted" sh -c "'$BUILD/recryptd' -n -c '$T/recryptd.open' && '$BUILD/recrypt-milter' -n -c '$T/milter.open' &&
  '$BUILD/recrypt-lda' -n -c '$T/lda.open' && '$BUILD/recrypt-imapfilter' -n -c '$T/imapfilter.open'"

tap_done
