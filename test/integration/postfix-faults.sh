#!/bin/bash
# postfix-faults.sh: what must not get through, or get lost, in a real Postfix: the milter bypassed, stopped, killed;
# smuggled and forged messages; reload under traffic; a restore from backup; files of a list; a clean stop.
. "$(dirname "$0")/mailtest.sh"
mailtest_start
raw() { "$python" "$SRC/test/integration/smtp-raw.py" 127.0.0.1 "$(world_port $com smtp)" dave@example.net "$@"; }
boxes() { find "$T/$com/mail" "$T/$net/mail" -type f -path '*Maildir*' -name '*,*' -o -type f -path '*/new/*' | grep -vc dovecot; }

# ---- the milter bypassed
bypass() {
  world_postconf $com smtpd_milters= || return
  sealed "Past the milter"; cp "$letter" "$T/bypass.eml"
  letter "Past the milter, in the clear"
  remember bob@example.com carol@example.net dave@example.net; mark $com postfix
  submit $com dave@example.net $list "$sealed" && submit $com dave@example.net $list "$letter" || return
  world_wait 10 eval '[ "$(tail -n +$mark_lines "$T/$com/log/postfix" | grep -c "to=<$list>.*dsn=4.7.1, status=deferred")" -ge 2 ]' || return
  more bob@example.com 0 && more carol@example.net 0 && same "$(imap bob@example.com "Lists/$list")" 0 && same "$(world_queue $com)" 2
}
bypass_nothing() { # not below the mailboxes and the archive, whatever the queue holds
  "$python" "$SRC/contrib/demo/search.py" "$marker" -- "$T/$com/mail" "$T/$com/recryptd" "$T/$net"
}
bypass_repair() { # doc/admin.md: the milter back, each message is submitted once more
  local c=$T/$com/postfix/etc id
  world_postconf $com "smtpd_milters=unix:$T/$com/milter/milter.sock" || return
  for id in $(postqueue -c "$c" -j | sed 's/.*"queue_id": "\([^"]*\)".*/\1/'); do
    postcat -c "$c" -qhb "$id" | sendmail -C "$c" -i -f dave@example.net $list && postsuper -c "$c" -d "$id" 2>/dev/null || return
  done
  more bob@example.com 1 && more carol@example.net 1 && reads bob@example.com "$T/bypass.eml" && more dave@example.net 1 && same "$(world_queue $com)" 0
}
ok "the milter bypassed: sealed or not, the message waits" bypass
ok "nothing of it in a mailbox, the archive or the key store" bypass_nothing
ok "submitted once more with the milter back: the sealed one arrives, the other goes back to its sender" bypass_repair

# ---- the milter stopped and killed
milter_stopped() {
  world_milter_stop $com
  [ ! -e "$T/$com/milter/milter.sock" ] || { echo "its socket is left"; return 1; }
  sealed "While the milter is away"
  remember bob@example.com carol@example.net frank@example.com; mark $net postfix
  ! submit $com dave@example.net $list "$sealed" && grep -q '^< 4[0-9][0-9] 4\.' "$WORLD/smtp" || { cat "$WORLD/smtp"; return 1; }
  submit $net dave@example.net $list "$sealed" && within 10 'status=deferred' $net postfix && more bob@example.com 0 || return
  world_milter_start $com && world_flush $net && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com && same "$(world_queue $net)" 0
}
# The client has sent half of the message, or all but the last dot; then the milter is killed.
milter_killed() { # slow|ready
  sealed "Killed" 300000
  remember bob@example.com carol@example.net
  raw $list "$sealed" "$1" >"$T/answer" 2>&1 &
  local client=$!
  world_wait 10 grep -q sent "$T/answer" && { [ "$1" = slow ] || sleep 0.5; } && kill -9 "$(cat "$T/$com/milter.pid")"
  touch "$sealed.go"
  wait $client
  more bob@example.com 0 && more carol@example.net 0 && same "$(world_queue $com)" 0 || return
  rm "$T/$com/milter.pid"
  world_milter_start $com && grep -q '^4[0-9][0-9] 4\.' "$T/answer" || { cat "$T/answer"; return 1; }
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && signed bob@example.com
}
# Killed at one of its own writes while it hands over the new body, header and recipients: all of it or nothing. The
# long form does not end before it has written all.
milter_killed_writing() {
  local n taken=0 refused=0 pid
  sealed "Killed while writing" 200000
  for n in ${LONG:+$(seq 200)} 3 6 9; do
    remember bob@example.com
    pid=$(cat "$T/$com/milter.pid")
    strace -f -qq -o /dev/null -e trace=writev,write -e inject=writev,write:signal=KILL:when=$n -p "$pid" &
    local tracer=$!
    world_wait 5 grep -q 'TracerPid:[[:space:]]*[1-9]' "/proc/$pid/status" || return
    if submit $com dave@example.net $list "$sealed"; then
      taken=$((taken + 1)); more bob@example.com 1 && signed bob@example.com || return
    else
      grep -q '^< 4[0-9][0-9] 4\.' "$WORLD/smtp" || { cat "$WORLD/smtp"; return 1; }
      refused=$((refused + 1)); more bob@example.com 0 || return
    fi
    kill "$tracer" 2>/dev/null; wait "$tracer"
    if kill -0 "$pid" 2>/dev/null; then
      [ $taken = 0 ] || break
    else
      rm "$T/$com/milter.pid" && world_milter_start $com || return
    fi
  done
  tell "$taken taken, $refused refused"
  [ "$refused" -ge 2 ] && [ -z "${LONG:-}" -o "$taken" -gt 0 ] && same "$(world_queue $com)" 0
}
ok "the milter stopped: 4.x, its socket gone; back again: delivered once" milter_stopped
ok "killed when half of the message had come: 4.x, nothing passes" milter_killed slow
ok "killed before the last dot: 4.x, nothing passes" milter_killed ready
if strace -o /dev/null true 2>/dev/null; then
  ok "killed at one write after another: whole and sealed, or 4.x" milter_killed_writing
else
  skip "killed at one write after another" "strace may not trace here"
fi

# ---- forged and smuggled
smuggled() { # whatever end a client dreams up, it is one message, and what stood behind it is its text
  local end got
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net frank@example.com "An ordinary message" "nothing secret" >"$T/plain.eml"
  world_mailbox $com frank@example.com; remember frank@example.com
  for end in n.n n.rn rn.n r.r r.rn rn.r nr.nr n.r rn..rn; do
    got=$(raw frank@example.com "$T/plain.eml" "$end") || return
    [ "$got" = 1 ] || { echo "after $end: $got messages were taken"; return 1; }
  done
  more frank@example.com 9
}
smuggled_list() { # the same towards the list, behind a sealed message: no plaintext gets in
  local end
  sealed "With company"
  remember bob@example.com
  for end in n.n n.rn rn.n; do same "$(raw $list "$sealed" "$end")" 1 || return; done
  more bob@example.com 3 && signed bob@example.com || return
  "$python" "$SRC/contrib/demo/search.py" "$marker" "smuggled behind it" -- "$T/$com/mail/example.com/bob" "$T/$com/mail/archives"
}
bare_lf() { # a sealed message whose lines ended in LF alone still opens
  sealed "With bare line feeds" 50000
  tr -d '\r' <"$sealed" >"$T/lf.eml"
  remember bob@example.com
  touch "$T/lf.eml.go"
  same "$(raw $list "$T/lf.eml" ready | tail -n 1 | cut -c1-3)" 250 && more bob@example.com 1 && signed bob@example.com
}
bare_cr() { # which some programs take for a line's end: Postfix makes a space of it, and where it does not the milter refuses
  sealed "With a bare CR"
  "$python" -c 'import sys; d = open(sys.argv[1], "rb").read(); at = d.rindex(b"\r\n", 0, len(d) - 200); open(sys.argv[2], "wb").write(d[:at - 9] + b"\r" + d[at - 9:])' \
    "$sealed" "$T/cr.eml"
  touch "$T/cr.eml.go"
  remember bob@example.com
  case $(raw $list "$T/cr.eml" ready | tail -n 1) in
    "550 5.6.0"*) more bob@example.com 0 ;;
    "250 "*) more bob@example.com 1 && signed bob@example.com && "$python" -c 'import re, sys; sys.exit(bool(re.search(rb"\r(?!\n)", open(sys.argv[1], "rb").read())))' "$WORLD/home/bob/fetched.eml" ;;
    *) return 1 ;;
  esac
}
two_from() {
  sealed "Two senders"
  remember bob@example.com
  { printf 'From: alice@example.com\r\n'; cat "$sealed"; } >"$T/two.eml"
  ! submit $com dave@example.net $list "$T/two.eml" && grep -q '^< 550 5.6.0' "$WORLD/smtp" && more bob@example.com 0
}
# A sender's own grants, with a text in them for one member, and fields of a list, of recrypt and of readers, each N
# times: taken out, and the list's put there once.
forged() { # N
  local name f
  sealed "With $1 of each"
  "$python" - "$sealed" "$T/forged.eml" "$1" <<'PY'
import base64, email, email.policy, json, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.SMTP)
part, n = m.get_payload()[0], int(sys.argv[3])
j = json.loads(part.get_payload(decode=True))
t = base64.urlsafe_b64encode(b"forged-forged-fo").decode().rstrip("=")
j["recipients"][0].setdefault("header", {})["grants"] = [{"t": t, "u": t + t, "dk": "forged.for.bob"}] * n
part.set_payload(json.dumps(j, indent=1).replace("\n", "\r\n"))
del part["Content-Transfer-Encoding"]
names = ("List-Id", "List-Post", "list-unsubscribe", "List-Owner", "Precedence", "X-Recrypt-Status", "X-RECRYPT-Verdict", "Disposition-Notification-To",
         "Return-Receipt-To", "Autocrypt")
top = "".join(f"{name}: <evil{i}.example>\r\n" for i in range(n) for name in names)
open(sys.argv[2], "wb").write(top.encode() + m.as_bytes())
PY
  remember bob@example.com carol@example.net
  submit $com dave@example.net $list "$T/forged.eml" && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com && signed carol@example.net || return
  same "$(grants_in "$WORLD/home/bob/fetched.eml")" 0 && same "$(grants_in "$WORLD/home/carol/fetched.eml")" 8 || return
  for f in bob carol; do
    f=$WORLD/home/$f/fetched.eml
    ! grep -i 'forged\|evil[0-9]\|X-Recrypt-Status\|X-Recrypt-Verdict\|^List-Unsubscribe\|^Autocrypt' "$f" || return
    for name in List-Id List-Post List-Owner Precedence X-Recrypt-Hop; do same "$name $(grep -ci "^$name:" "$f")" "$name 1" || return; done
  done
}
own_list_id() {
  { printf 'List-Id: <list.example.com>\r\n'; cat "$sealed"; } >"$T/loop.eml"
  remember bob@example.com
  ! submit $com dave@example.net $list "$T/loop.eml" && grep -q '^< 554 5.4.6' "$WORLD/smtp" && more bob@example.com 0
}
ok "no odd end of a message smuggles in another" smuggled
ok "nor to the list: no member and no archive sees what stood behind the sealed message" smuggled_list
ok "a sealed message with bare line feeds opens" bare_lf
ok "no bare CR gets through" bare_cr
ok "two From fields are refused" two_from
for n in 1 2 5; do ok "forged grants and fields, $n of each: gone from each copy, the list's own are there once" forged $n; done
ok "the list's own mark: a loop" own_list_id

# ---- reload under traffic
traffic() {
  local i
  sealed "Traffic" 20000
  remember bob@example.com carol@example.net
  (for i in $(seq 12); do submit $com dave@example.net $list "$sealed" >/dev/null || echo "message $i was refused"; done) >"$T/refused" &
  local sender=$!
  while kill -0 $sender 2>/dev/null; do
    kill -HUP "$(cat "$T/$com/recryptd.pid")" "$(cat "$T/$com/milter.pid")"; sleep 0.05
  done
  cat "$T/refused"
  [ ! -s "$T/refused" ] && more bob@example.com 12 && more carol@example.net 12 && grep -q 'configuration reloaded' "$T/$com/log/milter"
}
ok "recryptd and milter reloaded all the time: each of twelve messages arrives once" traffic

# ---- files of a list
files() {
  head -c 300000 /dev/urandom >"$T/home/dave/plan.bin"
  as dave "$recrypt" encrypt $list "$T/home/dave/plan.bin" && [ ! -e "$T/home/bob/plan.bin" ] && cp "$T/home/dave/plan.bin.jcd" "$T/home/bob/" &&
    cp "$T/home/dave/plan.bin.jcd" "$T/home/carol/" && cp "$T/home/dave/plan.bin.jcd" "$T/home/dave/foreign.jcd" &&
    as bob "$recrypt" decrypt "$T/home/bob/plan.bin.jcd" && cmp "$T/home/bob/plan.bin" "$T/home/dave/plan.bin"
}
files_stranger() { must_fail 77 "no grant" as dave "$recrypt" decrypt "$T/home/dave/foreign.jcd" && [ ! -e "$T/home/dave/foreign" ]; }
ok "a file for the list, which a member decrypts with the service" files
ok "and nobody else does" files_stranger

# ---- restored from backup
store=$T/$com/recryptd/keystore
as_daemon() { setpriv --reuid=daemon --regid=daemon --clear-groups "$@"; }
backup() {
  world_service_stop $com
  as_daemon "$BUILD/recrypt-keystore" dump "$store" >"$T/dump.jsonl" && cp -a "$store" "$T/keystore.old" && world_service_start $com &&
    as alice "$recrypt" remove $list carol@example.net
}
removed_files() {
  rm -rf "$T/home/carol/shares"
  must_fail 77 "no grant" as carol "$recrypt" decrypt "$T/home/carol/plan.bin.jcd" && [ ! -e "$T/home/carol/plan.bin" ]
}
put_back() {
  world_service_stop $com
  mv "$store" "$T/keystore.new" && cp -a "$T/keystore.old" "$store"
  must_fail 73 "restored copy" "$BUILD/recryptd" -f -c "$(world_conf $com recryptd)" && rm -rf "$store"
}
loaded() {
  (umask 077; as_daemon "$BUILD/recrypt-keystore" load "$store" <"$T/dump.jsonl") && world_service_start $com &&
    sealed "After the restore" || return
  remember bob@example.com carol@example.net; mark $net postfix
  submit $net dave@example.net $list "$sealed" && within 10 'status=deferred.*45[0-9] 4\.' $net postfix && more bob@example.com 0 && more carol@example.net 0 || return
  # Nor a grant for what she has: not for carol, and not for bob either.
  ! as carol "$recrypt" decrypt "$T/home/carol/plan.bin.jcd"
}
confirmed() {
  as alice "$recrypt" members --confirm $list && world_flush $net && more bob@example.com 1 && signed bob@example.com && more carol@example.net 0 || return
  must_fail 77 "no grant" as carol "$recrypt" decrypt "$T/home/carol/plan.bin.jcd" && ! as alice "$recrypt" members $list | grep carol
}
ok "dumped; then carol is removed" backup
ok "from now on no grant for the file she has" removed_files
ok "old files put back in place: recryptd refuses to start and says why" put_back
ok "loaded from the dump: mail to the list waits, nobody gets a grant" loaded
ok "confirmed by its owner: the mail arrives, carol has not come back" confirmed

# ---- the end
stopped() {
  world_lmtp_start $com && world_stop
  local left; left=$(find "$T/$com" "$T/$net" \( -type s -o -name '*.pid' -o -path '*/Maildir/tmp/*' \) ! -path '*/postfix/*' ! -path '*/dovecot/*')
  [ -z "$left" ] || { echo "left: $left"; return 1; }
  sealed_everywhere
}
ok "stopped: no socket, no pid file, no temporary file; no file of the servers holds the plaintext" stopped
tap_done
