/* Quota by member and day; what strangers may have written. */
#include <stdio.h>
#include <string.h>

#include "service/intake.h"
#include "service/quota.h"
#include "unit.h"

static struct err e;

/* How many writes for address and account, each with a key of its own, until no more is taken. */
static int intake(struct quota *q, const char *address, const char *account)
{
    static int number;
    char key[16];
    int n = 0, rc = 0;

    for (; !rc && n < 100; n += !rc) {
        snprintf(key, sizeof key, "K%d", ++number);
        rc = intake_take(q, address, account, key, 86400, &e);
        CU_ASSERT(!rc || rc == ERR_RETRY);
    }
    return n;
}

static void test_intake(void)
{
    struct quota *q;
    char account[16];
    int total = 0;

    CU_ASSERT_EQUAL_FATAL(quota_new(&q, &e), 0);
    CU_ASSERT_EQUAL(intake(q, "192.0.2.1", "a"), 8);
    CU_ASSERT_EQUAL(intake(q, "::ffff:192.0.2.1", "a"), 0); /* the same */
    CU_ASSERT_EQUAL(intake(q, "192.0.2.2", "a"), 8);
    CU_ASSERT_EQUAL(intake(q, "2001:db8::1", "a"), 8);
    CU_ASSERT_EQUAL(intake(q, "2001:db8::ffff:0:0:1", "a"), 0); /* the same network */
    CU_ASSERT_EQUAL(intake(q, "2001:db8:0:ff::1", "a"), 0);
    CU_ASSERT_EQUAL(intake(q, "2001:db8:0:100::1", "a"), 8);
    /* for whomever: the network's own limit, which those refused count against as well */
    for (int i = 0; i < 40; i++) {
        snprintf(account, sizeof account, "b%d", i);
        total += intake(q, "192.0.2.3", account);
    }
    CU_ASSERT(total > INTAKE_NETWORK / 2 && total <= INTAKE_NETWORK);
    CU_ASSERT_EQUAL(intake(q, "192.0.2.3", "d"), 0);
    CU_ASSERT_EQUAL(intake(q, "127.0.0.1", "a") + intake(q, "::1", "a") + intake(q, "?", "a"), 300);
    for (int i = 0; i < 9; i++)
        CU_ASSERT_EQUAL(intake_take(q, "127.0.0.1", "a", "one", 86400, &e), i < 8 ? 0 : ERR_RETRY);
    CU_ASSERT_EQUAL(intake_take(q, "127.0.0.1", "a", "one", 2 * 86400, &e), 0);
    quota_free(&q);
}

/* Whose place somebody from that network gets, of those that wait: a letter for the network of each, the oldest first.
 * -1 = nobody's. */
static int yields(const char *places, const char *network)
{
    struct intake_place list[16] = {{.when = 0}};
    const struct intake_place *out;
    size_t n = strlen(places);

    for (size_t i = 0; i < n; i++) { /* in another order than that of their time */
        struct intake_place *p = &list[n - 1 - i];

        snprintf(p->network, sizeof p->network, "%c", places[i]);
        p->when = (int64_t)i;
    }
    out = intake_yields(list, n, network);
    return out ? (int)out->when : -1;
}

static void test_yields(void)
{
    CU_ASSERT_EQUAL(yields("aaaabbbb", "c"), 0);
    CU_ASSERT_EQUAL(yields("abbbabba", "c"), 1); /* b has five */
    CU_ASSERT_EQUAL(yields("bbababaa", "c"), 0); /* four and four: the oldest */
    CU_ASSERT_EQUAL(yields("aaaabbbc", "d"), 0);
    CU_ASSERT_EQUAL(yields("aaaabbcc", "c"), 0);
    /* who has the most, or one less, does not gain; who has one place keeps it */
    CU_ASSERT_EQUAL(yields("aaaabbbb", "a"), -1);
    CU_ASSERT_EQUAL(yields("aaaabbbb", "b"), -1);
    CU_ASSERT_EQUAL(yields("aaaabbbc", "b"), -1);
    CU_ASSERT_EQUAL(yields("abcdefgh", "i"), -1);
    CU_ASSERT_EQUAL(yields("aabbccdd", "e"), 0);
    CU_ASSERT_EQUAL(yields("", "a"), -1);
}

static void test_quota(void)
{
    struct quota *q;

    CU_ASSERT_EQUAL_FATAL(quota_new(&q, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "l", "a", 2, 86400, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "l", "a", 2, 86401, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "l", "a", 2, 86402, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(quota_take(q, "la", "", 2, 86402, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "k", "a", 2, 86402, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "l", "a", 0, 86402, &e), 0);
    CU_ASSERT_EQUAL(quota_take(q, "l", "a", 2, 2 * 86400, &e), 0); /* the next day */
    quota_free(&q);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"quota by member and day", test_quota},
        {"what strangers may have written", test_intake},
        {"a network with many places gives one to a network with fewer", test_yields},
    };

    return unit_main("quota", tests, sizeof tests / sizeof *tests);
}
