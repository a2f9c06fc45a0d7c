#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailcrypt.h"
#include "common/protect.h"
#include "common/udf.h"
#include "corpus.h"
#include "span.h"
#include "unit.h"

#define KID "list@example.com.mm--abcde-fghij"

struct keys {
    struct jwk *group, *signer;
};

static void keys_new(struct keys *k)
{
    struct err e;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &k->group, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_set_kid(k->group, KID), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &k->signer, &e), 0);
}

static void keys_free(struct keys *k)
{
    jwk_free(&k->group);
    jwk_free(&k->signer);
}

static int lookup(void *arg, const char *account, const char *kid, struct jwk **out, struct err *e)
{
    struct keys *k = arg;

    (void)account;
    (void)kid;
    return jwk_public_copy(k->signer, out, e);
}

static int seal(struct span msg, const struct keys *k, const char *from, struct buf *out)
{
    struct err e;
    const struct jwk *to = k->group;

    return protect_seal(msg, &to, 1, from ? k->signer : NULL, from, NULL, out, &e);
}

/* The sealed message through find, decrypt and open: the verdict, and whether it is what was sealed. */
static int opened(const struct buf *sealed, struct keys *k, struct span msg, enum protect_status *status)
{
    struct span whole = {sealed->data, sealed->len}, header, body;
    struct buf cipher = BUF_INIT, plain = BUF_INIT, got = BUF_INIT;
    struct protect_verdict v;
    struct mailcrypt m;
    struct err e = {0, ""};
    int r;

    if ((r = mailcrypt_find_message(whole, &header, &body, &m, &e)) == 0 &&
        (r = mailcrypt_ciphertext(&m, &cipher, &e)) == 0 &&
        (r = jwe_decrypt(m.jwe, k->group, &cipher, &plain, &e)) == 0 &&
        (r = protect_open((struct span){plain.data, plain.len}, KID, lookup, k, &got, &v, &e)) == 0) {
        r = got.len == msg.len && memcmp(got.data, msg.data, got.len) == 0;
        *status = v.status;
    } else {
        printf("# %s\n", e.text);
    }
    mailcrypt_clear(&m);
    buf_free(&cipher);
    buf_free(&plain);
    buf_free(&got);
    return r;
}

static void test_outer(void)
{
    static const char msg[] =
        "Received: from me\r\nFrom: J\xc3\xb6rg <Dave@example.com>\r\nTo: list@example.com,\r\n x@y.z\r\n"
        "Bcc: hidden@example.org\r\nSubject: the secret\r\nMessage-ID: <1@x>\r\nDate: today\r\n"
        "Reply-To: secret@example.org\r\nX-Mailer: secret\r\nContent-Type: text/plain\r\n\r\nsecret body\r\n";
    static const char outside[] =
        "From: J??rg <Dave@example.com>\r\nTo: list@example.com,\r\n x@y.z\r\nDate: today\r\n"
        "Message-ID: <1@x>\r\nSubject: [...]\r\nMIME-Version: 1.0\r\nContent-Type: multipart/encrypted; "
        "protocol=\"application/jose+json\"; boundary=\"";
    enum protect_status status = PROTECT_BAD;
    struct buf out = BUF_INIT;
    struct keys k;

    keys_new(&k);
    CU_ASSERT_EQUAL(buf_puts(&out, "x"), 0);
    CU_ASSERT_EQUAL(seal(span(msg), &k, "dave@EXAMPLE.com", &out), 0);
    CU_ASSERT_EQUAL(strncmp(buf_str(&out) + 1, outside, sizeof outside - 1), 0);
    CU_ASSERT_PTR_NULL(strstr(buf_str(&out), "secret"));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&out), "hidden"));
    for (size_t i = 1; i < out.len; i++)
        CU_ASSERT(out.data[i] < 127 && ((out.data[i] == '\n') == (out.data[i - 1] == '\r')));
    memmove(out.data, out.data + 1, --out.len);
    CU_ASSERT_EQUAL(opened(&out, &k, span(msg), &status), 1);
    CU_ASSERT_EQUAL(status, PROTECT_SIGNED);
    buf_free(&out);
    keys_free(&k);
}

static void test_refused(void)
{
    static const struct {
        const char *msg, *from;
        int result;
    } cases[] = {
        {"To: a@b.c\n\nx", NULL, ERR_SYNTAX},
        {"\nFrom: a@b.c", NULL, ERR_SYNTAX},
        {"", NULL, ERR_SYNTAX},
        {"From: a@b.c\nFrom: a@b.c\n\nx", NULL, ERR_SYNTAX},
        {"From: a@b.c\nno field\n\nx", "a@b.c", ERR_SYNTAX},
        {"From a@b.c Mon\nFrom: a@b.c\n\nx", "a@b.c", ERR_SYNTAX},
        {"From a@b.c Mon\nFrom: a@b.c\n\nx", NULL, 0},
        {"From: j\xc3\xb6rg@b.c\n\nx", NULL, ERR_UNSUPPORTED},
        {"From: a@b.c\n\nx", "b@b.c", ERR_USAGE},
        {"From: a@b.c, b@b.c\n\nx", "a@b.c", ERR_SYNTAX},
        {"From: a@b.c\n\nx", "a", ERR_SYNTAX},
        {"From: a@b.c, b@b.c\n\nx", NULL, 0},
        {"From: a@b.c\n\nx", "a@b.c", 0},
    };
    struct keys k;

    keys_new(&k);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT;

        CU_ASSERT_EQUAL(seal(span(cases[i].msg), &k, cases[i].from, &out), cases[i].result);
        CU_ASSERT_EQUAL(out.len > 0, cases[i].result == 0);
        buf_free(&out);
    }
    keys_free(&k);
}

/* Sealed to two keys: each opens it, and the signature names both. */
static void test_two_keys(void)
{
    static const char msg[] = "From: a@example.com\n\nto two\n";
    enum protect_status status = PROTECT_BAD;
    struct buf out = BUF_INIT;
    struct keys k;
    struct jwk *other = NULL;
    const struct jwk *to[2];
    struct err e;

    keys_new(&k);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("P-256", &other, &e), 0);
    to[0] = other;
    to[1] = k.group;
    CU_ASSERT_EQUAL(protect_seal(span(msg), to, 2, k.signer, "a@example.com", "hidden", &out, &e), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "\r\nSubject: hidden\r\n"));
    CU_ASSERT_EQUAL(opened(&out, &k, span(msg), &status), 1);
    CU_ASSERT_EQUAL(status, PROTECT_SIGNED);
    CU_ASSERT_EQUAL(protect_seal(span(msg), to, 0, NULL, NULL, NULL, &out, &e), ERR_USAGE);
    jwk_free(&other);
    buf_free(&out);
    keys_free(&k);
}

/* Whatever room there is: all of it, or ERR_LIMIT and the output as it was. */
static void test_room(void)
{
    static const char msg[] =
        "From: a@example.com\nTo: b@example.com,\n c@example.com\nContent-Type: text/plain\n\nhi\n";
    struct buf full = BUF_INIT;
    struct keys k;
    int bad = 0;

    keys_new(&k);
    CU_ASSERT_EQUAL(seal(span(msg), &k, "a@example.com", &full), 0);
    for (size_t max = 3; max < full.len + 200; max += 13) {
        struct buf out = {NULL, 0, 0, max};
        int r;

        bad += buf_puts(&out, "...") < 0;
        r = seal(span(msg), &k, "a@example.com", &out);
        bad += r == 0 ? out.len < full.len : r != ERR_LIMIT || strcmp(buf_str(&out), "...") != 0;
        buf_free(&out);
    }
    CU_ASSERT_EQUAL(bad, 0);
    buf_free(&full);
    keys_free(&k);
}

struct tally {
    struct keys keys;
    int sealed, refused, is_signed;
};

/* How many From fields, when lines that are no fields do not count; strict: when there are any, -1. */
static int from_fields(struct span msg, int strict, struct mime_field *from)
{
    struct span header, body;
    struct mime_field f;
    size_t at = 0;
    int r, count = 0;

    mime_split(msg, &header, &body);
    while ((r = mime_field_next(header, &at, &f, NULL)) != 0)
        if (r < 0 && strict)
            return -1;
        else if (r == 1 && mime_field_is(&f, "From")) {
            count++;
            *from = f;
        }
    return count;
}

static int address_of(struct span msg, char account[ADDRESS_SIZE])
{
    struct buf address = BUF_INIT;
    struct mime_field f;
    struct err e;
    int ok = from_fields(msg, 1, &f) == 1 && mime_mailbox(f.value, &address, &e) == 0 &&
             address_canonical(buf_str(&address), address.len, account, &e) == 0;

    buf_free(&address);
    return ok;
}

static int one(void *arg, const char *path, struct span msg)
{
    struct tally *t = arg;
    enum protect_status status = PROTECT_BAD;
    char account[ADDRESS_SIZE];
    struct mime_field f;
    struct buf out = BUF_INIT;
    int r = seal(msg, &t->keys, NULL, &out);

    if (from_fields(msg, 0, &f) != 1 || r == ERR_UNSUPPORTED) {
        t->refused++;
        r = r == ERR_SYNTAX || (r == ERR_UNSUPPORTED && !address_of(msg, account));
    } else if (r == 0) {
        t->sealed++;
        r = opened(&out, &t->keys, msg, &status) == 1 && status == PROTECT_UNSIGNED;
    }
    buf_reset(&out);
    if (r == 1 && address_of(msg, account)) {
        t->is_signed++;
        r = seal(msg, &t->keys, account, &out) == 0 && opened(&out, &t->keys, msg, &status) == 1 &&
            status == PROTECT_SIGNED;
    }
    if (r != 1)
        printf("# %s: %d\n", path, r);
    buf_free(&out);
    return r == 1;
}

static void test_corpus(void)
{
    struct tally t = {{NULL, NULL}, 0, 0, 0};

    keys_new(&t.keys);
    if (!corpus_each(one, &t)) {
        unit_skip("no mail corpus");
    } else {
        printf("# %d sealed and opened, %d of them also signed, %d refused\n", t.sealed, t.is_signed, t.refused);
        CU_ASSERT_EQUAL(corpus_failed(), 0);
        CU_ASSERT(t.sealed > 95);
        CU_ASSERT(t.is_signed > 50);
    }
    keys_free(&t.keys);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"what stands outside, and nothing else", test_outer},
        {"refused: no From, two, a signer who is not From", test_refused},
        {"two keys", test_two_keys},
        {"too little room leaves the output as it was", test_room},
        {"the mail corpus sealed, found, decrypted and opened", test_corpus},
    };
    return unit_main("seal", tests, sizeof tests / sizeof *tests);
}
