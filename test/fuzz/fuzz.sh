#!/bin/sh
# Builds one fuzz target with clang, libFuzzer, ASan and UBSan and runs it: fuzz.sh SRCDIR NAME SECONDS
set -eu
src=$1 name=${2:?which target: make fuzz T=name} seconds=${3:-60}
top=$(cd "$src" && pwd)
out=${FUZZ_DIR:-fuzz-build}
mkdir -p "$out/corpus-$name"
pkgs="libcrypto json-c libconfuse"
# Every module of common/: a target pulls in what it needs through the archive.
(
  cd "$out"
  for c in "$top"/common/*.c; do
    o=$(basename "$c" .c).o
    [ "$o" -nt "$c" ] || clang -g -O1 -std=gnu11 -D_GNU_SOURCE -I"$top" -DSYSCONFDIR='"/etc"' \
      -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all $(pkg-config --cflags $pkgs) -c "$c" -o "$o"
  done
  rm -f libfuzzed.a
  ar rc libfuzzed.a ./*.o 2>/dev/null
  # What else a target needs stands in its head, and is compiled as it is.
  more=$(sed -n "s| \* fuzz-sources: || p" "$top/test/fuzz/fuzz-$name.c" | tr ' ' '\n' | sed "s|.|$top/&|")
  clang -g -O1 -std=gnu11 -D_GNU_SOURCE -I"$top" -DSYSCONFDIR='"/etc"' -DLOCALSTATEDIR='"/var"' -DRUNSTATEDIR='"/run"' \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    $(pkg-config --cflags $pkgs) "$top/test/fuzz/fuzz-$name.c" $more libfuzzed.a $(pkg-config --libs $pkgs) -o "fuzz-$name"
)
seeds=$top/test/fuzz/corpus/$name
[ -d "$seeds" ] || seeds=
exec "$out/fuzz-$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
  "$out/corpus-$name" $seeds
