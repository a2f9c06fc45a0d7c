#!/bin/bash
# Memory and descriptors of recryptd, recrypt-milter and the LMTP server over many rounds (2,000; LONG=1: 20,000), and
# valgrind on a short run of each.
. "$(dirname "$0")/tap.sh"
N=2000
[ -z "${LONG:-}" ] || N=20000
endure="python3 $SRC/test/faults/endure.py"
me=$(id -un)
[ "$me" != root ] || me=daemon
install -d -o "$me" "$T/state" "$T/run" "$T/mail"
configure() { # SANDBOX
  printf '%s\n' 'domains = {"example.com"}' 'url = "http://127.0.0.1:1/.well-known/meshrecrypt"' "user = \"$me\"" "sandbox = $1" \
    "listen_local = \"unix:$T/run/recryptd.sock\"" "state_directory = \"$T/state\"" \
    "milter_users = {\"$me\"}" "delivery_users = {\"$me\"}" >"$T/recryptd.conf"
  printf '%s\n' "socket = \"unix:$T/run/milter.sock\"" "recryptd = \"unix:$T/run/recryptd.sock\"" "user = \"$me\"" "sandbox = $1" \
    >"$T/milter.conf"
  printf '%s\n' "lmtp_listen = \"unix:$T/run/lmtp.sock\"" "recryptd = \"unix:$T/run/recryptd.sock\"" "user = \"$me\"" "sandbox = $1" \
    "mail_root = \"$T/mail\"" "log = stderr" >"$T/lda.conf"
}
ready() { # NAME SOCKET COMMAND...
  local name=$1 path=$T/run/$2.sock; shift 2
  rm -f "$path"
  start "$name" "$@"
  wait_for 60 test -S "$path"
}
configure yes
ok "recryptd starts" ready recryptd recryptd "$BUILD/recryptd" -f -c "$T/recryptd.conf"
recryptd=$pid
ok "recrypt-milter starts" ready milter milter "$BUILD/recrypt-milter" -f -c "$T/milter.conf"
milter=$pid
ok "recrypt-lda starts" ready lmtp lmtp "$BUILD/recrypt-lda" -c "$T/lda.conf" --lmtp
lmtp=$pid
for what in recryptd milter lmtp; do
  ok "$what: neither memory nor descriptors grow in $N rounds" sh -c "$endure $what $T/run/$what.sock ${!what} $N $T/mail >$T/$what.size"
  sed 's/^/# /' "$T/$what.size"
  [ "$what" != lmtp ] || ok "recryptd has not grown meanwhile" $endure recryptd "$T/run/recryptd.sock" $recryptd 1000
done
for p in $lmtp $milter $recryptd; do kill $p; tap_gone $p; done

if ! command -v valgrind >/dev/null || nm -D "$BUILD/recryptd" 2>/dev/null | grep -q __asan; then
  skip "valgrind" "not there, or built with sanitizers"
  tap_done
fi
# valgrind makes calls of its own, which the sandbox forbids.
configure no
grind="valgrind -q --vgdb=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9"
ended() { kill "$1"; wait "$1"; same $? 0; }
ok "recryptd under valgrind" ready recryptd recryptd $grind "$BUILD/recryptd" -f -c "$T/recryptd.conf"
recryptd=$pid
ok "answers" $endure recryptd "$T/run/recryptd.sock" $recryptd 20
ok "recrypt-milter under valgrind" ready milter milter $grind "$BUILD/recrypt-milter" -f -c "$T/milter.conf"
milter=$pid
ok "answers as well" $endure milter "$T/run/milter.sock" $milter 20
ok "no error, nothing leaked: recrypt-milter" ended $milter
session() {
  printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<p@example.com>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n' |
    $grind "$BUILD/recrypt-lda" -c "$T/lda.conf" --lmtp-stdio >"$T/session" 2>&1
  status=$?
  cat "$T/session"
  [ $status = 0 ] && grep -q '^250 2.0.0' "$T/session"
}
ok "no error, nothing leaked: recrypt-lda" session
ok "no error, nothing leaked: recryptd" ended $recryptd
[ "$tap_failed" = 0 ] || tail -n 30 "$T"/*.log | sed 's/^/# /'
tap_done
