/* The milter: who shares a transaction, people's mail, one message after another, settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "milter-mail.h"
#include "milter/headers.h"
#include "milter/list-header.h"
#include "unit.h"

static void who_shares_a_transaction(void)
{
    static const struct {
        const char *first, *second;
        int fits;
    } pairs[] = {{"<list@example.com>", "<other@example.org>", 0},
                 {"<other@example.org>", "<list@example.com>", 0},
                 {"<list@example.com>", "<door@example.com>", 0},
                 {"<list@example.com>", "<LIST@example.com>", 1},
                 {"<list@example.com>", "<list+owner@example.com>", 0},
                 {"<seal@example.com>", "<seal2@example.com>", 0},
                 {"<seal@example.com>", "<other@example.org>", 0},
                 {"<other@example.org>", "<seal@example.com>", 0},
                 {"<seal@example.com>", "<list+owner@example.com>", 1},
                 {"<refuse@example.com>", "<refuse2@example.com>", 1},
                 {"<refuse@example.com>", "<other@example.org>", 0},
                 {"<pass@example.com>", "<other@example.org>", 1},
                 {"<list+bounce@example.com>", "<other@example.org>", 1},
                 {"<door+owner@example.com>", "<pass@example.com>", 1}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct mail m = mail_to(pairs[i].first, NULL);

        mail_fresh();
        m.rcpt[1] = pairs[i].second;
        CU_ASSERT_EQUAL(mail_envelope(&m), pairs[i].fits ? SMFIS_CONTINUE : SMFIS_TEMPFAIL);
        CU_ASSERT_EQUAL(world_count("reply 452 4.5.3 "), (size_t)!pairs[i].fits);
    }
}

static void a_refused_recipient_changes_nothing(void)
{
    struct mail m = mail_to("<other@example.org>", "text\r\n");

    mail_fresh();
    m.rcpt[1] = "<list@example.com>";
    m.rcpt[2] = "<third@example.org>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world.changes, 0);
}

static void archive_addresses_are_refused(void)
{
    struct mail m = mail_to("<list+archive-right@example.com>", NULL);

    mail_fresh();
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_REJECT);
    m.rcpt[0] = "<list+archive-wrong@example.com>";
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_REJECT);
    CU_ASSERT_EQUAL(world_count("reply 550 5.1.1 No such address\n"), 2); /* the same words for both */
}

static void other_spellings_of_an_address(void)
{
    static const char *const same[] = {"<list@example.com>", "list@example.com", "<List@Example.COM>",
                                       "<@relay.example.org:list@example.com>", "@relay.example.org:list@example.com"};
    struct mail m = mail_to(NULL, "text\r\n");

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        mail_fresh();
        m.rcpt[0] = same[i];
        CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
        CU_ASSERT(world_did("reply 550 5.7.1 list@example.com: encrypted mail only"));
    }
    mail_fresh();
    world.rcpt_addr = "list@example.com";
    m.rcpt[0] = "<list%example.com@mail.example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT_EQUAL(world_count("reply 550 5.7.1 list@example.com: encrypted mail only"), 1);
    CU_ASSERT_EQUAL(world.resolved, 2);
    mail_fresh();
    m.rcpt[0] = "<l\xc3\xadst@example.com>"; /* not asked: recryptd's protocol is JSON, its addresses are ASCII */
    m.rcpt[1] = "<>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world.resolved, 0);
}

static void recryptd_away(void)
{
    static const char *const all[] = {"<list@example.com>", "<seal@example.com>", "<other@example.org>"};
    const char *type;
    struct mail m = mail_to(NULL, "text\r\n");

    for (int i = 0; i < 3; i++) {
        mail_fresh();
        world.away = 1;
        m.rcpt[0] = all[i];
        CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_TEMPFAIL);
        CU_ASSERT(world_did("reply 451 4.3.0 "));
    }
    mail_fresh();
    world.away = 2;
    m.rcpt[0] = "<seal@example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_TEMPFAIL);
    CU_ASSERT(world_did("reply 451 4.3.0 "));
    mail_fresh();
    world.away = 2;
    m.rcpt[0] = "<list@example.com>";
    m.body = mail_sealed("list@example.com", 0, 0, &type);
    m.header[0][0] = "Content-Type";
    m.header[0][1] = type;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_TEMPFAIL);
    CU_ASSERT(world_did("reply 451 4.3.0 "));
    CU_ASSERT_EQUAL(world.changes, 0);
}

static void person_plaintext_is_sealed(void)
{
    static const char body[] = "8-bit \xc3\xa4, bare\nfeed, NUL \0, no line end";
    struct mail m = mail_to("<seal@example.com>", body);
    const char *plain;

    mail_fresh();
    m.len = sizeof body - 1;
    m.header[0][0] = "Subject";
    m.header[0][1] = " one\n folded";
    m.header[1][0] = "Subject";
    m.header[1][1] = "two";
    m.header[2][0] = "Reply-To";
    m.header[2][1] = " elsewhere@example.org";
    m.header[3][0] = "Content-Type";
    m.header[3][1] = " text/plain; charset=utf-8";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("delete Subject 2\n") && world_did("change Subject 1 [...]\n"));
    CU_ASSERT(world_did("delete Reply-To 1\n") && world_did("change Content-Type 1 multipart/encrypted;"));
    CU_ASSERT_EQUAL(world_count("recipient"), 0);
    CU_ASSERT_EQUAL(world_count("sender"), 0);
    CU_ASSERT(mail_opens("Subject: one\r\n folded\r\nSubject:two\r\n"));
    CU_ASSERT(mail_opens("8-bit \xc3\xa4, bare\nfeed, NUL "));
    plain = buf_str(&world.body);
    CU_ASSERT_PTR_NULL(strstr(plain, "8-bit"));
}

static void person_encrypted_passes(void)
{
    const char *type;
    struct mail m = mail_to("<seal@example.com>", NULL);

    mail_fresh();
    m.body = mail_sealed("seal@example.com", 0, 2, &type);
    m.header[0][0] = "Content-Type";
    m.header[0][1] = type;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    m.rcpt[0] = "<refuse@example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world.changes, 0);
}

/* It says it is encrypted and is not: sealed or refused, never passed. */
static void person_pretended_encryption(void)
{
    struct mail m = mail_to("<seal@example.com>", "--x\r\n\r\nplain words\r\n--x--\r\n");

    mail_fresh();
    m.header[0][0] = "Content-Type";
    m.header[0][1] = " multipart/encrypted; protocol=\"application/jose+json\"; boundary=x";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(mail_opens("plain words"));
    mail_fresh();
    m.rcpt[0] = "<refuse@example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 refuse@example.com: encrypted mail only|"));
}

static void owner_gets_the_lists_mail(void)
{
    struct mail m = mail_to("<list+bounce@example.com>", "who bounced\r\n");

    mail_fresh();
    m.sender = "<>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_STRING_EQUAL(buf_str(&world.did), "recipient- <list+bounce@example.com>\nrecipient+ pass@example.com\n");
    mail_fresh();
    m.rcpt[0] = "<list+owner@example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("recipient- <list+owner@example.com>\n") && world_did("recipient+ seal@example.com\n"));
    CU_ASSERT(mail_opens("who bounced"));
    mail_fresh();
    m.rcpt[0] = "<door+owner@example.com>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("recipient+ away@example.org\n"));
}

static void messages_do_not_mix(void)
{
    const char *type;
    struct mail list = mail_to("<list@example.com>", NULL), plain = mail_to("<other@example.org>", "text\r\n"),
                seal = mail_to("<seal@example.com>", "second message\r\n");
    struct smfiDesc cb = callbacks_describe();

    mail_fresh();
    list.body = mail_sealed("list@example.com", 0, 0, &type);
    list.header[0][0] = "Content-Type";
    list.header[0][1] = type;
    CU_ASSERT_EQUAL(mail_envelope(&list), SMFIS_CONTINUE);
    cb.xxfi_header(world_ctx(), (char[]){"Subject"}, (char[]){" first message"});
    cb.xxfi_body(world_ctx(), (unsigned char[]){"first"}, 5);
    CU_ASSERT_EQUAL(cb.xxfi_abort(world_ctx()), SMFIS_CONTINUE);
    CU_ASSERT_EQUAL(mail_send(&seal), SMFIS_ACCEPT);
    CU_ASSERT(mail_opens("second message"));
    CU_ASSERT_FALSE(mail_opens("first"));
    CU_ASSERT_EQUAL(mail_envelope(&list), SMFIS_CONTINUE); /* and again MAIL without abort */
    CU_ASSERT_EQUAL(mail_send(&plain), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(mail_send(&list), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(mail_send(&list), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world_count("recipient- <list"), 2);
}

static void ten_thousand_recipients(void)
{
    struct mail m = mail_to("<other@example.org>", NULL);
    struct smfiDesc cb = callbacks_describe();
    char text[64], *argv[2] = {text, NULL};
    int passed = 0, refused = 0;

    mail_fresh();
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_CONTINUE);
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, i % 10 ? "<r%d@example.org>" : "<list@example.com>", i);
        passed += cb.xxfi_envrcpt(world_ctx(), argv) == SMFIS_CONTINUE;
    }
    CU_ASSERT_EQUAL(passed, 9000);
    CU_ASSERT_EQUAL(cb.xxfi_data(world_ctx()), SMFIS_ACCEPT);
    m.rcpt[0] = "<list@example.com>";
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_CONTINUE);
    strcpy(text, "<list@example.com>");
    for (int i = 0; i < 10000; i++)
        refused += cb.xxfi_envrcpt(world_ctx(), argv) == SMFIS_TEMPFAIL;
    CU_ASSERT_EQUAL(refused, 9901); /* the same list a hundred times is bearable */
}

static void reload_keeps_connections(void)
{
    struct settings *a, *b;
    struct mail m = mail_to("<seal@example.com>", "text\r\n");

    mail_fresh();
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_CONTINUE);
    a = settings_acquire();
    b = mail_settings("outer_subject = \"(sealed)\"\n");
    settings_replace(b);
    settings_release(&a);
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("add Subject: [...]\n")); /* the snapshot it began with */
    mail_fresh();
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("add Subject: (sealed)\n"));
    mail_config("");
}

static void settings_faults(void)
{
    static const char *const bad[] = {"socket = \"\"\n",
                                      "socket_mode = \"999\"\n",
                                      "timeout = \"0s\"\n",
                                      "timeout = \"soon\"\n",
                                      "max_message = \"1\"\n",
                                      "outer_subject = \"\"\n",
                                      "outer_subject = \"\xc3\xa4\"\n",
                                      "unknown = 1\n",
                                      "help = {\"1\", \"2\", \"3\"}\n",
                                      "recryptd = 3 4\n"};
    char path[] = "/tmp/milter-test.XXXXXX";
    int fd = mkstemp(path);
    struct settings *s;
    struct err e;

    CU_ASSERT_FATAL(fd >= 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_FATAL(!ftruncate(fd, 0) && pwrite(fd, bad[i], strlen(bad[i]), 0) > 0);
        CU_ASSERT_EQUAL(settings_load(path, &s, &e), ERR_USAGE);
        CU_ASSERT_PTR_NULL(s);
    }
    close(fd);
    unlink(path);
    CU_ASSERT_EQUAL(settings_load(path, &s, &e), ERR_ABSENT);
}

static void list_names(void)
{
    struct buf b = BUF_INIT;

    CU_ASSERT_EQUAL(list_id("team.one@example.com", &b), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "team.one.example.com");
    buf_reset(&b);
    CU_ASSERT_EQUAL(list_mailto("a%b/c@example.com", "+owner", &b), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "<mailto:a%25b%2Fc+owner@example.com>");
    buf_free(&b);
}

static void header_lists(void)
{
    static const char text[] = "A: 1\r\nb: 2\r\na: 3\r\n more\r\nA : 4\r\n";
    struct span header = {(const unsigned char *)text, sizeof text - 1};
    struct headers *h;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(headers_list(header, &h, &e), 0);
    CU_ASSERT_EQUAL(h->count, 4);
    CU_ASSERT_EQUAL(headers_count(h, "A"), 3);
    CU_ASSERT_EQUAL(h->field[2].nth, 2);
    CU_ASSERT(h->field[3].odd && h->field[3].nth == 3);
    CU_ASSERT_EQUAL(headers_value(h, "c", 1).len, 0);
    free(h);
    header.len = 0;
    CU_ASSERT_EQUAL_FATAL(headers_list(header, &h, &e), 0);
    CU_ASSERT_EQUAL(h->count, 0);
    free(h);
}

static void header_floods(void)
{
    struct mail m = mail_to("<seal@example.com>", "text\r\n");
    struct smfiDesc cb = callbacks_describe();

    mail_fresh();
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_CONTINUE);
    for (int i = 0; i < 100000; i++)
        cb.xxfi_header(world_ctx(), (char[]){"X"}, (char[]){" 1"});
    CU_ASSERT_EQUAL(cb.xxfi_eom(world_ctx()), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.6.0 Message header malformed, or too large\n"));
}

static const struct unit_test tests[] = {
    {"who shares a transaction", who_shares_a_transaction},
    {"a recipient that was refused changes nothing", a_refused_recipient_changes_nothing},
    {"archive addresses are refused alike", archive_addresses_are_refused},
    {"other spellings of an address", other_spellings_of_an_address},
    {"recryptd away: 451, nothing changed", recryptd_away},
    {"a person's plaintext is sealed, octet for octet", person_plaintext_is_sealed},
    {"a person's encrypted mail passes", person_encrypted_passes},
    {"what only looks encrypted is plaintext", person_pretended_encryption},
    {"owners get their lists' mail", owner_gets_the_lists_mail},
    {"messages of one connection do not mix", messages_do_not_mix},
    {"10,000 recipients", ten_thousand_recipients},
    {"reload: connections keep their settings", reload_keeps_connections},
    {"faults in the configuration", settings_faults},
    {"list identifiers", list_names},
    {"header fields are counted as the mail server does", header_lists},
    {"100,000 header fields", header_floods},
};

int main(void)
{
    int status;

    world_reset();
    mail_config("");
    status = unit_main("milter-route", tests, sizeof tests / sizeof *tests);
    mail_close();
    settings_replace(NULL);
    world_free();
    return status;
}
