/* field.h - numbers of fixed width and prime fields, for the parts of split and combine that work on secrets.
 *
 * A number is n limbs of 64 bits, least first. Nothing here branches on a number's value or uses it as an address: time
 * depends on widths, on moduli and on exponents, which are public. (OpenSSL's BIGNUM drops leading zeros and so
 * cannot promise that for additions, subtractions and products.)
 */
#ifndef RECRYPT_FIELD_H
#define RECRYPT_FIELD_H

#include <stddef.h>
#include <stdint.h>

enum { NUM_LIMBS_MAX = 48, NUM_CURVE_LIMBS = 7 }; /* 3072 and 448 bits */

/* Masks are all ones (true) or zero. */
void num_from_le(uint64_t *r, size_t n, const unsigned char *in, size_t len); /* len <= 8 n */
void num_from_be(uint64_t *r, size_t n, const unsigned char *in, size_t len);
void num_to_le(const uint64_t *a, unsigned char *out, size_t len); /* the low len octets */
void num_to_be(const uint64_t *a, unsigned char *out, size_t len);
uint64_t num_add(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n); /* carry, 0 or 1 */
uint64_t num_sub(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n); /* borrow, 0 or 1 */
void num_select(uint64_t *r, uint64_t mask, const uint64_t *yes, const uint64_t *no, size_t n);
uint64_t num_is_zero(const uint64_t *a, size_t n);                             /* mask */
uint64_t num_equal(const uint64_t *a, const uint64_t *b, size_t n);            /* mask */
uint64_t num_less(const uint64_t *a, const uint64_t *b, size_t n);             /* mask: a < b */
void num_shift_right(uint64_t *r, const uint64_t *a, size_t n, unsigned bits); /* bits 1 to 63 */

/* a, b < m. */
void num_add_mod(uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, size_t n);
void num_sub_mod(uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, size_t n);

/* A field of integers modulo an odd prime p. Elements are less than p and in Montgomery form, n limbs each. */
struct field {
    size_t n;
    uint64_t p[NUM_LIMBS_MAX];
    uint64_t one[NUM_LIMBS_MAX];         /* 2^(64 n) mod p */
    uint64_t square[NUM_LIMBS_MAX];      /* 2^(128 n) mod p */
    uint64_t minus2[NUM_LIMBS_MAX];      /* p - 2 */
    uint64_t half[NUM_LIMBS_MAX];        /* (p - 1) / 2 */
    uint64_t root[NUM_LIMBS_MAX];        /* exponent of field_sqrt */
    uint64_t root_minus1[NUM_LIMBS_MAX]; /* the element whose square is -1, when p = 5 mod 8 */
    uint64_t neg_inverse;                /* -1/p mod 2^64 */
};

/* p: n limbs; field_sqrt needs p = 3 mod 4 or p = 5 mod 8. Slow (once for each prime). */
void field_init(struct field *f, const uint64_t *p, size_t n);
/* To and from plain numbers less than p. */
void field_enter(const struct field *f, uint64_t *r, const uint64_t *a);
void field_leave(const struct field *f, uint64_t *r, const uint64_t *a);
void field_from_int(const struct field *f, uint64_t *r, uint64_t value);
void field_add(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b);
void field_sub(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b);
void field_mul(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *b);
/* e: n limbs, public. */
void field_pow(const struct field *f, uint64_t *r, const uint64_t *a, const uint64_t *e);
/* 1/a; 0 for 0. */
void field_invert(const struct field *f, uint64_t *r, const uint64_t *a);
/* A root of a; the mask says whether a has one (if not, r is some other element). */
uint64_t field_sqrt(const struct field *f, uint64_t *r, const uint64_t *a);
/* Mask: a is a square and not zero. */
uint64_t field_is_square(const struct field *f, const uint64_t *a);

/* The two roots x1, x2 of x^2 - 2 half_sum x + product; the mask says whether there are any. */
uint64_t field_quadratic(const struct field *f, uint64_t *x1, uint64_t *x2, const uint64_t *half_sum,
                         const uint64_t *product);

#endif
