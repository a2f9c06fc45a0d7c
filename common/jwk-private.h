/* jwk-private.h - inside of a struct jwk, for jwk*.c only. */
#ifndef RECRYPT_JWK_PRIVATE_H
#define RECRYPT_JWK_PRIVATE_H

#include <openssl/evp.h>

#include "jwk.h"

enum { JWK_ENC = 1, JWK_SIG = 2, ED25519_LEN = 32, P256_COORD = 32 };

struct jwk {
    const struct suite *suite; /* NULL: Ed25519. P-256 also when it only signs: its values are checked by the suite */
    unsigned uses;             /* JWK_ENC, JWK_SIG */
    char *kid;
    struct suite_key *key; /* private half of all but Ed25519 */
    unsigned char *seed;   /* private half of Ed25519, secret_alloc'ed */
    EVP_PKEY *evp;         /* made when JWK_SIG */
    size_t pub_len;
    unsigned char pub[SUITE_PUB_MAX];
};

/* The key's values checked and the parts that follow from them made. priv NULL = public. uses as JWK_ENC | JWK_SIG. */
int jwk_build(const struct suite *suite, unsigned uses, const unsigned char *pub, const unsigned char *priv,
              struct jwk **out, struct err *e);

/* EVP_PKEY of a P-256 public point (x||y), with the private value when priv is not NULL. NULL on failure. */
EVP_PKEY *jwk_p256_evp(const unsigned char *pub, const unsigned char *priv);

const char *jwk_crv(const struct jwk *k);
const char *jwk_kty(const struct jwk *k);

#endif
