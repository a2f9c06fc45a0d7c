/* The milter's callbacks, driven as a mail server drives them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter-mail.h"
#include "unit.h"

#define LIST "<list@example.com>"

static struct mail sealed_to_list(void)
{
    struct mail m = mail_to(LIST, NULL);
    const char *type;

    m.body = mail_sealed("list@example.com", 0, 0, &type);
    m.header[0][0] = "Content-Type";
    m.header[0][1] = type;
    return m;
}

static void ordinary_mail_ends_at_data(void)
{
    struct mail m = mail_to("<someone@example.com>", "text\r\n");

    mail_fresh();
    m.rcpt[1] = "<\"odd one\"@example.com>";
    m.rcpt[2] = "<postmaster>";
    CU_ASSERT_EQUAL(mail_envelope(&m), SMFIS_CONTINUE);
    CU_ASSERT_EQUAL(callbacks_describe().xxfi_data(world_ctx()), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world.did.len, 0);
    m = mail_to("<pass@example.com>", "text\r\n");
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world.changes, 0);
}

static void negotiation(void)
{
    unsigned long a, b, c, d;
    struct smfiDesc cb = callbacks_describe();

    mail_fresh();
    CU_ASSERT_EQUAL(cb.xxfi_negotiate(world_ctx(), SMFI_CURR_ACTS, SMFI_CURR_PROT, 0, 0, &a, &b, &c, &d),
                    SMFIS_CONTINUE);
    CU_ASSERT(b & SMFIP_NOCONNECT && b & SMFIP_NOHELO && b & SMFIP_NOUNKNOWN && b & SMFIP_HDR_LEADSPC);
    CU_ASSERT_FALSE(b & (SMFIP_NOMAIL | SMFIP_NORCPT | SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NODATA));
    mail_fresh();
    CU_ASSERT_EQUAL(
        cb.xxfi_negotiate(world_ctx(), SMFI_CURR_ACTS & ~SMFIF_CHGFROM, SMFI_CURR_PROT, 0, 0, &a, &b, &c, &d),
        SMFIS_REJECT);
    CU_ASSERT_EQUAL(cb.xxfi_envfrom(world_ctx(), (char *[]){(char[]){"<a@b>"}, NULL}), SMFIS_TEMPFAIL);
}

static void callbacks_out_of_order_fail_softly(void)
{
    struct smfiDesc cb = callbacks_describe();
    struct mail m = mail_to("<someone@example.com>", "text\r\n");

    mail_fresh();
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(cb.xxfi_data(world_ctx()), SMFIS_TEMPFAIL);
    CU_ASSERT_EQUAL(cb.xxfi_body(world_ctx(), (unsigned char[]){"x"}, 1), SMFIS_TEMPFAIL);
    CU_ASSERT_EQUAL(cb.xxfi_eom(world_ctx()), SMFIS_TEMPFAIL);
    CU_ASSERT_EQUAL(cb.xxfi_envrcpt(world_ctx(), (char *[]){(char[]){"<a@b>"}, NULL}), SMFIS_TEMPFAIL);
    CU_ASSERT_EQUAL(cb.xxfi_abort(world_ctx()), SMFIS_CONTINUE);
    CU_ASSERT_EQUAL(cb.xxfi_abort(world_ctx()), SMFIS_CONTINUE);
}

static void list_message_gets_grants(void)
{
    const char *type;
    struct mail m = mail_to(LIST, mail_sealed("list@example.com", 0, 3, &type));
    struct jwe *j;
    struct grant g;
    int tags = 0;

    mail_fresh();
    m.header[0][0] = "Content-Type";
    m.header[0][1] = type;
    m.piece = 7;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("sender bounce-of-list@example.com\n"));
    CU_ASSERT(world_did("recipient- <list@example.com>\n"));
    CU_ASSERT_EQUAL(world_count("recipient+ m"), 3);
    CU_ASSERT(world_did("add List-Id: <list.example.com>\n"));
    CU_ASSERT(world_did("add List-Post: <mailto:list@example.com>\n"));
    CU_ASSERT(world_did("add List-Owner: <mailto:list+owner@example.com>\n"));
    CU_ASSERT(world_did("add Precedence: list\n"));
    CU_ASSERT(world_did("add X-Recrypt-Hop: list@example.com\n"));
    CU_ASSERT_EQUAL(world_count("change"), 0);
    CU_ASSERT(mail_opens("the secret text"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(j = mail_result());
    CU_ASSERT_EQUAL(jwe_grants(j, 0), 8);
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(jwe_grant(j, 0, i, &g, NULL), 0);
        tags |= g.tag[0] >= 0xa0 && g.tag[0] < 0xa8 ? 1 << (g.tag[0] - 0xa0) : 1 << 9;
        grant_clear(&g);
    }
    CU_ASSERT_EQUAL(tags, 0xff); /* recryptd's own and no other: the forged ones are gone */
    jwe_free(&j);
}

static void only_part_1_changes(void)
{
    struct mail m;
    const char *end;
    size_t tail;

    mail_fresh();
    m = sealed_to_list();
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end = strstr(m.body, "application/octet-stream"));
    tail = strlen(end);
    CU_ASSERT(world.body.len > tail && !memcmp(world.body.data + world.body.len - tail, end, tail));
}

static void whole_jwe_becomes_two_parts(void)
{
    struct mail m = mail_to(LIST, NULL);

    mail_fresh();
    m.body = mail_whole("list@example.com", &m.header[0][1]);
    m.header[0][0] = "Content-Type";
    m.header[1][0] = "Content-Disposition";
    m.header[1][1] = " attachment; filename=x.json";
    m.header[2][0] = "Content-Transfer-Encoding";
    m.header[2][1] = " 7bit";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("change Content-Type 1 multipart/encrypted;"));
    CU_ASSERT(world_did("add MIME-Version: 1.0\n"));
    CU_ASSERT(world_did("delete Content-Disposition 1\n"));
    CU_ASSERT(world_did("delete Content-Transfer-Encoding 1\n"));
    CU_ASSERT(mail_opens("the secret text"));
}

static void forged_list_fields(void)
{
    static const int copies[] = {1, 2, 5};

    for (size_t c = 0; c < 3; c++) {
        struct mail m;
        char line[64];
        const char *last = NULL;
        int n = 0;

        mail_fresh();
        m = sealed_to_list();
        for (int i = 0; i < copies[c]; i++) {
            m.header[++n][0] = i % 2 ? "LIST-Unsubscribe" : "List-Unsubscribe";
            m.header[n][1] = " <mailto:evil@example.org>";
            m.header[++n][0] = "X-Recrypt-Verdict";
            m.header[n][1] = " good";
        }
        m.header[++n][0] = "Autocrypt";
        m.header[n][1] = " addr=dave@example.org";
        m.header[++n][0] = "Disposition-Notification-To";
        m.header[n][1] = " dave@example.org";
        m.header[++n][0] = "Return-Receipt-To";
        m.header[n][1] = " dave@example.org";
        m.header[++n][0] = "Precedence";
        m.header[n][1] = " bulk";
        CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
        for (int i = copies[c]; i > 0; i--) {
            const char *at;

            snprintf(line, sizeof line, "delete X-Recrypt-Verdict %d\n", i);
            CU_ASSERT(world_did(line));
            at = strstr(buf_str(&world.did), line);
            CU_ASSERT(!last || at > last); /* from the last to the first */
            last = at;
        }
        CU_ASSERT_EQUAL(world_count("delete List-Unsubscribe") + world_count("delete LIST-Unsubscribe"),
                        (size_t)copies[c]);
        CU_ASSERT(world_did("delete Autocrypt 1\n") && world_did("delete Disposition-Notification-To 1\n"));
        CU_ASSERT(world_did("delete Return-Receipt-To 1\n") && world_did("delete Precedence 1\n"));
    }
}

static void expect_list_reply(const char *name, const char *value, const char *line)
{
    struct mail m;

    mail_fresh();
    m = sealed_to_list();
    m.header[1][0] = name;
    m.header[1][1] = value;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    if (!world_did(line))
        printf("# wanted %s, got %s", line, buf_str(&world.did));
    CU_ASSERT(world_did(line));
    CU_ASSERT_EQUAL(world.changes, 0);
}

static void list_header_refused(void)
{
    struct mail m;

    expect_list_reply("From", " Eve <eve@example.org>", "reply 550 5.6.0 Exactly one From");
    expect_list_reply("Content-Type", " text/plain", "reply 550 5.6.0 More than one Content-Type");
    expect_list_reply("From ", " Eve <eve@example.org>", "reply 550 5.6.0 Malformed header");
    expect_list_reply("X-List", " bare\rreturn", "reply 550 5.6.0 Message holds NUL");
    expect_list_reply("List-Id", " My list <list.example.com>", "reply 554 5.4.6 ");
    expect_list_reply("list-id", " <LIST.example.com>", "reply 554 5.4.6 ");
    expect_list_reply("X-Recrypt-Hop", " list@example.com", "reply 554 5.4.6 ");
    expect_list_reply("Auto-Submitted", " auto-replied", "reply 550 5.7.1 ");
    expect_list_reply("Auto-Submitted", " auto-generated (not no)", "reply 550 5.7.1 ");
    mail_fresh();
    m = sealed_to_list();
    m.no_from = 1;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.6.0 Exactly one From"));
    mail_fresh();
    m = sealed_to_list();
    m.sender = "<>";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 list@example.com takes no bounces"));
}

static void list_header_accepted(void)
{
    static const char *const fine[][2] = {{"Auto-Submitted", " no"},
                                          {"Auto-Submitted", " NO (by hand)"},
                                          {"List-Id", " <other.example.com>"},
                                          {"X-Recrypt-Hop", " other@example.com"},
                                          {"X-Folded", " one\n two"}};

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct mail m;

        mail_fresh();
        m = sealed_to_list();
        m.header[1][0] = fine[i][0];
        m.header[1][1] = fine[i][1];
        CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    }
    CU_ASSERT_EQUAL(world_count("delete X-Recrypt-Hop"), 0);
}

static void plaintext_to_list_is_told_what_to_do(void)
{
    struct mail m = mail_to(LIST, "text\r\n");

    mail_fresh();
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 list@example.com: encrypted mail only|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&world.did), world_keyid("list@example.com", 0)));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&world.did), "recrypt key list@example.com"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&world.did), "recrypt seal"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&world.did), "|ask@example.com\n"));
}

static void bad_octets_to_list(void)
{
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {{"a\0b\r\n", 5}, {"bare\rreturn\r\n", 13}, {"bare\nfeed\r\n", 11}, {"ends in\r", 8}, {"\n", 1}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t piece = 1; piece < 9; piece += 7) {
            struct mail m = mail_to(LIST, bad[i].text);

            mail_fresh();
            m.len = bad[i].len;
            m.piece = piece;
            CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
            CU_ASSERT(world_did("reply 550 5.6.0 Message holds NUL"));
        }
}

static void nested_parts_to_list(void)
{
    struct buf b = BUF_INIT;
    struct mail m = mail_to(LIST, NULL);

    mail_fresh();
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i + 1);
    m.header[0][0] = "Content-Type";
    m.header[0][1] = " multipart/mixed; boundary=b0";
    m.body = buf_str(&b);
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 list@example.com: encrypted mail only"));
    m.header[0][1] = " multipart/encrypted; protocol=\"application/jose+json\"; boundary=b0";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.6.0 Encrypted message broken"));
    buf_free(&b);
}

static void too_large(void)
{
    struct mail m = mail_to(LIST, NULL);
    size_t len = 70000;
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[len] = 0;
    mail_fresh();
    mail_config("max_message = \"64k\"\n");
    m.body = text;
    m.piece = 8192;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 552 5.3.4 "));
    mail_config("help = {\"ask@example.com\"}\n");
    free(text);
}

static void wrong_keys(void)
{
    const char *type;
    struct mail m = mail_to(LIST, NULL);

    mail_fresh();
    m.header[0][0] = "Content-Type";
    m.body = mail_sealed("other@example.com", 0, 0, &type);
    m.header[0][1] = type;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 list@example.com: your message is not encrypted to a key of this list|"));
    CU_ASSERT_EQUAL(world.expanded, 0);
    mail_fresh();
    world.state = KEY_RETIRED;
    m.body = mail_sealed("list@example.com", 1, 0, &type);
    m.header[0][1] = type;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.7.1 list@example.com: the key you encrypted to was retired|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&world.did), world_keyid("list@example.com", 0)));
    mail_fresh();
    world.state = KEY_ARCHIVED;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
}

static void expansion_errors(void)
{
    static const struct {
        int error;
        sfsistat result;
        const char *line;
    } cases[] = {
        {ERR_RETRY, SMFIS_TEMPFAIL, "reply 451 4.3.0 "},
        {ERR_SYSTEM, SMFIS_TEMPFAIL, "reply 451 4.3.0 "},
        {ERR_DENIED, SMFIS_TEMPFAIL, "reply 451 4.3.0 "},
        {ERR_KEY, SMFIS_REJECT, "reply 550 5.7.1 Ephemeral"},
        {ERR_SYNTAX, SMFIS_REJECT, "reply 550 5.7.1 Ephemeral key in the encrypted message refused: scripted\n"},
        {ERR_ABSENT, SMFIS_REJECT, "reply 550 5.7.1 list@example.com: your message is not encrypted to a key"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail m;

        mail_fresh();
        m = sealed_to_list();
        world.expand_error = cases[i].error;
        CU_ASSERT_EQUAL(mail_send(&m), cases[i].result);
        CU_ASSERT(world_did(cases[i].line));
        CU_ASSERT_EQUAL(world.changes, 0);
    }
}

static void members_none_and_many(void)
{
    struct mail m;

    mail_fresh();
    m = sealed_to_list();
    world.members = 0;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_REJECT);
    CU_ASSERT(world_did("reply 550 5.2.1 list@example.com takes no mail at present: your message went to nobody|"
                        "Ask its owner: list+owner@example.com"));
    world.members = 1000;
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT_EQUAL(world_count("recipient+ "), 1000);
}

static void every_change_is_checked(void)
{
    const char *rcpt[] = {LIST, "<door@example.com>", "<list+owner@example.com>"};

    for (int k = 0; k < 3; k++) {
        struct mail m;
        int changes;

        mail_fresh();
        m = k ? mail_to(rcpt[k], "text\r\n") : sealed_to_list();
        CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
        changes = world.changes;
        CU_ASSERT(changes > 3);
        for (int i = 1; i <= changes; i++) {
            mail_fresh();
            if (!k)
                m = sealed_to_list();
            world.fail_at = i;
            CU_ASSERT_EQUAL(mail_send(&m), SMFIS_TEMPFAIL);
            CU_ASSERT_EQUAL(world.changes, i);
        }
    }
}

static void list_encrypts_at_the_door(void)
{
    struct mail m = mail_to("<door@example.com>", "plain words\r\n");

    mail_fresh();
    m.header[0][0] = "Subject";
    m.header[0][1] = " quarterly numbers";
    m.header[1][0] = "X-Mailer";
    m.header[1][1] = " something";
    m.header[2][0] = "Received";
    m.header[2][1] = " from a by b";
    CU_ASSERT_EQUAL(mail_send(&m), SMFIS_ACCEPT);
    CU_ASSERT(world_did("change Subject 1 [...]\n"));
    CU_ASSERT(world_did("delete X-Mailer 1\n"));
    CU_ASSERT_EQUAL(world_count("delete Received"), 0);
    CU_ASSERT_EQUAL(world_count("delete From"), 0);
    CU_ASSERT(world_did("add Content-Type: multipart/encrypted;"));
    CU_ASSERT_EQUAL(world_count("recipient+ m"), 3);
    CU_ASSERT(mail_opens("quarterly numbers"));
    CU_ASSERT(mail_opens("plain words\r\n"));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&world.body), "plain words"));
}

static const struct unit_test tests[] = {
    {"ordinary mail ends at DATA", ordinary_mail_ends_at_data},
    {"negotiation asks for what is needed and no more", negotiation},
    {"callbacks out of order fail softly", callbacks_out_of_order_fail_softly},
    {"a list message gets recryptd's grants and members, forged grants go", list_message_gets_grants},
    {"part 2 stays as it is, octet for octet", only_part_1_changes},
    {"a whole JWE becomes the two-part form", whole_jwe_becomes_two_parts},
    {"forged list fields, 1, 2 and 5 copies", forged_list_fields},
    {"headers that a list refuses", list_header_refused},
    {"headers that a list takes", list_header_accepted},
    {"plaintext to a list: the reply says what to do", plaintext_to_list_is_told_what_to_do},
    {"NUL, bare CR, bare LF to a list", bad_octets_to_list},
    {"5000 nested parts to a list", nested_parts_to_list},
    {"a message too large", too_large},
    {"foreign and retired keys", wrong_keys},
    {"what recryptd's errors become", expansion_errors},
    {"no member, and a thousand", members_none_and_many},
    {"a change that is refused at any point fails the message", every_change_is_checked},
    {"a list that encrypts at the door", list_encrypts_at_the_door},
};

int main(void)
{
    int status;

    world_reset();
    mail_config("help = {\"ask@example.com\"}\n");
    status = unit_main("milter", tests, sizeof tests / sizeof *tests);
    mail_close();
    settings_replace(NULL);
    world_free();
    return status;
}
