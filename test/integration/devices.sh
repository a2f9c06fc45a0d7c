#!/bin/bash
# devices.sh: the devices of an account, the tool against two real recryptds: connecting with lost answers, reading on
# each device, lists of both domains in every mix of suites, removal, a new key, parking, a restore from backup, and
# what must not work.
. "$(dirname "$0")/tap.sh"
umask 022
. "$(dirname "$0")/services.sh"
bob=bob@example.com list=list@example.com

device() { local who=$1; shift; as "$who" device "$@"; }
code_of() { sed -n 1p; } # of what connect prints
names() { device "${1:-bob}" list 2>/dev/null | cut -d' ' -f1,2 | tr '\n' ' '; }
opens() { # WHO FILE: the letter, octet for octet
  as "$1" open "$2" >"$T/out" 2>"$T/verdict" || { cat "$T/verdict"; return 1; }
  cmp "$T/out" "$T/letter.eml"
}
refused() { # WHO FILE: no grant, nothing written
  as "$1" open "$2" >"$T/out" 2>"$T/err"
  [ $? = 77 ] && [ ! -s "$T/out" ] && grep -q "no grant" "$T/err" || { cat "$T/err"; return 1; }
}
seal() { as dave seal "$@" "$T/letter.eml"; }
# connected HOME NAME: connects, compares the codes, accepts
connected() {
  local shown
  shown=$(device "$1" connect $bob --name "$2")
  shown=${shown%%$'\n'*}
  [ "$(device bob pending | awk -v n="$2" '$2 == n {print $1}')" = "$shown" ] && device bob accept "$shown" &&
    says "connected: this device" device "$1" connect $bob
}

service_conf example.com open
service_conf example.net open
for p in alice bob dave phone tablet watch mallory; do home $p; done
printf 'From: Dave <dave@example.net>\r\nTo: bob@example.com\r\nSubject: Lindwurm\r\nDate: Fri, 21 Nov 2025 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nhello\r\n' >"$T/letter.eml"

# ---- before there is anything ----
ok "which device command?" says "recrypt device --help" device bob
ok "there is no such device command" status 64 device bob frobnicate
ok "the service is away: try again" status 75 device phone connect $bob
service_start example.com
service_start example.net
ok "no such account" status 66 device phone connect $bob
ok "no account to accept for" status 66 device phone pending
ok "nothing to compare: what to do first" says "recrypt device connect YOUR-ADDRESS" as phone fingerprint
for p in alice@example.com $bob dave@example.net; do as "${p%@*}" personal "$p" >/dev/null || echo "Bail out! $p"; done
ok "the machine with the key is no device" says "on this machine" device bob connect $bob
ok "nor can its account be asked for" status 73 device bob connect $bob
ok "nobody asks, nobody is there" same "$(device bob pending 2>/dev/null)$(device bob list 2>/dev/null)" ""
for n in "" Phone a_b -a a- "$(printf 'a%.0s' $(seq 33))"; do ok "'$n' is no name for a device" status 64 device phone connect $bob --name "$n"; done
seal --to $bob --out "$T/own.eml" # before any device was there

# ---- connecting ----
lose example.com JoinRequest request
ok "connect: the request is lost" status 75 device phone connect $bob --name phone
lose example.com JoinRequest answer
ok "connect: the answer is lost" status 75 device phone connect $bob --name phone
code=$(device phone connect $bob --name phone | code_of)
ok "connect again: the same code" same "$(device phone connect $bob | code_of)" "$code"
ok "with one key of each kind" same "$(ls "$T/phone/devices/$bob" | wc -l)" 3
ok "a code of four groups" test -n "$(echo "$code" | grep -E '^([a-z2-7]{5}-){3}[a-z2-7]{5}$')"
ok "the other machine shows it" same "$(device bob pending | cut -d' ' -f1,2)" "$code phone"
ok "only to its owner" says "no device is waiting" device alice pending
ok "not accepted yet: nothing opens" refused phone "$T/own.eml"
ok "a wrong code" status 66 device bob accept aaaaa-aaaaa
ok "too little of the code" status 66 device bob accept "${code:0:3}"
ok "an unknown name" status 66 device bob accept tablet
ok "somebody else cannot accept it" status 66 device alice accept "$code"
ok "a device cannot accept: it says where" says "only a device" device phone accept "$code"
device tablet connect $bob --name tablet --wait >"$T/wait.out" 2>&1 &
waiter=$!
wait_for 5 grep -q "device accept" "$T/wait.out"
lose example.com Members answer
ok "accept: the answer is lost" status 75 device bob accept "${code:0:5}"
ok "accept again" says "accepted phone ($code)" device bob accept "$code"
ok "and again, by its name" device bob accept phone
ok "one device, and nobody twice" same "$(names)" "phone active "
ok "the phone says that it is connected" says "connected: this device reads the mail of $bob as phone" device phone connect $bob
ok "under another name it is not asked for again: it would be lost" status 73 device phone connect $bob --name other
ok "it says how to go on" says "recrypt device remove phone" device phone connect $bob --name other
ok "it reads what was sent before it was there" opens phone "$T/own.eml"
signer=$(as dave fingerprint | sed -n 's/^ *signer *//p')
ok "and is told who signed" same "$(cat "$T/verdict")" "signed by dave@example.net ($signer)"
ok "so does the machine with the key" opens bob "$T/own.eml"
ok "the tablet is accepted by its name" device bob accept tablet
wait $waiter
ok "and stops waiting: it opened something" same "$? $(tail -n 1 "$T/wait.out")" "0 connected: this device reads the mail of $bob as tablet"
ok "the tablet reads" opens tablet "$T/own.eml"
ok "two devices" same "$(names)" "phone active tablet active "

# ---- keys stay where they were made ----
# Every private key's octets, as they are and in base64url, in nobody else's files.
apart() {
  python3 - "$T" bob phone tablet -- bob phone tablet example.com example.net "$@" <<'PY'
import base64, json, os, sys
t, args = sys.argv[1], sys.argv[2:]
homes, places = args[:args.index("--")], args[args.index("--") + 1:]
def files(place):
    top = os.path.join(t, place)
    if os.path.isfile(top): yield top, open(top, "rb").read()
    for d, _, names in os.walk(top):
        for n in names:
            p = os.path.join(d, n)
            if os.path.isfile(p): yield p, open(p, "rb").read()
keys = 0
for home in homes:
    for path, text in files(home):
        if not path.endswith(".jwk"): continue
        d = json.loads(text)["d"]
        keys += 1
        for place in places:
            for other, data in files(place):
                if other != path:
                    assert d.encode() not in data and base64.urlsafe_b64decode(d + "==") not in data, (path, other)
print(keys, "keys")
assert keys >= 6
PY
}
ok "no private key of one machine is in another, or with a service" apart
ok "files are for their owner alone" same "$(find "$T/phone" "$T/bob" -type f -name '[!r]*' ! -perm 600; find "$T/phone/devices" -type d ! -perm 700)" ""

ok "a device is no account of its own" status 73 as phone personal $bob
ok "what it shows to compare" same "$(as phone fingerprint | sed -n 2p)" "  device phone ($code)"
printf 'secret words\n' >"$T/pass"; chmod 600 "$T/pass"
home locked
locked() { RECRYPT_PASSPHRASE_FILE=$T/pass device locked "$@"; }
ok "a device with its keys under a passphrase" locked connect $bob --name locked --passphrase
ok "is accepted" device bob accept locked
ok "and reads" sh -c "RECRYPT_PASSPHRASE_FILE='$T/pass' RECRYPT_HOME='$T/locked' '$recrypt' open '$T/own.eml' | cmp - '$T/letter.eml'"
ok "what it keeps is under the passphrase" not grep -rlE '"(d|b|tagkey)":' "$T/locked/devices" "$T/locked/shares"
ok "it is removed" device bob remove locked

# ---- requests that must not pass ----
code=$(device watch connect $bob --name phone | code_of)
ok "a second one with the name waits: whose device has it is not told" same "$(device bob pending | cut -d' ' -f1,2)" "$code phone"
ok "it cannot be accepted" status 73 device bob accept "$code"
ok "it says what to do" says "choose another --name" device bob accept "$code"
ok "nor by its name" status 73 device bob accept phone
ok "the phone reads" opens phone "$T/own.eml"
ok "it is rejected" says "rejected phone" device bob reject "$code"
code=$(device watch connect $bob --name watch | code_of)
ok "another name is fine" same "$(device bob pending | cut -d' ' -f1,2)" "$code watch"
ok "it is rejected" says "rejected watch" device bob reject watch
ok "and is gone" same "$(device bob pending 2>/dev/null)" ""
ok "rejecting it again" status 66 device bob reject "$code"
home sly
sly=$(device sly connect $bob --name "$code" | code_of)
ok "a device that is named like the code of another is not taken for it" status 66 device bob accept "$code"
ok "only for itself" says "rejected $code" device bob reject "$sly"
# A device that was told another signature key of Bob: the service, or who stands before it, lies to it.
as mallory personal mallory@example.com >/dev/null
foreign() { # a request for Bob that names Mallory's key as his
  /usr/bin/python3 - "$T" "$(url example.com)" "$(as mallory fingerprint | sed -n 's/^ *signer *//p')" <<'PY'
import base64, json, sys, time, urllib.request
from jwcrypto import jwk, jws
t, url, owner = sys.argv[1:4]
sign, key = jwk.JWK.generate(kty="OKP", crv="Ed25519"), jwk.JWK.generate(kty="OKP", crv="X25519")
pub = lambda k: {n: v for n, v in json.loads(k.export_public()).items() if n in ("kty", "crv", "x")}
payload = json.dumps({"v": 1, "account": "bob@example.com", "name": "false", "key": pub(key), "signer": pub(sign), "owner": owner,
                      "iat": int(time.time())}, separators=(",", ":"))
token = jws.JWS(payload)
token.add_signature(sign, None, json.dumps({"alg": "EdDSA", "typ": "recrypt-device", "kid": "x"}))
body = json.dumps({"JoinRequest": {"Account": "bob@example.com", "Request": token.serialize(compact=True)}}).encode()
print(urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).read())
PY
}
ok "a device that was told another owner asks" foreign
ok "pending warns" says "WARNING: false" device bob pending
ok "it cannot be accepted" status 65 device bob accept false
ok "nothing was changed" same "$(names)" "phone active tablet active "
ok "it is rejected as others are" device bob reject false
many() {
  local i
  for i in $(seq 16); do home many$i; device many$i connect $bob --name many$i >/dev/null || return; done
}
ok "sixteen may wait" many
ok "one more may not: try again later" status 75 device watch connect $bob --name watch
ok "one is rejected" device bob reject many7
ok "then it may" device watch connect $bob --name watch
for i in 1 2 3 4 5 6 8 9 10 11 12 13 14 15 16; do device bob reject many$i >/dev/null; done
device many1 connect $bob --name watch >/dev/null
ok "two of one name: which?" status 64 device bob accept watch
ok "it says to take the code" says "say the whole code" device bob accept watch
ok "which makes it plain" device bob reject "$(device many1 connect $bob | code_of)"
ok "the others are rejected too" same "$(device bob pending | cut -d' ' -f2)" watch

# ---- lists: the list's grant, then the device's ----
ok "the service's own list" as alice newgroup $list
ok "with an X448 key" as alice newgroup x448@example.com --suite X448
for l in $list x448@example.com; do as alice add $l $bob >/dev/null; seal --to $l --out "$T/${l%@*}.eml"; done
for who in bob phone tablet; do
  ok "$who reads mail of the list" opens $who "$T/list.eml"
  ok "$who reads mail of the X448 list" opens $who "$T/x448.eml"
done
ok "a device keeps no share of a list" same "$(find "$T/phone/shares" "$T/tablet/shares" -name '*.json' | grep -v "/$bob/")" ""
ok "but of its person's key" test -n "$(find "$T/phone/shares/$bob" -name "bob+phone@example.com.json")"
head -c 300000 /dev/urandom >"$T/plan.bin"
as dave encrypt $list "$T/plan.bin" && as dave encrypt $bob "$T/plan.bin" --out "$T/mine.jcd"
ok "a file for the list" as phone decrypt "$T/plan.bin.jcd" --out "$T/plan.out"
ok "is the same" cmp "$T/plan.bin" "$T/plan.out"
ok "a file for Bob" as tablet decrypt "$T/mine.jcd" --out "$T/mine.out"
ok "is the same, too" cmp "$T/plan.bin" "$T/mine.out"
seal --to dave@example.net --out "$T/daves.eml"
ok "somebody else's mail" refused phone "$T/daves.eml"
as alice newgroup closed@example.com >/dev/null; seal --to closed@example.com --out "$T/closed.eml"
ok "a list that Bob is not on" refused phone "$T/closed.eml"
ok "a device does not sign, and says where" says "cannot sign" as phone seal --from $bob --to $list "$T/letter.eml"
# An account with an X448 key, a device with a P-256 one, a list with X25519.
home erin; home erins
as erin personal erin@example.com --suite X448 >/dev/null
ok "an X448 account has a P-256 device" device erins connect erin@example.com --name pad --suite P-256
device erin accept pad >/dev/null; as alice add $list erin@example.com >/dev/null
ok "which reads an X25519 list" opens erins "$T/list.eml"
ok "and an X448 list" sh -c "RECRYPT_HOME='$T/alice' '$recrypt' add x448@example.com erin@example.com && RECRYPT_HOME='$T/erins' '$recrypt' open '$T/x448.eml' >/dev/null"
service_stop example.com
ok "no grants while the service is away: try again later" status 75 as phone open "$T/own.eml"
ok "the machine with the key needs none" opens bob "$T/own.eml"
service_start example.com
ok "then they come" opens phone "$T/list.eml"

# ---- removal ----
service_stop example.com
ok "the service is away: what to do" says "run the same command again" device bob remove tablet
ok "so for what waits" says "run the same command again" device bob pending
service_start example.com
removes_tablet() {
  device bob remove tablet >"$T/said" 2>&1 && grep -q "^removed tablet" "$T/said" && grep -q "change the password" "$T/said" || { cat "$T/said"; return 1; }
}
ok "the tablet is removed; what else to do is told" removes_tablet
seal --to $bob --out "$T/second.eml"; seal --to $list --out "$T/list2.eml"
for f in own second list list2; do ok "it does not read $f.eml" refused tablet "$T/$f.eml"; done
ok "nor a file" status 77 as tablet decrypt "$T/mine.jcd" --out "$T/mine2.out"
for f in own second list list2; do ok "the phone does" opens phone "$T/$f.eml"; done
ok "a second removal: no such device" status 66 device bob remove tablet
ok "the tablet may ask again, and is told that it reads nothing" says "device accept" device tablet connect $bob
ok "and is accepted again, by its whole code" device bob accept "$(device tablet connect $bob | code_of)"
ok "then it reads everything" opens tablet "$T/list2.eml"
ok "removal with a new key" device bob remove --rekey tablet
stolen=$(device tablet connect $bob | code_of)
ok "whoever has it asks with it again: Bob is warned" says "WARNING: tablet ($stolen) is a device that you removed on 20" device bob pending
ok "it is not let in by its name" status 64 device bob accept tablet
ok "it says why" says "if it was lost, somebody else asks with it" device bob accept tablet
ok "nor by half its code" status 64 device bob accept "${stolen%-*}"
device watch connect $bob --name tablet >/dev/null
ok "a new one of that name has no such past" same "$(device bob pending 2>&1 | grep -c WARNING)" 1
ok "and is turned away" device bob reject "$(device watch connect $bob | code_of)"
ok "Bob has found it: the whole code lets it in" device bob accept "$stolen"
ok "and it is a device as any other" opens tablet "$T/own.eml"
ok "it is removed again" device bob remove tablet
device tablet connect $bob >/dev/null
ok "it asks again: rejected" says "rejected tablet" device bob reject --all
seal --to $bob --out "$T/third.eml"
ok "the tablet does not read what is sent to it" refused tablet "$T/third.eml"
ok "the phone does" opens phone "$T/third.eml"
ok "and what was sent to the old one" opens phone "$T/own.eml"
ok "and the lists" opens phone "$T/list2.eml"
ok "and the machine with the key" opens bob "$T/third.eml"
lose example.com Rekey answer
ok "a new key, and the answer is lost" status 75 as bob rekey $bob
ok "again: done already" says "done already" as bob rekey $bob
seal --to $bob --out "$T/fourth.eml"
ok "the phone reads on" opens phone "$T/fourth.eml"
ok "a new device reads under all three keys" connected watch watch
for f in own third fourth list; do ok "it reads $f.eml" opens watch "$T/$f.eml"; done
code=$(device mallory connect $bob --name watch | code_of)
ok "not of another name by mistake" status 73 device bob accept watch
ok "and turned away" says "rejected watch" device bob reject "$code"

# ---- grants in the message: a delivery agent with "grants = embed" ----
python3 - "$T/example.com/recryptd.sock" "$T/fourth.eml" "$T/embedded.eml" <<'PY'
import base64, email, json, re, socket, struct, sys
where, old, new = sys.argv[1:]
raw = open(old, "rb").read()
part1 = json.loads(email.message_from_bytes(raw).get_payload()[0].get_payload(decode=True))
p = json.loads(base64.urlsafe_b64decode(part1["protected"] + "=="))
s = socket.socket(socket.AF_UNIX); s.connect(where)
body = json.dumps({"DeviceGrantsRequest": {"Account": "bob@example.com", "GroupKeyID": p["kid"], "EphemeralKey": p["epk"]}}).encode()
s.sendall(struct.pack(">I", len(body)) + body)
n, data = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0], b""
while len(data) < n: data += s.recv(n - len(data))
grants = json.loads(data)["DeviceGrantsResponse"]["Grants"]
assert len(grants) == 2, data
part1.setdefault("recipients", [{}])[0].setdefault("header", {})["grants"] = grants
boundary = re.search(rb'boundary="?([^";\r\n]+)', raw).group(1)
parts = raw.split(b"--" + boundary)
parts[1] = (b"\r\nContent-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(json.dumps(part1).encode()).replace(b"\n", b"\r\n"))
open(new, "wb").write((b"--" + boundary).join(parts))
PY
mkdir -m 700 "$T/aside"; mv "$T/phone/shares" "$T/aside"
service_stop example.com
ok "with the grants in it a device needs no service" opens phone "$T/embedded.eml"
ok "each device finds its own" as watch open --offline --unverified --out "$T/embedded.out" --force "$T/embedded.eml"
ok "and it opens" cmp "$T/embedded.out" "$T/letter.eml"
ok "without them it does" status 75 as phone open "$T/fourth.eml"
ok "a device that was removed finds none" not as tablet open --offline "$T/embedded.eml"
service_start example.com
rm -rf "$T/phone/shares"; mv "$T/aside/shares" "$T/phone"

# ---- a service that lies about the devices ----
device mallory connect $bob --name phone >/dev/null 2>&1
cp "$T/phone/devices/$bob/request.jws" "$T/example.com/lose.old"; cp "$T/mallory/devices/$bob/request.jws" "$T/example.com/lose.new"
lies() { lose example.com GetRequest swap; as bob "$@"; }
before=$(as dave key $bob)
ok "no new key for a device that was put in another's place" status 65 lies rekey $bob
ok "it says so" says "another key of bob+phone@example.com than the one you accepted" lies rekey $bob
ok "no way back for it" status 65 lies device park --to alice@example.com --out "$T/lied.eml" phone
ok "list warns" says "WARNING: the service names another key of phone" lies device list
ok "nothing has changed" same "$(as dave key $bob) $(names)" "$before phone active watch active "
ok "no message is there" not test -e "$T/lied.eml"
ok "the true one still is" opens phone "$T/fourth.eml"

# ---- parking ----
park() { device bob park "$@"; }
ok "park: with whom?" status 64 park phone
ok "no such device" status 66 park --to alice@example.com laptop
ok "it says that this machine cannot be parked" says "cannot be parked" park --to alice@example.com laptop
ok "not with oneself" status 64 park --to $bob phone
ok "not with a list" says "is a list" park --to $list phone
ok "not with somebody without a key" status 66 park --to nobody@example.com phone
lose example.com Park request
ok "park: the request is lost" status 75 park --to alice@example.com --out "$T/parked.eml" phone
ok "it still reads" opens phone "$T/own.eml"
lose example.com Park answer
ok "park: the answer is lost" status 75 park --to alice@example.com --out "$T/parked.eml" phone
ok "again, to another: refused" status 73 park --to dave@example.net --out "$T/parked.eml" phone
ok "again" park --to alice@example.com --out "$T/parked.eml" phone
ok "a third time" status 73 park --to alice@example.com --out "$T/parked2.eml" phone
ok "it says what to do when that is lost" says "recrypt device remove phone" park --to alice@example.com --out "$T/parked2.eml" phone
ok "nothing of it is kept" same "$(find "$T/bob" -name 'park-*')" ""
ok "it is parked" same "$(names)" "phone parked watch active "
for f in own fourth list2; do ok "it does not read $f.eml" refused phone "$T/$f.eml"; done
ok "the others do" opens watch "$T/list2.eml"
ok "it cannot connect" says "recrypt device unpark" device phone connect $bob
ok "nor under another name" says "recrypt device unpark" device phone connect $bob --name other
ok "the third party opens the message" as alice open --out "$T/opened.eml" "$T/parked.eml"
ok "Bob himself cannot" status 77 as phone open "$T/parked.eml"
python3 - "$T" <<'PY'
import email, sys
t = sys.argv[1]
m = email.message_from_bytes(open(t + "/opened.eml", "rb").read())
text, attached = m.get_payload()
assert "device unpark" in text.get_payload()
assert attached.get_filename() == "recovery-phone.jwe"
open(t + "/recovery-phone.jwe", "wb").write(attached.get_payload(decode=True))
PY
ok "on another device it is of no use" status 65 device watch unpark "$T/recovery-phone.jwe"
ok "nor to the third party" status 66 device alice unpark "$T/recovery-phone.jwe"
sed 's/\.\(....\)/.AAAA/4' "$T/recovery-phone.jwe" >"$T/bad.jwe"
ok "damaged" status 65 device phone unpark "$T/bad.jwe"
ok "something else" status 65 device phone unpark "$T/letter.eml"
ok "no such file" status 66 device phone unpark "$T/nosuch"
ok "the message, still sealed" says "is opened first" device phone unpark "$T/parked.eml"
ok "no private key of a machine is in what was handed over" apart opened.eml recovery-phone.jwe
lose example.com JoinRequest answer
ok "unpark: the answer is lost" status 75 device phone unpark "$T/recovery-phone.jwe"
ok "again" says "unparked" device phone unpark "$T/recovery-phone.jwe"
for f in own fourth list2; do ok "it reads $f.eml" opens phone "$T/$f.eml"; done
ok "it is active" same "$(names)" "phone active watch active "
ok "parked once more" park --to alice@example.com --out "$T/parked2.eml" phone
ok "the old recovery is used up" status 77 device phone unpark "$T/recovery-phone.jwe"
ok "it says how to go on" says "Begin anew" device phone unpark "$T/recovery-phone.jwe"
as alice open --out "$T/opened2.eml" "$T/parked2.eml" 2>/dev/null
ok "the whole message will do as well" device phone unpark "$T/opened2.eml"
ok "it reads" opens phone "$T/list2.eml"
ok "parked, and then removed" sh -c "RECRYPT_HOME='$T/bob' '$recrypt' device park --to alice@example.com watch >'$T/parked3.eml' && RECRYPT_HOME='$T/bob' '$recrypt' device remove watch"
as alice open --out "$T/opened3.eml" "$T/parked3.eml" 2>/dev/null
ok "there is no way back" status 77 device watch unpark "$T/opened3.eml"

# With many keys the way back is longer than what the service takes from somebody unknown.
many_keys() {
  local i
  home ines; home pad
  as ines personal ines@example.com >/dev/null && device pad connect ines@example.com --name pad >/dev/null && device ines accept pad || return
  for i in $(seq 24); do as ines rekey ines@example.com >/dev/null 2>&1 || return; done
  device ines park --to alice@example.com --out "$T/many.eml" pad && as alice open --out "$T/many.open" "$T/many.eml" && device pad unpark "$T/many.open" &&
    grep -q 'web:127.0.0.1:M.* Join ines@example.com 201 Recovery' "$T/example.com/access.log" # signed
}
ok "parked under many keys, and back" many_keys

# ---- restored from a backup ----
keystore=$(find "$T/example.com/state" -name watermark -printf '%h\n' | head -n 1)
service_stop example.com
ok "backup" sh -c "'$BUILD/recrypt-keystore' dump '$keystore' >'$T/backup'"
service_start example.com
ok "after it a device is removed" device bob remove phone
ok "another comes" connected tablet tablet
ok "and there is a new key" as bob rekey $bob
seal --to $bob --out "$T/fifth.eml"
service_stop example.com
rm -rf "$keystore"
ok "restore" sh -c "'$BUILD/recrypt-keystore' load '$keystore' <'$T/backup'"
chmod --reference="$T/example.com/state" "$keystore"
service_start example.com
ok "no device gets a grant: try again later" status 75 as phone open "$T/own.eml"
ok "one that came after the backup is not known" refused tablet "$T/own.eml"
ok "and nothing is changed" status 73 device bob remove phone
ok "it says how to go on" says "recrypt device list --confirm" device bob remove phone
ok "list: the newest roster, with a warning" says "was restored from a backup" device bob list
ok "it is that of the home" same "$(names)" "tablet missing "
ok "confirm" says "recrypt device connect $bob" device bob list --confirm
ok "the phone, removed after the backup, is not back" refused phone "$T/own.eml"
as alice members --confirm $list >/dev/null 2>&1
ok "the tablet comes again" connected tablet tablet
ok "and reads old mail" opens tablet "$T/own.eml"
ok "and mail under the newest key" opens tablet "$T/fifth.eml"
ok "and the list" opens tablet "$T/list.eml"
ok "all is as before" same "$(names)" "tablet active "

# ---- killed anywhere ----
# The tool dies at its Nth call that changes a file or sends; the same command again does the work.
killed_at() { # WHO CALL N COMMAND...
  local who=$1 call=$2 n=$3; shift 3
  RECRYPT_HOME=$T/$who strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=SIGKILL:when=$n "$recrypt" "$@" >/dev/null 2>&1
  [ $? != 137 ] || kills=$((kills + 1))
}
if strace -o /dev/null true 2>/dev/null; then
  killed_calls="2 4"; [ -z "${LONG:-}" ] || killed_calls="1 2 3 4 5 6 7"
  killed_device() {
    local n i=0 call kills=0
    for call in mkdir fsync link rename sendto; do
      for n in $killed_calls; do
        i=$((i + 1)); home kill$i
        killed_at kill$i $call $n device connect $bob --name kill$i
        device kill$i connect $bob --name kill$i >"$T/err" 2>&1 || { cat "$T/err"; echo "connect after $call $n"; return 1; }
        killed_at bob $call $n device accept kill$i
        device bob accept kill$i >"$T/err" 2>&1 || { cat "$T/err"; echo "accept after $call $n"; return 1; }
        opens kill$i "$T/own.eml" || { echo "after $call $n"; return 1; }
        killed_at bob $call $n device park --to alice@example.com --out "$T/killed.eml" kill$i
        [ -e "$T/killed.eml" ] || device bob park --to alice@example.com --out "$T/killed.eml" kill$i >"$T/err" 2>&1 ||
          { cat "$T/err"; echo "park after $call $n"; return 1; }
        as alice open --out "$T/killed-open.eml" "$T/killed.eml" 2>/dev/null || { echo "open after $call $n"; return 1; }
        killed_at kill$i $call $n device unpark "$T/killed-open.eml"
        device kill$i unpark "$T/killed-open.eml" >"$T/err" 2>&1 || { cat "$T/err"; echo "unpark after $call $n"; return 1; }
        opens kill$i "$T/own.eml" && device bob remove kill$i >/dev/null 2>&1 && refused kill$i "$T/own.eml" || { echo "after $call $n"; return 1; }
        rm -f "$T/killed.eml" "$T/killed-open.eml"
      done
    done
    tell "$i devices, $kills commands killed"
    [ $i -ge 10 ] && [ $kills -ge $i ]
  }
  ok "connect, accept, park, unpark: the same again goes on" killed_device
else
  skip "killed anywhere" "strace does not work here"
fi
service_stop example.com
ok "recryptd finds nothing wrong with what it keeps" "$BUILD/recryptd" -c "$T/example.com/recryptd.conf" --check
tap_done
