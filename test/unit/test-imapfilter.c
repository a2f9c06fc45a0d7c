/* The IMAP filter between a client and a server that this test plays. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "imapfilter-world.h"

/* ---- before login ---- */

static void test_login(void)
{
    struct pair p = world_pair();

    say(&p.client, "a CAPABILITY\r\n");
    CU_ASSERT(hears(&p.server, "a CAPABILITY\r\n"));
    say(&p.server, "* CAPABILITY IMAP4rev1 STARTTLS COMPRESS=DEFLATE AUTH=PLAIN AUTH=EXTERNAL\r\na OK [CAPABILITY X "
                   "COMPRESS=Y] done\r\n");
    CU_ASSERT(hears(&p.client, "* CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS\r\na OK [CAPABILITY X STARTTLS] done\r\n"));
    say(&p.client, "b LOGIN bob wrong\r\n");
    CU_ASSERT(hears(&p.server, "b LOGIN bob wrong\r\n"));
    say(&p.server, "b NO no\r\n");
    CU_ASSERT(hears(&p.client, "b NO no\r\n"));
    say(&p.client, "c LOGIN \"bob\" \"sec\\\"ret\"\r\n");
    CU_ASSERT(hears(&p.server, "c LOGIN \"bob\" \"sec\\\"ret\"\r\n"));
    say(&p.server, "* CAPABILITY IMAP4rev1 IDLE\r\nc OK in\r\n");
    CU_ASSERT(hears(&p.client, "* CAPABILITY IMAP4rev1 IDLE XRECRYPT\r\nc OK in\r\n"));
    say(&p.client, "d CAPABILITY\r\n");
    CU_ASSERT(hears(&p.server, "d CAPABILITY\r\n"));
    say(&p.server, "* CAPABILITY IMAP4rev1 STARTTLS XRECRYPT\r\nd OK done\r\n");
    CU_ASSERT(hears(&p.client, "* CAPABILITY IMAP4rev1 XRECRYPT\r\nd OK done\r\n"));
    say(&p.client, "e LOGOUT\r\n");
    CU_ASSERT(hears(&p.server, "e LOGOUT\r\n"));
    say(&p.server, "* BYE bye\r\ne OK out\r\n");
    CU_ASSERT(hears(&p.client, "* BYE bye\r\ne OK out\r\n"));
    talk_close(&p.server);
    CU_ASSERT(hears_end(&p.client));
    pair_close(&p);
}

static void test_greetings(void)
{
    static const char *const bad[] = {"* PREAUTH welcome\r\n", "* BYE no\r\n", "hello\r\n", "a OK hello\r\n",
                                      "* 1 EXISTS\r\n",        "+ go\r\n",     NULL};
    char *endless = malloc(70001);
    struct pair p;

    for (const char *const *b = bad; *b; b++) {
        p.client = world_client(0);
        p.server = world_server();
        say(&p.server, *b);
        CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
        pair_close(&p);
    }
    memset(endless, 'x', 70000);
    memcpy(endless, "* OK ", 5);
    endless[70000] = 0;
    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, endless);
    CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
    pair_close(&p);
    p.client = world_client(0);
    p.server = world_server();
    talk_close(&p.server);
    CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
    pair_close(&p);
    /* One that tells nothing is asked. */
    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, "* OK hello\r\n");
    CU_ASSERT(hears_line(&p.server, "RX", endless) && strstr(endless, " CAPABILITY\r\n"));
    *strchr(endless, ' ') = 0;
    say(&p.server, "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=NTLM\r\n");
    say(&p.server, endless);
    say(&p.server, " OK done\r\n");
    CU_ASSERT(hears(&p.client, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS] hello\r\n"));
    pair_close(&p);
    free(endless);
}

static void test_before_login(void)
{
    static const char *const refused[] = {"a SELECT INBOX",
                                          "a FETCH 1 BODY[]",
                                          "a UID XRECRYPT 1 X",
                                          "a COMPRESS DEFLATE",
                                          "a LOGIN bob",
                                          "a LOGIN bob a b",
                                          "a NOOP x",
                                          "a CAPABILITY x",
                                          "a AUTHENTICATE",
                                          "a STARTTLS x",
                                          "a ID x",
                                          "a ENABLE X",
                                          "a UNAUTHENTICATE",
                                          "a",
                                          "a ",
                                          NULL};
    struct pair p;

    for (const char *const *r = refused; *r; r++) {
        p = world_pair();
        say(&p.client, *r);
        say(&p.client, "\r\nb NOOP\r\n");
        CU_ASSERT(hears_line(&p.client, "a BAD ", NULL));
        CU_ASSERT(hears(&p.server, "b NOOP\r\n"));
        pair_close(&p);
    }
    p = world_pair();
    say(&p.client,
        "\r\n(x NOOP\r\na AUTHENTICATE GSSAPI\r\na AUTHENTICATE EXTERNAL\r\na AUTHENTICATE SCRAM-SHA-256-PLUS\r\n");
    CU_ASSERT(hears_line(&p.client, "* BAD ", NULL) && hears_line(&p.client, "* BAD ", NULL));
    for (int i = 0; i < 3; i++)
        CU_ASSERT(hears_line(&p.client, "a NO [CANNOT] ", NULL));
    CU_ASSERT(hears_nothing(&p.server));
    for (int i = 0; i < 30; i++)
        say(&p.client, "x FETCH\r\n");
    for (int i = 0; i < 16; i++)
        CU_ASSERT(hears_line(&p.client, "x BAD ", NULL));
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
}

/* Each command waits for the answer to the one before it; literals reach the server as ones that wait. */
static void test_login_literals(void)
{
    static const char sent[] = "a NOOP\r\nb LOGIN {15+}\r\nbob \"\r\n@example {3}\r\np\"w\r\nc NOOP\r\n";

    for (size_t cut = 0; cut < strlen(sent); cut++) {
        struct pair p = world_pair();

        say_octets(&p.client, sent, cut);
        say(&p.client, sent + cut);
        CU_ASSERT(hears(&p.server, "a NOOP\r\n"));
        if (cut < 2)
            CU_ASSERT(hears_nothing(&p.server));
        say(&p.server, "a OK\r\n");
        CU_ASSERT(hears(&p.client, "a OK\r\n+ go on\r\n"));
        CU_ASSERT(hears(&p.server, "b LOGIN {15}\r\n"));
        if (cut < 2)
            CU_ASSERT(hears_nothing(&p.server));
        say(&p.server, "+ yes\r\n");
        CU_ASSERT(hears(&p.server, "bob \"\r\n@example {3}\r\n"));
        say(&p.server, "+ yes\r\n");
        CU_ASSERT(hears(&p.server, "p\"w\r\n"));
        say(&p.server, "b OK in\r\n");
        CU_ASSERT(hears(&p.client, "b OK in\r\n") && hears(&p.server, "c NOOP\r\n"));
        pair_close(&p);
    }
}

/* A server that refuses a literal has the end of the command, and no rest of it becomes one. */
static void test_refused_literal(void)
{
    struct pair p = world_pair();

    say(&p.client, "a LOGIN {8+}\r\nb NOOP\r\n {3+}\r\nabc\r\nc NOOP\r\n");
    CU_ASSERT(hears(&p.server, "a LOGIN {8}\r\n"));
    say(&p.server, "a NO no literals\r\n");
    CU_ASSERT(hears(&p.client, "a NO no literals\r\n") && hears(&p.server, "c NOOP\r\n"));
    say(&p.server, "c OK\r\n");
    CU_ASSERT(hears(&p.client, "c OK\r\n"));
    /* What a server says of its own accord must not let anybody in. */
    say(&p.server, "d OK [CAPABILITY x] in\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
    p = world_pair();
    say(&p.client, "a LOGIN bob secret\r\n");
    CU_ASSERT(hears(&p.server, "a LOGIN bob secret\r\n"));
    say(&p.server, "b OK in\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
}

static void test_id(void)
{
    struct pair p = world_pair();

    say(&p.client, "a ID (\"x-originating-ip\" \"10.0.0.1\" \"name\" \"x\")\r\n");
    CU_ASSERT(hears(&p.server, "a ID (\"name\" \"x\")\r\n"));
    say(&p.server, "* ID (\"name\" \"Server {7}\")\r\na OK\r\n");
    CU_ASSERT(hears(&p.client, "* ID (\"name\" \"Server {7}\")\r\na OK\r\n"));
    say(&p.client, "b ID (\"name\" {3}\r\n");
    CU_ASSERT(hears(&p.client, "+ go on\r\n"));
    say(&p.client, "\xc3\xa4"
                   "b)\r\n");
    CU_ASSERT(hears(&p.server, "b ID (\"name\" {3}\r\n"));
    say(&p.server, "+ \r\n");
    CU_ASSERT(hears(&p.server, "\xc3\xa4"
                               "b)\r\n"));
    pair_close(&p);
}

static void authenticate(const char *command, const char *const *steps, const char *who)
{
    struct pair p = world_pair();
    char line[4096];

    say(&p.client, command);
    CU_ASSERT(hears(&p.server, command));
    for (; *steps; steps++) {
        say(&p.server, "+ VXNlciBOYW1lAA==\r\n");
        CU_ASSERT(hears(&p.client, "+ VXNlciBOYW1lAA==\r\n"));
        say(&p.client, *steps);
        say(&p.client, "\r\n");
        CU_ASSERT(hears(&p.server, *steps) && hears(&p.server, "\r\n"));
    }
    say(&p.server, "a OK in\r\n");
    CU_ASSERT(hears(&p.client, "a OK in\r\n"));
    say(&p.client, "x UID XRECRYPT 1 ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345\r\n");
    if (who) {
        CU_ASSERT(hears_line(&p.server, "RX", line) && strstr(line, " UID FETCH 1 "));
    } else {
        CU_ASSERT(hears_line(&p.client, "x NO [NOPERM] ", NULL));
    }
    pair_close(&p);
}

static void test_authenticate(void)
{
    static const char *const none[] = {NULL}, *const plain[] = {"AGJvYkBleGFtcGxlLmNvbQBzZWNyZXQ=", NULL},
                             *const login[] = {"Ym9iQGV4YW1wbGUuY29t", "c2VjcmV0", NULL},
                             *const three[] = {"Ym9iQGV4YW1wbGUuY29t", "YQ==", "YQ==", NULL},
                             *const twice[] = {"AGJvYkBleGFtcGxlLmNvbQBzZWNyZXQ=", "", NULL},
                             *const other[] = {"Ym9iIDAxMjM0", NULL},
                             *const master[] = {"Ym9iQGV4YW1wbGUuY29tAGFkbWluAHNlY3JldA==", NULL};
    struct pair p;

    authenticate("a AUTHENTICATE PLAIN AGJvYkBleGFtcGxlLmNvbQBzZWNyZXQ=\r\n", none, "bob");
    authenticate("a authenticate plain\r\n", plain, "bob");
    authenticate("a AUTHENTICATE LOGIN\r\n", login, "bob");
    authenticate("a AUTHENTICATE LOGIN Ym9iQGV4YW1wbGUuY29t\r\n", login + 1, "bob");
    authenticate("a AUTHENTICATE PLAIN =\r\n", none, NULL);
    authenticate("a AUTHENTICATE PLAIN\r\n", twice, NULL);
    authenticate("a AUTHENTICATE PLAIN\r\n", master, NULL);
    authenticate("a AUTHENTICATE LOGIN\r\n", three, NULL);
    authenticate("a AUTHENTICATE CRAM-MD5\r\n", other, NULL);
    p = world_pair();
    say(&p.client, "a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n");
    CU_ASSERT(hears(&p.server, "a AUTHENTICATE PLAIN\r\n") && hears_nothing(&p.server));
    say(&p.server, "+ \r\n");
    CU_ASSERT(hears(&p.server, "*\r\n") && hears_nothing(&p.server));
    say(&p.server, "a BAD cancelled\r\n");
    CU_ASSERT(hears(&p.client, "+ \r\na BAD cancelled\r\n") && hears(&p.server, "b NOOP\r\n"));
    pair_close(&p);
}

/* ---- after login ---- */

static const char commands[] = "1 SELECT INBOX\r\n2 APPEND x {20+}\r\n3 LOGOUT\r\n* BYE x\r\n)\r\n3 UID FETCH 1 "
                               "BODY[]\r\n4 SEARCH TEXT {0+}\r\n CC {3+}\r\n{9} x\r\n"
                               "5 X (~{4+}\r\na\0b\n)\r\n6 NOOP\r\n";
static const char answers[] =
    "* 1 EXISTS\r\n* 1 FETCH (BODY[] {42}\r\n1 OK [CAPABILITY COMPRESS=x] {7}\r\n* BYE {3}\r\n UID 7)\r\n"
    "* LIST () \"/\" {2}\r\n\r\n\r\n* OK look {5}\r\n* NO [BADCHARSET ({3}\r\nabc)] {4}\r\n1 OK done {5}\r\n+ idle "
    "{3}\r\n2 NO x\r\n"
    "* X (~{3}\r\n\0\0\n)\r\n";

/* The same octets on the other side, wherever they fall apart. */
static void test_splits(void)
{
    struct pair p = world_logged_in();

    for (size_t cut = 1; cut < sizeof commands - 1; cut++) {
        say_octets(&p.client, commands, cut);
        if (cut % 8 == 0)
            CU_ASSERT(hears_nothing(&p.client));
        say_octets(&p.client, commands + cut, sizeof commands - 1 - cut);
        CU_ASSERT(hears_octets(&p.server, commands, sizeof commands - 1));
    }
    pair_close(&p);
    p = world_logged_in();
    for (size_t cut = 1; cut < sizeof answers - 1; cut++) {
        say_octets(&p.server, answers, cut);
        if (cut % 8 == 0)
            CU_ASSERT(hears_nothing(&p.server));
        say_octets(&p.server, answers + cut, sizeof answers - 1 - cut);
        CU_ASSERT(hears_octets(&p.client, answers, sizeof answers - 1));
    }
    pair_close(&p);
    p = world_logged_in();
    for (int i = 0; i < 4; i++)
        for (size_t at = 0; at < sizeof answers - 1; at++) {
            say_octets(&p.server, answers + at, 1);
            if (at < sizeof commands - 1)
                say_octets(&p.client, commands + at, 1);
        }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(hears_octets(&p.client, answers, sizeof answers - 1));
        CU_ASSERT(hears_octets(&p.server, commands, sizeof commands - 1));
    }
    pair_close(&p);
}

static void test_waiting_literals(void)
{
    struct pair p = world_logged_in();

    say(&p.client, "1 NOOP\r\n2 APPEND x {6}\r\n3 LOGO {7}\r\nUT\r\n)()\r\n4 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "1 NOOP\r\n2 APPEND x {6}\r\n") && hears_nothing(&p.server));
    say(&p.server, "1 OK\r\n* 2 EXISTS\r\n");
    CU_ASSERT(hears(&p.client, "1 OK\r\n* 2 EXISTS\r\n") && hears_nothing(&p.server));
    say(&p.server, "+ go\r\n");
    CU_ASSERT(hears(&p.client, "+ go\r\n") && hears(&p.server, "3 LOGO {7}\r\n") && hears_nothing(&p.server));
    say(&p.server, "+ go\r\n");
    CU_ASSERT(hears(&p.client, "+ go\r\n") && hears(&p.server, "UT\r\n)()\r\n4 NOOP\r\n"));
    say(&p.server, "what is this\r\n) x\r\n");
    CU_ASSERT(hears(&p.client, "what is this\r\n) x\r\n"));
    /* Refused: what comes next is a command. */
    say(&p.server, "2 OK\r\n4 OK\r\n");
    CU_ASSERT(hears(&p.client, "2 OK\r\n4 OK\r\n"));
    say(&p.client, "5 APPEND x {99999999999}\r\n6 COMPRESS DEFLATE\r\n7 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "5 APPEND x {99999999999}\r\n") && hears_nothing(&p.server));
    say(&p.server, "5 NO too big\r\n");
    CU_ASSERT(hears(&p.client, "5 NO too big\r\n6 NO [CANNOT] Not through this filter\r\n") &&
              hears(&p.server, "7 NOOP\r\n"));
    pair_close(&p);
}

static void test_idle(void)
{
    struct pair p = world_logged_in();

    say(&p.client, "1 IDLE\r\nDONE\r\n2 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "1 IDLE\r\n") && hears_nothing(&p.server));
    say(&p.server, "+ idling\r\n* 3 EXISTS\r\n");
    CU_ASSERT(hears(&p.client, "+ idling\r\n* 3 EXISTS\r\n") && hears(&p.server, "DONE\r\n2 NOOP\r\n"));
    say(&p.server, "1 OK\r\n2 OK\r\n");
    CU_ASSERT(hears(&p.client, "1 OK\r\n2 OK\r\n"));
    say(&p.client, "3 IDLE\r\n4 COMPRESS DEFLATE\r\n");
    CU_ASSERT(hears(&p.server, "3 IDLE\r\n") && hears_nothing(&p.server));
    say(&p.server, "3 NO not here\r\n");
    CU_ASSERT(hears(&p.client, "3 NO not here\r\n4 NO [CANNOT] Not through this filter\r\n"));
    pair_close(&p);
}

static void test_own_answers(void)
{
    struct pair p = world_logged_in();

    say(&p.client, "1 COMPRESS DEFLATE\r\n2 STARTTLS\r\n3 LOGIN a b\r\n4 AUTHENTICATE PLAIN\r\n5 "
                   "UNAUTHENTICATE\r\n6\r\n\r\n7 LOGIN {3+}\r\nabc {3+}\r\ndef\r\n"
                   "8 LOGIN {3}\r\n9 NOOP\r\n");
    CU_ASSERT(hears_line(&p.client, "1 NO [CANNOT] ", NULL) && hears_line(&p.client, "2 BAD ", NULL) &&
              hears_line(&p.client, "3 BAD ", NULL) && hears_line(&p.client, "4 BAD ", NULL) &&
              hears_line(&p.client, "5 NO [CANNOT] ", NULL) && hears_line(&p.client, "6 BAD ", NULL) &&
              hears_line(&p.client, "* BAD ", NULL) && hears_line(&p.client, "7 BAD ", NULL) &&
              hears_line(&p.client, "8 BAD ", NULL));
    CU_ASSERT(hears(&p.server, "9 NOOP\r\n"));
    say(&p.client, "a NOOP\nb X\n");
    CU_ASSERT(hears(&p.server, "a NOOP\r\nb X\r\n"));
    /* Not into the middle of another answer. */
    say(&p.server, "* 1 FETCH (BODY[] {10}\r\n01234");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (BODY[] {10}\r\n01234"));
    say(&p.client, "c COMPRESS DEFLATE\r\nd COMPRESS DEFLATE\r\n");
    CU_ASSERT(hears_nothing(&p.client));
    say(&p.server, "56789)\r\n* 2 EXISTS\r\n");
    CU_ASSERT(hears(
        &p.client,
        "56789)\r\nc NO [CANNOT] Not through this filter\r\nd NO [CANNOT] Not through this filter\r\n* 2 EXISTS\r\n"));
    pair_close(&p);
}

static void test_malformed(void)
{
    static const char *const bad[] = {"1 X abc{3+}\r\n", "1 X \"abc {3}\r\n", "1 X {99999999999999999999}\r\n",
                                      "1 X {3+}\r\nabc\r\r\n"};
    char *longest = malloc(70001);
    struct pair p;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        p = world_logged_in();
        say(&p.client, bad[i]);
        CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
        pair_close(&p);
    }
    p = world_logged_in();
    say(&p.client, "1 X a\rb\r\n");
    CU_ASSERT(hears_line(&p.client, "* BAD ", NULL));
    pair_close(&p);
    memset(longest, 'x', 70000);
    memcpy(longest, "1 X ", 4);
    longest[70000] = 0;
    p = world_logged_in();
    say(&p.client, longest);
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
    p = world_pair();
    say(&p.client, "a LOGIN {40000+}\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
    p = world_pair();
    say(&p.client, "a LOGIN {4294967295}\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE ", NULL));
    pair_close(&p);
    free(longest);
}

static void test_ends(void)
{
    struct pair p = world_logged_in();

    /* What was sent before an end arrives, on both sides. */
    say(&p.client, "1 NOOP\r\n2 LOGOUT\r\n");
    shutdown(p.client.fd, SHUT_WR);
    CU_ASSERT(hears(&p.server, "1 NOOP\r\n2 LOGOUT\r\n") && hears_end(&p.server));
    say(&p.server, "1 OK\r\n2 OK\r\nhalf a line");
    talk_close(&p.server);
    CU_ASSERT(hears(&p.client, "1 OK\r\n2 OK\r\nhalf a line") && hears_end(&p.client));
    pair_close(&p);
    p = world_logged_in();
    talk_close(&p.client);
    CU_ASSERT(hears_end(&p.server));
    pair_close(&p);
}

/* Neither side is asked for more than the other takes. */
static void test_pressure(void)
{
    enum { MANY = 16 << 20 };
    char *octets = malloc(MANY);
    size_t before, sent = 0;
    struct pair p = world_logged_in();
    ssize_t n;

    for (size_t i = 0; i < MANY; i++)
        octets[i] = (char)(i * 2654435761u >> 13);
    say(&p.client, "1 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "1 NOOP\r\n"));
    before = world_memory();
    say(&p.server, "* 1 FETCH (BODY[] {16777216}\r\n");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (BODY[] {16777216}\r\n"));
    while (sent < MANY && (n = send(p.server.fd, octets + sent, MANY - sent, MSG_DONTWAIT)) > 0) {
        sent += (size_t)n;
        for (int i = 0; i < 20 && sent < MANY; i++) {
            if ((n = send(p.server.fd, octets + sent, MANY - sent, MSG_DONTWAIT)) > 0)
                sent += (size_t)n;
            else
                (void)hears_nothing(&p.server);
        }
    }
    CU_ASSERT(sent < MANY);
    CU_ASSERT(world_memory() < before + (1 << 20));
    /* Others are served meanwhile. */
    {
        struct pair q = world_logged_in();

        pair_close(&q);
    }
    CU_ASSERT(hears_octets(&p.client, octets, sent));
    say_octets(&p.server, octets + sent, MANY - sent < 65536 ? MANY - sent : 65536);
    CU_ASSERT(hears_octets(&p.client, octets + sent, MANY - sent < 65536 ? MANY - sent : 65536));
    pair_close(&p);
    free(octets);
}

/* Refusals are the filter's own: who takes none of them is not listened to for ever. */
static void test_refusals_untaken(void)
{
    enum { MANY = 16 << 20 };
    static const char line[] = "1 COMPRESS DEFLATE\r\n";
    char *octets = malloc(MANY);
    struct pair p = world_logged_in();
    size_t before = world_memory(), sent = 0, len = sizeof line - 1;
    ssize_t n = 1;

    for (size_t i = 0; i < MANY; i++)
        octets[i] = line[i % len];
    for (int idle = 0; sent < MANY && idle < 20;) {
        if ((n = send(p.client.fd, octets + sent, MANY - sent, MSG_DONTWAIT)) > 0) {
            sent += (size_t)n;
            idle = 0;
        } else {
            (void)hears_nothing(&p.server);
            idle++;
        }
    }
    CU_ASSERT(sent < MANY);
    CU_ASSERT(world_memory() < before + (2 << 20));
    for (size_t i = 0; i < sent / len; i++)
        if (!hears_line(&p.client, "1 NO [CANNOT]", NULL)) {
            CU_FAIL("a refusal is missing");
            break;
        }
    say(&p.client, line + sent % len);
    CU_ASSERT(hears_line(&p.client, "1 NO [CANNOT]", NULL));
    pair_close(&p);
    free(octets);
}

static void test_limits(void)
{
    struct pair p[3];
    struct talk more;

    world_reload("user_domain = \"example.com\"\nlogin_timeout = 1s");
    p[0] = world_pair();
    say(&p[0].client, "a LOG");
    CU_ASSERT(hears_line(&p[0].client, "* BYE ", NULL));
    pair_close(&p[0]);
    more = world_client(1);
    CU_ASSERT(hears_end(&more));
    talk_close(&more);
    CU_ASSERT(world_stop());
    world_start("max_connections = 2");
    p[0] = world_pair();
    p[1] = world_pair();
    more = world_client(0);
    CU_ASSERT(hears(&more, "* BYE [UNAVAILABLE] Too many connections\r\n"));
    talk_close(&more);
    more = world_client(1);
    CU_ASSERT(hears_end(&more));
    talk_close(&more);
    pair_close(&p[0]);
    CU_ASSERT(hears_nothing(&p[1].client));
    p[2] = world_pair();
    pair_close(&p[1]);
    pair_close(&p[2]);
}

static void stop(void)
{
    CU_ASSERT(world_stop());
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"login, and lists of capabilities", test_login},
        {"greetings", test_greetings},
        {"commands before login", test_before_login},
        {"literals before login, split at every octet", test_login_literals},
        {"a literal that is refused", test_refused_literal},
        {"ID", test_id},
        {"AUTHENTICATE", test_authenticate},
        {"what passes, split at every octet", test_splits},
        {"literals that wait", test_waiting_literals},
        {"IDLE", test_idle},
        {"answers of the filter's own", test_own_answers},
        {"malformed commands", test_malformed},
        {"ends of connections", test_ends},
        {"who takes nothing", test_pressure},
        {"who takes no refusals", test_refusals_untaken},
        {"limits", test_limits},
        {"ends in order", stop},
    };
    int status;

    world_start("user_domain = \"example.com\"");
    status = unit_main("imapfilter", tests, sizeof tests / sizeof *tests);
    world_end();
    return status;
}
