# recrypt-milter
sbin_PROGRAMS += recrypt-milter
# All but what calls libmilter: the unit tests link these with a mail server of their own.
MILTER_CORE = \
	milter/body.h milter/body.c \
	milter/callbacks.h milter/callbacks.c \
	milter/grants.h milter/grants.c \
	milter/headers.h milter/headers.c \
	milter/list-header.h milter/list-header.c \
	milter/list.h milter/list.c \
	milter/mta.h \
	milter/person.h milter/person.c \
	milter/recipient.h milter/recipient.c \
	milter/reply.h milter/reply.c \
	milter/seal.h milter/seal.c \
	milter/session.h milter/session.c \
	milter/settings.h milter/settings.c
recrypt_milter_SOURCES = milter/main.c milter/mta.c milter/run.h milter/run.c milter/socket.h milter/socket.c milter/wake.h milter/wake.c \
	$(MILTER_CORE)
recrypt_milter_LDADD = $(BASE_LIBS) $(MILTER_LIBS)
dist_man_MANS += doc/recrypt-milter.8
if HAVE_CUNIT
MILTER_WORLD = test/unit/milter-world.h test/unit/milter-world.c test/unit/milter-mail.h test/unit/milter-mail.c
check_PROGRAMS += test/unit/test-milter test/unit/test-milter-route test/unit/test-milter-wake test/unit/test-milter-socket
test_unit_test_milter_socket_SOURCES = test/unit/test-milter-socket.c milter/mta.h milter/mta.c milter/socket.h milter/socket.c milter/wake.h milter/wake.c
test_unit_test_milter_socket_LDADD = $(UNIT_LIBS) $(BASE_LIBS) $(MILTER_LIBS)
test_unit_test_milter_SOURCES = test/unit/test-milter.c $(MILTER_WORLD) $(MILTER_CORE)
test_unit_test_milter_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_milter_route_SOURCES = test/unit/test-milter-route.c $(MILTER_WORLD) $(MILTER_CORE)
test_unit_test_milter_route_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_milter_wake_SOURCES = test/unit/test-milter-wake.c milter/wake.h milter/wake.c
test_unit_test_milter_wake_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
dist_noinst_SCRIPTS += test/integration/milter.sh
EXTRA_DIST += test/integration/milterwire.py test/integration/milter-client.py test/integration/milter.lua
EXTRA_DIST += test/fuzz/fuzz-milter.c test/fuzz/corpus/milter
dist_noinst_SCRIPTS += test/integration/vectors.sh test/integration/hostile.sh
EXTRA_DIST += test/integration/vectors.py test/integration/hostile.py test/integration/milter-service.sh
