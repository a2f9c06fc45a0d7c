#include "common/lines.h"

#include <string.h>

#include "span.h"
#include "unit.h"

static int equal(const struct buf *b, const char *want)
{
    return span_is(span_of(b), want);
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
        CU_ASSERT(lines_to_lf(span(cases[i].in), &b, NULL) == 0 && equal(&b, cases[i].lf));
        buf_reset(&b);
        CU_ASSERT(lines_to_crlf(span(cases[i].in), &b, NULL) == 0 && equal(&b, cases[i].crlf));
    }
    buf_free(&b);
    CU_ASSERT(lines_have_crlf(span("a\r\nb\n")) == 1);
    CU_ASSERT(lines_have_crlf(span("a\nb\r\n")) == 0);
    CU_ASSERT(lines_have_crlf(span("\n")) == 0);
    CU_ASSERT(lines_have_crlf(span("")) == 0);
}

int main(void)
{
    static const struct unit_test tests[] = {{"line ends", test_line_ends}};

    return unit_main("lines", tests, sizeof tests / sizeof *tests);
}
