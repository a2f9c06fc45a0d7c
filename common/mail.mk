# mail: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES += \
	common/mime.h common/mime.c common/mime-field.c \
	common/lines.h common/lines.c common/maildir.h common/maildir.c \
	common/mailcrypt.h common/mailcrypt.c common/mailcrypt-write.c \
	common/protect.h common/protect-private.h common/protect.c common/protect-seal.c \
	common/protect-sign.c common/protect-open.c

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-mime test/unit/test-lines test/unit/test-maildir test/unit/test-mailcrypt test/unit/test-protect-wrap \
	test/unit/test-protect test/unit/test-seal
test_unit_test_mime_SOURCES = test/unit/test-mime.c
test_unit_test_mime_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_lines_SOURCES = test/unit/test-lines.c
test_unit_test_lines_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_maildir_SOURCES = test/unit/test-maildir.c
test_unit_test_maildir_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_protect_wrap_SOURCES = test/unit/test-protect-wrap.c test/unit/corpus.h test/unit/corpus.c
test_unit_test_protect_wrap_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_protect_SOURCES = test/unit/test-protect.c
test_unit_test_protect_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_mailcrypt_SOURCES = test/unit/test-mailcrypt.c
test_unit_test_mailcrypt_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_seal_SOURCES = test/unit/test-seal.c test/unit/corpus.h test/unit/corpus.c
test_unit_test_seal_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
endif

EXTRA_DIST += \
	test/fuzz/fuzz-mime.c test/fuzz/corpus/mime \
	test/fuzz/fuzz-mailcrypt.c test/fuzz/corpus/mailcrypt \
	test/fuzz/fuzz-protect.c test/fuzz/corpus/protect
