#!/bin/bash
# fetch.sh: recrypt fetch against a real Dovecot: many messages, each exactly once although the program is killed at any
# moment; what cannot be opened is kept and tried again; new UIDs; TLS; wrong password; a server that is away; a full
# disk.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/dovecot.sh"
umask 022
list=list@example.com
inbox=$T/inbox
kills=${LONG:+200}
kills=${kills:-10}

command -v dovecot >/dev/null || { skip "fetch" "Dovecot is not installed"; tap_done; }
service_conf example.com open
for p in alice bob; do mkdir -m 700 "$T/$p"; printf 'service "example.com" { url = "%s" }\n' "$(url example.com)" >"$T/$p/recrypt.conf"; done
service_start example.com
dovecot_people="dave sam"
dovecot_start || { echo "Bail out! Dovecot does not start"; cat "$T/dovecot.log"; exit 1; }
account() { # LINE...: bob's section
  { printf 'service "example.com" { url = "%s" }\nimap "bob@example.com" {\n' "$(url example.com)"; printf '  %s\n' "$@"; echo '}'; } >"$T/bob/recrypt.conf"
}
plain_account() { account "url = \"imap://127.0.0.1:$imap_port\"" "password_file = \"$T/password\"" "maildir = \"$inbox\"" "$@"; }
(umask 077; echo secret >"$T/password")
plain_account
ok "people and a list" eval 'as alice personal alice@example.com && as bob personal bob@example.com && as alice newgroup $list && as alice add $list bob@example.com && as alice key bob@example.com'

# ---- many messages: sealed to a list, sealed to bob, plain ----
mkdir "$T/out"
letters() { # FIRST LAST
  local i to
  for i in $(seq "$1" "$2"); do
    printf 'From: alice@example.com\r\nTo: %s\r\nSubject: Number %s\r\nMessage-ID: <%s@example.com>\r\n\r\nText %s\r\n' $list "$i" "$i" "$i" >"$T/letter"
    case $((i % 5)) in
      0) cp "$T/letter" "$T/out/$i"; continue ;;
      1) to=bob@example.com ;;
      *) to=$list ;;
    esac
    as alice seal --offline --to $to "$T/letter" >"$T/out/$i" || return
  done
}
names() { sed -n 's/\r//;s/^Message-ID: //Ip;/^$/q' "$1"; }
brought() {
  find "$inbox/new" "$inbox/cur" -type f -exec awk 'FNR == 1 {head = 1} /^\r?$/ {head = 0}
    head && tolower($0) ~ /^message-id: <[0-9]+@/ {sub(/[^<]*</, ""); sub(/@.*/, ""); print}' {} + 2>/dev/null | sort -n
}
each_once() { same "$(brought | tr '\n' ' ')" "$(seq -s ' ' 1 "$1") "; }
status_of() { grep -h '^X-Recrypt-Status' "$inbox"/new/* "$inbox"/cur/* 2>/dev/null | sed 's/ [A-Z0-9-]*$//;s/encrypted .*/encrypted/' | sort | uniq -c | awk '{$1=$1};1'; }
ok "200 messages are sealed" letters 1 200
drop bob "$T"/out/*
fetch() { as bob fetch "$@"; }
# Many runs, each cut at another moment; when all is there it begins anew. Four of the long form's take as long as a whole one.
killed() {
  local i n began after within=200 cut=0 whole=0
  if [ -n "${LONG:-}" ]; then
    began=$(date +%s%3N)
    fetch && each_once 200 && rm -r "$inbox" || return
    within=$((($(date +%s%3N) - began) / 2 + 1))
  fi
  for i in $(seq "$kills"); do
    after=$((RANDOM % within + 1))
    RECRYPT_HOME=$T/bob timeout -s KILL "$((after / 1000)).$(printf '%03d' $((after % 1000)))" "$recrypt" fetch
    [ $? != 137 ] || cut=$((cut + 1))
    brought >"$T/there"
    n=$(uniq -d <"$T/there" | wc -l)
    [ "$n" = 0 ] || { echo "$n messages twice"; return 1; }
    [ "$(wc -l <"$T/there")" -lt 200 ] || { whole=$((whole + 1)); rm -r "$inbox"; }
  done
  tell "$cut of $kills runs were killed, within $within ms; in them all 200 messages came $whole times, and then $(brought | wc -l)"
  [ $((cut * 5)) -ge "$kills" ]
} 2>>"$T/killed.log"
ok "$kills runs killed: no message is there twice" killed
ok "a run to the end" fetch
ok "every message exactly once" each_once 200
ok "decrypted; who signed is told" same "$(status_of)" "160 X-Recrypt-Status: opened signed alice@example.com
40 X-Recrypt-Status: plain"
ok "nothing is left in tmp" same "$(ls "$inbox/tmp")" ""
ok "another run brings nothing, and says nothing" eval 'same "$(fetch 2>&1)" "" && each_once 200'
read_and_deleted() { # what its reader did with a message holds
  local f
  for f in "$inbox"/new/*; do mv "$f" "$inbox/cur/$(basename "$f"):2,S"; done
  f=$(grep -l '^Message-ID: <7@' "$inbox"/cur/*); rm "$f"
  fetch
  same "$(brought | tr '\n' ' ')" "$(seq -s ' ' 1 6) $(seq -s ' ' 8 200) "
}
ok "what was read or deleted does not come again" read_and_deleted
ok "the server's messages are as they were: none was marked as read" same "$(ls "$T/mail/example.com/bob/Maildir/cur" | grep -c ':2,.*S')" 0

# ---- before system calls that change something ----
small() { account "url = \"imap://127.0.0.1:$imap_port\"" "user = \"carol@example.com\"" "password_file = \"$T/password\"" "$@"; }
small "maildir = \"$T/calls\""
drop carol "$T"/out/[1-9]
nine() { same "$(inbox=$1; brought | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 "; }
# injected CALL HOW N: a run whose Nth call of that name is its last, or fails. 1 when it makes no so many, 2 when it
# then ends badly.
injected() {
  local status
  RECRYPT_HOME=$T/bob strace -f -qq -o "$T/strace" -e "trace=$1" -e "inject=$1:$2:when=$3" "$recrypt" fetch >/dev/null 2>&1; status=$?
  [ $status = 137 ] || grep -q INJECTED "$T/strace" || return $((status ? 2 : 1))
}
at_calls() { # killed before the first, second ... call of that name, each time from the beginning
  local call n status done=0
  for call in renameat openat fsync pwrite64 unlinkat sendto; do
    for n in ${LONG:+$(seq 999)} 2 7 19; do
      rm -rf "$T/calls"
      injected "$call" signal=SIGKILL "$n"; status=$?
      [ -z "$(inbox=$T/calls; brought | uniq -d)" ] || { echo "$call $n: $(inbox=$T/calls; brought | uniq -d)"; return 1; }
      fetch && nine "$T/calls" && same "$(ls "$T/calls/tmp")" "" && [ $status -lt 2 ] || { echo "after $call $n: $status"; return 1; }
      [ $status = 0 ] || break
      done=$((done + 1))
    done
  done
  tell "killed before $done calls"
  [ "$done" -ge 10 ]
}
# What was kept while the service was away is opened by a run that is killed, or whose disk fails, in the middle of
# that.
opened_at_calls() {
  local call n how status done=0
  small "maildir = \"$T/template\""
  service_stop example.com; status 75 fetch 2>/dev/null || return; service_start example.com
  same "$(grep -l '^X-Recrypt-Status: encrypted' "$T/template/new"/* | wc -l)" 6 || return
  small "maildir = \"$T/opened\""
  for call in renameat unlinkat fsync pwrite64; do
    for how in signal=SIGKILL error=EIO; do
      [ "$call $how" != "unlinkat error=EIO" ] || continue # of a file in tmp/ it is no failure
      for n in ${LONG:+$(seq 999)} 1 4; do
        rm -rf "$T/opened"; cp -a "$T/template" "$T/opened"
        injected "$call" $how "$n"; status=$?
        { [ $status = 1 ] || fetch; } && nine "$T/opened" && [ $status -lt 2 ] || { echo "after $call $n $how: $status"; return 1; }
        [ "$(ls "$T/opened/tmp")" = "" ] && ! grep -q '^X-Recrypt-Status: encrypted' "$T/opened/new"/* || { echo "left: $call $n $how"; return 1; }
        [ $status = 0 ] || break
        done=$((done + 1))
      done
    done
  done
  tell "killed before a call, or the call failed: $done times"
  [ "$done" -ge 10 ]
}
if strace -o /dev/null true 2>/dev/null; then
  ok "killed before a system call: none is lost, none is there twice" at_calls
  ok "so when what was kept is opened; and when the disk fails" opened_at_calls
else
  skip "killed before a system call" "no strace here"
fi
plain_account

# ---- what cannot be opened ----
as alice newgroup other@example.com >/dev/null 2>&1
sealed_for() { # FILE LIST
  printf 'From: alice@example.com\r\nSubject: s\r\nMessage-ID: <%s@example.com>\r\n\r\nx\r\n' "$1" >"$T/letter"
  as alice seal --to "$2" "$T/letter" >"$T/$1"
}
mkdir "$T/more"
sealed_for 201 other@example.com
sealed_for 202 $list
sed -i '/^Content-Type: application\/octet-stream/,$s/^[A-Za-z0-9+\/]\{8\}/AAAAAAAA/' "$T/202"
sealed_for 203 $list
drop bob "$T/201" "$T/202" "$T/203"
reported() { fetch >"$T/said" 2>&1; same "$?" "$1" && grep -q "$2" "$T/said" || { cat "$T/said"; return 1; }; }
ok "not a member, and damaged: told, and the exit status says so" reported 77 "no grant"
ok "the damaged one as well" grep -q "message 202 stays encrypted.*damaged" "$T/said"
kept() { cat $(grep -l "^X-Recrypt-Status: encrypted" "$inbox"/new/* "$inbox"/cur/*) /dev/null; }
ok "both are kept as they came, the third is open" same "$(grep -l '^X-Recrypt-Status: encrypted' "$inbox"/new/* | wc -l) $(names "$(grep -l '<203@' "$inbox"/new/*)")" "2 <203@example.com>"
f=$(grep -l 'encrypted no grant' "$inbox"/new/*); sed 1d "$f" >"$T/without"
ok "octet for octet" cmp "$T/without" "$T/201"
f=$(grep -l 'damaged' "$inbox"/new/*); mv "$f" "$inbox/cur/$(basename "$f"):2,S"
ok "another run tries again, and says so by its status" status 77 fetch
as alice add other@example.com bob@example.com >/dev/null 2>&1
ok "she is a member now: it is opened" eval 'status 65 fetch; same "$(grep -l "<201@" "$inbox"/new/* | wc -l) $(kept | grep -c "^X-Recrypt-Status")" "1 1" && ! kept | grep -q 201@'
ok "and signed by" grep -q "^X-Recrypt-Status: opened signed alice@example.com" "$(grep -l '<201@' "$inbox"/new/*)"
service_stop example.com
sealed_away() { # the pinned key is enough to seal
  printf 'From: alice@example.com\r\nSubject: s\r\nMessage-ID: <204@example.com>\r\n\r\nx\r\n' >"$T/letter"
  as alice seal --offline --to $list "$T/letter" >"$T/204" && drop bob "$T/204"
}
ok "a message arrives while the service is away" sealed_away
ok "it is kept, with try again later" reported 75 "message 204 stays encrypted: http"
service_start example.com
ok "and opened by the next run" eval 'status 65 fetch; grep -q "<204@" "$inbox"/new/* && same "$(kept | grep -c "^X-Recrypt-Status")" 1'

# ---- the server renumbers ----
renumbered() {
  dovecot_stop
  sed -i "1s/V[0-9]*/V1234567/" "$T/mail/example.com/bob/Maildir/dovecot-uidlist"
  find "$T/mail/example.com/bob" -name 'dovecot.index*' -delete
  dovecot_start || return
  brought >"$T/before"
  sealed_for 205 $list; drop bob "$T/205"
  status 65 fetch || return
  brought | diff - <(sort -n "$T/before" <(echo 205)) && same "$(kept | grep -c '^X-Recrypt-Status')" 1 && status 65 fetch && brought | diff - <(sort -n "$T/before" <(echo 205))
}
ok "new UIDVALIDITY: what is here does not come again, what is new does" renumbered
ok "what is thrown away is tried no more" eval 'rm "$(grep -l "^X-Recrypt-Status: encrypted" "$inbox"/cur/*)" && fetch && fetch'

# ---- keys of domains whose services nobody reaches: anybody can send that ----
to_stranger() { # NUMBER DOMAIN
  python3 - "$@" >"$T/$1" <<'PY'
import base64, json, sys
def b(data): return base64.urlsafe_b64encode(data).decode().rstrip("=")
protected = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": "list@%s.mm--maaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa" % sys.argv[2],
             "epk": {"kty": "OKP", "crv": "X25519", "x": b(b"\x09" + bytes(31))}}
jwe = {"protected": b(json.dumps(protected).encode()), "encrypted_key": b(bytes(40)), "iv": b(bytes(12)), "ciphertext": b(bytes(99)), "tag": b(bytes(16))}
print("From: x@example.org\r\nMessage-ID: <%s@example.com>\r\nContent-Type: application/jose+json\r\n\r\n%s\r" % (sys.argv[1], json.dumps(jwe)))
PY
}
strangers() { # what her own service lets her read she reads all the same
  local i
  account "url = \"imap://127.0.0.1:$imap_port\"" 'user = "sam@example.com"' "password_file = \"$T/password\"" "maildir = \"$T/strangers\""
  for i in 1 2 3 4 5; do to_stranger 40$i 127.0.0.1$i; done
  drop sam "$T"/40[1-5]; status 75 fetch 2>"$T/said" || return
  same "$(grep -c 'stays encrypted' "$T/said")" 5 || return
  sealed_for 406 $list; drop sam "$T/406"; status 75 fetch 2>/dev/null || return
  grep -q "^X-Recrypt-Status: opened signed alice@example.com" "$(grep -l '<406@' "$T/strangers/new"/*)"
}
ok "services that nobody reaches do not keep one's own from being asked" strangers
plain_account

# ---- accounts, passwords, TLS ----
passphrase() { # asked for once, before anything else; without it nothing is brought
  mkdir -m 700 "$T/erin"; printf 'service "example.com" { url = "%s" }\nimap "erin@example.com" {\n url = "imap://127.0.0.1:%s"\n user = "carol@example.com"\n password_file = "%s"\n maildir = "%s"\n}\n' \
    "$(url example.com)" "$imap_port" "$T/password" "$T/erin.box" >"$T/erin/recrypt.conf"
  RECRYPT_PASSPHRASE_FILE=$T/password as erin personal erin@example.com --passphrase || return
  RECRYPT_PASSPHRASE_FILE=$T/wrong status 65 as erin fetch 2>/dev/null && status 64 setsid -w env RECRYPT_HOME="$T/erin" "$recrypt" fetch && not test -e "$T/erin.box" &&
    RECRYPT_PASSPHRASE_FILE=$T/password status 77 as erin fetch 2>/dev/null && same "$(ls "$T/erin.box/new" | wc -l)" 9
}
(umask 077; echo wrong >"$T/wrong")
plain_account >/dev/null
ok "two at the same time: one waits for later" eval 'exec 8<"$(echo "$inbox"/recrypt-fetch.*)"; flock 8; status 75 fetch; exec 8<&-'
refused() { # STATUS TEXT LINE...: with those lines in the section
  local want=$1 text=$2; shift 2
  account "maildir = \"$inbox\"" "$@"
  fetch >"$T/said" 2>&1
  same "$?" "$want" && says "$text" cat "$T/said"
}
clear="url = \"imap://127.0.0.1:$imap_port\""
ok "keys under a passphrase" passphrase
ok "a wrong password" refused 77 "does not let bob@example.com in" "$clear" "password_file = \"$T/wrong\""
ok "a password that others may read" eval 'chmod 644 "$T/wrong"; refused 77 "others may read" "$clear" "password_file = \"$T/wrong\""'
ok "a command that fails" refused 75 "password_command failed" "$clear" 'password_command = "false"'
ok "a command that says nothing" refused 64 "password is empty" "$clear" 'password_command = "true"'
ok "no password and no terminal" setsid -w bash -c "$(declare -f refused account says same fetch as url); T=$T inbox=$inbox recrypt=$recrypt; refused 64 'no terminal' '$clear'"
ok "no such server" refused 75 "127.0.0.1" 'url = "imap://127.0.0.1:1"' "password_file = \"$T/password\""
ok "in the clear to another machine" refused 64 "without TLS" 'url = "imap://192.0.2.1"' "password_file = \"$T/password\""
ok "no url" refused 64 "url is missing"
plain_account
ok "another mailbox needs a place" says "--into" fetch --mailbox Archive
unset_up() { # a home without anything, and one that is only a device
  mkdir -m 700 "$T/new" "$T/dev" "$T/dev/devices" "$T/dev/devices/bob@example.com" && : >"$T/dev/devices/bob@example.com/request.jws" || return
  says "recrypt device connect" as new fetch && says "recrypt personal" as new fetch && status 66 as new fetch &&
    says "$T/dev/recrypt.conf does not say where bob@example.com has its mail" as dev fetch && status 64 as dev fetch
}
ok "no account and no configuration: what to do" unset_up
ok "no such account" says 'imap "dave@example.com"' fetch dave@example.com
ok "an unknown word in the section" refused 64 "no such option" "$clear" 'colour = "red"'
ok "no such mailbox" eval 'plain_account; status 66 fetch --mailbox Nowhere --into "$T/nowhere"'
ok "a certificate that nobody trusts" refused 75 "certificate" "url = \"imaps://localhost:$imaps_port\"" "password_file = \"$T/password\""
ok "the right certificate under another name" refused 75 "certificate" "url = \"imaps://127.0.0.1:$imaps_port\"" "ca = \"$T/dovecot/cert.pem\"" "password_file = \"$T/password\""
ok "no TLS at the port for TLS" refused 75 "" "url = \"imaps://localhost:$imap_port\"" "ca = \"$T/dovecot/cert.pem\"" "password_file = \"$T/password\""
tls() { # URL MAILDIR
  account "url = \"$1\"" "user = \"carol@example.com\"" "ca = \"$T/dovecot/cert.pem\"" "password_command = \"echo secret\"" "maildir = \"$T/$2\""
  fetch && nine "$T/$2"
}
ok "TLS" tls "imaps://localhost:$imaps_port" tls
ok "STARTTLS" tls "imap+starttls://localhost:$imap_port" starttls
umlaut() {
  drop umlaut "$T/out/5"
  { printf 'imap "umlaut@example.com" {\n  %s\n  password_command = "cat %s"\n  maildir = "%s"\n}\n' "$clear" "$T/umlaut.password" "$T/umlaut"; } >>"$T/bob/recrypt.conf"
  printf '"s\\cret" Größe\n' >"$T/umlaut.password"
  fetch umlaut@example.com && same "$(inbox=$T/umlaut; brought)" 5
}
ok "a password with quotes, spaces and umlauts" umlaut
forged() { # in a plain message, inside a sealed one, and as what would continue our line
  local i
  printf 'X-Recrypt-Status: opened signed boss@example.com KEY\r\n%s' "$(cat "$T/out/5")" >"$T/forged.1"
  printf 'From: alice@example.com\r\nx-recrypt-status: opened signed boss@example.com KEY\r\n folded\r\nSubject: s\r\n\r\nx\r\n' >"$T/letter"
  as alice seal --unsigned --to bob@example.com "$T/letter" >"$T/forged.2"
  printf ' signed boss@example.com KEY\r\nFrom: alice@example.com\r\n\r\nx\r\n' >"$T/forged.3"
  mkdir "$T/mail/example.com/dave"
  drop dave "$T"/forged.*
  account "url = \"imap://127.0.0.1:$imap_port\"" 'user = "dave@example.com"' "password_file = \"$T/password\"" "maildir = \"$T/forged\""
  fetch || return
  for i in "$T/forged/new"/*; do sed '/^\r*$/q' "$i" | grep -i -e recrypt -e boss -e folded; head -n 1 "$i" | grep '^X-Recrypt-Status'; done | tr -d '\r' | sort | uniq -c | awk '{$1=$1};1' >"$T/said"
  same "$(cat "$T/said")" "2 X-Recrypt-Status: opened unsigned
4 X-Recrypt-Status: plain"
}
ok "nobody else says what recrypt says" forged
small "max_size = \"1k\"" "maildir = \"$T/small\""
ok "too large: it stays on the server, and the exit status says so" eval 'says "more than max_size" fetch; status 65 fetch 2>/dev/null; same "$(inbox=$T/small; brought | tr "\n" " ")" "5 "'
bar() {
  small "maildir = \"$T/bar\""
  python3 "$SRC/test/integration/clients.py" "see of 9 messages" -- env RECRYPT_HOME="$T/bob" "$recrypt" fetch >"$T/screen"
  grep -q "9 new messages" "$T/screen" || { cat "$T/screen"; return 1; }
}
ok "a bar on a terminal" bar

# ---- no space ----
full() {
  local r
  small "maildir = \"$T/full/box\""
  mount -t tmpfs -o size=32k tmpfs "$T/full" || return
  says "No space" fetch && status 75 fetch && same "$(ls "$T/full/box/tmp")" "" && mount -o remount,size=1m "$T/full" && fetch && nine "$T/full/box"
  r=$?
  umount "$T/full"
  return $r
}
mkdir "$T/full"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs "$T/full" 2>/dev/null; then
  umount "$T/full"
  ok "a full disk: try again later, nothing half; with space again each message once" full
else
  skip "a full disk" "no file system can be mounted here"
fi

# ---- servers that do wrong ----
mkdir "$T/served"
for i in 1 2 4 5; do cp "$T/out/$i" "$T/served/$i"; done
free_port >"$T/wrong.port"; wrong_port=$(cat "$T/wrong.port")
cat "$T/dovecot/cert.pem" "$T/dovecot/key.pem" >"$T/control.pem"
echo honest >"$T/control"
start wrong python3 "$SRC/test/integration/fetch-server.py" "$wrong_port" "$T/served" "$T/control"
wait_for 10 listens "$wrong_port"
wrong_account() { account "url = \"$1://localhost:$wrong_port\"" "password_command = \"echo secret\"" "maildir = \"$T/wrong.box\"" "timeout = \"1s\"" "ca = \"$T/dovecot/cert.pem\""; }
wrong() { # WORD STATUS TEXT: then the honest server, and each message is there once
  local r=0
  wrong_account imap; rm -rf "$T/wrong.box"; echo "$1" >"$T/control"
  fetch >"$T/said" 2>&1 || r=$?
  echo >>"$T/said"
  same "$r" "$2" && grep -q -- "$3" "$T/said" || { cat "$T/said"; return 1; }
  grep -rl wrong "$T/wrong.box" && return 1
  echo honest >"$T/control"
  fetch && same "$(inbox=$T/wrong.box; brought | tr '\n' ' ')" "1 2 4 5 "
}
for w in 'honest 0 ' 'unasked 0 ' 'others 0 ' 'again 0 ' 'part 0 ' 'twice 0 ' 'long-search 0 ' 'preauth 0 ' 'small-size 0 ' \
  'xrecrypt-nil 0 ' 'xrecrypt-no 0 makes no grants' 'xrecrypt-garbage 0 ' 'xrecrypt-false 0 ' 'xrecrypt-quoted 0 ' \
  'xrecrypt-huge 75 must not' 'garbage 75 must not' 'bye 75 too many ?\[2J connections' 'silent 75 does not answer' 'no-answer 75 does not answer' \
  'no-capability 0 ' 'logindisabled 77 takes no password' 'no-login 77 does not let' 'wrong-tag 75 makes no sense' \
  'no-validity 65 UIDVALIDITY' 'endless 75 must not' 'many 75 must not' 'parentheses 75 must not' 'bodystructure 75 must not' \
  'huge 75 must not' 'nul 75 must not' 'cut 75 ended the connection' 'missing 75 did not send' 'nil 75 did not send'; do
  read -r word code text <<<"$w"
  ok "a server that does wrong: $word" wrong "$word" "$code" "$text"
done
wrong_tls() { wrong_account imap+starttls; echo "$1" >"$T/control"; rm -rf "$T/wrong.box"; fetch >"$T/said" 2>&1; same "$?" "$2" && says "$3" cat "$T/said"; }
ok "STARTTLS: the honest one" wrong_tls honest 0 ""
ok "STARTTLS: octets before TLS" wrong_tls starttls-more 77 "in the clear"
ok "STARTTLS: none" wrong_tls starttls-no 77 "has no TLS"
ok "STARTTLS: logged in before it" wrong_tls preauth 77 "begins without TLS"
ok "the password went nowhere in the clear" eval 'wrong_account imap+starttls; : >"$T/wrong.log"; for w in starttls-more starttls-no preauth; do echo $w >"$T/control"; fetch 2>/dev/null; done; ! grep -i login "$T/wrong.log"'
tap_done
