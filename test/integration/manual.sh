#!/bin/bash
# manual.sh: what manual pages, samples and the administrator's guide say is what the programs know.
. "$(dirname "$0")/tap.sh"
tool="python3 $SRC/test/integration/manual.py"
for p in recryptd recrypt-milter recrypt-lda recrypt-imapfilter recrypt-keystore; do
  ok "$p(8) has the options of $p --help" $tool options "$BUILD/$p" "$SRC/doc/$p.8"
done
ok "recrypt(1) has each command's options" $tool commands "$BUILD/recrypt/recrypt" "$SRC/doc/recrypt.1"
ok "recryptd.conf(5) has recryptd's settings, and the sample no others" \
  $tool settings "$SRC/service/settings.c" "$SRC/doc/recryptd.conf.5" "$SRC/contrib/recryptd.conf"
ok "recrypt-milter(8) has its settings, and the sample no others" \
  $tool settings "$SRC/milter/settings.c" "$SRC/doc/recrypt-milter.8" "$SRC/contrib/recrypt-milter.conf"
ok "recrypt-lda(8) has its settings, and the samples no others" \
  $tool settings "$SRC/lda/settings.c" "$SRC/doc/recrypt-lda.8" "$SRC/contrib/recrypt-lda.conf" "$SRC/contrib/recrypt-lda-local.conf"
ok "recrypt-imapfilter(8) has its settings, and the sample no others" \
  $tool settings "$SRC/imapfilter/settings.c" "$SRC/doc/recrypt-imapfilter.8" "$SRC/contrib/imapfilter.conf"

# What is commented out in a sample is right as well: users and files of a real host aside, the program takes it.
somebody=$(id -un)
if [ "$(id -u)" = 0 ]; then somebody=nobody; fi # none takes root
uncommented() { # PROGRAM SAMPLE
  sed -E "s/^#([a-z_]+ *=|domain )/\1/; s/\"(recryptd|recrypt-milter|recrypt-imap|vmail|postfix)\"/\"$somebody\"/; s/=vmail/=$somebody/; /^socket_group|^tls_|^listen_tls/d; s/0\.0\.0\.0/127.0.0.1/" \
    "$SRC/contrib/$2" >"$T/$2"
  says "configuration is good" status 0 "$BUILD/$1" -c "$T/$2" -n
}
ok "recryptd takes its whole sample" uncommented recryptd recryptd.conf
ok "so does recrypt-milter" uncommented recrypt-milter recrypt-milter.conf
ok "so does recrypt-lda" uncommented recrypt-lda recrypt-lda.conf
ok "so does recrypt-imapfilter" uncommented recrypt-imapfilter imapfilter.conf

# What only a start would show, -n shows: a user who is not there, or is root.
with() { # PROGRAM SAMPLE LINE SAYS
  { grep -v "^${3%% *} *=" "$T/$2"; echo "$3"; } >"$T/with.conf"
  says "$4" "$BUILD/$1" -c "$T/with.conf" -n && status 78 "$BUILD/$1" -c "$T/with.conf" -n
}
for p in recryptd recrypt-milter recrypt-lda recrypt-imapfilter; do
  sample=$p.conf
  if [ "$p" = recrypt-imapfilter ]; then sample=imapfilter.conf; fi
  ok "$p -n: a user who is not there" with "$p" "$sample" 'user = "no-such-user"' "user: no user 'no-such-user'"
  ok "$p -n: root" with "$p" "$sample" 'user = "root"' "as root"
done
ok "recrypt-milter -n: a group that is not there" with recrypt-milter recrypt-milter.conf 'socket_group = "no-such-group"' \
  'socket_group: no group "no-such-group"'

# Postfix's parameters in samples and guide exist.
mkdir "$T/postfix"
cat "$SRC/contrib/postfix/main.cf" "$SRC/contrib/postfix/lmtp.cf" "$SRC/contrib/postfix/local.cf" >"$T/postfix/main.cf"
cp "$SRC/contrib/postfix/master.cf" "$T/postfix/master.cf"
parameters() {
  local out; out=$(postconf -c "$T/postfix" -n 2>&1 >/dev/null | grep -v 'overriding earlier entry: virtual_transport')
  [ -z "$out" ] || { echo "$out"; return 1; }
}
if command -v postconf >/dev/null; then
  ok "Postfix knows each parameter of the samples" parameters
  postconf -c "$T/postfix" -d 2>/dev/null | cut -d' ' -f1 >"$T/parameters"
  for guide in README.md doc/admin.md doc/threat-model.md doc/xrecrypt.md; do
    ok "each command, option, setting and file in $guide is there" $tool guide "$SRC/$guide" "$BUILD" "$SRC" "$T/parameters"
  done
else
  skip "Postfix's parameters" "no postconf here"
fi
tap_done
