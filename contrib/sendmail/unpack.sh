#!/bin/sh
# unpack.sh FOLDER: Debian's Sendmail, unpacked into FOLDER and not installed, for a private instance beside Postfix
# (the two packages exclude each other). Says nothing and asks no network when it is there already. Exit status 69:
# cannot be had.
set -eu
[ $# = 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
exec "$(dirname "$0")/../unpack.sh" "$1" usr/libexec/sendmail/sendmail "sendmail-bin sendmail-base sendmail-cf" \
  "libdb5.3 libldap-2.5-0 liblockfile1 libnsl2 libsasl2-2 libssl3 libwrap0"
