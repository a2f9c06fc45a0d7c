#!/bin/bash
# The external mail corpus through recrypt-milter, recryptd and the tool: for a person it is sealed at the door and
# opens to the same octets; ordinary mail is let be; a list refuses it, and one that encrypts at the door seals it. (The
# other vectors: unit tests, see test/unit/test-vectors.c.)
. "$(dirname "$0")/tap.sh"
if [ ! -d "$VECTORS/mail/emails" ]; then
  skip "the mail corpus through the milter" "no external vectors"
  tap_done
fi
. "$SRC/test/integration/milter-service.sh"

ok "a service, people, two lists" milter_service 'timeout = "10s"' 'max_message = "50M"'
[ "$tap_failed" = 0 ] || { tail -n 20 "$T"/*.log | sed 's/^/# /'; tap_done; }
corpus() { python3 "$SRC/test/integration/vectors.py" "$socket" "$VECTORS/mail/emails" "$T/corpus" "$@"; }
ok "ordinary mail: every message let be" corpus ordinary
ok "to a list: every message refused" corpus refused
ok "to a person: every message sealed" corpus sealed bob@example.com
opens() { # what was sealed, beside what went in
  local f n=0
  for f in "$T/corpus/$1"/*.sealed; do
    as_tool open "$f" --force --out "$T/opened" 2>"$T/why" && cmp "$T/opened" "${f%.sealed}.sent" || { echo "$f"; cat "$T/why"; return 1; }
    n=$((n + 1))
  done
  [ "$n" -ge "$2" ] || { echo "$n messages"; return 1; }
}
ok "and each opens to the same octets" opens bob@example.com 100
ok "to a list that encrypts: every message sealed, or refused with the reason listed" corpus sealed door@example.com
ok "and each opens to the same octets for a member" opens door@example.com 70
ok "the milter is well" milter_stop
tap_done
