# Unit tests: one program a module, each prints TAP; test/run.sh counts.
if HAVE_CUNIT
check_LIBRARIES = libunit.a
libunit_a_SOURCES = test/unit/unit.h test/unit/unit.c test/unit/span.h
# A real recryptd, and people who talk to it.
RECRYPTD_WORLD = test/unit/recryptd-world.h test/unit/recryptd-world.c test/unit/recryptd-people.c
# What the device of a mailbox's person is granted, for a test that waits for it.
GRANTS_CALL = test/unit/grants-call.h test/unit/grants-call.c
# A test that wants its allocations to fail takes these among its sources.
STARVE = test/unit/starve.h test/unit/starve.c test/allocations.h
UNIT_LIBS = libunit.a $(CUNIT_LIBS)
TESTS = $(check_PROGRAMS)
check_PROGRAMS += test/unit/test-buf test/unit/test-vectors test/unit/test-recryptd-equal
test_unit_test_buf_SOURCES = test/unit/test-buf.c
test_unit_test_buf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_vectors_SOURCES = test/unit/test-vectors.c $(JOSE_VECTORS)
test_unit_test_vectors_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
# Drives the built recryptd, as test-recryptd does, also under valgrind.
test_unit_test_recryptd_equal_SOURCES = $(RECRYPTD_WORLD) test/unit/recryptd-equal.h test/unit/test-recryptd-equal.c \
	test/unit/recryptd-equal-work.c
test_unit_test_recryptd_equal_LDADD = $(UNIT_LIBS) libkeystore.a $(BASE_LIBS) $(DB_LIBS)
endif
# Makes people for the test with a large list; no test of its own.
noinst_PROGRAMS += test/fanout-people
test_fanout_people_SOURCES = test/fanout-people.c
test_fanout_people_LDADD = $(BASE_LIBS)
dist_noinst_SCRIPTS += test/integration/fanout.sh
EXTRA_DIST += test/integration/fanout-tool.py
