#!/bin/bash
# dovecot.sh - sourced after tap.sh: a private Dovecot from the sample configuration, with and without TLS, whose
# mailboxes are Maildirs below $T/mail; and a way to put messages into them.
#   dovecot_start [LINE...]    LINEs are added to dovecot.conf; dovecot_people: who there is besides, local parts at example.com
imap_user=$(id -un) dovecot_people=
dovecot_start() { # LINE...
  local d=$T/dovecot internal=$imap_user login=$imap_user
  mkdir -p "$d/state" "$T/mail"
  if [ "$(id -u)" = 0 ]; then internal=dovecot login=dovenull; imap_user=mail; chown mail "$T/mail"; fi
  [ -s "$d/port" ] || { free_port >"$d/port"; free_port >"$d/port.tls"; }
  imap_port=$(cat "$d/port") imaps_port=$(cat "$d/port.tls")
  if [ ! -e "$d/cert.pem" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost -keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null || return
    for u in bob carol $dovecot_people; do echo "$u@example.com:{PLAIN}secret"; done >"$d/users"
    echo "umlaut@example.com:{PLAIN}\"s\\cret\" Größe" >>"$d/users"
  fi
  {
    sed -e "s|@DIR@|$d|g; s|@ADDRESS@|127.0.0.1|; s|@PORT@|$imap_port|; s|@INTERNAL_USER@|$internal|" \
      -e "s|@INTERNAL_GROUP@|$(id -gn "$internal")|; s|@LOGIN_USER@|$login|; s|^ssl = no|ssl = yes|" \
      -e "s|port = 0|port = $imaps_port\n    ssl = yes|" "$SRC/contrib/dovecot/dovecot.conf"
    # a wrong password is answered at once
    printf 'auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n'
    printf 'ssl_cert = <%s/cert.pem\nssl_key = <%s/key.pem\n' "$d" "$d"
    printf '%s\n' "$@"
  } >"$d/dovecot.conf"
  sed -e "s|/var/mail/recrypt|$T/mail|g; s|/etc/dovecot/|$d/|g; s|gid=vmail|gid=$(id -gn "$imap_user")|; s|=vmail|=$imap_user|g" \
    "$SRC/contrib/dovecot/recrypt.conf" >"$d/recrypt.conf"
  cp "$SRC/contrib/dovecot/recrypt-acl" "$d/recrypt-acl"
  chmod -R go+rX "$d"
  start dovecot dovecot -F -c "$d/dovecot.conf"
  dovecot_pid=$pid
  wait_for 10 listens "$imap_port"
}
dovecot_stop() { kill "$dovecot_pid"; tap_gone "$dovecot_pid"; }
# drop USER FILE...: messages arrive in the inbox of USER@example.com.
drop() {
  local box=$T/mail/example.com/$1/Maildir f; shift
  for f in cur new tmp; do mkdir -p "$box/$f"; done
  for f in "$@"; do cp "$f" "$box/new/$(basename "$f").$RANDOM.test"; done
  [ "$(id -u)" != 0 ] || chown -R "$imap_user:$(id -gn "$imap_user")" "$T/mail/example.com"
}
