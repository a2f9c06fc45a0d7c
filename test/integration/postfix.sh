#!/bin/bash
# postfix.sh: the other ways through a real Postfix than contrib/demo's: recrypt-lda behind LMTP, from local(8),
# delivering onwards; recipients mixed in one transaction; sendmail(1); bounces; encryption at the door.
. "$(dirname "$0")/mailtest.sh"
mailtest_start

# ---- recrypt-lda as an LMTP server, the same as by pipe(8)
# Fields that say by which way a message came.
without_trace() { sed -E '1,/^\r?$/{/^(Return-Path|X-Original-To|Delivered-To):/d;/^Received:/,/^[^ \t]/{/^Received:|^[ \t]/d}}' "$1"; }
by_pipe() {
  sealed "By two ways" 100000
  remember bob@example.com carol@example.net
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com || return
  cp "$WORLD/home/bob/fetched.eml" "$T/pipe.eml"
}
by_lmtp() {
  remember bob@example.com carol@example.net
  world_lmtp_start $com && world_postfix_sample $com lmtp.cf && mark $com postfix || return
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && more carol@example.net 1 || return
  logged 0 'relay=mail.example.com\[.*lmtp.sock\].*status=sent (250 2.0.0' $com postfix || { tail -5 "$T/$com/log/postfix"; return 1; }
  signed bob@example.com && signed carol@example.net && cp "$WORLD/home/bob/fetched.eml" "$T/lmtp.eml"
}
same_both_ways() {
  without_trace "$T/pipe.eml" >"$T/a"; without_trace "$T/lmtp.eml" >"$T/b"
  [ -s "$T/a" ] && cmp "$T/a" "$T/b" && same "$(grants_in "$T/lmtp.eml")" 0
}
archive_both_ways() { same "$(imap bob@example.com "Lists/$list")" 2; }
lmtp_and_others() { # an unknown address is Postfix's to refuse; a person's ordinary mail arrives
  ! submit $com dave@example.net nobody@example.com "$sealed" && grep -q '^< 550 5.1.1' "$WORLD/smtp" || return
  world_mailbox $com frank@example.com && remember frank@example.com
  submit $com dave@example.net frank@example.com "$sealed" && more frank@example.com 1
}
lmtp_away() { # the server stopped: the queue keeps the mail, and it arrives once
  sealed "While recrypt-lda is away"
  world_lmtp_stop $com; [ ! -e "$T/$com/lda/lmtp.sock" ] || { echo "its socket is left"; return 1; }
  remember bob@example.com; mark $com postfix
  submit $com dave@example.net $list "$sealed" && within 10 'bob@example.com.*status=deferred' $com postfix || return
  world_lmtp_start $com && world_flush $com && more bob@example.com 1 && signed bob@example.com
}
back_to_pipe() { world_postconf $com virtual_transport=recrypt && world_lmtp_stop $com; }
ok "by pipe(8): both members read" by_pipe
ok "by LMTP, with the sample's lines: both members read" by_lmtp
ok "bob's two copies differ in nothing but the trace of their way, and hold no grant" same_both_ways
ok "the archive has both" archive_both_ways
ok "other recipients by LMTP" lmtp_and_others
ok "recrypt-lda away: its mail waits, and comes once" lmtp_away
ok "back to pipe(8)" back_to_pipe

# ---- grants = embed
# Whose grants a message holds: the members that their statements name.
granted_to() {
  "$python" - "$1" <<'PY'
import base64, email, json, sys
part1 = json.loads(email.message_from_bytes(open(sys.argv[1], "rb").read()).get_payload()[0].get_payload(decode=True))
payloads = (g["dk"].split(".")[1] for r in part1["recipients"] for g in r.get("header", {}).get("grants", []))
print(*(json.loads(base64.urlsafe_b64decode(p + "=="))["member"] for p in payloads))
PY
}
embed_start() {
  echo 'grants = embed' >>"$(world_conf $com recrypt-lda)"
  person erin@example.com && as alice "$recrypt" add $list erin@example.com
}
embed_list() { # several members in one transaction: each one's copy has her own part alone
  sealed "With the grant inside"
  remember bob@example.com erin@example.com
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && more erin@example.com 1 && signed bob@example.com && signed erin@example.com || return
  same "$(granted_to "$WORLD/home/bob/fetched.eml")" bob@example.com && same "$(granted_to "$WORLD/home/erin/fetched.eml")" erin@example.com
}
embed_device() { # to bob himself: his telephone's
  world_home phone
  as phone "$recrypt" device connect bob@example.com --name phone >"$T/code" &&
    as bob "$recrypt" device accept "$(head -n 1 "$T/code")" || return
  sealed "With the telephone's grant" 3000 bob@example.com
  remember bob@example.com
  submit $com dave@example.net bob@example.com "$sealed" && more bob@example.com 1 && signed bob@example.com &&
    same "$(granted_to "$WORLD/home/bob/fetched.eml")" bob+phone@example.com &&
    read_on phone bob@example.com INBOX "$(imap bob@example.com INBOX)" "$letter"
}
embed_door() { # what comes in the clear is encrypted at the door, and gets it as well
  letter "In the clear" 100 bob@example.com
  remember bob@example.com
  submit $com dave@example.net bob@example.com "$letter" && more bob@example.com 1 && reads bob@example.com &&
    same "$(granted_to "$WORLD/home/bob/fetched.eml")" bob+phone@example.com
}
embed_end() {
  as bob "$recrypt" device remove phone && as alice "$recrypt" remove $list erin@example.com && sed -i '/^grants = embed/d' "$(world_conf $com recrypt-lda)"
}
ok "grants = embed" embed_start
ok "each member's copy has her grant alone, and opens" embed_list
ok "mail to a person has each of her devices' grants" embed_device
ok "so has what was encrypted at the door" embed_door
ok "back to grants that are made on fetching" embed_end

# ---- onwards: into Dovecot by LMTP, and to a remote member by SMTP
onwards() {
  cat >>"$(world_conf $com recrypt-lda)" <<CONF
domain "example.com" { deliver = "lmtp:unix:$T/$com/dovecot/run/lmtp" }
domain "example.net" { deliver = "smtp:127.0.0.2:$(world_port $net smtp)" }
CONF
  world_postconf $com "transport_maps=inline:{example.net=recrypt}" || return
  sealed "Onwards" 50000
  remember bob@example.com carol@example.net
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && more carol@example.net 1
}
onwards_lmtp() {
  signed bob@example.com && same "$(grants_in "$WORLD/home/bob/fetched.eml")" 0 && grep -q 'with LMTP' "$WORLD/home/bob/fetched.eml"
}
onwards_smtp() { # her copy has her own grant alone, unlike one that came without recrypt-lda
  signed carol@example.net && same "$(grants_in "$WORLD/home/carol/fetched.eml")" 1
}
onwards_refused() { # the next server knows no such person: a bounce to the owner, not a message that is tried for days
  world_mailbox $com gone@example.com; remember frank@example.com; mark $com postfix
  sed -i 's|lmtp:unix:.*lmtp"|smtp:127.0.0.2:'"$(world_port $net smtp)"'"|' "$(world_conf $com recrypt-lda)"
  submit $com frank@example.com gone@example.com "$sealed" && within 10 'gone@example.com.*dsn=5.*status=bounced' $com postfix
}
onwards_end() {
  sed -i '/^domain /d' "$(world_conf $com recrypt-lda)"
  world_postconf $com "transport_maps=inline:{example.net=smtp:[127.0.0.2]:$(world_port $net smtp)}"
}
ok "deliver = lmtp: and smtp:, each by its domain" onwards
ok "Dovecot's LMTP has bob's copy, which he reads" onwards_lmtp
ok "carol's copy went by SMTP, with her grant alone, and she reads it" onwards_smtp
ok "the next server's refusal bounces" onwards_refused
ok "back to Maildirs" onwards_end

# ---- mailbox_command: a member who is a system user of the host; games is one on every Debian
host=host.example.com
local_start() {
  local w=$T/$com
  install -d -o games -g games -m 700 "$w/local"
  # Her home is not ours to write to.
  { world_config $com "$SRC/contrib/recrypt-lda-local.conf" | sed 's|%h/Maildir|%n/Maildir|'; echo "mail_root = \"$w/local\""; } \
    >"$w/etc/recrypt-lda-local.conf"
  echo "user_domain = \"$host\"" >>"$(world_conf $com recryptd)"
  recryptd_set $com domains "{\"$com\", \"$host\"}" && world_postconf $com "mydestination=$host" && world_postfix_sample $com local.cf || return
  world_home games
  head -n 3 "$WORLD/home/alice/recrypt.conf" | sed "s|\"$com\"|\"$host\"|" >"$T/section"
  cat "$T/section" >>"$WORLD/home/games/recrypt.conf"; cat "$T/section" >>"$WORLD/home/alice/recrypt.conf"
  as games "$recrypt" personal games@$host --token "$(world_invite $com games@$host)" || return
  as alice "$recrypt" add $list games@$host
}
local_files() { find "$T/$com/local" -path '*/new/*' -type f | wc -l; } # what is in tmp/ is not delivered yet
local_reads() {
  sealed "To a system user" 50000
  submit $com dave@example.net $list "$sealed" && world_wait 30 eval '[ "$(local_files)" = 1 ]' || return
  cp "$T"/$com/local/games/Maildir/new/* "$T/home/games/got.eml" && same "$(grants_in "$T/home/games/got.eml")" 0 || return
  same "$(stat -c %U "$T"/$com/local/games/Maildir/new/*)" games || return
  as games "$recrypt" open "$T/home/games/got.eml" >"$T/home/games/opened.eml" && cmp "$T/home/games/opened.eml" "$letter"
}
local_bounce() { # the null sender, and an address extension
  letter "To a system user" 100 "games+news@$host"
  submit $com "" "games+news@$host" "$letter" && world_wait 30 eval '[ "$(local_files)" = 2 ]' && grep -q '^Return-Path: <>' "$T"/$com/local/games/Maildir/new/* && return
  find "$T/$com/local" -type f; tail -n 12 "$T/$com/log/postfix"; return 1
}
asks() { # ACCOUNT: what recryptd tells games about it
  setpriv --reuid=games --regid=games --clear-groups "$python" - "$T/$com/run/recryptd.sock" "$sealed" "$1" <<'PY'
import base64, email, json, socket, struct, sys
def ask(request):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
    data = json.dumps(request).encode(); s.sendall(struct.pack(">I", len(data)) + data)
    head = s.recv(4)
    if len(head) < 4:  # closed: not permitted
        return "closed"
    n, got = struct.unpack(">I", head)[0], b""
    while len(got) < n:
        got += s.recv(n - len(got))
    body = list(json.loads(got).values())[0]
    return body.get("Kind", body["Status"])
part1 = json.loads(email.message_from_bytes(open(sys.argv[2], "rb").read()).get_payload()[0].get_payload(decode=True))
head = json.loads(base64.urlsafe_b64decode(part1["protected"] + "=="))
head.update(part1["recipients"][0].get("header", {}))
print(ask({"ResolveRequest": {"Address": sys.argv[3]}}),
      ask({"GrantRequest": {"Account": sys.argv[3], "GroupKeyID": head["kid"], "EphemeralKey": head["epk"]}}),
      ask({"ExpandRequest": {"GroupKeyID": head["kid"], "EphemeralKey": head["epk"]}}))
PY
}
local_others() { # members and others alike: nothing; games herself: hers
  same "$(asks bob@example.com)" "none 404 closed" && same "$(asks $list)" "none 404 closed" && same "$(asks nobody@example.com)" "none 404 closed" &&
    same "$(asks games@$host)" "person 201 closed"
}
local_end() {
  as alice "$recrypt" remove $list games@$host && world_postconf $com mydestination= mailbox_command= && recryptd_set $com user_domain '""' || return
  same "$(asks games@$host)" "closed closed closed"
}
ok "mailbox_command, with the sample's lines: a system user joins" local_start
ok "her own copy, in her own mailbox, which she reads" local_reads
ok "also from the null sender, with an extension" local_bounce
ok "recryptd tells her about herself and about nobody else" local_others
ok "without user_domain nothing at all" local_end

# ---- a list and others in one transaction
mixed() { # RECIPIENT...
  sealed "To a list and others"
  remember bob@example.com carol@example.net frank@example.com; mark $net postfix
  submit_to $net "$sealed" "$@" && within 10 'status=deferred (host .* said: 452 4.5.3' $net postfix || return
  world_flush $net && more bob@example.com 1 && more carol@example.net 1 && more frank@example.com 1 && signed bob@example.com &&
    same "$(world_queue $net)" 0
}
ok "list and others: 452 4.5.3 for the others, who get theirs next; each once" mixed $list frank@example.com
ok "others and list: the same" mixed frank@example.com $list

# ---- sendmail(1)
sendmail_plain() {
  letter "By sendmail, in the clear"
  remember bob@example.com carol@example.net dave@example.net
  mailtest_sendmail $com -i -f dave@example.net $list <"$letter" && more dave@example.net 1 && more bob@example.com 0 && more carol@example.net 0 || return
  imap dave@example.net INBOX "$(imap dave@example.net INBOX)" >"$T/home/dave/bounce.eml"
  as dave "$recrypt" open "$T/home/dave/bounce.eml" >"$T/home/dave/bounce.txt" || return
  grep -q "5.7.1" "$T/home/dave/bounce.txt" && grep -q "recrypt key $list" "$T/home/dave/bounce.txt" || { cat "$T/home/dave/bounce.txt"; return 1; }
}
sendmail_sealed() {
  sealed "By sendmail, sealed"
  remember bob@example.com carol@example.net
  mailtest_sendmail $com -i -f dave@example.net $list <"$sealed" && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com
}
ok "sendmail(1), in the clear: no member gets it, the sender is told why and how" sendmail_plain
ok "sendmail(1), sealed: delivered" sendmail_sealed

# ---- bounces
refused_member() { # erin joins; then her server knows her no more
  person erin@example.net && as alice "$recrypt" add $list erin@example.net || return
  sed -i /^erin@/d "$T/$net/postfix/etc/recrypt_mailboxes"
  world_mailbox $net
  sealed "To one who has gone"
  remember alice@example.com bob@example.com carol@example.net dave@example.net; mark $com postfix
  mailtest_sendmail $com -i -N success,delay,failure -f dave@example.net $list <"$sealed" &&
    within 10 'erin@example.net.*status=bounced' $com postfix && more alice@example.com 1
}
owner_reads() {
  local got=$T/home/alice/bounce.eml
  imap alice@example.com INBOX "$(imap alice@example.com INBOX)" >"$got"
  grep -qi '^Content-Type: multipart/encrypted' "$got" && ! grep -qi erin "$got" || { echo "it is readable on the server"; return 1; }
  as alice "$recrypt" open "$got" >"$T/home/alice/bounce.txt" && grep -q 'erin@example.net' "$T/home/alice/bounce.txt" && grep -q '5\.1\.1' "$T/home/alice/bounce.txt"
}
nobody_else() {
  more dave@example.net 0 && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com &&
    same "$(world_queue $com)" 0 && as alice "$recrypt" remove $list erin@example.net
}
bounce_from_outside() { # another server's bounce, in the clear, with the null sender
  remember alice@example.com bob@example.com carol@example.net
  letter "Undeliverable" 100 list+bounce@example.com
  submit $com "" list+bounce@example.com "$letter" && more alice@example.com 1 && reads alice@example.com && more bob@example.com 0 || return
  ! submit $com "" $list "$letter" && grep -q '^< 550.5.7.1' "$WORLD/smtp"
}
ok "a member's server refuses her: the owner gets the bounce" refused_member
ok "encrypted at the door; she reads who it was" owner_reads
ok "and nobody else hears of it, though the sender asked for every notification" nobody_else
ok "a bounce from outside reaches the owner alone, and none the list" bounce_from_outside

# ---- a person's own mail
door_encrypt() {
  letter "For bob alone" 20000 bob@example.com
  remember bob@example.com
  submit $com dave@example.net bob@example.com "$letter" && more bob@example.com 1 && reads bob@example.com && grep -q 'not signed' "$WORLD/home/bob/verdict" || return
  ! grep -q 'For bob alone' "$WORLD/home/bob/fetched.eml"
}
ends_with() { "$python" -c 'import sys; a, b = (open(f, "rb").read() for f in sys.argv[1:]); sys.exit(not a.endswith(b))' "$1" "$2"; }
unchanged() { imap bob@example.com INBOX "$(imap bob@example.com INBOX)" >"$T/unchanged.eml" && ends_with "$T/unchanged.eml" "$1"; }
past_the_door() { # an alias: the milter sees the address before it is expanded
  letter "Past the door for bob" 20000 root@example.com
  remember bob@example.com
  "$BUILD/recrypt-lda" -c "$(world_conf $com recrypt-lda)" -f dave@example.net -d bob@example.com <"$letter" &&
    more bob@example.com 1 && reads bob@example.com && grep -q 'not signed' "$WORLD/home/bob/verdict" || return
  ! grep -q 'Past the door' "$WORLD/home/bob/fetched.eml"
}
door_sealed() {
  sealed "Sealed for bob" 20000 bob@example.com
  remember bob@example.com
  submit $com dave@example.net bob@example.com "$sealed" && more bob@example.com 1 && unchanged "$sealed" && signed bob@example.com
}
door_pass() {
  recryptd_set $com person_plaintext '"pass"' || return
  letter "In the clear for bob" 20000 bob@example.com
  remember bob@example.com
  submit $com dave@example.net bob@example.com "$letter" && more bob@example.com 1 && unchanged "$letter"
  local status=$?
  recryptd_set $com person_plaintext '"encrypt"' && return $status
}
door_two() { # two persons need two encryptions: the second is asked for again
  letter "For two" 2000 bob@example.com
  remember bob@example.com alice@example.com; mark $net postfix
  submit_to $net "$letter" bob@example.com alice@example.com && within 10 'said: 452 4.5.3' $net postfix && world_flush $net &&
    more bob@example.com 1 && more alice@example.com 1 && same "$(world_queue $net)" 0
}
ok "plaintext = encrypt: sealed at the door, opens byte for byte" door_encrypt
ok "what came by another way is sealed by recrypt-lda" past_the_door
ok "what is sealed for bob already passes unchanged, to the octet" door_sealed
ok "plaintext = pass, read at SIGHUP: passes unchanged" door_pass
ok "two persons in one transaction: each once" door_two
tap_done
