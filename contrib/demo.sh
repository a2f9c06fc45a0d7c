#!/bin/bash
# demo.sh: an encrypted message to a confidential list reaches members who can read it, through servers that cannot.
#
# As root on Debian 12: installs what is missing (packages only), builds in build/plain, and runs the whole story on
# loopback with two private Postfix and Dovecot instances in a folder of its own, which is removed at the end, also when
# interrupted. BUILD in the environment names another folder to build in.
# Touches no system-wide service and no file in /etc. Exit status 0 only if every step came out as it must.
#   --keep    leave the folder (mailboxes, logs, configuration) and print its name
set -u
keep=
case ${1:-} in
  "") ;;
  --keep) keep=1 ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; [ "$1" = --help ]; exit $(( $? ? 64 : 0 )) ;;
esac
[ "$(id -u)" = 0 ] || { echo "demo.sh: Postfix and Dovecot need root to start, also in a private folder" >&2; exit 77; }
cd "$(dirname "$0")/.." || exit 70
SRC=$PWD BUILD=${BUILD:-$PWD/build/plain}
contrib/packages.sh build servers || exit
log= folder=
end() {
  trap '' INT TERM HUP PIPE # once more Ctrl-C must not leave half of it
  rm -f "$log"
  [ -n "$folder" ] || return
  world_stop
  if [ -n "$keep" ]; then echo "Kept: $folder"; else rm -rf "$folder"; fi
}
trap end EXIT
trap 'exit 130' INT TERM HUP PIPE
log=$(mktemp) || exit 73
mkdir -p "$BUILD"
echo "Building in ${BUILD#"$SRC"/} ..."
{ { [ -x configure ] || ./bootstrap; } && cd "$BUILD" && { [ -e Makefile ] || "$SRC/configure"; } && make -j"$(nproc)"; } >"$log" 2>&1 ||
  { tail -n 30 "$log"; echo "demo.sh: the build failed" >&2; exit 70; }
cd "$SRC" || exit 70

. contrib/demo/world.sh
. contrib/demo/story.sh
folder=$(mktemp -d "${TMPDIR:-/tmp}/recrypt-demo.XXXXXX") || exit 73
chmod 755 "$folder"

echo "Starting example.com and example.net: Postfix, Dovecot, recryptd, recrypt-milter each ..."
world_start "$folder" || { echo "demo.sh: a server did not start; its log is above" >&2; exit 69; }
n=0
for step in $story_steps; do
  n=$((n + 1))
  title=story_title_$step
  printf '\n=== %d. %s ===\n' "$n" "${!title}"
  "story_$step" || { printf '\nFAILED: %s\n' "${!title}" >&2; world_show_logs >&2; exit 1; }
done
printf '\nAll %d steps came out as they must.\n' "$n"
