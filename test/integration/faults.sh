#!/bin/bash
# Killed at any system call, starved of disk, descriptors and memory: what test/faults/faults.py does to recrypt-lda,
# recryptd and recrypt. LONG=1: all of it, by two processes; else a sample, always the same unless SEED chooses another.
. "$(dirname "$0")/tap.sh"
if ! strace -qq -o /dev/null -e inject=exit_group:delay_enter=1 true 2>/dev/null; then
  skip "faults" "strace cannot trace here"
  tap_done
fi
if nm -D "$BUILD/recryptd" 2>/dev/null | grep -q __asan; then
  skip "faults" "built with sanitizers, which have allocations and system calls of their own"
  tap_done
fi
${CC:-cc} -shared -fPIC -O1 -Wall -Wextra -Werror -o "$T/shim.so" "$SRC/test/faults/shim.c" || exit 99
chmod 755 "$T/shim.so"
mkdir "$T/world"
# The short form is the same each time, but for what time itself decides.
if [ -n "${LONG:-}" ]; then seed=${SEED:-$RANDOM}; else seed=${SEED:-5}; fi
python3 "$SRC/test/faults/faults.py" "$BUILD" "$T/world" "$T/shim.so" "$seed" ${LONG:+long}
