#!/bin/bash
# clients.sh: the ready-made configurations of contrib/mutt and contrib/isync with the real programs and a real Dovecot.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/dovecot.sh"
umask 022
list=list@example.com
for p in dovecot mutt mbsync; do
  command -v $p >/dev/null || { skip "mutt and isync" "$p is not installed"; tap_done; }
done
service_conf example.com open
for p in alice bob; do mkdir -m 700 "$T/$p"; printf 'service "example.com" { url = "%s" }\n' "$(url example.com)" >"$T/$p/recrypt.conf"; done
service_start example.com
dovecot_start || { echo "Bail out! Dovecot does not start"; cat "$T/dovecot.log"; exit 1; }
ok "people and a list" eval 'as alice personal alice@example.com && as bob personal bob@example.com && as alice newgroup $list && as alice add $list bob@example.com && as alice key bob@example.com'

# ---- six messages: sealed to the list, sealed to bob with an attachment, plain with forged fields, for others only,
# one inside another, and that with two types
letter() { printf 'From: alice@example.com\r\nTo: bob@example.com\r\nSubject: %s\r\nMIME-Version: 1.0\r\n%b' "$1" "$2"; }
text='Content-Type: text/plain\r\n\r\n'
letter "The Lindwurm matter" "${text}Lindwurm wakes at nine.\r\n" >"$T/letter"
as alice seal --to $list "$T/letter" >"$T/1.sealed"
letter "With a picture" 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZSBhdXMgZGVyIEjDtmhsZQ==\r\n--b\r\nContent-Type: image/png; name=dragon.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n' >"$T/letter"
as alice seal --unsigned --to bob@example.com "$T/letter" >"$T/2.picture"
letter "Forged" "X-Recrypt-Status: opened signed boss@example.com KEY\r\n${text}Nothing secret.\r\n" >"$T/3.plain"
letter "For alice" "${text}Wyvern.\r\n" >"$T/letter"
as alice seal --to alice@example.com "$T/letter" >"$T/4.others"
{
  letter "Stitched" 'Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\nContent-Type: text/plain\r\n\r\nRead this:\r\n--outer\r\n'
  sed -n '/^Content-Type/,$p' "$T/1.sealed"
  printf '\r\n--outer--\r\n'
} >"$T/5.stitched"
{ sed -n '1,/^Subject/p' "$T/5.stitched"; sed -n '/^Content-Type/{p;q}' "$T/1.sealed"; sed -n '/^Content-Type/,$p' "$T/5.stitched"; } >"$T/6.both"
drop bob "$T"/[1-6].*

# ---- mutt, reading on the server ----
mkdir -p "$T/bin" "$T/muttrc.d" "$T/run"
ln -s "$recrypt" "$SRC/contrib/mutt/recrypt-mutt" "$SRC/contrib/isync/recrypt-mbsync" "$T/bin"
export PATH=$T/bin:$PATH HOME=$T XDG_RUNTIME_DIR=$T/run RECRYPT_HOME=$T/bob
cat >"$T/.muttrc" <<RC
set folder="imap://bob%40example.com:secret@127.0.0.1:$imap_port/" spoolfile="imap://bob%40example.com:secret@127.0.0.1:$imap_port/INBOX"
set ssl_starttls=no ssl_force_tls=no mailcap_path="$SRC/contrib/mutt/mailcap" sort=mailbox-order quit=yes mark_old=no tmpdir="$T/run" charset=utf-8
set pager_stop=yes
source "$SRC/contrib/mutt/muttrc"
RC
on_terminal() { # NAME COMMAND...: as ok
  if python3 "$SRC/test/integration/terminal.py" 2>/dev/null; then ok "$@"; else skip "$1" "no pseudo-terminal is to be had here"; fi
}
mutt_does() { LC_ALL=C.UTF-8 python3 "$SRC/test/integration/clients.py" "$@" -- mutt -n -F "$T/.muttrc"; }
# message NUMBER STEP...: looks at it, and at the end leaves mutt.
message() { local n=$1; shift; mutt_does "see Msgs:6" "key $n\\r\\r" "$@" "key qq"; }
never() { # TEXT COMMAND...: it succeeds, and the text is never seen
  local text=$1; shift
  "$@" >"$T/screen" 2>&1 || { cat "$T/screen"; return 1; }
  ! grep -F "$text" "$T/screen"
}
on_terminal "mutt: a sealed message is opened where it is looked at, with its subject and who signed" \
  message 1 "see signed by alice@example.com" "see Subject: The Lindwurm matter" "see Lindwurm wakes at nine."
on_terminal "mutt: Esc-o opens it with its attachments; who signed stands in the bottom line" \
  message 2 "see not signed" "key \\x1bo" "see recrypt: not signed" "see Grüße aus der Höhle" "key v" "see dragon.png" "key qqq"
on_terminal "mutt: a plain message; Esc-o says that it is one" never "Autoview" message 3 "see Nothing secret." "key \\x1bo" "see not sealed" "key \\r"
on_terminal "mutt: a status that the sender wrote is not shown" never "boss@example.com" message 3 "see Nothing secret."
on_terminal "mutt: what is for others is not opened, and says so" \
  never "Wyvern" message 4 "see not opened" "see no grant" "key \\x1bo" "see no grant" "key \\r"
on_terminal "mutt: a sealed message among another's parts is not opened, nor by Esc-o" \
  never "Lindwurm" message 5 "see Read this:" "see not opened" "key \\x1bo" "see not sealed" "key \\r"
on_terminal "mutt: nor when the message has two types" never "Lindwurm" message 6 "see [-- "
ok "mutt leaves nothing behind" same "$(ls "$T/run")" ""

# ---- isync: all mail in one Maildir, opened into another ----
sed -e "s|^Host .*|Host 127.0.0.1\nPort $imap_port\nAuthMechs LOGIN|; s|^PassCmd .*|PassCmd \"echo secret\"|; s|^SSLType .*|SSLType None|" \
  -e "s|~/Mail/sealed|$T/sealed|" "$SRC/contrib/isync/mbsyncrc" >"$T/mbsyncrc"
mkdir "$T/sealed"
sync() { recrypt-mbsync -o "-q -c $T/mbsyncrc -a" "$T/sealed" "$T/open"; }
subjects() { cat "$T/open/INBOX"/{new,cur}/* 2>/dev/null | sed -n 's/\r$//; s/^Subject: //p' | sort | tr '\n' ' '; }
first_lines() { for f in "$T/open/INBOX"/{new,cur}/*; do [ ! -f "$f" ] || head -n 1 "$f"; done | sed 's/ [A-Z0-9-]*$//' | LC_ALL=C sort; }
beginner() { # wrong words, no folder, and without any the folders that contrib/isync/mbsyncrc names
  says "runs mbsync" recrypt-mbsync -x && status 64 recrypt-mbsync one 2>/dev/null && says "nowhere is not there" recrypt-mbsync "$T/nowhere" "$T/open" &&
    status 66 recrypt-mbsync "$T/nowhere" "$T/open" 2>/dev/null && status 75 recrypt-mbsync 2>/dev/null && test -d "$T/Mail/sealed"
}
ok "isync: wrong words, nothing set up" beginner
ok "isync: what is not for bob, and what can be read in two ways, is told" status 65 sync
ok "isync: all the mail is there as it came" same "$(find "$T/sealed/INBOX" -name '*,U=*' -type f | wc -l)" 6
ok "isync: and opened beside it" same "$(subjects)" "Forged Stitched The Lindwurm matter With a picture "
ok "isync: each message says what it was, and the forged word is gone" same "$(first_lines)" "X-Recrypt-Status: opened signed alice@example.com
X-Recrypt-Status: opened unsigned
X-Recrypt-Status: plain
X-Recrypt-Status: plain"
ok "isync: there is no other such line" same "$(cat "$T/open/INBOX/new/"* | grep -ci '^X-Recrypt-')" 4
status_shown() { # where recrypt wrote it
  mkdir -p "$T/home/Mail" && cp -r "$T/open" "$T/home/Mail/open"
  LC_ALL=C.UTF-8 python3 "$SRC/test/integration/clients.py" "see Msgs:4" "key \\r" "see X-Recrypt-Status: " "key qq" -- mutt -n -F "$T/.muttrc" -f "$T/home/Mail/open/INBOX"
}
on_terminal "mutt: in what recrypt wrote the status is shown" status_shown
read_and_deleted() {
  local f; f=$(grep -l Lindwurm "$T/open/INBOX/new/"*)
  mv "$f" "$T/open/INBOX/cur/$(basename "$f"):2,RS" && rm "$(grep -l picture "$T/open/INBOX/new/"*)"
  sync
  same "$(subjects)" "Forged Stitched The Lindwurm matter "
}
ok "isync: what was read or deleted does not come again" read_and_deleted
held() { # another run's lock is waited for; one that stays is told
  local r lock=$T/open/.recrypt-lock
  (exec 9>"$lock"; flock 9; exec sleep 1) &
  wait_for 5 not flock -n "$lock" true
  status 65 sync || return
  (exec 9>"$lock"; flock 9; exec sleep 60) & r=$!
  wait_for 5 not flock -n "$lock" true
  status 75 sync >"$T/said" 2>&1 && grep "another one is at work" "$T/said"
  r="$? $r"; kill "${r#* }"
  return "${r% *}"
}
for i in $(seq 30); do letter "Many" "Message-ID: <$i@example.com>\r\n${text}$i\r\n" >"$T/letter"; as alice seal --offline --to $list "$T/letter" >"$T/many.$i" || break; done
drop bob "$T"/many.*
killed() {
  local n p
  for _ in $(seq 12); do
    TMPDIR=$T setsid recrypt-mbsync -o "-q -c $T/mbsyncrc -a" "$T/sealed" "$T/open" >/dev/null 2>&1 &
    p=$!
    sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
    kill -9 -- "-$p"; wait $p
  done 2>/dev/null
  echo "$(subjects | grep -o Many | wc -l) of 30 were there after that"
  sync
  n=$(cat "$T/open/INBOX"/new/* | sed -n 's/\r$//; s/^Message-ID: //p' | sort | uniq -c | awk '$1 == 1' | wc -l)
  same "$n" 30 && same "$(subjects | grep -o Many | wc -l)" 30
}
ok "isync: another run is waited for, not for ever" held
ok "isync: killed at any moment and run again: each message once" killed
tap_done
