#include "lda/message.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "span.h"
#include "unit.h"

static int equal(const struct buf *b, const char *want)
{
    return span_is(span_of(b), want);
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

static void test_delivery_fields_off(void)
{
    static const char rest[] = "Received: x\nDelivered-To: c@d\n\nbody\n";
    static const struct {
        const char *in, *out;
    } cases[] = {{"Return-Path: <a@b>\nX-Original-To: c@d\nDelivered-To: c@d\n", ""},
                 {"Delivered-To: c@d\r\nReturn-Path: <a@b>\r\n", ""},
                 {"Subject: x\nDelivered-To: c@d\n", "Subject: x\nDelivered-To: c@d\n"},
                 {"Delivered-To: c@d\n folded\n", "Delivered-To: c@d\n folded\n"},
                 {"Delivered-Tomorrow: x\n", "Delivered-Tomorrow: x\n"},
                 {"", ""}};
    char in[200], want[200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span left;

        snprintf(in, sizeof in, "%s%s", cases[i].in, rest);
        snprintf(want, sizeof want, "%s%s", cases[i].out, rest);
        left = message_without_delivery_fields(span(in));
        CU_ASSERT(left.len == strlen(want) && memcmp(left.data, want, left.len) == 0);
    }
    CU_ASSERT(message_without_delivery_fields(span("Delivered-To: c@d\n")).len == 18);
    CU_ASSERT(message_without_delivery_fields(span("Delivered-To: c@d")).len == 17);
    CU_ASSERT(message_without_delivery_fields(span("")).len == 0);
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
    CU_ASSERT(
        message_delivery_fields(span("Return-Path: <s@x>\nDelivered-To: r@x\nA: b\n\n"), "s@x", "r@x", &b, NULL) == 0);
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
                                             {"delivery fields taken off", test_delivery_fields_off},
                                             {"trace fields", test_fields}};

    return unit_main("lda-message", tests, sizeof tests / sizeof *tests);
}
