/* Sessions counted by client address. */
#include "common/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/err.h"
#include "unit.h"

static struct sockaddr_storage at;

static const struct sockaddr *from(const char *text)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;

    memset(&at, 0, sizeof at);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        four->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        six->sin6_family = AF_INET6;
    else
        at.ss_family = AF_UNIX;
    return (const struct sockaddr *)&at;
}

static struct peers *fresh(void)
{
    struct peers *p = peers_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static void test_limit(void)
{
    struct peers *p = fresh();

    CU_ASSERT_EQUAL(peers_full(p, from("192.0.2.1"), 2), 0);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 2), 1);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 2), 1);
    CU_ASSERT_EQUAL(peers_full(p, from("192.0.2.1"), 2), 1);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 2), 0);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.2"), 2), 1);
    /* one that was refused was not counted */
    peers_remove(p, from("192.0.2.1"));
    CU_ASSERT_EQUAL(peers_full(p, from("192.0.2.1"), 2), 0);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 2), 1);
    CU_ASSERT_EQUAL(peers_full(p, from("192.0.2.1"), 2), 1);
    CU_ASSERT_EQUAL(peers_full(p, from("192.0.2.1"), 0), 0);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 0), 1);
    for (int i = 0; i < 5; i++) /* more than there were: nobody is in debt */
        peers_remove(p, from("192.0.2.1"));
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 1), 1);
    CU_ASSERT_EQUAL(peers_add(p, from("192.0.2.1"), 1), 0);
    peers_free(&p);
    CU_ASSERT_PTR_NULL(p);
    peers_free(&p);
}

/* Which addresses are one client. */
static void test_networks(void)
{
    static const struct {
        const char *a, *b;
        int same;
    } pairs[] = {{"192.0.2.1", "::ffff:192.0.2.1", 1},
                 {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", 1},
                 {"2001:db8:0:1::1", "2001:db8:0:2::1", 0},
                 {"::1", "::2", 1},
                 {"::1", "0.0.0.1", 0},
                 {"::1", "0.0.0.0", 0},
                 {"::ffff:192.0.2.1", "::ffff:192.0.2.2", 0},
                 {"::ffff:192.0.2.1", "::192.0.2.1", 0}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct peers *p = fresh();

        CU_ASSERT_EQUAL(peers_add(p, from(pairs[i].a), 1), 1);
        if (peers_full(p, from(pairs[i].b), 1) != pairs[i].same)
            printf("# %s and %s\n", pairs[i].a, pairs[i].b);
        CU_ASSERT_EQUAL(peers_full(p, from(pairs[i].b), 1), pairs[i].same);
        peers_remove(p, from(pairs[i].b));
        CU_ASSERT_EQUAL(peers_full(p, from(pairs[i].a), 1), !pairs[i].same);
        peers_free(&p);
    }
}

static void test_no_address(void)
{
    struct peers *p = fresh();

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(peers_add(p, from("a socket"), 1), 1);
    CU_ASSERT_EQUAL(peers_full(p, from("a socket"), 1), 0);
    peers_remove(p, from("a socket"));
    peers_free(&p);
}

/* More than there are buckets, and taken out in another order. */
static void test_many(void)
{
    enum { MANY = 20000, STEP = 7919 };
    struct peers *p = fresh();
    char text[32];
    int wrong = 0;

    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "10.1.%d.%d", i >> 8, i & 255);
        wrong += peers_add(p, from(text), 1) != 1;
    }
    for (int i = 0, k = 0; i < MANY; i++, k = (k + STEP) % MANY) {
        snprintf(text, sizeof text, "10.1.%d.%d", k >> 8, k & 255);
        wrong += peers_full(p, from(text), 1) != 1;
        peers_remove(p, from(text));
        wrong += peers_full(p, from(text), 1) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    peers_free(&p);
}

int main(void)
{
    static const struct unit_test tests[] = {{"so many at a time", test_limit},
                                             {"addresses of one client", test_networks},
                                             {"what has no address", test_no_address},
                                             {"many clients", test_many}};

    return unit_main("peers", tests, sizeof tests / sizeof *tests);
}
