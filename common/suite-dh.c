/* Diffie-Hellman over safe primes p = 2q + 1: ffdhe2048 and ffdhe3072 (RFC 7919), RFC 3526's group 14; generator 2. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "field.h"
#include "suite-private.h"

enum { LIMBS = NUM_LIMBS_MAX };

struct group {
    char *openssl_name;
    size_t n; /* limbs; values have 8 n octets */
    struct field *field;
};

static struct field fields[3];
static char name_ffdhe2048[] = "ffdhe2048", name_ffdhe3072[] = "ffdhe3072", name_modp2048[] = "modp_2048";
static const struct group groups[3] = {
    {name_ffdhe2048, 32, &fields[0]}, {name_ffdhe3072, 48, &fields[1]}, {name_modp2048, 32, &fields[2]}};

static pthread_mutex_t fields_lock = PTHREAD_MUTEX_INITIALIZER;

/* The group's prime as OpenSSL has it. */
static int load_prime(const struct group *g, BIGNUM **p, struct err *e)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, g->openssl_name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey;
    int r = suite_fromdata("DH", EVP_PKEY_KEY_PARAMETERS, params, &pkey, e);

    if (r == 0 && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_FFC_P, p) != 1)
        r = suite_openssl_error(e, g->openssl_name);
    EVP_PKEY_free(pkey);
    return r < 0 ? ERR_SYSTEM : 0;
}

/* The field is made when it is first needed; a failure (no memory) is not remembered. */
static int field_of(const struct group *g, const struct field **out, struct err *e)
{
    unsigned char octets[8 * LIMBS];
    uint64_t p[LIMBS];
    BIGNUM *prime = NULL;
    int r = 0;

    pthread_mutex_lock(&fields_lock);
    if (!g->field->n && (r = load_prime(g, &prime, e)) == 0) {
        if (BN_bn2binpad(prime, octets, (int)(8 * g->n)) < 0) {
            r = suite_openssl_error(e, g->openssl_name);
        } else {
            num_from_be(p, g->n, octets, 8 * g->n);
            field_init(g->field, p, g->n);
        }
    }
    pthread_mutex_unlock(&fields_lock);
    BN_free(prime);
    *out = g->field;
    return r;
}

/* Mask: 1 to q - 1. */
static uint64_t in_range(const struct field *f, const uint64_t *x)
{
    return num_less(x, f->half, f->n) & ~num_is_zero(x, f->n);
}

static int draw(const struct suite *s, unsigned char *priv, struct err *e)
{
    const struct field *f;
    uint64_t x[LIMBS];
    int r = field_of(s->param, &f, e);

    if (r < 0)
        return r;
    do {
        if (RAND_priv_bytes(priv, (int)s->priv_len) != 1)
            return suite_openssl_error(e, "random numbers");
        priv[0] &= 0x7f; /* q has one bit less than p */
        num_from_be(x, f->n, priv, s->priv_len);
    } while (!in_range(f, x));
    secret_wipe(x, sizeof x);
    return 0;
}

static int check_private(const struct suite *s, const unsigned char *priv, struct err *e)
{
    const struct field *f;
    uint64_t x[LIMBS], ok;
    int r = field_of(s->param, &f, e);

    if (r < 0)
        return r;
    num_from_be(x, f->n, priv, s->priv_len);
    ok = in_range(f, x);
    secret_wipe(x, sizeof x);
    return ok ? 0 : err_set(e, ERR_KEY, "%s private value is out of range", s->name);
}

static int derive_public(const struct suite *s, const unsigned char *priv, unsigned char *pub, struct err *e)
{
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *p = NULL, *x = BN_secure_new(), *y = BN_new(), *g = BN_new();
    int r = load_prime(s->param, &p, e);

    if (r == 0) {
        if (x)
            BN_set_flags(x, BN_FLG_CONSTTIME);
        if (!ctx || !x || !y || !g || !BN_bin2bn(priv, (int)s->priv_len, x) || BN_set_word(g, 2) != 1 ||
            BN_mod_exp_mont_consttime(y, g, x, p, ctx, NULL) != 1 || BN_bn2binpad(y, pub, (int)s->pub_len) < 0)
            r = suite_openssl_error(e, s->name);
    }
    BN_clear_free(x);
    BN_free(y);
    BN_free(g);
    BN_free(p);
    BN_CTX_free(ctx);
    return r;
}

static int make(const struct suite *s, const unsigned char *priv, const unsigned char *pub, EVP_PKEY **out,
                struct err *e)
{
    const struct group *g = s->param;
    unsigned char y[SUITE_PUB_MAX], x[SUITE_PRIV_MAX];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, g->openssl_name, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PUB_KEY, y, s->pub_len),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    int r;

    suite_native(y, pub, s->pub_len);
    if (priv) {
        suite_native(x, priv, s->priv_len);
        params[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, x, s->priv_len);
    }
    r = suite_fromdata("DH", priv ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params, out, e);
    secret_wipe(x, sizeof x);
    return r;
}

/* b = a - r mod q. */
static int rest(const struct suite *s, const unsigned char *a_in, const unsigned char *r_in, unsigned char *b_out,
                int *again, struct err *e)
{
    const struct field *f;
    uint64_t a[LIMBS], x[LIMBS];
    int r = field_of(s->param, &f, e);

    if (r < 0)
        return r;
    num_from_be(a, f->n, a_in, s->priv_len);
    num_from_be(x, f->n, r_in, s->priv_len);
    num_sub_mod(a, a, x, f->half, f->n);
    num_to_be(a, b_out, s->priv_len);
    *again = num_is_zero(a, f->n) != 0;
    secret_wipe(a, sizeof a);
    secret_wipe(x, sizeof x);
    return 0;
}

/* Mask: 2 to p - 2. */
static uint64_t is_value(const struct field *f, const uint64_t *x)
{
    uint64_t one[LIMBS] = {1}, last[LIMBS];

    num_sub(last, f->p, one, f->n);
    return num_less(one, x, f->n) & num_less(x, last, f->n);
}

static int combine(const struct suite *s, const unsigned char *v1, const unsigned char *v2, unsigned char *out,
                   uint64_t *ok, struct err *e)
{
    const struct field *f;
    uint64_t s1[LIMBS], s2[LIMBS];
    int r = field_of(s->param, &f, e);

    if (r < 0)
        return r;
    num_from_be(s1, f->n, v1, s->value_len);
    num_from_be(s2, f->n, v2, s->value_len);
    *ok = is_value(f, s1) & is_value(f, s2) & ~num_equal(s1, s2, f->n);
    field_enter(f, s1, s1); /* once: the product of s1's Montgomery form and plain s2 is plain */
    field_mul(f, s1, s1, s2);
    num_to_be(s1, out, s->value_len);
    secret_wipe(s1, sizeof s1);
    secret_wipe(s2, sizeof s2);
    return 0;
}

/* The shared secret has always the modulus's length (RFC 7518 wants fixed-length Z). */
static unsigned pad = 1;
static const OSSL_PARAM agree_params[] = {
    {OSSL_EXCHANGE_PARAM_PAD, OSSL_PARAM_UNSIGNED_INTEGER, &pad, sizeof pad, OSSL_PARAM_UNMODIFIED}, OSSL_PARAM_END};

static const struct suite_family family = {
    .draw = draw,
    .check_private = check_private,
    .derive_public = derive_public,
    .make = make,
    .rest = rest,
    .combine = combine,
    .agree_params = agree_params,
    .one_is_refused = 1,
};

static const unsigned char base2048[256] = {[255] = 4}, base3072[384] = {[383] = 4};

const struct suite suite_ffdhe2048 = {"ffdhe2048", "DH", 256, 256, 256, 1, &family, &groups[0], base2048};
const struct suite suite_ffdhe3072 = {"ffdhe3072", "DH", 384, 384, 384, 1, &family, &groups[1], base3072};
const struct suite suite_modp2048 = {"modp2048", "DH", 256, 256, 256, 1, &family, &groups[2], base2048};
