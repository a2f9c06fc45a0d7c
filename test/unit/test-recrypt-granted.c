/* What a mail server or a service says that it granted. */
#include <string.h>

#include "recrypt/granted.h"
#include "unit.h"

#define T "\"t\":\"AAECAwQFBgcICQoLDA0ODw\""
#define U                                                                                                              \
    "\"u\":\""                                                                                                         \
    "AAAA"                                                                                                             \
    "\""
#define KID "\"kid\":\"list@example.com.mm--abcde\""
#define GRANT "\"grant\":{" T "," U "}"

static struct err e;

static int reads(const char *text, struct granted_list *l)
{
    memset(&e, 0, sizeof e);
    return granted_read(text, strlen(text), l, &e);
}

static void test_good(void)
{
    struct granted_list l;

    CU_ASSERT_EQUAL_FATAL(reads("{\"grants\":[]}", &l), 0);
    CU_ASSERT_EQUAL(l.count, 0);
    granted_list_clear(&l);
    CU_ASSERT_EQUAL_FATAL(
        reads("{\"grants\":[{" KID ",\"grant\":{" T "," U ",\"dk\":\"a.b.c\"}},"
              "{" KID ",\"grant\":{\"dk\":\"a.b.c\"},\"device\":{\"kid\":\"bob@example.com.mm--x\"," GRANT "}}]}",
              &l),
        0);
    CU_ASSERT_EQUAL_FATAL(l.count, 2);
    CU_ASSERT_STRING_EQUAL(l.at[0].keyid, "list@example.com.mm--abcde");
    CU_ASSERT_FALSE(l.at[0].in_message);
    CU_ASSERT_EQUAL(l.at[0].grant.tag[15], 15);
    CU_ASSERT_EQUAL(l.at[0].grant.value_len, 3);
    CU_ASSERT_STRING_EQUAL(l.at[0].grant.dk, "a.b.c");
    CU_ASSERT_STRING_EQUAL(l.at[0].device_keyid, "");
    CU_ASSERT_TRUE(l.at[1].in_message);
    CU_ASSERT_EQUAL(l.at[1].grant.value_len, 0);
    CU_ASSERT_STRING_EQUAL(l.at[1].device_keyid, "bob@example.com.mm--x");
    CU_ASSERT_EQUAL(l.at[1].device.value_len, 3);
    granted_list_clear(&l);
    CU_ASSERT_PTR_NULL(l.at);
}

static void test_bad(void)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"grants\":{}}",
        "{\"grants\":[1]}",
        "{\"grants\":[{}]}",
        "{\"grants\":[{" KID "}]}",
        "{\"grants\":[{" GRANT "}]}",
        "{\"grants\":[{\"kid\":\"\"," GRANT "}]}",
        "{\"grants\":[{\"kid\":1," GRANT "}]}",
        "{\"grants\":[{" KID ",\"grant\":{}}]}",
        "{\"grants\":[{" KID ",\"grant\":{" T "}}]}",
        "{\"grants\":[{" KID ",\"grant\":{" U "}}]}",
        "{\"grants\":[{" KID ",\"grant\":{\"dk\":1}}]}",
        "{\"grants\":[{" KID ",\"grant\":{\"dk\":\"a\",\"x\":1}}]}",
        "{\"grants\":[{" KID "," GRANT ",\"more\":1}]}",
        "{\"grants\":[{" KID "," GRANT ",\"device\":1}]}",
        "{\"grants\":[{" KID "," GRANT ",\"device\":{}}]}",
        "{\"grants\":[{" KID "," GRANT ",\"device\":{" GRANT "}}]}",
        "{\"grants\":[{" KID "," GRANT ",\"device\":{" KID "}}]}",
        "{\"grants\":[{" KID "," GRANT ",\"device\":{" KID ",\"grant\":{\"dk\":\"a\"}}}]}",
        "{\"grants\":[{" KID "," GRANT "},{}]}",
        "{\"grants\":[]} x",
    };
    struct granted_list l;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (reads(texts[i], &l) != ERR_SYNTAX) {
            printf("# %s: %s\n", texts[i], e.text);
            CU_FAIL("was read, or another error");
        }
        CU_ASSERT_PTR_NULL(l.at);
        CU_ASSERT_EQUAL(l.count, 0);
    }
}

static void test_many(void)
{
    char text[8192] = "{\"grants\":[";
    struct granted_list l;
    char keyid[400];

    for (int i = 0; i < JWE_RECIPIENTS_MAX; i++)
        strcat(text, i ? ",{" KID "," GRANT "}" : "{" KID "," GRANT "}");
    strcat(text, "]}");
    CU_ASSERT_EQUAL_FATAL(reads(text, &l), 0);
    CU_ASSERT_EQUAL(l.count, JWE_RECIPIENTS_MAX);
    granted_list_clear(&l);
    text[strlen(text) - 2] = 0;
    strcat(text, ",{" KID "," GRANT "}]}");
    CU_ASSERT_EQUAL(reads(text, &l), ERR_LIMIT);
    memset(keyid, 'k', sizeof keyid);
    keyid[KEYID_SIZE] = 0;
    snprintf(text, sizeof text, "{\"grants\":[{\"kid\":\"%s\"," GRANT "}]}", keyid);
    CU_ASSERT_EQUAL(reads(text, &l), ERR_SYNTAX);
    keyid[KEYID_SIZE - 1] = 0;
    snprintf(text, sizeof text, "{\"grants\":[{\"kid\":\"%s\"," GRANT "}]}", keyid);
    CU_ASSERT_EQUAL(reads(text, &l), 0);
    granted_list_clear(&l);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"grants of members, of their devices, and of lists elsewhere", test_good},
        {"what is no such thing is refused", test_bad},
        {"not too many, and no long names", test_many},
    };
    return unit_main("recrypt-granted", tests, sizeof tests / sizeof *tests);
}
