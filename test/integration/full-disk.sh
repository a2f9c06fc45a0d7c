#!/bin/bash
# full-disk.sh: no space for the mailboxes, the access log, the key store: mail waits, what was acknowledged is there,
# nothing is lost.
. "$(dirname "$0")/mailtest.sh"
mounted=
end() {
  world_stop
  for p in $tap_pids; do kill "$p" 2>/dev/null; tap_gone "$p"; done
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

# ---- a disk of 700 KB, of which the key store's own files take a fifth
tiny=$T/tiny
tiny_start() {
  start tiny "$BUILD/recryptd" -f -c "$tiny.conf"
  wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$tiny_port"
}
person() { RECRYPT_HOME=$tiny.home "$recrypt" personal "$1@tiny.example" >"$T/out" 2>&1; }
known() { RECRYPT_HOME=$tiny.other "$recrypt" key --accept-new "$1@tiny.example" >"$T/out" 2>&1; }
tiny_up() {
  small "$tiny" 700k && chmod 777 "$tiny" && install -d -m 700 "$tiny.home" "$tiny.other" && install -d -o daemon "$T/run" || return
  tiny_port=$(free_port)
  printf '%s\n' 'domains = {"tiny.example"}' "url = \"http://127.0.0.1:$tiny_port\"" "listen_web = \"127.0.0.1:$tiny_port\"" \
    "listen_local = \"unix:$T/run/tiny.sock\"" "state_directory = \"$tiny/state\"" 'registration = "open"' 'user = "daemon"' >"$tiny.conf"
  printf 'service "tiny.example" { url = "http://127.0.0.1:%s/.well-known/meshrecrypt" }\n' "$tiny_port" | tee "$tiny.home/recrypt.conf" >"$tiny.other/recrypt.conf"
  tiny_start
}
tiny_full() { # persons register until one is refused; recryptd goes on
  local status
  for tiny_count in $(seq 0 999); do
    person "p$tiny_count"; status=$?
    [ $status = 0 ] || break
  done
  echo "refused after $tiny_count with $status"; cat "$T/out"
  [ $status = 75 ] && [ "$tiny_count" -gt 50 ] && known p0 && known "p$((tiny_count - 1))" && not known "p$tiny_count" && kill -0 "$pid"
}
tiny_refused() { status 75 "$@" >"$T/refused" 2>&1 && says "$tiny/state/keystore/env: the file system is full" cat "$T/refused"; }
tiny_killed() { # killed there, it does not start as long as its recovery has no room: a temporary error that names the disk
  kill -9 "$pid"; wait "$pid" 2>/dev/null
  ls -ls "$tiny/state/keystore/env" >"$T/before" && tiny_refused "$BUILD/recryptd" -f -c "$tiny.conf" &&
    tiny_refused "$BUILD/recryptd" -c "$tiny.conf" && tiny_refused "$BUILD/recryptd" -c "$tiny.conf" --check &&
    tiny_refused "$BUILD/recrypt-keystore" check "$tiny/state/keystore" || return
  ls -ls "$tiny/state/keystore/env" | cmp - "$T/before"
}
tiny_again() { # as the service manager has it: started until it ends as asked
  local status
  while
    "$BUILD/recryptd" -f -c "$tiny.conf" & echo $! >"$T/again.pid"
    wait $!; status=$?
    echo "status $status"
    [ $status = 75 ]
  do sleep 0.2; done
}
tiny_freed() { # it starts by itself; what was acknowledged is there, nothing else, and it goes on
  start again tiny_again
  wait_for 10 bash -c "[ \$(grep -c 'status 75' '$T/again.log') -ge 3 ]" || return
  mount -o remount,size=12m "$tiny" && wait_for 10 grep -q " serving " "$T/again.log" && kill "$(cat "$T/again.pid")" && wait "$pid" || return
  same "$(tail -n 1 "$T/again.log")" "status 0" || return
  tiny_start && known p0 && known "p$((tiny_count - 1))" && not known "p$tiny_count" || return
  kill "$pid"; wait "$pid"
  says "no fault" "$BUILD/recryptd" -c "$tiny.conf" --check && runuser -u daemon -- "$BUILD/recrypt-keystore" dump --table=accounts "$tiny/state/keystore" >"$T/accounts" || return
  "$python" - "$tiny_count" "$T/accounts" <<'PY' && tiny_start && person "p$tiny_count" && known "p$tiny_count"
import base64, json, sys
there = sorted(base64.urlsafe_b64decode(r["k"] + "==").decode() for r in map(json.loads, open(sys.argv[2])) if "k" in r)
wanted = sorted(f"p{n}@tiny.example" for n in range(int(sys.argv[1])))
print("lost or too many:", *sorted(set(there) ^ set(wanted)))
sys.exit(there != wanted)
PY
}
ok "a disk of 700 KB: recryptd starts on it" tiny_up
ok "700 KB are full: registrations are refused with try again later, the rest is served" tiny_full
ok "killed on the full disk: a start says try again later" tiny_killed
ok "space again: every acknowledged registration is there, no other" tiny_freed
# ---- other reasons why the key store cannot be opened: each names the place
nowhere() { sed "s|$tiny/state|$1|" "$tiny.conf" >"$T/nowhere.conf"; says "$2" status 75 "$BUILD/recryptd" -f -c "$T/nowhere.conf"; }
tiny_read_only() {
  kill "$pid"; wait "$pid"
  mount -o remount,ro "$tiny" && says "$tiny/state/keystore/lock: Read-only file system" status 75 "$BUILD/recryptd" -f -c "$tiny.conf" &&
    says "$tiny/state/keystore/lock: Read-only file system" status 75 "$BUILD/recrypt-keystore" check "$tiny/state/keystore" &&
    mount -o remount,rw "$tiny" && tiny_start && known p0
}
tiny_nowhere() {
  kill "$pid"; wait "$pid"
  install -d -m 755 "$T/roots" && nowhere "$T/none/state" "$T/none/state: No such file or directory" && nowhere "$T/roots" "$T/roots/"
}
ok "a read-only file system: a start says so, and goes on when it can be written to" tiny_read_only
ok "no directory, or none of its own: a start says which" tiny_nowhere
echo "# 700 KB: ${tiny_count:-0} registrations acknowledged, and found again after recovery"
tap_done
