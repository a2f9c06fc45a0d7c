#include "lda/remote.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lda/smtp.h"
#include "smtp-server.h"
#include "starve.h"
#include "unit.h"

static struct smtp_server server;

/* What the server says to one step, or to two, and when; to all others it says what one does that takes the message. */
static struct {
    enum smtp_step step, also;
    const char *answer;
    int after_ms;
} special;

static const char *answer(enum smtp_step step, const char *rcpt)
{
    const struct timespec pause = {special.after_ms / 1000, special.after_ms % 1000 * 1000000L};

    (void)rcpt;
    if (step == special.step || step == special.also) {
        nanosleep(&pause, NULL);
        return special.answer;
    }
    return step == STEP_GREETING ? "220-hello\r\n220 there\r\n"
           : step == STEP_DATA   ? "354 go\r\n"
           : step == STEP_QUIT   ? "221 bye\r\n"
           : step == STEP_EHLO   ? "250-me\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
                                 : "250 ok\r\n";
}

static void be_special(enum smtp_step step, enum smtp_step also, const char *text)
{
    special.step = step;
    special.also = also;
    special.answer = text;
    special.after_ms = 0;
}

static void be_plain(void)
{
    be_special(STEP_OTHER, STEP_OTHER, "500 what?\r\n");
}

static struct err error;
static int code, seconds = 10; /* for an answer */

static int deliver_pieces(enum route_kind kind, const struct span *pieces, size_t count)
{
    struct route route = {kind, server.path};
    int r;

    memset(&error, 0, sizeof error);
    code = -1;
    server.answer = answer;
    CU_ASSERT_EQUAL_FATAL(smtp_server_start(&server), 0);
    r = remote_deliver(&route, seconds, "alice@example.com", "bob@example.net", pieces, count, &code, &error);
    smtp_server_stop(&server);
    return r;
}

static int deliver(enum route_kind kind, const char *text)
{
    const struct span piece = {(const unsigned char *)text, strlen(text)};

    return deliver_pieces(kind, &piece, 1);
}

/* The commands that came, less the name after the greeting. */
static int commands_are(const char *hello, const char *rest)
{
    const char *got = buf_str(&server.commands), *end = strchr(got, '\n');

    if (end && !strncmp(got, hello, strlen(hello)) && got[strlen(hello)] == ' ' && !strcmp(end + 1, rest))
        return 1;
    printf("# %s", got);
    return 0;
}

#define ENVELOPE "MAIL FROM:<alice@example.com>\nRCPT TO:<bob@example.net>\n"
#define ALL ENVELOPE "DATA\nQUIT\n"

static void test_taken(void)
{
    be_plain();
    CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, "Subject: a\n\ntext\n"), 0);
    CU_ASSERT_EQUAL(code, 250);
    CU_ASSERT(commands_are("EHLO", ALL));
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "bob:Subject: a\r\n\r\ntext\r\n");
    CU_ASSERT_EQUAL(deliver(ROUTE_LMTP, "Subject: a\n\ntext\n"), 0);
    CU_ASSERT(commands_are("LHLO", ALL));
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "bob:Subject: a\r\n\r\ntext\r\n");
    be_special(STEP_RCPT, STEP_MESSAGE, "251-will\r\n251 forward\r\n");
    CU_ASSERT_EQUAL(deliver(ROUTE_LMTP, "a\n"), 0);
    CU_ASSERT_EQUAL(code, 251);
}

static void test_null_sender(void)
{
    const struct span piece = {(const unsigned char *)"a\n", 2};
    struct route route = {ROUTE_SMTP, server.path};

    be_plain();
    server.answer = answer;
    CU_ASSERT_EQUAL_FATAL(smtp_server_start(&server), 0);
    CU_ASSERT_EQUAL(remote_deliver(&route, 1, "", "bob@example.net", &piece, 1, &code, NULL), 0);
    smtp_server_stop(&server);
    CU_ASSERT(commands_are("EHLO", "MAIL FROM:<>\nRCPT TO:<bob@example.net>\nDATA\nQUIT\n"));
}

/* ---- greetings ---- */

static void test_helo(void)
{
    static const char *const refusals[] = {"500 what?\r\n", "501 no\r\n", "502 no\r\n",          "504 no\r\n",
                                           "550 no\r\n",    "451 no\r\n", "550-no\r\n550 no\r\n", "220 no\r\n"};

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        be_special(STEP_EHLO, STEP_LHLO, refusals[i]);
        CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, "a\n"), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&server.commands), "\nHELO "));
        CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "bob:a\r\n");
        CU_ASSERT_EQUAL(deliver(ROUTE_LMTP, "a\n"), ERR_RETRY);
        CU_ASSERT(commands_are("LHLO", "QUIT\n"));
        CU_ASSERT_EQUAL(server.taken.len, 0);
        be_special(STEP_EHLO, STEP_HELO, refusals[i]);
        CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, "a\n"), ERR_RETRY);
        CU_ASSERT_EQUAL(server.taken.len, 0);
    }
}

/* A server that does not want us now says nothing about the message. */
static void test_greeting(void)
{
    static const char *const refusals[] = {"554 no\r\n", "554-no\r\n554 no\r\n", "421 no\r\n", "450 no\r\n",
                                           "250 ok\r\n", "354 go\r\n",           NULL};

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        for (enum route_kind kind = ROUTE_LMTP; kind <= ROUTE_SMTP; kind++) {
            be_special(STEP_GREETING, STEP_GREETING, refusals[i]);
            CU_ASSERT_EQUAL(deliver(kind, "a\n"), ERR_RETRY);
            CU_ASSERT_EQUAL(code, 0);
            CU_ASSERT_STRING_EQUAL(buf_str(&server.commands), refusals[i] && refusals[i][1] != '2' ? "QUIT\n" : "");
        }
}

/* ---- every step ---- */

static const struct {
    enum smtp_step step;
    const char *name, *commands; /* that have come when it fails */
} steps[] = {{STEP_EHLO, "greeting", ""},
             {STEP_MAIL, "sender", "MAIL FROM:<alice@example.com>\n"},
             {STEP_RCPT, "recipient", ENVELOPE},
             {STEP_DATA, "message", ENVELOPE "DATA\n"},
             {STEP_MESSAGE, "message", ENVELOPE "DATA\n"}};

static int names_step(size_t i)
{
    return strstr(error.text, steps[i].name) != NULL;
}

static void fails(size_t i, enum route_kind kind, const char *text, int expected, int expected_code, const char *quit)
{
    char commands[200];
    int r;

    be_special(steps[i].step, i ? steps[i].step : STEP_LHLO, text);
    r = deliver(kind, "a\n");
    if (r != expected || code != expected_code)
        printf("# step %zu, \"%.20s\": %d, %d: %s\n", i, text ? text : "(end)", r, code, error.text);
    CU_ASSERT_EQUAL(r, expected);
    CU_ASSERT_EQUAL(error.code, expected);
    CU_ASSERT_EQUAL(code, expected_code);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "the next server"));
    /* Half an answer that would have been a yes: the message may come twice (RFC 1047). */
    if (steps[i].step != STEP_MESSAGE || !text || text[0] != '2')
        CU_ASSERT_EQUAL(server.taken.len, 0);
    snprintf(commands, sizeof commands, "%s%s", steps[i].commands, quit);
    CU_ASSERT(commands_are(kind == ROUTE_LMTP ? "LHLO" : "EHLO", commands));
}

#define EACH_STEP(i, kind)                                    \
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) \
        for (enum route_kind kind = ROUTE_LMTP; kind <= ROUTE_SMTP; kind++)

static void test_answers(void)
{
    static const struct {
        const char *text;
        int expected, code;
    } answers[] = {
        {"550 5.7.1 no\r\n", ERR_DENIED, 550},
        {"554-5.7.1 no\r\n554-and\r\n554 no\r\n", ERR_DENIED, 554},
        {"599\n", ERR_DENIED, 599},
        {"451 4.2.0 later\r\n", ERR_RETRY, 451},
        {"451-4.2.0 later\r\n451-or\r\n451 never\r\n", ERR_RETRY, 451},
        {"399 what\r\n", ERR_RETRY, 399},
    };

    EACH_STEP(i, kind)
        for (size_t n = 0; i && n < sizeof answers / sizeof *answers; n++) {
            fails(i, kind, answers[n].text, answers[n].expected, answers[n].code, "QUIT\n");
            CU_ASSERT(names_step(i));
        }
    fails(3, ROUTE_SMTP, "250 no need to\r\n", ERR_RETRY, 250, "QUIT\n");
    fails(4, ROUTE_SMTP, "354 more\r\n", ERR_RETRY, 354, "QUIT\n");
}

/* A server that goes, or that cannot be understood: nobody knows what it has done. */
static void test_lost(void)
{
    static const char *const rubbish[] = {"hello\r\n",      "25\r\n",
                                          "\r\n",           "199 x\r\n",
                                          "600 x\r\n",      "250_ok\r\n",
                                          "2500\r\n",       "250-ok\r\n550 no\r\n",
                                          "550-no\r\n250 ok\r\n", " 250 ok\r\n"};
    char endless[SMTP_REPLY_MAX + 2];

    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "250 ", 4);
    endless[sizeof endless - 1] = 0;
    EACH_STEP(i, kind)
    {
        fails(i, kind, NULL, ERR_RETRY, 0, "");
        CU_ASSERT(!i || names_step(i));
        fails(i, kind, "421 4.3.2 going\r\n", ERR_RETRY, i ? 421 : 0, "");
        fails(i, kind, "421-4.3.2 going\r\n421 now\r\n", ERR_RETRY, i ? 421 : 0, "");
        for (size_t n = 0; n < sizeof rubbish / sizeof *rubbish; n++)
            fails(i, kind, rubbish[n], ERR_RETRY, 0, "");
        fails(i, kind, endless, ERR_RETRY, 0, "");
    }
}

/* An answer before the question may be to anything, and the next one is not the next command's. */
static void test_unasked(void)
{
    fails(0, ROUTE_LMTP, "250 ok\r\n250 ok\r\n", ERR_RETRY, 0, "");
    fails(1, ROUTE_LMTP, "250 ok\r\n250 ok\r\n", ERR_RETRY, 0, "");
    fails(2, ROUTE_SMTP, "250 ok\r\n354 go\r\n", ERR_RETRY, 0, "");
    fails(3, ROUTE_SMTP, "354 go\r\n250 ok\r\n", ERR_RETRY, 0, "");
    fails(3, ROUTE_SMTP, "354 go\r\n2", ERR_RETRY, 0, "");
}

static void test_time(void)
{
    seconds = 1;
    be_special(STEP_RCPT, STEP_RCPT, "250 ok\r\n");
    special.after_ms = 1500;
    CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, "a\n"), ERR_RETRY);
    CU_ASSERT_EQUAL(code, 0);
    be_special(STEP_MESSAGE, STEP_MESSAGE, "250 ok\r\n");
    special.after_ms = 1500;
    CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, "a\n"), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "bob:a\r\n");
    seconds = 10;
}

/* What counts is when the answer is there, not that octets of it come. */
static void test_trickle(void)
{
    be_plain();
    server.pause_ms = 2;
    CU_ASSERT_EQUAL(deliver(ROUTE_LMTP, "a\n"), 0);
    server.pause_ms = 100;
    seconds = 1;
    CU_ASSERT_EQUAL(deliver(ROUTE_LMTP, "a\n"), ERR_RETRY);
    server.pause_ms = 0;
    seconds = 10;
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no answer in time"));
    CU_ASSERT_EQUAL(server.taken.len, 0);
}

/* ---- the message ---- */

static void test_lines(void)
{
    static const char *const cases[][2] = {
        {"a", "a\r\n"},
        {"a\n", "a\r\n"},
        {"a\r\n", "a\r\n"},
        {"a\r\n\r\n", "a\r\n\r\n"},
        {"a\rb\nc\r\n", "a\r\nb\r\nc\r\n"},
        {".", ".\r\n"},
        {".\n..\n.a\na.\n", ".\r\n..\r\n.a\r\na.\r\n"},
        {"a\r.\rb\n", "a\r\n.\r\nb\r\n"},
        {"a\n.\r\nMAIL FROM:<x>\r\n", "a\r\n.\r\nMAIL FROM:<x>\r\n"},
        {"", ""},
    };
    const struct span pieces[] = {{(const unsigned char *)"A: b", 4}, {NULL, 0}, {(const unsigned char *)".c\n.", 4}};

    be_plain();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(deliver(ROUTE_SMTP, cases[i][0]), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&server.taken) + 4, cases[i][1]);
        CU_ASSERT(commands_are("EHLO", ALL));
    }
    CU_ASSERT_EQUAL(deliver_pieces(ROUTE_LMTP, pieces, 3), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "bob:A: b\r\n.c\r\n.\r\n");
}

/* Many blocks, cut anywhere in a line. */
static void test_large(void)
{
    static const char *const lines[] = {".\r\n", "..\r\n", "a.\r\n.b.\r\n", "\r\n"};

    be_plain();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct buf text = BUF_INIT;
        struct span piece;

        while (text.len < 700000)
            buf_puts(&text, lines[i]);
        piece = (struct span){text.data, text.len};
        CU_ASSERT_EQUAL(deliver_pieces(ROUTE_SMTP, &piece, 1), 0);
        CU_ASSERT_EQUAL(server.taken.len, text.len + 4);
        CU_ASSERT(server.taken.len == text.len + 4 && !memcmp(server.taken.data + 4, text.data, text.len));
        buf_free(&text);
    }
}

static void test_stuff(void)
{
    struct buf out = BUF_INIT;
    int start = 1;

    CU_ASSERT_EQUAL(smtp_stuff((struct span){(const unsigned char *)".a\r\n..", 6}, &start, &out), 0);
    CU_ASSERT_EQUAL(start, 0);
    CU_ASSERT_EQUAL(smtp_stuff((struct span){(const unsigned char *)".\r", 2}, &start, &out), 0);
    CU_ASSERT_EQUAL(smtp_stuff((struct span){(const unsigned char *)"\n", 1}, &start, &out), 0);
    CU_ASSERT_EQUAL(start, 1);
    CU_ASSERT_EQUAL(smtp_stuff((struct span){NULL, 0}, &start, &out), 0);
    CU_ASSERT_EQUAL(start, 1);
    CU_ASSERT_EQUAL(smtp_stuff((struct span){(const unsigned char *)".", 1}, &start, &out), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&out), "..a\r\n....\r\n..");
    buf_free(&out);
}

/* ---- what is not sent at all ---- */

static void test_addresses(void)
{
    static const char *const bad[] = {"a>@x",  "<a@x",     "a\r\nDATA@x", "a b@x",
                                      "a\t@x", "a\x7f@x", "\xc3\xa4@x",  "a\n@x"};
    struct route nowhere = {ROUTE_SMTP, (char *)(uintptr_t)"/tmp/recrypt-smtp.no-such-socket"};
    const struct span piece = {(const unsigned char *)"a\n", 2};
    char text[400];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(remote_deliver(&nowhere, 1, "a@x", bad[i], &piece, 1, &code, NULL), ERR_SYNTAX);
        CU_ASSERT_EQUAL(remote_deliver(&nowhere, 1, bad[i], "a@x", &piece, 1, &code, NULL), ERR_SYNTAX);
    }
    CU_ASSERT_EQUAL(remote_deliver(&nowhere, 1, "a@x", "", &piece, 1, &code, NULL), ERR_SYNTAX);
    memset(text, 'a', sizeof text);
    text[321] = 0;
    CU_ASSERT_EQUAL(remote_deliver(&nowhere, 1, "a@x", text, &piece, 1, &code, NULL), ERR_SYNTAX);
    text[320] = 0;
    CU_ASSERT_EQUAL(remote_deliver(&nowhere, 1, text, text, &piece, 1, &code, &error), ERR_RETRY);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no-such-socket"));
}

/* ---- memory ---- */

/* The message is so large that what is written grows while it is: nothing of it may be left out. */
static void test_starved(void)
{
    struct route route = {ROUTE_SMTP, server.path};
    struct buf text = BUF_INIT;
    struct span piece;
    int spared = 0, failed = 0;

    if (!starve_works()) {
        unit_skip("built with sanitizers, which have allocations of their own");
        return;
    }
    be_plain();
    server.answer = answer;
    while (text.len < 100000)
        buf_puts(&text, ".a\r\nb\r\n");
    piece = (struct span){text.data, text.len};
    for (long n = 1; n < 1000 && !spared; n++) {
        int r;

        CU_ASSERT_EQUAL_FATAL(smtp_server_start(&server), 0);
        starve(n);
        r = remote_deliver(&route, 5, "alice@example.com", "bob@example.net", &piece, 1, &code, &error);
        spared = starve_spared();
        smtp_server_stop(&server);
        CU_ASSERT(r == 0 || (!spared && (r == ERR_RETRY || r == ERR_SYSTEM)));
        if (server.taken.len) /* also when its answer could not be read any more */
            CU_ASSERT_STRING_EQUAL(buf_str(&server.taken) + 4, buf_str(&text));
        CU_ASSERT(r < 0 || server.taken.len);
        failed += r < 0;
    }
    CU_ASSERT(spared);
    CU_ASSERT(failed >= 3);
    buf_free(&text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a message by SMTP and by LMTP", test_taken},
        {"the null sender", test_null_sender},
        {"EHLO refused: HELO", test_helo},
        {"a server that does not greet", test_greeting},
        {"refused and deferred at each step", test_answers},
        {"lost at each step", test_lost},
        {"answers that nobody asked for", test_unasked},
        {"late answers", test_time},
        {"slow answers", test_trickle},
        {"line ends and dots", test_lines},
        {"large messages", test_large},
        {"dots doubled piece by piece", test_stuff},
        {"addresses that must not be sent, nobody there", test_addresses},
        {"any allocation fails", test_starved},
    };
    int status = unit_main("lda-remote", tests, sizeof tests / sizeof *tests);

    smtp_server_clear(&server);
    return status;
}
