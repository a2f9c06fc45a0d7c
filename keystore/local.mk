# what keystore adds to the build
noinst_LIBRARIES += libkeystore.a
libkeystore_a_SOURCES = \
	keystore/keystore.h keystore/keystore-private.h keystore/keystore.c \
	keystore/keystore-dump.h keystore/keystore-dump.c \
	keystore/berkeley-dir.h keystore/berkeley-dir.c keystore/keystore-berkeley.c
KEYSTORE_LIBS = libkeystore.a $(DB_LIBS)
sbin_PROGRAMS += recrypt-keystore
recrypt_keystore_SOURCES = keystore/recrypt-keystore.c
recrypt_keystore_LDADD = $(KEYSTORE_LIBS) $(BASE_LIBS)
dist_man_MANS += doc/recrypt-keystore.8
if HAVE_CUNIT
check_PROGRAMS += test/unit/test-keystore
KEYSTORE_WORLD = test/unit/keystore-world.h test/unit/keystore-world.c
test_unit_test_keystore_SOURCES = test/unit/test-keystore.c $(KEYSTORE_WORLD)
test_unit_test_keystore_LDADD = $(UNIT_LIBS) $(KEYSTORE_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-keystore-dump
test_unit_test_keystore_dump_SOURCES = test/unit/test-keystore-dump.c $(KEYSTORE_WORLD)
test_unit_test_keystore_dump_LDADD = $(UNIT_LIBS) $(KEYSTORE_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-keystore-memory
test_unit_test_keystore_memory_SOURCES = test/unit/test-keystore-memory.c $(STARVE)
test_unit_test_keystore_memory_LDADD = $(UNIT_LIBS) $(KEYSTORE_LIBS) $(BASE_LIBS)
check_PROGRAMS += test/unit/test-keystore-berkeley
test_unit_test_keystore_berkeley_SOURCES = test/unit/test-keystore-berkeley.c
test_unit_test_keystore_berkeley_LDADD = $(UNIT_LIBS) $(KEYSTORE_LIBS) $(BASE_LIBS)
endif
