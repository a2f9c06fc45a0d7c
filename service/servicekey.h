/* servicekey.h - the service's own secrets: one file in the state directory, made at the first start. */
#ifndef RECRYPT_SERVICEKEY_H
#define RECRYPT_SERVICEKEY_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jwk.h"
#include "common/udf.h"

enum { SERVICEKEY_LEN = 32 };

struct service_keys {
    struct jwk *key;                       /* X25519, private, kid = its UDF: entries travel to the service under it */
    char udf[JWK_UDF_SIZE];                /* of key */
    unsigned char storage[SERVICEKEY_LEN]; /* secrets in the keystore */
    unsigned char invite[SERVICEKEY_LEN];  /* registration tokens */
    unsigned char archive[SERVICEKEY_LEN]; /* archive addresses */
};

/* ERR_ABSENT: no such file. ERR_DENIED: its mode lets others than the owner at it. ERR_SYNTAX, ERR_SYSTEM. */
int servicekey_load(const char *path, struct service_keys **out, struct err *e);
/* New keys, on disk (0600, synced) before it returns. ERR_EXISTS. */
int servicekey_create(const char *path, struct service_keys **out, struct err *e);
void servicekey_free(struct service_keys **k);

/* A registration token for a canonical address (doc/protocol.md section 4), appended. */
int servicekey_token(const struct service_keys *k, const char *address, int64_t expires, struct buf *out,
                     struct err *e);
/* 0, or ERR_DENIED (wrong, for another address, or past). */
int servicekey_token_check(const struct service_keys *k, const char *address, const char *token, int64_t now,
                           struct err *e);

/* "list+archive-<22 characters>@domain" for a list's canonical address. ERR_LIMIT when that gets too long. */
int servicekey_archive(const struct service_keys *k, const char *list, char out[ADDRESS_SIZE], struct err *e);

#endif
