/* P-256 (FIPS 186-4, y^2 = x^3 + a x + b with a = -3): public values are x || y, shared secrets are x. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "field.h"
#include "suite-private.h"

enum { LIMBS = 4, LEN = 32 };

static const uint64_t prime[LIMBS] = {0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001};
static const uint64_t order[LIMBS] = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
static const uint64_t coefficient_b[LIMBS] = {0x3bce3c3e27d2604b, 0x651d06b0cc53b0f6, 0xb3ebbd55769886bc,
                                              0x5ac635d8aa3a93e7};

static struct field field_p256;
static pthread_once_t field_once = PTHREAD_ONCE_INIT;

static void init_field(void)
{
    field_init(&field_p256, prime, LIMBS);
}

/* Mask: 1 to n - 1. */
static uint64_t in_range(const uint64_t *x)
{
    return num_less(x, order, LIMBS) & ~num_is_zero(x, LIMBS);
}

static int draw(const struct suite *s, unsigned char *priv, struct err *e)
{
    uint64_t x[LIMBS];

    (void)s;
    do {
        if (RAND_priv_bytes(priv, LEN) != 1)
            return suite_openssl_error(e, "random numbers");
        num_from_be(x, LIMBS, priv, LEN);
    } while (!in_range(x));
    secret_wipe(x, sizeof x);
    return 0;
}

static int check_private(const struct suite *s, const unsigned char *priv, struct err *e)
{
    uint64_t x[LIMBS], ok;

    num_from_be(x, LIMBS, priv, LEN);
    ok = in_range(x);
    secret_wipe(x, sizeof x);
    return ok ? 0 : err_set(e, ERR_KEY, "%s private value is out of range", s->name);
}

static int derive_public(const struct suite *s, const unsigned char *priv, unsigned char *pub, struct err *e)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    BIGNUM *d = BN_secure_new();
    unsigned char text[1 + 2 * LEN];
    int r = 0;

    if (d)
        BN_set_flags(d, BN_FLG_CONSTTIME);
    if (!point || !d || !BN_bin2bn(priv, LEN, d) || EC_POINT_mul(group, point, d, NULL, NULL, NULL) != 1 ||
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, text, sizeof text, NULL) != sizeof text)
        r = suite_openssl_error(e, s->name);
    else
        memcpy(pub, text + 1, 2 * LEN);
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return r;
}

static int make(const struct suite *s, const unsigned char *priv, const unsigned char *pub, EVP_PKEY **out,
                struct err *e)
{
    static char group[] = "prime256v1";
    unsigned char point[1 + 2 * LEN] = {POINT_CONVERSION_UNCOMPRESSED}, d[LEN];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    int r;

    (void)s;
    memcpy(point + 1, pub, 2 * LEN);
    if (priv) {
        suite_native(d, priv, LEN);
        params[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, d, LEN);
    }
    r = suite_fromdata("EC", priv ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params, out, e);
    secret_wipe(d, sizeof d);
    return r;
}

/* b = a - r mod n. */
static int rest(const struct suite *s, const unsigned char *a_in, const unsigned char *r_in, unsigned char *b_out,
                int *again, struct err *e)
{
    uint64_t a[LIMBS], r[LIMBS];

    (void)s;
    (void)e;
    num_from_be(a, LIMBS, a_in, LEN);
    num_from_be(r, LIMBS, r_in, LEN);
    num_sub_mod(a, a, r, order, LIMBS);
    num_to_be(a, b_out, LEN);
    *again = num_is_zero(a, LIMBS) != 0;
    secret_wipe(a, sizeof a);
    secret_wipe(r, sizeof r);
    return 0;
}

/* x(P+Q) x(P-Q) = ((x1 x2 - a)^2 - 4 b (x1 + x2)) / (x1 - x2)^2
 * x(P+Q) + x(P-Q) = 2 ((x1 + x2)(a + x1 x2) + 2 b) / (x1 - x2)^2 */
static int combine(const struct suite *s, const unsigned char *v1, const unsigned char *v2, unsigned char *out,
                   uint64_t *ok, struct err *e)
{
    const struct field *f = &field_p256;
    uint64_t x1[LIMBS], x2[LIMBS], xx[LIMBS], sum[LIMBS], d[LIMBS], b2[LIMBS], three[LIMBS], half[LIMBS],
        product[LIMBS], t[LIMBS];

    (void)s;
    (void)e;
    pthread_once(&field_once, init_field);
    num_from_be(x1, LIMBS, v1, LEN);
    num_from_be(x2, LIMBS, v2, LEN);
    *ok = num_less(x1, prime, LIMBS) & num_less(x2, prime, LIMBS);
    *ok &= ~(num_equal(x1, x2, LIMBS) | num_is_zero(x1, LIMBS) | num_is_zero(x2, LIMBS));
    field_enter(f, x1, x1);
    field_enter(f, x2, x2);
    field_enter(f, b2, coefficient_b);
    field_add(f, b2, b2, b2);
    field_from_int(f, three, 3);
    field_sub(f, d, x1, x2);
    field_mul(f, d, d, d);
    field_invert(f, d, d);
    field_mul(f, xx, x1, x2);
    field_add(f, sum, x1, x2);
    field_add(f, product, xx, three);
    field_mul(f, product, product, product);
    field_mul(f, t, b2, sum);
    field_add(f, t, t, t);
    field_sub(f, product, product, t);
    field_mul(f, product, product, d);
    field_sub(f, half, xx, three);
    field_mul(f, half, half, sum);
    field_add(f, half, half, b2);
    field_mul(f, half, half, d);
    *ok &= field_quadratic(f, x1, x2, half, product);
    field_leave(f, x1, x1);
    field_leave(f, x2, x2);
    num_to_be(x1, out, LEN);
    num_to_be(x2, out + LEN, LEN);
    secret_wipe(x1, sizeof x1);
    secret_wipe(x2, sizeof x2);
    secret_wipe(xx, sizeof xx);
    secret_wipe(sum, sizeof sum);
    secret_wipe(d, sizeof d);
    secret_wipe(half, sizeof half);
    secret_wipe(product, sizeof product);
    secret_wipe(t, sizeof t);
    return 0;
}

static const struct suite_family family = {
    .draw = draw,
    .check_private = check_private,
    .derive_public = derive_public,
    .make = make,
    .rest = rest,
    .combine = combine,
};

static const unsigned char base[2 * LEN] = {
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

const struct suite suite_p256 = {"P-256", "EC", 2 * LEN, LEN, LEN, 2, &family, NULL, base};
