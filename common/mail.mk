# mail: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/mime.h common/mime.c common/mime-field.c

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-mime
test_unit_test_mime_SOURCES = test/unit/test-mime.c
test_unit_test_mime_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif

EXTRA_DIST += \
	test/fuzz/fuzz-mime.c test/fuzz/corpus/mime
