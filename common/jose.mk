# jose: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/b64.h common/b64.c \
	common/sjson.h common/sjson.c common/sjson-check.c \
	common/udf.h common/udf.c common/address.c \
	common/jwk.h common/jwk-private.h common/jwk.c common/jwk-json.c common/jwk-print.c \
	common/jws.h common/jws.c common/jws-parse.c \
	common/jwe.h common/jwe-private.h common/jwe.c common/jwe-content.c common/jwe-header.c common/jwe-parse.c \
	common/jwe-seal.c common/jwe-write.c common/jwe-passphrase.c common/grant.c
EXTRA_DIST += test/unit/jose-interop.py test/fuzz/fuzz-sjson.c test/fuzz/fuzz-jwe.c test/fuzz/fuzz-jws.c test/fuzz/fuzz-jwk.c test/fuzz/fuzz-udf.c \
	test/fuzz/corpus/sjson test/fuzz/corpus/jwe test/fuzz/corpus/jws test/fuzz/corpus/jwk test/fuzz/corpus/udf

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-b64 test/unit/test-sjson test/unit/test-udf test/unit/test-jwk test/unit/test-jws \
	test/unit/test-jwe test/unit/test-jwe-parse test/unit/test-jwe-passphrase test/unit/test-jwe-vectors test/unit/test-jose-interop \
	test/unit/test-equal-open
JOSE_VECTORS = test/unit/vectors.h test/unit/vectors.c
test_unit_test_b64_SOURCES = test/unit/test-b64.c
test_unit_test_b64_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_sjson_SOURCES = test/unit/test-sjson.c $(STARVE)
test_unit_test_sjson_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_udf_SOURCES = test/unit/test-udf.c
test_unit_test_udf_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwk_SOURCES = test/unit/test-jwk.c $(JOSE_VECTORS)
test_unit_test_jwk_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jws_SOURCES = test/unit/test-jws.c $(JOSE_VECTORS) $(STARVE)
test_unit_test_jws_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwe_SOURCES = test/unit/test-jwe.c $(STATEMENTS)
test_unit_test_jwe_parse_SOURCES = test/unit/test-jwe-parse.c $(STATEMENTS)
test_unit_test_jwe_parse_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwe_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwe_passphrase_SOURCES = test/unit/test-jwe-passphrase.c
test_unit_test_jwe_passphrase_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jwe_vectors_SOURCES = test/unit/test-jwe-vectors.c $(JOSE_VECTORS)
test_unit_test_jwe_vectors_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_equal_open_SOURCES = test/unit/test-equal-open.c
test_unit_test_equal_open_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_jose_interop_SOURCES = test/unit/test-jose-interop.c
test_unit_test_jose_interop_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif
