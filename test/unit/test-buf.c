#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "unit.h"

static void test_cap(void)
{
    struct buf b = {NULL, 0, 0, 4};

    CU_ASSERT_EQUAL(buf_puts(&b, "abcd"), 0);
    CU_ASSERT_EQUAL(buf_puts(&b, "e"), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "abcd");
    buf_free(&b);
    CU_ASSERT_PTR_NULL(b.data);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "");
}

static void test_growth(void)
{
    struct buf b = BUF_INIT;

    for (int i = 0; i < 10000; i++)
        CU_ASSERT_EQUAL_FATAL(buf_printf(&b, "%d,", i % 10), 0);
    CU_ASSERT_EQUAL(b.len, 20000);
    CU_ASSERT_EQUAL(strlen(buf_str(&b)), 20000);
    buf_reset(&b);
    CU_ASSERT_EQUAL(b.len, 0);
    CU_ASSERT_EQUAL(b.data[0], 0);
    buf_free(&b);
}

static void test_cut(void)
{
    struct buf b = BUF_INIT;

    buf_cut(&b, 0);
    CU_ASSERT_EQUAL(buf_puts(&b, "abcdef"), 0);
    buf_cut(&b, 2);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "ab");
    CU_ASSERT_EQUAL(memcmp(b.data, "ab\0\0\0", 6), 0);
    buf_cut(&b, 2);
    CU_ASSERT_EQUAL(b.len, 2);
    buf_free(&b);
}

static void test_error_text(void)
{
    struct err e;

    CU_ASSERT_EQUAL(err_set(&e, ERR_SYNTAX, "bad %s", "a\nb\x7f"), ERR_SYNTAX);
    CU_ASSERT_STRING_EQUAL(e.text, "bad a?b?");
    CU_ASSERT_EQUAL(err_prefix(&e, "line %d", 3), ERR_SYNTAX);
    CU_ASSERT_STRING_EQUAL(e.text, "line 3: bad a?b?");
    /* U+009B is an escape sequence's beginning in one character; U+202E turns what follows around */
    err_set(&e, ERR_SYNTAX, "%s", "a\xc2\x9b" "2Jb\xe2\x80\xae" "c\x9b" "d\xf0\x9f\x98");
    CU_ASSERT_STRING_EQUAL(e.text, "a??2Jb???c?d???");
    err_set(&e, ERR_SYNTAX, "%s", "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80");
    CU_ASSERT_STRING_EQUAL(e.text, "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80");
    CU_ASSERT_EQUAL(err_sysexit(ERR_RETRY), 75);
    CU_ASSERT_EQUAL(err_sysexit(-999), 75);
    CU_ASSERT_EQUAL(err_sysexit(ERR_DENIED), 77);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"cap is kept and content survives", test_cap},
        {"grows and resets", test_growth},
        {"is cut, and wiped behind the cut", test_cut},
        {"error text is printable, codes map to sysexits", test_error_text},
    };
    return unit_main("buf", tests, sizeof tests / sizeof *tests);
}
