#!/bin/bash
# recrypt-lda under a real Postfix: pipe(8) while its processes are killed at random, LMTP, mailbox_command.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$(dirname "$0")/killer.sh"
if [ "$(id -u)" != 0 ]; then
  skip "Postfix" "it needs root to start"
  tap_done
fi
ok "two domains start" world_start "$T"
com=$T/example.com
etc=$com/postfix/etc
box() { echo "$com/mail/example.com/$1/Maildir"; }
count() { find "$(box "$1")/new" "$(box "$1")/cur" -type f 2>/dev/null | wc -l; }
for u in gina hank iris; do world_mailbox example.com "$u@example.com"; done
# submit N TO [FIRST]: N messages, numbered from FIRST on, else from 0, over SMTP.
submit() {
  python3 - "$(world_ip example.com)" "$(world_port example.com smtp)" "$@" <<'PY'
import smtplib, sys
host, port, n, to, *first = sys.argv[1:]
first = int(first[0]) if first else 0
s = smtplib.SMTP(host, int(port))
for i in range(first, first + int(n)):
    s.sendmail("dave@example.net", [to], f"From: dave@example.net\nSubject: number {i}\n\n" + f"line {i}\n" * 400)
s.quit()
PY
}
numbers() { grep -h '^Subject: number' "$1"/*/* | sort -t' ' -k3n | tr -d '\r' | cut -d' ' -f3 | tr '\n' ' '; }
queue_empty() { world_flush example.com; sleep 0.5; [ "$(world_queue example.com)" = 0 ]; }

# --- pipe(8), and a killer: every delivery is killed after 0 to 59 ms, until it is told to stop.
killer_lda 1 example.com
ok "forty messages are taken" submit 40 gina@example.com
# On a loaded machine many a killer comes too late: more messages then, until enough were killed.
sent=40 until=$((SECONDS + 60))
enough() { [ "$(wc -l <"$T/killed")" -ge 20 ]; }
while ! enough && [ "$SECONDS" -lt "$until" ]; do
  if queue_empty && ! enough && submit 10 gina@example.com "$sent"; then sent=$((sent + 10)); fi
done
for _ in 1 2 3; do sleep 1; world_flush example.com; done
rm "$T/kill"
ok "the queue empties once nobody is killed any more" wait_for 60 queue_empty
ok "twenty or more deliveries were killed" enough
echo "# killed: $(wc -l <"$T/killed"), messages: $sent"
ok "each message came, whole, once" same "$(numbers "$(box gina)")" "$(seq -s ' ' 0 $((sent - 1))) "
ok "with all its lines" same "$(cat "$(box gina)"/new/* | grep -c '^line')" $((sent * 400))
ok "nothing bounced" not grep -q 'status=bounced' "$com/log/postfix"

# --- LMTP
cp "$com/etc/recrypt-lda.conf" "$T/lmtp.conf"
echo 'log = stderr' >>"$T/lmtp.conf"
start lmtpd "$BUILD/recrypt-lda" -c "$T/lmtp.conf" --lmtp
ok "the LMTP server starts on the sample's socket" wait_for 5 test -S "$com/lda/lmtp.sock"
chgrp postfix "$com/lda/lmtp.sock"
postconf -c "$etc" -e "virtual_transport=lmtp:unix:$com/lda/lmtp.sock"
postfix -c "$etc" reload >/dev/null 2>&1
ok "twenty messages" submit 20 hank@example.com
ok "come by LMTP" wait_for 20 sh -c "[ \$(find $(box hank)/new -type f | wc -l) = 20 ]"
ok "each once" same "$(numbers "$(box hank)")" "$(seq -s ' ' 0 19) "
ok "with Return-Path in front" same "$(head -qn 1 "$(box hank)"/new/* | sort -u)" "Return-Path: <dave@example.net>"

# --- mailbox_command, as a system user
postconf -c "$etc" -e "mydestination=host.example.com" "mailbox_size_limit=0" \
  "mailbox_command=$BUILD/recrypt-lda -c $T/local.conf -f \"\$SENDER\" -d \"\$RECIPIENT\" -a \"\$ORIGINAL_RECIPIENT\"" \
  "local_recipient_maps="
grep -q '^local ' "$etc/master.cf" || echo 'local unix - n n - - local' >>"$etc/master.cf"
install -d -o games -m 700 "$T/local"
sed -e /^user/d -e "s|^mail_root.*|mail_root = \"$T/local\"|" "$com/etc/recrypt-lda.conf" >"$T/local.conf"
sed -i 's|^delivery_users.*|delivery_users = {"mail", "games"}|' "$com/etc/recryptd.conf"
world_service_stop example.com
world_service_start example.com
postfix -c "$etc" reload >/dev/null 2>&1
ok "a message for a system user" submit 1 games@host.example.com
ok "comes by mailbox_command" wait_for 20 sh -c "[ \$(find $T/local/host.example.com/games/Maildir/new -type f | wc -l) = 1 ]"
ok "is hers, without a From_ line" same "$(stat -c %U "$T"/local/host.example.com/games/Maildir/new/*) $(grep -c '^From ' "$T"/local/host.example.com/games/Maildir/new/*)" "games 0"
[ "$tap_failed" = 0 ] || { tail -n 20 "$com/log/postfix"; tail -n 5 "$T"/*.log; } | sed 's/^/# /'
tap_done
