/* Keys made, copied, asked and freed. */
#include "jwk.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "jwk-private.h"

EVP_PKEY *jwk_p256_evp(const unsigned char *pub, const unsigned char *priv)
{
    unsigned char point[1 + 2 * P256_COORD];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    BIGNUM *d = NULL;
    EVP_PKEY *evp = NULL;

    point[0] = 4; /* uncompressed */
    memcpy(point + 1, pub, sizeof point - 1);
    if (!bld || !ctx || OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) != 1)
        goto out;
    if (priv) {
        if (!(d = BN_secure_new()) || !BN_bin2bn(priv, P256_COORD, d))
            goto out;
        BN_set_flags(d, BN_FLG_CONSTTIME);
        if (OSSL_PARAM_BLD_push_BN_pad(bld, OSSL_PKEY_PARAM_PRIV_KEY, d, P256_COORD) != 1)
            goto out;
    }
    params = OSSL_PARAM_BLD_to_param(bld);
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &evp, priv ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        evp = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(d);
    return evp;
}

/* RFC 8032 points that must not verify anything: y not below p, and the eight of small order (by y, sign ignored). */
static int ed25519_refused(const unsigned char *pub)
{
    static const unsigned char small[][ED25519_LEN] = {
        {0},
        {1},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    };
    unsigned char y[ED25519_LEN];
    int ones = 1;

    memcpy(y, pub, sizeof y);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (memcmp(y, small[i], sizeof y) == 0)
            return 1;
    /* p = 2^255 - 19; p - 1 has order two */
    for (size_t i = 1; i < 31; i++)
        ones &= y[i] == 0xff;
    return ones && y[31] == 0x7f && y[0] >= 0xec;
}

static int build_ed25519(struct jwk *k, const unsigned char *priv, struct err *e)
{
    unsigned char pub[ED25519_LEN];
    size_t len = sizeof pub;

    if (ed25519_refused(k->pub))
        return err_set(e, ERR_KEY, "Ed25519: public key of small order or out of range");
    if (!priv) {
        k->evp = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, k->pub, ED25519_LEN);
        return k->evp ? 0 : err_set(e, ERR_KEY, "Ed25519: not a public key");
    }
    k->evp = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, priv, ED25519_LEN);
    if (!k->evp || !(k->seed = secret_alloc(ED25519_LEN)) || EVP_PKEY_get_raw_public_key(k->evp, pub, &len) != 1)
        return err_set(e, ERR_SYSTEM, "Ed25519: no memory for a key");
    memcpy(k->seed, priv, ED25519_LEN);
    if (memcmp(pub, k->pub, sizeof pub) != 0)
        return err_set(e, ERR_KEY, "Ed25519: private and public half do not belong together");
    return 0;
}

static int build_suite(struct jwk *k, const unsigned char *priv, struct err *e)
{
    struct suite_peer *peer = NULL;
    int r = suite_peer_new(k->suite, k->pub, k->pub_len, &peer, e);

    suite_peer_free(&peer);
    if (r == 0 && priv)
        r = suite_key_from_private(k->suite, priv, suite_priv_len(k->suite), k->pub, &k->key, e);
    if (r == 0 && (k->uses & JWK_SIG) && !(k->evp = jwk_p256_evp(k->pub, priv)))
        r = err_set(e, ERR_KEY, "P-256: not a key pair");
    return r;
}

int jwk_build(const struct suite *suite, unsigned uses, const unsigned char *pub, const unsigned char *priv,
              struct jwk **out, struct err *e)
{
    unsigned long denied = secret_openssl_denied();
    struct jwk *k = calloc(1, sizeof *k);
    int r;

    *out = NULL;
    if (!k)
        return err_errno(e, "key");
    k->suite = suite;
    k->uses = uses;
    k->pub_len = suite ? suite_pub_len(suite) : ED25519_LEN;
    memcpy(k->pub, pub, k->pub_len);
    r = suite ? build_suite(k, priv, e) : build_ed25519(k, priv, e);
    r = secret_openssl_judged(r, denied, "key", e);
    if (r < 0)
        jwk_free(&k);
    *out = k;
    return r;
}

static int generate_ed25519(struct jwk **out, struct err *e)
{
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    unsigned char pub[ED25519_LEN], priv[ED25519_LEN];
    size_t pub_len = sizeof pub, priv_len = sizeof priv;
    int r;

    if (evp && EVP_PKEY_get_raw_public_key(evp, pub, &pub_len) == 1 &&
        EVP_PKEY_get_raw_private_key(evp, priv, &priv_len) == 1)
        r = jwk_build(NULL, JWK_SIG, pub, priv, out, e);
    else
        r = err_set(e, ERR_SYSTEM, "Ed25519: no key could be made");
    EVP_PKEY_free(evp);
    secret_wipe(priv, sizeof priv);
    return r;
}

/* Takes the key over on success. The suite made it, so its values need no check. */
static int from_suite_key(struct suite_key *key, unsigned uses, struct jwk **out, struct err *e)
{
    struct jwk *k = calloc(1, sizeof *k);

    *out = NULL;
    if (!k)
        return err_errno(e, "key");
    k->suite = suite_key_suite(key);
    k->uses = uses;
    k->pub_len = suite_pub_len(k->suite);
    memcpy(k->pub, suite_key_public(key), k->pub_len);
    if ((uses & JWK_SIG) && !(k->evp = jwk_p256_evp(k->pub, suite_key_private(key)))) {
        jwk_free(&k);
        return err_set(e, ERR_SYSTEM, "P-256: no key could be made");
    }
    k->key = key;
    *out = k;
    return 0;
}

int jwk_generate(const char *type, struct jwk **out, struct err *e)
{
    int sign = strcmp(type, "ES256") == 0, r;
    const struct suite *suite = suite_by_name(sign ? "P-256" : type);
    struct suite_key *key = NULL;

    *out = NULL;
    if (strcmp(type, "Ed25519") == 0)
        return generate_ed25519(out, e);
    if (!suite)
        return err_set(e, ERR_UNSUPPORTED, "no such type of key: %s", type);
    if ((r = suite_generate(suite, &key, e)) < 0)
        return r;
    if ((r = from_suite_key(key, sign ? JWK_SIG : JWK_ENC, out, e)) < 0)
        suite_key_free(&key);
    return r;
}

int jwk_public_copy(const struct jwk *k, struct jwk **out, struct err *e)
{
    struct jwk *copy = calloc(1, sizeof *copy);

    *out = NULL;
    if (!copy)
        return err_errno(e, "key");
    copy->suite = k->suite;
    copy->uses = k->uses;
    copy->pub_len = k->pub_len;
    memcpy(copy->pub, k->pub, k->pub_len);
    if (k->uses & JWK_SIG)
        copy->evp = k->suite ? jwk_p256_evp(k->pub, NULL)
                             : EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, k->pub, ED25519_LEN);
    if (((k->uses & JWK_SIG) && !copy->evp) || jwk_set_kid(copy, k->kid) < 0) {
        jwk_free(&copy);
        return err_set(e, ERR_SYSTEM, "key: no memory");
    }
    *out = copy;
    return 0;
}

int jwk_is_private(const struct jwk *k)
{
    return k->key || k->seed;
}

int jwk_is_signature(const struct jwk *k)
{
    return (k->uses & JWK_SIG) != 0;
}

const struct suite *jwk_suite(const struct jwk *k)
{
    return k->uses & JWK_ENC ? k->suite : NULL;
}

const struct suite_key *jwk_suite_key(const struct jwk *k)
{
    return k->uses & JWK_ENC ? k->key : NULL;
}

const unsigned char *jwk_public(const struct jwk *k, size_t *len)
{
    *len = k->pub_len;
    return k->pub;
}

const char *jwk_crv(const struct jwk *k)
{
    return k->suite ? suite_name(k->suite) : "Ed25519";
}

const char *jwk_kty(const struct jwk *k)
{
    return k->suite ? suite_kty(k->suite) : "OKP";
}

const char *jwk_kid(const struct jwk *k)
{
    return k->kid;
}

int jwk_set_kid(struct jwk *k, const char *kid)
{
    char *copy = NULL;

    if (kid && !(copy = strdup(kid)))
        return ERR_SYSTEM;
    free(k->kid);
    k->kid = copy;
    return 0;
}

int jwk_equal(const struct jwk *a, const struct jwk *b)
{
    return a->suite == b->suite && a->pub_len == b->pub_len && memcmp(a->pub, b->pub, a->pub_len) == 0;
}

struct evp_pkey_st *jwk_evp(const struct jwk *k)
{
    return k->evp;
}

void jwk_free(struct jwk **k)
{
    if (!*k)
        return;
    suite_key_free(&(*k)->key);
    secret_free((*k)->seed, ED25519_LEN);
    EVP_PKEY_free((*k)->evp);
    free((*k)->kid);
    secret_free(*k, sizeof **k);
    *k = NULL;
}
