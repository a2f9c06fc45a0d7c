#include <openssl/bn.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/field.h"
#include "unit.h"

/* 2^255 - 19, 2^448 - 2^224 - 1, P-256's: 5 mod 8, 3 mod 4 with seven limbs, 3 mod 4 with four. */
static const char *const primes[] = {
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
};

struct fixture {
    BIGNUM *p, *a, *b, *expected;
    BN_CTX *ctx;
    struct field f;
    uint64_t x[NUM_CURVE_LIMBS], y[NUM_CURVE_LIMBS], z[NUM_CURVE_LIMBS];
};

static void to_limbs(const BIGNUM *n, uint64_t *out, size_t limbs)
{
    unsigned char octets[8 * NUM_LIMBS_MAX];

    CU_ASSERT_FATAL(BN_bn2lebinpad(n, octets, (int)(8 * limbs)) >= 0);
    num_from_le(out, limbs, octets, 8 * limbs);
}

static void setup(struct fixture *x, const char *prime)
{
    uint64_t p[NUM_CURVE_LIMBS];
    size_t n;

    memset(x, 0, sizeof *x);
    x->ctx = BN_CTX_new();
    x->a = BN_new();
    x->b = BN_new();
    x->expected = BN_new();
    BN_hex2bn(&x->p, prime);
    n = ((size_t)BN_num_bits(x->p) + 63) / 64;
    to_limbs(x->p, p, n);
    field_init(&x->f, p, n);
}

static void draw(struct fixture *x)
{
    BN_rand_range(x->a, x->p);
    BN_rand_range(x->b, x->p);
    to_limbs(x->a, x->x, x->f.n);
    to_limbs(x->b, x->y, x->f.n);
    field_enter(&x->f, x->x, x->x);
    field_enter(&x->f, x->y, x->y);
}

static void teardown(struct fixture *x)
{
    BN_free(x->p);
    BN_free(x->a);
    BN_free(x->b);
    BN_free(x->expected);
    BN_CTX_free(x->ctx);
}

/* z, after leaving the field, is what BIGNUM says. */
static int as_expected(struct fixture *x)
{
    uint64_t want[NUM_CURVE_LIMBS], got[NUM_CURVE_LIMBS];

    to_limbs(x->expected, want, x->f.n);
    field_leave(&x->f, got, x->z);
    return num_equal(want, got, x->f.n) == ~(uint64_t)0;
}

static void test_arithmetic(void)
{
    struct fixture x;

    for (size_t i = 0; i < sizeof primes / sizeof *primes; i++) {
        setup(&x, primes[i]);
        for (int k = 0; k < 200; k++) {
            draw(&x);
            field_add(&x.f, x.z, x.x, x.y);
            BN_mod_add(x.expected, x.a, x.b, x.p, x.ctx);
            CU_ASSERT(as_expected(&x));
            field_sub(&x.f, x.z, x.x, x.y);
            BN_mod_sub(x.expected, x.a, x.b, x.p, x.ctx);
            CU_ASSERT(as_expected(&x));
            field_mul(&x.f, x.z, x.x, x.y);
            BN_mod_mul(x.expected, x.a, x.b, x.p, x.ctx);
            CU_ASSERT(as_expected(&x));
            field_invert(&x.f, x.z, x.x);
            BN_mod_inverse(x.expected, x.a, x.p, x.ctx);
            CU_ASSERT(as_expected(&x));
            CU_ASSERT_EQUAL(field_is_square(&x.f, x.x) != 0, BN_kronecker(x.a, x.p, x.ctx) == 1);
        }
        teardown(&x);
    }
}

static void test_roots(void)
{
    struct fixture x;
    int without = 0;

    for (size_t i = 0; i < sizeof primes / sizeof *primes; i++) {
        setup(&x, primes[i]);
        for (int k = 0; k < 100; k++) {
            int square;

            draw(&x);
            square = BN_kronecker(x.a, x.p, x.ctx) == 1;
            CU_ASSERT_EQUAL(field_sqrt(&x.f, x.z, x.x), square ? ~(uint64_t)0 : 0);
            without += !square;
            if (square) {
                field_mul(&x.f, x.z, x.z, x.z);
                CU_ASSERT(num_equal(x.z, x.x, x.f.n));
            }
        }
        teardown(&x);
    }
    CU_ASSERT(without > 50);
}

/* Values at the ends: 0, 1, p - 1, and all limbs ones as an intermediate sum. */
static void test_edges(void)
{
    struct fixture x;
    uint64_t zero[NUM_CURVE_LIMBS] = {0}, one[NUM_CURVE_LIMBS] = {1}, last[NUM_CURVE_LIMBS];

    for (size_t i = 0; i < sizeof primes / sizeof *primes; i++) {
        setup(&x, primes[i]);
        num_sub(last, x.f.p, one, x.f.n);
        field_enter(&x.f, x.x, last);
        field_add(&x.f, x.z, x.x, x.f.one);
        CU_ASSERT(num_is_zero(x.z, x.f.n));
        field_sub(&x.f, x.z, zero, x.f.one);
        CU_ASSERT(num_equal(x.z, x.x, x.f.n));
        field_mul(&x.f, x.z, x.x, x.x);
        CU_ASSERT(num_equal(x.z, x.f.one, x.f.n));
        num_add_mod(x.z, last, last, x.f.p, x.f.n);
        num_add_mod(x.z, x.z, one, x.f.p, x.f.n);
        CU_ASSERT(num_equal(x.z, last, x.f.n));
        field_invert(&x.f, x.z, zero);
        CU_ASSERT(num_is_zero(x.z, x.f.n));
        CU_ASSERT_EQUAL(field_is_square(&x.f, zero), 0);
        CU_ASSERT_EQUAL(num_less(last, x.f.p, x.f.n), ~(uint64_t)0);
        CU_ASSERT_EQUAL(num_less(x.f.p, x.f.p, x.f.n), 0);
        CU_ASSERT_EQUAL(num_less(x.f.p, last, x.f.n), 0);
        teardown(&x);
    }
}

static void test_octets(void)
{
    unsigned char in[32], out[32];
    uint64_t x[4];

    RAND_bytes(in, sizeof in);
    num_from_le(x, 4, in, 32);
    num_to_le(x, out, 32);
    CU_ASSERT_EQUAL(memcmp(in, out, 32), 0);
    num_to_be(x, out, 32);
    for (int i = 0; i < 32; i++)
        CU_ASSERT_EQUAL(out[i], in[31 - i]);
    num_from_be(x, 4, in, 32);
    num_to_be(x, out, 32);
    CU_ASSERT_EQUAL(memcmp(in, out, 32), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"sums, products and inverses are BIGNUM's", test_arithmetic},
        {"square roots", test_roots},
        {"0, 1 and p - 1", test_edges},
        {"octets both ways", test_octets},
    };
    return unit_main("field", tests, sizeof tests / sizeof *tests);
}
