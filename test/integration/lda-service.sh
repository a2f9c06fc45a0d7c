# lda-service.sh - part of lda.sh: with the real recryptd in place of the stand-in.

service_start() { # NAME DELIVERY-USER
  local d=$T/$1 as=
  mkdir -p "$d/state"
  if [ "$(id -u)" = 0 ]; then
    as='user = "daemon"'
    chown -R daemon "$d"
  fi
  cat >"$d.conf" <<CONF
domains = {"example.com"}
listen_local = "unix:$d/recryptd.sock"
state_directory = "$d/state"
delivery_users = {"$2"}
$as
CONF
  start "$1" "$BUILD/recryptd" -f -c "$d.conf"
  wait_for 10 test -S "$d/recryptd.sock"
}

if [ ! -x "$BUILD/recryptd" ]; then
  skip "the real recryptd" "it is not built"
elif ! service_start real "$owner"; then
  ok "the real recryptd starts" cat "$T/real.log" /nonexistent
else
  configure lda-real
  sed -i "1s|.*|recryptd = \"unix:$T/real/recryptd.sock\"|" "$T/lda-real.conf"
  conf=$T/lda-real.conf
  ok "the real recryptd: an ordinary message" deliver "$T/plain.eml" ruth@example.com
  ok "is delivered octet for octet" cmp "$T/plain.eml" "$(only "$(box ruth)/new")"
  ok "a message to a list of another service's keeps its grants" deliver "$T/sealed.eml" ruth+x@example.com
  ok "to the octet" cmp "$T/sealed.eml" "$(ls -t "$(box ruth)"/new/* | xargs grep -l frontier)"
  kill "$pid"
  tap_gone "$pid"
  ok "stopped: 75" status 75 deliver "$T/plain.eml" sara@example.com
  ok "and not delivered" same "$(files "$(box sara)")" 0
  if [ "$(id -u)" = 0 ] && service_start other nobody; then
    sed -i "1s|.*|recryptd = \"unix:$T/other/recryptd.sock\"|" "$T/lda-real.conf"
    ok "not a delivery user: 75" status 75 deliver "$T/plain.eml" sara@example.com
    ok "and not delivered either" same "$(files "$(box sara)")" 0
  fi
  conf=
fi
