#!/bin/bash
# device-places.sh: strangers take all the places in which devices wait for a person: her telephone, from a network of
# its own, gets one all the same, and one command clears them. In a network of its own, where this machine has as many
# addresses as it wants.
. "$(dirname "$0")/own-network.sh"
home=fd00:0:0:100::1 one=fd00:0:0:200::1 two=fd00:0:0:300::1 abroad=fd00:0:0:400::1 # each in a /56 of its own
own_network "places of devices" $home $one $two $abroad
recrypt=$BUILD/recrypt/recrypt bob=bob@example.com
own_recryptd $home 'registration = "open"'

as() { # HOME ARGUMENT...
  [ -d "$T/$1" ] || { mkdir -m 700 "$T/$1" && printf 'service "example.com" {\n  url = "%s"\n  ca = "%s"\n}\n' "$url" "$T/tls.pem" >"$T/$1/recrypt.conf"; }
  RECRYPT_HOME=$T/$1 "$recrypt" "${@:2}"
}
answers() { curl -sf -o /dev/null --max-time 5 --cacert "$T/tls.pem" --json '{"HelloRequest":{}}' "$url"; }
# A request that the tool has made, sent from that address: the Status of the answer.
from() { # ADDRESS HOME
  printf '{"JoinRequest":{"Account":"%s","Request":"%s"}}' $bob "$(cat "$T/$2/devices/$bob/request.jws")" |
    curl -s --max-time 5 --interface "$1" --cacert "$T/tls.pem" -H 'Content-Type: application/json' --data-binary @- "$url" |
    grep -o '"Status":[0-9]*' | cut -d: -f2
}
waiting() { as bob device pending 2>/dev/null | wc -l; }
waits() { as bob device pending 2>/dev/null | grep -q " $1 "; }

start recryptd "$BUILD/recryptd" -f -c "$T/recryptd.conf"
ok "recryptd serves" wait_for 10 answers
ok "Bob has keys" as bob personal $bob
for n in $(seq 18); do as d$n device connect $bob --name d$n >"$T/d$n.said" 2>&1; done
ok "his own network has eight requests a day for him" same "$(waiting)" 8
ok "the ninth is told so" grep -q "too many requests of devices today" "$T/d9.said"
ok "reject says what it needs" status 64 as bob device reject
ok "not both" status 64 as bob device reject d1 --all
ok "one" as bob device reject d1
ok "all the others by one command" same "$(as bob device reject --all | grep -c '^rejected d')" 7
ok "nobody waits" same "$(waiting)" 0
ok "then there is nothing to do" says "no device is waiting" as bob device reject --all

for n in 1 2 3 4 5 6 7 8; do from $one d$n; done >"$T/one"
for n in 9 10 11 12 13 14 15 16; do from $two d$n; done >"$T/two"
ok "two networks take all sixteen places" same "$(sort -u "$T/one" "$T/two") $(waiting)" "201 16"
ok "they get no more" same "$(from $one d17)" 503
ok "a telephone from another network gets one" same "$(from $abroad d17)" 201
ok "and one of the many has none" same "$(waiting)" 16
ok "Bob sees it" waits d17
ok "another from there" same "$(from $abroad d18)" 201
ok "they both wait" waits d17 && waits d18
ok "he lets it in" as bob device accept d17
ok "it reads" says "connected" as d17 device connect $bob
ok "the log says that one gave way" grep -q "gave way" "$T/recryptd.log"
tap_done
