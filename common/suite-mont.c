/* X25519 and X448 (RFC 7748): curves v^2 = u^3 + A u^2 + u whose points are told by u alone. */
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "field.h"
#include "suite-private.h"

enum { LIMBS = NUM_CURVE_LIMBS };

struct curve {
    size_t n, len;          /* limbs; octets of a value */
    unsigned cofactor_bits; /* the low bits that are clear in a private value */
    uint64_t a;             /* A */
    uint64_t p[LIMBS];      /* the field's prime */
    uint64_t order[LIMBS];  /* hL: cofactor times order of the subgroup */
    struct field *field;
};

static struct field field25519, field448;

static const struct curve curve25519 = {
    4,
    32,
    3,
    486662,
    {0xffffffffffffffed, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
    {0xc09318d2e7ae9f68, 0xa6f7cef517bce6b2, 0x0000000000000000, 0x8000000000000000},
    &field25519,
};
static const struct curve curve448 = {
    7,
    56,
    2,
    156326,
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xfffffffeffffffff, 0xffffffffffffffff,
     0xffffffffffffffff, 0xffffffffffffffff},
    {0x8de30a4aad6113cc, 0x85b309ca37163d54, 0x113b6d26bb58da40, 0xfffffffdf3288fa7, 0xffffffffffffffff,
     0xffffffffffffffff, 0xffffffffffffffff},
    &field448,
};

static pthread_once_t fields_once = PTHREAD_ONCE_INIT;

static void init_fields(void)
{
    field_init(&field25519, curve25519.p, curve25519.n);
    field_init(&field448, curve448.p, curve448.n);
}

static const struct field *field_of(const struct curve *c)
{
    pthread_once(&fields_once, init_fields);
    return c->field;
}

/* The highest bit that a private value has, always set: 254 and 447. */
static void clamp(const struct curve *c, unsigned char *priv)
{
    priv[0] &= (unsigned char)(0xff << c->cofactor_bits);
    if (c == &curve25519) {
        priv[31] &= 0x7f;
        priv[31] |= 0x40;
    } else {
        priv[55] |= 0x80;
    }
}

static int draw(const struct suite *s, unsigned char *priv, struct err *e)
{
    const struct curve *c = s->param;

    if (RAND_priv_bytes(priv, (int)c->len) != 1)
        return suite_openssl_error(e, "random numbers");
    clamp(c, priv);
    return 0;
}

static int check_private(const struct suite *s, const unsigned char *priv, struct err *e)
{
    (void)s;
    (void)priv;
    (void)e;
    return 0; /* any octets: clamped in use */
}

/* Whether u is the coordinate of a point on the curve; 0 is not counted. */
static int on_curve(const struct curve *c, const struct field *f, const uint64_t *u)
{
    uint64_t a[LIMBS], t[LIMBS];

    field_from_int(f, a, c->a);
    field_add(f, t, u, a);
    field_mul(f, t, t, u);
    field_add(f, t, t, f->one);
    field_mul(f, t, t, u);
    return field_is_square(f, t) != 0;
}

/* Whether doubling it cofactor_bits times gives the neutral element. */
static int is_small_order(const struct curve *c, const struct field *f, const uint64_t *u)
{
    uint64_t a[LIMBS], x[LIMBS], z[LIMBS], xx[LIMBS], zz[LIMBS], xz[LIMBS], t[LIMBS];

    field_from_int(f, a, c->a);
    memcpy(x, u, c->n * sizeof *x);
    memcpy(z, f->one, c->n * sizeof *z);
    for (unsigned i = 0; i < c->cofactor_bits; i++) {
        /* x' = (x^2 - z^2)^2, z' = 4 x z (x^2 + A x z + z^2) */
        field_mul(f, xx, x, x);
        field_mul(f, zz, z, z);
        field_mul(f, xz, x, z);
        field_sub(f, t, xx, zz);
        field_mul(f, x, t, t);
        field_mul(f, t, a, xz);
        field_add(f, t, t, xx);
        field_add(f, t, t, zz);
        field_mul(f, z, t, xz);
        field_add(f, z, z, z);
        field_add(f, z, z, z);
    }
    return num_is_zero(z, c->n) != 0;
}

static int check_public(const struct suite *s, const unsigned char *pub, struct err *e)
{
    const struct curve *c = s->param;
    const struct field *f = field_of(c);
    uint64_t u[LIMBS];

    num_from_le(u, c->n, pub, c->len);
    if (!num_less(u, c->p, c->n))
        return err_set(e, ERR_KEY, "%s public value is not canonical", s->name);
    field_enter(f, u, u);
    if (is_small_order(c, f, u))
        return err_set(e, ERR_KEY, "%s public value is of small order", s->name);
    if (!on_curve(c, f, u))
        return err_set(e, ERR_KEY, "%s public value is on the twist", s->name);
    return 0;
}

static int derive_public(const struct suite *s, const unsigned char *priv, unsigned char *pub, struct err *e)
{
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key_ex(NULL, s->name, NULL, priv, s->priv_len);
    size_t len = s->pub_len;
    int r = 0;

    if (!k || EVP_PKEY_get_raw_public_key(k, pub, &len) != 1)
        r = suite_openssl_error(e, s->name);
    EVP_PKEY_free(k);
    return r;
}

static int make(const struct suite *s, const unsigned char *priv, const unsigned char *pub, EVP_PKEY **out,
                struct err *e)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)pub, s->pub_len),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    if (priv)
        params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)priv, s->priv_len);
    return suite_fromdata(s->name, priv ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params, out, e);
}

/* Mask: x has exactly the top bit of a clamped value, so that, being a multiple of the cofactor, it is one. */
static uint64_t in_range(const struct curve *c, const uint64_t *x)
{
    uint64_t top = c == &curve25519 ? x[c->n - 1] >> 62 : x[c->n - 1] >> 63;

    return 0 - (top & 1 & ~(top >> 1));
}

/* Of {x, -x} modulo hL exactly one is a clamped private value (but for about one x in 2^125), and u(xP) = u(-xP). So r
 * and a sign are drawn uniformly and b is the one that stands for a -+ r: r and b are each uniform and each
 * independent of a. */
static int rest(const struct suite *s, const unsigned char *a_in, const unsigned char *r_in, unsigned char *b_out,
                int *again, struct err *e)
{
    const struct curve *c = s->param;
    unsigned char clamped[56], sign;
    uint64_t a[LIMBS], r[LIMBS], t[LIMBS], x[LIMBS], y[LIMBS], zero[LIMBS] = {0}, first, second;
    size_t n = c->n;

    if (RAND_priv_bytes(&sign, 1) != 1)
        return suite_openssl_error(e, "random numbers");
    memcpy(clamped, a_in, c->len);
    clamp(c, clamped);
    num_from_le(a, n, clamped, c->len);
    num_from_le(r, n, r_in, c->len);
    /* A clamped X448 value can be just above hL; none reaches 2 hL. */
    num_select(t, num_less(a, c->order, n), zero, c->order, n);
    num_sub(a, a, t, n);
    num_select(t, num_less(r, c->order, n), zero, c->order, n);
    num_sub(r, r, t, n);
    num_add_mod(x, a, r, c->order, n);
    num_sub_mod(y, a, r, c->order, n);
    num_select(x, 0 - (uint64_t)(sign & 1), x, y, n);
    num_sub_mod(y, zero, x, c->order, n);
    first = in_range(c, x);
    second = in_range(c, y);
    num_select(x, first, x, y, n);
    num_to_le(x, b_out, c->len);
    *again = (first | second) == 0;
    secret_wipe(clamped, sizeof clamped);
    secret_wipe(a, sizeof a);
    secret_wipe(r, sizeof r);
    secret_wipe(t, sizeof t);
    secret_wipe(x, sizeof x);
    secret_wipe(y, sizeof y);
    return 0;
}

/* u(P+Q) u(P-Q) = (u1 u2 - 1)^2 / (u1 - u2)^2
 * u(P+Q) + u(P-Q) = 2 ((u1 + u2)(u1 u2 + 1) + 2 A u1 u2) / (u1 - u2)^2 */
static int combine(const struct suite *s, const unsigned char *v1, const unsigned char *v2, unsigned char *out,
                   uint64_t *ok, struct err *e)
{
    const struct curve *c = s->param;
    const struct field *f = field_of(c);
    uint64_t u1[LIMBS], u2[LIMBS], uu[LIMBS], d[LIMBS], half[LIMBS], product[LIMBS], t[LIMBS];
    size_t n = c->n;

    (void)e;
    num_from_le(u1, n, v1, c->len);
    num_from_le(u2, n, v2, c->len);
    *ok = num_less(u1, c->p, n) & num_less(u2, c->p, n);
    *ok &= ~(num_equal(u1, u2, n) | num_is_zero(u1, n) | num_is_zero(u2, n));
    field_enter(f, u1, u1);
    field_enter(f, u2, u2);
    field_sub(f, d, u1, u2);
    field_mul(f, d, d, d);
    field_invert(f, d, d);
    field_mul(f, uu, u1, u2);
    field_sub(f, product, uu, f->one);
    field_mul(f, product, product, product);
    field_mul(f, product, product, d);
    field_add(f, half, u1, u2);
    field_add(f, t, uu, f->one);
    field_mul(f, half, half, t);
    field_from_int(f, t, 2 * c->a);
    field_mul(f, t, t, uu);
    field_add(f, half, half, t);
    field_mul(f, half, half, d);
    *ok &= field_quadratic(f, u1, u2, half, product);
    field_leave(f, u1, u1);
    field_leave(f, u2, u2);
    num_to_le(u1, out, c->len);
    num_to_le(u2, out + c->len, c->len);
    secret_wipe(u1, sizeof u1);
    secret_wipe(u2, sizeof u2);
    secret_wipe(uu, sizeof uu);
    secret_wipe(d, sizeof d);
    secret_wipe(half, sizeof half);
    secret_wipe(product, sizeof product);
    secret_wipe(t, sizeof t);
    return 0;
}

static const struct suite_family family = {
    .draw = draw,
    .check_private = check_private,
    .check_public = check_public,
    .derive_public = derive_public,
    .make = make,
    .rest = rest,
    .combine = combine,
    .one_is_refused = 1,
};

static const unsigned char base25519[32] = {9}, base448[56] = {5};

const struct suite suite_x25519 = {"X25519", "OKP", 32, 32, 32, 2, &family, &curve25519, base25519};
const struct suite suite_x448 = {"X448", "OKP", 56, 56, 56, 2, &family, &curve448, base448};
