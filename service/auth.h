/* auth.h - who signed a request: JWS with nonce, url and iat (doc/protocol.md section 1). */
#ifndef RECRYPT_AUTH_H
#define RECRYPT_AUTH_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/jwk.h"
#include "nonces.h"
#include "records.h"

enum { AUTH_CLOCK_SECONDS = 300 };

struct auth; /* what stands in for a signer that is not there, so that a refusal takes the same work */
int auth_new(struct auth **out, struct err *e);
void auth_free(struct auth **a);

struct auth_result {
    struct json_object *payload; /* the request; not to be trusted unless auth_verify returned 0 */
    char udf[JWK_UDF_SIZE];      /* of the signing key */
    struct signer signer;        /* its record; signer.key NULL when it is not registered yet */
};
void auth_result_clear(struct auth_result *r);

/* Takes text apart and verifies it. A key that no record knows is accepted only when the request is Set Person and its
 * profile brings that very key: the first registration. The nonce is used up only by a request that verified.
 * ERR_SYNTAX, ERR_LIMIT: no request at all. ERR_STALE: the nonce. ERR_DENIED: url or iat, named in the text.
 * ERR_CRYPTO: unknown signer or bad signature, one text, and payload is filled unless it is longer than 64 KiB. */
int auth_verify(struct auth *a, struct records *r, struct nonces *n, const char *url, int64_t now, const void *text,
                size_t len, struct auth_result *out, struct err *e);

/* The signature key that a compact JWS says it was signed with: out->key, and its name; without its memberships. 1, or
 * 0 when nobody here has that key: then out->key is one that signed nothing, for the same work. ERR_SYNTAX,
 * ERR_UNSUPPORTED: no JWS of ours. */
int auth_signer_of(struct auth *a, struct records *r, const char *text, struct signer *out, char udf[JWK_UDF_SIZE],
                   struct err *e);

#endif
