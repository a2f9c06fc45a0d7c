#include "common/jwk.h"
#include "common/jws.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/sjson.h"
#include "unit.h"
#include "vectors.h"

#define P256_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define P256_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define P256_D "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define X25519_X "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"
#define X448_X "mwj3zDG34-Z9ItWuoSEHSic70rg94Jxj-qc9LCLF2bvINmRyQdlT1AxbEtqIEg1TF3-A5TLEH6A"
#define X448_D "mo9JJdFRn1d1z0awS1gA1O6e6LrovFVl1JjCjdnJuvV0qUGXRIlzkQBjgqbxJ6sdmsLYwKWYcms"
/* 2 to the power of SHA-512("recrypt test") */
#define FFDHE2048_X                                                                                                    \
    "bP5uf_0GQ9U_Klgz2ktXWsvtnXdSIjTcZ8QwtocZtr1f5EBmsYQZ3SmmLSaUZh4erB6r8f1UNMHujanytoQVTGbeJbZIQ8KQOWno7dYnUX2j"     \
    "S-csJHUAPkubO_jHs5RRKfz6PTXZFasAOaQ1XsKqtJAzPZ6HLBMLZQqmzwXSMUeY9O9LIDKhqaUXHRxidTLnQ78lYMslb3n8yXHw_XugtdCw"     \
    "uq9wDmVru9Z-uqveJxrJZwW8QNE3rQ2y0mfDllSw2e5mu72zSqNo3CxQSllKmVL-0W9KDtb3g02H5VQ09gkPsVT7cQreTE5B5Lz3UCeFOL7Z"     \
    "1rxe5rx64aVwKIYKzA"
#define MODP2048_X                                                                                                     \
    "BhcckcgDLsx_B-g5_Vz_k4R3HNg7KCML46-5rkfR60HagocDBAjh1cIc9_Jfss6SMkjOORA2QC7ah8B18sbIbs5ZPhYs8q3WQGowO4iNo50l"     \
    "miwqWA9-4NPCJ6W25MnbkaK16W9bWprC_HgT20XPvoDA94VqQ9n248J3KVFtDvfDnMN4Vbt0DdJLlioy0WJvWUFRqhzYBALFgrLsf-7Dfa5H"     \
    "CwMSk7xZbD5waTq7z5Ifk9iohtthaR7cAaa6yo8NN0jEki9PZTq8yl139_N5YRvTikPUAiLIw90Cag3bAm1lxkBFmRhDOA0Qh3yHSKFncVrs"     \
    "DMzkJ5r4WLgsEoRxjg"

static int parse(const char *text, struct jwk **k)
{
    struct err e;

    return jwk_parse(text, strlen(text), k, &e);
}

/* Thumbprints by python3-jwcrypto (Ed25519: RFC 8037 appendix A.3), fingerprints by a few lines of Python over the DER
 * that python3-cryptography writes. */
static void test_names(void)
{
    static const struct {
        const char *jwk, *thumbprint, *udf;
    } known[] = {
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\",\"d\":\"" P256_D "\"}",
         "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", "MC3T6-3OUWH-4RXMC-6KIZ3-JTJL2-FRYXY"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"d\":\"" ED_D "\"}",
         "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "MCF22-NZ4KL-4B2AN-DAJRD-4ACAK-SKZ67"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\"}", "giQqigT_IKcuzHl0FVJ3k5ts3_TWNAxvsC08UZsfcM8",
         "MARNP-LMGQ6-R7KM5-QPBLV-DO5GM-Y5QI4"},
        {"{\"kty\":\"OKP\",\"crv\":\"X448\",\"x\":\"" X448_X "\",\"d\":\"" X448_D "\"}",
         "X7Nqq56_hWB_zjSTTN0UEEsN9OnnjvGJIjV7MjEnCko", "MCTMC-MFPML-SX5NL-GZS2Z-ST5OO-DW5XG"},
        {"{\"kty\":\"DH\",\"crv\":\"ffdhe2048\",\"x\":\"" FFDHE2048_X "\"}",
         "DDasaRNACqHIrM-F3UUzxawXSQ-PWiRFPpFjn0U9ZQ0", "MCRV5-O5VHR-FOR54-7ITWR-JNDX3-T3HHU"},
        {"{\"kty\":\"DH\",\"crv\":\"modp2048\",\"x\":\"" MODP2048_X "\"}",
         "mMeinw1NiWN-v3972MvomXEwqIVLKZjuzQJx3afJNK0", "MCUTN-7EBYU-EVQR7-PWQVF-H4KCL-3V6LJ"},
    };
    char thumbprint[JWK_THUMBPRINT_SIZE], udf[JWK_UDF_SIZE];
    struct jwk *k;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        CU_ASSERT_EQUAL_FATAL(parse(known[i].jwk, &k), 0);
        CU_ASSERT_EQUAL(jwk_thumbprint(k, thumbprint), 0);
        CU_ASSERT_STRING_EQUAL(thumbprint, known[i].thumbprint);
        CU_ASSERT_EQUAL(jwk_udf(k, udf), 0);
        CU_ASSERT_STRING_EQUAL(udf, known[i].udf);
        jwk_free(&k);
        CU_ASSERT_PTR_NULL(k);
    }
}

static void test_round_trip(void)
{
    static const char *const types[] = {"X25519",   "X448",      "P-256",   "ffdhe2048",
                                        "modp2048", "ffdhe3072", "Ed25519", "ES256"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct jwk *k, *back, *pub;
        struct json_object *obj, *again;
        struct buf one = BUF_INIT, two = BUF_INIT;
        int sign = i >= 6;
        struct err e;

        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &k, &e), 0);
        CU_ASSERT(jwk_is_private(k) && jwk_is_signature(k) == sign && (jwk_suite(k) == NULL) == sign &&
                  (jwk_suite_key(k) == NULL) == sign);
        CU_ASSERT_EQUAL(jwk_set_kid(k, "some \"kid\""), 0);
        CU_ASSERT_EQUAL(jwk_to_json(k, 1, &obj, &e), 0);
        CU_ASSERT_EQUAL(sjson_write(obj, &one), 0);
        CU_ASSERT_EQUAL_FATAL(jwk_parse(buf_str(&one), one.len, &back, &e), 0);
        CU_ASSERT_EQUAL(jwk_to_json(back, 1, &again, &e), 0);
        CU_ASSERT_EQUAL(sjson_write(again, &two), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&one), buf_str(&two));
        CU_ASSERT(jwk_equal(k, back) && jwk_is_private(back) && jwk_is_signature(back) == sign);
        CU_ASSERT_STRING_EQUAL(jwk_kid(back), "some \"kid\"");
        sjson_free_secret(&again);
        CU_ASSERT_EQUAL_FATAL(jwk_public_copy(back, &pub, &e), 0);
        CU_ASSERT(!jwk_is_private(pub) && !jwk_suite_key(pub) && jwk_equal(pub, k) && jwk_is_signature(pub) == sign);
        CU_ASSERT_STRING_EQUAL(jwk_kid(pub), "some \"kid\"");
        CU_ASSERT_EQUAL(jwk_to_json(pub, 1, &again, &e), 0);
        CU_ASSERT(!sjson_has(again, "d"));
        sjson_free_secret(&again);
        sjson_free_secret(&obj);
        jwk_free(&pub);
        jwk_free(&back);
        jwk_free(&k);
        buf_free(&one);
        buf_free(&two);
    }
}

static void test_uses(void)
{
#define EC "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""
#define OKP "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\""
    static const struct {
        const char *jwk;
        int code, sign, agree;
    } cases[] = {
        {EC "}", 0, 1, 1},
        {EC ",\"use\":\"enc\"}", 0, 0, 1},
        {EC ",\"use\":\"sig\"}", 0, 1, 0},
        {EC ",\"alg\":\"ES256\"}", 0, 1, 0},
        {EC ",\"alg\":\"ECDH-ES+A256KW\"}", 0, 0, 1},
        {EC ",\"key_ops\":[\"verify\"]}", 0, 1, 0},
        {EC ",\"key_ops\":[\"deriveBits\",\"sign\"]}", 0, 1, 1},
        {EC ",\"use\":\"enc\",\"alg\":\"ES256\"}", ERR_KEY, 0, 0},
        {EC ",\"key_ops\":[\"encrypt\",\"decrypt\"]}", ERR_KEY, 0, 0},
        {EC ",\"alg\":\"ES521\"}", ERR_UNSUPPORTED, 0, 0},
        {EC ",\"use\":\"both\"}", ERR_UNSUPPORTED, 0, 0},
        {EC ",\"use\":1}", ERR_SYNTAX, 0, 0},
        {EC ",\"key_ops\":[1]}", ERR_SYNTAX, 0, 0},
        {EC ",\"kid\":1}", ERR_SYNTAX, 0, 0},
        {OKP ",\"x5u\":\"http://localhost/\",\"unknown\":{}}", 0, 0, 1},
        {OKP ",\"use\":\"sig\"}", ERR_KEY, 0, 0},
        {OKP ",\"alg\":\"EdDSA\"}", ERR_KEY, 0, 0},
    };
    struct jwk *k;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(parse(cases[i].jwk, &k), cases[i].code);
        CU_ASSERT_EQUAL(k != NULL, cases[i].code == 0);
        if (k)
            CU_ASSERT(jwk_is_signature(k) == cases[i].sign && (jwk_suite(k) != NULL) == cases[i].agree);
        jwk_free(&k);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *jwk;
        int code;
    } bad[] = {
        {"", ERR_SYNTAX},
        {"null", ERR_SYNTAX},
        {"[]", ERR_SYNTAX},
        {"{}", ERR_SYNTAX},
        {"{\"kty\":\"OKP\"}", ERR_SYNTAX},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\"}", ERR_SYNTAX},
        {"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"oct\",\"k\":\"AQ\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AQ\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AQ\",\"y\":\"AQ\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"EC\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQ\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "=\"}", ERR_SYNTAX},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\",\"\\u0078\":\"" X25519_X "\"}", ERR_SYNTAX},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\",\"d\":\"AQ\"}", ERR_KEY},
        /* halves of two keys */
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X25519_X "\",\"d\":\"" ED_D "\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X25519_X "\",\"d\":\"" ED_D "\"}", ERR_KEY},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\",\"d\":\"" ED_D "\"}", ERR_KEY},
        /* off the curve, infinity's usual spelling, y missing */
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_X "\"}", ERR_KEY},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
         "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         ERR_KEY},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", ERR_SYNTAX},
        /* small order: 0 and 1 of X25519, identity and order 2 and 8 of Ed25519; not canonical: p + 1 */
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P_______________________________________38\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7v_______________________________________38\"}", ERR_KEY},
    };
    struct jwk *k;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int r = parse(bad[i].jwk, &k);

        if (r != bad[i].code)
            printf("# %s: %d\n", bad[i].jwk, r);
        CU_ASSERT_EQUAL(r, bad[i].code);
        CU_ASSERT_PTR_NULL(k);
    }
    CU_ASSERT_EQUAL(jwk_generate("RSA", &k, NULL), ERR_UNSUPPORTED);
}

/* Key agreement of two JWKs; what each file calls acceptable (twist, small order, not canonical) is refused. */
static void run_agreement(const char *path, size_t valid_at_least, size_t refused_at_least)
{
    struct json_object *file = vectors_load(path), *groups, *tests;
    size_t agreed = 0, refused = 0;
    struct buf want = BUF_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        tests = json_object_object_get(json_object_array_get_idx(groups, g), "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++) {
            struct json_object *t = json_object_array_get_idx(tests, i);
            int valid = strcmp(json_object_get_string(json_object_object_get(t, "result")), "valid") == 0, r;
            unsigned char value[SUITE_VALUE_MAX];
            struct jwk *pub = NULL, *priv = NULL;
            struct suite_peer *peer = NULL;
            size_t len;

            r = jwk_from_json(json_object_object_get(t, "public"), &pub, NULL);
            if (valid && (r < 0 || jwk_from_json(json_object_object_get(t, "private"), &priv, NULL) < 0 ||
                          suite_peer_new(jwk_suite(pub), jwk_public(pub, &len), suite_pub_len(jwk_suite(pub)), &peer,
                                         NULL) < 0 ||
                          suite_agree(jwk_suite_key(priv), peer, value, NULL) < 0)) {
                printf("# refused: %s\n", json_object_to_json_string(t));
                CU_ASSERT(0);
            } else if (valid) {
                buf_reset(&want);
                vectors_hex(json_object_get_string(json_object_object_get(t, "shared")), &want);
                CU_ASSERT(want.len == suite_value_len(jwk_suite(pub)) && memcmp(want.data, value, want.len) == 0);
                agreed++;
            } else {
                if (r == 0) { /* a good key of another suite: no agreement with it */
                    CU_ASSERT_EQUAL(jwk_from_json(json_object_object_get(t, "private"), &priv, NULL), 0);
                    CU_ASSERT_EQUAL(suite_peer_new(jwk_suite(pub), jwk_public(pub, &len), suite_pub_len(jwk_suite(pub)),
                                                   &peer, NULL),
                                    0);
                    r = suite_agree(jwk_suite_key(priv), peer, value, NULL);
                }
                CU_ASSERT(r == ERR_KEY || r == ERR_UNSUPPORTED || r == ERR_SYNTAX);
                refused++;
            }
            suite_peer_free(&peer);
            jwk_free(&pub);
            jwk_free(&priv);
        }
    }
    printf("# %s: %zu agreed, %zu refused\n", path, agreed, refused);
    CU_ASSERT(agreed >= valid_at_least && refused >= refused_at_least);
    buf_free(&want);
    json_object_put(file);
}

static void test_agreement(void)
{
    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    run_agreement("wycheproof/x25519_jwk_test.json", 264, 267);
    run_agreement("wycheproof/x448_jwk_test.json", 250, 250);
    run_agreement("wycheproof/ecdh_secp256r1_webcrypto_test.json", 320, 20);
}

/* What a JWS says under each key of a set that we take; 1 when one verifies it. */
static int any_verifies(struct json_object *keys, const char *text, size_t *ours, size_t *foreign)
{
    int verified = 0;

    for (size_t i = 0; i < json_object_array_length(keys); i++) {
        struct json_object *key = json_object_array_get_idx(keys, i);
        struct jws s;
        struct jwk *k;
        int r = jwk_from_json(key, &k, NULL);

        if (r < 0) { /* oct, RSA, another curve, an alg or use that is not the curve's, a point that is none */
            CU_ASSERT(r == ERR_UNSUPPORTED || r == ERR_KEY);
            (*foreign)++;
            continue;
        }
        if (jws_parse(text, strlen(text), &s, NULL) == 0)
            verified |= jws_verify(&s, k, NULL, 0, NULL) == 0;
        jws_clear(&s);
        jwk_free(&k);
        (*ours)++;
    }
    return verified;
}

/* json_web_key: sets of keys, which are no key; of the keys in them we take one, in the company of an HMAC key, and the
 * JWS is not signed by it. The valid ones are of kty oct and RSA. */
static void test_bad_use(void)
{
    struct json_object *file = vectors_load("wycheproof/json_web_key_test.json"), *groups, *set, *tests;
    size_t ours = 0, foreign = 0, run = 0;
    struct jwk *k;

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *group = json_object_array_get_idx(groups, g);

        if (!json_object_object_get_ex(group, "public", &set))
            set = json_object_object_get(group, "private");
        CU_ASSERT_EQUAL(jwk_from_json(set, &k, NULL), ERR_SYNTAX);
        tests = json_object_object_get(group, "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++, run++) {
            struct json_object *jws = json_object_object_get(json_object_array_get_idx(tests, i), "jws");

            CU_ASSERT_EQUAL(
                any_verifies(json_object_object_get(set, "keys"), json_object_get_string(jws), &ours, &foreign), 0);
        }
    }
    printf("# Wycheproof JWK: %zu tests, %zu keys refused, %zu taken, none verifies\n", run, foreign, ours);
    CU_ASSERT(run == 26 && ours == 1 && foreign >= 26);
    json_object_put(file);
}

/* What jwk_from_json takes as a public key to encrypt to is read to the same value; the point itself is not looked
 * at. */
static void test_read_public(void)
{
    static const char *const types[] = {"X25519", "X448", "P-256", "ffdhe2048"};
    static const struct {
        const char *text;
        int code;
    } bad[] = {
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}", ERR_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\"}", ERR_SYNTAX},
        {"{\"kty\":\"EC\",\"crv\":\"X25519\",\"x\":\"AAAA\"}", ERR_UNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"use\":\"sig\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         ERR_KEY},
        {"{}", ERR_SYNTAX},
    };
    unsigned char raw[SUITE_PUB_MAX];
    struct json_object *obj;
    const struct suite *s;
    size_t len, want;

    for (int i = 0; i < 4; i++) {
        struct jwk *k;

        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &k, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, 0, &obj, NULL), 0);
        CU_ASSERT_EQUAL(jwk_read_public(obj, &s, raw, &len, NULL), 0);
        CU_ASSERT(s == jwk_suite(k) && !memcmp(raw, jwk_public(k, &want), len) && len == want);
        json_object_put(obj);
        CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, 1, &obj, NULL), 0);
        CU_ASSERT_EQUAL(jwk_read_public(obj, &s, raw, &len, NULL), ERR_KEY);
        json_object_put(obj);
        jwk_free(&k);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL_FATAL(sjson_parse(bad[i].text, strlen(bad[i].text), NULL, &obj, NULL), 0);
        CU_ASSERT_EQUAL(jwk_read_public(obj, &s, raw, &len, NULL), bad[i].code);
        json_object_put(obj);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"thumbprints and fingerprints", test_names},
        {"every type to JSON and back", test_round_trip},
        {"use, alg and key_ops decide what a key is for", test_uses},
        {"bad keys by name", test_refused},
        {"public keys to encrypt to, read without a look at the point", test_read_public},
        {"Wycheproof X25519, X448 and P-256 with JWKs", test_agreement},
        {"Wycheproof json_web_key", test_bad_use},
    };
    return unit_main("jwk", tests, sizeof tests / sizeof *tests);
}
