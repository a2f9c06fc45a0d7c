#!/bin/sh
# unpack.sh FOLDER PROGRAM PACKAGES LIBRARIES: Debian packages that exclude an installed one, unpacked into FOLDER and
# not installed, for a private instance; of the LIBRARIES (packages too) those that are not installed. Says nothing and
# asks no network when it is there already. Exit status 69: cannot be had, or PROGRAM, a path in FOLDER, lacks a
# library.
set -eu
[ $# = 4 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 64; }
folder=$1 program=$2 want=$3
[ ! -e "$folder/complete" ] || exit 0

fail() { echo "unpack.sh: $1" >&2; exit 69; }
for p in $4; do
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
# Nobody but root has a use for this copy: no program in it needs its set-group-id bit.
find "$new" -perm /6000 -type f -exec chmod a-s {} +
chmod 755 "$new"
LD_LIBRARY_PATH=$(find "$new" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:) ldd "$new/$program" | grep 'not found' >&2 && fail "a library is missing"
: >"$new/complete"
# Another run may have been quicker.
mv -T "$new" "$folder" 2>/dev/null || [ -e "$folder/complete" ] || fail "cannot write $folder"
