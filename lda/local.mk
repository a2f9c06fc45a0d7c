# recrypt-lda: the delivery agent
LDA_SOURCES = \
	lda/deliver.h lda/deliver.c \
	lda/fanout.h lda/fanout.c \
	lda/inject.h lda/inject.c \
	lda/smtp.h lda/smtp.c \
	lda/smtp-reply.h lda/smtp-reply.c \
	lda/grants.h lda/grants.c \
	lda/lmtp.h lda/lmtp.c \
	lda/lmtpd.h lda/lmtpd.c \
	lda/message.h lda/message.c \
	lda/remote.h lda/remote.c \
	lda/seal.h lda/seal.c \
	lda/settings.h lda/settings.c \
	lda/template.h lda/template.c \
	lda/verdict.h lda/verdict.c
noinst_LIBRARIES += liblda.a
liblda_a_SOURCES = $(LDA_SOURCES)
LDA_LIBS = liblda.a $(BASE_LIBS)
sbin_PROGRAMS += recrypt-lda
recrypt_lda_SOURCES = lda/main.c
recrypt_lda_LDADD = $(LDA_LIBS)
if HAVE_CUNIT
SMTP_SERVER = test/unit/smtp-server.h test/unit/smtp-server.c
check_PROGRAMS += test/unit/test-lda-inject test/unit/test-lda-remote test/unit/test-lda-fanout
# With the test as recryptd: its own rclient_*, a part 1 that cannot be written, a field that cannot be read.
test_unit_test_lda_fanout_SOURCES = test/unit/test-lda-fanout.c $(SMTP_SERVER)
test_unit_test_lda_fanout_LDADD = $(UNIT_LIBS) $(LDA_LIBS)
test_unit_test_lda_fanout_LDFLAGS = -Wl,--wrap=mailcrypt_part1 -Wl,--wrap=mime_unfold
test_unit_test_lda_remote_SOURCES = test/unit/test-lda-remote.c $(SMTP_SERVER) $(STARVE)
test_unit_test_lda_remote_LDADD = $(UNIT_LIBS) $(LDA_LIBS)
test_unit_test_lda_inject_SOURCES = test/unit/test-lda-inject.c $(SMTP_SERVER)
test_unit_test_lda_inject_LDADD = $(UNIT_LIBS) $(LDA_LIBS)
check_PROGRAMS += test/unit/test-lda-deliver
test_unit_test_lda_deliver_SOURCES = test/unit/test-lda-deliver.c
test_unit_test_lda_deliver_LDADD = $(UNIT_LIBS) $(LDA_LIBS)
test_unit_test_lda_deliver_LDFLAGS = -Wl,--wrap=mime_unfold -Wl,--wrap=rclient_resolve
check_PROGRAMS += test/unit/test-lda-template test/unit/test-lda-message test/unit/test-lda-lmtp \
	test/unit/test-lda-grants test/unit/test-lda-seal test/unit/test-lda-settings
test_unit_test_lda_template_SOURCES = test/unit/test-lda-template.c
test_unit_test_lda_template_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
test_unit_test_lda_message_SOURCES = test/unit/test-lda-message.c
test_unit_test_lda_message_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
test_unit_test_lda_lmtp_SOURCES = test/unit/test-lda-lmtp.c
test_unit_test_lda_lmtp_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
test_unit_test_lda_grants_SOURCES = test/unit/test-lda-grants.c
test_unit_test_lda_grants_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
test_unit_test_lda_seal_SOURCES = test/unit/test-lda-seal.c
test_unit_test_lda_seal_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
test_unit_test_lda_settings_SOURCES = test/unit/test-lda-settings.c
test_unit_test_lda_settings_LDADD = $(UNIT_LIBS) liblda.a $(BASE_LIBS)
endif
dist_man_MANS += doc/recrypt-lda.8
EXTRA_DIST += test/fuzz/fuzz-lmtp.c test/fuzz/corpus/lmtp
dist_noinst_SCRIPTS += test/integration/lda.sh test/integration/lda-postfix.sh
EXTRA_DIST += test/integration/lda-tool.py test/integration/lda-dovecot.sh test/integration/lda-service.sh
EXTRA_DIST += test/fuzz/fuzz-smtp-reply.c test/fuzz/corpus/smtp-reply
