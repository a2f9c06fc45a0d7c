# recryptd: all but main() is an archive, so that unit tests link against it
sbin_PROGRAMS += recryptd
noinst_LIBRARIES += libservice.a
libservice_a_SOURCES = \
	service/settings.h service/settings.c \
	service/servicekey.h service/servicekey.c \
	service/records.h service/records-private.h service/records.c service/accounts.c service/members-store.c \
	service/signers.c service/records-check.c \
	service/nonces.h service/nonces.c \
	service/auth.h service/auth.c \
	service/audit.h service/audit.c \
	service/cache.h service/cache.c \
	service/grants.h service/grants.c \
	service/quota.h service/quota.c service/intake.h service/intake.c \
	service/service.h service/dispatch.c service/request.c service/hello.c service/person.c service/list.c \
	service/change.h service/change.c service/members.c service/grant.c service/recrypt.c service/resolve.c \
	service/jobs.h service/jobs.c service/claims.h service/claims.c service/fanout.c \
	service/devices.h service/devices-store.c service/devices.c \
	service/chain.h service/chain.c service/hot.h service/hot.c service/mailbox.c \
	service/local.h service/local.c \
	service/web.h service/web.c \
	service/descriptors.h service/descriptors.c \
	service/server.h service/server.c service/store.c
SERVICE_LIBS = libservice.a libkeystore.a $(BASE_LIBS) $(DB_LIBS) $(MICROHTTPD_LIBS) $(EVENT_LIBS)
recryptd_SOURCES = service/main.c
recryptd_LDADD = $(SERVICE_LIBS)
dist_man_MANS += doc/recryptd.8 doc/recryptd.conf.5
dist_noinst_SCRIPTS += test/integration/recryptd.sh test/integration/web-networks.sh test/integration/device-places.sh
EXTRA_DIST += test/integration/own-network.sh
EXTRA_DIST += \
	test/fuzz/fuzz-service.c test/fuzz/corpus/service
if HAVE_CUNIT
check_PROGRAMS += test/unit/test-servicekey test/unit/test-records test/unit/test-hot test/unit/test-quota \
	test/unit/test-auth test/unit/test-recryptd
test_unit_test_servicekey_SOURCES = test/unit/test-servicekey.c
test_unit_test_servicekey_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_hot_SOURCES = test/unit/test-hot.c
test_unit_test_hot_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_quota_SOURCES = test/unit/test-quota.c
test_unit_test_quota_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_records_SOURCES = test/unit/test-records.c
test_unit_test_records_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_auth_SOURCES = test/unit/test-auth.c
test_unit_test_auth_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
test_unit_test_auth_LDFLAGS = -Wl,--wrap=jwk_from_json -Wl,--wrap=EVP_DigestVerify
# These drive the built recryptd over its sockets.
check_PROGRAMS += test/unit/test-recryptd-device
test_unit_test_recryptd_device_SOURCES = $(RECRYPTD_WORLD) $(GRANTS_CALL) \
	test/unit/recryptd-device.h test/unit/recryptd-device.c test/unit/recryptd-device-mail.c \
	test/unit/recryptd-device-park.c test/unit/recryptd-device-elsewhere.c \
	test/unit/test-recryptd-device.c
test_unit_test_recryptd_device_LDADD = $(UNIT_LIBS) libkeystore.a $(BASE_LIBS) $(DB_LIBS)
test_unit_test_recryptd_SOURCES = \
	$(RECRYPTD_WORLD) test/unit/recryptd-tests.h test/unit/test-recryptd.c \
	test/unit/recryptd-web.c test/unit/recryptd-members.c test/unit/recryptd-socket.c \
	test/unit/recryptd-process.c test/unit/recryptd-restore.c test/unit/recryptd-limits.c
test_unit_test_recryptd_LDADD = $(UNIT_LIBS) $(SERVICE_LIBS)
endif
