# lda-dovecot.sh - second half of lda.sh: delivery by LMTP into a private Dovecot, and what that serves by IMAP.

dovecot_start() {
  local d=$T/dovecot internal login
  mkdir -p "$d/state"
  if [ "$(id -u)" = 0 ]; then internal=dovecot login=dovenull; else internal=$(id -un) login=$internal; fi
  imap_port=$(free_port)
  sed -e "s|@DIR@|$d|g; s|@ADDRESS@|127.0.0.1|; s|@PORT@|$imap_port|; s|@INTERNAL_USER@|$internal|" \
    -e "s|@INTERNAL_GROUP@|$(id -gn "$internal")|; s|@LOGIN_USER@|$login|" "$SRC/contrib/dovecot/dovecot.conf" >"$d/dovecot.conf"
  sed -e "s|/var/mail/recrypt|$mail|g; s|/etc/dovecot/|$d/|g; s|gid=vmail|gid=$(id -gn "$owner")|; s|=vmail|=$owner|g" "$SRC/contrib/dovecot/recrypt.conf" >"$d/recrypt.conf"
  cp "$SRC/contrib/dovecot/recrypt-acl" "$d/recrypt-acl"
  for u in bob frank rita; do echo "$u@example.com:{PLAIN}secret"; done >"$d/users"
  chmod -R go+rX "$d"
  start dovecot dovecot -F -c "$d/dovecot.conf"
  wait_for 10 test -S "$d/run/lmtp"
}
# imap USER MAILBOX UID: a message as Dovecot gives it; without UID how many there are.
imap() {
  python3 - "$imap_port" "$@" <<'PY'
import imaplib, sys
port, user, mailbox, *uid = sys.argv[1:]
m = imaplib.IMAP4("127.0.0.1", int(port))
m.login(user + "@example.com", "secret")
status, data = m.select('"%s"' % mailbox)
if status != "OK":
    sys.exit("no such mailbox")
if not uid:
    print(int(data[0]))
else:
    sys.stdout.buffer.write(m.uid("fetch", uid[0], "(BODY.PEEK[])")[1][0][1])
PY
}
forbidden() { python3 - "$imap_port" <<'PY'
import imaplib, sys
m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
m.login("frank@example.com", "secret")
status, data = m.append("Lists/list@example.com", None, None, b"A: b\r\n\r\nx\r\n")
sys.exit(0 if status == "NO" else 1)
PY
}

if ! command -v dovecot >/dev/null; then
  skip "Dovecot" "it is not installed"
elif ! dovecot_start; then
  ok "a private Dovecot starts" cat "$T/dovecot.log" /nonexistent
else
  configure dovecot "deliver = \"lmtp:unix:$T/dovecot/run/lmtp\""
  conf=$T/dovecot.conf
  ok "delivery by LMTP into Dovecot" deliver "$T/sealed.eml" rita@example.com
  ok "an ordinary message too" deliver "$T/plain.eml" rita@example.com
  conf=
  ok "IMAP: both are there" same "$(imap rita INBOX)" 2
  imap rita INBOX 2 >"$T/fetched"
  ok "IMAP: as it was sent, behind Dovecot's trace fields" $tool rest "$T/plain.eml" "$T/fetched"
  imap rita INBOX 1 >"$T/fetched"
  ok "IMAP: no grant of others" same "$($tool grants "$T/fetched")" "0"
  ok "IMAP: a Maildir that recrypt-lda wrote" wait_for 5 sh -c "[ $(imap bob INBOX) -ge 1 ]"
  imap frank INBOX 1 >"$T/fetched"
  ok "IMAP: the ordinary message, to the octet" $tool rest "$T/plain.eml" "$T/fetched"
  ok "IMAP: the archive as Lists/list@example.com" same "$(imap frank "Lists/list@example.com")" 1
  imap frank "Lists/list@example.com" 1 >"$T/fetched"
  ok "IMAP: archived message without grants" same "$($tool grants "$T/fetched")" "0"
  ok "IMAP: nobody writes into an archive" forbidden
fi
