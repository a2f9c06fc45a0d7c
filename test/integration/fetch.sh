#!/bin/bash
# fetch.sh: recrypt fetch against a real Dovecot: many messages, each exactly once although the program is killed at any moment; what
# cannot be opened is kept and tried again; new UIDs; TLS; wrong password; a server that is away; a full disk.
. "$(dirname "$0")/tap.sh"
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/dovecot.sh"
umask 022
list=list@example.com
inbox=$T/inbox
kills=${LONG:+200}
kills=${kills:-12}

command -v dovecot >/dev/null || { skip "fetch" "Dovecot is not installed"; tap_done; }
service_conf example.com open
for p in alice bob; do home $p; as() { local who=$1; shift; RECRYPT_HOME=$T/$who "$recrypt" "$@"; }; done
service_start example.com
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
brought() { for f in "$inbox"/new/* "$inbox"/cur/*; do [ ! -f "$f" ] || sed -n 's/\r//;s/^Message-ID: <\([0-9]*\)@.*/\1/Ip;/^$/q' "$f"; done | sort -n; }
each_once() { same "$(brought | tr '\n' ' ')" "$(seq -s ' ' 1 "$1") "; }
status_of() { grep -h '^X-Recrypt-Status' "$inbox"/new/* "$inbox"/cur/* 2>/dev/null | sed 's/ [A-Z0-9-]*$//;s/encrypted .*/encrypted/' | sort | uniq -c | awk '{$1=$1};1'; }
ok "200 messages are sealed" letters 1 200
drop bob "$T"/out/*
fetch() { as bob fetch "$@"; }
killed() { # some runs are killed, at another moment each
  local i n
  for i in $(seq "$kills"); do
    timeout -s KILL "0.$((RANDOM % 8))$((RANDOM % 10))" "$BUILD/recrypt/recrypt" fetch 2>>"$T/killed.log"
    n=$(brought | uniq -d | wc -l)
    [ "$n" = 0 ] || { echo "$n messages twice"; return 1; }
  done
  [ -n "$(brought)" ]
}
export RECRYPT_HOME=$T/bob
ok "killed $kills times, no message is there twice" killed
unset RECRYPT_HOME
echo "# $(brought | wc -l) of 200 were there after that"
ok "a run to the end" fetch
ok "every message exactly once" each_once 200
ok "decrypted; who signed is told" same "$(status_of)" "160 X-Recrypt-Status: opened signed alice@example.com
40 X-Recrypt-Status: plain"
ok "nothing is left in tmp" same "$(ls "$inbox/tmp")" ""
ok "another run brings nothing" eval 'fetch && each_once 200'
tap_done
