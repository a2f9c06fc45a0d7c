#!/bin/sh
# unpack.sh FOLDER: Debian's Cyrus IMAP server, unpacked into FOLDER and not installed, for a private instance beside
# Dovecot (the two packages exclude each other). Says nothing and asks no network when it is there already. Exit status
# 69: cannot be had.
set -eu
[ $# = 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
exec "$(dirname "$0")/../unpack.sh" "$1" usr/lib/cyrus/bin/imapd "cyrus-imapd cyrus-common" \
  "libcom-err2 libical3 libicu72 libjansson4 libkrb5-3 libldap-2.5-0 libnsl2 libpcre3 libpq5 libsasl2-2 libsasl2-modules
  libsasl2-modules-db libsqlite3-0 libssl3 libwrap0 libxapian30 libxml2"
