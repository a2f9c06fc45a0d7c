#!/bin/sh
# Builds fuzz targets with clang, libFuzzer, ASan and UBSan into $FUZZ_DIR (fuzz-build): build.sh SRCDIR NAME... Every
# module of common/ is compiled once into an archive, from which each target takes what it needs; what else it needs
# stands in its head ("fuzz-sources:", "fuzz-libs:"). Two compilers at a time, or $JOBS.
set -eu
top=$(cd "$1" && pwd); shift
out=${FUZZ_DIR:-fuzz-build} jobs=${JOBS:-2}
export top
mkdir -p "$out/obj"
cd "$out"
pkgs="libcrypto json-c libconfuse"
# Line tables are all that a report needs, and quick to make.
FUZZ_CC="clang -gline-tables-only -O1 -std=gnu11 -D_GNU_SOURCE -I$top -DSYSCONFDIR=\"/etc\" -DLOCALSTATEDIR=\"/var\"
  -DRUNSTATEDIR=\"/run\" -DPACKAGE_VERSION=\"fuzz\" -fno-sanitize-recover=all $(pkg-config --cflags $pkgs)"
FUZZ_LIBS=$(pkg-config --libs $pkgs)
export FUZZ_CC FUZZ_LIBS

# compile SOURCE...: each to obj/<folder>-<name>.o, unless a newer one is there.
cat >compile.sh <<'END'
for c; do
  o=obj/$(echo "${c#"$top"/}" | tr / -).o
  [ "$o" -nt "$c" ] || $FUZZ_CC -fsanitize=fuzzer-no-link,address,undefined -c "$c" -o "$o.new" && { [ ! -e "$o.new" ] || mv "$o.new" "$o"; } || exit 255
done
END
cat >link.sh <<'END'
more=$(sed -n "s| \* fuzz-sources: || p" "$top/test/fuzz/fuzz-$1.c" | tr ' ' '\n' | sed '/./!d; s|/|-|g; s|.*|obj/&.o|')
libs=$(sed -n "s| \* fuzz-libs: || p" "$top/test/fuzz/fuzz-$1.c")
$FUZZ_CC -fsanitize=fuzzer,address,undefined "$top/test/fuzz/fuzz-$1.c" $more libfuzzed.a $FUZZ_LIBS $libs -o "fuzz-$1" || exit 255
END
# A changed header may be in all of them.
[ ! -e libfuzzed.a ] || [ -z "$(find "$top" -name '*.h' -newer libfuzzed.a -print -quit)" ] || rm -f obj/*.o
{
  printf '%s\n' "$top"/common/*.c
  for name; do
    sed -n "s| \* fuzz-sources: || p" "$top/test/fuzz/fuzz-$name.c" | tr ' ' '\n' | sed "/./!d; s|^|$top/|"
  done
} | sort -u | xargs -n 4 -P "$jobs" sh compile.sh
rm -f libfuzzed.a
ar rc libfuzzed.a obj/common-*.o
printf '%s\n' "$@" | xargs -n 1 -P "$jobs" sh link.sh
