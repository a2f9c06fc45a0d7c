#include "recrypt/mark.h"

#include <string.h>

#include "unit.h"

static void is(const char *msg, size_t len, const char *value, int as_it_is, const char *want)
{
    struct buf out = BUF_INIT;

    CU_ASSERT(mark_message((struct span){(const unsigned char *)msg, len}, value, as_it_is, &out, NULL) == 0);
    if (out.len != strlen(want) || memcmp(buf_str(&out), want, out.len) != 0) {
        CU_FAIL("not what was wanted");
        fprintf(stderr, "# got  \"%s\"\n# want \"%s\"\n", buf_str(&out), want);
    }
    buf_free(&out);
}

static void mark(const char *msg, const char *want)
{
    is(msg, strlen(msg), "plain", 0, want);
}

#define S "X-Recrypt-Status: plain\n"
#define C "X-Recrypt-Status: plain\r\n"

static void test_line_ends(void)
{
    mark("A: b\n\nx\n", S "A: b\n\nx\n");
    mark("A: b\r\n\r\nx\r\n", S "A: b\n\nx\n");
    mark("A: b\r\n\r\nx", S "A: b\n\nx");
    /* One that is otherwise: nothing of it is changed. */
    mark("A: b\r\n\r\nx\ny\r\n", C "A: b\r\n\r\nx\ny\r\n");
    mark("A: b\r\n\r\nx\ry\r\n", C "A: b\r\n\r\nx\ry\r\n");
    mark("A: b\r\n\r\nx\r", C "A: b\r\n\r\nx\r");
    is("A: b\r\n\r\nx\r\n", 11, "plain", 1, C "A: b\r\n\r\nx\r\n");
    mark("", S);
    mark("\n", S "\n");
    mark("\r\n\r\n", S "\n\n");
    mark("no header at all", S "no header at all");
}

/* Nobody but us says what the status is. */
static void test_forged(void)
{
    mark("X-Recrypt-Status: opened signed boss@example.com X\nA: b\n\nx\n", S "A: b\n\nx\n");
    mark("A: b\nx-recrypt-status: one\nX-RECRYPT-Status: two\nx-Recrypt-Verdict: three\n\nx\n", S "A: b\n\nx\n");
    mark("A: b\nX-Recrypt-Status:\n opened signed\n\t boss@example.com\nB: c\n\nx\n", S "A: b\nB: c\n\nx\n");
    mark("A: b\nX-Recrypt-Status : one\n X-Recrypt-Status: two\n\nx\n", S "A: b\n\nx\n");
    /* What would continue our own field. */
    mark(" signed boss@example.com\nA: b\n\nx\n", S "A: b\n\nx\n");
    mark("\t\nA: b\n\nx\n", S "A: b\n\nx\n");
    mark(" X-Recrypt-Status: one\n\nx\n", S "\nx\n");
    /* Line ends that some readers know. */
    mark("A: b\rX-Recrypt-Status: one\r\n\r\nx\n", C "A: b\r\r\nx\n");
    mark("A: b\nnonsense\nX-Recrypt-Status: one\n\nx\n", S "A: b\nnonsense\n\nx\n");
    mark("A: b\n \nX-Recrypt-Status: one\n\nx\n", S "A: b\n \n\nx\n");
    is("A: b\n\0X-Recrypt-Status: one\n\nx\n", 31, "plain", 0, S "A: b\n\nx\n");
    /* The body is the body. */
    mark("A: b\n\nX-Recrypt-Status: one\n", S "A: b\n\nX-Recrypt-Status: one\n");
    mark("A: b\nX-Recrypted: c\n\nx\n", S "A: b\nX-Recrypted: c\n\nx\n");
}

static void test_value(void)
{
    struct buf b = BUF_INIT;
    char text[1000];

    is("\n", 1, "encrypted a\nX-Evil: b\x1b[2J", 0, "X-Recrypt-Status: encrypted a?X-Evil: b?[2J\n\n");
    /* A reader of mail would show what this stands for: another status, or what its screen obeys. */
    is("\n", 1, "opened signed =?utf-8?q?boss=40example.com_AAAAA?=@example.org K", 0,
       "X-Recrypt-Status: opened signed =_utf-8?q?boss=40example.com_AAAAA?=@example.org K\n\n");
    is("\n", 1, "encrypted =\x01utf-8\x01q\x01=1b[2J\x01= ==?x=?", 0,
       "X-Recrypt-Status: encrypted =_utf-8?q?=1b[2J?= ==_x=_\n\n");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    CU_ASSERT(mark_message((struct span){(const unsigned char *)"\n", 1}, text, 0, &b, NULL) == 0);
    CU_ASSERT_EQUAL(b.len, strlen("X-Recrypt-Status: ") + 400 + 2);
    buf_free(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {{"line ends", test_line_ends},
                                             {"forged fields are taken off", test_forged},
                                             {"the status", test_value}};

    return unit_main("mark", tests, sizeof tests / sizeof *tests);
}
