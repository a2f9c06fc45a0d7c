# Unit tests: one program a module, each prints TAP; test/run.sh counts.
if HAVE_CUNIT
check_LIBRARIES = libunit.a
libunit_a_SOURCES = test/unit/unit.h test/unit/unit.c
UNIT_LIBS = libunit.a $(CUNIT_LIBS)
TESTS = $(check_PROGRAMS)
check_PROGRAMS += test/unit/test-buf
test_unit_test_buf_SOURCES = test/unit/test-buf.c
test_unit_test_buf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
