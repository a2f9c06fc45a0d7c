#!/bin/bash
# UID XRECRYPT through recrypt-imapfilter, with real recryptds of two domains, Dovecot, and devices: grants for personal mail, for
# lists here and elsewhere, for each device its own; what is refused, and why; recryptd away; a device removed, parked.
. "$(dirname "$0")/tap.sh"
umask 022
. "$SRC/test/integration/services.sh"
. "$SRC/test/integration/imap-servers.sh"
bob=bob@example.com list=list@example.com far=far@example.net
xrecrypt() { "$python" "$SRC/test/integration/imap-xrecrypt.py" "$@"; }
device() { local who=$1; shift; as "$who" device "$@"; }
connected() { # HOME NAME
  local code; code=$(device "$1" connect $bob --name "$2" | sed -n 1p)
  device bob accept "$code" && device "$1" connect $bob
}
udf() { # HOME: of the device's key
  local f
  for f in "$T/$1/devices/$bob"/*.jwk; do
    case $f in */sign.jwk) ;; *) basename "$f" .jwk ;; esac
  done
}
letter() { # N
  printf 'From: Dave <dave@example.net>\r\nTo: bob@example.com\r\nSubject: Number %s\r\nDate: Fri, 21 Nov 2025 10:00:00 +0000\r\nMessage-ID: <%s@example.net>\r\n\r\nText %s\r\n' "$1" "$1" "$1"
}
seal() { letter "$2" >"$T/letter"; as dave seal --to "$1" "$T/letter"; }

service_conf example.com open
service_conf example.net open
for d in example.com example.net; do echo 'delivery_users = {"nobody", "root"}' >>"$T/$d/recryptd.conf"; done
ok "services, people, lists" eval '
  service_start example.com && service_start example.net && for p in alice bob dave carol erin phone tablet stranger; do home $p; done &&
  as alice personal alice@example.com && as bob personal $bob && as dave personal dave@example.net && as carol personal carol@example.com &&
  as erin personal alice@example.net && as alice newgroup $list && as alice add $list $bob carol@example.com &&
  as bob key $bob && as erin newgroup $far && as erin add $far $bob'
ok "two devices, and one of somebody else" eval 'connected phone phone && connected tablet tablet &&
  code=$(device stranger connect carol@example.com --name phone | sed -n 1p) && device carol accept "$code" && device stranger connect carol@example.com'
phone=$(udf phone) tablet=$(udf tablet) stranger=$(basename "$(ls "$T"/stranger/devices/carol@example.com/M*.jwk)" .jwk)

# 1 to Bob, 2 to the list here, 3 to the one elsewhere, 4 in the clear, 5 to somebody else, 6 that only looks encrypted.
mkdir "$T/out"
seal $bob 1 >"$T/out/1"; seal $list 2 >"$T/out/2"; seal $far 3 >"$T/out/3"; letter 4 >"$T/out/4"; seal carol@example.com 5 >"$T/out/5"
sed 's/^{.*/{"protected": [[[/' "$T/out/1" >"$T/out/6"
ok "what is kept of the list elsewhere is given to Bob's service" as bob open "$T/out/3"
front=$(imap_port)
imap_certificate >"$T/openssl.log" 2>&1
ok "Dovecot and the filter" eval 'imap_dovecot &&
  imap_filter filter "$front" "$server_port" "recryptd = \"unix:$T/example.com/recryptd.sock\"" "timeout = \"3s\""'
main_pid=$filter_pid
for i in 1 2 3 4 5 6; do drop bob "$T/out/$i"; "$python" "$SRC/test/integration/imap-xrecrypt.py" count "$server_port" - "$i"; done

ok "grants for the telephone" xrecrypt grants "$front" "$phone" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none
ok "grants for the tablet" xrecrypt grants "$front" "$tablet" 1=$bob 2=$list+chain 3=$far+far+chain 4=none 5=none 6=none
tap_done
