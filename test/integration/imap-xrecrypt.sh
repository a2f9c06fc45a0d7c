#!/bin/bash
# UID XRECRYPT through recrypt-imapfilter, with real recryptds of two domains, Dovecot, and devices: grants for personal
# mail, for lists here and elsewhere, for each device its own; what is refused, and why; recryptd away; a device
# removed, parked.
. "$(dirname "$0")/tap.sh"
umask 022
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/imap-servers.sh"
bob=bob@example.com list=list@example.com far=far@example.net
xrecrypt() { "$python" "$SRC/test/integration/imap-xrecrypt.py" "$@"; }
busy() { xrecrypt busy "$@" >"$T/busy" && tell "$(cat "$T/busy")"; }
device() { local who=$1; shift; as "$who" device "$@"; }
connected() { # HOME NAME
  local code; code=$(device "$1" connect $bob --name "$2" | sed -n 1p)
  device bob accept "$code" && device "$1" connect $bob
}
udf() { # HOME: of the device's key
  local f
  for f in "$T/$1/devices/$bob"/*.jwk; do
    case $f in */sign.jwk) ;; *) basename "$f" .jwk ;; esac
  done
}
letter() { # N
  printf 'From: Dave <dave@example.net>\r\nTo: bob@example.com\r\nSubject: Number %s\r\nDate: Fri, 21 Nov 2025 10:00:00 +0000\r\nMessage-ID: <%s@example.net>\r\n\r\nText %s\r\n' "$1" "$1" "$1"
}
seal() { letter "$2" >"$T/letter"; as dave seal --to "$1" "$T/letter"; }

service_conf example.com open
service_conf example.net open
for d in example.com example.net; do echo 'delivery_users = {"nobody", "root"}' >>"$T/$d/recryptd.conf"; done
ok "services, people, lists" eval '
  service_start example.com && service_start example.net && for p in alice bob dave carol erin phone tablet stranger; do home $p; done &&
  as alice personal alice@example.com && as bob personal $bob && as dave personal dave@example.net && as carol personal carol@example.com &&
  as erin personal alice@example.net && as alice newgroup $list && as alice add $list $bob carol@example.com &&
  as bob key $bob && as erin newgroup $far && as erin add $far $bob'
ok "two devices, and one of somebody else" eval 'connected phone phone && connected tablet tablet &&
  code=$(device stranger connect carol@example.com --name phone | sed -n 1p) && device carol accept "$code" && device stranger connect carol@example.com'
phone=$(udf phone) tablet=$(udf tablet) stranger=$(basename "$(ls "$T"/stranger/devices/carol@example.com/M*.jwk)" .jwk)

# 1 to Bob, 2 to the list here, 3 to the one elsewhere, 4 in the clear, 5 to somebody else, 6 that only looks encrypted.
mkdir "$T/out"
seal $bob 1 >"$T/out/1"; seal $list 2 >"$T/out/2"; seal $far 3 >"$T/out/3"; letter 4 >"$T/out/4"; seal carol@example.com 5 >"$T/out/5"
sed 's/^{.*/{"protected": [[[/; s/<1@/<6@/' "$T/out/1" >"$T/out/6"
ok "what is kept of the list elsewhere is given to Bob's service" as bob open "$T/out/3"
front=$(free_port)
imap_certificate >"$T/openssl.log" 2>&1
ok "Dovecot and the filter" eval 'imap_dovecot &&
  imap_filter filter "$front" "$server_port" "recryptd = \"unix:$T/example.com/recryptd.sock\"" "timeout = \"3s\""'
main_pid=$filter_pid
for i in 1 2 3 4 5 6; do drop bob "$T/out/$i"; "$python" "$SRC/test/integration/imap-xrecrypt.py" count "$server_port" - "$i"; done

ok "grants for the telephone" xrecrypt grants "$front" "$phone" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none
ok "grants for the tablet" xrecrypt grants "$front" "$tablet" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none
own=$(as bob key $bob 2>/dev/null | sed -n 's/.*\.mm--\(.*\)$/\1/p' | head -n 1 | tr a-z A-Z)
ok "the account's own key, whose name everybody knows, is no device" xrecrypt grants "$front" "$own" 1=none 2=none 3=none 4=none 5=none 6=none

# ---- recrypt fetch on the telephone ----
(umask 077; echo secret >"$T/password")
cp "$T/phone/recrypt.conf" "$T/phone.conf"
fetch_from() { # PORT MAILDIR
  { cat "$T/phone.conf"; printf 'imap "%s" {\n  url = "imap://127.0.0.1:%s"\n  password_file = "%s"\n  maildir = "%s"\n}\n' $bob "$1" "$T/password" "$T/$2"; } >"$T/phone/recrypt.conf"
}
brought() { # MAILDIR N: as it was written, once
  grep -lr "^Message-ID: <$2@example.net>" "$T/$1/new" "$T/$1/cur" >"$T/name" && [ "$(wc -l <"$T/name")" = 1 ] &&
    grep -q "Text $2" "$(cat "$T/name")"
}
# 3 has no grant in it, as no mail server took it apart: the list's service gives one, which takes two of Bob's own to
# ask for and to open.
far_asks=2
asked() { cat "$T"/*/access.log | grep -c "RecryptData \($bob\|$list\)"; }
# Two runs: what can be opened is, the rest is kept, nothing comes twice.
fetches() { # PORT MAILDIR
  local i
  fetch_from "$@"
  for i in 1 2; do status 77 as phone fetch || return; done
  for i in 1 2 3 4; do brought "$2" $i || { echo "message $i"; return 1; }; done
  same "$(ls "$T/$2/new" | wc -l) $(grep -l '^X-Recrypt-Status: encrypted' "$T/$2/new"/* | wc -l)" "6 2"
}

# ---- before Cyrus ----
CYRUS=${RECRYPT_CYRUS:-$SRC/build/cyrus}
if "$SRC/contrib/cyrus/unpack.sh" "$CYRUS" >"$T/.out" 2>&1; then
  dovecot_port=$server_port cyrus=$(free_port)
  ok "Cyrus, another filter" eval 'imap_cyrus && imap_filter cyrus-filter "$cyrus" "$server_port" "recryptd = \"unix:$T/example.com/recryptd.sock\""'
  ok "the same messages" xrecrypt fill "$cyrus" - "$T/out/1" "$T/out/2" "$T/out/3" "$T/out/4" "$T/out/5" "$T/out/6"
  ok "the same grants" xrecrypt grants "$cyrus" "$phone" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none
  ok "recrypt fetch, straight from Cyrus" fetches "$server_port" cyrus.straight
  before=$(asked)
  ok "recrypt fetch through the filter" fetches "$cyrus" cyrus.filter
  ok "no grant by another way, but for 3" same "$(asked)" $((before + far_asks))
  ok "sets" xrecrypt sets "$cyrus" "$phone"
  ok "among other commands, while messages come and go" busy "$cyrus" "$phone" 10
  server_port=$dovecot_port
else
  skip "before Cyrus" "Debian's Cyrus is not in $CYRUS and cannot be downloaded"
fi

# ---- refused, and why ----
ok "an unknown device" xrecrypt says "$front" MABCD-EFGHI-JKLMN-OPQRS-TUVWX-YZ234 1:* '[NOPERM]'
ok "somebody else's device" xrecrypt says "$front" "$stranger" 1:* '[NOPERM]'
ok "a key id that is none" xrecrypt says "$front" MABCD 1:* '[CANNOT]'
ok "a message that is not encrypted" xrecrypt says "$front" "$phone" 4 '[CANNOT]'
ok "one that only looks so" xrecrypt says "$front" "$phone" 6 '[CANNOT]'
ok "sets" xrecrypt sets "$front" "$phone"
ok "no mailbox is selected" xrecrypt unselected "$front" "$phone"
drop u10 "$T/out/1"
ok "a login that the service does not know" xrecrypt stranger "$front" "$phone"
few=$(free_port)
ok "a filter for five messages at a time" imap_filter few "$few" "$server_port" "recryptd = \"unix:$T/example.com/recryptd.sock\"" 'max_messages = 5'
ok "six are too many" xrecrypt says "$few" "$phone" 1:* '[LIMIT]'

# ---- many at once, recryptd away ----
ok "among other commands, while messages come and go" busy "$front" "$phone" "$([ -n "${LONG:-}" ] && echo 500 || echo 25)"
ok "recryptd does not answer" xrecrypt away "$front" "$phone" "$(cat "$T/example.com/pid")"
service_stop example.com
ok "recryptd is not there" xrecrypt says "$front" "$phone" 1:* '[UNAVAILABLE]'
service_start example.com
ok "and is back" xrecrypt grants "$front" "$phone" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none

# ---- the telephone reads it, and asks for no grant of these but by IMAP ----
fetch_from "$front" inbox
before=$(asked)
as phone fetch >"$T/fetch" 2>&1
sed 's/^/# /' "$T/fetch"
for i in 1 2 3 4; do ok "recrypt fetch on the telephone: message $i" brought inbox $i; done
ok "no grant by another way, but for 3" same "$(asked)" $((before + far_asks))

# ---- a list elsewhere of which Bob has read nothing where his own key is ----
other=other@example.net
ok "Bob is on another list elsewhere" eval 'as erin newgroup $other && as erin add $other $bob'
seal $other 7 >"$T/out/7"
drop bob "$T/out/7"; "$python" "$SRC/test/integration/imap-xrecrypt.py" count "$server_port" - 7
ok "by IMAP there is no grant for its mail" xrecrypt grants "$front" "$phone" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none '*=none'
as phone fetch >"$T/fetch" 2>&1
ok "recrypt fetch brings it all the same" brought inbox 7
ok "and keeps no share of it" same "$(find "$T/phone/shares/$other" -name '*.json')" ""

# ---- a device that is parked, one that is removed ----
ok "the telephone is parked" device bob park --to dave@example.net --out "$T/parked.eml" phone
ok "nothing for it" xrecrypt says "$front" "$phone" 1:* '[NOPERM]'
ok "the tablet notices nothing" xrecrypt grants "$front" "$tablet" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none '*=none'
{ letter 8; head -c 6000000 /dev/zero | base64; } >"$T/letter"
as dave seal --to $bob --out "$T/out/long" "$T/letter"
ok "a message that is one JWE of 10 MB" eval 'xrecrypt whole - - "$T/out/long" >"$T/out/8" && [ "$(wc -c <"$T/out/8")" -gt 10000000 ]'
drop bob "$T/out/8"; "$python" "$SRC/test/integration/imap-xrecrypt.py" count "$server_port" - 8
ok "its beginning is enough for a grant" xrecrypt newest "$front" "$tablet" $bob
ok "and the tablet opens it" eval 'as tablet open "$T/out/8" | tr -d "\r" | cmp - <(tr -d "\r" <"$T/letter")'
ok "the tablet is removed" device bob remove tablet
ok "nothing for it" xrecrypt says "$front" "$tablet" 1:* '[NOPERM]'
ok "recryptd's log has the device and how many grants it got" grep -q 'Grants bob@example.com 201 grants:3:bob+tablet@example.com' "$T/example.com/access.log"
ok "no grant and no text in any log" not grep -q '"dk"\|Text 1' "$T"/*.log
ok "clean stop" imap_filter_stop "$main_pid"
ok "without a word of memory" not grep -qi 'sanitizer\|leak' "$T"/*.log
tap_done
