#!/bin/bash
# What a user of the mail host who is nobody to this service can see: not who is on a list. With the sample
# configuration.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
if [ "$(id -u)" != 0 ]; then
  skip "users of the mail host" "Postfix needs root to start"
  tap_done
fi
com=example.com
# Postfix' programs that read its queue have that group; the rest is the user's own.
stranger() { setpriv --reuid=games --regid=postdrop --clear-groups "$@"; }

found() { person alice@$com && person bob@$com && world_mailbox $com $list && as alice "$recrypt" newgroup $list && as alice "$recrypt" add $list bob@$com; }
# Bob's copy waits in the queue, since his mailbox cannot be written.
waits() {
  install -d -o mail -m 700 "$WORLD/$com/mail/$com/bob"
  install -d -m 700 "$WORLD/$com/mail/$com/bob/Maildir"
  "$python" "$SRC/contrib/demo/compose.py" dave@example.net $list "Hello" "text" >"$T/plain.eml"
  as alice "$recrypt" seal --unsigned --to $list <"$T/plain.eml" >"$T/sealed.eml" && submit $com dave@example.net $list "$T/sealed.eml" &&
    world_wait 10 grep -q 'to=<bob@example.com>.*status=deferred' "$WORLD/$com/log/postfix"
}
queue() { "$@" postqueue -c "$WORLD/$com/postfix/etc" "$way"; }
hidden() { # WAY: nothing of it on either stream
  local way=$1 said
  queue command 2>&1 | grep -q bob@ || { echo "root does not see it either"; return 1; }
  said=$(queue stranger 2>&1)
  echo "$said"
  ! grep -q 'bob@' <<<"$said" && grep -q 'not allowed to view the mail queue' <<<"$said"
}
# Files that name members: what another user can read or list of a domain's folder, logs of the servers aside (who reads
# those is up to syslog), and but for Postfix' own files and the configuration.
readable() {
  local d=$WORLD/$com f
  for f in log/access.log recryptd mail postfix/queue/deferred; do
    [ -e "$d/$f" ] || { echo "no $f"; return 1; }
    if setpriv --reuid=games --regid=games --clear-groups test -r "$d/$f"; then echo "$f can be read"; return 1; fi
  done
}
# Where anybody could put a link to something else, and root's servers would write to that.
writable() {
  local found
  found=$(find "$WORLD" ! -type l ! -type s -perm -o+w)
  echo "$found"
  [ -z "$found" ]
}
asks() {
  "$python" - "$WORLD/$com/run/recryptd.sock" "$1" <<'PY'
import json, os, socket, struct, sys
os.setgroups([]); os.setgid(60); os.setuid(5)
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
data = sys.argv[2].encode()
s.sendall(struct.pack(">I", len(data)) + data)
sys.exit(0 if s.recv(1) == b"" else "it was answered")
PY
}

ok "two domains start" world_start "$T"
ok "a list with a member" found
ok "a message of the list's waits for her" waits
ok "the queue is not shown" hidden -p
ok "nor as JSON" hidden -j
ok "files that name members cannot be read" readable
ok "nothing can be written" writable
for request in '{"ResolveRequest":{"Address":"bob@example.com"}}' '{"FanoutNextRequest":{"Job":"00000000000000000000000000000000","From":0}}'; do
  ok "recryptd closes on ${request:2:7}..." asks "$request"
done
tap_done
