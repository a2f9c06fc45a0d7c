/* suite.h - the key agreement suites: X25519, X448, P-256, DH; split, recrypt, combine (doc/formats.md section 2).
 *
 * A group's private key a is split into r (the recryption service's) and b (the member's) so that the values each
 * computes with an ephemeral public key give back the shared secret, and neither half alone says anything about a.
 * For X25519 and X448 both halves are ordinary RFC 7748 private keys. All primitives are OpenSSL's.
 */
#ifndef RECRYPT_SUITE_H
#define RECRYPT_SUITE_H

#include <stddef.h>

#include "err.h"

enum {
    SUITE_PUB_MAX = 384,  /* octets of a public value (ffdhe3072) */
    SUITE_PRIV_MAX = 384, /* octets of a private value */
    SUITE_VALUE_MAX = 384 /* octets of a shared secret or recryption value */
};

struct suite;      /* immutable, static */
struct suite_key;  /* a private key ready for use, with its public value; wiped when freed */
struct suite_peer; /* a checked public value, ready for use with any number of keys */

/* "X25519", "X448", "P-256", "ffdhe2048", "ffdhe3072", "modp2048" (RFC 3526 group 14). These are also the JWK "crv"
 * values. NULL when unknown. */
const struct suite *suite_by_name(const char *name);
/* The suites in order of preference; NULL past the end. */
const struct suite *suite_at(size_t index);

const char *suite_name(const struct suite *s);
const char *suite_kty(const struct suite *s);  /* JWK "kty": "OKP", "EC" or "DH" */
size_t suite_pub_len(const struct suite *s);   /* public value: RFC 7748 u; P-256 x||y (64); DH big-endian, padded */
size_t suite_priv_len(const struct suite *s);  /* private value */
size_t suite_value_len(const struct suite *s); /* shared secret: u, x, or DH big-endian, padded */
size_t suite_candidates(const struct suite *s); /* how many secrets combine gives: 2 on curves, 1 for DH */

/* A new key pair from the system's generator. *out belongs to the caller. 0 or ERR_SYSTEM. */
int suite_generate(const struct suite *s, struct suite_key **out, struct err *e);

/* From the raw private value; the public value is computed, or when pub is not NULL compared (ERR_KEY if it differs).
 * Refuses out-of-range values (ERR_KEY). An OKP value is taken as is, clamped in use as RFC 7748 says. */
int suite_key_from_private(const struct suite *s, const unsigned char *priv, size_t len, const unsigned char *pub,
                           struct suite_key **out, struct err *e);

/* As above without recomputing the public value from the private one: for the service's own records, which it wrote
 * itself and authenticates on reading. Much faster than suite_key_from_private. */
int suite_key_from_pair(const struct suite *s, const unsigned char *priv, size_t len, const unsigned char *pub,
                        struct suite_key **out, struct err *e);

const struct suite *suite_key_suite(const struct suite_key *k);
const unsigned char *suite_key_public(const struct suite_key *k);  /* suite_pub_len octets, owned by k */
const unsigned char *suite_key_private(const struct suite_key *k); /* suite_priv_len octets, secret, owned by k */
void suite_key_free(struct suite_key **k);

/* Checks a public value from outside and prepares it. Refused with ERR_KEY: wrong length, non-canonical, not on the
 * curve (for Montgomery curves: on the twist), of small order, infinity; for DH: not in [2, p-2] or not in the subgroup
 * of order (p-1)/2. */
int suite_peer_new(const struct suite *s, const unsigned char *pub, size_t len, struct suite_peer **out, struct err *e);
void suite_peer_free(struct suite_peer **p);

/* Key agreement of k with p: the shared secret, or a recryption value when k is a half. value has suite_value_len
 * octets. ERR_KEY when the suites differ or the result is zero or one (not for P-256, where x = 0 belongs to a point
 * like any other); ERR_SYSTEM. */
int suite_agree(const struct suite_key *k, const struct suite_peer *p, unsigned char *value, struct err *e);

/* Splits a: r for the service, b for the member, fresh at each call. 0, ERR_SYSTEM. */
int suite_split(const struct suite_key *a, struct suite_key **r, struct suite_key **b, struct err *e);

/* Combines the service's and the member's values for one ephemeral key into suite_candidates secrets of suite_value_len
 * octets each, laid end to end in out. Constant time. ERR_CRYPTO when the values cannot belong together (equal,
 * zero, out of range, no root). */
int suite_combine(const struct suite *s, const unsigned char *from_service, const unsigned char *from_member,
                  unsigned char *out, struct err *e);

/* A random public value that nobody has the private half of in memory afterwards, and a recryption value as a stranger
 * would have made it: what a padding grant holds. value has suite_value_len octets. */
int suite_dummy_value(const struct suite_peer *p, unsigned char *value, struct err *e);

#endif
