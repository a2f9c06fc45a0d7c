#!/bin/bash
# devices-mail.sh: Bob's laptop, phone and tablet with real mail: Postfix, Dovecot and recryptd in two domains.
# Plaintext is encrypted at the door, mail of the sender's own sealing passes, lists of both domains; every device reads
# all of it, a removed one nothing.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
if [ "$(id -u)" != 0 ]; then
  skip "devices and mail" "Postfix and Dovecot need root to start"
  tap_done
fi
bob=bob@example.com elsewhere=group@example.net

compose() { "$python" "$SRC/contrib/demo/compose.py" "$@"; }
# post FROM FILE TO...: over SMTP, all in one transaction, to the server of $server (default: the first recipient's
# domain)
post() {
  local from=$1 file=$2 to d rcpt=(); shift 2
  d=${server:-${1#*@}}
  for to; do rcpt+=(--mail-rcpt "$to"); done
  curl -sv --max-time 60 --url "smtp://$(world_ip "$d"):$(world_port "$d" smtp)/client.example" --mail-from "$from" "${rcpt[@]}" --upload-file "$file"
}
fetch() { imap "$1" INBOX "$2" >"$T/mail.$2.${1%@*}"; } # ADDRESS UID
# reads HOME FILE WANTED [VERDICT]
reads() {
  as "$1" "$recrypt" open "$2" >"$T/opened" 2>"$T/verdict" || { cat "$T/verdict"; return 1; }
  cat "$T/verdict"
  cmp "$T/opened" "$3" && { [ -z "${4:-}" ] || grep -q "$4" "$T/verdict"; }
}
refused() { must_fail 77 "no grant" as "$1" "$recrypt" open "$2"; }
connect() { # HOME
  local code
  world_home "$1"
  code=$(as "$1" "$recrypt" device connect $bob --name "$1") || return
  as bob "$recrypt" device accept "${code%%$'\n'*}" && as "$1" "$recrypt" device connect $bob | grep "^connected"
}
# The mail that came to Bob as this one, on his three machines.
everywhere() { # UID WANTED VERDICT
  local who
  fetch $bob "$1" || return
  for who in bob phone tablet; do reads $who "$T/mail.$1.bob" "$2" "$3" || { echo "on $who"; return 1; }; done
}

ok "two domains start" world_start "$T"
for p in alice@example.com $bob erin@example.com dave@example.net; do ok "$p has keys" person $p; done
world_home adam
ok "the other domain has an administrator" as adam "$recrypt" personal alice@example.net --token "$(world_invite example.net alice@example.net)"
# A list elsewhere that the laptop has read before there were devices, and one with a new key after.
world_mailbox example.net $elsewhere
as adam "$recrypt" newgroup $elsewhere >/dev/null 2>&1
compose dave@example.net $elsewhere "Anderswo" "$marker" >"$T/home/dave/far.eml"
far() { as dave "$recrypt" seal --to $elsewhere "$T/home/dave/far.eml" >"$T/far.eml" && post dave@example.net "$T/far.eml" $elsewhere; }
ok "Bob is on a list elsewhere" as adam "$recrypt" add $elsewhere $bob dave@example.net
ok "its mail" far
ok "arrives here" arrives $bob 1
fetch $bob 1
ok "Bob reads it, without devices" reads bob "$T/mail.1.bob" "$T/home/dave/far.eml"
ok "his service is not told of a list while he has none" not grep -q Share "$T/example.com/log/access.log"
ok "a phone" connect phone
ok "it reads that message" reads phone "$T/mail.1.bob" "$T/home/dave/far.eml"
ok "a tablet" connect tablet

# ---- mail to Bob himself ----
compose dave@example.net $bob "Im Klaren" "$marker" 30000 >"$T/plain.eml"
ok "plaintext is taken" post dave@example.net "$T/plain.eml" $bob
ok "and arrives" arrives $bob 2
ok "it rests encrypted" not grep -rq "$marker" "$T/example.com/mail"
fetch $bob 2
as bob "$recrypt" open "$T/mail.2.bob" >"$T/laptop.eml" 2>/dev/null
ok "the laptop reads it" grep -q "$marker" "$T/laptop.eml"
for who in phone tablet; do ok "and the $who, octet for octet" reads $who "$T/mail.2.bob" "$T/laptop.eml" "not signed"; done
compose dave@example.net $bob "Versiegelt" "$marker" 30000 >"$T/home/dave/letter.eml"
as dave "$recrypt" seal --to $bob "$T/home/dave/letter.eml" >"$T/sealed.eml" 2>/dev/null
ok "what the sender sealed passes" post dave@example.net "$T/sealed.eml" $bob
ok "and arrives, too" arrives $bob 3
ok "every device reads it, and who signed" everywhere 3 "$T/home/dave/letter.eml" "signed by dave@example.net"

# ---- lists, here and elsewhere ----
compose dave@example.net $list "An die Liste" "$marker" 2000 >"$T/home/dave/list.eml"
world_mailbox example.com $list
as alice "$recrypt" newgroup $list --suite X448 >/dev/null 2>&1
ok "Bob is on the list" as alice "$recrypt" add $list $bob erin@example.com
as dave "$recrypt" seal --to $list "$T/home/dave/list.eml" >"$T/list.eml" 2>/dev/null
ok "mail of the list" post dave@example.net "$T/list.eml" $list
ok "arrives" arrives $bob 4
ok "every device reads it" everywhere 4 "$T/home/dave/list.eml" "signed by dave@example.net"
world_service_stop example.com
keystore=$T/example.com/recryptd/keystore
ok "a backup of the service" sh -c "'$BUILD/recrypt-keystore' dump '$keystore' >'$T/backup'"
world_service_start example.com
as adam "$recrypt" rekey $elsewhere >/dev/null 2>&1
ok "new mail of the list elsewhere, under a new key" far
ok "arrives" arrives $bob 5
fetch $bob 5
statements() { grep -c ' Statement .* 201 ' "$T/example.net/log/access.log"; }
ok "the phone is the first to read it" reads phone "$T/mail.5.bob" "$T/home/dave/far.eml" "signed by dave@example.net"
ok "the list's service gave it Bob's statement" same "$(statements)" 1
ok "the phone again" reads phone "$T/mail.5.bob" "$T/home/dave/far.eml"
ok "which has kept that" same "$(statements)" 1
ok "every device reads it" everywhere 5 "$T/home/dave/far.eml" "signed by dave@example.net"
ok "no device keeps a share of a list" same "$(find "$T/home/phone/shares" "$T/home/tablet/shares" -name '*.json' | grep -v "/$bob/")" ""

# ---- several people in one transaction ----
own_part() { # FILE OWN OTHER...: one recipient, and no word of the others
  "$python" - "$@" <<'PY'
import email, json, sys
raw = open(sys.argv[1], "rb").read()
part1 = json.loads(email.message_from_bytes(raw).get_payload()[0].get_payload(decode=True))
inside = json.dumps(part1).lower() + json.dumps([__import__("base64").urlsafe_b64decode(part1["protected"] + "==").decode()]).lower()
assert sys.argv[2].split("@")[0] in inside, "not for her"
for other in sys.argv[3:]:
    assert other not in inside, f"names {other}"
assert len(part1.get("recipients", [1])) == 1
PY
}
compose dave@example.net undisclosed@example.net "An mehrere" "$marker" >"$T/both.eml"
server=example.net
ok "plaintext to Bob and Erin in one transaction, to Dave's server" post dave@example.net "$T/both.eml" $bob erin@example.com
ok "Bob has it" arrives $bob 6
ok "Erin has it, and the list's" arrives erin@example.com 2
as dave "$recrypt" seal --to $bob --to erin@example.com "$T/home/dave/letter.eml" >"$T/two.eml" 2>/dev/null
ok "one message that is sealed to both" post dave@example.net "$T/two.eml" $bob erin@example.com
server=
ok "Bob has it" arrives $bob 7
ok "Erin has it" arrives erin@example.com 3
fetch $bob 7; fetch erin@example.com 3
ok "the phone reads Bob's" reads phone "$T/mail.7.bob" "$T/home/dave/letter.eml"
ok "nobody else's grants are in it" not grep -q grants <("$python" -c '
import email, sys
print(email.message_from_bytes(open(sys.argv[1], "rb").read()).get_payload()[0].get_payload(decode=True).decode())' "$T/mail.7.bob")
ok "Erin reads hers" as erin "$recrypt" open "$T/mail.3.erin"
ok "it does not tell Bob of her" own_part "$T/mail.7.bob" $bob erin@example.com
ok "nor her of him" own_part "$T/mail.3.erin" erin@example.com $bob
fetch $bob 6; fetch erin@example.com 2
ok "Bob's copy is for Bob alone" own_part "$T/mail.6.bob" $bob erin@example.com
ok "Erin's for Erin alone" own_part "$T/mail.2.erin" erin@example.com $bob
as bob "$recrypt" open "$T/mail.6.bob" >"$T/laptop.eml" 2>/dev/null
ok "the phone reads what the laptop reads" reads phone "$T/mail.6.bob" "$T/laptop.eml"
ok "but not Erin's" refused phone "$T/mail.2.erin"
ok "Erin reads hers" as erin "$recrypt" open "$T/mail.2.erin"

# ---- the tablet is lost ----
ok "the tablet is removed" as bob "$recrypt" device remove tablet
for n in 1 2 3 4 5 6 7; do ok "message $n: no grant" refused tablet "$T/mail.$n.bob"; done
ok "new mail" post dave@example.net "$T/sealed.eml" $bob
ok "of the list, too" post dave@example.net "$T/list.eml" $list
ok "both arrive" arrives $bob 9
for n in 8 9; do fetch $bob $n; ok "message $n: no grant" refused tablet "$T/mail.$n.bob"; done
for n in 1 2 3 4 5 6 7 8 9; do ok "message $n: the phone reads on" as phone "$recrypt" open "$T/mail.$n.bob"; done
ok "nothing was delivered again" same "$(imap $bob INBOX)" 9
ok "with a new key, for plaintext as well" as bob "$recrypt" rekey --retire $bob
ok "plaintext" post dave@example.net "$T/plain.eml" $bob
ok "arrives" arrives $bob 10
fetch $bob 10
kid_of() { "$python" -c '
import base64, email, json, sys
p = json.loads(email.message_from_bytes(open(sys.argv[1], "rb").read()).get_payload()[0].get_payload(decode=True))["protected"]
print(json.loads(base64.urlsafe_b64decode(p + "=="))["kid"])' "$1"; }
ok "under the new key" same "$(kid_of "$T/mail.10.bob")" "$(as dave "$recrypt" key $bob 2>/dev/null)"
ok "not the old one" not same "$(kid_of "$T/mail.10.bob")" "$(kid_of "$T/mail.2.bob")"
ok "the phone reads it" as phone "$recrypt" open "$T/mail.10.bob"
ok "and the list's, whose share is under the old one" as phone "$recrypt" open "$T/mail.9.bob"
as dave "$recrypt" encrypt $elsewhere "$T/home/dave/far.eml" --out "$T/old.jcd" 2>/dev/null
ok "and a document of the list elsewhere, to whose service Bob's key is the old one" as phone "$recrypt" decrypt "$T/old.jcd" --out "$T/old.out"
ok "octet for octet" cmp "$T/old.out" "$T/home/dave/far.eml"
world_service_stop example.com
rm -rf "$keystore"
ok "the service is restored from the backup" sh -c "'$BUILD/recrypt-keystore' load '$keystore' <'$T/backup' && chown -R daemon:daemon '$keystore'"
world_service_start example.com
ok "it gives no grant" status 75 as phone "$recrypt" open "$T/mail.2.bob"
ok "Bob confirms his devices" as bob "$recrypt" device list --confirm
ok "and the phone reads" as phone "$recrypt" open "$T/mail.2.bob"
ok "under his newest key" as phone "$recrypt" open "$T/mail.10.bob"
ok "and the list elsewhere, which the backup did not know" as phone "$recrypt" open "$T/mail.5.bob"
ok "the tablet, removed after the backup, is not back" refused tablet "$T/mail.2.bob"
as adam "$recrypt" remove $elsewhere $bob >/dev/null 2>&1
ok "Bob is put on the list elsewhere again" as adam "$recrypt" add $elsewhere $bob
ok "its mail" far
ok "arrives" arrives $bob 11
fetch $bob 11
ok "the phone reads it, although what it kept is of before" reads phone "$T/mail.11.bob" "$T/home/dave/far.eml" "signed by dave@example.net"
as dave "$recrypt" encrypt $elsewhere "$T/home/dave/far.eml" --out "$T/far.jcd" 2>/dev/null
ok "and a document of that list" as phone "$recrypt" decrypt "$T/far.jcd" --out "$T/far.out"
ok "octet for octet" cmp "$T/far.out" "$T/home/dave/far.eml"
ok "its grant is in the log of the list's service, with the device" grep -q ' Statement .*grant:bob+phone@example.com' "$T/example.net/log/access.log"
as dave "$recrypt" seal --to $elsewhere "$T/home/dave/far.eml" >"$T/far.eml" 2>/dev/null
ok "and a message that came by no mail server, without any grant" reads phone "$T/far.eml" "$T/home/dave/far.eml" "signed by dave@example.net"
ok "not the tablet, that was removed" must_fail 77 "no grant" as tablet "$recrypt" decrypt "$T/far.jcd" --out "$T/far2.out"
as adam "$recrypt" remove $elsewhere $bob >/dev/null 2>&1
ok "nor the phone, when Bob was taken off the list" must_fail 77 "no grant" as phone "$recrypt" decrypt "$T/far.jcd" --out "$T/far2.out"
ok "no server has the plaintext" "$python" "$SRC/contrib/demo/search.py" "$marker" -- "$T/example.com" "$T/example.net"
[ "$tap_failed" = 0 ] || world_show_logs
tap_done
