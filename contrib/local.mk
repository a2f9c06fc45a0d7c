# Sample configuration, the demonstration, what the tests share with it.
EXTRA_DIST += \
	contrib/demo/world.sh contrib/demo/story.sh contrib/demo/compose.py contrib/demo/foreign.py contrib/demo/search.py \
	test/integration/mailtest.sh test/integration/smtp-raw.py test/integration/manual.py
dist_noinst_SCRIPTS += contrib/demo.sh contrib/packages.sh test/run.sh test/installed.sh test/integration/tap.sh test/integration/story.sh \
	test/integration/postfix.sh test/integration/postfix-faults.sh \
	test/integration/manual.sh test/integration/demo.sh test/integration/full-disk.sh test/integration/local-user.sh \
	test/integration/units-lines.sh
EXTRA_DIST += contrib/sendmail/instance.sh test/integration/sendmail-tool.py
dist_noinst_SCRIPTS += contrib/unpack.sh contrib/sendmail/unpack.sh test/integration/sendmail.sh
# recrypt-imapfilter before real servers; Cyrus is unpacked, as Sendmail is.
EXTRA_DIST += contrib/cyrus/imapd.conf contrib/cyrus/cyrus.conf contrib/cyrus/instance.sh \
	test/integration/imap-servers.sh test/integration/imapwire.py test/integration/imap-session.py \
	test/integration/imapwatch.py test/integration/imap-hostile-client.py test/integration/imap-hostile-server.py \
	test/integration/imap-killed.py test/integration/imap-xrecrypt.py
dist_noinst_SCRIPTS += contrib/cyrus/unpack.sh test/integration/imapfilter.sh test/integration/imapfilter-cyrus.sh \
	test/integration/imap-hostile.sh test/integration/imap-hostile-server.sh test/integration/imap-xrecrypt.sh

# What make install brings besides programs and manual pages. Nothing is started, and no configuration that is there is
# touched.
examplesdir = $(docdir)/examples
dist_examples_DATA = contrib/recryptd.conf contrib/recrypt-milter.conf contrib/recrypt-lda.conf contrib/recrypt-lda-local.conf contrib/imapfilter.conf
postfixexamplesdir = $(examplesdir)/postfix
dist_postfixexamples_DATA = contrib/postfix/main.cf contrib/postfix/master.cf contrib/postfix/recrypt_transport contrib/postfix/lmtp.cf \
	contrib/postfix/local.cf
sendmailexamplesdir = $(examplesdir)/sendmail
dist_sendmailexamples_DATA = contrib/sendmail/sendmail.mc
dovecotexamplesdir = $(examplesdir)/dovecot
dist_dovecotexamples_DATA = contrib/dovecot/dovecot.conf contrib/dovecot/recrypt.conf contrib/dovecot/recrypt-acl
muttexamplesdir = $(examplesdir)/mutt
dist_muttexamples_DATA = contrib/mutt/muttrc contrib/mutt/mailcap
dist_muttexamples_SCRIPTS = contrib/mutt/recrypt-mutt
isyncexamplesdir = $(examplesdir)/isync
dist_isyncexamples_DATA = contrib/isync/mbsyncrc
dist_isyncexamples_SCRIPTS = contrib/isync/recrypt-mbsync

# Units name the programs as installed.
UNITS = contrib/systemd/recryptd.service contrib/systemd/recrypt-milter.service contrib/systemd/recrypt-lda.service \
	contrib/systemd/recrypt-lda.socket contrib/systemd/recrypt-imapfilter.service
EXTRA_DIST += $(UNITS)
if UNITS
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(systemdsystemunitdir)"
	for u in $(UNITS); do \
	  to="$(DESTDIR)$(systemdsystemunitdir)/$${u##*/}"; \
	  sed 's|/usr/sbin/recrypt|$(sbindir)/recrypt|g' "$(srcdir)/$$u" >"$$to" && chmod 644 "$$to" || exit; \
	done
uninstall-local:
	for u in $(UNITS); do rm -f "$(DESTDIR)$(systemdsystemunitdir)/$${u##*/}"; done
endif
