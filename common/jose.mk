# jose: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/b64.h common/b64.c \
	common/sjson.h common/sjson.c common/sjson-check.c \
	common/udf.h common/udf.c common/address.c
EXTRA_DIST += test/fuzz/fuzz-sjson.c test/fuzz/corpus/sjson

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-b64 test/unit/test-sjson test/unit/test-udf
test_unit_test_b64_SOURCES = test/unit/test-b64.c
test_unit_test_b64_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_sjson_SOURCES = test/unit/test-sjson.c
test_unit_test_sjson_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_udf_SOURCES = test/unit/test-udf.c
test_unit_test_udf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
