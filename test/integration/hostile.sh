#!/bin/bash
# Too deep, too long, too many: 30,000 nested parts, headers of 100 MB, 100,000 recipients, 1,000,000 brackets, to each
# program over each of its doors. Refused with the error that hostile.py names, in bounded time and memory; and all of
# them work afterwards.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/milter-service.sh"
ok "a service, people, two lists" milter_service 'timeout = "10s"' 'max_message = "50M"'
[ "$tap_failed" = 0 ] || { tail -n 20 "$T"/*.log | sed 's/^/# /'; tap_done; }
mkdir -p "$T/mail" "$T/lda"
{
  echo "recryptd = \"unix:$T/recryptd.sock\""; echo "mail_root = \"$T/mail\""; echo "lmtp_listen = \"unix:$T/lda/lmtp.sock\""
  echo 'max_message = "50M"'; echo 'log = "stderr"'
  [ -z "$user" ] || { echo "user = \"$user\""; chown "$user" "$T/mail" "$T/lda"; }
} >"$T/lda.conf"
sed -i "s/^milter_users = .*/&\ndelivery_users = {\"${user:-$(id -un)}\"}/" "$T/recryptd.conf"
kill -HUP "$recryptd_pid"
start lmtp "$BUILD/recrypt-lda" --lmtp -c "$T/lda.conf"; lmtp_pid=$pid
ok "an LMTP server" wait_for 10 test -S "$T/lda/lmtp.sock"
figures() { python3 "$SRC/test/integration/hostile.py" "$@" >"$T/figures" 2>&1; }
measured() { # NAME CASE ARGUMENT...: what it cost is shown also when it passes
  local name=$1; shift
  ok "$name" figures "$@"
  sed 's/^/# /' "$T/figures"
}
measured "milter: messages" milter "$socket" "$milter_pid"
measured "milter: headers" milter_header "$socket" "$milter_pid"
measured "milter: recipients" milter_recipients "$socket" "$milter_pid"
measured "LMTP" lmtp "$T/lda/lmtp.sock" "$lmtp_pid"
measured "recryptd's local socket" local "$T/recryptd.sock" "$recryptd_pid" "$T/recryptd.log"
measured "recryptd's web service" web "$port" "$recryptd_pid"
measured "the tool" tool "$T" "$recrypt" --service "$url"
ok "all of them go on" python3 "$SRC/test/integration/milter-client.py" "$socket" plaintext
ok "the milter is well" milter_stop
ok "none of them died" not grep -i 'signal\|sanitizer\|overflow' "$T/milter.log" "$T/lmtp.log" "$T/recryptd.log"
tap_done
