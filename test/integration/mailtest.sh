# mailtest.sh - sourced by tests of the whole mail path: two domains with their servers as contrib/demo/world.sh starts
# them; alice (owner), bob, carol@example.net, and dave@example.net, who is no member of list@example.com. Ends the test
# when it is not root's.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
net=example.net com=example.com

mailtest_start() {
  if [ "$(id -u)" != 0 ]; then
    skip "the mail path" "Postfix and Dovecot need root to start"
    tap_done
  fi
  ok "two domains, their people and a list" mailtest_world
  [ "$tap_failed" = 0 ] || tap_done
}
mailtest_world() { world_start "$T" && story_keys && story_group; }

# letter SUBJECT [OCTETS] [TO]: what dave writes, in $letter. sealed ...: the same, sealed, in $sealed.
letters=0 letter='' sealed=''
letter() {
  letters=$((letters + 1)) letter=$T/home/dave/letter$letters.eml
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net "${3:-$list}" "$1" "$marker" "${2:-3000}" >"$letter"
}
sealed() {
  letter "$@"
  sealed=$T/sealed$letters.eml
  as dave "$recrypt" seal --to "${3:-$list}" "$letter" >"$sealed"
}
# remember PERSON@DOMAIN...: how many messages each has. more PERSON@DOMAIN N: so many have come since. newest: her
# latest's UID.
declare -A was
remember() { local p; for p in "$@"; do was[$p]=$(imap "$p" INBOX); done; }
more() { arrives "$1" $((${was[$1]} + $2)); }
# reads PERSON@DOMAIN: her newest message opens to the octets of $letter, and is signed by dave.
reads() { read_mail "$1" INBOX "$(imap "$1" INBOX)" "${2:-$letter}"; }
signed() { reads "$1" && grep -q 'signed by dave@example.net' "$WORLD/home/${1%@*}/verdict"; }
# submit_to DOMAIN FILE RECIPIENT...: one transaction from dave with several recipients.
submit_to() {
  local d=$1 file=$2 r to=(); shift 2
  for r in "$@"; do to+=(--mail-rcpt "$r"); done
  curl -sv --max-time 60 --url "smtp://$(world_ip "$d"):$(world_port "$d" smtp)/client.example" --mail-from dave@example.net "${to[@]}" \
    --upload-file "$file" >"$WORLD/smtp" 2>&1 || { sed -n 's/^\(< [245].*\)\r*$/\1/p' "$WORLD/smtp"; return 1; }
}
# sendmail(1) of a domain's private Postfix.
mailtest_sendmail() { local d=$1; shift; sendmail -C "$WORLD/$d/postfix/etc" "$@"; }
# within SECONDS TEXT DOMAIN SERVER: that server's log holds the text by then, after what it held at the last call of
# "mark".
mark() { mark_lines=$(wc -l <"$WORLD/$1/log/$2"); }
logged() { tail -n +$((mark_lines + 1)) "$WORLD/$3/log/$4" | grep -q -e "$2"; }
within() { world_wait "$1" logged "$@"; }
# How many grants a message's first recipient has.
grants_in() {
  "$python" - "$1" <<'PY'
import email, json, sys
part1 = email.message_from_bytes(open(sys.argv[1], "rb").read()).get_payload()[0].get_payload(decode=True)
print(len(json.loads(part1)["recipients"][0].get("header", {}).get("grants", [])))
PY
}
# A new setting of recryptd, read at once.
recryptd_set() { # DOMAIN NAME VALUE
  sed -i "s|^$2 *=.*|$2 = $3|" "$(world_conf "$1" recryptd)"
  mark "$1" recryptd
  kill -HUP "$(cat "$WORLD/$1/recryptd.pid")" && within 5 reload "$1" recryptd
}
# No file of the servers holds the plaintext.
sealed_everywhere() { "$python" "$SRC/contrib/demo/search.py" "$marker" -- "$WORLD/$com" "$WORLD/$net"; }
