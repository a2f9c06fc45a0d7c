#include "lda/inject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp-server.h"
#include "unit.h"

/* ---- replies ---- */

static void test_reply(void)
{
    static const struct {
        const char *text;
        int result, code;
        size_t used;
    } cases[] = {
        {"250 ok\r\n", 1, 250, 8},
        {"250\r\n", 1, 250, 5},
        {"250 ok\n354 go", 1, 250, 7},
        {"250-a\r\n250-PIPELINING\r\n250 b\r\n550 x\r\n", 1, 250, 30},
        {"", 0, 0, 0},
        {"250 ok", 0, 250, 0},
        {"250-a\r\n", 0, 250, 0},
        {"250-a\r\n251 b\r\n", ERR_SYNTAX, 0, 0},
        {"25\r\n", ERR_SYNTAX, 0, 0},
        {"150 x\r\n", ERR_SYNTAX, 0, 0},
        {"650 x\r\n", ERR_SYNTAX, 0, 0},
        {"2x0 x\r\n", ERR_SYNTAX, 0, 0},
        {"250_x\r\n", ERR_SYNTAX, 0, 0},
        {"\r\n", ERR_SYNTAX, 0, 0},
    };
    struct smtp_reply r;
    size_t used;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = smtp_reply_take(cases[i].text, strlen(cases[i].text), &r, &used, NULL);

        if (got != cases[i].result || used != cases[i].used)
            printf("# case %zu: %d, %zu\n", i, got, used);
        CU_ASSERT_EQUAL(got, cases[i].result);
        CU_ASSERT_EQUAL(used, cases[i].used);
        if (got == 1)
            CU_ASSERT_EQUAL(r.code, cases[i].code);
        CU_ASSERT_EQUAL(r.pipelining, i == 3);
    }
    CU_ASSERT_EQUAL(smtp_reply_take("550 a\x1b\xff"
                                    "b\r\n",
                                    11, &r, &used, NULL),
                    1);
    CU_ASSERT_STRING_EQUAL(r.text, "a??b");
}

static void test_reply_limits(void)
{
    char *text = malloc(SMTP_REPLY_MAX + 100);
    struct smtp_reply r;
    size_t used, n = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', SMTP_REPLY_MAX + 100);
    memcpy(text, "250 ", 4);
    CU_ASSERT_EQUAL(smtp_reply_take(text, SMTP_REPLY_MAX, &r, &used, NULL), 0);
    CU_ASSERT_EQUAL(smtp_reply_take(text, SMTP_REPLY_MAX + 1, &r, &used, NULL), ERR_LIMIT);
    text[SMTP_REPLY_MAX + 50] = '\n';
    CU_ASSERT_EQUAL(smtp_reply_take(text, SMTP_REPLY_MAX + 60, &r, &used, NULL), ERR_LIMIT);
    while (n + 7 <= SMTP_REPLY_MAX + 7) {
        memcpy(text + n, "250-a\r\n", 7);
        n += 7;
    }
    CU_ASSERT_EQUAL(smtp_reply_take(text, n, &r, &used, NULL), ERR_LIMIT);
    text[199] = '\n';
    memset(text + 4, 'y', 195);
    memcpy(text, "250 ", 4);
    CU_ASSERT_EQUAL(smtp_reply_take(text, 200, &r, &used, NULL), 1);
    CU_ASSERT_EQUAL(strlen(r.text), SMTP_TEXT_SIZE - 1);
    free(text);
}

/* ---- a server ---- */

static struct smtp_server server;

static int to(const char *rcpt, const char *what)
{
    return !strncmp(rcpt, what, strlen(what));
}

static const char *rcpt_answer(const char *rcpt)
{
    if (to(rcpt, "none") || to(rcpt, "data"))
        return "550 5.1.1 nobody\r\n";
    if (to(rcpt, "temp"))
        return "450-4.2.0 not\r\n450 4.2.0 now\r\n";
    return to(rcpt, "bye") ? "421 4.3.2 going\r\n" : "250 ok\r\n";
}

/* What it does is told by the recipient's local part: none 550, temp 450, data: refused and 354 all the same, late: 451
 * to the message, big: 552 to the message, gone: hangs up after the message, bye: 421. */
static const char *step_by_recipient(enum smtp_step step, const char *rcpt)
{
    switch (step) {
    case STEP_GREETING:
        return "220 hello\r\n";
    case STEP_RCPT:
        return rcpt_answer(rcpt);
    case STEP_DATA:
        return rcpt_answer(rcpt)[0] == '2' || to(rcpt, "data") ? "354 go\r\n" : "554 5.5.1 nobody\r\n";
    case STEP_MESSAGE:
        return to(rcpt, "gone")   ? NULL
               : to(rcpt, "late") ? "451 later\r\n"
               : to(rcpt, "big")  ? "552 big\r\n"
               : to(rcpt, "data") ? "554 no\r\n"
                                  : "250 ok\r\n";
    default:
        return "250 ok\r\n";
    }
}

static const char *pipelining(enum smtp_step step, const char *rcpt)
{
    return step == STEP_EHLO ? "250-me\r\n250-PIPELINING\r\n250 8BITMIME\r\n" : step_by_recipient(step, rcpt);
}

static struct inject *begin(int with_pipelining)
{
    struct inject *in = NULL;
    struct err e = {0};

    server.answer = with_pipelining ? pipelining : step_by_recipient;
    CU_ASSERT_EQUAL_FATAL(smtp_server_start(&server), 0);
    if (inject_open(server.path, 5, &in, &e))
        printf("# %s\n", e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    return in;
}

static void end(struct inject **in)
{
    inject_close(in);
    smtp_server_stop(&server);
}

static const struct span text[] = {{(const unsigned char *)"a\r\n", 3}, {(const unsigned char *)"..b\r\n", 5}};

static int copy(struct inject *in, const char *rcpt, const char *next, enum inject_outcome *outcome)
{
    struct inject_envelope env = {"list+bounce@example.com", rcpt}, ahead = {"list+bounce@example.com", next};
    struct smtp_reply reply;
    struct err e;

    return inject_copy(in, &env, text, 2, next ? &ahead : NULL, outcome, &reply, &e);
}

/* Everybody gets what is hers, whoever is refused in between. */
static void all_kinds(int with_pipelining)
{
    static const struct {
        const char *to;
        enum inject_outcome outcome;
    } cases[] = {{"a@x", INJECT_TAKEN},      {"none@x", INJECT_REFUSED},  {"temp@x", INJECT_DEFERRED},
                 {"b@x", INJECT_TAKEN},      {"late@x", INJECT_DEFERRED}, {"c@x", INJECT_TAKEN},
                 {"data@x", INJECT_REFUSED}, {"d@x", INJECT_TAKEN}};
    const size_t n = sizeof cases / sizeof *cases;
    struct inject *in = begin(with_pipelining);

    for (size_t i = 0; i < n; i++) {
        enum inject_outcome outcome;

        CU_ASSERT_EQUAL(copy(in, cases[i].to, i + 1 < n ? cases[i + 1].to : NULL, &outcome), 0);
        if (outcome != cases[i].outcome)
            printf("# %s: %d\n", cases[i].to, outcome);
        CU_ASSERT_EQUAL(outcome, cases[i].outcome);
        if (!with_pipelining)
            CU_ASSERT_EQUAL(inject_ahead(in), 0);
    }
    end(&in);
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "a:a\r\n.b\r\nb:a\r\n.b\r\nc:a\r\n.b\r\nd:a\r\n.b\r\n");
    CU_ASSERT_EQUAL(server.data_for_nobody, with_pipelining ? 1 : 0);
}

static void test_pipelining(void)
{
    all_kinds(1);
}

static void test_step_by_step(void)
{
    all_kinds(0);
}

/* The connection is of no use any more, and what was under way counts as not taken. */
static void test_lost(void)
{
    static const char *const cases[] = {"gone@x", "bye@x", "big@x"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inject *in = begin(1);
        enum inject_outcome outcome = INJECT_TAKEN;

        CU_ASSERT_EQUAL(copy(in, "a@x", cases[i], &outcome), 0);
        CU_ASSERT_EQUAL(copy(in, cases[i], "b@x", &outcome), ERR_RETRY);
        CU_ASSERT_NOT_EQUAL(outcome, INJECT_TAKEN);
        CU_ASSERT_EQUAL(copy(in, "b@x", NULL, &outcome), ERR_RETRY);
        end(&in);
        CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "a:a\r\n.b\r\n");
    }
}

/* An address that would end its brackets or the line is not sent, and the connection stays good. */
static void test_addresses(void)
{
    struct inject *in = begin(1);
    enum inject_outcome outcome;

    CU_ASSERT_EQUAL(copy(in, "a>@x", NULL, &outcome), ERR_SYNTAX);
    CU_ASSERT_EQUAL(copy(in, "a\r\nRSET@x", NULL, &outcome), ERR_SYNTAX);
    CU_ASSERT_EQUAL(copy(in, "", NULL, &outcome), ERR_SYNTAX);
    CU_ASSERT_EQUAL(copy(in, "a@x", "b\n@x", &outcome), 0);
    CU_ASSERT_EQUAL(inject_ahead(in), 0);
    CU_ASSERT_EQUAL(copy(in, "b\n@x", NULL, &outcome), ERR_SYNTAX);
    CU_ASSERT_EQUAL(copy(in, "c@x", "", &outcome), 0);
    CU_ASSERT_EQUAL(inject_ahead(in), 0);
    CU_ASSERT_EQUAL(copy(in, "", "d@x", &outcome), ERR_SYNTAX);
    CU_ASSERT_EQUAL(copy(in, "d@x", NULL, &outcome), 0);
    CU_ASSERT_EQUAL(outcome, INJECT_TAKEN);
    end(&in);
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "a:a\r\n.b\r\nc:a\r\n.b\r\nd:a\r\n.b\r\n");
}

/* An envelope that was sent ahead takes no other's copy. */
static void test_other_envelope(void)
{
    struct inject *in = begin(1);
    enum inject_outcome outcome = INJECT_TAKEN;

    CU_ASSERT_EQUAL(copy(in, "a@x", "b@x", &outcome), 0);
    CU_ASSERT_EQUAL(inject_ahead(in), 1);
    CU_ASSERT_EQUAL(copy(in, "c@x", NULL, &outcome), ERR_RETRY);
    CU_ASSERT_NOT_EQUAL(outcome, INJECT_TAKEN);
    end(&in);
    CU_ASSERT_STRING_EQUAL(buf_str(&server.taken), "a:a\r\n.b\r\n");
}

static void test_nobody_there(void)
{
    struct inject *in;

    CU_ASSERT_EQUAL(inject_open("/tmp/recrypt-inject.no-such-socket", 1, &in, NULL), ERR_RETRY);
    CU_ASSERT_PTR_NULL(in);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"replies", test_reply},
        {"replies without end", test_reply_limits},
        {"copies with pipelining, some refused", test_pipelining},
        {"copies without pipelining", test_step_by_step},
        {"a connection lost", test_lost},
        {"addresses that must not be sent", test_addresses},
        {"an envelope ahead is another's", test_other_envelope},
        {"nobody there", test_nobody_there},
    };
    int status = unit_main("lda-inject", tests, sizeof tests / sizeof *tests);

    smtp_server_clear(&server);
    return status;
}
