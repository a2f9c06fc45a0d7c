#!/bin/bash
# run.sh: installs what the tests need (as root, on Debian 12), builds, runs every test. The last line counts them.
#
# Built twice, out of tree: build/plain as it would be installed, with warnings as errors, and build/asan with
# AddressSanitizer and UBSan. Unit tests run from both, the integration tests (real Postfix, Dovecot, recryptd) from
# build/plain. Logs stay in build/test-logs.
#   --long    the full form of the tests that have a short one (faults, load, fuzzing): an hour and more
#   RUN=word  in the environment: only the integration tests whose name has that word
#   FUZZ_SECONDS=n  in the environment: so long for each fuzz target (else 3; with --long 60)
set -u
case ${1:-} in
  "") ;;
  --long) export LONG=1 ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; [ "$1" = --help ] && exit 0; exit 64 ;;
esac
cd "$(dirname "$0")/.." || exit 1
SRC=$PWD
logs=$SRC/build/test-logs
passed=0 failed=0 skipped=0
jobs=$(nproc) limit=${LONG:+7200}
limit=${limit:-900}
export RUN=${RUN:-} CCACHE_DISABLE=1

note() { printf '== %s\n' "$*"; }
# A step that is no test of its own, yet must work: one test with its name.
step() { # NAME COMMAND...
  local name=$1 log; shift
  log=$logs/$(echo "$name" | tr -c 'a-z0-9\n' -).log
  if "$@" >"$log" 2>&1; then
    echo "ok - $name"; passed=$((passed + 1))
  else
    echo "not ok - $name"; tail -n 40 "$log" | sed 's/^/#   /'
    failed=$((failed + 1)); return 1
  fi
}
# A test program that prints TAP: run, then reckoned. One that dies, or prints no test, is a failure whatever it printed
# before.
log_of() { echo "$logs/$(echo "$1" | tr -c 'A-Za-z0-9\n' -).log"; }
tap_run() { # NAME COMMAND...
  local log began=$SECONDS; log=$(log_of "$1"); shift
  timeout -k 10 "$limit" "$@" </dev/null >"$log" 2>&1
  echo "$? $((SECONDS - began))" >"$log.ending" && mv "$log.ending" "$log.end"
}
tap_reckon() { # NAME
  local name=$1 log status seconds good bad skip planned ran
  log=$(log_of "$name")
  read -r status seconds <"$log.end" || status=70 seconds=0
  bad=$(grep -c '^not ok' "$log")
  skip=$(grep -c '^ok .*# SKIP' "$log")
  good=$(($(grep -c '^ok' "$log") - skip))
  planned=$(sed -n 's/^1\.\.\([0-9][0-9]*\)$/\1/p' "$log" | tail -n 1)
  ran=$((good + bad + skip))
  if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ran" = 0 ] || [ "$ran" != "$planned" ]; }; then
    bad=1
    echo "not ok - $name: exit status $status, $ran tests of ${planned:-an unknown number}"
    tail -n 25 "$log" | sed 's/^/#   /'
  fi
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
  printf '%s - %s: %d passed, %d failed, %d skipped (%d s)\n' "$([ "$bad" = 0 ] && echo ok || echo 'not ok')" "$name" "$good" "$bad" "$skip" "$seconds"
  grep -A 25 '^not ok' "$log" | grep -v '^ok' | sed 's/^/#   /'
  grep -h '# SKIP' "$log" | sed 's/^/#   /'
}
tap() { tap_run "$@"; tap_reckon "$1"; }
# Two at a time: most of them wait, for servers, disks and each other, most of the time. Reckoned in order, as soon as
# may be.
pair() { # NAME COMMAND [NAME COMMAND...]
  local names=() next=0
  while [ $# -gt 0 ]; do
    while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n; done
    while [ -e "$(log_of "${names[next]:-}").end" ]; do tap_reckon "${names[next]}"; next=$((next + 1)); done
    names+=("$1")
    rm -f "$(log_of "$1").end"
    tap_run "$1" "$2" &
    shift 2
  done
  wait
  while [ "$next" -lt "${#names[@]}" ]; do tap_reckon "${names[next]}"; next=$((next + 1)); done
}
finish() {
  if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
  [ "$failed" = 0 ]
  exit
}

mkdir -p "$logs"
note "packages"
contrib/packages.sh build servers test || { failed=1; finish; }

note "build"
[ -x configure ] || step "bootstrap" ./bootstrap || finish
build() { # FOLDER CONFIGURE-OPTION...
  local dir=build/$1; shift
  mkdir -p "$dir"
  (cd "$dir" && { [ -e Makefile ] || "$SRC/configure" --enable-werror "$@"; } && make -j"$jobs" all && make -j"$jobs" check TESTS=)
}
step "build, warnings are errors" build plain || finish
step "build with sanitizers" build asan --enable-sanitizers || finish

note "unit tests"
export srcdir=$SRC
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
chosen=()
for kind in plain asan; do
  for t in build/$kind/test/unit/test-*; do
    case $t in *.o|*.log|*.trs|*.Po) continue ;; esac
    [ ! -f "$t" ] || [ ! -x "$t" ] || chosen+=("$(basename "$t") ($kind)" "$t")
  done
done
pair "${chosen[@]}"

note "integration tests"
export SRC BUILD=$SRC/build/plain
chosen=()
for t in test/integration/*"$RUN"*.sh; do [ ! -x "$t" ] || chosen+=("$(basename "$t" .sh)" "$t"); done
pair "${chosen[@]}"

if [ -z "$RUN" ]; then
  note "fuzz targets"
  limit=$((limit > 1800 ? limit : 1800))
  tap "fuzz" test/fuzz/all.sh

  note "packaging"
  distcheck() { (cd build/plain && make -j"$jobs" distcheck AM_DISTCHECK_CONFIGURE_FLAGS=--enable-werror TESTS=); }
  step "make distcheck" distcheck
  installed() {
    local root; root=$(mktemp -d) || return
    (cd build/plain && make install DESTDIR="$root" >/dev/null) && test/installed.sh "$root" /usr/local && find "$root" -type f | sed "s|$root||" &&
      (cd build/plain && make uninstall DESTDIR="$root" >/dev/null) && [ -z "$(find "$root" -type f | tee /dev/stderr)" ]
    local status=$?; rm -rf "$root"; return $status
  }
  step "make install into DESTDIR: programs, manuals, samples and units are whole; uninstall leaves nothing" installed
  manuals() { for m in doc/*.[158]; do mandoc -Tlint -Wwarning "$m" || return; done; }
  step "manual pages are well formed" manuals
fi
finish
