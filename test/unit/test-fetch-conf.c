#include "recrypt/fetch-conf.h"

#include <stdio.h>
#include <string.h>

#include "recrypt/fetch-progress.h"
#include "unit.h"

static void good(const char *url, enum fetch_tls tls, const char *host, const char *port)
{
    struct fetch_conf c;
    struct err e = {0, ""};

    memset(&c, 0, sizeof c);
    CU_ASSERT_FATAL(fetch_conf_url(url, 0, &c, &e) == 0);
    CU_ASSERT_EQUAL(c.tls, tls);
    CU_ASSERT_STRING_EQUAL(c.host, host);
    CU_ASSERT_STRING_EQUAL(c.port, port);
}

static void test_urls(void)
{
    good("imaps://imap.example.com", FETCH_TLS, "imap.example.com", "993");
    good("imap.example.com", FETCH_TLS, "imap.example.com", "993");
    good("imap.example.com:1993/", FETCH_TLS, "imap.example.com", "1993");
    good("IMAPS://h:65535", FETCH_TLS, "h", "65535");
    good("imap+starttls://imap.example.com:144", FETCH_STARTTLS, "imap.example.com", "144");
    good("imap+starttls://[2001:db8::1]", FETCH_STARTTLS, "2001:db8::1", "143");
    good("imap://127.0.0.1", FETCH_CLEAR, "127.0.0.1", "143");
    good("imap://[::1]:1143", FETCH_CLEAR, "::1", "1143");
    good("imap://localhost", FETCH_CLEAR, "localhost", "143");
}

static void test_urls_refused(void)
{
    static const char *const bad[] = {"", "imaps://", "imap://[]", "imaps://h:", "imaps://h:0", "imaps://h:65536",
                                      "imaps://h:123456", "imaps://h:12x", "imaps://u@h", "imaps://h/box",
                                      "imaps://h?x", "pop3://h", "imaps://[::1", "imaps://h h", "http://h",
                                      "imaps://h:1:2", "imaps://h%41",
                                      /* in the clear, to another machine */
                                      "imap://imap.example.com", "imap://127.0.0.1.example.com", "imap://192.0.2.1"};
    struct fetch_conf c;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&c, 0, sizeof c);
        if (fetch_conf_url(bad[i], 0, &c, &e) != ERR_USAGE)
            CU_FAIL(bad[i]);
    }
    CU_ASSERT(fetch_conf_url("imap://imap.example.com", 1, &c, &e) == 0 && c.tls == FETCH_CLEAR);
}

static void test_mailboxes(void)
{
    static const struct {
        const char *name, *want;
    } cases[] = {{"INBOX", "INBOX"},
                 {"Entwürfe", "Entw&APw-rfe"},
                 {"ü", "&APw-"},
                 {"R&D", "R&-D"},
                 {"&", "&-"},
                 {"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"}, /* RFC 3501 section 5.1.3 */
                 {"😀", "&2D3eAA-"},
                 {"Lists/list@example.com", "Lists/list@example.com"}};
    static const char *const bad[] = {
        "", "a\nb", "a\r", "\x7f", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xc3", "\xf4\x90\x80\x80", "\xc2\x85"};
    char out[FETCH_MAILBOX_SIZE], name[FETCH_MAILBOX_SIZE + 1];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT(fetch_conf_mailbox(cases[i].name, out, NULL) == 0);
        CU_ASSERT_STRING_EQUAL(out, cases[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fetch_conf_mailbox(bad[i], out, NULL) != ERR_USAGE)
            CU_FAIL(bad[i]);
    memset(name, 'x', sizeof name);
    name[FETCH_MAILBOX_SIZE - 1] = 0;
    CU_ASSERT(fetch_conf_mailbox(name, out, NULL) == 0 && strlen(out) == FETCH_MAILBOX_SIZE - 1);
    name[FETCH_MAILBOX_SIZE - 1] = 'x';
    name[FETCH_MAILBOX_SIZE] = 0;
    CU_ASSERT(fetch_conf_mailbox(name, out, NULL) == ERR_USAGE);
}

static void test_progress(void)
{
    struct fetch_progress p = {.total = 200, .done = 50, .octets = 1500000};
    char text[256];

    fetch_progress_text(&p, 80, text);
    CU_ASSERT_STRING_EQUAL(text, "[##########..............................] 50 of 200 messages, 1.5 MB");
    fetch_progress_text(&p, 40, text);
    CU_ASSERT_STRING_EQUAL(text, "[##.........] 50 of 200 messages, 1.5 MB");
    fetch_progress_text(&p, 10, text);
    CU_ASSERT_STRING_EQUAL(text, "50 of 200 ");
    p.done = 200;
    fetch_progress_text(&p, 80, text);
    CU_ASSERT(strncmp(text, "[########################################] 200 of", 49) == 0);
    p.total = 0;
    fetch_progress_text(&p, 80, text);
    CU_ASSERT(text[0] == '2');
}

int main(void)
{
    static const struct unit_test tests[] = {{"URLs", test_urls},
                                             {"URLs that are refused", test_urls_refused},
                                             {"mailbox names", test_mailboxes},
                                             {"the progress bar", test_progress}};

    return unit_main("fetch-conf", tests, sizeof tests / sizeof *tests);
}
