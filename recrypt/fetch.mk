# recrypt fetch; what mail programs need to read sealed mail
librecrypt_a_SOURCES += \
	recrypt/fetch-conf.h recrypt/fetch-conf.c recrypt/fetch-url.c recrypt/fetch-mailbox.c recrypt/fetch-password.c \
	recrypt/fetch-guard.h recrypt/fetch-guard.c recrypt/fetch-guard-item.h recrypt/fetch-guard-item.c \
	recrypt/fetch-stream.h recrypt/fetch-stream.c \
	recrypt/fetch-imap.h recrypt/fetch-imap.c recrypt/fetch-xrecrypt.h recrypt/fetch-xrecrypt.c \
	recrypt/fetch-state.h recrypt/fetch-state.c recrypt/mark.h recrypt/mark.c \
	recrypt/fetch-progress.h recrypt/fetch-progress.c \
	recrypt/fetch.h recrypt/fetch-private.h recrypt/fetch.c recrypt/fetch-open.c \
	imapfilter/tls.h imapfilter/tls.c
recrypt_recrypt_SOURCES += recrypt/cmd-fetch.c
dist_noinst_SCRIPTS += test/integration/dovecot.sh test/integration/fetch.sh test/integration/clients.sh
EXTRA_DIST += test/fuzz/fuzz-fetch.c test/fuzz/corpus/fetch \
	test/integration/clients.py test/integration/terminal.py test/integration/fetch-server.py

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-fetch-conf test/unit/test-mark test/unit/test-fetch-state test/unit/test-fetch-guard
test_unit_test_fetch_conf_SOURCES = test/unit/test-fetch-conf.c
test_unit_test_fetch_conf_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS) $(CURL_LIBS)
test_unit_test_mark_SOURCES = test/unit/test-mark.c
test_unit_test_mark_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS)
test_unit_test_fetch_state_SOURCES = test/unit/test-fetch-state.c
test_unit_test_fetch_state_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS)
test_unit_test_fetch_guard_SOURCES = test/unit/test-fetch-guard.c
test_unit_test_fetch_guard_LDADD = $(UNIT_LIBS) librecrypt.a libimap.a $(BASE_LIBS)
endif
