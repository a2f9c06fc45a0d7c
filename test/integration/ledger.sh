#!/bin/bash
# Many messages through two Postfixes to a list, while recryptd, recrypt-milter and recrypt-lda of both domains are
# killed at random and the list's members change: nothing lost, nothing twice, nothing in the clear, every acknowledged
# change there. N messages (300; with LONG=1 5,000), or more, until enough has been killed.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$(dirname "$0")/killer.sh"
if [ "$(id -u)" != 0 ]; then
  skip "the ledger" "Postfix needs root to start"
  tap_done
fi
N=${N:-300}
[ -z "${LONG:-}" ] || N=5000
list=list@example.com
mark=Kassiber-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
recrypt=$BUILD/recrypt/recrypt
ledger="python3 $SRC/test/faults/ledger.py"
as() { local who=$1; shift; RECRYPT_HOME=$WORLD/home/$who "$recrypt" "$@"; }
person() { world_mailbox "${1#*@}" "$1"; as "${1%@*}" personal "$1" --token "$(world_invite "${1#*@}" "$1")"; }
box() { echo "$T/${1#*@}/mail/${1#*@}/${1%@*}/Maildir"; }

ok "two domains start" world_start "$T"
for p in alice@example.com bob@example.com erin@example.com carol@example.net dave@example.net; do ok "$p" person $p; done
world_mailbox example.com $list
ok "a list" as alice newgroup $list
ok "with a local and a remote member" as alice add $list bob@example.com carol@example.net
ok "its key is known to the sender" as dave key $list

# --- killers. Every fourth delivery ends after 0 to 59 ms; a server of one of the domains ends now and then and is
# started again.
killer_lda 4 $world_domains
gone() { ! kill -0 "$1" 2>/dev/null; }
killer() {
  local d s p
  while [ -e "$T/kill" ]; do
    sleep 0.$((RANDOM % 8 + 1))
    [ $((RANDOM % 2)) = 0 ] && d=example.com || d=example.net
    [ $((RANDOM % 2)) = 0 ] && s=recryptd || s=milter
    p=$(cat "$T/$d/$s.pid")
    kill -9 "$p" 2>/dev/null && echo $s >>"$T/killed"
    wait "$p" 2>/dev/null # while it dies it still has its lock and its port
    wait_for 5 gone "$p"
    if [ $s = milter ]; then
      rm -f "$T/$d/milter/milter.sock"; world_milter_start $d
    else
      world_service_start $d
    fi
  done
}
# A member comes and goes; what the tool acknowledged (or said to be so already) is written down.
changes() {
  local want=add
  while [ -e "$T/kill" ]; do
    as alice $want $list erin@example.com >>"$T/changes.log" 2>&1
    case $want$? in
      add0|add73) echo add >>"$T/changes"; want=remove ;;
      remove0|remove66) echo remove >>"$T/changes"; want=add ;;
      *) sleep 0.3 ;;
    esac
  done
}
killer >"$T/killer.log" 2>&1 &
killer=$!
changes &
changes=$!
RECRYPT_HOME=$WORLD/home/dave $ledger send "$(world_ip example.net)" "$(world_port example.net smtp)" "$recrypt" \
  "$N" "$mark" "$T/killed" 30 >"$T/sent" 2>&1
sent=$?
sleep 3
rm "$T/kill"
wait $killer $changes
ok "$N messages or more are taken" sh -c "cat $T/sent; exit $sent"
taken=$(sed -n 's/^taken \([0-9]*\),.*/\1/p' "$T/sent") taken=${taken:-$N}
up() { world_listens "$(world_ip "$1")" "$(world_port "$1" web)" && test -S "$T/$1/milter/milter.sock"; }
for d in $world_domains; do ok "$d serves" wait_for 10 up $d; done
empty() {
  local d n=0
  for d in $world_domains; do world_flush $d; n=$((n + $(world_queue $d))); done
  sleep 1
  [ $n = 0 ]
}
ok "the queues empty" wait_for 300 empty
for p in bob@example.com carol@example.net; do
  ok "$p: each message once" $ledger count "$taken" "$(box $p)"
done
clear() { grep -rl "$mark" "$T/example.com" "$T/example.net"; }
ok "nothing lies anywhere in the clear" not clear
opens() { # PERSON N: that many, taken at random, open
  local f who=${1%@*}
  find "$(box "$1")" -type f | shuf -n "$2" | while read -r f; do
    as "$who" open "$f" 2>&1 | grep -q "$mark" || { echo "$f does not open"; return 1; }
  done
}
ok "and what came opens (Bob)" opens bob@example.com 10
ok "and what came opens (Carol)" opens carol@example.net 10
not_bounced() { ! grep -h 'status=bounced' "$T"/*/log/postfix; }
ok "nothing bounced" not_bounced
member() { as alice members $list | grep -q erin@example.com && echo add || echo remove; }
ok "members can be listed" as alice members $list
settle() { # an unacknowledged last change may be there or not: say it again
  case $(tail -n 1 "$T/changes") in
    add) as alice remove $list erin@example.com; case $? in 0|66) ;; *) return 1 ;; esac; same "$(member)" remove ;;
    *) as alice add $list erin@example.com; case $? in 0|73) ;; *) return 1 ;; esac; same "$(member)" add ;;
  esac
}
ok "twenty or more changes of membership were acknowledged" test "$(wc -l <"$T/changes")" -ge 20
ok "and one more ends as it should" settle
ok "thirty or more processes were killed" test "$(wc -l <"$T/killed")" -ge 30
for d in $world_domains; do
  world_service_stop $d
  ok "$d: the key store is sound" says "no fault" "$BUILD/recryptd" -c "$(world_conf $d recryptd)" --check
done
echo "# ledger: $(cat "$T/sent"); killed: $(sort "$T/killed" | uniq -c | tr -s ' ' | tr '\n' ',')"
echo "# Bob: $($ledger count "$taken" "$(box bob@example.com)"); Carol: $($ledger count "$taken" "$(box carol@example.net)")"
echo "# changes acknowledged: $(wc -l <"$T/changes"), told to try again: $(grep -c 'recrypt: ' "$T/changes.log")"
[ "$tap_failed" = 0 ] || { tail -n 20 "$T/killer.log" "$T/changes.log"; world_show_logs; } | sed 's/^/# /'
tap_done
