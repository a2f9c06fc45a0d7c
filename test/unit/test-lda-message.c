#include "lda/message.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static struct span span(const char *s)
{
    return (struct span){(const unsigned char *)s, strlen(s)};
}

static int equal(const struct buf *b, const char *want)
{
    return b->len == strlen(want) && memcmp(buf_str(b), want, b->len) == 0;
}

static void test_read(void)
{
    char data[5000];
    struct buf b = BUF_INIT;
    int fds[2];

    memset(data, 'x', sizeof data);
    for (int round = 0; round < 3; round++) {
        static const size_t max[] = {6000, 5000, 4999};

        CU_ASSERT_FATAL(pipe(fds) == 0);
        CU_ASSERT(write(fds[1], data, sizeof data) == sizeof data);
        close(fds[1]);
        buf_free(&b);
        CU_ASSERT(message_read(fds[0], max[round], &b, NULL) == (round == 2 ? ERR_LIMIT : 0));
        if (round < 2)
            CU_ASSERT(b.len == sizeof data && memcmp(b.data, data, sizeof data) == 0);
        close(fds[0]);
    }
    buf_free(&b);
    CU_ASSERT(message_read(-1, 100, &b, NULL) == ERR_SYSTEM);
    buf_free(&b);
}

static void test_from_line(void)
{
    CU_ASSERT(message_without_from_line(span("From a@b Mon\nX: y\n\n")).len == 6);
    CU_ASSERT(message_without_from_line(span("From: a@b\n\n")).len == 11);
    CU_ASSERT(message_without_from_line(span("From no end")).len == 11);
    CU_ASSERT(message_without_from_line(span("")).len == 0);
}

static void test_line_ends(void)
{
    static const struct {
        const char *in, *lf, *crlf;
    } cases[] = {{"", "", ""},
                 {"a", "a", "a\r\n"},
                 {"a\n", "a\n", "a\r\n"},
                 {"a\r\n", "a\n", "a\r\n"},
                 {"a\rb\n", "a\rb\n", "a\r\nb\r\n"},
                 {"\r\n\r\n", "\n\n", "\r\n\r\n"},
                 {"a\r\r\n", "a\r\n", "a\r\n\r\n"},
                 {"a\r", "a\r", "a\r\n"},
                 {"a\n.\nb\n", "a\n.\nb\n", "a\r\n.\r\nb\r\n"}};
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&b);
        CU_ASSERT(message_to_lf(span(cases[i].in), &b, NULL) == 0 && equal(&b, cases[i].lf));
        buf_reset(&b);
        CU_ASSERT(message_to_crlf(span(cases[i].in), &b, NULL) == 0 && equal(&b, cases[i].crlf));
    }
    buf_free(&b);
    CU_ASSERT(message_has_crlf(span("a\r\nb\n")) == 1);
    CU_ASSERT(message_has_crlf(span("a\nb\r\n")) == 0);
    CU_ASSERT(message_has_crlf(span("\n")) == 0);
    CU_ASSERT(message_has_crlf(span("")) == 0);
    CU_ASSERT(message_wire_size(span("a\nb\r\nc")) == 7);
    CU_ASSERT(message_wire_size(span("\n\n")) == 4);
}

static void test_fields(void)
{
    struct buf b = BUF_INIT;

    CU_ASSERT(message_has_field(span("A: b\nreceived: x\n\n"), "Received"));
    CU_ASSERT(!message_has_field(span("A: b\n\nReceived: x\n"), "Received"));
    CU_ASSERT(!message_has_field(span("Receivedx: b\n"), "Received"));
    CU_ASSERT(message_delivery_fields(span("A: b\n\n"), "s@x", "r@x", &b, NULL) == 0);
    CU_ASSERT(equal(&b, "Return-Path: <s@x>\nDelivered-To: r@x\n"));
    buf_reset(&b);
    CU_ASSERT(message_delivery_fields(span("A: b\r\n\r\n"), "", NULL, &b, NULL) == 0);
    CU_ASSERT(equal(&b, "Return-Path: <>\r\n"));
    buf_reset(&b);
    CU_ASSERT(message_delivery_fields(span("Return-Path: <s@x>\nDelivered-To: r@x\nA: b\n\n"), "s@x", "r@x", &b, NULL) == 0);
    CU_ASSERT(b.len == 0);
    /* Further down it is the sender's, not Postfix'. */
    CU_ASSERT(message_delivery_fields(span("A: b\nDelivered-To: r@x\n\n"), NULL, "r@x", &b, NULL) == 0);
    CU_ASSERT(equal(&b, "Delivered-To: r@x\n"));
    buf_free(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {{"reading stops at the cap, not before", test_read},
                                             {"a From_ line is taken off", test_from_line},
                                             {"line ends", test_line_ends},
                                             {"trace fields", test_fields}};

    return unit_main("lda-message", tests, sizeof tests / sizeof *tests);
}
