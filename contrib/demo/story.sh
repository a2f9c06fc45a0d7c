# story.sh - sourced after world.sh: what administrators, senders and readers do, step by step, in the two domains.
#
# story_steps names the steps in order; story_STEP does one: it shows each command as its user types it and what came
# out, and returns non-zero as soon as something is not as it must be. contrib/demo.sh shows them,
# test/integration/story.sh counts them.

story_steps="keys ordinary group door send hidden foreign archive remove rekey outage devices lost marker"
story_title_keys="Everybody makes keys, each at the service of her own domain"
story_title_ordinary="Ordinary mail passes unchanged, to the octet"
story_title_group="Alice founds a list with a local and a remote member"
story_title_door="Plaintext to the list is refused in the SMTP dialogue, and the sender is told what to do"
story_title_send="Dave, no member, sends to the list's key; Bob and Carol read it"
story_title_hidden="Neither copy names, contains or lets one count the other members"
story_title_foreign="A message made by another JOSE implementation is read just the same"
story_title_archive="Erin joins and opens a message sent before, from the archive"
story_title_remove="Carol is removed: no mail and no grant, for new or old mail"
story_title_rekey="The key is rolled: members read old and new mail, the old key is refused with the new one's name"
story_title_outage="The service is away: mail waits with its sender, and arrives once"
story_title_devices="Bob's telephone reads his mail, old and new, of his own and of the list, with keys that never left it"
story_title_lost="The telephone is lost: from that moment it opens nothing, and nobody else notices"
story_title_marker="No server-side file holds the plaintext"

marker=Lindwurm-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
list=list@example.com

say() { printf '\n# %s\n' "$*"; }
# as PERSON COMMAND...: shown (on standard error) as typed, run with that person's home.
as() {
  local who=$1; shift
  printf '%s$ %s\n' "$who" "$(printf '%s ' "$@" | sed "s|$WORLD/||g; s|$BUILD/recrypt/||g")" >&2
  RECRYPT_HOME=$WORLD/home/$who "$@"
}
recrypt=$BUILD/recrypt/recrypt
# must_fail STATUS TEXT COMMAND...: the command ends with that status and says TEXT.
must_fail() {
  local want=$1 text=$2 out got; shift 2
  out=$("$@" 2>&1); got=$?
  printf '%s\n(exit status %s)\n' "$out" "$got"
  [ "$got" = "$want" ] || { echo "wanted exit status $want"; return 1; }
  case $out in *"$text"*) ;; *) echo "wanted the text: $text"; return 1 ;; esac
}
# submit DOMAIN FROM TO FILE: over SMTP to that domain's server; what the server answers is shown; non-zero when
# refused.
submit() {
  local url; url="smtp://$(world_ip "$1"):$(world_port "$1" smtp)"
  printf '%s$ curl %s --mail-from %s --mail-rcpt %s --upload-file %s\n' "${2%%@*}" "$url" "$2" "$3" "${4##*/}"
  curl -sv --max-time 60 --url "$url/client.example" --mail-from "$2" --mail-rcpt "$3" --upload-file "$4" >"$WORLD/smtp" 2>&1
  local status=$?
  sed -n 's/^\(< [245].*\)\r*$/\1/p' "$WORLD/smtp" | tail -n 4
  return $status
}
# imap PERSON@DOMAIN MAILBOX [UID]: the number of messages, or one message.
imap() {
  local d=${1#*@} auth="$1:secret" url
  url="imap://$(world_ip "$d"):$(world_port "$d" imap)"
  if [ -n "${3:-}" ]; then curl -s --max-time 30 -u "$auth" "$url/$2;UID=$3"
  else curl -s --max-time 30 -u "$auth" "$url/$2" -X 'SEARCH ALL' | tr -d '\r' | sed -n 's/^\* SEARCH *//p' | wc -w; fi
}
# arrives PERSON@DOMAIN N: her INBOX has N messages within 20 seconds, and no more a moment later.
arrives() {
  for _ in $(seq 100); do
    [ "$(imap "$1" INBOX)" -lt "$2" ] || break
    sleep 0.2
  done
  sleep 0.5
  local have; have=$(imap "$1" INBOX)
  [ "$have" = "$2" ] || { echo "$1 has $have messages, wanted $2"; return 1; }
}
# read_on MACHINE PERSON@DOMAIN MAILBOX UID WANTED: fetched by IMAP, opened; the same octets as WANTED, and says who
# signed it.
read_on() {
  local who=$1 in=$WORLD/home/$1; shift
  imap "$1" "$2" "$3" >"$in/fetched.eml"
  as "$who" "$recrypt" open "$in/fetched.eml" >"$in/opened.eml" 2>"$in/verdict" || { cat "$in/verdict"; return 1; }
  cat "$in/verdict"
  echo "$who reads: $(grep -i '^subject:' "$in/opened.eml" | tr -d '\r')"
  cmp "$in/opened.eml" "$4"
}
read_mail() { # PERSON@DOMAIN MAILBOX UID WANTED: on her own machine
  read_on "${1%@*}" "$@"
}
person() { # ADDRESS
  local d=${1#*@} token
  world_mailbox "$d" "$1"
  token=$(world_invite "$d" "$1") || return
  as "${1%@*}" "$recrypt" personal "$1" --token "$token"
}

story_keys() {
  say "The administrator of each host hands out an invitation for an address; its owner makes her keys with it."
  person alice@example.com && person bob@example.com && person carol@example.net && person dave@example.net
}

story_ordinary() {
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net frank@example.com "Ordinary" "nothing secret" 20000 >"$WORLD/ordinary.eml"
  world_mailbox example.com frank@example.com
  submit example.net dave@example.net frank@example.com "$WORLD/ordinary.eml" && arrives frank@example.com 1 || return
  imap frank@example.com INBOX 1 >"$WORLD/ordinary.got"
  # In front of what was sent stand only the trace fields that delivery adds.
  "$python" - "$WORLD/ordinary.eml" "$WORLD/ordinary.got" <<'EOF'
import sys
sent, got = (open(f, "rb").read() for f in sys.argv[1:])
assert got.endswith(sent), "the message was changed"
names = {line.split(b":")[0].lower() for line in got[:len(got) - len(sent)].split(b"\r\n") if line[:1] not in (b" ", b"\t", b"")}
assert names <= {b"return-path", b"delivered-to", b"received", b"x-original-to"}, names
print(f"{len(sent)} octets came as they were sent, behind {sorted(n.decode() for n in names)}")
EOF
}

story_group() {
  world_mailbox example.com $list
  as alice "$recrypt" newgroup $list --archive &&
    as alice "$recrypt" add $list bob@example.com carol@example.net &&
    as alice "$recrypt" members $list || return
  say "Bob a second time is an error, and changes nothing."
  must_fail 73 bob@example.com as alice "$recrypt" add $list bob@example.com
}

story_door() {
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net $list "Hello" "no key" >"$WORLD/plain.eml"
  ! submit example.com dave@example.net $list "$WORLD/plain.eml" || { echo "it was accepted"; return 1; }
  grep -q '^< 550.5\.7\.' "$WORLD/smtp" && grep -q "recrypt key $list" "$WORLD/smtp"
}

story_send() {
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net $list "Übergabe am Dienstag" "$marker" 2000000 >"$WORLD/home/dave/letter.eml"
  as dave "$recrypt" key $list &&
    as dave "$recrypt" seal --to $list "$WORLD/home/dave/letter.eml" >"$WORLD/sealed.eml" || return
  echo "what travels: $(grep -ci . "$WORLD/sealed.eml") lines, $(grep -i '^subject:' "$WORLD/sealed.eml" | tr -d '\r')"
  submit example.net dave@example.net $list "$WORLD/sealed.eml" &&
    arrives bob@example.com 1 && arrives carol@example.net 1 || return
  read_mail bob@example.com INBOX 1 "$WORLD/home/dave/letter.eml" && grep -q 'signed by dave@example.net' "$WORLD/home/bob/verdict" &&
    read_mail carol@example.net INBOX 1 "$WORLD/home/dave/letter.eml" && grep -q 'signed by dave@example.net' "$WORLD/home/carol/verdict"
}

story_hidden() {
  "$python" - "$WORLD/home/bob/fetched.eml" bob@example.com "$WORLD/home/carol/fetched.eml" carol@example.net <<'EOF'
import email, json, sys
members = ["bob", "carol", "erin", "alice"]
for path, own in zip(sys.argv[1::2], sys.argv[2::2]):
    raw = open(path, "rb").read().lower()
    for other in members:
        if not own.startswith(other):
            assert other.encode() + b"@" not in raw, f"{own}'s copy names {other}"
    part1 = json.loads(email.message_from_bytes(open(path, "rb").read()).get_payload()[0].get_payload(decode=True))
    grants = part1["recipients"][0].get("header", {}).get("grants", [])
    sizes = {len(g["u"]) for g in grants}
    # Bob's own service makes his when he reads; Carol's copy left it with as many as every list of up to eight has.
    assert len(grants) == (0 if own.startswith("bob") else 8) and len(sizes) < 2, f"{len(grants)} grants of sizes {sizes}"
    assert not any("dk" in g for g in grants), "a statement, which names its member"
    print(f"{own}: {len(grants)} grants, nobody named")
EOF
}

story_foreign() {
  "$python" "$SRC/contrib/demo/compose.py" someone@jose.example $list "From elsewhere" "$marker" 1000 >"$WORLD/foreign.eml"
  say "Debian's python3-jwcrypto encrypts to the list's public JWK."
  JWK=$(as dave "$recrypt" key --json $list) "$python" "$SRC/contrib/demo/foreign.py" someone@jose.example $list "..." \
    <"$WORLD/foreign.eml" >"$WORLD/foreign-sealed.eml" || return
  submit example.com someone@jose.example $list "$WORLD/foreign-sealed.eml" &&
    arrives bob@example.com 2 && arrives carol@example.net 2 || return
  read_mail bob@example.com INBOX 2 "$WORLD/foreign.eml" && grep -q 'not signed' "$WORLD/home/bob/verdict"
  # Carol leaves hers unopened: see "remove".
}

story_archive() {
  person erin@example.com && as alice "$recrypt" add $list erin@example.com || return
  local n; n=$(imap erin@example.com "Lists/$list")
  echo "the archive, by IMAP: $n messages"
  [ "$n" = 2 ] && read_mail erin@example.com "Lists/$list" 1 "$WORLD/home/dave/letter.eml"
}

story_remove() {
  as alice "$recrypt" remove $list carol@example.net || return
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net $list "Ohne Carol" "$marker" >"$WORLD/home/dave/second.eml"
  as dave "$recrypt" seal --to $list "$WORLD/home/dave/second.eml" >"$WORLD/sealed2.eml" &&
    submit example.com dave@example.net $list "$WORLD/sealed2.eml" &&
    arrives bob@example.com 3 && arrives erin@example.com 1 && arrives carol@example.net 2 || return
  read_mail erin@example.com INBOX 1 "$WORLD/home/dave/second.eml" || return
  say "Carol has forgotten her share (a new laptop), and asks the service: for the new message, and for an old one she had not opened."
  rm -rf "$WORLD/home/carol/shares"
  must_fail 77 "no grant" as carol "$recrypt" open "$WORLD/sealed2.eml" &&
    must_fail 77 "no grant" as carol "$recrypt" open "$WORLD/foreign-sealed.eml"
}

story_rekey() {
  local old; old=$(as dave "$recrypt" key $list | grep -o "$list.mm--[a-z0-9-]*" | head -n 1)
  as dave "$recrypt" seal --to $list "$WORLD/home/dave/second.eml" >"$WORLD/old-key.eml"
  as alice "$recrypt" add $list carol@example.net && as alice "$recrypt" remove $list carol@example.net --rekey || return
  say "A sender who still has the old key is told of the new one."
  ! submit example.com dave@example.net $list "$WORLD/old-key.eml" || { echo "it was accepted"; return 1; }
  local new; new=$(as dave "$recrypt" key $list | grep -o "$list.mm--[a-z0-9-]*" | head -n 1)
  echo "old key: $old"; echo "new key: $new"
  [ -n "$new" ] && [ "$new" != "$old" ] && grep -q "^< 550.5\.7\..*$new" "$WORLD/smtp" || return
  as dave "$recrypt" seal --to $list "$WORLD/home/dave/second.eml" >"$WORLD/sealed3.eml" &&
    submit example.com dave@example.net $list "$WORLD/sealed3.eml" && arrives bob@example.com 4 && arrives carol@example.net 2 || return
  read_mail bob@example.com INBOX 4 "$WORLD/home/dave/second.eml" &&
    read_mail bob@example.com INBOX 1 "$WORLD/home/dave/letter.eml" &&
    read_mail erin@example.com "Lists/$list" 1 "$WORLD/home/dave/letter.eml"
}

story_outage() {
  world_service_stop example.com
  say "recryptd of example.com is stopped. Dave's own server, example.net, takes the message and keeps it."
  submit example.net dave@example.net $list "$WORLD/sealed3.eml" || return
  world_wait 20 grep -q 'status=deferred.*45[0-9] 4\.' "$WORLD/example.net/log/postfix" || return
  grep -o 'status=deferred.*' "$WORLD/example.net/log/postfix" | tail -n 1 | cut -c1-160
  [ "$(world_queue example.net)" = 1 ] && arrives bob@example.com 4 || return
  world_service_start example.com && world_flush example.net && arrives bob@example.com 5 || return
  [ "$(world_queue example.net)" = 0 ] && echo "delivered, once; the queue is empty"
}

story_devices() {
  local code
  world_home phone
  as phone "$recrypt" device connect bob@example.com --name phone | tee "$WORLD/code" || return
  code=$(head -n 1 "$WORLD/code")
  say "At his laptop Bob sees who asks, and compares the code."
  as bob "$recrypt" device pending | grep "$code" && as bob "$recrypt" device accept "$code" || return
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net bob@example.com "For Bob" "$marker" 1000 >"$WORLD/home/dave/private.eml"
  as dave "$recrypt" seal --to bob@example.com "$WORLD/home/dave/private.eml" >"$WORLD/private.eml" &&
    submit example.net dave@example.net bob@example.com "$WORLD/private.eml" && arrives bob@example.com 6 || return
  say "The new message; the list's first, from before there was a telephone; and both on the laptop as well."
  read_on phone bob@example.com INBOX 6 "$WORLD/home/dave/private.eml" && read_on phone bob@example.com INBOX 1 "$WORLD/home/dave/letter.eml" &&
    read_mail bob@example.com INBOX 6 "$WORLD/home/dave/private.eml" && read_mail bob@example.com INBOX 1 "$WORLD/home/dave/letter.eml"
}

story_lost() {
  as bob "$recrypt" device list && as bob "$recrypt" device remove phone || return
  for uid in 1 6; do
    imap bob@example.com INBOX "$uid" >"$WORLD/home/phone/fetched.eml"
    must_fail 77 "no grant" as phone "$recrypt" open "$WORLD/home/phone/fetched.eml" || return
  done
  read_mail bob@example.com INBOX 6 "$WORLD/home/dave/private.eml"
}

story_marker() {
  local seen="" d
  for d in $world_domains; do seen="$seen $WORLD/$d"; done
  say "The plaintext holds the word $marker; so do none of the servers' files: queues, mailboxes, archive, keystores, logs."
  # shellcheck disable=SC2086
  "$python" "$SRC/contrib/demo/search.py" "$marker" "Übergabe am Dienstag" -- $seen || return
  say "What the readers have, opened on their own machines:"
  for d in bob carol erin; do
    "$python" - "$WORLD/home/$d/opened.eml" <<'EOF' >"$WORLD/home/$d/text" || return
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
print(f"{m['Subject']}: {' / '.join(m.get_body(('plain',)).get_content().split(chr(10)))}")
EOF
    echo "$d: $(cat "$WORLD/home/$d/text")"
    grep -q "$marker" "$WORLD/home/$d/text" || return
  done
}
