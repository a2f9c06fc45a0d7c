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
    unsigned char archive[SERVICEKEY_LEN]; /* marks: archive addresses and others */
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

/* Names that only this service can make, and that tell nobody else what they were made from: 22 characters of base32,
 * since addresses have no case. Those that are addresses are ERR_LIMIT when they get too long. */
enum { SERVICEKEY_MARK = 22 };

/* "list+archive-<mark>@domain" for a list's canonical address, and "list+fanout-<mark>@domain". */
int servicekey_archive(const struct service_keys *k, const char *list, char out[ADDRESS_SIZE], struct err *e);
int servicekey_fanout(const struct service_keys *k, const char *list, char out[ADDRESS_SIZE], struct err *e);
/* "list+bounce-<mark>@domain": where bounces of one member's copies go. */
int servicekey_bounce(const struct service_keys *k, const char *list, const char *member, char out[ADDRESS_SIZE],
                      struct err *e);
/* Whether the mark (len octets) is that of some member's bounce address of this list. */
int servicekey_bounce_known(const struct service_keys *k, const char *list, const char *mark, size_t len);
/* The mark of one member's copy of one message. */
int servicekey_copy(const struct service_keys *k, const char *job, const char *member, char out[SERVICEKEY_MARK + 1],
                    struct err *e);

#endif
