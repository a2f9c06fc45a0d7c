#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/protect.h"
#include "common/sjson.h"
#include "common/udf.h"
#include "span.h"
#include "unit.h"

#define GROUP "list@example.com.mm--abcde-fghij"
#define MESSAGE                                                                                                        \
    "From: \"Alice, A.\" <Alice@Example.com>\r\nTo: list@example.com\r\nSubject: =?utf-8?q?=C3=A4?=\r\n"               \
    "X-Recrypt-Signed: yes\r\nContent-Type: text/plain\r\n\r\nhello\r\n"

static struct jwk *new_key(const char *type)
{
    struct jwk *k = NULL;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(jwk_generate(type, &k, &e), 0);
    return k;
}

/* A directory with one account in it. */
struct directory {
    const char *account;
    const struct jwk *key;
    int result; /* answered as it is when not 0 */
    int calls;
};

static int lookup(void *arg, const char *account, const char *kid, struct jwk **out, struct err *e)
{
    struct directory *d = arg;

    (void)kid;
    d->calls++;
    *out = NULL;
    if (d->result)
        return err_set(e, d->result, "as told");
    return strcmp(account, d->account) == 0 ? jwk_public_copy(d->key, out, e) : err_set(e, ERR_ABSENT, "nobody");
}

/* Opens and says what came out: the verdict's status, or an error. */
static int opens(struct span plain, struct directory *d, struct span expected)
{
    struct protect_verdict v;
    struct buf msg = BUF_INIT;
    struct err e;
    int r;

    CU_ASSERT_EQUAL(buf_puts(&msg, "before"), 0);
    r = protect_open(plain, GROUP, lookup, d, &msg, &v, &e);
    if (r < 0) {
        CU_ASSERT_STRING_EQUAL(buf_str(&msg), "before");
    } else {
        struct span got = {msg.data + 6, msg.len - 6};

        CU_ASSERT(got.len == expected.len && (got.len == 0 || memcmp(got.data, expected.data, got.len) == 0));
        CU_ASSERT(v.why[0] != 0);
        if (v.status == PROTECT_SIGNED)
            CU_ASSERT_STRING_EQUAL(v.from, d->account);
    }
    buf_free(&msg);
    return r < 0 ? r : (int)v.status;
}

static void sign(struct span msg, const struct jwk *key, const char *from, const char *to, struct buf *entity)
{
    const char *ids[] = {"other@example.com.mm--abcde", to};
    struct buf payload = BUF_INIT;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(protect_wrap(msg, NULL, &payload, &e), 0);
    CU_ASSERT_EQUAL_FATAL(protect_sign(&payload, key, from, ids, 2, entity, &e), 0);
    buf_free(&payload);
}

static void test_signed(void)
{
    static const char *const types[] = {"Ed25519", "ES256"};
    static const char *const messages[] = {MESSAGE, "From: alice@example.com\n\nLF\n",
                                           "From:alice@example.com\r\n\r\nx\r", "From: alice@example.com\n\n\r\n\n",
                                           "From: <alice@example.com>"};
    struct directory d = {"alice@example.com", NULL, 0, 0};

    for (size_t t = 0; t < 2; t++) {
        struct jwk *key = new_key(types[t]);

        d.key = key;
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
            struct buf entity = BUF_INIT;

            sign(span(messages[i]), key, "Alice@Example.com", GROUP, &entity);
            CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(messages[i])), PROTECT_SIGNED);
            buf_free(&entity);
        }
        jwk_free(&key);
    }
    CU_ASSERT_EQUAL(d.calls, 10);
}

static void test_lookup(void)
{
    struct jwk *key = new_key("Ed25519"), *other = new_key("Ed25519");
    struct directory d = {"alice@example.com", key, ERR_ABSENT, 0};
    struct buf entity = BUF_INIT;

    sign(span(MESSAGE), key, "alice@example.com", GROUP, &entity);
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), PROTECT_UNKNOWN);
    d.result = ERR_RETRY;
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), ERR_RETRY);
    d.result = ERR_SYSTEM;
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), ERR_SYSTEM);
    d.result = 0;
    d.key = other;
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), PROTECT_UNKNOWN);
    buf_free(&entity);
    jwk_free(&key);
    jwk_free(&other);
}

static void test_from(void)
{
    static const char *const bad[] = {
        "To: x@y.z\n\nno From",
        "From: alice@example.com\nFrom: alice@example.com\n\ntwo",
        "From: alice@example.com\nfrom : mallory@example.com\n\ntwo",
        "From: alice@example.com, mallory@example.com\n\nlist",
        "From: alice@example.com <mallory@example.com>\n\nname",
        "From: mallory@example.com (alice@example.com)\n\ncomment",
        "From: \"<alice@example.com>\" <mallory@example.com>\n\nquoted",
        "From: friends: alice@example.com;\n\ngroup",
        "From: alice@example.com\x01\n\ncontrol",
        "From: =?utf-8?q?Boss_=3Cboss=40example.com=3E=00?= <alice@example.com>\n\nencoded control",
        "From: alice@example.com\rFrom: mallory@example.com\n\nbare CR",
        "junk\nFrom: alice@example.com\n\nno field before it",
        "From: mallory@example.com\n\nother",
        "\nFrom: alice@example.com\n",
        "",
    };
    struct jwk *key = new_key("Ed25519");
    struct directory d = {"alice@example.com", key, 0, 0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf entity = BUF_INIT;

        sign(span(bad[i]), key, "alice@example.com", GROUP, &entity);
        CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(bad[i])), PROTECT_BAD);
        buf_free(&entity);
    }
    CU_ASSERT_EQUAL(d.calls, 0);
    jwk_free(&key);
}

static void test_other_group(void)
{
    struct jwk *key = new_key("Ed25519");
    struct directory d = {"alice@example.com", key, 0, 0};
    struct protect_verdict v;
    struct buf entity = BUF_INIT, msg = BUF_INIT;
    struct err e;

    sign(span(MESSAGE), key, "alice@example.com", "list@example.com.mm--abcde", &entity);
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), PROTECT_BAD);
    CU_ASSERT_EQUAL(protect_open(span_of(&entity), NULL, lookup, &d, &msg, &v, &e), 0);
    CU_ASSERT_EQUAL(v.status, PROTECT_BAD);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.why, "another recipient"));
    CU_ASSERT_STRING_EQUAL(v.from, "alice@example.com");
    buf_free(&entity);
    buf_free(&msg);
    jwk_free(&key);
}

/* Every bit of the signed part and of the signature counts. */
static void test_flips(void)
{
    struct jwk *key = new_key("Ed25519");
    struct directory d = {"alice@example.com", key, 0, 0};
    struct buf entity = BUF_INIT;
    struct protect_verdict v;
    struct err e;
    size_t from, to;
    int verified = 0;

    sign(span(MESSAGE), key, "alice@example.com", GROUP, &entity);
    from = (size_t)(strstr(buf_str(&entity), "HP-Outer") - buf_str(&entity));
    to = (size_t)(strstr(buf_str(&entity), "application/jose\r\n\r\n") - buf_str(&entity));
    for (size_t i = from; i < entity.len - 40; i++) {
        struct buf msg = BUF_INIT;

        if (i >= to - 60 && i < to + 20) /* the delimiter line and the header of part 2 */
            continue;
        entity.data[i] ^= 1;
        verified += protect_open(span_of(&entity), GROUP, lookup, &d, &msg, &v, &e) == 0 && v.status == PROTECT_SIGNED;
        entity.data[i] ^= 1;
        buf_free(&msg);
    }
    CU_ASSERT_EQUAL(verified, 0);
    CU_ASSERT_EQUAL(opens(span_of(&entity), &d, span(MESSAGE)), PROTECT_SIGNED);
    buf_free(&entity);
    jwk_free(&key);
}

/* A signed entity as somebody else might put it together: header members by text, frame by format. */
static int with_header(const struct jwk *key, const char *json, int detached, const char *frame)
{
    struct directory d = {"alice@example.com", key, 0, 0};
    struct json_object *header = NULL;
    struct buf jws = BUF_INIT, entity = BUF_INIT, msg = BUF_INIT;
    struct protect_verdict v;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(sjson_parse(json, strlen(json), NULL, &header, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jws_sign(key, header, MESSAGE, sizeof MESSAGE - 1, detached, &jws, &e), 0);
    CU_ASSERT_EQUAL_FATAL(buf_printf(&entity, frame, MESSAGE, buf_str(&jws)), 0);
    CU_ASSERT_EQUAL(protect_open(span_of(&entity), GROUP, lookup, &d, &msg, &v, &e), 0);
    json_object_put(header);
    buf_free(&jws);
    buf_free(&entity);
    buf_free(&msg);
    return (int)v.status;
}

#define TOP "Content-Type: multipart/signed; protocol=\"application/jose\"; boundary=b\n\n"
#define FRAME TOP "--b\n%s\n--b\nContent-Type: application/jose\n\n%s\n--b--\n"
#define CLAIMS "{\"typ\":\"recrypt-mail\",\"from\":\"alice@example.com\",\"to\":[\"" GROUP "\"]"

static void test_claims(void)
{
    struct jwk *key = new_key("Ed25519");
    char udf[JWK_UDF_SIZE], good[512];

    CU_ASSERT_EQUAL_FATAL(jwk_udf(key, udf), 0);
    snprintf(good, sizeof good, CLAIMS ",\"kid\":\"%s\"}", udf);
    CU_ASSERT_EQUAL(with_header(key, good, 1, FRAME), PROTECT_SIGNED);
    CU_ASSERT_EQUAL(with_header(key, good, 0, FRAME), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, CLAIMS ",\"kid\":\"\\n\"}", 1, FRAME), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, CLAIMS ",\"kid\":\"AAAAA\"}", 1, FRAME), PROTECT_UNKNOWN);
    CU_ASSERT_EQUAL(
        with_header(key, "{\"typ\":\"jwt\",\"from\":\"alice@example.com\",\"to\":[\"" GROUP "\"]}", 1, FRAME),
        PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, "{\"from\":\"alice@example.com\",\"to\":[\"" GROUP "\"]}", 1, FRAME), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, "{\"typ\":\"recrypt-mail\",\"to\":[\"" GROUP "\"]}", 1, FRAME), PROTECT_BAD);
    CU_ASSERT_EQUAL(
        with_header(key, "{\"typ\":\"recrypt-mail\",\"from\":\"Alice@example.com\",\"to\":[\"" GROUP "\"]}", 1, FRAME),
        PROTECT_BAD);
    CU_ASSERT_EQUAL(
        with_header(key, "{\"typ\":\"recrypt-mail\",\"from\":\"alice@example.com\",\"to\":\"" GROUP "\"}", 1, FRAME),
        PROTECT_BAD);
    CU_ASSERT_EQUAL(
        with_header(key, "{\"typ\":\"recrypt-mail\",\"from\":\"alice@example.com\",\"to\":[1,{}]}", 1, FRAME),
        PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, "{\"typ\":\"recrypt-mail\",\"from\":\"alice@example.com\"}", 1, FRAME),
                    PROTECT_BAD);
    /* The frame: only two parts, the second one of its type, the whole of the top level. */
    CU_ASSERT_EQUAL(
        with_header(key, good, 1,
                    "Content-Type: multipart/signed; protocol=\"APPLICATION/JOSE\";\r\n boundary=b\r\n\r\n"
                    "preamble\r\n--b\r\n%s\r\n--b\r\nContent-Type: Application/JOSE\r\n\r\n%s\r\n\r\n--b--"),
        PROTECT_SIGNED);
    CU_ASSERT_EQUAL(
        with_header(key, good, 1, TOP "--b\n%s\n--b\nContent-Type: application/jose\n\n%s\n--b\n\nx\n--b--\n"),
        PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1, TOP "--b\n%s\n--b\nContent-Type: application/jose\n\n%s\n"), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1, TOP "--b\n%s\n--b\nContent-Type: text/plain\n\n%s\n--b--\n"),
                    PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1, TOP "--b\n%s\n--b\n\n%s\n--b--\n"), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1, TOP "--b\n%s\n--b--\n%s"), PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1,
                                "Content-Type: multipart/signed; protocol=\"application/jose\"\n\n--b\n%s\n--b\n"
                                "Content-Type: application/jose\n\n%s\n--b--\n"),
                    PROTECT_BAD);
    CU_ASSERT_EQUAL(with_header(key, good, 1, "Content-Type: text/plain\n" FRAME), PROTECT_UNSIGNED);
    CU_ASSERT_EQUAL(with_header(key, good, 1, "Content-Type: multipart/mixed; boundary=o\n\n--o\n" FRAME "--o--\n"),
                    PROTECT_UNSIGNED);
    CU_ASSERT_EQUAL(with_header(key, good, 1,
                                "Content-Type: multipart/mixed; boundary=o\n\n--o\n\nmallory says\n--o\n" FRAME
                                "\n--o--\n"),
                    PROTECT_UNSIGNED);
    CU_ASSERT_EQUAL(with_header(key, good, 1, "Content-Type: message/rfc822\n\n" FRAME), PROTECT_UNSIGNED);
    jwk_free(&key);
}

static void test_unsigned(void)
{
    static const char *const foreign[] = {
        "Content-Type: text/plain; charset=utf-8\r\n\r\nf\xc3\xbcr dich\r\n",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n",
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=x\n\n--x\n\na\n--x--\n",
        "Content-Type: multipart/signed; boundary=x; boundary=y\n\n--x\n\na\n--x--\n",
        "just text",
        "",
        "\n",
    };
    struct directory d = {"alice@example.com", NULL, 0, 0};
    struct buf payload = BUF_INIT, entity = BUF_INIT;
    struct jwk *key = new_key("Ed25519");
    struct err e;

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        CU_ASSERT_EQUAL(opens(span(foreign[i]), &d, span(foreign[i])), PROTECT_UNSIGNED);
    CU_ASSERT_EQUAL(protect_wrap(span(MESSAGE), NULL, &payload, &e), 0);
    CU_ASSERT_EQUAL(opens(span_of(&payload), &d, span(MESSAGE)), PROTECT_UNSIGNED);
    /* A message whose own type is our multipart/signed, sealed without a signature of its sender: it comes back whole.
     */
    buf_reset(&payload);
    sign(span(MESSAGE), key, "alice@example.com", GROUP, &entity);
    d.key = key;
    CU_ASSERT_EQUAL(protect_wrap(span_of(&entity), NULL, &payload, &e), 0);
    CU_ASSERT_EQUAL(opens(span_of(&payload), &d, span_of(&entity)), PROTECT_UNSIGNED);
    CU_ASSERT_EQUAL(d.calls, 0);
    CU_ASSERT(!span_equal(span_of(&payload), span_of(&entity)));
    buf_free(&payload);
    buf_free(&entity);
    jwk_free(&key);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"signed: verdict, sender and the same octets", test_signed},
        {"unknown signer; a directory that is away is an error", test_lookup},
        {"bad: the signer is not the one From inside", test_from},
        {"bad: made for another group", test_other_group},
        {"bad: any octet changed", test_flips},
        {"what the signature has to say, and in which frame", test_claims},
        {"unsigned: ours, foreign, and a signature that is content", test_unsigned},
    };
    return unit_main("protect", tests, sizeof tests / sizeof *tests);
}
