/* UID XRECRYPT between a client, a server and a recryptd that this test plays. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "xrecrypt-world.h"

static const char *const to_list[] = {"list@example.com"}, *const to_far[] = {"far@example.net"},
                         *const to_bob[] = {"bob@example.com"}, *const to_nobody[] = {"nobody@example.com"},
                         *const to_three[] = {"nobody@x.org", "zed@x.org", "bob@example.com"};

static void test_answers(void)
{
    struct mail list, far, bob, nobody, three, plain = {.header = BUF_INIT};
    struct pair p = world_logged_in();
    char tag[4096];

    recryptd_run(1);
    compose(&list, to_list, 1, 0, 100);
    compose(&far, to_far, 1, 0, 100);
    compose(&bob, to_bob, 1, 1, 100);
    compose(&nobody, to_nobody, 1, 0, 100);
    compose(&three, to_three, 3, 0, 100);
    buf_puts(&plain.header, "Content-Type: text/plain\r\n\r\n");
    buf_puts(&plain.part, "hello");
    say(&p.client, "x uid xrecrypt 3,1:2,7:5 abcde-fghij-klmno-pqrst-uvwxy-z2345\r\ny NOOP\r\n");
    CU_ASSERT(asked_fetch(&p, "1:3,5:7", 65536, tag));
    send_mail(&p, 1, 1, &list, 65536, "");
    say(&p.server, "* 9 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen) UID 2)\r\n");
    send_mail(&p, 2, 2, &far, 65536, "FLAGS (\\Seen {3}\r\na)b) MODSEQ (7) ");
    send_mail(&p, 3, 3, &bob, 65536, "");
    send_mail(&p, 4, 5, &nobody, 65536, "");
    send_mail(&p, 5, 6, &plain, 65536, "FLAGS () ");
    send_mail(&p, 6, 7, &three, 65536, "");
    CU_ASSERT(hears(&p.client, "* 9 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen) UID 2)\r\n") && hears_nothing(&p.client) &&
              hears_nothing(&p.server));
    done(&p, tag, "OK fetched");
    CU_ASSERT(told(&p, 1, 1, &list, 0, ""));
    CU_ASSERT(told(&p, 2, 2, &far, 1, " FLAGS (\\Seen {3}\r\na)b) MODSEQ (7)"));
    CU_ASSERT(told(&p, 3, 3, &bob, 2, ""));
    CU_ASSERT(told(&p, 4, 5, &nobody, -1, ""));
    CU_ASSERT(told(&p, 5, 6, &plain, -1, " FLAGS ()"));
    strcpy(three.keys[0], three.keys[2]);
    CU_ASSERT(told(&p, 6, 7, &three, 2, ""));
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n") && hears(&p.server, "y NOOP\r\n"));
    say(&p.server, "y OK\r\n");
    CU_ASSERT(hears(&p.client, "y OK\r\n"));
    pair_close(&p);
    mail_clear(&list);
    mail_clear(&far);
    mail_clear(&bob);
    mail_clear(&nobody);
    mail_clear(&three);
    mail_clear(&plain);
}

/* Earlier commands are answered first; what the server says comes in pieces. */
static void test_order(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "1 FETCH 1 BODY[]\r\n2 NOOP\r\nx UID XRECRYPT 4 " DEVICE
                   "\r\ny COMPRESS DEFLATE\r\nz UID XRECRYPT 5 " DEVICE "\r\n3 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "1 FETCH 1 BODY[]\r\n2 NOOP\r\n") && hears_nothing(&p.server));
    say(&p.server, "* 1 FETCH (BODY[] {6}\r\n2 OK\r\n)\r\n1 OK\r\n");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (BODY[] {6}\r\n2 OK\r\n)\r\n1 OK\r\n") && hears_nothing(&p.server));
    say(&p.server, "2 OK\r\n* 8 EXISTS\r\n");
    CU_ASSERT(hears(&p.client, "2 OK\r\n* 8 EXISTS\r\n") && asked_fetch(&p, "4", 65536, tag));
    send_mail(&p, 4, 4, &m, 65536, "");
    CU_ASSERT(hears_nothing(&p.client));
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 4, 4, &m, 2, "") &&
              hears(&p.client, "x OK UID XRECRYPT completed\r\ny NO [CANNOT] Not through this filter\r\n"));
    CU_ASSERT(asked_fetch(&p, "5", 65536, tag));
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "z OK UID XRECRYPT completed\r\n") && hears(&p.server, "3 NOOP\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* A number that would change is told before. */
static void test_expunge(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "x UID XRECRYPT 1:9 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1:9", 65536, tag));
    say(&p.server, "* 1 EXPUNGE\r\n");
    CU_ASSERT(hears(&p.client, "* 1 EXPUNGE\r\n"));
    send_mail(&p, 4, 4, &m, 65536, "");
    send_mail(&p, 5, 5, &m, 65536, "");
    say(&p.server, "* 4 EXPUNGE\r\n");
    CU_ASSERT(told(&p, 4, 4, &m, 2, "") && told(&p, 5, 5, &m, 2, "") && hears(&p.client, "* 4 EXPUNGE\r\n"));
    send_mail(&p, 5, 6, &m, 65536, "");
    say(&p.server, "* VANISHED 4:5\r\n");
    CU_ASSERT(told(&p, 5, 6, &m, 2, "") && hears(&p.client, "* VANISHED 4:5\r\n"));
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* Many: which there are is asked first, and then for 64 at a time; the next ones while recryptd works. */
static void test_chunks(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];
    struct buf found = BUF_INIT;

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "x UID XRECRYPT 1:* " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:*\r\n", tag));
    buf_puts(&found, "* 3 EXISTS\r\n* SEARCH");
    for (unsigned i = 1; i <= 150; i++)
        buf_printf(&found, " %u", 2 * i);
    buf_puts(&found, "\r\n");
    say(&p.server, buf_str(&found));
    CU_ASSERT(hears(&p.client, "* 3 EXISTS\r\n") && hears_nothing(&p.server));
    done(&p, tag, "OK");
    for (unsigned c = 0; c < 3; c++) {
        unsigned first = 64 * c + 1, last = first + 63 < 150 ? first + 63 : 150;

        buf_reset(&found);
        for (unsigned i = first; i <= last; i++)
            buf_printf(&found, "%s%u", i > first ? "," : "", 2 * i);
        CU_ASSERT(asked_fetch(&p, buf_str(&found), 65536, tag));
        for (unsigned i = first; i <= last; i++)
            send_mail(&p, i, 2 * i, &m, 65536, "");
        done(&p, tag, "OK");
        for (unsigned i = first; i <= last; i++)
            CU_ASSERT(told(&p, i, 2 * i, &m, 2, ""));
    }
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    CU_ASSERT(items_seen == 150 && largest == 64);
    /* A mailbox with nothing in it, and one with more than anybody may ask about. */
    say(&p.client, "x UID XRECRYPT 1:* " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:*\r\n", tag));
    say(&p.server, "* SEARCH\r\n");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    buf_reset(&found);
    buf_puts(&found, "* SEARCH");
    for (unsigned i = 1; i <= 30000; i++)
        buf_printf(&found, " %u", i);
    buf_puts(&found, "\r\n");
    say(&p.client, "x UID XRECRYPT 1:100000 " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:100000\r\n", tag));
    say(&p.server, buf_str(&found));
    done(&p, tag, "OK");
    CU_ASSERT(hears_line(&p.client, "x NO [LIMIT] More than 20000 ", NULL));
    buf_free(&found);
    pair_close(&p);
    mail_clear(&m);
}

/* A first part that is longer than what is asked for at first: its beginning is enough, when it says whom it is for. */
static void test_large(void)
{
    struct pair p = world_logged_in();
    struct mail big, huge, small, usual;
    char tag[4096];

    recryptd_run(1);
    compose(&big, to_bob, 1, WHOLE_LAST, 200000);
    compose(&huge, to_bob, 1, WHOLE_LAST, 4000000);
    compose(&small, to_bob, 1, TWO_PART, 3000000);
    compose(&usual, to_three, 3, WHOLE, 4000000);
    strcpy(usual.keys[0], usual.keys[2]);
    say(&p.client, "x UID XRECRYPT 1:4 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1:4", 65536, tag));
    send_mail(&p, 1, 1, &big, 65536, "");
    send_mail(&p, 2, 2, &small, 65536, "");
    send_mail(&p, 3, 3, &huge, 65536, "");
    send_mail(&p, 4, 4, &usual, 65536, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 2, 2, &small, 2, "") && told(&p, 4, 4, &usual, 2, ""));
    CU_ASSERT(asked_fetch(&p, "1", 4194304, tag));
    send_mail(&p, 1, 1, &big, 4194304, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 1, 1, &big, 2, ""));
    CU_ASSERT(asked_fetch(&p, "3", 4194304, tag));
    send_mail(&p, 3, 3, &huge, 4194304, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 3, 3, &huge, -1, "") && hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    pair_close(&p);
    mail_clear(&big);
    mail_clear(&huge);
    mail_clear(&small);
    mail_clear(&usual);
}

/* Few sessions have a long message in memory at a time. */
static void test_large_at_once(void)
{
    struct pair p[5];
    struct mail big;
    char tag[4096], first[4096];

    recryptd_run(1);
    compose(&big, to_bob, 1, WHOLE_LAST, 100000);
    for (int i = 0; i < 5; i++) {
        p[i] = world_logged_in();
        say(&p[i].client, "x UID XRECRYPT 1 " DEVICE "\r\n");
        CU_ASSERT(asked_fetch(&p[i], "1", 65536, tag));
        send_mail(&p[i], 1, 1, &big, 65536, "");
        done(&p[i], tag, "OK");
        if (i < 4)
            CU_ASSERT(asked_fetch(&p[i], "1", 4194304, i ? tag : first));
    }
    CU_ASSERT(hears_line(&p[4].client, "x NO [UNAVAILABLE] Too many ", NULL));
    send_mail(&p[0], 1, 1, &big, 4194304, "");
    done(&p[0], first, "OK");
    CU_ASSERT(told(&p[0], 1, 1, &big, 2, ""));
    for (int i = 0; i < 4; i++)
        pair_close(&p[i]);
    for (int i = 0; i < 8; i++) {
        say(&p[4].client, "x UID XRECRYPT 1 " DEVICE "\r\n");
        CU_ASSERT(asked_fetch(&p[4], "1", 65536, tag));
        send_mail(&p[4], 1, 1, &big, 65536, "");
        done(&p[4], tag, "OK");
        CU_ASSERT(asked_fetch(&p[4], "1", 4194304, tag));
        done(&p[4], tag, "OK");
        CU_ASSERT(hears(&p[4].client, "x OK UID XRECRYPT completed\r\n"));
    }
    pair_close(&p[4]);
    mail_clear(&big);
}

static void test_refused(void)
{
    static const struct {
        const char *command, *answer;
    } cases[] = {{"1", "x BAD "},
                 {"", "x BAD "},
                 {"1 " DEVICE " more", "x BAD "},
                 {"1  " DEVICE, "x BAD "},
                 {"1 \"" DEVICE "\"", "x BAD "},
                 {"1 {3}", "x BAD "},
                 {"1,0 " DEVICE, "x NO [CANNOT] "},
                 {"1:x " DEVICE, "x NO [CANNOT] "},
                 {"$ " DEVICE, "x NO [CANNOT] "},
                 {"1 ABCDE", "x NO [CANNOT] "},
                 {"1 ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z234O1", "x NO [CANNOT] "}};
    struct pair p = world_logged_in();
    char tag[4096];
    struct mail m;

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say(&p.client, "x UID XRECRYPT ");
        say(&p.client, cases[i].command);
        say(&p.client, "\r\n");
        CU_ASSERT(hears_line(&p.client, cases[i].answer, NULL));
    }
    say(&p.client, "x UID XRECRYPT {1+}\r\n1 " DEVICE "\r\n");
    CU_ASSERT(hears_line(&p.client, "x BAD ", NULL) && hears_nothing(&p.server));
    /* The server says no; no message is encrypted; the device is none of hers. */
    say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    done(&p, tag, "BAD No mailbox selected");
    CU_ASSERT(hears(&p.client, "x NO [CANNOT] No mailbox selected\r\n"));
    say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    say(&p.server,
        "* 1 FETCH (BODY[1]<0> \"x\" UID 1 BODY[1.MIME]<0> NIL BODY[HEADER.FIELDS (CONTENT-TYPE)]<0> {2}\r\n\r\n)\r\n");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (UID 1 XRECRYPT NIL)\r\n") &&
              hears_line(&p.client, "x NO [CANNOT] None of these ", NULL));
    say(&p.client, "x UID XRECRYPT 1 AAAAA-FGHIJ-KLMNO-PQRST-UVWXY-Z2345\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    send_mail(&p, 1, 1, &m, 65536, "");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x NO [NOPERM] Not a device of yours\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* recryptd is away, slow, confused: NO, and the session goes on. */
static void test_away(void)
{
    static const enum frame_action ways[] = {FRAME_CLOSE, FRAME_CUT, FRAME_SILENT, FRAME_REPLY_SLOW};
    struct pair p = world_logged_in();
    char tag[4096];
    struct mail m;

    recryptd_run(0);
    compose(&m, to_bob, 1, 0, 100);
    for (size_t i = 0; i <= 2 + sizeof ways / sizeof *ways; i++) {
        int good = i == 1 || i >= 1 + sizeof ways / sizeof *ways;

        recryptd_run(i != 0);
        if (i >= 2 && i < 2 + sizeof ways / sizeof *ways)
            behaviour = ways[i - 2];
        say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\ny NOOP\r\n");
        CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
        send_mail(&p, 1, 1, &m, 65536, "");
        done(&p, tag, "OK");
        if (good)
            CU_ASSERT(told(&p, 1, 1, &m, 2, ""));
        CU_ASSERT(hears_line(&p.client, good ? "x OK " : "x NO [UNAVAILABLE] ", NULL) &&
                  hears(&p.server, "y NOOP\r\n"));
        say(&p.server, "y OK\r\n");
        CU_ASSERT(hears(&p.client, "y OK\r\n"));
        recryptd_run(0);
    }
    pair_close(&p);
    mail_clear(&m);
}

/* Sessions that end at any moment of it. */
static void test_ends(void)
{
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    behaviour = FRAME_SILENT;
    compose(&m, to_bob, 1, 0, 100);
    for (int moment = 0; moment < 6; moment++) {
        struct pair p = world_logged_in();

        say(&p.client, "x UID XRECRYPT 1:9 " DEVICE "\r\ny NOOP\r\n");
        CU_ASSERT(asked_fetch(&p, "1:9", 65536, tag));
        if (moment > 1)
            send_mail(&p, 1, 1, &m, 65536, "");
        if (moment > 3)
            done(&p, tag, "OK");
        if (moment % 2) {
            talk_close(&p.client);
            if (moment < 4)
                CU_ASSERT(hears_nothing(&p.server));
        } else {
            talk_close(&p.server);
            CU_ASSERT(hears_end(&p.client));
        }
        pair_close(&p);
    }
    recryptd_run(0);
    mail_clear(&m);
}

static void stop(void)
{
    CU_ASSERT(world_stop());
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"answers", test_answers},
        {"the order of commands", test_order},
        {"messages that go meanwhile", test_expunge},
        {"many messages", test_chunks},
        {"long first parts", test_large},
        {"long ones in many sessions", test_large_at_once},
        {"what is refused", test_refused},
        {"recryptd is away, slow, confused", test_away},
        {"the client or the server goes", test_ends},
        {"ends in order", stop},
    };
    int status;

    world_start("timeout = 1s");
    status = unit_main("imapfilter-xrecrypt", tests, sizeof tests / sizeof *tests);
    recryptd_run(0);
    world_end();
    return status;
}
