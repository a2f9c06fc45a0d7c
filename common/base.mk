# base: errors, buffers, log, configuration, frames
noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	common/err.h common/err.c \
	common/buf.h common/buf.c \
	common/log.h common/log.c \
	common/conf.h common/conf.c common/conf-take.h common/conf-take.c common/conf-socket.h common/conf-socket.c common/file.c \
	common/frame.h common/frame.c common/frame-client.c \
	common/rclient.h common/rclient-private.h common/rclient.c common/rclient-fanout.c common/rclient-grants.c \
	common/listener.h common/listener.c common/manager.h common/manager.c \
	common/peers.h common/peers.c \
	common/program.h common/program.c \
	common/sandbox.h common/sandbox.c
if HAVE_SECCOMP
noinst_PROGRAMS += common/filters/make
common_filters_make_SOURCES = common/filters/make.c
common_filters_make_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
common_filters_make_LDADD = $(SECCOMP_LIBS)
common/sandbox-filters.h: common/filters/make$(EXEEXT)
	$(AM_V_GEN)common/filters/make$(EXEEXT) >$@.new && mv $@.new $@
common/sandbox.$(OBJEXT): common/sandbox-filters.h
CLEANFILES += common/sandbox-filters.h
endif
if HAVE_CUNIT
check_PROGRAMS += test/unit/test-program
test_unit_test_program_SOURCES = test/unit/test-program.c $(STARVE)
test_unit_test_program_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-conf
test_unit_test_conf_SOURCES = test/unit/test-conf.c $(STARVE)
test_unit_test_conf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-conf-take
test_unit_test_conf_take_SOURCES = test/unit/test-conf-take.c
test_unit_test_conf_take_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-manager
test_unit_test_manager_SOURCES = test/unit/test-manager.c
test_unit_test_manager_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-listener test/unit/test-peers
test_unit_test_peers_SOURCES = test/unit/test-peers.c
test_unit_test_peers_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_listener_SOURCES = test/unit/test-listener.c
test_unit_test_listener_LDADD = $(UNIT_LIBS) $(BASE_LIBS) $(EVENT_LIBS)
check_PROGRAMS += test/unit/test-frame
test_unit_test_frame_SOURCES = test/unit/test-frame.c test/unit/frame-server.h test/unit/frame-server.c
test_unit_test_frame_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-sandbox
test_unit_test_sandbox_SOURCES = test/unit/test-sandbox.c
test_unit_test_sandbox_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-rclient
test_unit_test_rclient_SOURCES = test/unit/test-rclient.c test/unit/frame-server.h test/unit/frame-server.c $(GRANTS_CALL)
test_unit_test_rclient_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
EXTRA_DIST += test/fuzz/fuzz-frame.c test/fuzz/corpus/frame
dist_noinst_SCRIPTS += test/integration/sandbox.sh test/integration/units.sh
