#include "field.h"

#include <string.h>

#include "buf.h"

typedef unsigned __int128 wide;

/* Keeps the compiler from seeing that a mask has two values only and making a branch of it. */
static uint64_t opaque(uint64_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

static uint64_t mask_of(uint64_t bit)
{
    return opaque(0 - bit);
}

static uint64_t mask_zero(uint64_t x)
{
    return mask_of(1 ^ ((x | (0 - x)) >> 63));
}

void num_from_le(uint64_t *r, size_t n, const unsigned char *in, size_t len)
{
    memset(r, 0, n * sizeof *r);
    for (size_t i = 0; i < len; i++)
        r[i / 8] |= (uint64_t)in[i] << (i % 8 * 8);
}

void num_from_be(uint64_t *r, size_t n, const unsigned char *in, size_t len)
{
    memset(r, 0, n * sizeof *r);
    for (size_t i = 0; i < len; i++)
        r[i / 8] |= (uint64_t)in[len - 1 - i] << (i % 8 * 8);
}

void num_to_le(const uint64_t *a, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)(a[i / 8] >> (i % 8 * 8));
}

void num_to_be(const uint64_t *a, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[len - 1 - i] = (unsigned char)(a[i / 8] >> (i % 8 * 8));
}

uint64_t num_add(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < n; i++) {
        wide t = (wide)a[i] + b[i] + carry;

        r[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    return carry;
}

uint64_t num_sub(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < n; i++) {
        wide t = (wide)a[i] - b[i] - borrow;

        r[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    return borrow;
}

void num_select(uint64_t *r, uint64_t mask, const uint64_t *yes, const uint64_t *no, size_t n)
{
    mask = opaque(mask);
    for (size_t i = 0; i < n; i++)
        r[i] = (yes[i] & mask) | (no[i] & ~mask);
}

uint64_t num_is_zero(const uint64_t *a, size_t n)
{
    uint64_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= a[i];
    return mask_zero(any);
}

uint64_t num_equal(const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= a[i] ^ b[i];
    return mask_zero(any);
}

uint64_t num_less(const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < n; i++)
        borrow = (uint64_t)(((wide)a[i] - b[i] - borrow) >> 64) & 1;
    return mask_of(borrow);
}

void num_shift_right(uint64_t *r, const uint64_t *a, size_t n, unsigned bits)
{
    for (size_t i = 0; i < n; i++)
        r[i] = a[i] >> bits | (i + 1 < n ? a[i + 1] << (64 - bits) : 0);
}

/* r = r - m when carry:r >= m, where carry:r < 2 m. */
static void reduce_once(uint64_t *r, uint64_t carry, const uint64_t *m, size_t n)
{
    uint64_t borrow = 0, keep;

    keep = num_less(r, m, n) & mask_of(1 ^ carry);
    for (size_t i = 0; i < n; i++) {
        wide t = (wide)r[i] - (m[i] & ~keep) - borrow;

        r[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
}

void num_add_mod(uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, size_t n)
{
    reduce_once(r, num_add(r, a, b, n), m, n);
}

void num_sub_mod(uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, size_t n)
{
    uint64_t negative = mask_of(num_sub(r, a, b, n)), carry = 0;

    for (size_t i = 0; i < n; i++) {
        wide t = (wide)r[i] + (m[i] & negative) + carry;

        r[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
}

/* Montgomery's product, a b / 2^(64 n) mod p; t is scratch of n + 2 limbs. r may be a or b. */
static void multiply(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b, uint64_t *t)
{
    size_t n = f->n;
    uint64_t carry, m;
    wide w;

    memset(t, 0, (n + 2) * sizeof *t);
    for (size_t i = 0; i < n; i++) {
        carry = 0;
        for (size_t j = 0; j < n; j++) {
            w = (wide)a[j] * b[i] + t[j] + carry;
            t[j] = (uint64_t)w;
            carry = (uint64_t)(w >> 64);
        }
        w = (wide)t[n] + carry;
        t[n] = (uint64_t)w;
        t[n + 1] = (uint64_t)(w >> 64);
        m = t[0] * f->neg_inverse;
        carry = (uint64_t)(((wide)m * f->p[0] + t[0]) >> 64);
        for (size_t j = 1; j < n; j++) {
            w = (wide)m * f->p[j] + t[j] + carry;
            t[j - 1] = (uint64_t)w;
            carry = (uint64_t)(w >> 64);
        }
        w = (wide)t[n] + carry;
        t[n - 1] = (uint64_t)w;
        t[n] = t[n + 1] + (uint64_t)(w >> 64);
    }
    memcpy(r, t, n * sizeof *r);
    reduce_once(r, t[n], f->p, n);
}

void field_init(struct field *f, const uint64_t *p, size_t n)
{
    uint64_t three[NUM_LIMBS_MAX] = {3}, inverse = 1;

    memset(f, 0, sizeof *f);
    f->n = n;
    memcpy(f->p, p, n * sizeof *p);
    for (int i = 0; i < 6; i++) /* Newton: correct bits double from 1 to 64 */
        inverse *= 2 - p[0] * inverse;
    f->neg_inverse = 0 - inverse;
    f->square[0] = 1;
    for (size_t i = 0; i < 128 * n; i++) {
        if (i == 64 * n)
            memcpy(f->one, f->square, n * sizeof *p);
        num_add_mod(f->square, f->square, f->square, f->p, n);
    }
    memcpy(f->minus2, p, n * sizeof *p);
    f->minus2[0] -= 2; /* p is odd and none of ours ends in a limb of 1 */
    num_shift_right(f->half, p, n, 1);
    if ((p[0] & 3) == 3) {
        /* (p + 1) / 4 without the carry out of p + 1 */
        uint64_t unit[NUM_LIMBS_MAX] = {1};

        num_shift_right(f->root, p, n, 2);
        num_add(f->root, f->root, unit, n);
    } else {
        /* (p + 3) / 8 = (p - 5) / 8 + 1, and 2^((p - 1) / 4) is a root of -1 */
        uint64_t quarter[NUM_LIMBS_MAX], unit[NUM_LIMBS_MAX] = {1}, two[NUM_LIMBS_MAX];

        num_shift_right(f->root, p, n, 3);
        num_add(f->root, f->root, unit, n);
        num_shift_right(quarter, p, n, 2);
        num_sub(two, three, unit, n);
        field_enter(f, two, two);
        field_pow(f, f->root_minus1, two, quarter);
    }
}

void field_enter(const struct field *f, uint64_t *r, const uint64_t *a)
{
    field_mul(f, r, a, f->square);
}

void field_leave(const struct field *f, uint64_t *r, const uint64_t *a)
{
    uint64_t unit[NUM_LIMBS_MAX] = {1};

    field_mul(f, r, a, unit);
}

void field_from_int(const struct field *f, uint64_t *r, uint64_t value)
{
    uint64_t plain[NUM_LIMBS_MAX] = {value};

    field_enter(f, r, plain);
}

void field_add(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    num_add_mod(r, a, b, f->p, f->n);
}

void field_sub(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    num_sub_mod(r, a, b, f->p, f->n);
}

void field_mul(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    uint64_t t[NUM_LIMBS_MAX + 2];

    multiply(f, r, a, b, t);
    secret_wipe(t, (f->n + 2) * sizeof *t);
}

/* Windows of four bits; the exponent is public, so the table is read where it says. */
void field_pow(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *e)
{
    uint64_t power[16][NUM_LIMBS_MAX], t[NUM_LIMBS_MAX + 2], out[NUM_LIMBS_MAX];
    size_t n = f->n;

    memcpy(power[0], f->one, n * sizeof *a);
    for (int i = 1; i < 16; i++)
        multiply(f, power[i], power[i - 1], a, t);
    memcpy(out, f->one, n * sizeof *a);
    for (size_t i = 16 * n; i-- > 0;) {
        unsigned digit = (unsigned)(e[i / 16] >> (i % 16 * 4)) & 15;

        for (int k = 0; k < 4; k++)
            multiply(f, out, out, out, t);
        if (digit)
            multiply(f, out, out, power[digit], t);
    }
    memcpy(r, out, n * sizeof *a);
    for (int i = 0; i < 16; i++)
        secret_wipe(power[i], n * sizeof *a);
    secret_wipe(t, (n + 2) * sizeof *t);
    secret_wipe(out, n * sizeof *a);
}

void field_invert(const struct field *f, uint64_t *r, const uint64_t *a)
{
    field_pow(f, r, a, f->minus2);
}

uint64_t field_sqrt(const struct field *f, uint64_t *r, const uint64_t *a)
{
    uint64_t first[NUM_LIMBS_MAX], second[NUM_LIMBS_MAX], check[NUM_LIMBS_MAX], want[NUM_LIMBS_MAX], ok;

    memcpy(want, a, f->n * sizeof *a); /* r may be a */
    field_pow(f, first, a, f->root);
    field_mul(f, second, first, f->root_minus1);
    field_mul(f, check, first, first);
    ok = num_equal(check, want, f->n);
    num_select(r, ok, first, second, f->n);
    field_mul(f, check, r, r);
    ok = num_equal(check, want, f->n);
    secret_wipe(first, f->n * sizeof *a);
    secret_wipe(second, f->n * sizeof *a);
    secret_wipe(check, f->n * sizeof *a);
    secret_wipe(want, f->n * sizeof *a);
    return ok;
}

uint64_t field_is_square(const struct field *f, const uint64_t *a)
{
    uint64_t symbol[NUM_LIMBS_MAX];

    field_pow(f, symbol, a, f->half);
    return num_equal(symbol, f->one, f->n);
}

uint64_t field_quadratic(const struct field *f, uint64_t *x1, uint64_t *x2, const uint64_t *half_sum,
                         const uint64_t *product)
{
    uint64_t root[NUM_LIMBS_MAX], ok;

    field_mul(f, root, half_sum, half_sum);
    field_sub(f, root, root, product);
    ok = field_sqrt(f, root, root);
    field_add(f, x1, half_sum, root);
    field_sub(f, x2, half_sum, root);
    secret_wipe(root, f->n * sizeof *root);
    return ok;
}
