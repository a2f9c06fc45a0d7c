#!/bin/bash
# units-lines.sh: systemd takes every line of the units, they shut in what they start, and it is started again.
# systemd-analyze is the host's, or Debian's, unpacked and not installed: nothing of systemd runs.
. "$(dirname "$0")/tap.sh"
SYSTEMD=${SYSTEMD:-$SRC/build/systemd}
libraries="libacl1 libapparmor1 libaudit1 libblkid1 libcap-ng0 libcap2 libcrypt1 libgcrypt20 libgpg-error0 libip4tc2 libkmod2 liblz4-1
  liblzma5 libmount1 libpam0g libpcre2-8-0 libseccomp2 libselinux1 libssl3 libsystemd0 libzstd1"
if command -v systemd-analyze >/dev/null; then
  analyze() { systemd-analyze "$@"; }
  system=/lib/systemd/system
else
  "$SRC/contrib/unpack.sh" "$SYSTEMD" usr/bin/systemd-analyze "systemd libsystemd-shared" "$libraries" >"$T/.out" 2>&1 ||
    { cat "$T/.out" >&2; skip "units" "Debian's systemd-analyze is not in $SYSTEMD and cannot be downloaded"; tap_done; }
  analyze() { LD_LIBRARY_PATH=$(find "$SYSTEMD" -name '*.so*' -printf '%h:' | tr : '\n' | sort -u | paste -sd:) "$SYSTEMD/usr/bin/systemd-analyze" "$@"; }
  system=$SYSTEMD/lib/systemd/system
fi
export SYSTEMD_UNIT_PATH=$T/units:$system

# As installed where the programs were built.
mkdir "$T/units"
for u in "$SRC"/contrib/systemd/*; do sed "s|/usr/sbin/recrypt|$BUILD/recrypt|g" "$u" >"$T/units/${u##*/}"; done
verified() { # UNIT: taken, and without a word
  local out status
  out=$(analyze verify --man=no "$T/units/$1" 2>&1); status=$?
  [ $status = 0 ] && [ -z "$out" ] || { echo "$out"; echo "status $status"; return 1; }
}
for u in "$T"/units/*; do
  name=${u##*/}
  ok "systemd-analyze verify: $name" verified "$name"
done
sed 's/^NoNewPrivileges/NoNewPrivilege/' "$T/units/recryptd.service" >"$T/units/misspelt.service"
ok "a line that it does not know would be told" not verified misspelt.service
sed "s|=$BUILD/|=$BUILD/no-|" "$T/units/recryptd.service" >"$T/units/nothing.service"
ok "so would a program that is not there" not verified nothing.service
rm "$T/units/misspelt.service" "$T/units/nothing.service"
for u in "$T"/units/*.service; do
  name=${u##*/}
  ok "systemd-analyze security: $name is at most 3.0 open" analyze security --offline=true --threshold=30 "$u"
  echo "# $(analyze security --offline=true "$u" 2>/dev/null | tail -n 1)"
  ok "$name: what ends is started again, however often" eval "grep -qx Restart=on-failure '$u' && grep -qx 'RestartSec=2' '$u' && grep -qx StartLimitIntervalSec=0 '$u'"
done
tap_done
