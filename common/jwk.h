/* jwk.h - JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037), thumbprints (RFC 7638) and UDF fingerprints.
 *
 * Two uses, told apart by the key itself: key agreement (a suite of suite.h) and signature (Ed25519, P-256 for ES256).
 * P-256 says which by "use" ("enc" or "sig") or "alg"; without either a parsed P-256 key serves both.
 * kty "DH" with crv ffdhe2048, ffdhe3072 or modp2048 is ours: x and d, big-endian, padded to the modulus.
 */
#ifndef RECRYPT_JWK_H
#define RECRYPT_JWK_H

#include <json-c/json.h>
#include <stddef.h>

#include "err.h"
#include "suite.h"

struct jwk;

enum { JWK_THUMBPRINT_SIZE = 44, JWK_UDF_SIZE = 36 }; /* text with NUL: 43 characters; 30 characters + 5 hyphens */

/* type: a suite's name, or "Ed25519" or "ES256" for signature. */
int jwk_generate(const char *type, struct jwk **out, struct err *e);

/* Public or private key from a parsed JWK. Checks: kty and crv known, lengths exact, public value valid, private half
 * belongs to the public. Unknown members are ignored (RFC 7517 section 4). "kid" is kept. ERR_SYNTAX, ERR_UNSUPPORTED,
 * ERR_KEY, ERR_SYSTEM. */
int jwk_from_json(struct json_object *obj, struct jwk **out, struct err *e);
int jwk_parse(const void *text, size_t len, struct jwk **out, struct err *e); /* strict JSON first */

/* The raw public value of a public key of key agreement, as in suite.h, for suite_peer_new: nothing is checked but form
 * and length. Errors as above; ERR_KEY: not one to encrypt to, or private. */
int jwk_read_public(struct json_object *obj, const struct suite **suite, unsigned char out[SUITE_PUB_MAX], size_t *len,
                    struct err *e);

/* A new JSON object; with_private 0 leaves "d" out. The caller wipes what it writes of a private one. */
int jwk_to_json(const struct jwk *k, int with_private, struct json_object **out, struct err *e);

/* A copy without the private half. */
int jwk_public_copy(const struct jwk *k, struct jwk **out, struct err *e);

int jwk_is_private(const struct jwk *k);
int jwk_is_signature(const struct jwk *k);         /* can verify (and, when private, sign) */
const struct suite *jwk_suite(const struct jwk *k); /* NULL when it is a signature-only key */
const struct suite_key *jwk_suite_key(const struct jwk *k); /* NULL when public or signature */
const unsigned char *jwk_public(const struct jwk *k, size_t *len); /* raw public value as in suite.h; Ed25519: 32 */
const char *jwk_kid(const struct jwk *k);          /* NULL when none was set */
int jwk_set_kid(struct jwk *k, const char *kid);   /* copies; NULL removes */
int jwk_equal(const struct jwk *a, const struct jwk *b); /* same public key and type */

/* RFC 7638 with SHA-256. */
int jwk_thumbprint(const struct jwk *k, char out[JWK_THUMBPRINT_SIZE]);
/* UDF of the key: SubjectPublicKeyInfo in DER, application/pkix-keyinfo, SHA-2-512, 150 bits (udf.h). */
int jwk_udf(const struct jwk *k, char out[JWK_UDF_SIZE]);

void jwk_free(struct jwk **k);

/* For jws.c: EVP_PKEY of a signature key, owned by k. */
struct evp_pkey_st;
struct evp_pkey_st *jwk_evp(const struct jwk *k);

#endif
