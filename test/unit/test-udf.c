#include "common/udf.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const char value[] = "UDF Data Value";

static void test_prose_rule(void)
{
    static const struct {
        unsigned bits;
        const char *text;
    } want[] = {{50, "MDDK7-N6A72"},
                {100, "MDDK7-N6A72-7AJZN-OSTRX"},
                {125, "MDDK7-N6A72-7AJZN-OSTRX-XKS7D"},
                {150, "MDDK7-N6A72-7AJZN-OSTRX-XKS7D-JAFXI"},
                {250, "MDDK7-N6A72-7AJZN-OSTRX-XKS7D-JAFXI-6OZSL-U2VOA-TZQ6J-MHPTS"}};

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char out[64];

        CU_ASSERT_EQUAL(udf_text("text/plain", value, strlen(value), want[i].bits, out), 0);
        CU_ASSERT_STRING_EQUAL(out, want[i].text);
        CU_ASSERT_EQUAL(strlen(out) + 1, want[i].bits / 5 + want[i].bits / 25);
    }
}

static void test_bad_precision(void)
{
    static const unsigned bits[] = {0, 25, 49, 151, 275, 512};
    char out[128];

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        CU_ASSERT_EQUAL(udf_text("text/plain", value, strlen(value), bits[i], out), ERR_USAGE);
}

static void test_equal(void)
{
    CU_ASSERT(udf_equal("MDDK7-N6A72-7AJZN-OSTRX", "mddk7n6a72-7ajznostrx"));
    CU_ASSERT(udf_equal("MDDK7-N6A72", "MDDK7-N6A72-7AJZN-OSTRX-XKS7D-JAFXI"));
    CU_ASSERT(!udf_equal("MDDK7-N6A7", "MDDK7-N6A72-7AJZN")); /* 45 bits */
    CU_ASSERT(!udf_equal("MDDK7-N6A72-7AJZN-OSTRX", "MDDK7-N6A72-7AJZN-OSTR3"));
    CU_ASSERT(!udf_equal("", ""));
    CU_ASSERT(!udf_equal("MDDK7 N6A72", "MDDK7-N6A72"));
    CU_ASSERT(!udf_equal("MDDK1-N6A72", "MDDK1-N6A72")); /* 1 is no base32 */
}

static void canonical(const char *text, const char *want, int code)
{
    char out[ADDRESS_SIZE];
    struct err e;

    CU_ASSERT_EQUAL(address_canonical(text, strlen(text), out, &e), code);
    CU_ASSERT_STRING_EQUAL(out, want);
}

static void test_address(void)
{
    static const char *const bad[] = {"",        "<>",         "a",          "@b",      "a@",      "a@b@c",
                                      ".a@b",    "a.@b",       "a..b@c",     "\"a\"@b", "a b@c",   "a@[127.0.0.1]",
                                      "a@b.",    "a@.b",       "a@b..c",     "a@-b",    "a@b-",    "a@b_c",
                                      "a\r\n@b", "a@b,c@d",    "<a@b",       "a@b>",    "<<a@b>>", "A <a@b>",
                                      "a@b c",   "\xc3\xa4@b", "a@\xc3\xa4", "a(c)@b",  "@x:a@b",  "a\x7f@b"};
    char out[ADDRESS_SIZE], text[400];
    struct err e;

    canonical("Alice@Example.COM", "alice@example.com", 0);
    canonical("<list+Bounce@x-1.example>", "list+bounce@x-1.example", 0);
    canonical("a.b!#$%&'*+-/=?^_`{|}~@localhost", "a.b!#$%&'*+-/=?^_`{|}~@localhost", 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        canonical(bad[i], "", ERR_SYNTAX);
    CU_ASSERT_EQUAL(address_canonical("a\0b@c", 5, out, &e), ERR_SYNTAX);
    memset(text, 'a', sizeof text);
    memcpy(text + 252, "@b", 3);
    CU_ASSERT_EQUAL(address_canonical(text, 254, out, &e), 0);
    text[252] = 'a';
    memcpy(text + 253, "@b", 3);
    CU_ASSERT_EQUAL(address_canonical(text, 255, out, &e), ERR_LIMIT);
    memset(text, 'a', sizeof text);
    text[1] = '@';
    CU_ASSERT_EQUAL(address_canonical(text, 65, out, &e), 0);
    CU_ASSERT_EQUAL(address_canonical(text, 66, out, &e), ERR_SYNTAX); /* a label of 64 */
}

static void test_split(void)
{
    char base[ADDRESS_SIZE];
    const char *ext;
    size_t len;

    address_split("list+bounce@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "list@example.com");
    CU_ASSERT(ext && len == 6 && memcmp(ext, "bounce", 6) == 0);
    address_split("list+a+b@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "list@example.com");
    CU_ASSERT(ext && len == 3);
    address_split("list+@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "list@example.com");
    CU_ASSERT(ext && len == 0);
    address_split("list@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "list@example.com");
    CU_ASSERT(!ext && len == 0);
    address_split("+x@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "+x@example.com");
    CU_ASSERT_PTR_NULL(ext);
    address_split("a.+x@example.com", base, &ext, &len);
    CU_ASSERT_STRING_EQUAL(base, "a.+x@example.com");
    CU_ASSERT_PTR_NULL(ext);
    CU_ASSERT_STRING_EQUAL(address_domain("list@example.com"), "example.com");
}

static void test_keyid(void)
{
    static const char *const bad[] = {"",
                                      "list@example.com",
                                      "list@example.com.mm--",
                                      "list@example.com.mm--abc",
                                      "list@example.com.mm--mddk7-n6a7!",
                                      ".mm--mddk7-n6a72-7ajzn-ostrx",
                                      "list.mm--mddk7-n6a72-7ajzn-ostrx",
                                      "<list@example.com>.mm--mddk7-n6a72",
                                      "list@example.com.mm---mddk7-n6a72",
                                      "list@example.com.mm--mddk7-n6a72-",
                                      "list@example.com.mm--mddk7-n6a72.org"};
    char id[KEYID_SIZE], address[ADDRESS_SIZE], udf[64], text[400], longest[64];
    struct err e;

    CU_ASSERT_EQUAL(keyid_make("List@Example.com", "MDDK7-N6A72-7AJZN-OSTRX-XKS7D-JAFXI", id, &e), 0);
    CU_ASSERT_STRING_EQUAL(id, "list@example.com.mm--mddk7-n6a72-7ajzn-ostrx-xks7d-jafxi");
    CU_ASSERT_EQUAL(keyid_parse(id, address, udf, &e), 0);
    CU_ASSERT_STRING_EQUAL(address, "list@example.com");
    CU_ASSERT_STRING_EQUAL(udf, "MDDK7-N6A72-7AJZN-OSTRX-XKS7D-JAFXI");
    CU_ASSERT_EQUAL(keyid_parse("LIST@example.com.MM--MDDK7-N6A72", address, udf, &e), 0);
    CU_ASSERT_STRING_EQUAL(udf, "MDDK7-N6A72");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(keyid_parse(bad[i], address, udf, &e), ERR_SYNTAX);
        CU_ASSERT(!*udf || !*address);
    }
    CU_ASSERT_EQUAL(keyid_make("list", "MDDK7-N6A72", id, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(keyid_make("list@x", "MDDK7", id, &e), ERR_SYNTAX);
    CU_ASSERT_STRING_EQUAL(id, "");
    /* the longest of both fits */
    memset(text, 'a', sizeof text);
    memcpy(text + 252, "@b", 3);
    CU_ASSERT_EQUAL(udf_text("text/plain", value, strlen(value), 250, longest), 0);
    CU_ASSERT_EQUAL(keyid_make(text, longest, id, &e), 0);
    CU_ASSERT_EQUAL(keyid_parse(id, address, udf, &e), 0);
    CU_ASSERT_STRING_EQUAL(udf, longest);
    CU_ASSERT_STRING_EQUAL(address, text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"prose rule of the 2016 draft", test_prose_rule},
        {"precision that does not exist", test_bad_precision},
        {"comparison", test_equal},
        {"addresses", test_address},
        {"extension of an address", test_split},
        {"group key identifiers", test_keyid},
    };
    return unit_main("udf", tests, sizeof tests / sizeof *tests);
}
