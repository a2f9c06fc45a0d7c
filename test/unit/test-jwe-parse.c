/* JWEs as others may write them: headers, forms of the ciphertext, limits, names that must agree, bad ephemeral keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/b64.h"
#include "common/jwe.h"
#include "common/sjson.h"
#include "statements.h"
#include "unit.h"

/* None here does. */
static int opens(const struct jwe *j, const struct jwk *k, const struct buf *ciphertext)
{
    struct buf plain = BUF_INIT;
    int r = jwe_decrypt(j, k, ciphertext, &plain, NULL);

    CU_ASSERT_EQUAL(plain.len, 0);
    buf_free(&plain);
    return r;
}

#define EPK "\"epk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08\"}"
#define ALG "\"alg\":\"ECDH-ES+A256KW\""
#define ENC "\"enc\":\"A256GCM\""
#define EK "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define REST "\"iv\":\"AAAAAAAAAAAAAAAA\",\"ciphertext\":\"\",\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\""

/* What parsing says of a flattened JWE with this protected header and these further members. */
static int headers(const char *prot, const char *members)
{
    struct buf text = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe *j;
    int r;

    CU_ASSERT_EQUAL(buf_puts(&text, "{\"protected\":\""), 0);
    CU_ASSERT_EQUAL(b64url_encode(prot, strlen(prot), &text), 0);
    CU_ASSERT_EQUAL(buf_printf(&text, "\",%s}", members), 0);
    r = jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL);
    CU_ASSERT_EQUAL(j != NULL, r == 0);
    jwe_free(&j);
    buf_free(&text);
    buf_free(&ciphertext);
    return r;
}

static void test_headers(void)
{
#define FLAT "\"encrypted_key\":\"" EK "\"," REST
    static const struct {
        const char *prot, *members;
        int code;
    } cases[] = {
        {"{" ALG "," ENC "," EPK "}", FLAT, 0},
        {"{" ALG "," ENC "," EPK ",\"jwk\":{},\"jku\":1,\"x5c\":0,\"unknown\":[]}", FLAT ",\"unknown\":{}", 0},
        {"{" ENC "}", "\"unprotected\":{" ALG "},\"header\":{" EPK "}," FLAT, 0},
        {"{" ALG "," ENC "," EPK "}", "\"recipients\":[{\"encrypted_key\":\"" EK "\"}]," REST, 0},
        {"{" ALG "," ENC "," EPK "}", "\"aad\":\"eA\"," FLAT, 0},
        /* names */
        {"{" ALG "," ENC "," EPK "," ALG "}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK ",\"\\u0061lg\":\"dir\"}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK ",\"alg\\u0000\":\"dir\"}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"header\":{" ALG "}," FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"unprotected\":{\"enc\":\"A128GCM\"}," FLAT, ERR_SYNTAX},
        {"{" ENC "," EPK "}", "\"unprotected\":{" ALG "},\"header\":{" ALG "}," FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", FLAT ",\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\"", ERR_SYNTAX},
        /* algorithms */
        {"{\"alg\":\"none\"," ENC "," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{\"alg\":\"dir\"," ENC "," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{\"alg\":\"RSA1_5\"," ENC "," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{\"alg\":\"A256KW\"," ENC "," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{\"alg\":\"ECDH-ES+A192KW\"," ENC "," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{\"alg\":\"PBES2-HS512+A256KW\"," ENC ",\"p2s\":\"AAAAAAAAAAA\",\"p2c\":1000}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG ",\"enc\":\"A192GCM\"," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG ",\"enc\":\"none\"," EPK "}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC "," EPK ",\"zip\":\"DEF\"}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC "," EPK "}", "\"header\":{\"zip\":\"DEF\"}," FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC "," EPK ",\"crit\":[\"alg\"]}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC "," EPK ",\"crit\":[]}", FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC "," EPK "}", "\"unprotected\":{\"crit\":[\"x\"]}," FLAT, ERR_UNSUPPORTED},
        {"{" ALG "," ENC ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}}", FLAT,
         ERR_UNSUPPORTED},
        {"{" ALG "," ENC ",\"epk\":{\"kty\":\"EC\",\"crv\":\"X25519\",\"x\":\"AA\"}}", FLAT, ERR_UNSUPPORTED},
        /* missing or of another type or length */
        {"{" ENC "," EPK "}", FLAT, ERR_SYNTAX},
        {"{\"alg\":1," ENC "," EPK "}", FLAT, ERR_SYNTAX},
        {"{" ALG "," EPK "}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC ",\"epk\":\"x\"}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC ",\"epk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK ",\"kid\":1}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK ",\"apv\":\"=\"}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"encrypted_key\":\"AAAA\"," REST, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", REST, ERR_SYNTAX},
        {"{\"alg\":\"ECDH-ES\"," ENC "," EPK "}", FLAT, ERR_SYNTAX},
        {"{\"alg\":\"ECDH-ES\"," ENC "," EPK "}", REST, 0},
        {"{" ALG "," ENC "," EPK "}", "\"encrypted_key\":\"" EK "\",\"iv\":\"\",\"ciphertext\":\"\",\"tag\":\"\"",
         ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"encrypted_key\":\"" EK "\",\"ciphertext\":\"\"", ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}",
         "\"encrypted_key\":\"" EK "\",\"iv\":\"AAAAAAAAAAAAAAAA\",\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\"", ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"header\":[]," FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"recipients\":[]," REST, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"recipients\":[1]," REST, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"recipients\":[{\"encrypted_key\":\"" EK "\"}]," FLAT, ERR_SYNTAX},
        {"{\"alg\":\"ECDH-ES\"," ENC "," EPK "}", "\"recipients\":[{},{}]," REST, ERR_SYNTAX},
        {"[]", FLAT, ERR_SYNTAX},
        {"", FLAT, ERR_SYNTAX},
        /* grants */
        {"{" ALG "," ENC "," EPK "}", "\"header\":{\"grants\":[]}," FLAT, 0},
        {"{" ALG "," ENC "," EPK "}", "\"header\":{\"grants\":{}}," FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"header\":{\"grants\":[1]}," FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK ",\"grants\":[]}", FLAT, ERR_SYNTAX},
        {"{" ALG "," ENC "," EPK "}", "\"unprotected\":{\"grants\":[]}," FLAT, ERR_SYNTAX},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = headers(cases[i].prot, cases[i].members);

        if (r != cases[i].code)
            printf("# %d: %s %s\n", r, cases[i].prot, cases[i].members);
        CU_ASSERT_EQUAL(r, cases[i].code);
    }
}

/* However the ciphertext is written, it is the same: plain, with an escape, under a name with an escape. */
static void test_ciphertext_forms(void)
{
    static const char *const forms[] = {"\"ciphertext\":\"QUJD\"", "\"ciphertext\" : \"QU\\u004aD\"",
                                        "\"\\u0063iphertext\":\"QUJD\""};
    static const char *const bad[] = {"\"ciphertext\":\"QUJ=\"", "\"ciphertext\":\"QU JD\"", "\"ciphertext\":1",
                                      "\"ciphertext\":\"QUJD\",\"\\u0063iphertext\":\"QUJD\"",
                                      "\"unprotected\":{\"ciphertext\":\"QUJD\"}"};
    struct buf text = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe *j;

    for (size_t i = 0; i < 8; i++) {
        int r;

        buf_reset(&text);
        CU_ASSERT_EQUAL(buf_printf(&text,
                                   "{\"header\":{" ALG "," ENC "," EPK "},\"encrypted_key\":\"" EK
                                   "\",\"iv\":\"AAAAAAAAAAAAAAAA\",\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\",%s}",
                                   i < 3 ? forms[i] : bad[i - 3]),
                        0);
        r = jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL);
        CU_ASSERT_EQUAL(r, i < 3 ? 0 : ERR_SYNTAX);
        /* Appended, whatever is there. */
        CU_ASSERT_EQUAL(ciphertext.len, i < 3 ? 3 * (i + 1) : 9);
        jwe_free(&j);
    }
    CU_ASSERT_STRING_EQUAL(buf_str(&ciphertext), "ABCABCABC");
    buf_free(&text);
    buf_free(&ciphertext);
}

static void test_foreign_neighbour(void)
{
    struct buf text = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe_recipient to;
    struct jwe *j;

    CU_ASSERT_EQUAL(buf_puts(&text, "{\"unprotected\":{" ENC
                                    "},\"recipients\":[{\"header\":{\"alg\":\"RSA-OAEP\"},\"encrypted_key\":\"AA\"},"
                                    "{\"header\":{" ALG "," EPK "},\"encrypted_key\":\"" EK "\"}]," REST "}"),
                    0);
    CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL), 0);
    CU_ASSERT_EQUAL(jwe_recipient(j, 0, &to, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(jwe_recipient(j, 1, &to, NULL), 0);
    CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 0, text.data, 1, &ciphertext, &text, NULL), ERR_UNSUPPORTED);
    jwe_free(&j);
    buf_free(&text);
    buf_free(&ciphertext);
}

static void test_limits(void)
{
    struct buf text = {NULL, 0, 0, 2 * JWE_TEXT_MAX}, ciphertext = BUF_INIT;
    size_t n = 1000000;
    char *brackets = malloc(n);
    clock_t from = clock();
    struct jwe *j;

    CU_ASSERT_PTR_NOT_NULL_FATAL(brackets);
    memset(brackets, '[', n);
    CU_ASSERT_EQUAL(jwe_parse(brackets, n, 1, &j, NULL, NULL), ERR_LIMIT);
    memcpy(brackets, "{\"a\":", 5);
    CU_ASSERT_EQUAL(jwe_parse(brackets, n, 0, &j, &ciphertext, NULL), ERR_LIMIT);
    CU_ASSERT(clock() - from < CLOCKS_PER_SEC / 20);
    free(brackets);
    CU_ASSERT_EQUAL(buf_puts(&text, "{\"recipients\":[{}"), 0);
    for (int i = 0; i < JWE_RECIPIENTS_MAX; i++)
        CU_ASSERT_EQUAL(buf_puts(&text, ",{}"), 0);
    CU_ASSERT_EQUAL(buf_puts(&text, "],\"iv\":\"\",\"tag\":\"\"}"), 0);
    CU_ASSERT_EQUAL(jwe_parse(buf_str(&text), text.len, 1, &j, NULL, NULL), ERR_LIMIT);
    buf_reset(&text);
    CU_ASSERT_EQUAL(buf_puts(&text, "{\"x\":\""), 0);
    CU_ASSERT_EQUAL(buf_reserve(&text, JWE_TEXT_MAX), 0);
    memset(text.data + text.len, 'x', JWE_TEXT_MAX);
    text.len += JWE_TEXT_MAX;
    CU_ASSERT_EQUAL(buf_puts(&text, "\"}"), 0);
    CU_ASSERT_EQUAL(jwe_parse(buf_str(&text), text.len, 1, &j, NULL, NULL), ERR_LIMIT);
    CU_ASSERT_EQUAL(jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL), ERR_LIMIT);
    buf_free(&text);
    buf_free(&ciphertext);
}

static void test_names_agree(void)
{
    static const char apv_mallory[] = "bWFsbG9yeQ";
    struct jwk *k = fresh_key("X25519");
    struct buf json = BUF_INIT, text = BUF_INIT, ciphertext = BUF_INIT;
    struct json_object *prot;
    struct jwe *j;

    CU_ASSERT_EQUAL(jwk_set_kid(k, "g"), 0);
    /* the header says another apv than kid: refused whatever the keys say */
    CU_ASSERT_EQUAL(sjson_parse("{" ALG "," ENC "," EPK ",\"kid\":\"g\"}",
                                strlen("{" ALG "," ENC "," EPK ",\"kid\":\"g\"}"), NULL, &prot, NULL),
                    0);
    CU_ASSERT_EQUAL(sjson_set_string(prot, "apv", apv_mallory), 0);
    CU_ASSERT_EQUAL(sjson_write(prot, &json), 0);
    CU_ASSERT_EQUAL(buf_puts(&text, "{\"protected\":\""), 0);
    CU_ASSERT_EQUAL(b64url_encode(json.data, json.len, &text), 0);
    CU_ASSERT_EQUAL(buf_puts(&text, "\"," FLAT "}"), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL), 0);
    CU_ASSERT_EQUAL(opens(j, k, &ciphertext), ERR_CRYPTO);
    CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 0, json.data, 1, &ciphertext, &json, NULL), ERR_CRYPTO);
    /* a key of another name is not tried */
    CU_ASSERT_EQUAL(jwk_set_kid(k, "h"), 0);
    CU_ASSERT_EQUAL(opens(j, k, &ciphertext), ERR_KEY);
    json_object_put(prot);
    jwe_free(&j);
    jwk_free(&k);
    buf_free(&json);
    buf_free(&text);
    buf_free(&ciphertext);
}

static void test_bad_epk(void)
{
    /* of small order, not canonical; P-256: off the curve; each parses and none opens */
    static const struct {
        const char *type, *epk;
    } bad[] = {
        {"X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"7v_______________________________________38\"}"},
        {"P-256", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":"
                  "\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"}"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct jwk *k = fresh_key(bad[i].type);
        struct buf prot = BUF_INIT, text = BUF_INIT, ciphertext = BUF_INIT;
        struct jwe *j;

        CU_ASSERT_EQUAL(buf_printf(&prot, "{" ALG "," ENC ",\"epk\":%s}", bad[i].epk), 0);
        CU_ASSERT_EQUAL(buf_puts(&text, "{\"protected\":\""), 0);
        CU_ASSERT_EQUAL(b64url_encode(prot.data, prot.len, &text), 0);
        CU_ASSERT_EQUAL(buf_puts(&text, "\"," FLAT "}"), 0);
        CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&text), text.len, 0, &j, &ciphertext, NULL), 0);
        CU_ASSERT_EQUAL(opens(j, k, &ciphertext), ERR_CRYPTO);
        jwe_free(&j);
        jwk_free(&k);
        buf_free(&prot);
        buf_free(&text);
        buf_free(&ciphertext);
    }
}

/* What a beginning says of its recipients is what the whole says, or nothing. -> from which length on it says all. */
static size_t peeks(const char *text, size_t len, const struct jwe *whole)
{
    struct jwe_recipient a, b;
    size_t first = 0;
    struct jwe *j;

    for (size_t cut = 0; cut < len; cut++) {
        int r = jwe_peek(text, cut, &j, NULL);

        CU_ASSERT_EQUAL(j != NULL, r == 0);
        for (size_t i = 0; r == 0 && i < jwe_recipients(j); i++)
            if (jwe_recipient(whole, i, &a, NULL) || jwe_recipient(j, i, &b, NULL) || !a.kid || !b.kid ||
                strcmp(a.kid, b.kid) || a.epk_len != b.epk_len || memcmp(a.epk, b.epk, a.epk_len) ||
                jwe_grants(j, i) != jwe_grants(whole, i))
                CU_FAIL("another recipient");
        if (r == 0 && !first && jwe_recipients(j) == jwe_recipients(whole))
            first = cut;
        jwe_free(&j);
    }
    return first;
}

static void test_peek(void)
{
    struct buf ciphertext = BUF_INIT, text = BUF_INIT;
    struct jwk *keys[] = {fresh_key("X25519"), fresh_key("P-256")};
    struct grant g = {.value_len = 32};
    struct jwe *whole, *j;
    const char *found, *member = "\"ciphertext\":\"";
    char plain[2000] = "";

    for (int i = 0; i < 2; i++)
        name_key(keys[i], i ? "b@example.com" : "a@example.com");
    CU_ASSERT_EQUAL_FATAL(
        jwe_encrypt((const struct jwk *const *)keys, 2, NULL, plain, sizeof plain, &whole, &ciphertext, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_set_grants(whole, 1, &g, 1, NULL) || jwe_write(whole, &ciphertext, &text, NULL), 0);
    found = strstr(buf_str(&text), member);
    CU_ASSERT_FATAL(found != NULL);
    CU_ASSERT_EQUAL(peeks(buf_str(&text), text.len, whole), (size_t)(found - buf_str(&text)) + strlen(member));
    jwe_free(&whole);
    buf_reset(&text);
    buf_reset(&ciphertext);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(keys[0], &(struct jwe_options){0}, plain, sizeof plain, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_parse(text.data, text.len, 0, &whole, &ciphertext, NULL), 0);
    found = strchr(strchr(buf_str(&text), '.') + 1, '.');
    CU_ASSERT_EQUAL(peeks(buf_str(&text), text.len, whole), (size_t)(found - buf_str(&text)) + 1);
    jwe_free(&whole);
    /* Behind the ciphertext. */
    CU_ASSERT_NOT_EQUAL(jwe_peek("{\"ciphertext\":\"AAAA", 19, &j, NULL), 0);
    CU_ASSERT_NOT_EQUAL(jwe_peek("{", 1, &j, NULL), 0);
    for (int i = 0; i < 2; i++)
        jwk_free(&keys[i]);
    buf_free(&ciphertext);
    buf_free(&text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"headers by name", test_headers},
        {"every way to write the ciphertext", test_ciphertext_forms},
        {"a foreign recipient beside ours", test_foreign_neighbour},
        {"limits", test_limits},
        {"apv and kid agree", test_names_agree},
        {"bad ephemeral keys", test_bad_epk},
        {"the beginning of a JWE tells whom it is for", test_peek},
    };

    return unit_main("jwe-parse", tests, sizeof tests / sizeof *tests);
}
