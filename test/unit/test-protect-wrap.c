#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/protect.h"
#include "corpus.h"
#include "span.h"
#include "unit.h"

/* wrap, unwrap: the same octets; the wrapped form has what RFC 9788 asks for */
static int identity(struct span msg)
{
    struct buf payload = BUF_INIT, back = BUF_INIT;
    struct err e;
    int same, r = protect_wrap(msg, NULL, &payload, &e);

    if (r < 0)
        return r;
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&payload), "HP-Outer: Subject: [...]"));
    CU_ASSERT_PTR_NOT_NULL(memmem(payload.data, payload.len, "; hp=\"cipher\"", 13));
    CU_ASSERT_EQUAL(buf_puts(&back, "kept"), 0);
    CU_ASSERT_EQUAL(protect_unwrap((struct span){payload.data, payload.len}, &back, &e), 0);
    same = back.len == msg.len + 4 && (msg.len == 0 || memcmp(back.data + 4, msg.data, msg.len) == 0);
    buf_free(&payload);
    buf_free(&back);
    return same;
}

static void wraps_to(const char *msg, const char *payload)
{
    struct buf out = BUF_INIT;
    struct err e;

    CU_ASSERT_EQUAL(protect_wrap(span(msg), "s", &out, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&out), payload);
    CU_ASSERT_EQUAL(identity(span(msg)), 1);
    buf_free(&out);
}

static void test_form(void)
{
    wraps_to("From: a@b.c\r\nBcc: x@y.z\r\nSubject: secret\r\nContent-Type: text/plain\r\n\r\nhi\r\n",
             "HP-Outer: From: a@b.c\r\nHP-Outer: Subject: s\r\nFrom: a@b.c\r\nBcc: x@y.z\r\nSubject: secret\r\n"
             "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nhi\r\n");
    wraps_to("From:a@b.c\nTo: x,\n\ty\n\nhi",
             "Content-Type: text/plain; hp=\"cipher\"\nHP-Outer: From: a@b.c\nHP-Outer: To: x,\n\ty\n"
             "HP-Outer: Subject: s\nFrom:a@b.c\nTo: x,\n\ty\n\nhi");
    wraps_to(
        "content-type : (c)\r\n\tmultipart/mixed (d);\r\n boundary=x\r\n\r\n",
        "HP-Outer: Subject: s\r\ncontent-type : (c)\r\n\tmultipart/mixed; hp=\"cipher\" (d);\r\n boundary=x\r\n\r\n");
    wraps_to("", "Content-Type: text/plain; hp=\"cipher\"\r\nHP-Outer: Subject: s\r\n");
    wraps_to(" folded\nContent-Type: text\n",
             "Content-Type: text/plain; hp=\"cipher\"\nHP-Outer: Subject: s\n folded\nContent-Type: text\n");
}

static void test_oddities(void)
{
    static const char *const odd[] = {
        "\n",
        "\r\n",
        "\r",
        "\r\n\r\n",
        "\n\n\n",
        "body only\n",
        "\nbody only",
        "A: b",
        "A: b\n",
        "A: b\r\n",
        "A: b\r\nC: d\n\r\nmixed\nlines\r\nand \r lone",
        "HP-Outer: Subject: x\n\nown",
        "HP-Outer: Subject: x\r\nHP-Outer: From: y\r\nContent-Type: a/b; hp=\"cipher\"\r\n\r\nown",
        "HP-Outer: From: x",
        " HP-Outer: From: x\n",
        "\tx\nFrom: a\n b\n",
        "Content-Type: text/plain; hp=\"cipher\"\r\nHP-Outer: Subject: [...]\r\n\r\nwrapped already",
        "Content-Type: text/plain; hp=\"cipher\"\n",
        "Content-Type: text/plain; hp=\"cipher\"",
        "Content-Type: text/plain; hp=\"cipher\"; hp=\"cipher\"\n\n",
        "Content-Type: text/plain\r\rX\n\n",
        "Content-Type:\n\nContent-Type: a/b\n",
        "Content-Type: text/\nContent-Type: a/b\n\n",
        "Content-Type: text/plain/more\n\n",
        "Content-Type: (open text/plain\n\n",
        "Content-Type: a/b",
        "junk\nContent-Type: a/b\nContent-Type: c/d\n\n",
        "From: \xc3\xa4 <a@b.c>\n\n\xff",
        "From: a\r\n \r\n b\r\n\t\r\nTo: c\r\n\r\n",
        "To: a\r\n\r\n",
        "To:",
        "To:\r\n",
        "Subject: HP-Outer: Subject: z\nTo: HP-Outer: Subject: z\n\n",
    };
    unsigned char *raw = malloc(300);

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        CU_ASSERT_EQUAL(identity(span(odd[i])), 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raw);
    for (size_t i = 0; i < 300; i++)
        raw[i] = (unsigned char)i;
    CU_ASSERT_EQUAL(identity((struct span){raw, 300}), 1);
    memcpy(raw, "Content-Type: a\0/b\nTo: \0x\n\n", 27);
    CU_ASSERT_EQUAL(identity((struct span){raw, 27}), 1);
    free(raw);
}

/* Deterministic mutations of a message that has everything. */
static void test_mutations(void)
{
    static const char base[] =
        "HP-Outer: Subject: q\r\nFrom: a\r\n b\r\nTo: c\nContent-Type: a/b; hp=\"cipher\"; x=y\r\n\r\n\r\nz";
    static const char octets[] = "\r\n :;/\"\0H(a";
    unsigned char m[sizeof base - 1];
    unsigned seed = 1;
    int bad = 0;

    for (int round = 0; round < 20000; round++) {
        memcpy(m, base, sizeof m);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1103515245 + 12345;
            m[(seed >> 16) % sizeof m] = (unsigned char)octets[(seed >> 8) % (sizeof octets - 1)];
        }
        bad += identity((struct span){m, sizeof m - seed % 16}) != 1;
    }
    CU_ASSERT_EQUAL(bad, 0);
}

static void test_limits(void)
{
    size_t len = (size_t)100 << 20;
    unsigned char *big = malloc(len);
    struct timespec a, b;
    struct buf out = BUF_INIT;
    struct err e;

    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, 'a', len);
    for (size_t i = 0; i < len; i += 50)
        big[i] = '\n';
    big[0] = 'X';
    clock_gettime(CLOCK_MONOTONIC, &a);
    CU_ASSERT_EQUAL(protect_wrap((struct span){big, len}, NULL, &out, &e), ERR_LIMIT);
    CU_ASSERT_EQUAL(out.len, 0);
    CU_ASSERT_EQUAL(protect_unwrap((struct span){big, len}, &out, &e), ERR_LIMIT);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CU_ASSERT(b.tv_sec - a.tv_sec < 5);
    memcpy(big, "To: ", 4); /* fits alone, but not with its copy */
    memset(big + 4, 'a', 200000);
    memcpy(big + 200004, "\n\n", 2);
    CU_ASSERT_EQUAL(protect_wrap((struct span){big, 200100}, NULL, &out, &e), ERR_LIMIT);
    memcpy(big + 100000, "\n\n", 2);
    CU_ASSERT_EQUAL(identity((struct span){big, 200100}), 1);
    free(big);
    buf_free(&out);
    CU_ASSERT_EQUAL(protect_wrap(span(""), "a\r\nb: c", &out, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(protect_wrap(span(""), "\xc3\xa4", &out, &e), ERR_USAGE);
    buf_free(&out);
}

static void test_room(void)
{
    static const char msg[] = "From: a@b.c\r\nTo: x,\r\n y\r\nContent-Type: text/plain\r\n\r\nhi\r\n";
    struct buf full = BUF_INIT;
    struct err e;
    int bad = 0;

    CU_ASSERT_EQUAL(protect_wrap(span(msg), NULL, &full, &e), 0);
    for (size_t max = 1; max < full.len + 20; max++) {
        struct buf wrapped = {NULL, 0, 0, max}, back = {NULL, 0, 0, max};
        int r;

        bad += buf_puts(&wrapped, ".") < 0 || buf_puts(&back, ".") < 0;
        r = protect_wrap(span(msg), NULL, &wrapped, &e);
        bad += r == 0 ? wrapped.len != full.len + 1 : r != ERR_LIMIT || strcmp(buf_str(&wrapped), ".") != 0;
        r = protect_unwrap((struct span){full.data, full.len}, &back, &e);
        bad += r == 0 ? back.len != sizeof msg : r != ERR_LIMIT || strcmp(buf_str(&back), ".") != 0;
        buf_free(&wrapped);
        buf_free(&back);
    }
    CU_ASSERT_EQUAL(bad, 0);
    buf_free(&full);
}

static void test_foreign(void)
{
    static const char *const cases[][2] = {
        {"Content-Type: text/plain; hp=\"cipher\"\r\nSubject: x\r\nHP-Outer: Subject: [...]\r\nHP-Outer: From: a\r\n "
         "b\r\n\r\nHP-Outer: y",
         "Content-Type: text/plain; hp=\"cipher\"\r\nSubject: x\r\n\r\nHP-Outer: y"},
        {"Content-Type: a/b\n\nx", "Content-Type: a/b\n\nx"},
        {"", ""},
        {"no entity at all", "no entity at all"},
        {"HP-Outer: From: a\nContent-Type: a/b; hp=cipher\n\n", "Content-Type: a/b; hp=cipher\n\n"},
        {"HP-Outer: Subject: a\nContent-Type: a/b\n\n", "Content-Type: a/b\n\n"},
        {"junk\nhp-outer: a\nhp-outer: b", "junk\n"},
    };
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        CU_ASSERT_EQUAL(protect_unwrap(span(cases[i][0]), &out, &e), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&out), cases[i][1]);
    }
    buf_free(&out);
}

static void test_outer_octets(void)
{
    static const char *const cases[][2] = {
        {"To: a@b.c\r\n , d@e.f\n\n", "HP-Outer: To: a@b.c\r\n , d@e.f\r\n"},
        {"To: a@b.c\n \t\n x\n\n", "HP-Outer: To: a@b.c\n x\n"},
        {"To: J\xc3\xb6rg <a@b.c>\n\n", "HP-Outer: To: J??rg <a@b.c>\n"},
        {"To: a\rBcc: x <a@b.c>\n\n", "HP-Outer: To: a?Bcc: x <a@b.c>\n"},
        {"To: j\xc3\xb6rg@b.c\n\n", "HP-Outer: Subject"},
        {"To: a@b\x01.c\n\n", "HP-Outer: Subject"},
        {"To: first\nTo: second\n\n", "HP-Outer: To: first\nHP-Outer: Subject"},
    };
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at;

        buf_reset(&out);
        CU_ASSERT_EQUAL(protect_wrap(span(cases[i][0]), NULL, &out, &e), 0);
        at = strstr(buf_str(&out), "HP-Outer");
        CU_ASSERT(at && strncmp(at, cases[i][1], strlen(cases[i][1])) == 0);
    }
    buf_free(&out);
}

static int one(void *arg, const char *path, struct span msg)
{
    int *count = arg, r = identity(msg);

    if (r != 1)
        printf("# %s: %d\n", path, r);
    ++*count;
    return r == 1;
}

static void test_corpus(void)
{
    int count = 0;

    if (!corpus_each(one, &count)) {
        unit_skip("no mail corpus");
        return;
    }
    CU_ASSERT(count >= 100);
    CU_ASSERT_EQUAL(corpus_failed(), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"the form that formats.md describes", test_form},
        {"exact inverse on oddities", test_oddities},
        {"exact inverse on 20,000 mutations", test_mutations},
        {"100 MB of header, and subjects that are none", test_limits},
        {"too little room leaves the output as it was", test_room},
        {"payloads of others lose their HP-Outer fields only", test_foreign},
        {"octets that must not go outside", test_outer_octets},
        {"exact inverse on the mail corpus", test_corpus},
    };
    return unit_main("protect-wrap", tests, sizeof tests / sizeof *tests);
}
