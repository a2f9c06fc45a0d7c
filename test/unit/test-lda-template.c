#include "lda/template.h"

#include <string.h>

#include "unit.h"

#define ALL (TEMPLATE_ADDRESS | TEMPLATE_HOME)

static int expand(const char *template, const char *address, size_t len, const char *home, struct buf *out)
{
    buf_reset(out);
    return template_expand(template, address, len, home, out, NULL);
}

static void test_expansion(void)
{
    struct buf b = BUF_INIT;
    const char *bob = "bob@example.com";

    CU_ASSERT(expand("%d/%n/Maildir", bob, strlen(bob), NULL, &b) == 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "example.com/bob/Maildir");
    CU_ASSERT(expand("archives/%u", bob, strlen(bob), NULL, &b) == 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "archives/bob@example.com");
    CU_ASSERT(expand("100%%/%n", bob, strlen(bob), NULL, &b) == 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "100%/bob");
    CU_ASSERT(expand("%h/Maildir", bob, strlen(bob), "/home/bob", &b) == 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "/home/bob/Maildir");
    buf_free(&b);
}

static void test_traversal(void)
{
    static const struct {
        const char *address;
        size_t len; /* 0: strlen */
    } bad[] = {{"../x@example.com", 0},  {"..@example.com", 0},       {".@example.com", 0},
               {"/etc@example.com", 0},  {"a/../b@example.com", 0},   {"bob@../../etc", 0},
               {"bob@..", 0},            {"bob@", 0},                 {"@example.com", 0},
               {"bob", 0},               {"", 0},                     {"a\0b@example.com", 15},
               {"bob@exam\0ple.com", 16}, {"a\nb@example.com", 0},     {"a b@example.com", 0},
               {"\xc3\xa4@example.com", 0}, {".hidden@example.com", 0}, {"-n@example.com", 0},
               {"~root@example.com", 0}, {"bob@-x", 0}};
    static const char *const templates[] = {"%d/%n/Maildir", "%n@%d"};
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t t = 0; t < 2; t++) {
            size_t len = bad[i].len ? bad[i].len : strlen(bad[i].address);

            CU_ASSERT(expand(templates[t], bad[i].address, len, NULL, &b) == ERR_SYNTAX);
        }
    CU_ASSERT(expand("%h/Maildir", "bob@example.com", 15, NULL, &b) == ERR_USAGE);
    CU_ASSERT(expand("%h/Maildir", "bob@example.com", 15, "relative", &b) == ERR_USAGE);
    buf_free(&b);
}

static void test_long(void)
{
    char address[400];
    struct buf b = BUF_INIT;

    memset(address, 'a', sizeof address);
    memcpy(address + 300, "@x", 3);
    CU_ASSERT(expand("%n", address, strlen(address), NULL, &b) == ERR_SYNTAX);
    buf_free(&b);
}

static void test_check(void)
{
    CU_ASSERT(template_check("%d/%n", ALL, NULL) == 0);
    CU_ASSERT(template_check("%h/Maildir", ALL, NULL) == 0);
    CU_ASSERT(template_check("%h/Maildir", TEMPLATE_ADDRESS, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("x/%h", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("%d/Maildir", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("one-for-all", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("%n/../%d", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("../%n", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("%n/.", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("%x/%n", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("%n%", ALL, NULL) == ERR_USAGE);
    CU_ASSERT(template_check("a..b/%n", ALL, NULL) == 0);
}

int main(void)
{
    static const struct unit_test tests[] = {{"codes are replaced", test_expansion},
                                             {"addresses that lead elsewhere are refused", test_traversal},
                                             {"a local part over 255 octets is refused", test_long},
                                             {"templates that cannot work are refused", test_check}};

    return unit_main("lda-template", tests, sizeof tests / sizeof *tests);
}
