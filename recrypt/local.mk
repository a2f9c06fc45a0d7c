# recrypt: the person's and the administrator's tool; all of it but main is a library, for the tests
# (not "recrypt": that is the name of this directory)
bin_PROGRAMS += recrypt/recrypt
noinst_LIBRARIES += librecrypt.a
librecrypt_a_SOURCES = \
	recrypt/args.h recrypt/args.c \
	recrypt/home.h recrypt/home-private.h recrypt/home.c recrypt/home-secret.c \
	recrypt/passphrase.h recrypt/passphrase.c \
	recrypt/web.h recrypt/web.c recrypt/services.h recrypt/services.c \
	recrypt/known.h recrypt/known.c recrypt/person.h recrypt/person.c \
	recrypt/list.h recrypt/list.c recrypt/list-change.c recrypt/list-rekey.c \
	recrypt/list-profile.c recrypt/shares.h recrypt/shares.c \
	recrypt/opener.h recrypt/opener-private.h recrypt/opener.c recrypt/opener-device.c \
	recrypt/deposit.h recrypt/deposit.c recrypt/stream.h recrypt/stream.c \
	recrypt/granted.h recrypt/granted.c recrypt/mail.h recrypt/mail.c \
	recrypt/devices.h recrypt/devices.c recrypt/devices-prove.c recrypt/removed.h recrypt/removed.c
recrypt_recrypt_SOURCES = recrypt/tool.h recrypt/main.c recrypt/cmd-person.c recrypt/cmd-group.c recrypt/cmd-members.c \
	recrypt/cmd-mail.c recrypt/cmd-file.c recrypt/cmd-connect.c recrypt/cmd-device.c recrypt/cmd-park.c
recrypt_recrypt_LDADD = librecrypt.a libimap.a $(BASE_LIBS) $(CURL_LIBS) $(ETPAN_LIBS) $(SSL_LIBS)
libcommon_a_SOURCES += common/jcd.h common/jcd-private.h common/jcd.c common/jcd-cipher.c common/jcd-read.c
dist_noinst_SCRIPTS += test/integration/services.sh test/integration/recrypt.sh test/integration/devices.sh test/integration/devices-mail.sh
dist_man_MANS += doc/recrypt.1
EXTRA_DIST += test/fuzz/fuzz-jcd.c test/fuzz/corpus/jcd test/fuzz/fuzz-granted.c test/fuzz/corpus/granted

if HAVE_CUNIT
check_PROGRAMS += test/unit/test-jcd test/unit/test-recrypt-args test/unit/test-recrypt-home test/unit/test-recrypt-web \
	test/unit/test-recrypt-granted
test_unit_test_jcd_SOURCES = test/unit/test-jcd.c
test_unit_test_jcd_LDADD = $(UNIT_LIBS) $(BASE_LIBS)
test_unit_test_recrypt_args_SOURCES = test/unit/test-recrypt-args.c
test_unit_test_recrypt_args_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS)
test_unit_test_recrypt_granted_SOURCES = test/unit/test-recrypt-granted.c
test_unit_test_recrypt_granted_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS)
test_unit_test_recrypt_home_SOURCES = test/unit/test-recrypt-home.c
test_unit_test_recrypt_home_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS) $(CURL_LIBS)
test_unit_test_recrypt_web_SOURCES = test/unit/test-recrypt-web.c
test_unit_test_recrypt_web_LDADD = $(UNIT_LIBS) librecrypt.a $(BASE_LIBS) $(CURL_LIBS)
endif
