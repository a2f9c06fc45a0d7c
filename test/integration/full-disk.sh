#!/bin/bash
# full-disk.sh: no space for the mailboxes, the access log, the key store: mail waits, what was acknowledged is there, nothing is lost.
. "$(dirname "$0")/mailtest.sh"
mounted=
end() {
  world_stop
  for m in $mounted; do umount "$m"; done
  tap_end
}
trap end EXIT
small() { # FOLDER SIZE: a file system of its own
  mkdir -p "$1" && mount -t tmpfs -o "size=$2" tmpfs "$1" && mounted="$1 $mounted"
}
fill() { dd if=/dev/zero of="$1/junk" bs=4k >/dev/null 2>&1; [ "$(df --output=avail "$1" | tail -n 1)" -eq 0 ]; }
if [ "$(id -u)" != 0 ] || ! small "$T/small" 64k 2>/dev/null; then
  skip "full disk" "no file system can be mounted here"
  tap_done
fi
chmod 777 "$T/small"
small "$T/$com/mail" 3m
small "$T/$com/recryptd" 8m
mailtest_start

# ---- the mailboxes
boxes_full() {
  sealed "To a full disk" 400000 && fill "$T/$com/mail" || return
  mark $com postfix
  submit $net dave@example.net $list "$sealed" && within 10 'bob@example.com.*dsn=4\.[0-9.]*, status=deferred' $com postfix || return
  # carol, who is elsewhere, has hers; the archive waits as bob does.
  arrives carol@example.net 1 && within 10 'list+archive.*status=deferred' $com postfix && same "$(find "$T/$com/mail" -path '*/Maildir/*' -type f -size +4k | wc -l)" 0
}
boxes_freed() {
  rm "$T/$com/mail/junk"
  world_flush $com && arrives bob@example.com 1 && signed bob@example.com && arrives carol@example.net 1 && same "$(imap bob@example.com "Lists/$list")" 1 &&
    same "$(cd "$T/$com/mail" && find . -path '*/tmp/*' -type f)" ""
}
ok "no space for the mailboxes: the message waits, and leaves no piece of it" boxes_full
ok "space again: it arrives, once, and so in the archive" boxes_freed

# ---- the access log: without its line there is no grant
log_full() {
  fill "$T/small" && recryptd_set $com access_log "\"$T/small/access.log\"" || return
  sealed "Without a log"
  remember bob@example.com carol@example.net; mark $net postfix
  submit $net dave@example.net $list "$sealed" && within 10 'status=deferred.*45[0-9] 4\.' $net postfix && more bob@example.com 0 && more carol@example.net 0
}
log_freed() { rm "$T/small/junk"; world_flush $net && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com; }
ok "no space for the access log: no grant, the message waits with its sender" log_full
ok "space again: delivered once" log_freed

# ---- the key store
carol=
store_full() { # a member leaves and comes back until one of it is refused
  local i status
  fill "$T/$com/recryptd" || return
  for i in $(seq 12); do
    as alice "$recrypt" remove $list carol@example.net >"$T/out" 2>&1; status=$?
    [ $status = 0 ] || { carol=member; break; }
    as alice "$recrypt" add $list carol@example.net >"$T/out" 2>&1; status=$?
    [ $status = 0 ] || { carol=none; break; }
  done
  cat "$T/out"
  echo "refused after $i rounds with $status"
  [ $status = 75 ]
}
store_freed() { # what the owner was told is so, and the list works
  rm -f "$T/$com/recryptd/junk"
  world_service_stop $com
  "$BUILD/recryptd" -c "$(world_conf $com recryptd)" --check && world_service_start $com || return
  as alice "$recrypt" members $list >"$T/members" && same "$(grep -q carol "$T/members" && echo member || echo none)" $carol || return
  as alice "$recrypt" add $list carol@example.net >"$T/out" 2>&1 || grep -q 'carol@example.net is a member' "$T/out" || { cat "$T/out"; return 1; }
  sealed "After all that"
  remember bob@example.com carol@example.net
  submit $com dave@example.net $list "$sealed" && more bob@example.com 1 && more carol@example.net 1 && signed bob@example.com && signed carol@example.net
}
ok "no space for the key store: a change is refused with try again later" store_full
ok "space again: the store is sound, mail goes to all" store_freed
ok "no file of the servers holds the plaintext" sealed_everywhere
tap_done
