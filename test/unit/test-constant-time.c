/* What split and combine compute from secrets, and how keys are read and written, takes no branch and no address from
 * them. The program runs itself under valgrind, to which secrets are declared undefined: it then counts every branch
 * and every address that depends on one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/b64.h"
#include "common/suite-private.h"
#include "unit.h"

#if defined __has_include && !defined __SANITIZE_ADDRESS__
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define CAN_RUN 1
#endif
#endif

#ifdef CAN_RUN

static void secret(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}

static void open_secret(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, len);
}

/* That the method sees what it is to see. */
static void test_method(void)
{
    volatile unsigned char x = 5;
    volatile int y = 0;
    unsigned before = VALGRIND_COUNT_ERRORS;

    secret((const void *)&x, 1);
    if (x & 4)
        y = 1;
    open_secret((const void *)&x, 1);
    CU_ASSERT_EQUAL(y, 1);
    CU_ASSERT(VALGRIND_COUNT_ERRORS > before);
}

static void test_combine(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        unsigned char v1[SUITE_VALUE_MAX], v2[SUITE_VALUE_MAX], out[2 * SUITE_VALUE_MAX];
        struct suite_key *one, *two;
        unsigned before;
        uint64_t ok;

        CU_ASSERT_EQUAL_FATAL(suite_generate(s, &one, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(suite_generate(s, &two, NULL), 0);
        memcpy(v1, suite_key_public(one), s->value_len);
        memcpy(v2, suite_key_public(two), s->value_len);
        before = VALGRIND_COUNT_ERRORS;
        secret(v1, s->value_len);
        secret(v2, s->value_len);
        CU_ASSERT_EQUAL(s->family->combine(s, v1, v2, out, &ok, NULL), 0);
        CU_ASSERT_EQUAL(VALGRIND_COUNT_ERRORS, before);
        open_secret(&ok, sizeof ok);
        CU_ASSERT_EQUAL(ok, ~(uint64_t)0);
        suite_key_free(&one);
        suite_key_free(&two);
    }
}

static void test_split(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        unsigned char a[SUITE_PRIV_MAX], r[SUITE_PRIV_MAX], b[SUITE_PRIV_MAX];
        unsigned before;
        int again;

        CU_ASSERT_EQUAL_FATAL(s->family->draw(s, a, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(s->family->draw(s, r, NULL), 0);
        before = VALGRIND_COUNT_ERRORS;
        secret(a, s->priv_len);
        secret(r, s->priv_len);
        CU_ASSERT_EQUAL(s->family->rest(s, a, r, b, &again, NULL), 0);
        CU_ASSERT_EQUAL(VALGRIND_COUNT_ERRORS, before);
        open_secret(&again, sizeof again);
        CU_ASSERT_EQUAL(again, 0);
    }
}

/* Private keys are read and written as base64url. Whether the text is one is not secret: one branch at the end. */
static void test_base64url(void)
{
    unsigned char key[SUITE_PRIV_MAX];
    struct buf text = BUF_INIT, back = BUF_INIT;
    unsigned before;

    for (size_t len = 32; len <= sizeof key; len += 7) {
        for (size_t i = 0; i < len; i++)
            key[i] = (unsigned char)(i * 37 + len);
        CU_ASSERT(!buf_reserve(&text, 2 * sizeof key) && !buf_reserve(&back, 2 * sizeof key));
        before = VALGRIND_COUNT_ERRORS;
        secret(key, len);
        CU_ASSERT_EQUAL(b64url_encode(key, len, &text), 0);
        CU_ASSERT_EQUAL(VALGRIND_COUNT_ERRORS, before);
        CU_ASSERT_EQUAL(b64url_decode((const char *)text.data, text.len, &back), 0);
        CU_ASSERT(VALGRIND_COUNT_ERRORS <= before + 1);
        open_secret(key, len);
        open_secret(text.data, text.len);
        open_secret(back.data, back.len);
        CU_ASSERT(back.len == len && !memcmp(back.data, key, len));
        buf_reset(&text);
        buf_reset(&back);
    }
    buf_free(&text);
    buf_free(&back);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        {"the method finds a branch on a secret", test_method},
        {"combine", test_combine},
        {"split", test_split},
        {"keys in base64url", test_base64url},
    };
    (void)argc;
    if (RUNNING_ON_VALGRIND)
        return unit_main("constant-time", tests, sizeof tests / sizeof *tests);
    execlp("valgrind", "valgrind", "-q", "--tool=memcheck", "--leak-check=no", argv[0], (char *)NULL);
    return unit_main_skipped("constant-time", "valgrind is not there");
}

#else

int main(void)
{
    return unit_main_skipped("constant-time", "built without valgrind's header, or with sanitizers");
}

#endif
