# Sample configuration, the demonstration, what the tests share with it.
EXTRA_DIST += \
	contrib/demo/world.sh contrib/demo/story.sh contrib/demo/compose.py contrib/demo/foreign.py contrib/demo/search.py \
	contrib/postfix/main.cf contrib/postfix/master.cf contrib/postfix/recrypt_transport contrib/postfix/lmtp.cf contrib/postfix/local.cf contrib/recrypt-lda-local.conf \
	test/integration/mailtest.sh test/integration/smtp-raw.py test/integration/manual.py
dist_noinst_SCRIPTS += contrib/demo.sh contrib/packages.sh test/run.sh test/integration/tap.sh test/integration/story.sh \
	test/integration/postfix.sh test/integration/postfix-faults.sh \
	test/integration/manual.sh test/integration/demo.sh test/integration/full-disk.sh test/integration/local-user.sh
EXTRA_DIST += contrib/sendmail/sendmail.mc contrib/sendmail/instance.sh test/integration/sendmail-tool.py
dist_noinst_SCRIPTS += contrib/unpack.sh contrib/sendmail/unpack.sh test/integration/sendmail.sh
# recrypt-imapfilter before real servers; Cyrus is unpacked, as Sendmail is.
EXTRA_DIST += contrib/cyrus/imapd.conf contrib/cyrus/cyrus.conf contrib/cyrus/instance.sh \
	test/integration/imap-servers.sh test/integration/imapwire.py test/integration/imap-session.py test/integration/imap-hostile.py \
	test/integration/imap-killed.py test/integration/imap-xrecrypt.py
dist_noinst_SCRIPTS += contrib/cyrus/unpack.sh test/integration/imapfilter.sh test/integration/imapfilter-cyrus.sh \
	test/integration/imap-hostile.sh test/integration/imap-hostile-server.sh test/integration/imap-xrecrypt.sh
