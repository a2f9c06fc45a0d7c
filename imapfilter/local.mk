# recrypt-imapfilter: the parser, which knows neither sockets nor events, and the program
noinst_LIBRARIES += libimap.a
libimap_a_SOURCES = \
	imapfilter/imap-read.h imapfilter/imap-read.c \
	imapfilter/imap-line.h imapfilter/imap-line.c \
	imapfilter/imap-capability.h imapfilter/imap-capability.c \
	imapfilter/imap-set.h imapfilter/imap-set.c \
	imapfilter/imap-fetch.h imapfilter/imap-fetch.c \
	imapfilter/imap-who.h imapfilter/imap-who.c
sbin_PROGRAMS += recrypt-imapfilter
IMAPFILTER_CORE = \
	imapfilter/grants.h imapfilter/grants.c \
	imapfilter/link.h imapfilter/link.c \
	imapfilter/login.h imapfilter/login.c \
	imapfilter/relay.c \
	imapfilter/server.h imapfilter/server.c \
	imapfilter/session.h imapfilter/session.c \
	imapfilter/settings.h imapfilter/settings.c \
	imapfilter/setup.c \
	imapfilter/stream.h imapfilter/stream.c \
	imapfilter/tls.h imapfilter/tls.c \
	imapfilter/xrecrypt.h imapfilter/xrecrypt.c
IMAPFILTER_LIBS = libimap.a $(BASE_LIBS) $(SSL_LIBS) $(EVENT_LIBS)
recrypt_imapfilter_SOURCES = imapfilter/main.c $(IMAPFILTER_CORE)
recrypt_imapfilter_LDADD = $(IMAPFILTER_LIBS)
dist_man_MANS += doc/recrypt-imapfilter.8
if HAVE_CUNIT
check_PROGRAMS += test/unit/test-imap
test_unit_test_imap_SOURCES = test/unit/test-imap.c test/unit/imap-span.h
test_unit_test_imap_LDADD = $(UNIT_LIBS) libimap.a $(BASE_LIBS)
check_PROGRAMS += test/unit/test-imap-who
test_unit_test_imap_who_SOURCES = test/unit/test-imap-who.c test/unit/imap-span.h
test_unit_test_imap_who_LDADD = $(UNIT_LIBS) libimap.a $(BASE_LIBS)
IMAPFILTER_WORLD = test/unit/imapfilter-world.h test/unit/imapfilter-world.c $(IMAPFILTER_CORE)
check_PROGRAMS += test/unit/test-imapfilter
test_unit_test_imapfilter_SOURCES = test/unit/test-imapfilter.c $(IMAPFILTER_WORLD)
test_unit_test_imapfilter_LDADD = $(UNIT_LIBS) $(IMAPFILTER_LIBS)
check_PROGRAMS += test/unit/test-imapfilter-tls
test_unit_test_imapfilter_tls_SOURCES = test/unit/test-imapfilter-tls.c $(IMAPFILTER_WORLD)
test_unit_test_imapfilter_tls_LDADD = $(UNIT_LIBS) $(IMAPFILTER_LIBS)
check_PROGRAMS += test/unit/test-imapfilter-xrecrypt
test_unit_test_imapfilter_xrecrypt_SOURCES = test/unit/test-imapfilter-xrecrypt.c test/unit/xrecrypt-world.h \
	test/unit/xrecrypt-world.c test/unit/frame-server.h test/unit/frame-server.c \
	$(IMAPFILTER_WORLD)
test_unit_test_imapfilter_xrecrypt_LDADD = $(UNIT_LIBS) $(IMAPFILTER_LIBS)
endif
EXTRA_DIST += test/fuzz/fuzz-imap.c test/fuzz/corpus/imap
