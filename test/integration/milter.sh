#!/bin/bash
# recrypt-milter over its Unix socket, as a mail server talks to it, with a real recryptd and lists that the tool made;
# the protocol's octets are written by milter-client.py.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/milter-service.sh"
client() { python3 "$SRC/test/integration/milter-client.py" "$socket" "$@"; }
# seal TO FILE SIZE: a message to a list, encrypted by the tool.
seal() {
  { printf 'From: Dave <dave@example.com>\r\nTo: %s\r\nSubject: inside\r\nDate: Sat, 21 Nov 2026 20:00:00 +0000\r\n' "$1"
    printf 'Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n'
    head -c "$3" /dev/urandom | base64 -w 76 | sed 's/$/\r/'; } >"$T/letter.eml"
  as_tool seal --unsigned --to "$1" "$T/letter.eml" >"$2"
}

# The program alone.
ok "--help" says "Usage: recrypt-milter" "$milter" --help
ok "--version" says "recrypt-milter " "$milter" --version
ok "an unknown option is a usage error" status 64 "$milter" --unknown
ok "an argument too many is a usage error" status 64 "$milter" -f something
ok "a configuration that is not there" status 78 "$milter" -n -c "$T/none"
milter_config 'timeout = "never"'
ok "-n: a bad value is named with its file" says "$T/milter.conf: timeout" "$milter" -n -c "$T/milter.conf"
ok "-n: ends with 78" status 78 "$milter" -n -c "$T/milter.conf"
sed "s/\"recrypt-milter\"/\"${user:-$(id -un)}\"/; s/\"postfix\"/\"mail\"/" "$SRC/contrib/recrypt-milter.conf" >"$T/sample.conf"
ok "-n: the sample configuration is good" says "configuration is good" "$milter" -n -c "$T/sample.conf"
if [ "$(id -u)" = 0 ]; then
  printf 'socket = "unix:%s"\n' "$socket" >"$T/milter.conf"
  ok "root without a user is refused" status 78 "$milter" -f -c "$T/milter.conf"
fi

milter_config 'timeout = "2s"' 'socket_mode = "0666"'
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
ok "a stale socket is replaced" milter_start
ok "a live one is not" status 69 "$milter" -f -c "$T/milter.conf"
ok "the socket has its mode" same "$(stat -c %a "$socket")" 666
if [ -n "$user" ]; then ok "it gave up root" same "$(stat -c %U "/proc/$milter_pid")" "$user"; fi
ok "recryptd not there: 451" client away

# Lists and a member, by the tool.
ok "recryptd starts" recryptd_start
ok "people, two lists, their members" milter_people
ok "a message is sealed" seal list@example.com "$T/sealed" 3000

ok "ordinary mail is accepted at DATA" client ordinary
ok "a list message: grants, members, header" client grants "$T/sealed" bob@example.com carol@example.com
ok "forged grants go" client forged "$T/sealed"
ok "a whole JWE becomes two parts" client whole "$T/sealed"
ok "plaintext to the list: 550 that says what to do" client plaintext
ok "the list's address in other spellings" client spellings
ok "plaintext to a list that encrypts at the door" client door
ok "two list messages on one connection" client two_messages "$T/sealed"
ok "abort, then a new message" client abort "$T/sealed"
ok "10,000 recipients; lists alone; no archive address" client recipients
ok "List-* fields, 1, 2 and 5 copies" client stale_fields "$T/sealed"
ok "two From fields, loops, automatic mail" client refused "$T/sealed"
ok "NUL, bare CR, bare LF" client octets
ok "20,000 nested parts" client nested
ok "broken JWEs, each with its answer" client broken "$T/sealed"
ok "a mail server without options" client plain_protocol "$T/sealed"
ok "a mail server that can do too little" client too_little
ok "twenty connections at once" client crowd "$T/sealed" 20
ok "nonsense on the socket ends its connection, costs nothing, hurts nobody else" client abuse "$milter_pid"
if command -v miltertest >/dev/null; then
  ok "miltertest, another mail server's end of the protocol" miltertest -s "$SRC/test/integration/milter.lua" -D "SOCKET=unix:$socket"
else
  skip "miltertest" "it is not installed"
fi
ok "packets that make no sense, in the middle of a message" client odd_packets "$T/sealed"
ok "one octet at a time, beside two hundred halves of packets" client dribble "$T/sealed" "$milter_pid"
ok "a message larger than max_message" client too_large
ok "a message of 40 MB is sealed" seal list@example.com "$T/large" 20000000
if [ "$(id -u)" = 0 ]; then
  ok "it costs at most 2.5 times its size" client memory "$T/large" "$milter_pid"
else
  skip "it costs at most 2.5 times its size" "needs root to reset the peak"
fi

# Reload.
milter_config 'timeout = "2s"' 'help = {"write to help@example.com"}'
kill -HUP "$milter_pid"; kill -HUP "$milter_pid"
ok "SIGHUP is taken" wait_for 5 grep -q 'configuration reloaded' "$T/milter.log"
milter_config 'timeout = "broken"'
kill -HUP "$milter_pid"
ok "SIGHUP with a broken configuration is reported" wait_for 5 grep -q 'not reloaded' "$T/milter.log"
ok "and the milter goes on" client plaintext

# Another key.
old=$(as_tool key list@example.com | grep -o 'list@example.com\.mm--[a-z0-9-]*' | head -n 1)
ok "the list is rekeyed" as_tool remove list@example.com carol@example.com --rekey --account alice@example.com
new=$(as_tool key list@example.com | grep -o 'list@example.com\.mm--[a-z0-9-]*' | head -n 1)
ok "the new key is another" not same "$old" "$new"
ok "the retired key: 550 that names the new one" client retired "$T/sealed" "$new"
ok "a message to the new key" seal list@example.com "$T/sealed" 3000
ok "and it goes through" client grants "$T/sealed" bob@example.com
ok "queue ids begin the lines" grep -q ': 4TESTID: ' "$T/milter.log"
ok "no member is named in the log" not grep -q 'bob@\|carol@' "$T/milter.log"

ok "recryptd dies between RCPT and the end: 451" client away_late "$T/sealed" "$recryptd_pid"
ok "and stays away: 451" client away
rm -f "$T/recryptd.sock"
start silent python3 -c 'import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777); s.listen(5); time.sleep(600)' "$T/recryptd.sock"
silent_pid=$pid
wait_for 5 test -S "$T/recryptd.sock"
ok "recryptd hangs: 451 in time" client slow
ok "to forty of one moment as well" client slow_crowd "$milter_pid" 40
kill "$silent_pid"; rm -f "$T/recryptd.sock"
ok "recryptd comes back" recryptd_start
ok "and mail goes through again" client grants "$T/sealed" bob@example.com
ok "SIGTERM: status 0" milter_stop
milter_config 'socket_mode = "0666"' 'idle_timeout = "2s"'
sparing=$milter
milter_sparing() { milter=$T/sparing; milter_start; milter=$sparing; }
printf '#!/bin/sh\nulimit -Sn 100\nexec "%s" "$@"\n' "$milter" >"$T/sparing" && chmod +x "$T/sparing"
ok "it starts with an idle_timeout, and few descriptors" milter_sparing
ok "two hundred connections at once, and a message" client many "$T/sealed" 200
ok "who is silent for so long is hung up on, but between two packets" client silent "$T/sealed" 2
ok "and it stops" milter_stop
milter_config
for form in "inet:%s@127.0.0.1 127.0.0.1" "inet:%s 127.0.0.1" "inet6:%s@[::1] ::1" "inet6:%s ::1"; do
  host=${form#* } form=${form% *}
  if [ "$host" = ::1 ] && ! python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
    skip "it can be a port: ${form/\%s/PORT}" "no IPv6 here"
    continue
  fi
  tcp=$(free_port)
  # shellcheck disable=SC2059
  start tcp "$milter" -f -c "$T/milter.conf" -p "$(printf "$form" "$tcp")"
  ok "it can be a port: ${form/\%s/PORT}" wait_for 10 python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))' \
    "$host" "$tcp"
  sleep 0.7
  ok "and is one for its own connections as well" not grep -q 'for one another' "$T/tcp.log"
  kill -9 "$pid"; wait "$pid" 2>/dev/null
done
ok "without a word of memory or threads" not grep -qi 'sanitizer\|leak' "$T/milter.log"
tap_done
