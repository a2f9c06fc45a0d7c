# instance.sh - sourced: a private Cyrus from imapd.conf and cyrus.conf beside this file.
#
#   cyrus_prepare FOLDER UNPACKED ADDRESS PORT PERSON...   UNPACKED: what unpack.sh filled; everybody's password is "secret"
#   cyrus_exec FOLDER UNPACKED                             becomes Cyrus' master, which ends with SIGTERM and takes its children along
# Needs db5.3_load (Debian db5.3-util). As root Cyrus runs as "mail"; its log then goes to FOLDER/log, where the system
# permits a /dev of its own: Cyrus knows only syslog.
cyrus_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

cyrus_prepare() {
  local d=$1 bin=$2/usr/lib/cyrus/bin address=$3 port=$4 user group f; shift 4
  if [ "$(id -u)" = 0 ]; then user=mail group=mail; else user=$(id -un) group=$(id -gn); fi
  mkdir -p "$d/mail" "$d/sieve" "$d/dev" || return
  mkdir -p "$d"/state/{socket,proc,db,lock,log,user,quota,msg,backup,ptclient} || return
  for f in imapd.conf cyrus.conf; do
    sed -e "s|@DIR@|$d|g; s|@BIN@|$bin|g; s|@USER@|$user|; s|@GROUP@|$group|; s|@ADDRESS@|$address|; s|@PORT@|$port|" "$cyrus_here/$f" >"$d/$f"
  done
  for f in "$@"; do printf '%s\\00%s\\00userPassword\nsecret\n' "${f%@*}" "${f#*@}"; done | db5.3_load -T -t hash "$d/sasldb" || return
  chown -R "$user:$group" "$d" && chmod 755 "$d"
}
cyrus_exec() {
  local lib; lib=$(gcc -print-multiarch)
  export LD_LIBRARY_PATH=$2/usr/lib/$lib:$2/lib/$lib SASL_PATH=/usr/lib/$lib/sasl2:$2/usr/lib/$lib/sasl2
  set -- "$2/usr/lib/cyrus/bin/master" -C "$1/imapd.conf" -M "$1/cyrus.conf" -p "$1/state/pid" -D
  if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016
    exec unshare --mount sh -c 'd=${3%/*}; mount -t tmpfs -o mode=755 none "$d/dev" &&
      cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom "$d/dev" && ln -s "$d/syslog" "$d/dev/log" && mount --bind "$d/dev" /dev
      exec "$@"' sh "$@"
  fi
  exec "$@"
}
# What Cyrus tells syslog, a line each, into FOLDER/log.
cyrus_log() { # FOLDER
  exec /usr/bin/python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + "/syslog")
os.chmod(sys.argv[1] + "/syslog", 0o666)
with open(sys.argv[1] + "/log", "wb", 0) as log:
    while True:
        log.write(s.recv(65536).rstrip(b"\0\n") + b"\n")' "$1"
}
