#!/bin/bash
# A list with more members than inline_max, on real Postfix and recryptd: each member gets a copy of her own, whoever is
# killed on the way. 500 members; with LONG=1 10,000. The ledger is printed.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
if [ "$(id -u)" != 0 ]; then
  skip "large lists" "Postfix needs root to start"
  tap_done
fi
if [ -n "${LONG:-}" ]; then members=10000 rounds=40; else members=500 rounds=6; fi
tool() { "$python" "$SRC/test/integration/fanout-tool.py" "$@"; }
com=example.com

# ---- the people of many.example: their keys, and a server that takes their mail ----
people_start() {
  local port
  port=$(free_port) sink=$(free_port)
  "$BUILD/test/fanout-people" "$members" many.example >"$T/people" || return
  start people "$python" "$SRC/test/integration/fanout-tool.py" serve "$T/people" "$port"
  install -d -o nobody "$T/sink"
  start sink smtp-sink -u nobody -d "$T/sink/copy." "127.0.0.1:$sink" 1000
  printf 'service "many.example" {\n  url = "http://127.0.0.1:%s/.well-known/meshrecrypt"\n}\n' "$port" \
    >>"$WORLD/home/alice/recrypt.conf"
  world_wait 10 world_listens 127.0.0.1 "$port" && world_wait 10 world_listens 127.0.0.1 "$sink"
}
# Their domain's place in Postfix's table; whom the re-injection port refuses or defers, for later.
postfix_prepare() {
  local w=$WORLD/$com/postfix/etc copies
  copies=$(world_ip $com):$(world_port $com copies)
  : >"$w/copies_access"
  postmap -c "$w" "hash:$w/copies_access"
  postconf -c "$w" -e "transport_maps = $(postconf -c "$w" -h transport_maps), inline:{many.example=smtp:[127.0.0.1]:$sink}" &&
    postconf -c "$w" -P "$copies/inet/smtpd_recipient_restrictions=check_recipient_access,hash:$w/copies_access" &&
    postfix -c "$w" reload >/dev/null 2>&1
}
access() { # ADDRESS ANSWER
  local w=$WORLD/$com/postfix/etc
  if [ -n "${2:-}" ]; then echo "$1 $2" >>"$w/copies_access"; else sed -i "/^$1 /d" "$w/copies_access"; fi
  postmap -c "$w" "hash:$w/copies_access"
}

# ---- the list ----
found() {
  for p in alice@example.com bob@example.com erin@example.com; do person $p || return; done
  person carol@example.net && person dave@example.net && world_mailbox $com list@example.com &&
    as alice "$recrypt" newgroup --archive list@example.com &&
    as alice "$recrypt" add list@example.com bob@example.com carol@example.net
}
# Several requests to recryptd: one would be over its max_body.
add_many() {
  local began=$SECONDS
  cut -d' ' -f1 "$T/people" | RECRYPT_HOME=$WORLD/home/alice xargs -n 5000 "$recrypt" add list@example.com >"$T/added" || return
  echo "$members members added in $((SECONDS - began)) s"
  says "list@example.com has $((members + 2)) members" tail -n 1 "$T/added"
}
# send N SUBJECT: a message from Dave to the list.
send() {
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net list@example.com "$2" "$marker" 4000 >"$T/plain.$1"
  [ -e "$T/keyed" ] || as dave "$recrypt" key list@example.com >"$T/keyed" || return
  as dave "$recrypt" seal --to list@example.com <"$T/plain.$1" >"$T/sealed.$1" &&
    submit example.net dave@example.net list@example.com "$T/sealed.$1"
}
queue_empty() { [ "$(world_queue $com)" = 0 ] && [ "$(world_queue example.net)" = 0 ]; }
# The pid of the recrypt-lda --fanout that runs for this world.
fanout_pid() { pgrep -o -f "^$BUILD/recrypt-lda --fanout -c $WORLD/$com/"; }

# ---- killed on the way ----
pause() { sleep "0.$(printf '%03d' $((RANDOM % ${1:-400} + 50)))"; }
kill_lda() {
  local p
  p=$(fanout_pid) && kill -9 "$p" 2>/dev/null && lda_killed=$((lda_killed + 1))
}
kill_service() {
  local p; p=$(cat "$WORLD/$com/recryptd.pid")
  kill -9 "$p"; wait "$p" 2>/dev/null
  service_killed=$((service_killed + 1))
  pause 200
  world_service_start $com
}
killing() {
  local began=$SECONDS i
  lda_killed=0 service_killed=0
  send 1 "To everybody" || return
  wait_for 20 fanout_pid || { echo "recrypt-lda --fanout does not start"; return 1; }
  for i in $(seq "$rounds"); do
    pause
    if [ $((i % 2)) = 0 ]; then kill_service; else kill_lda; fi
    world_flush $com
    wait_for 3 fanout_pid || true
  done
  for i in $(seq 600); do
    queue_empty && break
    [ $((i % 10)) != 0 ] || world_flush $com
    sleep 0.2
  done
  echo "recrypt-lda killed $lda_killed times, recryptd $service_killed times; all delivered after $((SECONDS - began)) s" >"$T/ledger"
  queue_empty || { postqueue -c "$WORLD/$com/postfix/etc" -p | tail -n 30; return 1; }
  [ "$lda_killed" -gt 0 ] && [ "$service_killed" -gt 0 ]
}
# ---- refused, deferred, removed, added ----
# Frank has an account and no mailbox. Two members are put off; of these one is removed, and Erin comes in, before the
# rest is tried.
uneven() {
  local token i
  rm -f "$T"/sink/*
  token=$(world_invite $com frank@example.com) && mkdir -p "$WORLD/home/frank" && cp "$WORLD/home/erin/recrypt.conf" "$WORLD/home/frank/" &&
    as frank "$recrypt" personal frank@example.com --token "$token" &&
    as alice "$recrypt" add list@example.com frank@example.com || return
  access m00007@many.example "450 4.2.0 later"
  access m00008@many.example "450 4.2.0 later"
  send 2 "Second" || return
  wait_for $((30 + members / 40)) grep -q "relay=recrypt-fanout.*2 of $members copies of this message are still to be sent" "$WORLD/$com/log/postfix" || return
  as alice "$recrypt" remove list@example.com m00008@many.example && as alice "$recrypt" add list@example.com erin@example.com || return
  access m00007@many.example
  access m00008@many.example
  for i in $(seq $((100 + members / 10))); do
    queue_empty && break
    [ $((i % 10)) != 0 ] || world_flush $com
    sleep 0.2
  done
  queue_empty && grep 'relay=recrypt-fanout' "$WORLD/$com/log/postfix" | tail -n 1 | grep "status=bounced.*1 of $members copies.*frank@example.com"
}
even() {
  grep -v '^m00008' "$T/people" >"$T/people.2"
  tool ledger "$T/sink" "$T/people.2" 0 && same "$(imap erin@example.com INBOX)" 0 && arrives bob@example.com 2
}
# The bounce: Alice alone can read whom it names.
owner_told() {
  local n
  arrives alice@example.com 1 || return
  imap alice@example.com INBOX 1 >"$T/bounce"
  not grep -q frank "$T/bounce" && as alice "$recrypt" open "$T/bounce" >"$T/bounce.open" && grep -q 'frank@example\.com' "$T/bounce.open"
}
# A bounce address of a copy: a real one reaches the owner, one that was made up nobody.
bounce_addresses() {
  local from
  from=$(grep -h -m1 '^X-Mail-Args' "$T"/sink/* | head -n 1 | sed 's/.*<\(.*\)>.*/\1/')
  submit $com "" "$from" "$T/plain.1" && arrives alice@example.com 2 &&
    not submit $com "" "list+bounce-aaaaaaaaaaaaaaaaaaaaaa@example.com" "$T/plain.1"
}
# Its process for this delivery is killed, the delivery agent goes on by itself, and the message is tried again: by a
# second one, which sends nothing while the first one is there. That one stands still so long, in the middle of its
# copies.
orphan() {
  local p parent sent second idle
  rm -f "$T"/sink/*
  send 3 "Third" && wait_for 20 fanout_pid || return
  p=$(fanout_pid) parent=$(ps -o ppid= "$p")
  wait_for 20 sink_has_one && kill -STOP "$p" && kill -9 "$parent" || return
  wait_for 5 eval '! world_runs '"$parent"
  for i in $(seq 20); do # Postfix waits a minute with a transport that broke, unless it is asked
    world_flush $com
    wait_for 1 another_fanout && break
  done
  another_fanout || { kill -CONT "$p"; echo "no second one"; return 1; }
  second=$(pgrep -n -f "^$BUILD/recrypt-lda --fanout -c $WORLD/$com/")
  wait_for $((20 + members / 100)) eval '[ "$(world_queue $com)" = 1 ]' # what the first one had handed over has arrived
  sent=$(sink_count)
  sleep 2
  same "$(sink_count)" "$sent" && [ "$sent" -lt "$members" ] && world_runs "$second"
  idle=$?
  kill -CONT "$p"
  tell "$p goes on beside $second, $sent copies sent"
  [ $idle = 0 ] || return
  for i in $(seq $((300 + members / 10))); do
    queue_empty && break
    [ $((i % 10)) != 0 ] || world_flush $com
    sleep 0.2
  done
  queue_empty && tool ledger "$T/sink" "$T/people.2" 0
}
sink_count() { find "$T/sink" -type f | wc -l; }
sink_has_one() { [ "$(sink_count)" -gt 0 ]; }
another_fanout() { [ "$(pgrep -c -f "^$BUILD/recrypt-lda --fanout -c $WORLD/$com/")" -gt 1 ]; }
fanout_address() { sed -n 's/.*to=<\(list+fanout-[^>]*\)>.*/\1/p' "$WORLD/$com/log/postfix" | head -n 1; }
# What somebody on this host hands in at the copies' port, under a name of her own, who has seen the address: the bounce
# would tell her how many members there are, and name those refused.
copies_port() {
  local log=$WORLD/$com/log/postfix lines
  rm -f "$T"/sink/*
  lines=$(wc -l <"$log")
  curl -sv --max-time 20 --url "smtp://$(world_ip $com):$(world_port $com copies)/client.example" --mail-from dave@example.net \
    --mail-rcpt "$(fanout_address)" --upload-file "$T/sealed.3" 2>&1 || return
  wait_for 20 eval "tail -n +$((lines + 1)) '$log' | grep -q 'relay=recrypt-fanout.*status='"
  tail -n +$((lines + 1)) "$log" | grep 'relay=recrypt-fanout.*dsn=4\.3\.0, status=deferred.*cannot deliver now' &&
    same "$(find "$T/sink" -type f | wc -l)" 0 && postsuper -c "$WORLD/$com/postfix/etc" -d ALL
}
# An address of that form that is a person's, and one that is elsewhere.
same_form() {
  local form=fanout-aaaaaaaaaaaaaaaaaaaaaa n
  n=$(imap bob@example.com INBOX)
  submit $com dave@example.net bob+$form@example.com "$T/sealed.3" && arrives bob@example.com $((n + 1)) || return
  n=$(imap carol@example.net INBOX)
  submit $com dave@example.com carol+$form@example.net "$T/sealed.3" && arrives carol@example.net $((n + 1))
}
# What only Postfix itself may use.
door() {
  local to
  to=$(fanout_address)
  [ -n "$to" ] && not submit $com dave@example.net "$to" "$T/sealed.1" && grep '550 5.1.1' "$WORLD/smtp"
}

balanced() {
  # A killed recrypt-lda may leave one copy that was taken and not recorded.
  tool ledger "$T/sink" "$T/people" "$lda_killed" >>"$T/ledger"; local status=$?
  cat "$T/ledger"
  return $status
}

ok "two domains start" world_start "$T"
ok "people of a third domain" people_start
ok "Postfix knows that domain" postfix_prepare
ok "a list with a local and a remote member" found
ok "$members members more, in several requests" add_many
ok "a message reaches Postfix, and all who run are killed on the way" killing
ok "the ledger balances: everybody has a copy, at most one too many for each kill of recrypt-lda" balanced
sed 's/^/# /' "$T/ledger"
ok "the local member has one, and reads it" eval 'arrives bob@example.com 1 && read_mail bob@example.com INBOX 1 "$T/plain.1"'
ok "the remote member has hers, and reads it" eval 'read_mail carol@example.net INBOX 1 "$T/plain.1"'
members=$((members + 3))
ok "refused and deferred members hold up nobody; the removed get nothing, nor do the new" uneven
ok "the ledger of that message balances exactly" even
ok "the owner is told who was refused, sealed" owner_told
ok "a copy's bounce address leads to the owner, one made up nowhere" bounce_addresses
ok "Postfix' own process killed: still each has one" orphan
ok "the fan-out address takes nothing from outside" door
ok "nor from who has found the copies' port" copies_port
ok "other addresses of its form keep their way" same_form
tap_done
