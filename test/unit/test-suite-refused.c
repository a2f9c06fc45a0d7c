/* Public values and recryption values that must not be used, and the external vectors. */
#include <json-c/json.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/suite.h"
#include "unit.h"

static int hex(const char *text, unsigned char *out, size_t max)
{
    size_t len = strlen(text) / 2;

    CU_ASSERT_FATAL(len <= max && strlen(text) % 2 == 0);
    for (size_t i = 0; i < len; i++) {
        unsigned octet;

        CU_ASSERT_EQUAL_FATAL(sscanf(text + 2 * i, "%2x", &octet), 1);
        out[i] = (unsigned char)octet;
    }
    return (int)len;
}

static void refused(const char *suite, const unsigned char *pub, size_t len, const char *why)
{
    struct suite_peer *p = (struct suite_peer *)"";
    struct err e = {0, ""};

    CU_ASSERT_EQUAL(suite_peer_new(suite_by_name(suite), pub, len, &p, &e), ERR_KEY);
    CU_ASSERT_EQUAL(e.code, ERR_KEY);
    CU_ASSERT_PTR_NULL(p);
    if (!strstr(e.text, why)) {
        CU_FAIL("another reason than expected");
        printf("# %s: \"%s\" instead of \"%s\"\n", suite, e.text, why);
    }
}

static void refused_hex(const char *suite, const char *text, const char *why)
{
    unsigned char pub[SUITE_PUB_MAX];
    size_t len = (size_t)hex(text, pub, sizeof pub);

    refused(suite, pub, len, why);
}

static void test_lengths(void)
{
    unsigned char pub[SUITE_PUB_MAX + 1] = {9};
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        struct suite_key *k = NULL;

        refused(suite_name(s), pub, 0, "public value of 0 octets");
        refused(suite_name(s), pub, suite_pub_len(s) - 1, "public value of");
        refused(suite_name(s), pub, suite_pub_len(s) + 1, "public value of");
        CU_ASSERT_EQUAL(suite_key_from_private(s, pub, suite_priv_len(s) + 1, NULL, &k, NULL), ERR_KEY);
        CU_ASSERT_EQUAL(suite_key_from_pair(s, pub, suite_priv_len(s) - 1, pub, &k, NULL), ERR_KEY);
        CU_ASSERT_PTR_NULL(k);
    }
    CU_ASSERT_PTR_NULL(suite_by_name("x25519"));
    CU_ASSERT_PTR_NULL(suite_by_name(NULL));
}

static void test_montgomery(void)
{
    static const char *const x25519_small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", /* order 2 */
        "0100000000000000000000000000000000000000000000000000000000000000", /* order 4 */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p - 1: order 4 on the twist */
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", /* order 8 */
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", /* order 8 */
    };
    static const char *const x448[][2] = {
        {"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "000",
         "small order"},
        {"0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "000",
         "small order"},
        {"fefffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffffffffffffffffffffffffffffffffffffffffffffffff"
         "fff",
         "small order"},
        {"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffffffffffffffffffffffffffffffffffffffffffffffff"
         "fff",
         "canonical"},
        {"04000000000000000000000000000000000000000000000000000000fffffffffffffffffffffffffffffffffffffffffffffffffffff"
         "fff",
         "canonical"},
        {"0600000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "000",
         "twist"},
    };
    static const char *const x25519_not_canonical[] = {
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 9 */
        "0900000000000000000000000000000000000000000000000000000000000080", /* 9, top bit set */
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };

    for (size_t i = 0; i < sizeof x25519_small / sizeof *x25519_small; i++)
        refused_hex("X25519", x25519_small[i], "small order");
    for (size_t i = 0; i < sizeof x25519_not_canonical / sizeof *x25519_not_canonical; i++)
        refused_hex("X25519", x25519_not_canonical[i], "canonical");
    refused_hex("X25519", "0200000000000000000000000000000000000000000000000000000000000000", "twist");
    for (size_t i = 0; i < sizeof x448 / sizeof *x448; i++)
        refused_hex("X448", x448[i][0], x448[i][1]);
}

static void test_p256(void)
{
    unsigned char pub[64] = {0};
    struct suite_key *k;

    refused("P-256", pub, 64, "EC"); /* what an all-zero epk says: infinity in other encodings */
    memset(pub, 0xff, 64);
    refused("P-256", pub, 64, "EC");
    CU_ASSERT_EQUAL_FATAL(suite_generate(suite_by_name("P-256"), &k, NULL), 0);
    memcpy(pub, suite_key_public(k), 64);
    for (int i = 0; i < 64; i += 9) {
        pub[i] ^= 1;
        refused("P-256", pub, 64, "EC"); /* off the curve */
        pub[i] ^= 1;
    }
    /* A point of y^2 = x^3 - 3 x + b' for another b': (x, 0). */
    memset(pub + 32, 0, 32);
    refused("P-256", pub, 64, "EC");
    suite_key_free(&k);
}

/* p of a DH suite, by way of OpenSSL's names. */
static void modulus(const struct suite *s, unsigned char *out)
{
    const char *name = suite_name(s);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    EVP_PKEY *params = NULL;
    BIGNUM *p = NULL;

    CU_ASSERT_EQUAL_FATAL(EVP_PKEY_paramgen_init(ctx), 1);
    CU_ASSERT_EQUAL_FATAL(EVP_PKEY_CTX_set_group_name(ctx, strcmp(name, "modp2048") ? name : "modp_2048"), 1);
    CU_ASSERT_EQUAL_FATAL(EVP_PKEY_paramgen(ctx, &params), 1);
    CU_ASSERT_EQUAL_FATAL(EVP_PKEY_get_bn_param(params, "p", &p), 1);
    CU_ASSERT_FATAL(BN_bn2binpad(p, out, (int)suite_pub_len(s)) > 0);
    BN_free(p);
    EVP_PKEY_free(params);
    EVP_PKEY_CTX_free(ctx);
}

/* 0, 1, p - 1, p, and a value outside the subgroup: p - 4, since 4 is a square and -1 is none. */
static void test_dh(void)
{
    static const char *const names[] = {"ffdhe2048", "ffdhe3072", "modp2048"};

    for (int i = 0; i < 3; i++) {
        const struct suite *s = suite_by_name(names[i]);
        size_t len = suite_pub_len(s);
        unsigned char pub[SUITE_PUB_MAX] = {0};
        struct suite_peer *p;

        refused(names[i], pub, len, names[i]);
        pub[len - 1] = 1;
        refused(names[i], pub, len, names[i]);
        pub[len - 1] = 4;
        CU_ASSERT_EQUAL(suite_peer_new(s, pub, len, &p, NULL), 0);
        suite_peer_free(&p);
        pub[len - 1] = 2;
        CU_ASSERT_EQUAL(suite_peer_new(s, pub, len, &p, NULL), 0);
        suite_peer_free(&p);
        modulus(s, pub);
        refused(names[i], pub, len, names[i]);
        pub[len - 1] -= 1;
        refused(names[i], pub, len, names[i]);
        pub[len - 1] -= 3;
        refused(names[i], pub, len, names[i]);
        memset(pub, 0xff, len);
        refused(names[i], pub, len, names[i]);
    }
}

static struct suite_key *generate(const struct suite *s)
{
    struct suite_key *k;

    CU_ASSERT_EQUAL_FATAL(suite_generate(s, &k, NULL), 0);
    return k;
}

static void test_private_values(void)
{
    static const char *const names[] = {"P-256", "ffdhe2048", "ffdhe3072", "modp2048"};

    for (int i = 0; i < 4; i++) {
        const struct suite *s = suite_by_name(names[i]);
        struct suite_key *a = generate(s), *k = (struct suite_key *)"";
        unsigned char priv[SUITE_PRIV_MAX] = {0};

        CU_ASSERT_EQUAL(suite_key_from_private(s, priv, suite_priv_len(s), NULL, &k, NULL), ERR_KEY);
        CU_ASSERT_PTR_NULL(k);
        memset(priv, 0xff, sizeof priv);
        CU_ASSERT_EQUAL(suite_key_from_private(s, priv, suite_priv_len(s), NULL, &k, NULL), ERR_KEY);
        CU_ASSERT_EQUAL(suite_key_from_pair(s, priv, suite_priv_len(s), suite_key_public(a), &k, NULL), ERR_KEY);
        suite_key_free(&a);
    }
}

static void test_pairs(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        struct suite_key *a = generate(s), *b = generate(s), *k = (struct suite_key *)"";
        struct suite_peer *p, *other;
        unsigned char one[SUITE_VALUE_MAX], two[SUITE_VALUE_MAX];

        CU_ASSERT_EQUAL(
            suite_key_from_private(s, suite_key_private(a), suite_priv_len(s), suite_key_public(b), &k, NULL), ERR_KEY);
        CU_ASSERT_PTR_NULL(k);
        CU_ASSERT_EQUAL_FATAL(
            suite_key_from_pair(s, suite_key_private(a), suite_priv_len(s), suite_key_public(a), &k, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(suite_peer_new(s, suite_key_public(b), suite_pub_len(s), &p, NULL), 0);
        CU_ASSERT_EQUAL(suite_agree(a, p, one, NULL), 0);
        CU_ASSERT_EQUAL(suite_agree(k, p, two, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(one, two, suite_value_len(s)), 0);
        CU_ASSERT_EQUAL(suite_dummy_value(p, one, NULL), 0);
        CU_ASSERT_EQUAL(suite_dummy_value(p, two, NULL), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(one, two, suite_value_len(s)), 0);
        suite_key_free(&b);
        b = generate(suite_by_name(i ? "X25519" : "P-256"));
        CU_ASSERT_EQUAL_FATAL(
            suite_peer_new(suite_key_suite(b), suite_key_public(b), suite_pub_len(suite_key_suite(b)), &other, NULL),
            0);
        CU_ASSERT_EQUAL(suite_agree(a, other, one, NULL), ERR_KEY);
        suite_peer_free(&p);
        suite_peer_free(&other);
        suite_key_free(&a);
        suite_key_free(&b);
        suite_key_free(&k);
    }
}

/* Equal, zero and out-of-range values, on either side. */
static void test_combine(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        unsigned char bad[SUITE_VALUE_MAX], good[SUITE_VALUE_MAX], out[2 * SUITE_VALUE_MAX];
        struct suite_key *a = generate(s);
        size_t len = suite_value_len(s);

        memcpy(good, suite_key_public(a), len);
        CU_ASSERT_EQUAL(suite_combine(s, good, good, out, NULL), ERR_CRYPTO);
        for (int value = 0; value < 2; value++) {
            memset(bad, value ? 0xff : 0, len);
            CU_ASSERT_EQUAL(suite_combine(s, bad, good, out, NULL), ERR_CRYPTO);
            CU_ASSERT_EQUAL(suite_combine(s, good, bad, out, NULL), ERR_CRYPTO);
            CU_ASSERT_EQUAL(suite_combine(s, bad, bad, out, NULL), ERR_CRYPTO);
            for (size_t k = 0; k < len * suite_candidates(s); k++)
                CU_ASSERT_EQUAL(out[k], 0);
        }
        suite_key_free(&a);
    }
}

/* A value on the curve and one on its twist have no common root. */
static void test_combine_twist(void)
{
    const struct suite *s = suite_by_name("X25519");
    unsigned char twist[32] = {2}, out[64];
    struct suite_key *a = generate(s);

    CU_ASSERT_EQUAL(suite_combine(s, twist, suite_key_public(a), out, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(suite_combine(s, suite_key_public(a), twist, out, NULL), ERR_CRYPTO);
    suite_key_free(&a);
}

/* A sender may add a point of small order to its ephemeral key. The message then opens for the holder of the whole key
 * and for members alike, which is so because both halves are multiples of the cofactor. suite_combine is used here to
 * add: its results are the coordinates of P + T and P - T. */
static void test_torsion(void)
{
    static const struct {
        const char *suite, *point;
    } torsion[] = {
        {"X25519", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"}, /* order 8 */
        {"X25519", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"}, /* order 8 */
        {"X25519", "0100000000000000000000000000000000000000000000000000000000000000"}, /* order 4 */
        {"X448", "fefffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffffffffffffffffffffffffffffffffffffffff"
                 "fffffffffff"}, /* order 4 */
    };

    for (size_t i = 0; i < sizeof torsion / sizeof *torsion; i++) {
        const struct suite *s = suite_by_name(torsion[i].suite);
        unsigned char t[SUITE_PUB_MAX], sums[2 * SUITE_PUB_MAX], plain[SUITE_VALUE_MAX], whole[SUITE_VALUE_MAX],
            u1[SUITE_VALUE_MAX], u2[SUITE_VALUE_MAX], out[2 * SUITE_VALUE_MAX];
        struct suite_key *a = generate(s), *epk = generate(s), *r, *b;
        size_t len = suite_value_len(s);
        struct suite_peer *p;

        hex(torsion[i].point, t, sizeof t);
        CU_ASSERT_EQUAL_FATAL(suite_combine(s, suite_key_public(epk), t, sums, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(suite_split(a, &r, &b, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(suite_peer_new(s, suite_key_public(epk), len, &p, NULL), 0);
        CU_ASSERT_EQUAL(suite_agree(a, p, plain, NULL), 0);
        suite_peer_free(&p);
        for (int sum = 0; sum < 2; sum++) {
            CU_ASSERT_NOT_EQUAL(memcmp(sums + (size_t)sum * len, suite_key_public(epk), len), 0);
            CU_ASSERT_EQUAL_FATAL(suite_peer_new(s, sums + (size_t)sum * len, len, &p, NULL), 0);
            CU_ASSERT_EQUAL(suite_agree(a, p, whole, NULL), 0);
            CU_ASSERT_EQUAL(memcmp(whole, plain, len), 0);
            CU_ASSERT_EQUAL(suite_agree(r, p, u1, NULL), 0);
            CU_ASSERT_EQUAL(suite_agree(b, p, u2, NULL), 0);
            CU_ASSERT_EQUAL(suite_combine(s, u1, u2, out, NULL), 0);
            CU_ASSERT(!memcmp(out, whole, len) || !memcmp(out + len, whole, len));
            suite_peer_free(&p);
        }
        suite_key_free(&a);
        suite_key_free(&epk);
        suite_key_free(&r);
        suite_key_free(&b);
    }
}

static int has_flag(struct json_object *test, const char *part)
{
    struct json_object *flags = json_object_object_get(test, "flags");

    for (size_t i = 0; i < json_object_array_length(flags); i++)
        if (strstr(json_object_get_string(json_object_array_get_idx(flags, i)), part))
            return 1;
    return 0;
}

static const char *text_of(struct json_object *test, const char *name)
{
    return json_object_get_string(json_object_object_get(test, name));
}

/* The public value in hexadecimal as suite.h has it; NULL when the encoding is another. */
static const char *public_text(const struct suite *s, const char *text)
{
    if (strcmp(suite_name(s), "P-256"))
        return text;
    return strlen(text) == 130 && !strncmp(text, "04", 2) ? text + 2 : NULL;
}

/* 1 = our value is the expected one, 0 = refused, -1 = another value. */
static int run_vector(const struct suite *s, struct json_object *test)
{
    unsigned char pub[SUITE_PUB_MAX], priv[SUITE_PRIV_MAX], want[SUITE_VALUE_MAX], got[SUITE_VALUE_MAX];
    const char *pub_hex = public_text(s, text_of(test, "public")), *priv_hex = text_of(test, "private");
    struct suite_peer *p = NULL;
    struct suite_key *k = NULL;
    size_t extra, len;
    int result = 0;

    if (!pub_hex)
        return 0;
    len = (size_t)hex(pub_hex, pub, sizeof pub);
    extra = strlen(priv_hex) > 2 * suite_priv_len(s) ? strlen(priv_hex) - 2 * suite_priv_len(s) : 0;
    memset(priv, 0, sizeof priv);
    hex(priv_hex + extra, priv + suite_priv_len(s) - strlen(priv_hex + extra) / 2, sizeof priv / 2);
    if (suite_peer_new(s, pub, len, &p, NULL) == 0 &&
        suite_key_from_private(s, priv, suite_priv_len(s), NULL, &k, NULL) == 0 && suite_agree(k, p, got, NULL) == 0) {
        hex(text_of(test, "shared"), want, sizeof want);
        result = memcmp(got, want, suite_value_len(s)) ? -1 : 1;
    }
    suite_peer_free(&p);
    suite_key_free(&k);
    return result;
}

/* Decided for each: invalid, small order, not canonical, twist and compressed points are refused, all others match. */
static void wycheproof(const char *suite, const char *file, size_t at_least)
{
    const char *vectors = unit_vectors();
    struct json_object *root, *groups, *tests, *test;
    size_t count = 0;
    char path[4200];

    if (!vectors) {
        unit_skip("external vectors are not there");
        return;
    }
    snprintf(path, sizeof path, "%s/wycheproof/%s", vectors, file);
    if (!(root = json_object_from_file(path))) {
        CU_FAIL_FATAL("vectors cannot be read");
        return;
    }
    groups = json_object_object_get(root, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        tests = json_object_object_get(json_object_array_get_idx(groups, g), "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++, count++) {
            int expect, result;

            test = json_object_array_get_idx(tests, i);
            expect = strcmp(text_of(test, "result"), "invalid") && !has_flag(test, "LowOrder") &&
                     !has_flag(test, "NonCanonical") && !has_flag(test, "Twist") && !has_flag(test, "Compressed");
            result = run_vector(suite_by_name(suite), test);
            if (result != expect) {
                CU_FAIL("vector not decided as expected");
                printf("# %s %s (%s): %d instead of %d\n", file, text_of(test, "tcId"), text_of(test, "comment"),
                       result, expect);
            }
        }
    }
    CU_ASSERT(count >= at_least);
    json_object_put(root);
}

static void test_wycheproof_x25519(void)
{
    wycheproof("X25519", "x25519_test.json", 500);
}

static void test_wycheproof_x448(void)
{
    wycheproof("X448", "x448_test.json", 500);
}

static void test_wycheproof_p256(void)
{
    wycheproof("P-256", "ecdh_secp256r1_ecpoint_test.json", 300);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"lengths", test_lengths},
        {"X25519 and X448 public values", test_montgomery},
        {"P-256 public values", test_p256},
        {"DH public values", test_dh},
        {"private values out of range", test_private_values},
        {"key pairs and padding values", test_pairs},
        {"values that do not combine", test_combine},
        {"a value on the twist does not combine", test_combine_twist},
        {"ephemeral keys with a part of small order", test_torsion},
        {"Wycheproof X25519", test_wycheproof_x25519},
        {"Wycheproof X448", test_wycheproof_x448},
        {"Wycheproof P-256", test_wycheproof_p256},
    };
    return unit_main("suite-refused", tests, sizeof tests / sizeof *tests);
}
