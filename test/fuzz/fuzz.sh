#!/bin/sh
# Builds one fuzz target and runs it: fuzz.sh SRCDIR NAME SECONDS
set -eu
src=$1 name=${2:?which target: make fuzz T=name} seconds=${3:-60}
top=$(cd "$src" && pwd)
export FUZZ_DIR=${FUZZ_DIR:-fuzz-build}
"$top/test/fuzz/build.sh" "$top" "$name"
mkdir -p "$FUZZ_DIR/corpus-$name"
seeds=$top/test/fuzz/corpus/$name
[ -d "$seeds" ] || seeds=
exec "$FUZZ_DIR/fuzz-$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix="$FUZZ_DIR/" "$FUZZ_DIR/corpus-$name" $seeds
