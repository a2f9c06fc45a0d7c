/* JWEs written and opened; how they are written down otherwise is test-jwe-parse.c's. */
#include "common/jwe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"
#include "statements.h"
#include "unit.h"

static const char secret[] = "The Moon is a harsh mistress.";

static struct jwk *make_key(const char *type, const char *kid)
{
    struct jwk *k = fresh_key(type);

    CU_ASSERT_EQUAL_FATAL(jwk_set_kid(k, kid), 0);
    return k;
}

static void seal(const struct jwk *k, const char *enc, struct jwe **j, struct buf *ciphertext)
{
    const struct jwe_options opt = {.enc = enc, .cty = "message/rfc822"};
    struct jwk *pub;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(jwk_public_copy(k, &pub, &e), 0);
    buf_reset(ciphertext);
    CU_ASSERT_EQUAL_FATAL(
        jwe_encrypt((const struct jwk *const *)&pub, 1, &opt, secret, strlen(secret), j, ciphertext, &e), 0);
    jwk_free(&pub);
}

/* Opens with a whole key; on success the plaintext must be the secret. */
static int opens(const struct jwe *j, const struct jwk *k, const struct buf *ciphertext)
{
    struct buf plain = BUF_INIT;
    int r = jwe_decrypt(j, k, ciphertext, &plain, NULL);

    CU_ASSERT(r == 0 ? strcmp(buf_str(&plain), secret) == 0 : plain.len == 0);
    buf_free(&plain);
    return r;
}

static int parse_and_open(const char *text, size_t len, const struct jwk *k)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j;
    int r = jwe_parse(text, len, 0, &j, &ciphertext, NULL);

    if (r == 0)
        r = opens(j, k, &ciphertext);
    else
        CU_ASSERT(j == NULL && ciphertext.len == 0);
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}

static void test_every_suite(void)
{
    static const char *const encs[] = {"A256GCM", "A128GCM", "A256CBC-HS512", "A128CBC-HS256"};
    const struct suite *s;

    for (size_t n = 0; (s = suite_at(n)); n++) {
        struct jwk *k = make_key(suite_name(s), "list@example.com.mm--x"), *other = make_key(suite_name(s), NULL);

        for (size_t m = 0; m < 4; m++) {
            struct buf text = BUF_INIT, ciphertext = BUF_INIT, plain = BUF_INIT;
            struct jwe_recipient to;
            struct jwe *j;

            seal(k, encs[m], &j, &ciphertext);
            CU_ASSERT_EQUAL(opens(j, k, &ciphertext), 0);
            CU_ASSERT_EQUAL(opens(j, other, &ciphertext), ERR_CRYPTO);
            CU_ASSERT_STRING_EQUAL(jwe_cty(j), "message/rfc822");
            CU_ASSERT_EQUAL(jwe_recipient(j, 0, &to, NULL), 0);
            CU_ASSERT(strcmp(to.alg, "ECDH-ES+A256KW") == 0 && strcmp(to.enc, encs[m]) == 0 && to.suite == s);
            CU_ASSERT(to.kid && to.apv && strcmp(to.kid, to.apv) == 0 && to.epk_len == suite_pub_len(s));
            CU_ASSERT(jwe_protected(j, "epk") && jwe_protected(j, "kid") && jwe_protected(j, "apv"));
            CU_ASSERT_EQUAL(jwe_write(j, &ciphertext, &text, NULL), 0);
            CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, k), 0);
            buf_reset(&text);
            CU_ASSERT_EQUAL(jwe_write_compact(j, &ciphertext, &text, NULL), 0);
            CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, k), 0);
            CU_ASSERT_EQUAL(jwe_open_compact(buf_str(&text), text.len, k, &plain, NULL), 0);
            CU_ASSERT_STRING_EQUAL(buf_str(&plain), secret);
            jwe_free(&j);
            buf_free(&text);
            buf_free(&ciphertext);
            buf_free(&plain);
        }
        jwk_free(&k);
        jwk_free(&other);
    }
}

/* What a member holds: the service's value and her own, combined. */
static size_t candidates(const struct jwk *k, const struct jwe *j, unsigned char *out)
{
    unsigned char from_service[SUITE_VALUE_MAX], from_member[SUITE_VALUE_MAX];
    struct suite_key *r, *b;
    struct suite_peer *peer;
    struct jwe_recipient to;

    CU_ASSERT_EQUAL_FATAL(jwe_recipient(j, 0, &to, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_peer_new(to.suite, to.epk, to.epk_len, &peer, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_split(jwk_suite_key(k), &r, &b, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(r, peer, from_service, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(b, peer, from_member, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_combine(to.suite, from_service, from_member, out, NULL), 0);
    suite_key_free(&r);
    suite_key_free(&b);
    suite_peer_free(&peer);
    return suite_candidates(to.suite);
}

static void test_candidates(void)
{
    const struct suite *s;

    for (size_t n = 0; (s = suite_at(n)); n++) {
        struct jwk *k = make_key(suite_name(s), "g");
        unsigned char c[2 * SUITE_VALUE_MAX], swapped[2 * SUITE_VALUE_MAX];
        struct buf ciphertext = BUF_INIT, plain = BUF_INIT;
        size_t count, len = suite_value_len(s);
        struct jwe *j;

        seal(k, "A256GCM", &j, &ciphertext);
        count = candidates(k, j, c);
        CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 0, c, count, &ciphertext, &plain, NULL), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&plain), secret);
        if (count == 2) {
            memcpy(swapped, c + len, len);
            memcpy(swapped + len, c, len);
            buf_reset(&plain);
            CU_ASSERT_EQUAL(buf_puts(&plain, "before "), 0);
            CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 0, swapped, count, &ciphertext, &plain, NULL), 0);
            CU_ASSERT_STRING_EQUAL(buf_str(&plain), "before The Moon is a harsh mistress.");
        }
        buf_reset(&plain);
        for (size_t i = 0; i < count; i++)
            c[i * len] ^= 1;
        CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 0, c, count, &ciphertext, &plain, NULL), ERR_CRYPTO);
        CU_ASSERT_EQUAL(jwe_decrypt_candidates(j, 1, c, count, &ciphertext, &plain, NULL), ERR_ABSENT);
        CU_ASSERT_EQUAL(plain.len, 0);
        jwe_free(&j);
        jwk_free(&k);
        buf_free(&ciphertext);
        buf_free(&plain);
    }
}

static void test_several_recipients(void)
{
    struct jwk *a = make_key("X25519", "a"), *b = make_key("P-256", "b"), *c = make_key("X448", NULL),
               *d = make_key("X25519", "d");
    const struct jwk *all[17];
    struct buf text = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe *j, *again;

    all[0] = a;
    all[1] = b;
    all[2] = c;
    CU_ASSERT_EQUAL_FATAL(jwe_encrypt(all, 3, NULL, secret, strlen(secret), &j, &ciphertext, NULL), 0);
    CU_ASSERT_EQUAL(jwe_recipients(j), 3);
    CU_ASSERT(!jwe_protected(j, "alg") && jwe_protected(j, "enc"));
    CU_ASSERT_EQUAL(jwe_write(j, &ciphertext, &text, NULL), 0);
    CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, a), 0);
    CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, b), 0);
    CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, c), 0);
    CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, d), ERR_KEY);
    CU_ASSERT_EQUAL(jwe_write_compact(j, &ciphertext, &text, NULL), ERR_UNSUPPORTED);
    jwe_free(&j);
    for (size_t i = 0; i < 17; i++)
        all[i] = a;
    CU_ASSERT_EQUAL(jwe_encrypt(all, 17, NULL, "", 0, &again, &ciphertext, NULL), ERR_LIMIT);
    CU_ASSERT_EQUAL(jwe_encrypt(all, 0, NULL, "", 0, &again, &ciphertext, NULL), ERR_USAGE);
    CU_ASSERT_PTR_NULL(again);
    jwk_free(&a);
    jwk_free(&b);
    jwk_free(&c);
    jwk_free(&d);
    buf_free(&text);
    buf_free(&ciphertext);
}

static void test_grants(void)
{
    struct jwk *k = make_key("X25519", "g");
    struct buf ciphertext = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
    struct grant g[2], back;
    struct jwe *j, *again;
    struct grant *many;

    memset(g, 0, sizeof g);
    memset(g[0].tag, 1, GRANT_TAG_LEN);
    memset(g[0].value, 2, 32);
    g[0].value_len = g[1].value_len = 32;
    g[1].dk = strdup("a.b.c");
    seal(k, NULL, &j, &ciphertext);
    CU_ASSERT_EQUAL(jwe_write(j, NULL, &two, NULL), 0);
    CU_ASSERT_EQUAL(jwe_set_grants(j, 0, g, 2, NULL), 0);
    CU_ASSERT_EQUAL(jwe_grants(j, 0), 2);
    CU_ASSERT_EQUAL(jwe_write(j, NULL, &one, NULL), 0);
    CU_ASSERT_PTR_NULL(strstr(buf_str(&one), "ciphertext"));
    /* the detached form comes back, and what was sealed opens: grants are not authenticated, by design */
    CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&one), one.len, 1, &again, NULL, NULL), 0);
    CU_ASSERT_EQUAL(opens(again, k, &ciphertext), 0);
    CU_ASSERT_EQUAL(jwe_grant(again, 0, 1, &back, NULL), 0);
    CU_ASSERT(back.value_len == 32 && back.dk && strcmp(back.dk, "a.b.c") == 0);
    grant_clear(&back);
    CU_ASSERT_EQUAL(jwe_grant(again, 0, 0, &back, NULL), 0);
    CU_ASSERT(!back.dk && back.tag[15] == 1 && back.value[31] == 2);
    grant_clear(&back);
    CU_ASSERT_EQUAL(jwe_grant(again, 0, 2, &back, NULL), ERR_ABSENT);
    CU_ASSERT_EQUAL(jwe_set_grants(again, 0, NULL, 0, NULL), 0);
    CU_ASSERT_EQUAL(jwe_grants(again, 0), 0);
    buf_reset(&one);
    CU_ASSERT_EQUAL(jwe_write(again, NULL, &one, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&one), buf_str(&two));
    CU_ASSERT_EQUAL(jwe_set_grants(again, 0, NULL, 0, NULL), 0);
    CU_ASSERT_EQUAL(jwe_set_grants(again, 1, g, 1, NULL), ERR_ABSENT);
    many = calloc(JWE_GRANTS_MAX + 1, sizeof *many);
    CU_ASSERT_PTR_NOT_NULL_FATAL(many);
    for (size_t i = 0; i <= JWE_GRANTS_MAX; i++)
        many[i].value_len = 32;
    CU_ASSERT_EQUAL(jwe_set_grants(again, 0, many, JWE_GRANTS_MAX, NULL), 0);
    CU_ASSERT_EQUAL(jwe_set_grants(again, 0, many, JWE_GRANTS_MAX + 1, NULL), ERR_LIMIT);
    buf_reset(&one);
    CU_ASSERT_EQUAL(jwe_write(again, NULL, &one, NULL), 0);
    free(many);
    jwe_free(&j);
    CU_ASSERT_EQUAL(jwe_parse(buf_str(&one), one.len, 1, &j, NULL, NULL), 0);
    CU_ASSERT_EQUAL(jwe_grants(j, 0), JWE_GRANTS_MAX);
    free(g[1].dk);
    jwe_free(&j);
    jwe_free(&again);
    jwk_free(&k);
    buf_free(&ciphertext);
    buf_free(&one);
    buf_free(&two);
}

/* A recipient less: the same octets are authenticated, the others open, the one who is gone does not. */
static void test_drop(void)
{
    struct jwk *k[] = {make_key("X25519", "a"), make_key("X448", "b"), make_key("P-256", "c")};
    struct buf ciphertext = BUF_INIT, text = BUF_INIT;
    struct jwe *j, *again;

    for (size_t gone = 0; gone < 3; gone++) {
        buf_reset(&ciphertext);
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(jwe_encrypt((const struct jwk *const *)k, 3, NULL, "hello", 5, &j, &ciphertext, NULL), 0);
        CU_ASSERT_EQUAL(jwe_drop_recipient(j, 3, NULL), ERR_ABSENT);
        CU_ASSERT_EQUAL(jwe_drop_recipient(j, gone, NULL), 0);
        CU_ASSERT_EQUAL(jwe_write(j, NULL, &text, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&text), text.len, 1, &again, NULL, NULL), 0);
        CU_ASSERT_EQUAL(jwe_recipients(again), 2);
        for (size_t i = 0; i < 3; i++) {
            struct buf plain = BUF_INIT;

            CU_ASSERT_EQUAL(jwe_decrypt(again, k[i], &ciphertext, &plain, NULL), i == gone ? ERR_KEY : 0);
            CU_ASSERT(i == gone || (plain.len == 5 && memcmp(plain.data, "hello", 5) == 0));
            buf_free(&plain);
        }
        CU_ASSERT_EQUAL(jwe_drop_recipient(j, 1, NULL), 0);
        CU_ASSERT_EQUAL(jwe_drop_recipient(j, 0, NULL), ERR_LIMIT);
        CU_ASSERT_EQUAL(jwe_recipients(j), 1);
        jwe_free(&j);
        jwe_free(&again);
    }
    for (int i = 0; i < 3; i++)
        jwk_free(&k[i]);
    buf_free(&ciphertext);
    buf_free(&text);
}

static void test_bad_grants(void)
{
#define T "AAAAAAAAAAAAAAAAAAAAAA"
    static const char *const bad[] = {"{}",
                                      "{\"t\":\"" T "\"}",
                                      "{\"t\":\"" T "\",\"u\":\"\"}",
                                      "{\"t\":\"" T "A\",\"u\":\"AA\"}",
                                      "{\"t\":\"AAAA\",\"u\":\"AA\"}",
                                      "{\"t\":1,\"u\":\"AA\"}",
                                      "{\"t\":\"" T "\",\"u\":\"AA\",\"dk\":1}",
                                      "{\"t\":\"" T "\",\"u\":\"AA=\"}",
                                      "[]",
                                      "1"};
    struct json_object *obj;
    struct grant g;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL_FATAL(sjson_parse(bad[i], strlen(bad[i]), NULL, &obj, NULL), 0);
        CU_ASSERT_EQUAL(grant_from_json(obj, &g, NULL), ERR_SYNTAX);
        CU_ASSERT_PTR_NULL(g.dk);
        json_object_put(obj);
    }
}

static void test_bit_flips(void)
{
    struct jwk *k = make_key("X25519", "g");
    struct buf ciphertext = BUF_INIT, text = BUF_INIT;
    struct jwe *j;
    int part = 0;

    seal(k, NULL, &j, &ciphertext);
    CU_ASSERT_EQUAL(jwe_write_compact(j, &ciphertext, &text, NULL), 0);
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        int r, last = i + 1 == text.len || text.data[i + 1] == '.';

        if (c == '.') {
            part++;
            continue;
        }
        text.data[i] = c == 'A' ? 'B' : 'A';
        r = parse_and_open(buf_str(&text), text.len, k);
        /* in the header anything may be wrong; elsewhere it is the key or the tag, or bits behind the last octet */
        CU_ASSERT(part == 0 ? r < 0 : r == ERR_CRYPTO || (last && (r == ERR_SYNTAX || c == 'A')));
        text.data[i] = (unsigned char)c;
    }
    CU_ASSERT_EQUAL(part, 4);
    CU_ASSERT_EQUAL(parse_and_open(buf_str(&text), text.len, k), 0);
    for (size_t n = 0; n < text.len; n++)
        CU_ASSERT(parse_and_open(buf_str(&text), n, k) < 0);
    ciphertext.data[0] ^= 1;
    CU_ASSERT_EQUAL(opens(j, k, &ciphertext), ERR_CRYPTO);
    ciphertext.data[0] ^= 1;
    ciphertext.len--;
    CU_ASSERT_EQUAL(opens(j, k, &ciphertext), ERR_CRYPTO);
    jwe_free(&j);
    jwk_free(&k);
    buf_free(&ciphertext);
    buf_free(&text);
}

static void test_bare_key(void)
{
    static const char chunk[] = "{\"chunk\":65536}";
    struct jwk *k = make_key("X25519", "g"), *other = make_key("X25519", "g");
    const struct jwk *to[1];
    struct jwe_options opt = {.typ = "jcd"};
    unsigned char cek[32], c[2 * SUITE_VALUE_MAX];
    struct buf text = BUF_INIT, back = BUF_INIT, plain = BUF_INIT;
    struct jwe *j, *again;
    size_t count;

    to[0] = k;
    memset(cek, 7, sizeof cek);
    CU_ASSERT_EQUAL_FATAL(sjson_parse(chunk, strlen(chunk), NULL, &opt.extra, NULL), 0);
    CU_ASSERT_EQUAL(jwe_wrap_key(to, 1, &opt, cek, 31, &j, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL_FATAL(jwe_wrap_key(to, 1, &opt, cek, 32, &j, NULL), 0);
    CU_ASSERT_EQUAL(jwe_write(j, NULL, &text, NULL), 0);
    CU_ASSERT(!strstr(buf_str(&text), "\"iv\"") && !strstr(buf_str(&text), "\"tag\""));
    CU_ASSERT_EQUAL(jwe_parse(buf_str(&text), text.len, 1, &again, NULL, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL_FATAL(jwe_parse_keys(buf_str(&text), text.len, &again, NULL), 0);
    CU_ASSERT_EQUAL(jwe_unwrap_key(again, k, &back, NULL), 0);
    CU_ASSERT(back.len == 32 && memcmp(back.data, cek, 32) == 0);
    CU_ASSERT_EQUAL(json_object_get_int(jwe_protected(again, "chunk")), 65536);
    count = candidates(k, again, c);
    buf_reset(&back);
    CU_ASSERT_EQUAL(jwe_unwrap_candidates(again, 0, c, count, &back, NULL), 0);
    CU_ASSERT(back.len == 32 && memcmp(back.data, cek, 32) == 0);
    buf_reset(&back);
    CU_ASSERT_EQUAL(jwe_unwrap_key(again, other, &back, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(jwe_decrypt(again, k, &plain, &plain, NULL), ERR_CRYPTO); /* no content */
    CU_ASSERT_EQUAL(back.len, 0);
    json_object_put(opt.extra);
    CU_ASSERT_EQUAL_FATAL(sjson_parse("{\"alg\":\"none\"}", 14, NULL, &opt.extra, NULL), 0);
    jwe_free(&again);
    CU_ASSERT_EQUAL(jwe_wrap_key(to, 1, &opt, cek, 32, &again, NULL), ERR_USAGE);
    json_object_put(opt.extra);
    jwe_free(&j);
    jwk_free(&k);
    jwk_free(&other);
    buf_free(&text);
    buf_free(&back);
    buf_free(&plain);
}

static void test_wrong_keys(void)
{
    struct jwk *k = make_key("X25519", "g"), *sign = make_key("Ed25519", NULL), *pub;
    struct buf ciphertext = BUF_INIT;
    const struct jwk *to[1];
    struct jwe *j, *none;

    to[0] = sign;
    CU_ASSERT_EQUAL(jwe_encrypt(to, 1, NULL, "", 0, &none, &ciphertext, NULL), ERR_KEY);
    CU_ASSERT_PTR_NULL(none);
    seal(k, NULL, &j, &ciphertext);
    CU_ASSERT_EQUAL(jwk_public_copy(k, &pub, NULL), 0);
    CU_ASSERT_EQUAL(opens(j, pub, &ciphertext), ERR_KEY);
    CU_ASSERT_EQUAL(opens(j, sign, &ciphertext), ERR_KEY);
    jwe_free(&j);
    jwk_free(&k);
    jwk_free(&sign);
    jwk_free(&pub);
    buf_free(&ciphertext);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"every suite with every enc, general and compact", test_every_suite},
        {"candidates of a combined key open, in any order", test_candidates},
        {"several recipients", test_several_recipients},
        {"grants are set, read and stripped", test_grants},
        {"a recipient is taken out", test_drop},
        {"bad grants", test_bad_grants},
        {"every character of a JWE changed, every length cut", test_bit_flips},
        {"the content key alone", test_bare_key},
        {"keys of the wrong kind", test_wrong_keys},
    };
    return unit_main("jwe", tests, sizeof tests / sizeof *tests);
}
