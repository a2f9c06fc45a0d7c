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

#define UID0 "* 1 FETCH (UID 0)\r\n"

static void test_passes(void)
{
    passes("* OK ready (\"((((((((((((\r\n", "* OK ready (\"((((((((((((\r\n");
    passes("* ok [CAPABILITY IMAP4] \x1b[2J\xff\r\n* PREAUTH\r\n", "* OK ?[2J?\r\n* PREAUTH -\r\n");
    passes("* OK [[x] [y] z\r\n* OK [x\r\n", "* OK ?y] z\r\n* OK -\r\n");
    passes("* OK [UIDVALIDITY 7] ok\r\n* OK [UIDVALIDITY x] ok\r\n* NO [UIDVALIDITY 7] no\r\n",
           "* OK [UIDVALIDITY 7] -\r\n* OK ok\r\n* NO no\r\n");
    passes("* CAPABILITY IMAP4rev1 XRECRYPT ( \"x\" AUTH=PLAIN\r\n1 OK done\r\n",
           "* CAPABILITY IMAP4rev1 XRECRYPT AUTH=PLAIN\r\n1 OK done\r\n");
    passes("* CAPABILITY\r\n1 no [X] [ALERT]\r\n2 BAD\n", "* CAPABILITY IMAP4rev1\r\n1 NO ?ALERT]\r\n2 BAD -\r\n");
    passes("* search 1 2 3\r\n* SEARCH\r\n", "* SEARCH 1 2 3 \r\n* SEARCH  \r\n");
    passes("* 1 FETCH (UID 7 BODY[] {10}\r\n(((((((((( FLAGS ())\r\n2 OK x\r\n",
           "* 1 FETCH (UID 7 BODY[] {10}\r\n(((((((((()\r\n2 OK x\r\n");
    passes("* 1 FETCH (BODY[] {6}\r\n\r\n* \r\n)\r\n", "* 1 FETCH (BODY[] {6}\r\n\r\n* \r\n)\r\n");
    passes("* 1 fetch (body[] \"a\\\"((\" uid 5)\r\n", "* 1 FETCH (BODY[] {4}\r\na\"(( UID 5)\r\n");
    passes("* 1 FETCH (RFC822.SIZE 5 XRECRYPT {0}\r\n UID 1)\r\n",
           "* 1 FETCH (RFC822.SIZE 5 XRECRYPT {0}\r\n UID 1)\r\n");
    passes("* 1 FETCH (XRECRYPT NIL BODY[] ~{1}\r\nx)\r\n", "* 1 FETCH (BODY[] {1}\r\nx)\r\n");
}

/* Answers that were not asked for. */
static void test_left_out(void)
{
    passes("* LIST () \"/\" {5}\r\nhello\r\n* STATUS INBOX (X 1)\r\n+ go on\r\n* 1 EXISTS\r\n1 OK x\r\n", "1 OK x\r\n");
    passes("* BYE go away\r\n", "");
    passes("* LIST ((((((((((((( \r\n* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (%*)] x\r\n", "* OK x\r\n");
    passes("* X {3}\r\n* 1 {2}\r\nab\r\n* 2 EXISTS\r\n* 0 FETCH (UID 1)\r\n", "");
    passes("* 1 FETCH (FLAGS (\\Seen))\r\n", UID0);
    passes("* 1 FETCH (MODSEQ (5) INTERNALDATE \"1 (\" ENVELOPE (\"a\\\")\" (NIL) ) X-Y z UID 3)\r\n",
           "* 1 FETCH (UID 3)\r\n");
    passes("* 1 FETCH (BODY[1] {5}\r\nwrong BODY[HEADER.FIELDS (A)] {2}\r\nab UID 3)\r\n", "* 1 FETCH (UID 3)\r\n");
    passes("* 1 FETCH ()\r\n", UID0);
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
    refused("* 1 FETCH (((((((((\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (UID 5\r\n", ERR_SYNTAX);
    refused("* 1 FETCH UID 5\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (UID 5) x\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (UID x)\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (UID 4294967296)\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (BODY[] x)\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (BODY[] \"x)\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (BODY[] {3} {4}\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (FLAGS (\\Seen)\r\n", ERR_SYNTAX);
    refused("* 1 FETCH (BODYSTRUCTURE (\"x\" {2}\r\n", ERR_SYNTAX);
    refused("220 mail.example.com ESMTP\r\n", ERR_SYNTAX);
    refused("1 PREAUTH x\r\n", ERR_SYNTAX);
    refused("1\r\n", ERR_SYNTAX);
    refused("\r\n", ERR_SYNTAX);
    refused("* SEARCH 1 x\r\n", ERR_SYNTAX);
    memset(line, 'x', 70100);
    memcpy(line, "* 1 FETCH (", 11);
    line[70000] = 0;
    refused(line, ERR_LIMIT);
    memset(line, ' ', 70000);
    memcpy(line, "* SEARCH 1", 10);
    memcpy(line + 69998, "\r\n", 3);
    CU_ASSERT(feed(line, 5000, 0, 100000, &out) == 0 && out.len == 70001 && memcmp(out.data, line, 69998) == 0);
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
    CU_ASSERT(fetch_guard_feed(g, "* SEARC", 7, &out, NULL) == 0 && out.len == 0 && !fetch_guard_empty(g));
    CU_ASSERT(fetch_guard_feed(g, "H 1\r\n* 1 FETCH (X {3}\r\n", 23, &out, NULL) == 0 && !fetch_guard_empty(g));
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
