#!/bin/sh
# unpack.sh FOLDER: Debian's Cyrus IMAP server, unpacked into FOLDER and not installed, for a private instance beside Dovecot
# (the two packages exclude each other). Says nothing and asks no network when it is there already. Exit status 69: cannot be had.
set -eu
[ $# = 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
folder=$1
cyrus="cyrus-imapd cyrus-common"
libraries="libcom-err2 libical3 libicu72 libjansson4 libkrb5-3 libldap-2.5-0 libnsl2 libpcre3 libpq5 libsasl2-2 libsasl2-modules
  libsasl2-modules-db libsqlite3-0 libssl3 libwrap0 libxapian30 libxml2"
[ ! -e "$folder/complete" ] || exit 0

fail() { echo "unpack.sh: $1" >&2; exit 69; }
want=$cyrus
for p in $libraries; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || want="$want $p"
done
mkdir -p "$(dirname "$folder")"
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$new/packages"
get() { # shellcheck disable=SC2086
  (cd "$new/packages" && apt-get -q -o APT::Sandbox::User=root download $want) >"$new/log" 2>&1
}
get || { apt-get -q update >"$new/log" 2>&1 && get; } || { tail -n 5 "$new/log" >&2; fail "cannot download: $want"; }
for p in "$new"/packages/*.deb; do dpkg -x "$p" "$new"; done
rm -rf "$new/packages" "$new/log"
chmod 755 "$new"
lib=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
LD_LIBRARY_PATH=$new/usr/lib/$lib:$new/lib/$lib ldd "$new/usr/lib/cyrus/bin/imapd" | grep 'not found' >&2 && fail "a library is missing"
: >"$new/complete"
# Another run may have been quicker.
mv -T "$new" "$folder" 2>/dev/null || [ -e "$folder/complete" ] || fail "cannot write $folder"
