/* suite-private.h - between suite.c and the file of each family of suites; nobody else includes it but the
 * constant-time test. */
#ifndef RECRYPT_SUITE_PRIVATE_H
#define RECRYPT_SUITE_PRIVATE_H

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "suite.h"

/* What a family does; values are raw octets as in suite.h and have the suite's lengths. */
struct suite_family {
    /* A private value, uniform over the suite's private values. 0, ERR_SYSTEM. */
    int (*draw)(const struct suite *s, unsigned char *priv, struct err *e);
    /* Range only. 0, ERR_KEY, ERR_SYSTEM. */
    int (*check_private)(const struct suite *s, const unsigned char *priv, struct err *e);
    /* What EVP_PKEY_public_check does not cover; NULL: nothing. 0, ERR_KEY, ERR_SYSTEM. */
    int (*check_public)(const struct suite *s, const unsigned char *pub, struct err *e);
    /* The public value of a private one. 0, ERR_SYSTEM. */
    int (*derive_public)(const struct suite *s, const unsigned char *priv, unsigned char *pub, struct err *e);
    /* Nothing is recomputed; priv may be NULL. 0, ERR_KEY (OpenSSL refused the values), ERR_SYSTEM. */
    int (*make)(const struct suite *s, const unsigned char *priv, const unsigned char *pub, EVP_PKEY **out,
                struct err *e);
    /* b such that r and b are a split of a, r being fresh from draw. Sets *again when there is none for this r. */
    int (*rest)(const struct suite *s, const unsigned char *a, const unsigned char *r, unsigned char *b, int *again,
                struct err *e);
    /* A mask: all ones when the values combine. */
    int (*combine)(const struct suite *s, const unsigned char *v1, const unsigned char *v2, unsigned char *out,
                   uint64_t *ok, struct err *e);
    const OSSL_PARAM *agree_params; /* for EVP_PKEY_derive_init_ex; may be NULL */
    int one_is_refused;             /* as an agreement's result: no element of the group used has the value 0 or 1 */
};

struct suite {
    const char *name, *kty;
    size_t pub_len, priv_len, value_len, candidates;
    const struct suite_family *family;
    const void *param;         /* the family's own */
    const unsigned char *base; /* some valid public value, for keys whose public half is never looked at */
};

extern const struct suite suite_x25519, suite_x448, suite_p256, suite_ffdhe2048, suite_ffdhe3072, suite_modp2048;

/* ERR_SYSTEM with OpenSSL's reason; its error queue is emptied. */
int suite_openssl_error(struct err *e, const char *what);
/* EVP_PKEY_fromdata for algorithm; selection EVP_PKEY_KEYPAIR or EVP_PKEY_PUBLIC_KEY. */
int suite_fromdata(const char *algorithm, int selection, OSSL_PARAM *params, EVP_PKEY **out, struct err *e);
/* A big-endian integer in the machine's own octet order, as OSSL_PARAM takes it. */
void suite_native(unsigned char *out, const unsigned char *be, size_t len);

#endif
