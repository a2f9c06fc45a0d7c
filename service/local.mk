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
	service/quota.h service/quota.c \
	service/service.h service/dispatch.c service/request.c service/hello.c service/person.c service/list.c \
	service/change.h service/change.c service/members.c service/grant.c service/resolve.c \
	service/local.h service/local.c \
	service/web.h service/web.c \
	service/server.h service/server.c service/store.c
SERVICE_LIBS = libservice.a libkeystore.a $(BASE_LIBS) $(DB_LIBS) $(MICROHTTPD_LIBS) $(EVENT_LIBS) $(SYSTEMD_LIBS)
recryptd_SOURCES = service/main.c
recryptd_LDADD = $(SERVICE_LIBS)
