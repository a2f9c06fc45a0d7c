# crypto: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/algorithms.h common/algorithms.c common/field.h common/field.c \
	common/suite.h common/suite-private.h common/suite.c \
	common/suite-mont.c common/suite-p256.c common/suite-dh.c \
	common/statement.h common/statement-private.h common/statement.c \
	common/profile.c common/roster.c common/entry.c common/share.c common/sealed.c \
	common/device.h common/device.c common/recovery.c
EXTRA_DIST += test/fuzz/fuzz-suite.c test/fuzz/corpus/suite test/fuzz/fuzz-statement.c test/fuzz/corpus/statement

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-algorithms test/unit/test-field test/unit/test-suite test/unit/test-suite-refused test/unit/test-statement \
	test/unit/test-entry test/unit/test-share test/unit/test-constant-time test/unit/test-device test/unit/test-wiped
test_unit_test_algorithms_SOURCES = test/unit/test-algorithms.c $(STARVE)
test_unit_test_algorithms_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_field_SOURCES = test/unit/test-field.c
test_unit_test_field_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_suite_SOURCES = test/unit/test-suite.c
test_unit_test_suite_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_suite_refused_SOURCES = test/unit/test-suite-refused.c
test_unit_test_suite_refused_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
STATEMENTS = test/unit/statements.h test/unit/statements.c
test_unit_test_statement_SOURCES = test/unit/test-statement.c $(STATEMENTS)
test_unit_test_statement_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_device_SOURCES = test/unit/test-device.c $(STATEMENTS)
test_unit_test_device_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
ENTRY_WORLD = test/unit/entry-world.h test/unit/entry-world.c $(STATEMENTS)
test_unit_test_share_SOURCES = test/unit/test-share.c $(ENTRY_WORLD)
test_unit_test_share_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_entry_SOURCES = test/unit/test-entry.c $(ENTRY_WORLD)
test_unit_test_entry_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_wiped_SOURCES = test/unit/test-wiped.c
test_unit_test_wiped_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_constant_time_SOURCES = test/unit/test-constant-time.c
test_unit_test_constant_time_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
