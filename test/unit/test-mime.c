#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mime.h"
#include "span.h"
#include "unit.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_split(void)
{
    static const char *const cases[][3] = {
        {"A: 1\r\n\r\nbody\r\n", "A: 1\r\n", "body\r\n"},
        {"A: 1\n\nbody", "A: 1\n", "body"},
        {"A: 1\r\n\nbody", "A: 1\r\n", "body"},
        {"A: 1\n\r\nbody", "A: 1\n", "body"},
        {"\nbody\n\nmore", "", "body\n\nmore"},
        {"\r\nbody", "", "body"},
        {"A: 1", "A: 1", ""},
        {"A: 1\r\n", "A: 1\r\n", ""},
        {"A: 1\n\n", "A: 1\n", ""},
        {"A: 1\r\r\n\nx", "A: 1\r\r\n", "x"},
        {"A: 1\n\r\r\nB: 2\n\nx", "A: 1\n\r\r\nB: 2\n", "x"},
        {"A: 1\r\rx", "A: 1\r\rx", ""},
        {"", "", ""},
    };
    struct span h, b;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_split(span(cases[i][0]), &h, &b);
        CU_ASSERT(span_is(h, cases[i][1]));
        CU_ASSERT(span_is(b, cases[i][2]));
    }
}

static void test_fields(void)
{
    struct mime_field f;
    struct span h = span("Subject: a\r\n b\r\nX:\n\tc\n \nsubject : z");
    size_t at = 0;

    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, NULL), 1);
    CU_ASSERT(span_is(f.name, "Subject") && span_is(f.value, " a\r\n b") && span_is(f.whole, "Subject: a\r\n b\r\n"));
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, NULL), 1);
    CU_ASSERT(span_is(f.name, "X") && span_is(f.value, "\n\tc\n "));
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, NULL), 1);
    CU_ASSERT(span_is(f.name, "subject") && span_is(f.value, " z") && span_is(f.whole, "subject : z"));
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, NULL), 0);
    CU_ASSERT_EQUAL(mime_field_find(h, "SUBJECT", &f, NULL), 2);
    CU_ASSERT(span_is(f.value, " a\r\n b"));
    CU_ASSERT_EQUAL(mime_field_find(h, "Subj", &f, NULL), 0);
    CU_ASSERT_PTR_NULL(f.name.data);
}

static void test_no_field(void)
{
    static const char *const bad[] = {"From alice Mon\n", " folded first\n", ": x\n",   "no colon", "a b: c\n",
                                      "\x01: x\n",        "\xc3\xa4: x\n",   "\r: x\n", "X\t\n"};
    struct mime_field f;
    struct span h = span("garbage\nFrom: a\n");
    struct err e;
    size_t at;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        at = 0;
        CU_ASSERT_EQUAL(mime_field_next(span(bad[i]), &at, &f, &e), ERR_SYNTAX);
        CU_ASSERT_EQUAL(at, strlen(bad[i]));
    }
    at = 0;
    CU_ASSERT_EQUAL(mime_field_next((struct span){(const unsigned char *)"A\0B: x\n", 7}, &at, &f, &e), ERR_SYNTAX);
    at = 0;
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, &e), 1);
    CU_ASSERT(span_is(f.name, "From"));
    CU_ASSERT_EQUAL(mime_field_find(h, "From", NULL, &e), ERR_SYNTAX);
}

static void test_field_caps(void)
{
    size_t len = (size_t)100 << 20;
    char *big = malloc(len);
    struct span h = {(const unsigned char *)big, len}, body;
    struct mime_field f;
    struct buf many = BUF_INIT;
    struct err e;
    size_t at = 0;
    double t = now();

    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, 'a', len);
    CU_ASSERT_EQUAL(mime_field_next(h, &at, &f, &e), ERR_LIMIT);
    mime_split(h, &h, &body);
    CU_ASSERT_EQUAL(h.len, len);
    CU_ASSERT(now() - t < 5);
    free(big);
    for (int i = 0; i <= MIME_FIELDS_MAX; i++)
        CU_ASSERT_EQUAL(buf_puts(&many, "A: b\r\n"), 0);
    h = (struct span){many.data, many.len};
    CU_ASSERT_EQUAL(mime_field_find(h, "A", NULL, &e), ERR_LIMIT);
    h.len -= 6;
    CU_ASSERT_EQUAL(mime_field_find(h, "A", NULL, &e), MIME_FIELDS_MAX);
    buf_free(&many);
}

static void test_unfold(void)
{
    static const char *const good[][2] = {{" a\r\n b \t", "a b"},    {"\n\ta\n  b", "a  b"}, {"", ""}, {"  ", ""},
                                          {" \xc3\xa4", "\xc3\xa4"}, {"\r\n \r\n ", ""}};
    static const char *const bad[] = {"a\rb", "a\r", "a\r\nb", "a\nb", "a\n", "a\r\r\n b"};
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        buf_reset(&out);
        CU_ASSERT_EQUAL(buf_puts(&out, "x "), 0);
        CU_ASSERT_EQUAL(mime_unfold(span(good[i][0]), &out, &e), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&out) + 2, good[i][1]);
    }
    buf_reset(&out);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(mime_unfold(span(bad[i]), &out, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_unfold((struct span){(const unsigned char *)"a\0b", 3}, &out, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(out.len, 0);
    buf_free(&out);
}

static void test_type(void)
{
    static const char *const good[][2] = {
        {" Text/PLAIN", "text/plain"},
        {"text/plain; charset=utf-8", "text/plain"},
        {"(c (d\\)) ) text/plain (x);", "text/plain"},
        {"\r\n\ttext/plain\r\n ; a=b", "text/plain"},
        {"multipart/encrypted ;junk, but the type is clear", "multipart/encrypted"},
    };
    static const char *const bad[] = {"",
                                      "text",
                                      "text/",
                                      "/plain",
                                      "text / plain",
                                      "text/plain charset=x",
                                      "(text/plain",
                                      "text/pl@in",
                                      "te\xc3/x",
                                      "text/plain (open",
                                      "text/plain\r;",
                                      "\"text\"/plain"};
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        buf_reset(&out);
        CU_ASSERT_EQUAL(mime_type(span(good[i][0]), &out, &e), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&out), good[i][1]);
    }
    buf_reset(&out);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(mime_type(span(bad[i]), &out, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_type((struct span){NULL, 0}, &out, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(out.len, 0);
    buf_free(&out);
}

static void test_param(void)
{
    static const struct {
        const char *value;
        int result;
        const char *text;
    } cases[] = {
        {"a/b; boundary=x", 0, "x"},
        {"a/b;BOUNDARY=\"x y\"", 0, "x y"},
        {"a/b; boundary = (c) \"x\\\"y\" (d)", 0, "x\"y"},
        {"a/b;\r\n\tboundary=\"x\r\n y\";", 0, "x y"},
        {"a/b;; ; boundary=x;;", 0, "x"},
        {"a/b", 0, ""},
        {"a/b; boundaryx=1; x=\"boundary=2\"", 0, ""},
        {"a/b; boundary=\"\"", 0, ""},
        {"a/b; boundary=x; Boundary=x", ERR_SYNTAX, ""},
        {"a/b; boundary=x; boundary=y", ERR_SYNTAX, ""},
        {"a/b; boundary*=us-ascii''x", ERR_SYNTAX, ""},
        {"a/b; boundary*0=x; boundary*1=y", ERR_SYNTAX, ""},
        {"a/b; boundary=x; boundary*0=y", ERR_SYNTAX, ""},
        {"a/b; boundary=x=y", ERR_SYNTAX, ""},
        {"a/b; boundary=x y", ERR_SYNTAX, ""},
        {"a/b; boundary=", ERR_SYNTAX, ""},
        {"a/b; boundary", ERR_SYNTAX, ""},
        {"a/b; boundary=\"x", ERR_SYNTAX, ""},
        {"a/b; boundary=\"x\\", ERR_SYNTAX, ""},
        {"a/b; boundary=\"x\ry\"", ERR_SYNTAX, ""},
        {"a/b; boundary=\"x\"y", ERR_SYNTAX, ""},
        {"a/b; =x; boundary=x", ERR_SYNTAX, ""},
        {"a/b boundary=x", ERR_SYNTAX, ""},
        {"a; boundary=x", ERR_SYNTAX, ""},
    };
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        CU_ASSERT_EQUAL(mime_param(span(cases[i].value), "boundary", &out, &e), cases[i].result);
        CU_ASSERT_STRING_EQUAL(buf_str(&out), cases[i].text);
    }
    buf_free(&out);
}

static void test_param_caps(void)
{
    struct buf v = BUF_INIT, out = BUF_INIT;
    struct err e;
    double t = now();

    CU_ASSERT_EQUAL(buf_puts(&v, "a/b; boundary=x"), 0);
    for (int i = 0; i < MIME_PARAMS_MAX - 1; i++)
        CU_ASSERT_EQUAL(buf_printf(&v, "; p%d=\"v\"", i), 0);
    CU_ASSERT_EQUAL(mime_param(span(buf_str(&v)), "boundary", &out, &e), 0);
    for (int i = 0; i < 2000; i++)
        CU_ASSERT_EQUAL(buf_printf(&v, "; q%d=\"v\"", i), 0);
    CU_ASSERT_EQUAL(mime_param(span(buf_str(&v)), "boundary", &out, &e), ERR_LIMIT);
    buf_reset(&v);
    for (int i = 0; i < 1000000; i++)
        CU_ASSERT_EQUAL(buf_puts(&v, "("), 0);
    CU_ASSERT_EQUAL(mime_type(span(buf_str(&v)), &out, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_mailbox(span(buf_str(&v)), &out, &e), ERR_SYNTAX);
    buf_reset(&v);
    for (int i = 0; i < 100000; i++)
        CU_ASSERT_EQUAL(buf_puts(&v, "=?a?q?X"), 0);
    CU_ASSERT_EQUAL(buf_puts(&v, " <a@b.c>"), 0);
    CU_ASSERT_EQUAL(mime_mailbox(span(buf_str(&v)), &out, &e), 0);
    CU_ASSERT_EQUAL(buf_puts(&v, " (?=)"), 0); /* a word at last, and what a length */
    CU_ASSERT_EQUAL(mime_mailbox(span(buf_str(&v)), &out, &e), ERR_SYNTAX);
    CU_ASSERT(now() - t < 5);
    buf_free(&v);
    buf_free(&out);
}

static void test_mailbox(void)
{
    static const char *const good[][2] = {
        {" a@example.com", "a@example.com"},
        {"<a@example.com>", "a@example.com"},
        {"\"B, C <x@y>\" (d) <a@example.com> (e)", "a@example.com"},
        {"J\xc3\xb6rg M. =?utf-8?q?x?=\r\n < a@example.com\r\n >", "a@example.com"},
        {"a@example.com (A)", "a@example.com"},
        {"=?utf-8?q?J=C3=B6rg_=3D?= =?UTF-8?B?w7Y=?= <a@example.com>", "a@example.com"},
        {"=?iso-2022-jp?B?GyRCJCIbKEI=?= <a@example.com>", "a@example.com"}, /* it begins with ESC */
        {"=?x?q <a@example.com>", "a@example.com"},
        {"=?utf-8?q?=00 <a@example.com>", "a@example.com"}, /* nobody knows where it would end */
    };
    static const char *const bad[] = {
        "",
        " ",
        "<>",
        "Alice",
        "Alice <a@b.c",
        "a@b.c, d@e.f",
        "<a@b.c>, <d@e.f>",
        "<a@b.c> <d@e.f>",
        "a@b.c <d@e.f>",
        "x: a@b.c;",
        "<a b@c.d>",
        "<a(x)b@c.d>",
        "\"a\"@b.c",
        "<\"a\"@b.c>",
        "<@x:a@b.c>",
        "a@b.c>",
        "<<a@b.c>>",
        "<a@b.c>\rx",
        "a@b.c\x01",
        "\"open <a@b.c>",
        "(open <a@b.c>",
        "<a@b.c> x",
        "<a@b.c> \"x\"",
        "\"x\" a@b.c",
        "=?utf-8?q?a=40b.c?=@d.e",
        "<=?utf-8?q?a?=@d.e>",
        "<a=?b@d.e>",
        /* what they stand for would be shown, or obeyed */
        "=?utf-8?q?x=00?= <a@d.e>",
        "x =?utf-8?Q?=3Ca=40b.c=3E=0a?= <a@d.e>",
        "=?utf-8*en?q?=7F?= <a@d.e>",
        "=?utf-8?b?YQBi?= <a@d.e>",
        "=?utf-8?b?a?= <a@d.e>",
        "=?utf-7?q?+AAA-?= <a@d.e>",
        "=?utf-8?q?=1B$B?= <a@d.e>",
        "\"=?utf-8?q?=1b[2J?=\" <a@d.e>",
        "a@d.e (=?utf-8?q?=08?=)",
        "=?utf-8=?utf-8?q?x=?utf-8?q?=08?= <a@d.e>",
        "\"x\x1b\" <a@d.e>",
        "(\x7f) a@d.e",
    };
    struct buf out = BUF_INIT;
    struct err e;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        buf_reset(&out);
        CU_ASSERT_EQUAL(mime_mailbox(span(good[i][0]), &out, &e), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&out), good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&out);
        if (strcmp(bad[i], "Alice") == 0) /* one word: no address, but that is address_canonical's to say */
            CU_ASSERT_EQUAL(mime_mailbox(span(bad[i]), &out, &e), 0)
        else
            CU_ASSERT_EQUAL(mime_mailbox(span(bad[i]), &out, &e), ERR_SYNTAX)
    }
    CU_ASSERT_EQUAL(mime_mailbox((struct span){(const unsigned char *)"a@b\0.c", 6}, &out, &e), ERR_SYNTAX);
    buf_free(&out);
}

/* parts: what is expected, joined by '|', or NULL for ERR_SYNTAX */
static void parts_are(const char *body, const char *boundary, const char *parts)
{
    struct span got[8];
    struct buf joined = BUF_INIT;
    struct err e;
    size_t count;
    int r = mime_parts(span(body), boundary, got, 8, &count, &e);

    CU_ASSERT_EQUAL(r, parts ? 0 : ERR_SYNTAX);
    if (r == 0 && parts) {
        for (size_t i = 0; i < count; i++)
            CU_ASSERT(buf_append(&joined, got[i].data, got[i].len) == 0 && buf_puts(&joined, "|") == 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&joined), parts);
    }
    buf_free(&joined);
}

static void test_parts(void)
{
    parts_are("--b\r\n1\r\n--b\r\n2\r\n--b--\r\n", "b", "1|2|");
    parts_are("pre\n--b\n1\n--b\n2\n--b--\nepi\n--b\n3\n--b--\n", "b", "1|2|");
    parts_are("--b \t\r\n1\r\n--b--\t", "b", "1|");
    parts_are("--b\n\n1\n\n--b--", "b", "\n1\n|");
    parts_are("--b\n--b\n\n--b--", "b", "||");
    parts_are("--b\n1\r\r\n--b--", "b", "1\r|");
    parts_are("--a\n--ab\n--a b\n --a\nx--a\n-a\n--a--x\n--a-\n--a--\n", "a",
              "--ab\n--a b\n --a\nx--a\n-a\n--a--x\n--a-|");
    parts_are("--a b\n1\n--a b--\n", "a b", "1|");
    parts_are("--b\n1\n--b\n2\n", "b", NULL);
    parts_are("--b--\n", "b", NULL);
    parts_are("nothing", "b", NULL);
    parts_are("", "b", NULL);
    parts_are("--b\n1\n--b--\r", "b", NULL);
    parts_are("--\n1\n----\n", "", NULL);
    parts_are("--b \n1\n--b --\n", "b ", NULL);
    parts_are("--b\x01\n1\n--b\x01--\n", "b\x01", NULL);
    parts_are("--b\n1\n--b--\n", "1234567890123456789012345678901234567890123456789012345678901234567890a", NULL);
}

static int count_visits(void *arg, unsigned depth, struct span header, struct span body, struct err *e)
{
    char *log = arg;
    size_t used = strlen(log);

    (void)header;
    (void)e;
    if (used < 60)
        snprintf(log + used, 80 - used, "%u:%.*s ", depth, (int)(body.len < 3 ? body.len : 3), (const char *)body.data);
    return body.len >= 4 && memcmp(body.data, "stop", 4) == 0 ? 7 : 0;
}

static void test_walk(void)
{
    char log[100] = "";
    struct err e;

    CU_ASSERT_EQUAL(mime_walk(span("Content-Type: multipart/mixed; boundary=o\n\n-\n--o\n\none\n--o\n"
                                   "Content-Type: multipart/mixed; boundary=oo\n\n--oo\n\ntwo\n--oo--\n--o\n"
                                   "Content-Type: message/rfc822\n\nContent-Type: text/x\n\nsix\n--o\n\nten\n--o--\n"),
                              count_visits, log, &e),
                    0);
    CU_ASSERT_STRING_EQUAL(log, "0:-\n- 1:one 1:--o 2:two 1:Con 2:six 1:ten ");
    log[0] = 0;
    CU_ASSERT_EQUAL(mime_walk(span("\nstop"), count_visits, log, &e), 7);
    CU_ASSERT_EQUAL(mime_walk(span(""), count_visits, log, &e), 0);
    CU_ASSERT_EQUAL(mime_walk(span("Content-Type: a/b\nContent-Type: c/d\n\n"), count_visits, log, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_walk(span("Content-Type: multipart/mixed\n\n"), count_visits, log, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(mime_walk(span("Content-Type: multipart/mixed; boundary=a; boundary=b\n\n"), count_visits, log, &e),
                    ERR_SYNTAX);
}

static void test_bombs(void)
{
    struct buf m = BUF_INIT;
    struct span all, parts[2];
    char log[100] = "";
    struct err e;
    size_t count;
    double t;

    for (int i = 0; i < 30000; i++)
        CU_ASSERT_EQUAL_FATAL(buf_printf(&m, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i), 0);
    for (int i = 29999; i >= 0; i--)
        CU_ASSERT_EQUAL_FATAL(buf_printf(&m, "\n--b%d--\n", i), 0);
    all = (struct span){m.data, m.len};
    t = now();
    CU_ASSERT_EQUAL(mime_walk(all, count_visits, log, &e), ERR_LIMIT);
    CU_ASSERT(now() - t < 2);
    CU_ASSERT(strstr(e.text, "nested") != NULL);

    buf_reset(&m);
    for (int i = 0; i < 30000; i++)
        CU_ASSERT_EQUAL_FATAL(buf_puts(&m, "Content-Type: message/rfc822\n\n"), 0);
    CU_ASSERT_EQUAL(mime_walk((struct span){m.data, m.len}, count_visits, log, &e), ERR_LIMIT);

    buf_reset(&m);
    CU_ASSERT_EQUAL(buf_puts(&m, "Content-Type: multipart/mixed; boundary=b\n\n"), 0);
    for (int i = 0; i < 100000; i++)
        CU_ASSERT_EQUAL_FATAL(buf_puts(&m, "--b\n\n"), 0);
    CU_ASSERT_EQUAL(buf_puts(&m, "--b--\n"), 0);
    all = (struct span){m.data, m.len};
    t = now();
    CU_ASSERT_EQUAL(mime_walk(all, count_visits, log, &e), ERR_LIMIT);
    CU_ASSERT_EQUAL(mime_parts(all, "b", parts, 2, &count, &e), ERR_LIMIT);
    CU_ASSERT(now() - t < 2);
    buf_free(&m);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"splits at the first empty line", test_split},
        {"fields with folding, obsolete space before the colon", test_fields},
        {"a line that is no field is named and can be stepped over", test_no_field},
        {"header of 100 MB and 1001 fields are over the limit", test_field_caps},
        {"unfolds; NUL, bare CR and bare LF are refused", test_unfold},
        {"type, with comments and folding", test_type},
        {"parameter; twice, RFC 2231 and broken ones are refused", test_param},
        {"2000 parameters and a million open comments", test_param_caps},
        {"one mailbox, and nothing that is not exactly one", test_mailbox},
        {"parts and the edges of a delimiter", test_parts},
        {"walk visits in order, refuses what reads two ways", test_walk},
        {"30,000 levels and 100,000 parts are over the limit at once", test_bombs},
    };
    return unit_main("mime", tests, sizeof tests / sizeof *tests);
}
