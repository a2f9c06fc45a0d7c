/* The IMAP filter's parser: who logs in, as which account, with which device, and what may be passed on of a client's
 * ID. */
#include "imapfilter/imap-who.h"

#include <stdlib.h>
#include <string.h>

#include "imap-span.h"
#include "unit.h"

static int login(const char *text, const char *want)
{
    struct buf user = BUF_INIT;
    int r = imap_login_user(span(text), &user),
        yes = want ? r == 0 && same(&user, want) : r == ERR_SYNTAX && user.len == 0;

    buf_free(&user);
    return yes;
}

static int plain(const char *text, const char *want, int error)
{
    struct buf user = BUF_INIT;
    int r = imap_plain_user(span(text), &user), yes = want ? r == 0 && same(&user, want) : r == error && user.len == 0;

    buf_free(&user);
    return yes;
}

static void test_logins(void)
{
    CU_ASSERT(login(" bob secret", "bob"));
    CU_ASSERT(login(" \"bob smith\" \"se cret\"", "bob smith"));
    CU_ASSERT(login(" {3}\r\nbob {6+}\r\nsecret", "bob"));
    CU_ASSERT(login(" bob", NULL));
    CU_ASSERT(login(" bob secret more", NULL));
    CU_ASSERT(login("bob secret", NULL));
    CU_ASSERT(login("  bob secret", NULL));
    CU_ASSERT(login(" bob se(cret", NULL));
    CU_ASSERT(login(" {3}\r\nbob{6}\r\nsecret", NULL));
    CU_ASSERT(plain("AGJvYgBzZWNyZXQ=", "bob", 0));
    CU_ASSERT(plain("Ym9iAGJvYgBzZWNyZXQ=", "bob", 0));
    CU_ASSERT(plain("YWxpY2UAYm9iAHNlY3JldA==", NULL, ERR_DENIED));
    CU_ASSERT(plain("AABzZWNyZXQ=", NULL, ERR_SYNTAX));
    CU_ASSERT(plain("AGJvYgBzZQBjcmV0", NULL, ERR_SYNTAX));
    CU_ASSERT(plain("Ym9i", NULL, ERR_SYNTAX));
    CU_ASSERT(plain("", NULL, ERR_SYNTAX));
    CU_ASSERT(plain("*", NULL, ERR_SYNTAX));
    CU_ASSERT(plain("AGJv YgBzZWNyZXQ=", NULL, ERR_SYNTAX));
}

static int account(const char *name, const char *domain, const char *want)
{
    char out[ADDRESS_SIZE];
    struct err e = {0};
    int r = imap_account(span(name), domain, out, &e);

    return want ? r == 0 && strcmp(out, want) == 0 : r == ERR_DENIED && *out == 0 && *e.text;
}

static void test_accounts(void)
{
    static const char *const bad[] = {"",
                                      "bob*admin",
                                      "bob*admin@example.com",
                                      "bob+x@example.com",
                                      "bob%example.com",
                                      "bob@",
                                      "@x.org",
                                      "bob@a@b",
                                      "\"bob\"@example.com",
                                      "bob smith",
                                      "b\xc3\xb6"
                                      "b",
                                      "bob@exa mple.com",
                                      "..",
                                      "bob/admin",
                                      "bob!x@example.com",
                                      "admin|bob",
                                      "bob@example.com*x",
                                      "bob@[127.0.0.1]",
                                      "<bob@example.com>",
                                      "bob@example.com\n"};
    char name[400];

    CU_ASSERT(account("bob@example.com", "", "bob@example.com"));
    CU_ASSERT(account("Bob@Example.COM", "", "bob@example.com"));
    CU_ASSERT(account("b.o_b-1", "example.com", "b.o_b-1@example.com"));
    CU_ASSERT(account("o'brien@example.com", "example.org", "o'brien@example.com"));
    CU_ASSERT(account("bob", "", NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(account(bad[i], "example.com", NULL));
    for (size_t n = 1; n < 380; n++) {
        memset(name, 'a', n);
        name[n] = 0;
        if (n > 60)
            CU_ASSERT(account(name, "", NULL));
        if (n > 250)
            CU_ASSERT(account(name, "example.com", NULL));
    }
}

static void test_devices(void)
{
    static const char *const bad[] = {"",
                                      "ABCDE",
                                      "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z234",
                                      "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z23456",
                                      "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2341",
                                      "ABCDEFFGHIJ-KLMNO-PQRST-UVWXY-Z2345",
                                      "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY--2345",
                                      "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z23 5"};
    char out[JWK_UDF_SIZE];

    CU_ASSERT(imap_device(span("abcde-FGHIJ-KLMNO-PQRST-UVWXY-z2345"), out) == 0);
    CU_ASSERT(strcmp(out, "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345") == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(imap_device(span(bad[i]), out) == ERR_SYNTAX && *out == 0);
}

static int id(const char *text, const char *want)
{
    struct buf out = BUF_INIT;
    int r = imap_id(span(text), &out), yes = want ? r == 0 && same(&out, want) : r < 0;

    buf_free(&out);
    return yes;
}

static void test_ids(void)
{
    struct buf many = BUF_INIT;

    CU_ASSERT(id(" NIL", " NIL"));
    CU_ASSERT(id(" ()", " NIL"));
    CU_ASSERT(id(" (\"name\" \"x\\\"y\" \"os\" NIL)", " (\"name\" \"x\\\"y\" \"os\" NIL)"));
    CU_ASSERT(id(" (\"x-originating-ip\" \"1.2.3.4\" \"name\" \"x\")", " (\"name\" \"x\")"));
    CU_ASSERT(
        id(" (\"X-Originating-Port\" \"1\" {14}\r\nx-connected-ip \"1\" \"x-forward-a\" \"b\" \"x-proxy-ttl\" \"3\")",
           " NIL"));
    CU_ASSERT(id(" (\"a\" {3+}\r\nb\r\n)", " (\"a\" {3}\r\nb\r\n)"));
    CU_ASSERT(id("", NULL));
    CU_ASSERT(id(" (\"a\")", NULL));
    CU_ASSERT(id(" (a \"b\")", NULL));
    CU_ASSERT(id(" (\"a\" b)", NULL));
    CU_ASSERT(id(" (\"a\" \"b\") x", NULL));
    CU_ASSERT(id(" \"a\"", NULL));
    CU_ASSERT(id(" (\"a\" \"b\"", NULL));
    buf_puts(&many, " (");
    for (int i = 0; i < 31; i++)
        buf_printf(&many, "%s\"k%d\" \"v\"", i ? " " : "", i);
    buf_puts(&many, ")");
    CU_ASSERT(id(buf_str(&many), NULL));
    buf_free(&many);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"who logs in", test_logins},
        {"accounts", test_accounts},
        {"devices", test_devices},
        {"ID", test_ids},
    };

    return unit_main("imap-who", tests, sizeof tests / sizeof *tests);
}
