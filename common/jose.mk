# jose: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/b64.h common/b64.c \
	common/sjson.h common/sjson.c common/sjson-check.c \
	common/udf.h common/udf.c common/address.c \
	common/jwk.h common/jwk-private.h common/jwk.c common/jwk-json.c common/jwk-print.c \
	common/jws.h common/jws.c common/jws-parse.c \
	common/jwe.h common/jwe-private.h common/jwe.c common/jwe-content.c common/jwe-header.c common/jwe-parse.c \
	common/jwe-seal.c common/jwe-write.c common/jwe-passphrase.c common/grant.c
EXTRA_DIST += test/fuzz/fuzz-sjson.c test/fuzz/corpus/sjson

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-b64 test/unit/test-sjson test/unit/test-udf test/unit/test-jwk test/unit/test-jws \
	test/unit/test-jwe
JOSE_VECTORS = test/unit/vectors.h test/unit/vectors.c
test_unit_test_b64_SOURCES = test/unit/test-b64.c
test_unit_test_b64_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_sjson_SOURCES = test/unit/test-sjson.c
test_unit_test_sjson_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_udf_SOURCES = test/unit/test-udf.c
test_unit_test_udf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwk_SOURCES = test/unit/test-jwk.c
test_unit_test_jwk_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jws_SOURCES = test/unit/test-jws.c $(JOSE_VECTORS)
test_unit_test_jws_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwe_SOURCES = test/unit/test-jwe.c
test_unit_test_jwe_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
