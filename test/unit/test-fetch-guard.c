#include "recrypt/fetch-guard.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* What passes, with the text fed in pieces of that many octets; or the error. */
static int feed(const char *text, size_t piece, size_t literal, size_t total, struct buf *out)
{
    struct fetch_guard *g;
    size_t len = strlen(text), n;
    int r = 0;

    CU_ASSERT_FATAL(fetch_guard_new(&g, NULL) == 0);
    fetch_guard_limits(g, literal, total);
    for (size_t at = 0; r == 0 && at < len; at += n) {
        n = len - at < piece ? len - at : piece;
        r = fetch_guard_feed(g, text + at, n, out, NULL);
    }
    if (r < 0)
        CU_ASSERT(fetch_guard_feed(g, "* 1 EXISTS\r\n", 12, out, NULL) == r);
    fetch_guard_free(&g);
    return r;
}

static void passes(const char *text, const char *want)
{
    static const size_t pieces[] = {1, 2, 7, 1000};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        buf_reset(&out);
        CU_ASSERT(feed(text, pieces[i], 100, 100000, &out) == 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&out), want);
    }
    buf_free(&out);
}

static void test_passes(void)
{
    passes("* OK ready (\"((((((((((((\r\n", "* OK ready (\"((((((((((((\r\n");
    passes("* CAPABILITY IMAP4rev1\r\n1 OK done\r\n", "* CAPABILITY IMAP4rev1\r\n1 OK done\r\n");
    passes("* 2 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* 1 EXPUNGE\r\n", "* 2 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* 1 EXPUNGE\r\n");
    passes("* search 1 2 3\r\n", "* search 1 2 3\r\n");
    passes("* 1 FETCH (UID 7 BODY[] {10}\r\n(((((((((( FLAGS ())\r\n2 OK\r\n", "* 1 FETCH (UID 7 BODY[] {10}\r\n(((((((((( FLAGS ())\r\n2 OK\r\n");
    passes("* 1 FETCH (BODY[] {4}\r\n\r\n* \r\n)\r\n", "* 1 FETCH (BODY[] {4}\r\n\r\n* \r\n)\r\n");
    passes("* 1 FETCH (BODY[] \"\\\"((((((((((((\")\r\n", "* 1 FETCH (BODY[] \"\\\"((((((((((((\")\r\n");
}

/* Answers that were not asked for. */
static void test_left_out(void)
{
    passes("* LIST () \"/\" {5}\r\nhello\r\n* STATUS INBOX (X 1)\r\n+ go on\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n");
    passes("* BYE go away\r\n", "");
    passes("* LIST ((((((((((((( \r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n");
    passes("* X {3}\r\n* 1 {2}\r\nab\r\n* 2 EXISTS\r\n", "* 2 EXISTS\r\n");
}

static void refused(const char *text, int want)
{
    struct buf out = BUF_INIT;

    for (size_t piece = 1; piece < 2000; piece = piece * 5 + 1)
        CU_ASSERT_EQUAL(feed(text, piece, 100, 100000, &out), want);
    buf_free(&out);
}

static void test_refused(void)
{
    char *line = malloc(70100);
    struct buf out = BUF_INIT;

    refused("* 1 FETCH (BODY[] {101}\r\n", ERR_LIMIT);
    refused("* 1 FETCH (BODY[] {4294967295}\r\n", ERR_LIMIT);
    refused("* LIST () {999999999}\r\n", ERR_LIMIT);
    refused("* 1 FETCH (((((((((\r\n", ERR_LIMIT);
    refused("* 1 FETCH (BODYSTRUCTURE ((((((( \"x\" (\r\n", ERR_LIMIT);
    memset(line, 'x', 70100);
    memcpy(line, "* 1 FETCH (", 11);
    line[70000] = 0;
    refused(line, ERR_LIMIT);
    memset(line, ' ', 70000);
    memcpy(line, "* SEARCH 1", 10);
    memcpy(line + 69998, "\r\n", 3);
    CU_ASSERT(feed(line, 5000, 0, 100000, &out) == 0 && out.len == 70000 && memcmp(out.data, line, 70000) == 0);
    CU_ASSERT(feed(line, 5000, 0, 69999, &out) == ERR_LIMIT);
    buf_free(&out);
    free(line);
}

static void test_more(void)
{
    struct fetch_guard *g;
    struct buf out = BUF_INIT;

    CU_ASSERT_FATAL(fetch_guard_new(&g, NULL) == 0);
    fetch_guard_limits(g, 10, 100);
    CU_ASSERT(fetch_guard_empty(g));
    CU_ASSERT(fetch_guard_feed(g, "* 1 EXI", 7, &out, NULL) == 0 && out.len == 0 && !fetch_guard_empty(g));
    CU_ASSERT(fetch_guard_feed(g, "STS\r\n* 1 FETCH (X {3}\r\n", 24, &out, NULL) == 0 && !fetch_guard_empty(g));
    CU_ASSERT(fetch_guard_feed(g, "abc)\r\n* BYE \x1b[2J\r\n", 18, &out, NULL) == 0 && fetch_guard_empty(g));
    CU_ASSERT_STRING_EQUAL(fetch_guard_bye(g), "?[2J");
    CU_ASSERT(fetch_guard_feed(g, "* OK a\0b\r\n", 10, &out, NULL) == ERR_SYNTAX);
    fetch_guard_free(&g);
    fetch_guard_free(&g);
    buf_free(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {{"what passes, in whatever pieces", test_passes},
                                             {"what is left out", test_left_out},
                                             {"what is refused", test_refused},
                                             {"pieces, BYE, NUL", test_more}};

    return unit_main("fetch-guard", tests, sizeof tests / sizeof *tests);
}
