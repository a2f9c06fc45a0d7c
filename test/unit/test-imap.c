/* The IMAP filter's parser: lines and literals in any pieces, words, lists of capabilities, sets, FETCH answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap-span.h"
#include "imapfilter/imap-capability.h"
#include "imapfilter/imap-fetch.h"
#include "imapfilter/imap-line.h"
#include "imapfilter/imap-read.h"
#include "imapfilter/imap-set.h"
#include "unit.h"

/* ---- pieces ---- */

/* What a reader makes of a stream, as "L(line)" and "D(literal)"; pieces of one thing are joined. server: answers, or
 * commands. */
struct transcript {
    struct imap_reader reader;
    struct buf in, out;
    int last, server;
};

static void note(struct transcript *t, int piece, const unsigned char *data, size_t len)
{
    int kind = piece == IMAP_LITERAL ? 'D' : 'L';
    struct imap_literal lit;
    struct span text;

    if (t->last != kind || piece == IMAP_LINE)
        buf_printf(&t->out, "%s%c:", t->out.len ? "|" : "", kind);
    buf_append(&t->out, data, len);
    t->last = piece == IMAP_LINE || piece == IMAP_LAST ? 0 : kind;
    if (piece != IMAP_LINE && piece != IMAP_LAST)
        return;
    text = piece == IMAP_LAST ? imap_text(t->reader.tail, t->reader.tail_len) : imap_text(data, len);
    if ((t->server ? imap_server_literal(text, &lit) : imap_client_literal(text, &lit)) == 1)
        imap_read_literal(&t->reader, lit.octets);
}

static int feed(struct transcript *t, const void *data, size_t len)
{
    size_t at = 0, used;
    int piece;

    buf_append(&t->in, data, len);
    while ((piece = imap_read(&t->reader, t->in.data + at, t->in.len - at, &used)) > 0) {
        note(t, piece, t->in.data + at, used);
        at += used;
    }
    memmove(t->in.data, t->in.data + at, t->in.len - at);
    buf_cut(&t->in, t->in.len - at);
    return piece;
}

static void transcript_clear(struct transcript *t)
{
    buf_free(&t->in);
    buf_free(&t->out);
}

static const char commands[] =
    "a NOOP\r\nb APPEND x {5}\r\nab\r\n} (c {0}\r\n d {12+}\r\ne LOGOUT {9}\r\nf FETCH 1 x\r\ng X ~{3}\r\n\n\n\n\r\n";
static const char transcript[] =
    "L:a NOOP\r\n|L:b APPEND x {5}\r\n|D:ab\r\n}|L: (c {0}\r\n|L: d {12+}\r\n|D:e LOGOUT {9}|L:\r\n|L:f FETCH 1 x\r\n|"
    "L:g X ~{3}\r\n|D:\n\n\n|L:\r\n";

static void test_splits(void)
{
    for (int server = 0; server < 2; server++)
        for (size_t cut = 0; cut <= strlen(commands); cut++) {
            struct transcript t = {.server = 0};

            t.reader.in_pieces = server;
            CU_ASSERT(feed(&t, commands, cut) == IMAP_MORE);
            CU_ASSERT(feed(&t, commands + cut, strlen(commands) - cut) == IMAP_MORE);
            CU_ASSERT(same(&t.out, transcript));
            transcript_clear(&t);
        }
    for (int step = 1; step < 8; step++) {
        struct transcript t = {.server = 0};

        for (size_t at = 0; at < strlen(commands); at += (size_t)step)
            feed(&t, commands + at, strlen(commands) - at < (size_t)step ? strlen(commands) - at : (size_t)step);
        CU_ASSERT(same(&t.out, transcript));
        transcript_clear(&t);
    }
}

static void test_long(void)
{
    size_t len = 3 * IMAP_LINE_MAX + 77;
    char *line = malloc(len + 32), *want = malloc(len + 64);

    memset(line, 'x', len);
    strcpy(line + len, " {3}\r\nabc)\r\n* OK\r\n");
    sprintf(want, "L:%.*s {3}\r\n|D:abc|L:)\r\n|L:* OK\r\n", (int)len, line);
    for (size_t step = 1; step <= len; step = step * 3 + 1) {
        struct transcript t = {.server = 1};

        t.reader.in_pieces = 1;
        for (size_t at = 0; at < strlen(line); at += step)
            CU_ASSERT(feed(&t, line + at, strlen(line) - at < step ? strlen(line) - at : step) == IMAP_MORE);
        CU_ASSERT(same(&t.out, want));
        CU_ASSERT(t.in.size <= 2 * IMAP_LINE_MAX + step);
        transcript_clear(&t);
    }
    /* The announcement and the line end fall apart anywhere. */
    for (size_t cut = len; cut < len + 12; cut++) {
        struct transcript t = {.server = 1};

        t.reader.in_pieces = 1;
        feed(&t, line, cut);
        feed(&t, line + cut, strlen(line) - cut);
        CU_ASSERT(same(&t.out, want));
        transcript_clear(&t);
    }
    for (size_t n = IMAP_LINE_MAX - 3; n < IMAP_LINE_MAX + 3; n++) {
        struct transcript t = {.server = 0};

        line[n - 2] = '\r';
        line[n - 1] = '\n';
        CU_ASSERT(feed(&t, line, n) == (n <= IMAP_LINE_MAX ? IMAP_MORE : ERR_LIMIT));
        line[n - 2] = line[n - 1] = 'x';
        transcript_clear(&t);
    }
    free(line);
    free(want);
}

static int literal(const char *text, uint64_t octets, int waits)
{
    struct imap_literal lit;
    int r = imap_client_literal(span(text), &lit);

    return r == 1 ? lit.octets == octets && lit.waits == waits : r;
}

static void test_announcements(void)
{
    struct imap_literal lit;

    CU_ASSERT(literal("a X {12}", 12, 1) == 1);
    CU_ASSERT(literal("a X {12+}", 12, 0) == 1);
    CU_ASSERT(literal("a X ({0}", 0, 1) == 1);
    CU_ASSERT(literal("{7}", 7, 1) == 1);
    CU_ASSERT(literal("a X ~{7}", 7, 1) == 1);
    CU_ASSERT(literal("a X {4294967295}", 4294967295u, 1) == 1);
    CU_ASSERT(literal("a X \"a\\\"b\" {7}", 7, 1) == 1);
    CU_ASSERT(literal("a X", 0, 0) == 0);
    CU_ASSERT(literal("a X \"{12}\"", 0, 0) == 0);
    CU_ASSERT(literal("a X {}", 0, 0) == 0);
    CU_ASSERT(literal("a X {1x}", 0, 0) == 0);
    CU_ASSERT(literal("", 0, 0) == 0);
    CU_ASSERT(literal("}", 0, 0) == 0);
    CU_ASSERT(literal("a X abc{12}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(literal("a X \"abc {12}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(literal("a X \"abc\"{12}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(literal("a X \"abc\\\" {12+}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(literal("a X abc~{12}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(literal("a X {99999999999999999999}", 0, 0) == ERR_SYNTAX);
    CU_ASSERT(imap_server_literal(span("* 1 FETCH (BODY[] {5}"), &lit) && lit.octets == 5);
    CU_ASSERT(!imap_server_literal(span("* 1 FETCH (BODY[] {5+}"), &lit));
    CU_ASSERT(!imap_status_literal(span("* OK read this {5}"), &lit));
    CU_ASSERT(!imap_status_literal(span("* OK [X] read this {5}"), &lit));
    CU_ASSERT(imap_status_literal(span("a NO [BADCHARSET ({5}"), &lit) && lit.octets == 5);
    CU_ASSERT(imap_client_check(span("a X")) == 0);
    CU_ASSERT(imap_client_check(span("a X\rb Y")) == ERR_SYNTAX);
    CU_ASSERT(imap_client_check((struct span){(const unsigned char *)"a\0b", 3}) == ERR_SYNTAX);
}

/* ---- words ---- */

static void test_commands(void)
{
    static const char *const good[][4] = {{"a1 NOOP", "NOOP", "", ""},
                                          {"a.] uid xrecrypt 1:2 X", "uid", "xrecrypt", " 1:2 X"},
                                          {"x UID", "UID", "", ""},
                                          {"x UID  FETCH 1 y", "UID", "", "  FETCH 1 y"},
                                          {"9 FETCH 1 (BODY[])", "FETCH", "", " 1 (BODY[])"}};
    static const char *const bad[] = {"",       " ",       "a",       "a ",        "a  NOOP", "+ NOOP", "a+b NOOP",
                                      "* NOOP", "a \"x\"", "a NO(OP", "\x80 NOOP", "(a NOOP", "a% NOOP"};
    struct imap_command c;
    char tag[IMAP_TAG_MAX + 16];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CU_ASSERT(imap_command(span(good[i][0]), &c) == 0);
        CU_ASSERT(imap_is(c.name, good[i][1]) && imap_is(c.uid_name, good[i][2]) && imap_is(c.rest, good[i][3]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(imap_command(span(bad[i]), &c) == ERR_SYNTAX);
    memset(tag, 'a', sizeof tag);
    strcpy(tag + IMAP_TAG_MAX, " NOOP");
    CU_ASSERT(imap_command(span(tag), &c) == 0);
    strcpy(tag + IMAP_TAG_MAX, "a NOOP");
    CU_ASSERT(imap_command(span(tag), &c) == ERR_SYNTAX && c.tag.len == 0);
}

static void test_replies(void)
{
    struct imap_reply r;

    imap_reply(span("* 12 FETCH (UID 3)"), &r);
    CU_ASSERT(r.kind == IMAP_UNTAGGED && r.number == 12 && imap_is(r.word, "FETCH") && imap_is(r.rest, "(UID 3)"));
    imap_reply(span("* OK [X] hello"), &r);
    CU_ASSERT(r.kind == IMAP_STATUS && imap_is(r.rest, "[X] hello"));
    imap_reply(span("* preauth"), &r);
    CU_ASSERT(r.kind == IMAP_STATUS && imap_is(r.word, "PREAUTH"));
    imap_reply(span("* SEARCH"), &r);
    CU_ASSERT(r.kind == IMAP_UNTAGGED && imap_is(r.word, "SEARCH") && r.rest.len == 0);
    imap_reply(span("* 99999999999 EXISTS"), &r);
    CU_ASSERT(r.kind == IMAP_UNTAGGED && r.number == 0);
    imap_reply(span("+ go on"), &r);
    CU_ASSERT(r.kind == IMAP_CONTINUATION);
    imap_reply(span("a1 NO [CODE] x"), &r);
    CU_ASSERT(r.kind == IMAP_TAGGED && imap_is(r.tag, "a1") && imap_is(r.word, "NO"));
    imap_reply(span(""), &r);
    CU_ASSERT(r.kind == IMAP_TAGGED && r.tag.len == 0);
    imap_reply(span("*OK"), &r);
    CU_ASSERT(r.kind == IMAP_TAGGED && r.tag.len == 0);
}

static int astring(const char *text, const char *want, const char *left)
{
    struct imap_cursor c = imap_cursor(span(text));
    struct buf out = BUF_INIT;
    int r = imap_astring(&c, &out), yes;

    yes = want ? r == 0 && same(&out, want) && (size_t)(c.end - c.at) == strlen(left)
               : r == ERR_SYNTAX && out.len == 0 && (size_t)(c.end - c.at) == strlen(text);
    buf_free(&out);
    return yes;
}

static void test_strings(void)
{
    struct buf out = BUF_INIT;

    CU_ASSERT(astring("abc]+/ x", "abc]+/", " x"));
    CU_ASSERT(astring("\"a b\\\"\\\\\" x", "a b\"\\", " x"));
    CU_ASSERT(astring("\"\"", "", ""));
    CU_ASSERT(astring("{3}\r\na\r\n x", "a\r\n", " x"));
    CU_ASSERT(astring("{3+}\r\nabcd", "abc", "d"));
    CU_ASSERT(astring("\"abc", NULL, ""));
    CU_ASSERT(astring("\"abc\\", NULL, ""));
    CU_ASSERT(astring("\"a\rb\"", NULL, ""));
    CU_ASSERT(astring("{3}\nabc", NULL, ""));
    CU_ASSERT(astring("{4}\r\nabc", NULL, ""));
    CU_ASSERT(astring("{99999999999}\r\nabc", NULL, ""));
    CU_ASSERT(astring("(a)", NULL, ""));
    CU_ASSERT(astring("", NULL, ""));
    CU_ASSERT(astring("\xc3\xa4", NULL, ""));
    CU_ASSERT(imap_put_string(&out, "a\"\\b", 4) == 0 && imap_put_string(&out, "\xc3\r\n", 3) == 0);
    CU_ASSERT(same(&out, "\"a\\\"\\\\b\"{3}\r\n\xc3\r\n"));
    buf_free(&out);
}

/* ---- capabilities ---- */

static int capabilities(const char *list, int logged_in, int starttls, int may_login, const char *want)
{
    const struct imap_front front = {logged_in, starttls, may_login};
    struct buf out = BUF_INIT;
    int yes = imap_capability_list(span(list), &front, &out) == 0 && same(&out, want);

    buf_free(&out);
    return yes;
}

static void test_capabilities(void)
{
    static const char all[] =
        "IMAP4rev1 starttls LITERAL+ SASL-IR IDLE AUTH=PLAIN AUTH=GSSAPI auth=external AUTH=SCRAM-SHA-256 "
        "AUTH=SCRAM-SHA-256-PLUS AUTH=DIGEST-MD5 AUTH=XOAUTH2 COMPRESS=DEFLATE unauthenticate xrecrypt ID";
    struct span list;

    CU_ASSERT(capabilities(all, 0, 1, 0, "IMAP4rev1 LITERAL+ IDLE ID STARTTLS LOGINDISABLED"));
    CU_ASSERT(capabilities(all, 0, 1, 1,
                           "IMAP4rev1 LITERAL+ SASL-IR IDLE AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 ID STARTTLS"));
    CU_ASSERT(
        capabilities(all, 0, 0, 1, "IMAP4rev1 LITERAL+ SASL-IR IDLE AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 ID"));
    CU_ASSERT(capabilities(all, 1, 1, 1, "IMAP4rev1 LITERAL+ IDLE ID XRECRYPT"));
    CU_ASSERT(capabilities("  IMAP4rev1   LOGINDISABLED AUTH=PLAIN ", 0, 0, 1, "IMAP4rev1 LOGINDISABLED"));
    CU_ASSERT(capabilities("", 1, 0, 0, "XRECRYPT"));
    CU_ASSERT(imap_capabilities(span(all)) == (IMAP_CAP_STARTTLS | IMAP_CAP_ID | IMAP_CAP_LITERAL));
    CU_ASSERT(imap_capabilities(span("IMAP4rev2 LOGINDISABLED STARTTLSX")) ==
              (IMAP_CAP_LOGINDISABLED | IMAP_CAP_LITERAL));
    CU_ASSERT(imap_capability_find(span("* CAPABILITY a b"), &list) && imap_is(list, "a b"));
    CU_ASSERT(imap_capability_find(span("* OK [capability a b] hello [x]"), &list) && imap_is(list, "a b"));
    CU_ASSERT(imap_capability_find(span("t1 OK [CAPABILITY a b] in"), &list) && imap_is(list, "a b"));
    CU_ASSERT(!imap_capability_find(span("* OK hello [CAPABILITY a b]"), &list));
    CU_ASSERT(!imap_capability_find(span("* OK [CAPABILITY a b"), &list));
    CU_ASSERT(!imap_capability_find(span("* 1 CAPABILITY a b"), &list));
    CU_ASSERT(!imap_capability_find(span("+ [CAPABILITY a b]"), &list));
}

/* ---- sets ---- */

static int set(const char *text, size_t chunk, const char *want)
{
    struct buf out = BUF_INIT;
    struct imap_set s;
    int r = imap_set_parse(span(text), &s, NULL), yes;
    size_t taken;

    if (r < 0)
        return !want && r == ERR_SYNTAX && !s.ranges;
    do {
        if (out.len)
            buf_puts(&out, "|");
        r = imap_set_take(&s, chunk, &out, &taken);
    } while (r == 0 && s.numbers);
    yes = want && r == 0 && same(&out, s.star ? "" : want);
    if (s.star)
        yes = want && strcmp(want, "*") == 0;
    imap_set_clear(&s);
    buf_free(&out);
    return yes;
}

static void test_sets(void)
{
    static const char *const bad[] = {
        "",    ",",  "1,",         ",1",           "0", "1:0", "1:",  ":1",    "1::2", "a",
        "1 2", "-1", "4294967296", "1:4294967296", "$", "**",  "1.5", "1,2,x", "01x",  "99999999999999999999999"};
    struct imap_set s;
    char *many = malloc(IMAP_SET_TEXT_MAX + 8);
    struct err e;

    CU_ASSERT(set("1", 9, "1"));
    CU_ASSERT(set("4:2,9,3:7", 99, "2:7,9"));
    CU_ASSERT(set("1,2,3,5", 99, "1:3,5"));
    CU_ASSERT(set("1:10", 4, "1:4|5:8|9:10"));
    CU_ASSERT(set("1,3,5,7", 2, "1,3|5,7"));
    CU_ASSERT(set("4294967295,4294967294", 1, "4294967294|4294967295"));
    CU_ASSERT(set("1:4294967295", 4294967295u, "1:4294967295"));
    CU_ASSERT(set("5:*", 9, "*"));
    CU_ASSERT(set("1,*:7", 9, "*"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(set(bad[i], 9, NULL));
    memset(many, '1', IMAP_SET_TEXT_MAX + 1);
    many[IMAP_SET_TEXT_MAX + 1] = 0;
    CU_ASSERT(imap_set_parse(span(many), &s, &e) == ERR_LIMIT);
    for (size_t i = 0; i < IMAP_SET_TEXT_MAX; i++)
        many[i] = i % 2 ? ',' : '7';
    many[IMAP_SET_TEXT_MAX - 1] = 0;
    CU_ASSERT(imap_set_parse(span(many), &s, &e) == 0 && s.count == 1 && s.numbers == 1);
    imap_set_clear(&s);
    free(many);
}

static int search(const char *text, size_t step, size_t max, uint64_t left_away, const char *want)
{
    struct imap_search in = {0};
    struct imap_set s = {0};
    struct buf out = BUF_INIT;
    uint64_t beyond = 0;
    int r = 0, yes;

    for (size_t at = 0; r == 0 && at < strlen(text); at += step)
        r = imap_search_feed(
            &in, (struct span){(const unsigned char *)text + at, strlen(text) - at < step ? strlen(text) - at : step},
            max, &s, &beyond);
    r = r ? r : imap_search_end(&in, max, &s, &beyond);
    if (r == 0)
        imap_set_take(&s, 999, &out, NULL);
    yes = want ? r == 0 && beyond == left_away && same(&out, want) : r == ERR_SYNTAX;
    imap_set_clear(&s);
    buf_free(&out);
    return yes;
}

static void test_search(void)
{
    for (size_t step = 1; step < 12; step++) {
        CU_ASSERT(search(" 1 2 3 7 4294967295\r\n", step, 99, 0, "1:3,7,4294967295"));
        CU_ASSERT(search(" 5 6 8 (MODSEQ 917162500)\r\n", step, 99, 0, "5:6,8"));
        CU_ASSERT(search(" 5 6 8 9", step, 2, 2, "5:6"));
        CU_ASSERT(search("", step, 2, 0, ""));
        CU_ASSERT(search(" 5 0", step, 99, 0, NULL));
        CU_ASSERT(search(" 4294967296", step, 99, 0, NULL));
        CU_ASSERT(search(" 99999999999999999999", step, 99, 0, NULL));
        CU_ASSERT(search(" 5 x", step, 99, 0, NULL));
    }
}

/* ---- FETCH ---- */

/* The answer as "number uid H=.. M=.. P=.. others", or NULL for an error. */
static int fetch(const char *text, const char *want)
{
    unsigned char *copy = (unsigned char *)strdup(text);
    struct buf others = BUF_INIT, out = BUF_INIT;
    struct imap_fetch f;
    int r = imap_fetch_read(copy, strlen(text), &f, &others), yes;

    if (r == 0) {
        const struct span *const parts[] = {&f.header, &f.mime, &f.part};

        buf_printf(&out, "%u %u", f.number, f.uid);
        for (int i = 0; i < 3; i++)
            if (parts[i]->data)
                buf_printf(&out, " %c=%.*s", "HMP"[i], (int)parts[i] -> len, (const char *)parts[i] -> data);
        buf_append(&out, others.data, others.len);
    }
    yes = want ? r == 0 && same(&out, want) : r < 0;
    if (!yes)
        printf("# from \"%.200s\"\n", text);
    buf_free(&out);
    buf_free(&others);
    free(copy);
    return yes;
}

static void test_fetch(void)
{
    char deep[400] = "* 1 FETCH (UID 1 X ";

    CU_ASSERT(fetch("* 3 FETCH (UID 9 BODY[HEADER.FIELDS (CONTENT-TYPE)]<0> {4}\r\na)b\n BODY[1.MIME]<0> {0}\r\n "
                    "BODY[1]<0> \"x\\\"y\")",
                    "3 9 H=a)b\n M= P=x\"y"));
    CU_ASSERT(fetch("* 3 fetch (body[1] NIL UID 9)", "3 9"));
    CU_ASSERT(fetch("* 3 FETCH (FLAGS (\\Seen \\Deleted) UID 9 MODSEQ (12345))",
                    "3 9 FLAGS (\\Seen \\Deleted) MODSEQ (12345)"));
    CU_ASSERT(fetch("* 3 FETCH (FLAGS () BODY[1]<0> ~{3}\r\n\"(( ENVELOPE (\"a)\" ({2}\r\n() NIL)) UID 5)",
                    "3 5 P=\"(( FLAGS () ENVELOPE (\"a)\" ({2}\r\n() NIL))"));
    CU_ASSERT(fetch("* 3 FETCH (BODY[HEADER.FIELDS (\"X]Y\" Content-Type)] \"q\" UID 5)", "3 5 H=q"));
    CU_ASSERT(
        fetch("* 3 FETCH (BODY[2] \"two\" BODY[TEXT] {3}\r\nabc UID 1)", "3 1 BODY[2] \"two\" BODY[TEXT] {3}\r\nabc"));
    CU_ASSERT(fetch("* 3 FETCH (X-GM-LABELS (\"\\\\Sent\" foo) UID 1)", "3 1 X-GM-LABELS (\"\\\\Sent\" foo)"));
    CU_ASSERT(fetch("* 3 FETCH ()", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1))", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 UID 2)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 0)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID x)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 BODY[1] \"a\" BODY[1] \"b\")", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 BODY[1] NIL BODY[1] NIL)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 BODY[1] atom)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 BODY[1] {9}\r\nab)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 BODY[1] \"ab)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 FLAGS (a)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID  1)", NULL));
    CU_ASSERT(fetch("* 3 FETCH (UID 1 )", NULL));
    CU_ASSERT(fetch("* FETCH (UID 1)", NULL));
    CU_ASSERT(fetch("* 3 STORE (UID 1)", NULL));
    memset(deep + strlen(deep), '(', 200);
    CU_ASSERT(fetch(deep, NULL));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"lines and literals, split at every octet", test_splits},
        {"lines without end", test_long},
        {"what announces a literal", test_announcements},
        {"commands", test_commands},
        {"answers", test_replies},
        {"strings", test_strings},
        {"lists of capabilities", test_capabilities},
        {"sets", test_sets},
        {"found messages", test_search},
        {"FETCH answers", test_fetch},
    };

    return unit_main("imap", tests, sizeof tests / sizeof *tests);
}
