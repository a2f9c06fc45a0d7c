#!/bin/bash
# Every fuzz target for a while, two at a time: all.sh [SECONDS]; without SECONDS those of FUZZ_SECONDS in the
# environment, or 60 with LONG, or 3. Prints TAP.
#
# A few seconds each are what every run of the suite can afford: they replay the seeds, which hold each form that the
# parsers take, and find again what a change broke at once. What is rare needs more: 60 seconds each in CI and
# in the long form.
#
# A target that checks no more than "does not crash" would miss a parser that loses something: so each target must say
# in its head what its identity is ("identity:"): parse, write and parse again gives the same, or the nearest to it that
# there is.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-${FUZZ_SECONDS:-$([ -n "${LONG:-}" ] && echo 60 || echo 3)}}
FUZZ_DIR=$(mktemp -d "${TMPDIR:-/tmp}/recrypt-fuzz.XXXXXX") || exit 99
[ -z "${FUZZ_KEEP:-}" ] || FUZZ_DIR=$FUZZ_KEEP
export FUZZ_DIR top seconds
trap '[ -n "${FUZZ_KEEP:-}" ] || rm -rf "$FUZZ_DIR"' EXIT
n=0 failed=0
result() { # ok|not-ok NAME
  n=$((n + 1))
  if [ "$1" = ok ]; then echo "ok $n - fuzz: $2"; else echo "not ok $n - fuzz: $2"; failed=$((failed + 1)); fi
}
names=()
for f in "$top"/test/fuzz/fuzz-*.c; do f=${f##*/fuzz-}; names+=("${f%.c}"); done

if ! command -v clang >/dev/null; then
  echo "1..1"; echo "ok 1 - fuzz: every target # SKIP clang is not there"; exit
fi
begin=$SECONDS
if ! "$top/test/fuzz/build.sh" "$top" "${names[@]}" >"$FUZZ_DIR/build.log" 2>&1; then
  tail -n 40 "$FUZZ_DIR/build.log" | sed 's/^/# /'
  result not-ok "the targets build"; echo "1..1"; exit 1
fi
result ok "${#names[@]} targets build ($((SECONDS - begin)) s)"

# One target: seeds, then new inputs for the rest of the time.
cat >"$FUZZ_DIR/run.sh" <<'END'
mkdir -p "$FUZZ_DIR/corpus-$1"
timeout $((seconds + 60)) "$FUZZ_DIR/fuzz-$1" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 \
  -print_final_stats=1 -artifact_prefix="$FUZZ_DIR/$1-" "$FUZZ_DIR/corpus-$1" "$top/test/fuzz/corpus/$1" \
  >"$FUZZ_DIR/$1.log" 2>&1
echo $? >"$FUZZ_DIR/$1.status"
END
for t in "${names[@]}"; do
  [ -d "$top/test/fuzz/corpus/$t" ] && echo "$t"
done | xargs -n 1 -P 2 sh "$FUZZ_DIR/run.sh"

for t in "${names[@]}"; do
  seeds=$(find "$top/test/fuzz/corpus/$t" -type f 2>/dev/null | wc -l)
  if [ "$seeds" = 0 ]; then result not-ok "$t: no seed corpus test/fuzz/corpus/$t"; continue; fi
  if ! grep -q 'identity: ' "$top/test/fuzz/fuzz-$t.c"; then result not-ok "$t: says no identity that it checks"; continue; fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$FUZZ_DIR/$t.log")
  # Fewer runs than seeds: it did not get to do anything.
  if [ "$(cat "$FUZZ_DIR/$t.status")" = 0 ] && [ "${runs:-0}" -ge "$seeds" ]; then
    result ok "$t: $runs inputs from $seeds seeds in $seconds s"
    continue
  fi
  result not-ok "$t: status $(cat "$FUZZ_DIR/$t.status")"
  grep -v '^#[0-9]*[[:space:]]' "$FUZZ_DIR/$t.log" | tail -n 40 | sed 's/^/# /'
  for crash in "$FUZZ_DIR/$t"-*-*; do
    [ ! -f "$crash" ] || { echo "# the input, in base64 (${crash##*/}):"; base64 "$crash" | head -n 40 | sed 's/^/#   /'; }
  done
done
echo "1..$n"
[ "$failed" = 0 ]
