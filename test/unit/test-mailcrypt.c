#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/mailcrypt.h"
#include "span.h"
#include "unit.h"

#define KID "list@example.com.mm--abcde-fghij"
#define TYPE "multipart/encrypted; protocol=\"application/jose+json\"; boundary=b"

static const struct span nothing;

/* An encrypted text as a JWE, for a new key of that suite. */
static void encrypt(const char *suite, const void *text, size_t len, struct jwe **jwe, struct buf *cipher)
{
    struct jwe_options opt = {NULL, NULL, NULL, NULL};
    struct jwk *key = NULL;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(jwk_generate(suite, &key, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_set_kid(key, KID), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_encrypt((const struct jwk *const *)&key, 1, &opt, text, len, jwe, cipher, &e), 0);
    jwk_free(&key);
}

static void add_grants(struct jwe *jwe, size_t n, const char *dk)
{
    struct grant *g = calloc(n + 1, sizeof *g);
    struct jwe_recipient rec;
    struct err e;

    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    CU_ASSERT_EQUAL_FATAL(jwe_recipient(jwe, 0, &rec, &e), 0);
    for (size_t i = 0; i < n; i++) {
        memset(g[i].tag, (int)i, sizeof g[i].tag);
        g[i].value_len = suite_value_len(rec.suite);
        memset(g[i].value, (int)i + 1, g[i].value_len);
        g[i].dk = dk ? strdup(dk) : NULL;
    }
    CU_ASSERT_EQUAL(jwe_set_grants(jwe, 0, g, n, &e), 0);
    for (size_t i = 0; i < n; i++)
        grant_clear(&g[i]);
    free(g);
}

static size_t longest_line(struct span s)
{
    size_t longest = 0, start = 0;

    for (size_t i = 0; i <= s.len; i++)
        if (i == s.len || s.data[i] == '\n') {
            longest = i - start > longest ? i - start : longest;
            start = i + 1;
        }
    return longest;
}

/* Finds, rewrites part 1 with the JWE as it is, and looks at it again: the same JWE, nothing else touched. */
static void rewrite(struct span type, struct span body, const struct buf *cipher, size_t grants, const char *dk)
{
    struct mailcrypt m, again;
    struct buf json = BUF_INIT, json2 = BUF_INIT, part1 = BUF_INIT, whole = BUF_INIT, got = BUF_INIT;
    struct err e;
    size_t before, after;

    CU_ASSERT_EQUAL_FATAL(mailcrypt_find(type, nothing, body, &m, &e), 0);
    CU_ASSERT_EQUAL_FATAL(m.kind, MAILCRYPT_TWO_PART);
    add_grants(m.jwe, grants, dk);
    CU_ASSERT_EQUAL(jwe_write(m.jwe, NULL, &json, &e), 0);
    CU_ASSERT_EQUAL(mailcrypt_part1(&m, &part1, &e), 0);
    CU_ASSERT(longest_line(span_of(&part1)) <= 998);
    before = (size_t)(m.part1.data - body.data);
    after = body.len - before - m.part1.len;
    CU_ASSERT(buf_append(&whole, body.data, before) == 0 && buf_append(&whole, part1.data, part1.len) == 0 &&
              buf_append(&whole, m.part1.data + m.part1.len, after) == 0);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_find(type, nothing, span_of(&whole), &again, &e), 0);
    CU_ASSERT(again.part1.len == part1.len && memcmp(again.part1.data, part1.data, part1.len) == 0);
    CU_ASSERT_EQUAL(again.part2.len, m.part2.len);
    CU_ASSERT_EQUAL(jwe_write(again.jwe, NULL, &json2, &e), 0);
    CU_ASSERT(span_equal(span_of(&json), span_of(&json2)));
    CU_ASSERT_EQUAL(jwe_grants(again.jwe, 0), grants);
    CU_ASSERT_EQUAL(mailcrypt_ciphertext(&again, &got, &e), 0);
    CU_ASSERT(span_equal(span_of(&got), span_of(cipher)));
    mailcrypt_clear(&m);
    mailcrypt_clear(&again);
    buf_free(&json);
    buf_free(&json2);
    buf_free(&part1);
    buf_free(&whole);
    buf_free(&got);
}

static void to_lf(const struct buf *crlf, struct buf *lf)
{
    for (size_t i = 0; i < crlf->len; i++)
        if (crlf->data[i] != '\r')
            CU_ASSERT_EQUAL_FATAL(buf_append(lf, crlf->data + i, 1), 0);
}

static void test_build_find(void)
{
    static const char *const suites[] = {"X25519", "X448", "P-256", "ffdhe2048", "ffdhe3072", "modp2048"};

    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        struct buf type = BUF_INIT, body = BUF_INIT, lf = BUF_INIT, cipher = BUF_INIT;
        struct jwe *jwe = NULL;
        struct err e;

        encrypt(suites[i], "plain text", i ? 10 : 0, &jwe, &cipher);
        CU_ASSERT_EQUAL_FATAL(mailcrypt_build(jwe, &cipher, &type, &body, &e), 0);
        CU_ASSERT(longest_line(span_of(&body)) <= 998);
        CU_ASSERT_EQUAL(strncmp(buf_str(&body), "--", 2), 0);
        for (size_t n = 0; n <= 128; n = n ? n * 16 : 1)
            rewrite(span_of(&type), span_of(&body), &cipher, n, NULL);
        to_lf(&body, &lf);
        rewrite(span_of(&type), span_of(&lf), &cipher, 8, NULL);
        CU_ASSERT_PTR_NULL(memchr(lf.data, '\r', lf.len));
        jwe_free(&jwe);
        buf_free(&type);
        buf_free(&body);
        buf_free(&lf);
        buf_free(&cipher);
    }
}

/* A dk is a JWS of some 1000 octets: part 1 goes in base64. */
static void test_long_string(void)
{
    struct buf type = BUF_INIT, body = BUF_INIT, cipher = BUF_INIT, part1 = BUF_INIT;
    char dk[1200];
    struct mailcrypt m;
    struct jwe *jwe = NULL;
    struct err e;

    memset(dk, 'a', sizeof dk);
    dk[sizeof dk - 1] = 0;
    encrypt("X25519", "x", 1, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_build(jwe, &cipher, &type, &body, &e), 0);
    rewrite(span_of(&type), span_of(&body), &cipher, 1, dk);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_find(span_of(&type), nothing, span_of(&body), &m, &e), 0);
    CU_ASSERT_EQUAL(mailcrypt_part1(&m, &part1, &e), 0);
    CU_ASSERT_PTR_NULL(strstr(buf_str(&part1), "base64"));
    buf_reset(&part1);
    add_grants(m.jwe, 1, dk);
    CU_ASSERT_EQUAL(mailcrypt_part1(&m, &part1, &e), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&part1), "\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    CU_ASSERT(longest_line(span_of(&part1)) <= 77);
    CU_ASSERT(part1.data[part1.len - 1] != '\n');
    mailcrypt_clear(&m);
    jwe_free(&jwe);
    buf_free(&type);
    buf_free(&body);
    buf_free(&cipher);
    buf_free(&part1);
}

/* frame: where %s stands comes the JSON */
static int find_in(const char *type, const char *frame, const struct buf *json)
{
    struct buf body = BUF_INIT;
    struct mailcrypt m;
    struct err e = {0, ""};
    const char *at = strstr(frame, "%s");
    int r;

    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT(buf_append(&body, frame, (size_t)(at - frame)) == 0 && buf_append(&body, json->data, json->len) == 0 &&
              buf_puts(&body, at + 2) == 0);
    r = mailcrypt_find(span(type), nothing, span_of(&body), &m, &e);
    CU_ASSERT_EQUAL(e.text[0] != 0, r < 0);
    if (r < 0)
        CU_ASSERT_PTR_NULL(m.jwe);
    r = r < 0 ? r : (int)m.kind;
    mailcrypt_clear(&m);
    buf_free(&body);
    return r;
}

#define P1 "--b\nContent-Type: application/jose+json\n\n%s\n"
#define P2 "--b\nContent-Type: application/octet-stream\n\nx\n--b--\n"

static void test_frames(void)
{
    static const struct {
        const char *type, *frame;
        int result;
    } cases[] = {
        {TYPE, P1 P2, MAILCRYPT_TWO_PART},
        {TYPE, "preamble\n" P1 P2 "epilogue\n--b\n", MAILCRYPT_TWO_PART},
        {"Multipart/Encrypted; PROTOCOL=\"Application/JOSE+json\";\n\tboundary=\"b\"", P1 P2, MAILCRYPT_TWO_PART},
        {TYPE, "--b \t\nContent-type: Application/Jose+JSON (c)\nContent-Transfer-Encoding: 8BIT\nX: y\n\n\n%s\n\n" P2,
         MAILCRYPT_TWO_PART},
        {TYPE, P1 "--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n--b--\n",
         MAILCRYPT_TWO_PART},
        {"text/plain", P1 P2, MAILCRYPT_PLAIN},
        {"", P1 P2, MAILCRYPT_PLAIN},
        {"multipart/encrypted", P1 P2, MAILCRYPT_PLAIN},
        {"multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b", P1 P2, MAILCRYPT_PLAIN},
        {"multipart/mixed; boundary=b", P1 P2, MAILCRYPT_PLAIN},
        {"multipart/mixed; boundary=c", "--c\n\nhello\n--c\nContent-Type: " TYPE "\n\n" P1 P2 "\n--c--\n",
         MAILCRYPT_PLAIN},
        {"multipart/mixed; boundary=c", "--c\nContent-Type: application/jose+json\n\n%s\n--c--\n", MAILCRYPT_PLAIN},
        {"multipart encrypted; protocol=\"application/jose+json\"; boundary=b", P1 P2, MAILCRYPT_PLAIN},
        {TYPE "; boundary=b", P1 P2, ERR_SYNTAX},
        {TYPE "; protocol=\"application/jose+json\"", P1 P2, ERR_SYNTAX},
        {TYPE "; protocol*=us-ascii''x", P1 P2, ERR_SYNTAX},
        {"multipart/encrypted; protocol=\"application/jose+json\"", P1 P2, ERR_SYNTAX},
        {"multipart/encrypted; protocol=\"application/jose+json\"; boundary=\"\"", P1 P2, ERR_SYNTAX},
        {TYPE, P1 "--b--\n", ERR_SYNTAX},
        {TYPE, "%s", ERR_SYNTAX},
        {TYPE, P1 "--b\nContent-Type: application/octet-stream\n\nx\n", ERR_SYNTAX},
        {TYPE, P1 "--b\nContent-Type: application/octet-stream\n\nx\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/octet-stream\n\nx\n" P1 "--b--\n", ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: text/plain\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\nContent-Type: application/jose+json\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\nno field\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\r\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\n\n\r\n%s\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\n\n\r%s\n" P2, ERR_SYNTAX},
        {TYPE,
         "--b\nContent-Type: application/jose+json\nContent-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: "
         "7bit\n\n%s\n" P2,
         ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\nContent-Transfer-Encoding: quoted-printable\n\n%s\n" P2,
         ERR_UNSUPPORTED},
        {TYPE, "--b\nContent-Type: application/jose+json\nContent-Transfer-Encoding: base64\n\n%s\n" P2, ERR_SYNTAX},
        {TYPE, P1 "--b\nContent-Type: text/plain\n\nx\n--b--\n", ERR_SYNTAX},
        {TYPE, P1 "--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: x-uuencode\n\nx\n--b--\n",
         ERR_UNSUPPORTED},
        {TYPE, "--b\nContent-Type: application/jose+json\n\n%s,\n" P2, ERR_SYNTAX},
        {TYPE, "--b\nContent-Type: application/jose+json\n\n{}%s\n" P2, ERR_SYNTAX},
    };
    struct buf json = BUF_INIT, cipher = BUF_INIT;
    struct jwe *jwe = NULL;
    struct err e;

    encrypt("X25519", "x", 1, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = find_in(cases[i].type, cases[i].frame, &json);

        if (r != cases[i].result)
            printf("# %d, not %d: %s\n", r, cases[i].result, cases[i].frame);
        CU_ASSERT_EQUAL(r, cases[i].result);
    }
    /* With the ciphertext inside it is no part 1. */
    buf_reset(&json);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, &cipher, &json, &e), 0);
    CU_ASSERT_EQUAL(find_in(TYPE, P1 P2, &json), ERR_SYNTAX);
    jwe_free(&jwe);
    buf_free(&json);
    buf_free(&cipher);
}

/* What stands around the two parts is not of the message. */
static void test_multipart(void)
{
    static const struct {
        const char *before, *after, *end;
    } cases[] = {{"", "", "--b--\n"},
                 {"read this\n\n", "and that\n--b--\n\n", "--b--\n"},
                 {"\n", "", "--b--"},
                 {"--c\r\n", "--b\n", "--b--\r\n"}};
    struct buf json = BUF_INIT, cipher = BUF_INIT, inner = BUF_INIT, whole = BUF_INIT;
    struct jwe *jwe = NULL;
    struct err e;

    encrypt("X25519", "x", 1, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mailcrypt m;

        buf_reset(&inner);
        buf_reset(&whole);
        CU_ASSERT_EQUAL_FATAL(
            buf_printf(&inner, P1 "--b\nContent-Type: application/octet-stream\n\nx\n%s", buf_str(&json), cases[i].end),
            0);
        CU_ASSERT_EQUAL_FATAL(buf_printf(&whole, "%s%s%s", cases[i].before, buf_str(&inner), cases[i].after), 0);
        CU_ASSERT_EQUAL_FATAL(mailcrypt_find((struct span){(const unsigned char *)TYPE, strlen(TYPE)},
                                             (struct span){NULL, 0}, (struct span){whole.data, whole.len}, &m, &e),
                              0);
        CU_ASSERT(m.multipart.len == inner.len && !memcmp(m.multipart.data, inner.data, inner.len));
        mailcrypt_clear(&m);
    }
    jwe_free(&jwe);
    buf_free(&json);
    buf_free(&cipher);
    buf_free(&inner);
    buf_free(&whole);
}

/* Every bit of part 1's JSON flipped: an error by name, or still a JWE (which then does not open). */
static void test_flips(void)
{
    struct buf json = BUF_INIT, cipher = BUF_INIT;
    struct jwe *jwe = NULL;
    struct err e;
    int refused = 0, unexpected = 0;

    encrypt("X25519", "x", 1, &jwe, &cipher);
    add_grants(jwe, 2, NULL);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    for (size_t i = 0; i < json.len * 8; i++) {
        int r;

        json.data[i / 8] ^= (unsigned char)(1 << i % 8);
        r = find_in(TYPE, P1 P2, &json);
        json.data[i / 8] ^= (unsigned char)(1 << i % 8);
        refused += r == ERR_SYNTAX || r == ERR_UNSUPPORTED;
        unexpected += r != ERR_SYNTAX && r != ERR_UNSUPPORTED && r != MAILCRYPT_TWO_PART;
    }
    CU_ASSERT_EQUAL(unexpected, 0);
    CU_ASSERT(refused > (int)json.len);
    for (size_t len = json.len; json.len > 0; json.len--) /* truncated */
        if (json.len < len)
            CU_ASSERT_EQUAL(find_in(TYPE, P1 P2, &json), ERR_SYNTAX);
    jwe_free(&jwe);
    buf_free(&json);
    buf_free(&cipher);
}

static void test_sizes(void)
{
    size_t len = (size_t)25 << 20;
    struct buf plain = BUF_INIT, type = BUF_INIT, body = BUF_INIT, cipher = BUF_INIT, json = BUF_INIT;
    struct mailcrypt m;
    struct jwe *jwe = NULL;
    struct err e;
    size_t used;

    CU_ASSERT_EQUAL_FATAL(buf_reserve(&plain, len), 0);
    memset(plain.data, 'p', len);
    encrypt("X25519", plain.data, len, &jwe, &cipher);
    buf_free(&plain);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_build(jwe, &cipher, &type, &body, &e), 0);
    CU_ASSERT(body.size < cipher.len / 2 * 3);
    used = mallinfo2().uordblks + mallinfo2().hblkhd;
    CU_ASSERT_EQUAL_FATAL(mailcrypt_find(span_of(&type), nothing, span_of(&body), &m, &e), 0);
    CU_ASSERT(mallinfo2().uordblks + mallinfo2().hblkhd - used < 64 << 10);
    mailcrypt_clear(&m);
    buf_reset(&cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    CU_ASSERT_EQUAL_FATAL(buf_reserve(&json, JWE_TEXT_MAX), 0);
    memset(json.data + json.len, ' ', JWE_TEXT_MAX - json.len);
    json.len = JWE_TEXT_MAX;
    CU_ASSERT_EQUAL(find_in(TYPE, P1 P2, &json), MAILCRYPT_TWO_PART);
    CU_ASSERT_EQUAL(buf_puts(&json, " "), 0);
    CU_ASSERT_EQUAL(find_in(TYPE, P1 P2, &json), ERR_LIMIT);
    buf_free(&cipher);
    CU_ASSERT_EQUAL(b64mime_encode(json.data, json.len, "\n", &cipher), 0);
    CU_ASSERT_EQUAL(find_in(TYPE,
                            "--b\nContent-Type: application/jose+json\nContent-Transfer-Encoding: base64\n\n%s\n" P2,
                            &cipher),
                    ERR_LIMIT);
    jwe_free(&jwe);
    buf_free(&type);
    buf_free(&body);
    buf_free(&cipher);
    buf_free(&json);
}

static void test_whole(void)
{
    struct buf general = BUF_INIT, compact = BUF_INIT, b64 = BUF_INIT, cipher = BUF_INIT, got = BUF_INIT,
               part1 = BUF_INIT;
    struct mailcrypt m;
    struct jwe *jwe = NULL;
    struct err e;

    encrypt("X25519", "text", 4, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, &cipher, &general, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_write_compact(jwe, &cipher, &compact, &e), 0);
    CU_ASSERT(buf_puts(&general, "\r\n") == 0 && buf_puts(&compact, "\r\n") == 0);
    CU_ASSERT_EQUAL(b64mime_encode(compact.data, compact.len, "\n", &b64), 0);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose+json"), nothing, span_of(&general), &m, &e), 0);
    CU_ASSERT_EQUAL(m.kind, MAILCRYPT_WHOLE);
    CU_ASSERT_EQUAL(mailcrypt_ciphertext(&m, &got, &e), 0);
    CU_ASSERT(span_equal(span_of(&got), span_of(&cipher)));
    CU_ASSERT_EQUAL(mailcrypt_part1(&m, &part1, &e), ERR_USAGE);
    mailcrypt_clear(&m);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), span(" Base64 "), span_of(&b64), &m, &e), 0);
    CU_ASSERT_EQUAL(m.kind, MAILCRYPT_WHOLE);
    CU_ASSERT(span_equal(span_of(&m.ciphertext), span_of(&cipher)));
    mailcrypt_clear(&m);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), nothing, span_of(&compact), &m, &e), 0);
    mailcrypt_clear(&m);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), nothing, span_of(&general), &m, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose+json"), nothing, span_of(&compact), &m, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), nothing, nothing, &m, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), span("quoted-printable"), span_of(&compact), &m, &e),
                    ERR_UNSUPPORTED);
    compact.data[20] = 0;
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), nothing, span_of(&compact), &m, &e), ERR_SYNTAX);
    compact.data[20] = '\n';
    CU_ASSERT_EQUAL(mailcrypt_find(span("application/jose"), nothing, span_of(&compact), &m, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mailcrypt_find(span(TYPE), span("base64"), span_of(&general), &m, &e), ERR_SYNTAX);
    jwe_free(&jwe);
    buf_free(&general);
    buf_free(&compact);
    buf_free(&b64);
    buf_free(&cipher);
    buf_free(&got);
}

static int find_message(const char *header, const struct buf *body)
{
    struct buf msg = BUF_INIT;
    struct mailcrypt m;
    struct span h, b;
    struct err e;
    int r;

    CU_ASSERT(buf_puts(&msg, header) == 0 && buf_append(&msg, body->data, body->len) == 0);
    r = mailcrypt_find_message(span_of(&msg), &h, &b, &m, &e);
    if (r == 0) {
        CU_ASSERT_EQUAL(b.len, body->len);
        CU_ASSERT_EQUAL(h.data, msg.data);
    }
    r = r < 0 ? r : (int)m.kind;
    mailcrypt_clear(&m);
    buf_free(&msg);
    return r;
}

static void test_message(void)
{
    struct buf json = BUF_INIT, body = BUF_INIT, cipher = BUF_INIT, many = BUF_INIT;
    struct jwe *jwe = NULL;
    struct err e;

    encrypt("X25519", "x", 1, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    CU_ASSERT_EQUAL_FATAL(buf_printf(&body, P1 P2, buf_str(&json)), 0);
    CU_ASSERT_EQUAL(find_message("From: a\nContent-Type: " TYPE "\n\n", &body), MAILCRYPT_TWO_PART);
    CU_ASSERT_EQUAL(find_message("From: a\r\ncontent-type: " TYPE "\r\n\r\n", &body), MAILCRYPT_TWO_PART);
    CU_ASSERT_EQUAL(find_message("From: a\n\n", &body), MAILCRYPT_PLAIN);
    CU_ASSERT_EQUAL(find_message("From a Mon\nSubject: \x01\rx\n\n", &body), MAILCRYPT_PLAIN);
    CU_ASSERT_EQUAL(find_message("Content-Type: " TYPE "\nContent-Type: " TYPE "\n\n", &body), ERR_SYNTAX);
    CU_ASSERT_EQUAL(find_message("Content-Type: text/plain\nContent-Type: " TYPE "\n\n", &body), ERR_SYNTAX);
    CU_ASSERT_EQUAL(find_message("From a Mon\nContent-Type: " TYPE "\n\n", &body), ERR_SYNTAX);
    CU_ASSERT_EQUAL(find_message("X: a\rb\nContent-Type: " TYPE "\n\n", &body), ERR_SYNTAX);
    CU_ASSERT_EQUAL(find_message("X: a\r\nContent-Type: " TYPE "\n\n", &body), ERR_SYNTAX);
    CU_ASSERT_EQUAL(find_message("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: 7bit\nContent-Type: " TYPE
                                 "\n\n",
                                 &body),
                    ERR_SYNTAX);
    for (int i = 0; i <= MIME_FIELDS_MAX; i++)
        CU_ASSERT_EQUAL(buf_puts(&many, "A: b\n"), 0);
    CU_ASSERT_EQUAL(find_message(buf_str(&many), &body), ERR_LIMIT);
    buf_reset(&many);
    CU_ASSERT_EQUAL(buf_puts(&many, "A: "), 0);
    for (int i = 0; i <= MIME_HEADER_MAX; i++)
        CU_ASSERT_EQUAL(buf_puts(&many, "b"), 0);
    CU_ASSERT_EQUAL(find_message(buf_str(&many), &body), ERR_LIMIT);
    jwe_free(&jwe);
    buf_free(&json);
    buf_free(&body);
    buf_free(&cipher);
    buf_free(&many);
}

static void test_bad_ciphertext(void)
{
    struct buf json = BUF_INIT, body = BUF_INIT, cipher = BUF_INIT, got = BUF_INIT;
    struct mailcrypt m;
    struct jwe *jwe = NULL;
    struct err e;

    encrypt("X25519", "x", 1, &jwe, &cipher);
    CU_ASSERT_EQUAL_FATAL(jwe_write(jwe, NULL, &json, &e), 0);
    CU_ASSERT_EQUAL(buf_printf(&body,
                               P1 "--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
                                  "AAAA\nAA*A\n--b--\n",
                               buf_str(&json)),
                    0);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_find(span(TYPE), nothing, span_of(&body), &m, &e), 0);
    CU_ASSERT_EQUAL(m.part2_base64, 1);
    CU_ASSERT_EQUAL(mailcrypt_ciphertext(&m, &got, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(got.len, 0);
    mailcrypt_clear(&m);
    CU_ASSERT_EQUAL(mailcrypt_ciphertext(&m, &got, &e), ERR_USAGE);
    jwe_free(&jwe);
    buf_free(&json);
    buf_free(&body);
    buf_free(&cipher);
    buf_free(&got);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"build, find, rewrite, find: the same in all suites, CRLF and LF", test_build_find},
        {"a string over 900 octets puts part 1 in base64", test_long_string},
        {"frames: ours, plain, broken", test_frames},
        {"what stands around the two parts", test_multipart},
        {"part 1 with each bit flipped, and cut short", test_flips},
        {"25 MB are not copied; part 1 has a limit", test_sizes},
        {"a whole JWE as body", test_whole},
        {"whole messages and their header", test_message},
        {"ciphertext that is no base64", test_bad_ciphertext},
    };
    return unit_main("mailcrypt", tests, sizeof tests / sizeof *tests);
}
