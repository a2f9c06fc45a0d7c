#!/bin/bash
# Sendmail instead of Postfix as example.com's mail server, with contrib/sendmail/sendmail.mc: the same story, the same
# results; then what is Sendmail's own. Debian's packages of the two exclude each other, so Sendmail is unpacked beside
# Postfix.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
. "$SRC/contrib/sendmail/instance.sh"
tool=$SRC/test/integration/sendmail-tool.py
SENDMAIL=${RECRYPT_SENDMAIL:-$SRC/build/sendmail}
export world_mta_example_com=sendmail # for world.sh

needs() { # REASON COMMAND...: or the whole test is skipped
  local reason=$1; shift
  "$@" >"$T/.out" 2>&1 || { skip "the story under Sendmail" "$reason"; tap_done; }
}
enough_room() { [ "$(df -Pk "$T" | awk 'NR == 2 { print $4 }')" -gt 200000 ]; }
needs "Sendmail, Postfix and Dovecot need root to start" [ "$(id -u)" = 0 ]
needs "less than 200 MB of room in ${TMPDIR:-/tmp}" enough_room
needs "no m4" m4 --version
needs "no host name of its own: unshare is not permitted" unshare --uts hostname mail.example.com
needs "Debian's Sendmail is not in $SENDMAIL and cannot be downloaded" "$SRC/contrib/sendmail/unpack.sh" "$SENDMAIL"

ip=$(world_ip example.com)
port() { world_port example.com smtp; }
got() { echo "$WORLD/$1.got"; }

unknown() {
  "$python" "$tool" hard dave@example.net nobody@example.com >"$WORLD/hard.eml"
  ! submit example.com dave@example.net nobody@example.com "$WORLD/hard.eml" && grep -q '^< 550 5\.1\.1' "$WORLD/smtp"
}
# One that looks like a large list's, of nobody, is refused as well; of a person, it is hers.
unknown_form() {
  local form=fanout-aaaaaaaaaaaaaaaaaaaaaa n
  ! submit example.com dave@example.net nobody+$form@example.com "$WORLD/hard.eml" && grep -q '^< 550 5\.1\.1' "$WORLD/smtp" || return
  n=$(imap frank@example.com INBOX)
  submit example.com dave@example.net frank+$form@example.com "$WORLD/hard.eml" && arrives frank@example.com $((n + 1))
}
# Two recipients who need different bodies: the second is asked to come alone.
alone() {
  curl -sv --max-time 60 --url "smtp://$ip:$(port)/client.example" --mail-from dave@example.net --mail-rcpt $list --mail-rcpt frank@example.com \
    --upload-file "$WORLD/sealed3.eml" >"$WORLD/smtp" 2>&1
  cat "$WORLD/smtp"
  grep -q '^< 452 4\.5\.3' "$WORLD/smtp"
}
hard() { # FROM-SERVER TO
  local n; n=$(imap "$2" INBOX)
  "$python" "$tool" hard dave@example.net "$2" >"$WORLD/hard.eml"
  submit "$1" dave@example.net "$2" "$WORLD/hard.eml" && arrives "$2" $((n + 1)) || return
  imap "$2" INBOX $((n + 1)) >"$(got hard)"
  head -n 20 "$(got hard)"
  "$python" "$tool" body "$WORLD/hard.eml" "$(got hard)"
}
through_sendmail() { world_mailbox example.net erin@example.net && hard example.com erin@example.net; }
# Mail in the clear for a person is encrypted at the door; she opens what was sent.
door() { # ADDRESS, which is Bob's
  local n; n=$(imap bob@example.com INBOX)
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net "$1" "Grüße" "$marker" 50000 >"$WORLD/clear.eml"
  submit example.com dave@example.net "$1" "$WORLD/clear.eml" && arrives bob@example.com $((n + 1)) || return
  imap bob@example.com INBOX $((n + 1)) >"$(got door)"
  ! grep -q "$marker" "$(got door)" && as bob "$recrypt" open "$(got door)" >"$WORLD/clear.opened" &&
    "$python" "$tool" body "$WORLD/clear.eml" "$WORLD/clear.opened"
}
forged() {
  local n; n=$(imap bob@example.com INBOX)
  "$python" "$tool" forged "$WORLD/sealed3.eml" >"$WORLD/forged.eml"
  submit example.com dave@example.net $list "$WORLD/forged.eml" && arrives bob@example.com $((n + 1)) || return
  imap bob@example.com INBOX $((n + 1)) >"$(got forged)"
  "$python" "$tool" clean "$(got forged)" && as bob "$recrypt" open "$(got forged)" | cmp - "$WORLD/home/dave/second.eml"
}
odd() {
  local n; n=$(imap bob@example.com INBOX)
  "$python" "$tool" odd from "$WORLD/sealed3.eml" >"$WORLD/odd.eml"
  ! submit example.com dave@example.net $list "$WORLD/odd.eml" && grep -q '^< 550 5\.6\.0' "$WORLD/smtp" || return
  "$python" "$tool" odd space "$WORLD/sealed3.eml" >"$WORLD/odd.eml"
  submit example.com dave@example.net $list "$WORLD/odd.eml"
  grep -q '^< 550 5\.6\.0' "$WORLD/smtp" && arrives bob@example.com "$n" && return
  arrives bob@example.com $((n + 1)) || return
  imap bob@example.com INBOX $((n + 1)) >"$(got odd)"
  "$python" "$tool" clean "$(got odd)"
}
owner() {
  local n; n=$(imap alice@example.com INBOX)
  submit example.net dave@example.net list+owner@example.com "$WORLD/clear.eml" && arrives alice@example.com $((n + 1)) || return
  imap alice@example.com INBOX $((n + 1)) >"$(got owner)"
  ! grep -q "$marker" "$(got owner)" && as alice "$recrypt" open "$(got owner)" >"$WORLD/clear.opened" &&
    "$python" "$tool" body "$WORLD/clear.eml" "$WORLD/clear.opened"
}
# However the list's address is written, each member has one copy and nothing stays behind.
forms() {
  local form n; n=$(imap bob@example.com INBOX)
  for form in LIST@Example.COM list@example.com. @relay.example:$list '"list"@example.com' list%example.com@mail.example.com 'example.com!list'; do
    submit example.com dave@example.net "$form" "$WORLD/sealed3.eml" || return
    n=$((n + 1))
  done
  arrives bob@example.com $n && world_wait 5 queue_is 0
}
# sendmail(1) hands over by SMTP.
submission() {
  local n; n=$(imap bob@example.com INBOX)
  world_sendmail_submit example.com carol@example.net bob@example.com <"$WORLD/clear.eml" && arrives bob@example.com $((n + 1)) || return
  imap bob@example.com INBOX $((n + 1)) >"$(got door)"
  ! grep -q "$marker" "$(got door)" && as bob "$recrypt" open "$(got door)" >"$WORLD/clear.opened" &&
    "$python" "$tool" body "$WORLD/clear.eml" "$WORLD/clear.opened"
}
# Nobody uses this host to reach others; a sender of this domain without a mailbox is no reason to refuse.
relay() {
  ! curl -sv --interface 127.0.0.3 --max-time 60 --url "smtp://$ip:$(port)/client.example" --mail-from unknown@example.com \
    --mail-rcpt somebody@elsewhere.example --upload-file "$WORLD/hard.eml" >"$WORLD/smtp" 2>&1
  cat "$WORLD/smtp"
  grep -q '^< 550 5\.7\.1 .*Relaying denied' "$WORLD/smtp"
}
# Bob's own mail comes back: as any mail in the clear, it is encrypted before it rests.
returned() {
  local n; n=$(imap bob@example.com INBOX)
  submit example.com bob@example.com gone@example.net "$WORLD/hard.eml" && arrives bob@example.com $((n + 1)) || return
  imap bob@example.com INBOX $((n + 1)) >"$(got returned)"
  ! grep -q 'gone@example.net' "$(got returned)" && as bob "$recrypt" open "$(got returned)" | grep -q 'Final-Recipient:.*gone@example.net'
}
# Dave becomes a member, and his own server does not know him any more: one bounce, to the owner; the others have their
# copies.
bounce() {
  local a b map=$WORLD/example.net/postfix/etc/recrypt_mailboxes
  a=$(imap alice@example.com INBOX) b=$(imap bob@example.com INBOX)
  as alice "$recrypt" add $list dave@example.net || return
  sed -i /^dave@/d "$map" && world_mailbox example.net || return
  submit example.com carol@example.net $list "$WORLD/sealed3.eml" && arrives bob@example.com $((b + 1)) && arrives alice@example.com $((a + 1)) || return
  world_mailbox example.net dave@example.net
  imap alice@example.com INBOX $((a + 1)) >"$(got bounce)"
  as alice "$recrypt" open "$(got bounce)" >"$(got opened)" || return
  cat "$(got bounce)" "$(got opened)"
  grep -qi '^Return-Path: <MAILER-DAEMON>' "$(got bounce)" && ! grep -q 'dave@' "$(got bounce)" && grep -q 'Final-Recipient:.*dave@example.net' "$(got opened)" &&
    ! grep -q 'bob@' "$(got opened)" && ! grep -q 'encrypted_key' "$(got opened)"
}
# Mlocal: the host's own users, after aliases.
local_user() {
  "$python" "$tool" hard dave@example.net postmaster@mail.example.com >"$WORLD/hard.eml"
  submit example.com dave@example.net postmaster@mail.example.com "$WORLD/hard.eml" || return
  world_wait 10 sh -c "ls $WORLD/example.com/mail/mail.example.com/root/Maildir/new/*" || return
  "$python" "$tool" body "$WORLD/hard.eml" "$(echo "$WORLD"/example.com/mail/mail.example.com/root/Maildir/new/*)"
}
milter_gone() {
  local n code; n=$(imap bob@example.com INBOX)
  code=$("$python" "$tool" halfway "$ip" "$(port)" bob@example.com "$WORLD/example.com/milter.pid")
  echo "killed in the middle: $code"
  [ "${code%??}" = 4 ] && ! submit example.com dave@example.net bob@example.com "$WORLD/clear.eml" && grep -q '^< 4[0-9][0-9] ' "$WORLD/smtp" || return
  rm -f "$WORLD/example.com/milter/milter.sock"
  world_milter_start example.com && arrives bob@example.com "$n"
}
# The message is in Sendmail's queue, the next server having no recryptd; then it goes out, once.
sending() {
  local n; n=$(imap carol@example.net INBOX)
  world_service_stop example.net
  submit example.com dave@example.net carol@example.net "$WORLD/sealed3.eml" || return
  sleep 1
  [ "$(world_queue example.com)" = 1 ] && arrives carol@example.net "$n" || return
  world_service_start example.net && world_flush example.com && arrives carol@example.net $((n + 1)) || return
  world_wait 5 queue_is 0
}
queue_is() { [ "$(world_queue example.com)" = "$1" ]; }
# A mailbox that cannot be written: recrypt-lda's EX_TEMPFAIL keeps the message in the queue.
full() {
  local n d=$WORLD/example.com/mail/example.com/frank/Maildir
  n=$(imap frank@example.com INBOX)
  chmod 000 "$d/tmp"
  submit example.com dave@example.net frank@example.com "$WORLD/hard.eml" || return
  sleep 1
  [ "$(world_queue example.com)" = 1 ] && arrives frank@example.com "$n" || return
  chmod 700 "$d/tmp"
  world_flush example.com && arrives frank@example.com $((n + 1)) && world_wait 5 queue_is 0
}
smuggling() {
  local n; n=$(imap frank@example.com INBOX)
  same "$("$python" "$tool" smuggle "$ip" "$(port)" frank@example.com 2>"$WORLD/smuggle")" 0
  local status=$?
  cat "$WORLD/smuggle"
  return $status
}

# ---- a list with more members than inline_max: 30 people of a third domain, whose mail a sink takes, and Bob and Erin
# ----
large=large@example.com
fanout() { "$python" "$SRC/test/integration/fanout-tool.py" "$@"; }
large_people() {
  local lookup w=$WORLD/example.net/postfix/etc
  lookup=$(free_port) sink=$(free_port)
  "$BUILD/test/fanout-people" 30 many.example >"$T/people" || return
  start people "$python" "$SRC/test/integration/fanout-tool.py" serve "$T/people" "$lookup"
  install -d -o nobody "$T/sink"
  start sink smtp-sink -u nobody -d "$T/sink/copy." "127.0.0.1:$sink" 100
  printf 'service "many.example" {\n  url = "http://127.0.0.1:%s/.well-known/meshrecrypt"\n}\n' "$lookup" >>"$WORLD/home/alice/recrypt.conf"
  # Sendmail sends all that is for elsewhere to the other domain's server.
  postconf -c "$w" -e "relay_domains = many.example" "transport_maps = inline:{many.example=smtp:[127.0.0.1]:$sink}" &&
    postfix -c "$w" reload >/dev/null 2>&1 &&
    world_wait 10 world_listens 127.0.0.1 "$lookup" && world_wait 10 world_listens 127.0.0.1 "$sink"
}
large_list() {
  sed -i 's/^inline_max *=.*/inline_max = 20/' "$(world_conf example.com recryptd)"
  kill -HUP "$(cat "$WORLD/example.com/recryptd.pid")"
  world_mailbox example.com $large && as alice "$recrypt" newgroup $large && as alice "$recrypt" add $large bob@example.com erin@example.com &&
    cut -d' ' -f1 "$T/people" | RECRYPT_HOME=$WORLD/home/alice xargs "$recrypt" add $large && as dave "$recrypt" key $large
}
large_send() { # SUBJECT
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net $large "$1" "$marker" 4000 >"$T/large.eml"
  as dave "$recrypt" seal --to $large <"$T/large.eml" >"$T/large.sealed" && submit example.com dave@example.net $large "$T/large.sealed"
}
copies() { find "$T/sink" -type f | wc -l; }
copies_are() { [ "$(copies)" -ge "$1" ]; }
fanout_pid() { pgrep -o -f "^recrypt-lda --fanout -c $WORLD/example.com/"; }
all_queues_empty() { queue_is 0 && [ "$(world_queue example.net)" = 0 ]; }
settles() { for _ in $(seq 20); do all_queues_empty && return; world_flush example.com; world_flush example.net; sleep 1; done; world_queue example.com; return 1; }
# recrypt-lda is killed three times on its way; Sendmail keeps the message, and the next run goes on where the last one
# stopped.
large_killed() {
  local killed=0 b e; b=$(imap bob@example.com INBOX) e=$(imap erin@example.com INBOX)
  large_send "To thirty" || return
  for _ in 1 2 3; do
    wait_for 10 fanout_pid || break
    sleep 0.2
    kill -9 "$(fanout_pid)" 2>/dev/null && killed=$((killed + 1))
    world_flush example.com
  done
  echo "killed $killed times"
  [ $killed -gt 0 ] && settles && world_wait 20 copies_are 30 && arrives bob@example.com $((b + 1)) && arrives erin@example.com $((e + 1)) || return
  imap bob@example.com INBOX $((b + 1)) >"$(got large)"
  as bob "$recrypt" open "$(got large)" | cmp - "$T/large.eml" && fanout ledger "$T/sink" "$T/people" $killed
}
# Frank has an account and no mailbox; one bounce, which the owner alone can read. The others have theirs.
large_refused() {
  local a token map=$WORLD/example.com/sendmail/etc/recrypt_mailboxes
  rm -f "$T"/sink/*
  token=$(world_invite example.com frank@example.com) && mkdir -p "$WORLD/home/frank" && cp "$WORLD/home/erin/recrypt.conf" "$WORLD/home/frank/" &&
    as frank "$recrypt" personal frank@example.com --token "$token" && as alice "$recrypt" add $large frank@example.com || return
  sed -i '/^frank@/d' "$map.txt" && world_mailbox example.com || return
  a=$(imap alice@example.com INBOX)
  large_send "Second" && settles && world_wait 20 copies_are 30 && arrives alice@example.com $((a + 1)) || return
  imap alice@example.com INBOX $((a + 1)) >"$(got bounce)"
  as alice "$recrypt" open "$(got bounce)" >"$(got opened)" || return
  cat "$(got opened)"
  ! grep -q 'frank@' "$(got bounce)" && grep -q '1 of 33 copies.*frank@example\.com' "$(got opened)" && ! grep -q 'bob@' "$(got opened)" && fanout ledger "$T/sink" "$T/people" 0
}
# What only Sendmail itself may use, and where a copy's bounce goes.
large_addresses() {
  local a to from; a=$(imap alice@example.com INBOX)
  to=$(grep -h -o -m1 'large+fanout-[a-z2-7]*@example\.com' "$WORLD"/example.com/log/* | head -n 1)
  from=$(grep -h -m1 '^X-Mail-Args' "$T"/sink/* | head -n 1 | sed 's/.*<\(.*\)>.*/\1/')
  echo "$to $from"
  [ -n "$to" ] && ! submit example.com dave@example.net "$to" "$T/large.sealed" && grep -q '^< 550 5\.1\.1' "$WORLD/smtp" &&
    ! submit example.com "" large+bounce-aaaaaaaaaaaaaaaaaaaaaa@example.com "$WORLD/clear.eml" &&
    submit example.com "" "$from" "$WORLD/clear.eml" && arrives alice@example.com $((a + 1))
}

ok "two domains start, one with Sendmail" world_start "$T"
for step in $story_steps; do
  title=story_title_$step
  [ "$step" != marker ] || continue
  ok "${!title}" "story_$step"
done
ok "an unknown address is refused in the dialogue" unknown
ok "also one of the form that large lists have" unknown_form
ok "the queue is not shown to users of the host" grep '^O PrivacyOptions=.*restrictmailq' "$WORLD/example.com/sendmail/etc/sendmail.cf"
ok "a list and another recipient: one of them is to come again alone" alone
ok "ordinary mail keeps every octet" hard example.net frank@example.com
ok "on its way to another server, too" through_sendmail
ok "mail in the clear is encrypted at the door" door bob@example.com
ok "an alias of the host, which the milter does not know, leads to the same" door team@mail.example.com
ok "forged fields are gone, 1, 2 or 5 of them; the list's own stand there once" forged
ok "two From fields are refused; a space behind a field's name hides nothing" odd
ok "mail for a list's owner reaches her, encrypted" owner
ok "a member who is refused: the owner has one bounce, the others their mail" bounce
ok "mail of a person's that comes back is encrypted" returned
ok "however the list's address is written, one copy" forms
ok "sendmail(1) passes the milter" submission
ok "relaying is denied, a sender without a mailbox is not" relay
ok "users of the host get theirs through Mlocal" local_user
ok "without the milter, also when it is killed in the middle, mail is put off" milter_gone
ok "Sendmail as sender keeps mail while the next server has no recryptd" sending
ok "a mailbox that cannot be written: the mail waits in Sendmail's queue" full
ok "no false end of a message makes two of one" smuggling
ok "thirty people of a third domain" large_people
ok "a list with more members than inline_max" large_list
ok "each member has a copy of her own, with recrypt-lda killed on the way" large_killed
ok "a member whose address is refused holds up nobody, and the owner alone is told" large_refused
ok "the fan-out address takes nothing from outside; a copy's bounce leads to the owner" large_addresses
ok "$story_title_marker" story_marker
tap_done
