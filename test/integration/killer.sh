# killer.sh - sourced after world.sh by tests in which deliveries are killed. killer_lda N DOMAIN...: as long as $T/kill
# is there, one in N of the delivery agents that these Postfixes start is killed after 0 to 59 ms, and has a line in
# $T/killed.
killer_lda() {
  local n=$1 d; shift
  cat >"$T/killed-lda" <<KILLER
#!/bin/bash
# The process that Postfix watches is the delivery agent itself, so that it sees the signal.
if [ -e $T/kill ] && [ \$((RANDOM % $n)) = 0 ]; then
  ms=\$((RANDOM % 60))
  (exec </dev/null >/dev/null 2>&1; sleep 0.0\$(printf %02d \$ms); [ "\$(readlink /proc/\$\$/exe)" = $BUILD/recrypt-lda ] && kill -9 \$\$ && echo lda >>$T/killed) &
fi
exec $BUILD/recrypt-lda "\$@"
KILLER
  chmod 755 "$T/killed-lda"
  : >"$T/killed"
  chmod 666 "$T/killed"
  touch "$T/kill"
  for d; do
    sed -i "s|argv=$BUILD/recrypt-lda|argv=$T/killed-lda|" "$T/$d/postfix/etc/master.cf"
    postfix -c "$T/$d/postfix/etc" reload >/dev/null 2>&1
  done
}
