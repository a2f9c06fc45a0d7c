/* The external vectors that no module's own test runs, and the list of all: which test has which file, and what is not
 * supported, by name. A file that nobody runs fails here. */
#include <fnmatch.h>
#include <ftw.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/jwe.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "unit.h"
#include "vectors.h"

/* Files by pattern ('*' takes '/' too); the first that matches counts. test: the source below test/ that runs them,
 * which must name them as "named" says. test NULL: not run, and why. */
static const struct row {
    const char *files, *test, *named, *why;
} table[] = {
    {"README.md", NULL, NULL, "about the vectors"},
    {"*/README.md", NULL, NULL, "about the vectors"},
    {"*/LICENSE", NULL, NULL, "licence"},
    {"mail/MIT-LICENSE", NULL, NULL, "licence"},
    {"mail/emails/.gitattributes", NULL, NULL, "no mail"},
    {"wycheproof/x25519_test.json", "unit/test-suite-refused.c", "x25519_test.json", NULL},
    {"wycheproof/x448_test.json", "unit/test-suite-refused.c", "x448_test.json", NULL},
    {"wycheproof/ecdh_secp256r1_ecpoint_test.json", "unit/test-suite-refused.c", "ecdh_secp256r1_ecpoint_test.json",
     NULL},
    {"wycheproof/x25519_jwk_test.json", "unit/test-jwk.c", "x25519_jwk_test.json", NULL},
    {"wycheproof/x448_jwk_test.json", "unit/test-jwk.c", "x448_jwk_test.json", NULL},
    {"wycheproof/ecdh_secp256r1_webcrypto_test.json", "unit/test-jwk.c", "ecdh_secp256r1_webcrypto_test.json", NULL},
    {"wycheproof/json_web_key_test.json", "unit/test-jwk.c", "json_web_key_test.json", NULL},
    {"wycheproof/json_web_encryption_test.json", "unit/test-jwe-vectors.c", "json_web_encryption_test.json", NULL},
    {"wycheproof/aes_gcm_test.json", "unit/test-jwe-vectors.c", "aes_gcm_test.json", NULL},
    {"wycheproof/a128cbc_hs256_test.json", "unit/test-jwe-vectors.c", "a128cbc_hs256_test.json", NULL},
    {"wycheproof/a256cbc_hs512_test.json", "unit/test-jwe-vectors.c", "a256cbc_hs512_test.json", NULL},
    {"wycheproof/aes_wrap_test.json", "unit/test-jwe-vectors.c", "aes_wrap_test.json", NULL},
    {"wycheproof/json_web_signature_test.json", "unit/test-jws.c", "json_web_signature_test.json", NULL},
    {"wycheproof/ed25519_test.json", "unit/test-jws.c", "ed25519_test.json", NULL},
    {"wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", "unit/test-jws.c", "ecdsa_secp256r1_sha256_p1363_test.json",
     NULL},
    {"wycheproof/json_web_crypto_test.json", "unit/test-vectors.c", "json_web_crypto_test.json", NULL},
    {"wycheproof/ed448_test.json", "unit/test-vectors.c", "ed448_test.json", NULL}, /* refused: no such alg here */
    {"wycheproof/hkdf_sha256_test.json", "unit/test-vectors.c", "hkdf_sha256_test.json", NULL},
    {"wycheproof/pbkdf2_hmacsha256_test.json", "unit/test-vectors.c", "pbkdf2_hmacsha256_test.json", NULL},
    {"jose-cookbook/jwe/*", "unit/test-jwe-vectors.c", "jose-cookbook/jwe/", NULL},
    {"jose-cookbook/curve25519/ecdh-es.json", "unit/test-jwe-vectors.c", "jose-cookbook/curve25519/ecdh-es.json", NULL},
    {"jose-cookbook/curve25519/jws.json", "unit/test-jws.c", "jose-cookbook/curve25519/jws.json", NULL},
    {"jose-cookbook/jws/4_[1-5].*", "unit/test-jws.c", "jose-cookbook/jws/4_5", NULL},
    {"jose-cookbook/jws/4_[6-8].*", "unit/test-vectors.c", "jose-cookbook/jws/4_8", NULL},
    {"jose-cookbook/rfc7797/*.json", "unit/test-vectors.c", "jose-cookbook/rfc7797/", NULL},
    {"jose-cookbook/6.nesting_*", "unit/test-vectors.c", "jose-cookbook/6.nesting_", NULL},
    {"jose-cookbook/jwk/*", "unit/test-vectors.c", "jose-cookbook/jwk/", NULL},
    {"JSONTestSuite/test_parsing/*", "unit/test-sjson.c", "JSONTestSuite/test_parsing", NULL},
    {"JSONTestSuite/test_transform/*", "unit/test-vectors.c", "JSONTestSuite/test_transform", NULL},
    {"mail/emails/*", "unit/corpus.c", "mail/emails", NULL},
};
enum { ROWS = sizeof table / sizeof *table };

static size_t root_len, in_row[ROWS], unknown;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    size_t i = 0;

    (void)st;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    while (i < ROWS && fnmatch(table[i].files, path + root_len, 0) != 0)
        i++;
    if (i < ROWS) {
        in_row[i]++;
    } else {
        printf("# no test runs %s\n", path + root_len);
        unknown++;
    }
    return 0;
}

static int test_names_it(const struct row *r)
{
    const char *src = getenv("srcdir");
    struct buf text = BUF_INIT;
    char path[4400];
    int found;

    snprintf(path, sizeof path, "%s/test/%s", src ? src : ".", r->test);
    found = file_read(path, 1 << 20, &text, NULL) == 0 && strstr(buf_str(&text), r->named) != NULL;
    buf_free(&text);
    return found;
}

static void test_every_file(void)
{
    const char *vectors = unit_vectors();

    if (!vectors) {
        unit_skip("no external vectors");
        return;
    }
    root_len = strlen(vectors) + 1;
    CU_ASSERT_EQUAL(nftw(vectors, count_file, 16, FTW_PHYS), 0);
    CU_ASSERT_EQUAL(unknown, 0);
    for (size_t i = 0; i < ROWS; i++) {
        if (!in_row[i])
            printf("# no file is %s\n", table[i].files);
        CU_ASSERT(in_row[i] > 0);
        if (table[i].test && !test_names_it(&table[i])) {
            printf("# %s does not run %s\n", table[i].test, table[i].files);
            CU_FAIL("a row of the table is wrong");
        }
        printf("# %4zu %s: %s\n", in_row[i], table[i].files, table[i].test ? table[i].test : table[i].why);
    }
}

/* ---- Wycheproof ---- */

static const char *text_of(struct json_object *obj, const char *name)
{
    struct json_object *v;

    return json_object_object_get_ex(obj, name, &v) ? json_object_get_string(v) : "";
}

/* Calls back for every test of a file; how many there were. */
static size_t each_test(const char *path, void (*check)(struct json_object *group, struct json_object *test, int valid))
{
    struct json_object *file = vectors_load(path), *groups, *tests;
    size_t n = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *group = json_object_array_get_idx(groups, g);

        tests = json_object_object_get(group, "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++, n++) {
            struct json_object *t = json_object_array_get_idx(tests, i);

            check(group, t, strcmp(text_of(t, "result"), "valid") == 0);
        }
    }
    json_object_put(file);
    return n;
}

static size_t accepted, foreign;

/* What reading it, then using the key, says; for a JWE it must open to something. */
static int take(struct json_object *t, const struct jwk *key)
{
    struct buf ciphertext = BUF_INIT, plain = BUF_INIT;
    const char *text = text_of(t, "jws");
    struct jws s = {0};
    struct jwe *j = NULL;
    int r;

    if (json_object_object_get_ex(t, "jws", NULL)) {
        r = jws_parse(text, strlen(text), &s, NULL);
        r = r ? r : jws_verify(&s, key, NULL, 0, NULL);
        jws_clear(&s);
        return r;
    }
    text = text_of(t, "jwe");
    r = jwe_parse(text, strlen(text), 0, &j, &ciphertext, NULL);
    r = r ? r : jwe_decrypt(j, key, &ciphertext, &plain, NULL);
    CU_ASSERT(r == 0 || plain.len == 0);
    jwe_free(&j);
    buf_free(&ciphertext);
    buf_free(&plain);
    return r;
}

/* Key sets, symmetric keys and RSA are not ours and are refused as keys; so is ECDH-ES+A128KW. */
static void check_crypto(struct json_object *group, struct json_object *t, int valid)
{
    struct json_object *key = json_object_object_get(group, "private"), *pub;
    struct jwk *k = NULL;
    int r;

    if (json_object_object_get_ex(t, "jws", NULL) && json_object_object_get_ex(group, "public", &pub))
        key = pub;
    r = jwk_from_json(key, &k, NULL);
    if (r < 0) {
        CU_ASSERT(r == ERR_UNSUPPORTED || (r == ERR_SYNTAX && json_object_object_get_ex(key, "keys", NULL)));
        foreign++;
        return;
    }
    r = take(t, k);
    if (valid && r == ERR_UNSUPPORTED)
        foreign++;
    else
        CU_ASSERT_EQUAL(r == 0, valid);
    if ((r == 0) != valid && r != ERR_UNSUPPORTED)
        printf("# %d: %s\n", r, json_object_to_json_string(t));
    accepted += r == 0;
    jwk_free(&k);
}

static void test_json_web_crypto(void)
{
    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    accepted = foreign = 0;
    CU_ASSERT(each_test("wycheproof/json_web_crypto_test.json", check_crypto) >= 83);
    printf("# accepted %zu, of foreign keys or algorithms %zu\n", accepted, foreign);
    CU_ASSERT(accepted >= 1 && foreign >= 50);
}

/* EdDSA is Ed25519 here: a key of the other curve is no key, whoever signed. */
static void check_ed448(struct json_object *group, struct json_object *t, int valid)
{
    struct json_object *key;
    struct jwk *k;

    (void)t;
    (void)valid;
    if (json_object_object_get_ex(group, "publicKeyJwk", &key)) {
        CU_ASSERT_EQUAL(jwk_from_json(key, &k, NULL), ERR_UNSUPPORTED);
        foreign++;
    }
}

static void test_ed448(void)
{
    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    foreign = 0;
    each_test("wycheproof/ed448_test.json", check_ed448);
    CU_ASSERT(foreign >= 80);
}

/* Key derivation is OpenSSL's: that the one we call is right. */
static int derive_hkdf(struct buf *key, struct buf *salt, struct buf *info, unsigned char *out, size_t len)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->data, key->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info->data, info->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt->data, salt->len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int ok;

    if (!salt->len) /* an empty string is none */
        params[3] = OSSL_PARAM_construct_end();
    ok = EVP_KDF_derive(ctx, out, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static void check_hkdf(struct json_object *group, struct json_object *t, int valid)
{
    struct buf key = BUF_INIT, salt = BUF_INIT, info = BUF_INIT, want = BUF_INIT;
    size_t size = (size_t)json_object_get_int64(json_object_object_get(t, "size"));
    unsigned char *out = calloc(1, size + 1);

    (void)group;
    vectors_hex(text_of(t, "ikm"), &key);
    vectors_hex(text_of(t, "salt"), &salt);
    vectors_hex(text_of(t, "info"), &info);
    vectors_hex(text_of(t, "okm"), &want);
    CU_ASSERT_EQUAL(derive_hkdf(&key, &salt, &info, out, size), valid);
    if (valid)
        CU_ASSERT(want.len == size && memcmp(out, buf_str(&want), size) == 0);
    free(out);
    buf_free(&key);
    buf_free(&salt);
    buf_free(&info);
    buf_free(&want);
}

static void check_pbkdf2(struct json_object *group, struct json_object *t, int valid)
{
    struct buf pass = BUF_INIT, salt = BUF_INIT, want = BUF_INIT;
    int iterations = json_object_get_int(json_object_object_get(t, "iterationCount"));
    unsigned char out[1024];

    (void)group;
    vectors_hex(text_of(t, "password"), &pass);
    vectors_hex(text_of(t, "salt"), &salt);
    vectors_hex(text_of(t, "dk"), &want);
    CU_ASSERT(want.len <= sizeof out);
    CU_ASSERT_EQUAL(PKCS5_PBKDF2_HMAC(buf_str(&pass), (int)pass.len, (const unsigned char *)buf_str(&salt),
                                      (int)salt.len, iterations, EVP_sha256(), (int)want.len, out),
                    valid);
    CU_ASSERT(memcmp(out, buf_str(&want), want.len) == 0);
    buf_free(&pass);
    buf_free(&salt);
    buf_free(&want);
}

static void test_derivation(void)
{
    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    CU_ASSERT(each_test("wycheproof/hkdf_sha256_test.json", check_hkdf) >= 86);
    CU_ASSERT(each_test("wycheproof/pbkdf2_hmacsha256_test.json", check_pbkdf2) >= 60);
}

/* ---- RFC 7520 ---- */

static void refused_forms(const char *path, struct json_object *output)
{
    static const char *const forms[] = {"compact", "json", "json_flat"};
    struct json_object *form;
    size_t seen = 0;

    for (size_t f = 0; f < 3; f++)
        if (json_object_object_get_ex(output, forms[f], &form)) {
            const char *text = json_object_get_string(form);
            struct jws s = {0};
            int r = jws_parse(text, strlen(text), &s, NULL);

            if (r != ERR_UNSUPPORTED && r != ERR_SYNTAX)
                printf("# %s, %s: %d\n", path, forms[f], r);
            CU_ASSERT(r == ERR_UNSUPPORTED || r == ERR_SYNTAX);
            jws_clear(&s);
            seen++;
        }
    CU_ASSERT(seen > 0);
}

/* All that is left of the cookbook is of algorithms that are not ours; each is refused by name. */
static void test_cookbook(void)
{
    static const char *const signatures[] = {
        "jose-cookbook/jws/4_6.protecting_specific_header_fields.json", /* HS256 */
        "jose-cookbook/jws/4_7.protecting_content_only.json",           /* HS256, unprotected alg */
        "jose-cookbook/jws/4_8.multiple_signatures.json",               /* RS256, ES512, HS256 */
        "jose-cookbook/rfc7797/4.2.hmac-sha2_b64_false.json",           /* HS256, crit b64 */
        "jose-cookbook/rfc7797/hmac-sha2_b64_false.json",
    };
    static const char *const keys[] = {
        "jose-cookbook/jwk/3_1.ec_public_key.json", "jose-cookbook/jwk/3_2.ec_private_key.json",   /* P-521 */
        "jose-cookbook/jwk/3_3.rsa_public_key.json", "jose-cookbook/jwk/3_4.rsa_private_key.json", /* RSA */
        "jose-cookbook/jwk/3_5.symmetric_key_mac_computation.json",
        "jose-cookbook/jwk/3_6.symmetric_key_encryption.json",
    };
    struct json_object *file, *nested;
    struct jwk *k;

    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(file = vectors_load(signatures[i]));
        refused_forms(signatures[i], json_object_object_get(file, "output"));
        json_object_put(file);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(file = vectors_load(keys[i]));
        CU_ASSERT_EQUAL(jwk_from_json(file, &k, NULL), ERR_UNSUPPORTED);
        json_object_put(file);
    }
    /* PS256 inside RSA-OAEP: neither layer is taken */
    CU_ASSERT_PTR_NOT_NULL_FATAL(file = vectors_load("jose-cookbook/6.nesting_signatures_and_encryption.json"));
    nested = json_object_object_get(json_object_object_get(file, "sign"), "output");
    refused_forms("6, signature", nested);
    nested = json_object_object_get(file, "encrypt");
    nested = json_object_object_get(json_object_object_get(nested, "output"), "compact");
    CU_ASSERT_PTR_NOT_NULL_FATAL(nested);
    {
        const char *text = json_object_get_string(nested);
        struct buf ciphertext = BUF_INIT;
        struct jwe *j = NULL;

        CU_ASSERT_EQUAL(jwe_parse(text, strlen(text), 0, &j, &ciphertext, NULL), ERR_UNSUPPORTED);
        jwe_free(&j);
        buf_free(&ciphertext);
    }
    json_object_put(file);
}

/* ---- JSONTestSuite, test_transform ---- */

/* What parsers are known to read differently: taken only where there is one way to read it, and then written back as it
 * was read. Refused: integers outside of 64 bits, equal names, NUL and lone surrogates. */
static void test_transform(void)
{
    static const struct {
        const char *name;
        int taken;
    } files[] = {
        {"number_-9223372036854775808", 1},
        {"number_-9223372036854775809", 0},
        {"number_1.0", 1},
        {"number_1.000000000000000005", 1},
        {"number_1000000000000000", 1},
        {"number_10000000000000000999", 0},
        {"number_1e-999", 1},
        {"number_1e6", 1},
        {"number_9223372036854775807", 1},
        {"number_9223372036854775808", 0},
        {"object_key_nfc_nfd", 1}, /* two names: octets are compared */
        {"object_key_nfd_nfc", 1},
        {"object_same_key_different_values", 0},
        {"object_same_key_same_value", 0},
        {"object_same_key_unclear_values", 0},
        {"string_1_escaped_invalid_codepoint", 0},
        {"string_1_invalid_codepoint", 0},
        {"string_2_escaped_invalid_codepoints", 0},
        {"string_2_invalid_codepoints", 0},
        {"string_3_escaped_invalid_codepoints", 0},
        {"string_3_invalid_codepoints", 0},
        {"string_with_escaped_NULL", 0},
    };
    const char *vectors = unit_vectors();

    if (!vectors) {
        unit_skip("no external vectors");
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct buf text = BUF_INIT, once = BUF_INIT, twice = BUF_INIT;
        struct json_object *obj = NULL, *again = NULL;
        char path[4400];
        int r;

        snprintf(path, sizeof path, "%s/JSONTestSuite/test_transform/%s.json", vectors, files[i].name);
        CU_ASSERT_EQUAL(file_read(path, 1 << 20, &text, NULL), 0);
        r = sjson_parse(text.data, text.len, NULL, &obj, NULL);
        if ((r == 0) != files[i].taken)
            printf("# %s: %d\n", files[i].name, r);
        CU_ASSERT_EQUAL(r, files[i].taken ? 0 : ERR_SYNTAX);
        if (r == 0) {
            CU_ASSERT_EQUAL(sjson_write(obj, &once), 0);
            CU_ASSERT_EQUAL(sjson_parse(once.data, once.len, NULL, &again, NULL), 0);
            CU_ASSERT_EQUAL(sjson_write(again, &twice), 0);
            CU_ASSERT_STRING_EQUAL(buf_str(&once), buf_str(&twice));
        }
        json_object_put(obj);
        json_object_put(again);
        buf_free(&text);
        buf_free(&once);
        buf_free(&twice);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"every file of the vectors has its test", test_every_file},
        {"Wycheproof json_web_crypto", test_json_web_crypto},
        {"Wycheproof Ed448: refused", test_ed448},
        {"Wycheproof HKDF and PBKDF2", test_derivation},
        {"the rest of RFC 7520 and RFC 7797: refused", test_cookbook},
        {"JSONTestSuite test_transform", test_transform},
    };
    return unit_main("vectors", tests, sizeof tests / sizeof *tests);
}
