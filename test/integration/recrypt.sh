#!/bin/bash
# recrypt.sh: the tool against two real recryptds, one a domain, without mail transport: keys, list, sealing, opening,
# removal, rekey, files; lost answers; wrong, damaged and foreign input; a service that is away; a full disk.
. "$(dirname "$0")/tap.sh"
list=list@example.com
umask 022

. "$(dirname "$0")/services.sh"

service_conf example.com token
service_conf example.net open
for p in alice bob carol dave erin; do home $p; done

# ---- before any service runs ----
ok "no command: usage" status 64 as alice
ok "unknown command" status 64 as alice frobnicate
ok "missing word" status 64 as alice newgroup
ok "unknown option" says "there is no option --frob" as alice key --frob x@example.com
ok "no mail address" status 64 as alice personal nobody
ok "a list needs an account first" says "recrypt personal" as alice newgroup $list
ok "plain http to another host is refused" status 64 as alice key --service http://192.0.2.1/ x@example.com
ok "no account: exit status" status 66 as alice newgroup $list
ok "service away: try again later" status 75 as alice personal alice@example.com
first=$(ls "$T/alice/persons/alice@example.com")
ok "and the keys are kept" test -s "$T/alice/persons/alice@example.com/sign.jwk"
service_start example.com
service_start example.net
ok "registration needs an invitation" status 77 as alice personal alice@example.com
ok "a wrong one will not do" status 77 as alice personal alice@example.com --token "$(invite bob@example.com)"
ok "with the invitation it succeeds" as alice personal alice@example.com --token "$(invite alice@example.com)"
ok "with the keys that were made at first" same "$(ls "$T/alice/persons/alice@example.com" | grep -v profile)" "$(echo "$first" | grep -v next.jws)"
ok "files are for their owner alone" same "$(find "$T/alice/persons" "$T/alice/known" \( -type f ! -perm 600 \) -o \( -type d ! -perm 700 \))" ""

# ---- persons, also with lost answers ----
lose example.com Person answer
t=$(invite bob@example.com)
ok "an answer is lost" status 75 as bob personal bob@example.com --token "$t"
ok "the same again succeeds" as bob /personal bob@example.com --token "$t"
ok "and again" as bob personal bob@example.com
lose example.net Person request
ok "a request is lost" status 75 as carol personal carol@example.net
ok "the same again succeeds, too" as carol personal carol@example.net
ok "Dave, on the other domain" as dave personal dave@example.net
ok "Erin" as erin personal erin@example.com --token "$(invite erin@example.com)"
ok "somebody else cannot have the address" status 73 as dave personal carol@example.net
ok "a domain without a service" status 75 as dave key --service http://127.0.0.1:1/ x@example.org
lose example.net GetKeyRequest redirect
ok "a redirect is not followed" status 75 as dave key carol@example.net
lose example.net GetKeyRequest flood
ok "an endless answer is cut off" status 75 as dave key carol@example.net

# ---- the list ----
lose example.com Group answer
ok "newgroup: the answer is lost" status 75 as alice newgroup $list --archive
ok "newgroup again: the same list" as alice newgroup $list --archive
ok "one private key in all" same "$(ls "$T/alice/lists/$list" | grep -c 'jwk$')" 1
ok "a second time is an error" status 73 as alice newgroup $list
ok "only administrators make lists" status 77 as bob newgroup other@example.com
ok "bad policy" status 64 as alice newgroup other@example.com --plaintext maybe
ok "nothing was left of it" not test -e "$T/alice/lists/other@example.com"
ok "add two members" as alice add $list bob@example.com carol@example.net
ok "a member twice is an error" status 73 as alice add $list bob@example.com
ok "it names the member" says "bob@example.com is a member" as alice add $list erin@example.com bob@example.com
ok "and nothing was changed" same "$(as alice members $list | cut -d' ' -f1 | tr '\n' ' ')" "bob@example.com carol@example.net "
ok "one named twice" status 73 as alice add $list erin@example.com erin@example.com
ok "a member without a key" status 66 as alice add $list nobody@example.net
ok "a list is no member" says "only persons" as alice add $list $list
ok "no such list" status 66 as alice add nolist@example.com bob@example.com
ok "not the owner" not as bob members $list

# ---- sealing and opening ----
python3 - >"$T/letter.eml" <<'PY'
import base64, os
body = base64.encodebytes(os.urandom(300000)).decode().replace("\n", "\r\n")
print("From: Dave <dave@example.net>\r\nTo: list@example.com\r\nSubject: =?utf-8?q?=C3=9Cbergabe?=\r\nMessage-ID: <1@example.net>\r\n"
      "Date: Fri, 21 Nov 2025 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nLindwurm\r\n--b\r\n"
      "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + "--b--\r\n", end="")
PY
key1=$(as dave key $list)
ok "the key's name" test "${key1#$list.mm--}" != "$key1"
seal() { as dave seal "$@"; }
ok "seal" seal --to $list --out "$T/sealed.eml" "$T/letter.eml"
ok "the output is not replaced" status 73 seal --to $list --out "$T/sealed.eml" "$T/letter.eml"
ok "but by --force" seal --to $list --out "$T/sealed.eml" --force "$T/letter.eml"
ok "nothing of it to be seen" not grep -qi "lindwurm\|bergabe\|octet-stream.*name" "$T/sealed.eml"
ok "seal needs --to" status 64 seal "$T/letter.eml"
ok "seal to a list that does not exist" status 66 seal --to nolist@example.com "$T/letter.eml"
ok "seal as somebody else" status 66 seal --from bob@example.com --to $list "$T/letter.eml"
opens() { # WHO FILE WANTED: the same octets
  as "$1" open "$2" >"$T/out" 2>"$T/verdict" || { cat "$T/verdict"; return 1; }
  cmp "$T/out" "$3"
}
signer=$(as dave fingerprint | sed -n 's/^ *signer *//p')
for who in bob carol alice; do
  ok "$who opens it" opens $who "$T/sealed.eml" "$T/letter.eml"
  ok "$who is told who signed" same "$(cat "$T/verdict")" "signed by dave@example.net ($signer)"
done
ok "from standard input" cmp <(as bob open <"$T/sealed.eml" 2>/dev/null) "$T/letter.eml"
ok "the verdict for programs" same "$(as bob open --verdict-fd 3 "$T/sealed.eml" 3>&1 >/dev/null 2>&1)" "signed dave@example.net $signer"
ok "no such descriptor" status 64 as bob open --verdict-fd 77 "$T/sealed.eml"
ok "Erin is no member: no grant" status 77 as erin open "$T/sealed.eml"
ok "it says so" says "no grant" as erin open "$T/sealed.eml"
ok "Dave cannot open his own" status 77 as dave open "$T/sealed.eml"
seal --unsigned --to $list "$T/letter.eml" >"$T/unsigned.eml"
ok "unsigned opens" opens bob "$T/unsigned.eml" "$T/letter.eml"
ok "and says so" same "$(cat "$T/verdict")" "not signed"
seal --to bob@example.com --to carol@example.net "$T/letter.eml" >"$T/two.eml"
ok "two persons: the first" opens bob "$T/two.eml" "$T/letter.eml"
ok "two persons: the second" opens carol "$T/two.eml" "$T/letter.eml"
ok "the sender of an LF message" cmp <(printf 'From: dave@example.net\nSubject: x\n\nhello\n' | seal --to $list | as bob open 2>/dev/null) \
  <(printf 'From: dave@example.net\nSubject: x\n\nhello\n')
ok "no From" status 65 seal --to $list <(printf 'Subject: x\n\nhello\n')

# ---- what must not open ----
silent() { # COMMAND...: fails and writes nothing to standard output
  "$@" >"$T/out" 2>"$T/err" && { echo "it succeeded"; return 1; }
  [ ! -s "$T/out" ] || { echo "it wrote $(wc -c <"$T/out") octets"; return 1; }
}
damaged() { # STATUS FILE
  status "$1" as bob open "$2" >"$T/out" && silent as bob open "$2"
}
head -c 200000 "$T/sealed.eml" >"$T/cut.eml"
ok "truncated message" damaged 65 "$T/cut.eml"
python3 - "$T" <<'PY'
import sys
t = sys.argv[1]
d = bytearray(open(t + "/sealed.eml", "rb").read())
at = d.rindex(b"\r\n\r\n") + 1000
while not chr(d[at]).isalpha(): at += 1
d[at] ^= 1 if chr(d[at] ^ 1).isalpha() else 2
open(t + "/flip.eml", "wb").write(d)
PY
ok "a flipped bit in the content" damaged 65 "$T/flip.eml"
ok "it says damaged" says "damaged" as bob open "$T/flip.eml"
part1() { # NEW-NAME PYTHON: changes part 1's JSON (j) or its protected header (p)
  python3 - "$T/sealed.eml" "$T/$1" "$2" <<'PY'
import base64, json, re, sys
d = open(sys.argv[1], "rb").read()
b = re.search(rb'boundary="?([^";\r\n]+)', d).group(1)
parts = d.split(b"--" + b)
head, body = parts[1].split(b"\r\n\r\n", 1)
text = base64.b64decode(body) if b"base64" in head.lower() else body
j = json.loads(text)
p = json.loads(base64.urlsafe_b64decode(j["protected"] + "=="))
before = json.dumps(p)
raw = None
exec(sys.argv[3])
if json.dumps(p) != before:
    j["protected"] = base64.urlsafe_b64encode(json.dumps(p, separators=(",", ":")).encode()).decode().rstrip("=")
out = raw if raw is not None else json.dumps(j).encode()
parts[1] = b"\r\nContent-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(out).replace(b"\n", b"\r\n")
open(sys.argv[2], "wb").write((b"--" + b).join(parts))
PY
}
part1 same.eml 'pass'
ok "the same part 1 in another shape opens" opens bob "$T/same.eml" "$T/letter.eml"
part1 enc.eml 'p["enc"] = "A512GCM"'; ok "unknown enc" damaged 65 "$T/enc.eml"
part1 alg.eml 'p["alg"] = "none"'; ok "alg none" damaged 65 "$T/alg.eml"
part1 crit.eml 'p["crit"] = ["x"]; p["x"] = 1'; ok "unknown crit" damaged 65 "$T/crit.eml"
part1 zip.eml 'p["zip"] = "DEF"'; ok "zip" damaged 65 "$T/zip.eml"
part1 twice.eml 'raw = json.dumps(j).replace("{", "{\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\",", 1).encode()'; ok "a JSON name twice" damaged 65 "$T/twice.eml"
part1 epk.eml 'p["epk"]["x"] = "A" * 43'; ok "epk of small order" silent as bob open "$T/epk.eml"
part1 twist.eml 'p["epk"]["x"] = "Ag" + "A" * 41'; ok "epk on the twist" silent as bob open "$T/twist.eml"
part1 kid.eml 'p["kid"] = p["kid"][:-1] + ("a" if p["kid"][-1] != "a" else "b")'; ok "another kid" silent as bob open "$T/kid.eml"
part1 nul.eml 'raw = json.dumps(j).encode().replace(b"protected", b"pro\x00tected")'; ok "a NUL octet" damaged 65 "$T/nul.eml"
ok "no encrypted message" damaged 65 "$T/letter.eml"
ok "no message at all" damaged 65 /dev/null
ok "no such file" status 66 as bob open "$T/nosuch.eml"

# A foreign signature: signed for another list, passed on by a member (the inside of one message, sealed anew by Bob).
chmod 640 "$T/bob/persons/bob@example.com/sign.jwk"
ok "a key that others may read is refused" status 77 as bob seal --from bob@example.com --to $list "$T/letter.eml"
chmod 600 "$T/bob/persons/bob@example.com/sign.jwk"
ok "nobody signs as another than From" status 64 as bob seal --from bob@example.com --to $list "$T/letter.eml"
# Alice, who has the list's key, opens Dave's letter with another JOSE implementation and sends the inside on to Bob
# alone.
/usr/bin/python3 - "$T/sealed.eml" "$T/relayed.eml" "$T/alice/lists/$list"/*.jwk "$(as alice key --json bob@example.com)" <<'PY'
import base64, email, json, sys
from jwcrypto import jwe, jwk
part1, part2 = email.message_from_bytes(open(sys.argv[1], "rb").read()).get_payload()
whole = json.loads(part1.get_payload(decode=True))
whole["ciphertext"] = base64.urlsafe_b64encode(part2.get_payload(decode=True)).decode().rstrip("=")
for r in whole["recipients"]: r.pop("header", None)
token = jwe.JWE()
token.deserialize(json.dumps(whole), jwk.JWK.from_json(open(sys.argv[3]).read()))
again = jwe.JWE(token.payload, json.dumps({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": json.loads(sys.argv[4])["kid"]}))
again.add_recipient(jwk.JWK.from_json(sys.argv[4]))
open(sys.argv[2], "wb").write(b"From: dave@example.net\r\nTo: bob@example.com\r\nMIME-Version: 1.0\r\nContent-Type: application/jose+json\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(again.serialize().encode()).replace(b"\n", b"\r\n"))
PY
ok "another implementation opens it with the group's key; sent on, its signature is not good: not written" damaged 65 "$T/relayed.eml"
ok "it says BAD" says "BAD signature" as bob open "$T/relayed.eml"
ok "--unverified writes it" cmp <(as bob open --unverified "$T/relayed.eml" 2>/dev/null) "$T/letter.eml"

# ---- a new member reads old mail; a removed one does not ----
ok "Erin is added" as alice add $list erin@example.com
ok "and opens what was sent before" opens erin "$T/sealed.eml" "$T/letter.eml"
ok "offline, from the share she keeps: needs a grant in the message" silent as erin open --offline "$T/sealed.eml"
lose example.com DeleteRequest answer
ok "remove Carol: the answer is lost" status 75 as alice remove $list carol@example.net
ok "she is off" same "$(as alice members $list | cut -d' ' -f1 | tr '\n' ' ')" "bob@example.com erin@example.com "
ok "again: no member" status 66 as alice remove $list carol@example.net
seal --to $list "$T/letter.eml" >"$T/second.eml"
ok "Carol gets no grant for new mail" status 77 as carol open "$T/second.eml"
ok "nor for old mail" status 77 as carol open "$T/sealed.eml"
ok "the others read on" opens bob "$T/second.eml" "$T/letter.eml"

# ---- rekey ----
lose example.com Rekey request
ok "rekey: the request is lost" status 75 as alice rekey $list
keys=$(ls "$T/alice/lists/$list" | grep -c 'jwk$')
ok "the new private key was on disk before" same "$keys" 2
lose example.com Rekey answer
ok "rekey again: the answer is lost" status 75 as alice rekey $list
ok "rekey again: done already" says "done already" as alice rekey $list
ok "with one new key in all" same "$(ls "$T/alice/lists/$list" | grep -c 'jwk$')" 2
key2=$(as dave key $list)
ok "the key is another" test "$key1" != "$key2"
seal --to $list "$T/letter.eml" >"$T/third.eml"
ok "new mail" opens bob "$T/third.eml" "$T/letter.eml"
ok "old mail" opens bob "$T/sealed.eml" "$T/letter.eml"
ok "the old key is archived" says "no longer the current" as dave key "$key1"
ok "remove Erin and rekey in one" as alice remove $list erin@example.com --rekey
key3=$(as dave key $list)
seal --to $list "$T/letter.eml" >"$T/fourth.eml"
ok "Erin is out" status 77 as erin open "$T/fourth.eml"
ok "Bob reads the newest" opens bob "$T/fourth.eml" "$T/letter.eml"
ok "and the oldest" opens bob "$T/sealed.eml" "$T/letter.eml"
ok "sealing to a retired key is refused" status 65 seal --to "$key2" "$T/letter.eml"
ok "Erin comes back" as alice add $list erin@example.com
ok "and reads everything" opens erin "$T/third.eml" "$T/letter.eml"
ok "three keys, each there once" same "$(ls "$T/alice/lists/$list" | grep -c 'jwk$')" 3
mkdir -m 700 "$T/aside" && mv "$T/alice/lists/$list"/*.jwk "$T/aside"
ok "without the group's keys nobody is added" status 66 as alice add $list carol@example.net
mv "$T/aside"/*.jwk "$T/alice/lists/$list"

# ---- pinned keys ----
cp -r "$T/dave/known" "$T/dave-known"
cp "$T/dave/known/carol@example.net.jws" "$T/dave/known/bob@example.com.jws"
ok "a pinned signer that differs is refused" status 65 as dave key bob@example.com
ok "with the way out" says "--accept-new bob@example.com" as dave key bob@example.com
ok "which works" as dave key --accept-new bob@example.com
ok "the JWK for other programs" python3 -c 'import json, sys; k = json.loads(sys.argv[1]); assert k["kid"] == sys.argv[2] and "d" not in k' "$(as dave key --json $list)" "$key3"
ok "fingerprint of a key that is known" says "key  " as dave fingerprint bob@example.com
ok "fingerprint of an unknown one" status 66 as dave fingerprint nobody@example.com

ok "fingerprint of a private key's file: its public half" same "$(as dave fingerprint "$T/dave/persons/dave@example.net/sign.jwk")" "$signer"
ok "--service is for the list's domain only" as alice add $list carol@example.net --service "$(url example.com)"
ok "and off again" as alice remove $list carol@example.net
rm "$T/alice/known/dave@example.net.jws"
ok "an unknown signer, offline: a warning" says "WARNING: claims to be signed by dave@example.net" as alice open --offline --out "$T/unknown.out" "$T/sealed.eml"
ok "the message is there" cmp "$T/unknown.out" "$T/letter.eml"
# Mallory calls herself Dave. The service does not take her, but her keys are made, and the rest she does by hand.
home mallory
ok "Dave's address is taken" status 73 as mallory personal dave@example.net
mv "$T/mallory/persons/dave@example.net/next.jws" "$T/mallory/persons/dave@example.net/profile.jws"
mkdir -m 700 "$T/mallory/known" && cp "$T/dave/known/$list.jws" "$T/mallory/known"
as mallory seal --offline --to $list "$T/letter.eml" >"$T/forged.eml"
ok "a forged signature, Dave being known: refused" damaged 65 "$T/forged.eml"
ok "Dave being unknown: his service is asked, refused" silent as alice open "$T/forged.eml"
ok "it says what to do" says "recrypt key --accept-new dave@example.net" as alice open "$T/forged.eml"
ok "--unverified writes it, with a warning" says "WARNING" as bob open --unverified --out "$T/forged.out" "$T/forged.eml"

# ---- passphrase ----
(umask 077; echo "correct horse" >"$T/pass"; echo wrong >"$T/wrongpass")
home frank
export RECRYPT_PASSPHRASE_FILE=$T/pass
ok "keys under a passphrase" as frank personal frank@example.net --passphrase
ok "they are no plain JWK" not grep -q kty "$T/frank/persons/frank@example.net/sign.jwk"
seal --to frank@example.net "$T/letter.eml" >"$T/frank.eml"
ok "Frank opens" opens frank "$T/frank.eml" "$T/letter.eml"
RECRYPT_PASSPHRASE_FILE=$T/wrongpass
ok "a wrong passphrase" status 65 as frank open "$T/frank.eml"
unset RECRYPT_PASSPHRASE_FILE
cat >"$T/typed.py" <<'PY'
import os, sys, termios, time
sys.path.insert(0, sys.argv.pop(1))
import terminal
answers, command = sys.argv[1].split(","), sys.argv[2:]
pid, fd = terminal.fork()
if pid == 0: os.execvp(command[0], command)
seen = b""
for a in answers:
    while not seen.endswith(b": "):
        seen += os.read(fd, 1)
    while termios.tcgetattr(fd)[3] & termios.ECHO: time.sleep(0.01)
    os.write(fd, a.encode() + b"\n")
    seen += b"|"
try:
    while True:
        more = os.read(fd, 1000)
        if not more: break
        seen += more
except OSError: pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(seen.decode())
sys.exit(98 if any(a.encode() in seen for a in answers) else status)
PY
typed() { local who=$1 answers=$2; shift 2; RECRYPT_HOME=$T/$who python3 "$T/typed.py" "$SRC/test/integration" "$answers" "$recrypt" "$@"; } # 98 = it was shown
home hal
if python3 "$SRC/test/integration/terminal.py" 2>/dev/null; then
  ok "typed twice, differently: no keys" status 64 typed hal "one two,two one" personal hal@example.net --passphrase
  ok "nothing was made" not test -e "$T/hal/persons/hal@example.net/sign.jwk"
  ok "typed twice, and not shown" status 0 typed hal "one two,one two" personal hal@example.net --passphrase
  seal --to hal@example.net "$T/letter.eml" >"$T/hal.eml"
  ok "typed to open" status 0 typed hal "one two" open --out "$T/hal.out" "$T/hal.eml"
  ok "wrong" status 65 typed hal "two" open --out "$T/hal.out2" "$T/hal.eml"
else
  skip "a passphrase typed" "no pseudo-terminal is to be had here"
fi
ok "no terminal and no file" status 64 setsid -w env RECRYPT_HOME="$T/frank" "$recrypt" open "$T/frank.eml"

# ---- files ----
head -c 5000000 /dev/urandom >"$T/plan.bin"
ok "encrypt a file" as dave encrypt $list "$T/plan.bin"
cp "$T/plan.bin" "$T/plan.copy"; rm "$T/plan.bin"
ok "decrypt it" as bob decrypt "$T/plan.bin.jcd"
ok "the same octets" cmp "$T/plan.bin" "$T/plan.copy"
ok "not over a file" status 73 as bob decrypt "$T/plan.bin.jcd"
ok "the administrator, too" as alice decrypt "$T/plan.bin.jcd" --force
ok "Carol does not" status 77 as carol decrypt "$T/plan.bin.jcd" --out "$T/carol.bin"
head -c 3000000 "$T/plan.bin.jcd" >"$T/cut.jcd"
ok "truncated" status 65 as bob decrypt "$T/cut.jcd" --out "$T/cut.bin"
ok "nothing was put in place" not test -e "$T/cut.bin"
ok "nor left beside it" same "$(find "$T" -maxdepth 1 -name 'cut.bin*')" ""
sed '5{h;d};6{G}' "$T/plan.bin.jcd" >"$T/swap.jcd"
ok "chunks swapped" status 65 as bob decrypt "$T/swap.jcd" --out "$T/swap.bin"
ok "an empty file" sh -c ": >'$T/empty'; RECRYPT_HOME='$T/dave' '$recrypt' encrypt $list '$T/empty' && rm '$T/empty' && RECRYPT_HOME='$T/bob' '$recrypt' decrypt '$T/empty.jcd' && test ! -s '$T/empty' && test -e '$T/empty'"
for suite in X448 P-256 ffdhe2048; do
  s=$(echo $suite | tr 'A-Z' 'a-z')@example.com
  ok "a list with $suite" as alice newgroup "$s" --suite $suite
  ok "a member of it" as alice add "$s" bob@example.com
  seal --to "$s" "$T/letter.eml" >"$T/suite.eml"
  ok "opens" opens bob "$T/suite.eml" "$T/letter.eml"
  ok "a file of it" sh -c "echo hi >'$T/$suite.txt' && RECRYPT_HOME='$T/dave' '$recrypt' encrypt $s '$T/$suite.txt' && RECRYPT_HOME='$T/bob' '$recrypt' decrypt '$T/$suite.txt.jcd' --force && grep -q hi '$T/$suite.txt'"
done
ok "an unknown suite" not as alice newgroup x@example.com --suite RSA

# ---- full disk, closed output ----
ok "standard output is full" status 75 sh -c "RECRYPT_HOME='$T/bob' '$recrypt' open '$T/sealed.eml' >/dev/full"
ok "so is that of key" status 75 sh -c "RECRYPT_HOME='$T/bob' '$recrypt' key $list >/dev/full"
mkdir "$T/small"
if mount -t tmpfs -o size=64k tmpfs "$T/small" 2>/dev/null; then
  head -c 200000 /dev/zero >"$T/small/fill" 2>/dev/null
  home small/gina 2>/dev/null; mkdir -p -m 700 "$T/small/gina"
  ok "no space for keys: try again later" status 75 as small/gina personal gina@example.net --service "$(url example.net)"
  ok "no half a file" same "$(find "$T/small/gina" -name '*.jw?' -size 0)" ""
  rm "$T/small/fill"
  ok "with space it succeeds" as small/gina personal gina@example.net --service "$(url example.net)"
  head -c 200000 /dev/zero >"$T/small/fill" 2>/dev/null
  ok "no space for the plaintext" status 75 as bob open --out "$T/small/letter.eml" "$T/sealed.eml"
  ok "no half a plaintext" not test -e "$T/small/letter.eml"
  umount "$T/small"
else
  skip "full disk" "cannot mount a tmpfs here"
fi

# ---- the service is away ----
service_stop example.com
ok "adding: try again later" status 75 as alice add $list carol@example.net
ok "opening what needs a grant: try again later" status 75 as bob open "$T/second.eml"
ok "sealing offline to a known key" seal --offline --to $list --out "$T/offline.eml" "$T/letter.eml"
service_start example.com
ok "it opens when the service is back" opens bob "$T/offline.eml" "$T/letter.eml"

# ---- restored from a backup ----
keystore=$(find "$T/example.com/state" -name watermark -printf '%h\n' | head -n 1)
service_stop example.com
ok "backup" sh -c "'$BUILD/recrypt-keystore' dump '$keystore' >'$T/backup'"
service_start example.com
as alice remove $list erin@example.com 2>/dev/null >&2
as alice add $list carol@example.net >/dev/null
as alice rekey $list >/dev/null 2>&1
members="bob@example.com carol@example.net "
key4=$(as dave key $list)
service_stop example.com
rm -rf "$keystore"
ok "restore" sh -c "'$BUILD/recrypt-keystore' load '$keystore' <'$T/backup'"
chmod --reference="$T/example.com/state" "$keystore"
service_start example.com
ok "nobody gets a grant" status 75 as erin open "$T/fourth.eml"
ok "and nothing is changed" status 73 as alice add $list dave@example.net
ok "it says how to go on" says "recrypt members --confirm $list" as alice add $list dave@example.net
ok "members: the newest roster, with a warning" says "was restored from a backup" as alice members $list
ok "they are those of the home" same "$(as alice members $list 2>/dev/null | cut -d' ' -f1 | tr '\n' ' ')" "$members"
ok "senders do not take the older key" status 73 as dave key $list
ok "confirm" says "add them again: recrypt add $list carol@example.net" as alice members --confirm $list
ok "Erin, removed after the backup, is not back" status 77 as erin open "$T/fourth.eml"
ok "Bob reads" opens bob "$T/fourth.eml" "$T/letter.eml"
ok "Carol is added again" as alice add $list carol@example.net
ok "the key of after the backup is given again" as alice rekey --retire $list
ok "it is the same" same "$(as dave key $list)" "$key4"
seal --to $list "$T/letter.eml" >"$T/sixth.eml"
ok "Carol reads" opens carol "$T/sixth.eml" "$T/letter.eml"
ok "all is as before" same "$(as alice members $list | cut -d' ' -f1 | tr '\n' ' ')" "$members"

# ---- killed anywhere ----
# The tool dies at its Nth call that changes a file or sends; the same command again does the work, no key is lost or
# made twice.
killed_at() { # CALL N COMMAND...
  local call=$1 n=$2; shift 2
  RECRYPT_HOME=$T/alice strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=SIGKILL:when=$n "$recrypt" "$@" >/dev/null 2>&1
}
if strace -o /dev/null true 2>/dev/null; then
  killed_newgroup() {
    local n i=0 l
    for call in mkdir fsync link rename sendto; do
      for n in 1 2 3 4 5; do
        i=$((i + 1)); l=kill$i@example.com
        killed_at $call $n newgroup $l && break # it does not make so many of these calls
        as alice newgroup $l >/dev/null 2>"$T/err" || grep -q "is your list already" "$T/err" || { cat "$T/err"; return 1; }
        as alice add $l bob@example.com >/dev/null || { echo "$l: after $call $n"; return 1; }
        seal --to $l "$T/letter.eml" >"$T/killed.eml" && opens bob "$T/killed.eml" "$T/letter.eml" || return
      done
    done
    echo "$i deaths"; [ $i -gt 12 ]
  }
  ok "newgroup" killed_newgroup
  killed_rekey() {
    local n i=0 before
    for call in fsync link rename unlink sendto; do
      for n in 1 2 3 4 5 6; do
        before=$(as dave key $list)
        killed_at $call $n rekey $list && break
        i=$((i + 1))
        [ "$(as dave key $list)" = "$before" ] || as alice members $list >/dev/null || return
        [ "$(as dave key $list)" != "$before" ] || as alice rekey $list >/dev/null 2>&1 || { echo "rekey after $call $n"; return 1; }
        seal --to $list "$T/letter.eml" >"$T/killed.eml" && opens bob "$T/killed.eml" "$T/letter.eml" &&
          opens bob "$T/sealed.eml" "$T/letter.eml" && as alice open "$T/killed.eml" >/dev/null 2>&1 || { echo "after $call $n"; return 1; }
      done
    done
    echo "$i deaths"; [ $i -gt 12 ]
  }
  ok "rekey" killed_rekey
  ok "and then a member is added" as alice add $list erin@example.com
  ok "who reads the oldest mail" opens erin "$T/sealed.eml" "$T/letter.eml"
  killed_decrypt() {
    rm -f "$T/plan.bin"
    RECRYPT_HOME=$T/bob strace -f -qq -o /dev/null -e trace=write -e inject=write:signal=SIGKILL:when=20 "$recrypt" decrypt "$T/plan.bin.jcd" 2>/dev/null
    same "$(ls "$T" | grep '^plan\.bin' | tr '\n' ' ')" "plan.bin.jcd "
  }
  ok "no piece of a plaintext file is left" killed_decrypt
  killed_open() {
    local n call deaths=0
    for call in write fsync linkat link; do
      for n in 1 2 3 4 5 6; do
        rm -f "$T/opened".*
        RECRYPT_HOME=$T/bob strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=SIGKILL:when=$n \
          "$recrypt" open --out "$T/opened.eml" "$T/sealed.eml" 2>/dev/null && break
        deaths=$((deaths + 1))
        [ -z "$(ls "$T" | grep '^opened\.' | grep -v '^opened\.eml$')" ] || { ls "$T" | grep '^opened\.'; echo "after $call $n"; return 1; }
        [ ! -e "$T/opened.eml" ] || cmp -s "$T/opened.eml" "$T/letter.eml" || { echo "half a message after $call $n"; return 1; }
      done
    done
    rm -f "$T/opened.eml"
    echo "$deaths deaths"; [ $deaths -ge 4 ]
  }
  ok "nor of an opened message" killed_open
else
  skip "killed anywhere" "strace does not work here"
fi

# ---- TLS ----
cert() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/$1.key" -out "$T/$1.pem" -days 2 \
  -subj "/CN=$2" -addext "subjectAltName=$3" 2>/dev/null; }
cert tls localhost DNS:localhost; cert other localhost DNS:localhost
mkdir -p "$T/tls.example"; service_folder "$T/tls.example/state"
free_port >"$T/tls.example/port.web"
tls_url=https://localhost:$(cat "$T/tls.example/port.web")
cat >"$T/tls.example/recryptd.conf" <<CONF
domains = {"tls.example"}
url = "$tls_url"
listen_web = "127.0.0.1:$(cat "$T/tls.example/port.web")"
listen_local = "$T/tls.example/recryptd.sock"
state_directory = "$T/tls.example/state"
registration = "open"
tls_certificate = "$T/tls.pem"
tls_key = "$T/tls.key"
$(service_line)
CONF
service_start tls.example
home ines
tls_conf() { printf 'service "tls.example" { url = "%s" %s }\n' "$1" "$2" >"$T/ines/recrypt.conf"; }
tls_conf "$tls_url" ""
ok "a certificate that nobody trusts" status 75 as ines personal ines@tls.example
tls_conf "$tls_url" "ca = \"$T/other.pem\""
ok "another's certificate of the same name" status 75 as ines personal ines@tls.example
tls_conf "https://127.0.0.1:$(cat "$T/tls.example/port.web")" "ca = \"$T/tls.pem\""
ok "the right certificate under another name" status 75 as ines personal ines@tls.example
tls_conf "http://localhost:$(cat "$T/tls.example/port.web")" ""
ok "no TLS to it" status 75 as ines personal ines@tls.example
tls_conf "$tls_url" "ca = \"$T/tls.pem\""
ok "the certificate that recrypt.conf names" as ines personal ines@tls.example
ok "others of it" as ines key ines@tls.example
ok "--version" says "0.1.0" "$recrypt" --version
tap_done
