/* jws.h - JSON Web Signature (RFC 7515): EdDSA (Ed25519, RFC 8037) and ES256, compact and flattened. The key decides
 * the algorithm; "none", HMAC, RSA, crit and b64=false are refused; header-borne keys are ignored. */
#ifndef RECRYPT_JWS_H
#define RECRYPT_JWS_H

#include <json-c/json.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "jwk.h"

enum { JWS_TEXT_MAX = 64 << 20 };

/* A JWS that was taken apart but not verified. */
struct jws {
    struct json_object *header; /* protected header, owned */
    struct buf payload;         /* empty when detached */
    struct buf signing_input;   /* text up to the second dot; without payload when detached */
    struct buf signature;
};

/* Signs. header: extra protected members (borrowed, may be NULL); "alg" is set from the key, "kid" from jwk_kid or the
 * key's UDF unless header has one. Appends compact serialisation; detached: payload left out (RFC 7515 appendix F). */
int jws_sign(const struct jwk *key, struct json_object *header, const void *payload, size_t len, int detached,
             struct buf *out, struct err *e);
/* Flattened JSON serialisation {"protected","payload","signature"}. */
int jws_sign_flattened(const struct jwk *key, struct json_object *header, const void *payload, size_t len,
                       struct buf *out, struct err *e);

/* Takes compact or flattened text apart, checking syntax and caps. For reading a claimed kid before the key is known;
 * nothing of it may be trusted. jws_clear frees. */
int jws_parse(const void *text, size_t len, struct jws *out, struct err *e);
void jws_clear(struct jws *j);
const char *jws_kid(const struct jws *j); /* NULL when absent */

/* Verifies with key; detached payload from content when content is not NULL. 0, ERR_CRYPTO, ERR_UNSUPPORTED (alg is not
 * the key's), ERR_KEY. */
int jws_verify(const struct jws *j, const struct jwk *key, const void *content, size_t len, struct err *e);

/* Parse, require protected "typ" to be typ (when not NULL), verify, parse the payload as strict JSON. *payload belongs
 * to the caller. */
int jws_open_json(const void *text, size_t len, const struct jwk *key, const char *typ, struct json_object **payload,
                  struct err *e);
/* Sign a JSON object as compact JWS with "typ". */
int jws_sign_json(const struct jwk *key, const char *typ, struct json_object *payload, struct buf *out, struct err *e);

#endif
