#!/bin/bash
# installed.sh ROOT PREFIX: what make install DESTDIR=ROOT put there is whole: programs that start, manual pages,
# guides, samples, and units that name those programs. Says what is not as it must be; exit status 1 then.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$1 prefix=$2 at=$1$2 bad=0
wrong() { echo "installed.sh: $1"; bad=1; }
for p in bin/recrypt sbin/recryptd sbin/recrypt-milter sbin/recrypt-lda sbin/recrypt-imapfilter sbin/recrypt-keystore; do
  "$at/$p" --version || wrong "$p does not start"
done
for m in doc/*.[158]; do cmp "$m" "$at/share/man/man${m##*.}/${m##*/}" || wrong "$m"; done
for d in doc/*.md; do cmp "$d" "$at/share/doc/recrypt-mail/${d##*/}" || wrong "$d"; done
# Of contrib/ all but what builds, shows and tests.
while read -r f; do
  cmp "contrib/$f" "$at/share/doc/recrypt-mail/examples/$f" || wrong "contrib/$f"
  [ ! -x "contrib/$f" ] || [ -x "$at/share/doc/recrypt-mail/examples/$f" ] || wrong "contrib/$f cannot be executed"
done < <(cd contrib && find . -type f ! -name '*.sh' ! -name local.mk ! -path './demo/*' ! -path './cyrus/*' ! -path './systemd/*' | sed 's|^\./||')
for u in contrib/systemd/*; do
  to=$at/lib/systemd/system/${u##*/}
  sed "s|/usr/sbin/recrypt|$prefix/sbin/recrypt|g" "$u" | cmp - "$to" || wrong "$u"
  while read -r p; do [ -x "$root$p" ] || wrong "$u starts $p, which is not there"; done < <(sed -n 's/^Exec[A-Za-z]*=\([^ ]*recrypt[^ ]*\).*/\1/p' "$to")
done
exit $bad
