/* JWE and its primitives against published vectors. */
#include <stdio.h>
#include <string.h>

#include "common/b64.h"
#include "common/jwe-private.h"
#include "common/sjson.h"
#include "unit.h"
#include "vectors.h"

static const char *text_of(struct json_object *obj, const char *name)
{
    return json_object_get_string(json_object_object_get(obj, name));
}

/* RFC 7518 appendix C and RFC 3394 section 4.6 */
static void test_embedded(void)
{
    static const char alice[] =
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0\","
        "\"y\":\"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps\"}";
    static const char bob[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ\","
                              "\"y\":\"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck\","
                              "\"d\":\"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw\"}";
    unsigned char z[SUITE_VALUE_MAX], key[JWE_CEK_MAX], kek[32], data[32], wrapped[40];
    struct buf apu = BUF_INIT, apv = BUF_INIT, out = BUF_INIT;
    struct jwk *a, *b;
    struct suite_peer *peer;
    size_t len;
    const unsigned char *pub;

    CU_ASSERT_EQUAL_FATAL(jwk_parse(alice, strlen(alice), &a, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_parse(bob, strlen(bob), &b, NULL), 0);
    pub = jwk_public(a, &len);
    CU_ASSERT_EQUAL_FATAL(suite_peer_new(jwk_suite(a), pub, len, &peer, NULL), 0);
    CU_ASSERT_EQUAL(suite_agree(jwk_suite_key(b), peer, z, NULL), 0);
    CU_ASSERT_EQUAL(buf_puts(&apu, "Alice"), 0);
    CU_ASSERT_EQUAL(buf_puts(&apv, "Bob"), 0);
    CU_ASSERT_EQUAL(jwe_derive(jwe_alg_find("ECDH-ES"), jwe_enc_find("A128GCM"), z, 32, &apu, &apv, key), 0);
    CU_ASSERT_EQUAL(b64url_encode(key, 16, &out), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&out), "VqqN6vgjbSBcIijNcacQGg");
    buf_reset(&out);
    for (unsigned i = 0; i < 32; i++) {
        kek[i] = (unsigned char)i;
        data[i] = (unsigned char)(i < 16 ? i * 0x11 : i - 16);
    }
    vectors_hex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21", &out);
    CU_ASSERT(jwe_key_wrap(kek, 32, data, 32, wrapped));
    CU_ASSERT(out.len == 40 && memcmp(out.data, wrapped, 40) == 0);
    CU_ASSERT(jwe_key_unwrap(kek, 32, wrapped, 40, key) && memcmp(key, data, 32) == 0);
    wrapped[39] ^= 1;
    CU_ASSERT(!jwe_key_unwrap(kek, 32, wrapped, 40, key));
    suite_peer_free(&peer);
    jwk_free(&a);
    jwk_free(&b);
    buf_free(&apu);
    buf_free(&apv);
    buf_free(&out);
}

/* The message opened with the whole key, and with the two values of a split one; both must say the same. */
static int open_both_ways(const char *text, const struct jwk *k, struct buf *plain)
{
    unsigned char from_service[SUITE_VALUE_MAX], from_member[SUITE_VALUE_MAX], candidates[2 * SUITE_VALUE_MAX];
    struct buf ciphertext = BUF_INIT, second = BUF_INIT;
    struct suite_key *r = NULL, *b = NULL;
    struct suite_peer *peer = NULL;
    struct jwe_recipient to;
    struct jwe *j;
    int code = jwe_parse(text, strlen(text), 0, &j, &ciphertext, NULL), again;

    buf_reset(plain);
    if (code == 0) {
        code = jwe_decrypt(j, k, &ciphertext, plain, NULL);
        CU_ASSERT_EQUAL(jwe_recipient(j, 0, &to, NULL), 0);
        if (suite_peer_new(to.suite, to.epk, to.epk_len, &peer, NULL) == 0 && to.suite == jwk_suite(k)) {
            CU_ASSERT_EQUAL(suite_split(jwk_suite_key(k), &r, &b, NULL), 0);
            CU_ASSERT_EQUAL(suite_agree(r, peer, from_service, NULL), 0);
            CU_ASSERT_EQUAL(suite_agree(b, peer, from_member, NULL), 0);
            CU_ASSERT_EQUAL(suite_combine(to.suite, from_service, from_member, candidates, NULL), 0);
            again = jwe_decrypt_candidates(j, 0, candidates, suite_candidates(to.suite), &ciphertext, &second, NULL);
            CU_ASSERT_EQUAL(again, code);
            CU_ASSERT(second.len == plain->len && memcmp(buf_str(&second), buf_str(plain), plain->len) == 0);
        }
        suite_key_free(&r);
        suite_key_free(&b);
        suite_peer_free(&peer);
    }
    jwe_free(&j);
    buf_free(&ciphertext);
    buf_free(&second);
    return code;
}

/* Valid, with an algorithm, content encryption or curve that is not accepted: keys of kind oct and RSA, A192KW,
 * A192GCM, A192CBC-HS384, P-384. */
static int foreign(struct json_object *private, const char *enc)
{
    const char *alg = text_of(private, "alg"), *crv = text_of(private, "crv");

    return strcmp(text_of(private, "kty"), "EC") != 0 || strcmp(crv, "P-256") != 0 ||
           strcmp(alg, "ECDH-ES+A192KW") == 0 || strncmp(enc, "A192", 4) == 0;
}

static void test_wycheproof(void)
{
    struct json_object *file = vectors_load("wycheproof/json_web_encryption_test.json"), *groups, *tests;
    struct buf plain = BUF_INIT, want = BUF_INIT;
    size_t opened = 0, refused = 0, left_out = 0;

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *group = json_object_array_get_idx(groups, g), *private;
        struct jwk *k = NULL;

        private = json_object_object_get(group, "private");
        jwk_from_json(private, &k, NULL);
        tests = json_object_object_get(group, "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++) {
            struct json_object *t = json_object_array_get_idx(tests, i);
            int valid = strcmp(text_of(t, "result"), "valid") == 0;
            const char *enc = json_object_object_get_ex(t, "enc", NULL) ? text_of(t, "enc") : "";
            struct buf ciphertext = BUF_INIT;
            struct jwe *j;

            if (!k || foreign(private, enc)) {
                int r = jwe_parse(text_of(t, "jwe"), strlen(text_of(t, "jwe")), 0, &j, &ciphertext, NULL);

                CU_ASSERT(r == ERR_UNSUPPORTED || !valid || k == NULL);
                CU_ASSERT(r < 0);
                jwe_free(&j);
                buf_free(&ciphertext);
                left_out += (size_t)valid;
                continue;
            }
            buf_reset(&want);
            vectors_hex(text_of(t, "pt"), &want);
            if (valid) {
                CU_ASSERT_EQUAL(open_both_ways(text_of(t, "jwe"), k, &plain), 0);
                CU_ASSERT(plain.len == want.len && memcmp(buf_str(&plain), buf_str(&want), want.len) == 0);
                opened++;
            } else {
                CU_ASSERT(open_both_ways(text_of(t, "jwe"), k, &plain) < 0);
                CU_ASSERT_EQUAL(plain.len, 0);
                refused++;
            }
        }
        jwk_free(&k);
    }
    printf("# Wycheproof JWE: %zu opened, %zu invalid refused, %zu valid of foreign algorithms refused\n", opened,
           refused, left_out);
    CU_ASSERT(opened >= 16 && refused >= 19);
    json_object_put(file);
    buf_free(&plain);
    buf_free(&want);
}

static const char *const forms[] = {"compact", "json", "json_flat"};

/* How many texts of the file, of our algorithms, are opened. */
static size_t opens_all(const char *name)
{
    struct json_object *file = vectors_load(name), *in, *out, *form;
    struct buf plain = BUF_INIT;
    size_t opened = 0;
    struct jwk *k;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    in = json_object_object_get(file, "input");
    out = json_object_object_get(file, "output");
    CU_ASSERT_EQUAL_FATAL(jwk_from_json(json_object_object_get(in, "key"), &k, NULL), 0);
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        if (json_object_object_get_ex(out, forms[f], &form)) {
            CU_ASSERT_EQUAL(open_both_ways(json_object_get_string(form), k, &plain), 0);
            CU_ASSERT_STRING_EQUAL(buf_str(&plain), text_of(in, "plaintext"));
            opened++;
        }
    jwk_free(&k);
    json_object_put(file);
    buf_free(&plain);
    return opened;
}

/* How many texts of the file, of other algorithms, are refused. */
static size_t refuses_all(const char *name)
{
    struct json_object *file = vectors_load(name), *out, *form;
    struct buf ciphertext = BUF_INIT;
    size_t refused = 0;
    struct jwe *j;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    out = json_object_object_get(file, "output");
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        if (json_object_object_get_ex(out, forms[f], &form)) {
            const char *text = json_object_get_string(form);

            CU_ASSERT_EQUAL(jwe_parse(text, strlen(text), 0, &j, &ciphertext, NULL), ERR_UNSUPPORTED);
            jwe_free(&j);
            refused++;
        }
    buf_free(&ciphertext);
    json_object_put(file);
    return refused;
}

static void test_cookbook(void)
{
    static const char *const supported[] = {
        "jose-cookbook/jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json",
        "jose-cookbook/curve25519/ecdh-es.json",
    };
    static const char *const unsupported[] = {
        "jose-cookbook/jwe/5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2.json", /* RSA1_5 */
        "jose-cookbook/jwe/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json",     /* RSA-OAEP */
        /* P-384 */
        "jose-cookbook/jwe/5_4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_with_aes-gcm.json",
        "jose-cookbook/jwe/5_6.direct_encryption_using_aes-gcm.json",                       /* dir */
        "jose-cookbook/jwe/5_7.key_wrap_using_aes-gcm_keywrap_with_aes-cbc-hmac-sha2.json", /* A256GCMKW */
        "jose-cookbook/jwe/5_8.key_wrap_using_aes-keywrap_with_aes-gcm.json",               /* A128KW */
        "jose-cookbook/jwe/5_9.compressed_content.json",                                    /* A128KW, zip */
        "jose-cookbook/jwe/5_10.including_additional_authentication_data.json",             /* A128KW */
        "jose-cookbook/jwe/5_11.protecting_specific_header_fields.json",                    /* A128KW */
        "jose-cookbook/jwe/5_12.protecting_content_only.json",                              /* A128KW */
        "jose-cookbook/jwe/5_13.encrypting_to_multiple_recipients.json", /* RSA1_5, P-384, A256GCMKW */
    };
    size_t opened = 0, refused = 0;

    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    for (size_t i = 0; i < sizeof supported / sizeof *supported; i++)
        opened += opens_all(supported[i]);
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        refused += refuses_all(unsupported[i]);
    printf("# RFC 7520 and curve25519: %zu texts opened, %zu of other algorithms refused\n", opened, refused);
    CU_ASSERT(opened >= 4 && refused >= 24);
}

/* RFC 7520 section 5.3: our own algorithm for key files, with another enc and count. */
static void test_cookbook_passphrase(void)
{
    struct json_object *file =
        vectors_load("jose-cookbook/jwe/5_3.key_wrap_using_pbes2-aes-keywrap_with-aes-cbc-hmac-sha2.json");
    struct json_object *in;
    struct buf plain = BUF_INIT;
    const char *text;

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    in = json_object_object_get(file, "input");
    text = text_of(json_object_object_get(file, "output"), "compact");
    CU_ASSERT_EQUAL(jwe_open_passphrase(text_of(in, "pwd"), text, strlen(text), &plain, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&plain), text_of(in, "plaintext"));
    json_object_put(file);
    buf_free(&plain);
}

/* AES-GCM and AES-CBC-HMAC files: those groups with our sizes. */
static void run_aead(const char *path, const char *const encs[2], size_t at_least)
{
    struct json_object *file = vectors_load(path), *groups, *tests;
    struct buf f[6] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT}, plain = BUF_INIT;
    static const char *const names[] = {"key", "iv", "aad", "msg", "ct", "tag"};
    size_t run = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        tests = json_object_object_get(json_object_array_get_idx(groups, g), "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++) {
            struct json_object *t = json_object_array_get_idx(tests, i);
            const struct jwe_enc *enc = NULL;
            int valid = strcmp(text_of(t, "result"), "valid") == 0, r;

            for (size_t n = 0; n < 6; n++) {
                buf_reset(&f[n]);
                vectors_hex(text_of(t, names[n]), &f[n]);
            }
            for (size_t n = 0; n < 2; n++)
                if (encs[n] && jwe_enc_find(encs[n])->cek_len == f[0].len)
                    enc = jwe_enc_find(encs[n]);
            if (!enc)
                continue;
            run++;
            buf_reset(&plain);
            r = jwe_content_open(enc, f[0].data, &f[1], &f[2], &f[4], &f[5], &plain);
            if (valid && f[1].len == enc->iv_len && f[5].len == enc->tag_len) {
                CU_ASSERT_EQUAL(r, 0);
                CU_ASSERT(plain.len == f[3].len && memcmp(buf_str(&plain), buf_str(&f[3]), plain.len) == 0);
            } else {
                CU_ASSERT_EQUAL(r, ERR_CRYPTO);
                CU_ASSERT_EQUAL(plain.len, 0);
            }
        }
    }
    printf("# %s: %zu run\n", path, run);
    CU_ASSERT(run >= at_least);
    for (size_t n = 0; n < 6; n++)
        buf_free(&f[n]);
    buf_free(&plain);
    json_object_put(file);
}

static void test_content(void)
{
    static const char *const gcm[] = {"A128GCM", "A256GCM"}, *const hs256[] = {"A128CBC-HS256", NULL},
                             *const hs512[] = {"A256CBC-HS512", NULL};

    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    run_aead("wycheproof/aes_gcm_test.json", gcm, 200);
    run_aead("wycheproof/a128cbc_hs256_test.json", hs256, 90);
    run_aead("wycheproof/a256cbc_hs512_test.json", hs512, 90);
}

static void test_key_wrap(void)
{
    struct json_object *file = vectors_load("wycheproof/aes_wrap_test.json"), *groups, *tests;
    struct buf key = BUF_INIT, msg = BUF_INIT, ct = BUF_INIT;
    unsigned char out[JWE_CEK_MAX + JWE_WRAP_EXTRA];
    size_t run = 0, other = 0;

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        tests = json_object_object_get(json_object_array_get_idx(groups, g), "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++) {
            struct json_object *t = json_object_array_get_idx(tests, i);
            int valid = strcmp(text_of(t, "result"), "valid") == 0, ok;

            buf_reset(&key);
            buf_reset(&msg);
            buf_reset(&ct);
            vectors_hex(text_of(t, "key"), &key);
            vectors_hex(text_of(t, "msg"), &msg);
            vectors_hex(text_of(t, "ct"), &ct);
            if (key.len == 24 || ct.len > sizeof out) {
                other++;
                continue;
            }
            run++;
            ok = jwe_key_unwrap(key.data, key.len, (const unsigned char *)buf_str(&ct), ct.len, out);
            CU_ASSERT_EQUAL(ok, valid);
            if (ok && valid)
                CU_ASSERT(memcmp(out, msg.data, msg.len) == 0);
        }
    }
    printf("# Wycheproof AES-KW: %zu run, %zu with keys of 192 bits or longer content left out\n", run, other);
    CU_ASSERT(run > 100);
    json_object_put(file);
    buf_free(&key);
    buf_free(&msg);
    buf_free(&ct);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"RFC 7518 appendix C, RFC 3394", test_embedded},      {"Wycheproof json_web_encryption", test_wycheproof},
        {"RFC 7520 and curve25519 cookbook", test_cookbook},   {"RFC 7520 section 5.3", test_cookbook_passphrase},
        {"Wycheproof AES-GCM and AES-CBC-HMAC", test_content}, {"Wycheproof AES key wrap", test_key_wrap},
    };
    return unit_main("jwe-vectors", tests, sizeof tests / sizeof *tests);
}
