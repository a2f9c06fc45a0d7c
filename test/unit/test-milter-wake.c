/* The milter's packets to itself, with the test at libmilter's end. */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/conf.h"
#include "milter/mta.h"
#include "milter/wake.h"
#include "unit.h"

enum { CALM = 200, PATIENCE = 100, HASTE = 3 };

static char folder[64], path[80];
static struct wake w;
static struct pollfd p[WAKE_CONNECTIONS];
static int far_end[WAKE_CONNECTIONS];
static void *negotiated;

void *mta_private(SMFICTX *ctx)
{
    (void)ctx;
    return negotiated;
}

static int open_at(const char *address)
{
    struct conf_address a;
    size_t n;

    CU_ASSERT_EQUAL_FATAL(conf_resolve(address, &a, 1, &n, NULL, NULL), 0);
    return wake_open(&a, &w, NULL);
}

static void begin(void)
{
    int fd = -1;

    strcpy(folder, "/tmp/test-milter-wake.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    CU_ASSERT_EQUAL_FATAL(conf_listen(path, 0600, &fd, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(open_at(path), 0);
    for (int i = 0; i < WAKE_CONNECTIONS; i++)
        CU_ASSERT_FATAL((far_end[i] = accept(fd, NULL, NULL)) >= 0);
    close(fd);
    negotiated = NULL;
}

static void end(void)
{
    wake_close(&w);
    for (int i = 0; i < WAKE_CONNECTIONS; i++)
        close(far_end[i]);
    unlink(path);
    rmdir(folder);
}

/* The packets that came on a connection, none of them cut. */
static int asked(int i)
{
    static const unsigned char helo[] = {0, 0, 0, 3, 'H', '-', 0};
    unsigned char got[64];
    ssize_t n = recv(far_end[i], got, sizeof got, MSG_DONTWAIT);

    if (n <= 0)
        return 0;
    CU_ASSERT_EQUAL_FATAL(n % (ssize_t)sizeof helo, 0);
    for (ssize_t at = 0; at < n; at += (ssize_t)sizeof helo)
        CU_ASSERT_FATAL(!memcmp(got + at, helo, sizeof helo));
    return (int)(n / (ssize_t)sizeof helo);
}

static void answer(int i)
{
    CU_ASSERT_EQUAL_FATAL(send(far_end[i], "\0\0\0\1c", 5, 0), 5);
}

static void *answer_first(void *i)
{
    char name[] = "-";

    CU_ASSERT_EQUAL(wake_on_helo(NULL, name), SMFIS_CONTINUE);
    answer(*(int *)i);
    return NULL;
}

/* By a thread that never was asked before. */
static void answer_new(int i)
{
    pthread_t t;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, answer_first, &i), 0);
    pthread_join(t, NULL);
}

/* By this one, which was asked before. */
static void answer_known(int i)
{
    char name[] = "-";

    (void)wake_on_helo(NULL, name);
    (void)wake_on_helo(NULL, name);
    answer(i);
}

static int within(int n, int most)
{
    return n >= 0 && n <= most;
}

static void test_calm(void)
{
    int wait;

    begin();
    CU_ASSERT(within(wake_turn(&w, p), PATIENCE));
    CU_ASSERT_EQUAL(asked(0), 1);
    CU_ASSERT(p[0].fd >= 0 && p[1].fd >= 0 && p[0].events == POLLIN && p[1].events == POLLIN);
    for (int i = 0; i < 4; i++) { /* in turn: neither is silent for long */
        answer_known(i % 2);
        wait = wake_turn(&w, p);
        CU_ASSERT(wait > PATIENCE && wait <= CALM);
        CU_ASSERT_EQUAL(asked(0) + asked(1), 0);
        poll(NULL, 0, wait + 1);
        (void)wake_turn(&w, p);
        CU_ASSERT_EQUAL(asked(i % 2), 0);
        CU_ASSERT_EQUAL(asked(1 - i % 2), 1);
    }
    end();
}

/* New threads answer as long as something was left behind: no time is lost. */
static void test_haste(void)
{
    begin();
    (void)wake_turn(&w, p);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(asked(i % 2), 1);
        answer_new(i % 2);
        CU_ASSERT(within(wake_turn(&w, p), HASTE));
        CU_ASSERT_EQUAL(asked(0) + asked(1), 0);
        poll(NULL, 0, HASTE + 1);
        (void)wake_turn(&w, p);
    }
    end();
}

/* One that is left waiting itself: the other is asked, and goes on being asked. */
static void test_unanswered(void)
{
    begin();
    (void)wake_turn(&w, p);
    CU_ASSERT_EQUAL(asked(0), 1);
    poll(NULL, 0, PATIENCE + 1);
    CU_ASSERT(within(wake_turn(&w, p), PATIENCE));
    CU_ASSERT_EQUAL(asked(0), 0);
    CU_ASSERT_EQUAL(asked(1), 1);
    answer_new(1);
    (void)wake_turn(&w, p);
    poll(NULL, 0, HASTE + 1);
    (void)wake_turn(&w, p);
    CU_ASSERT_EQUAL(asked(0), 0);
    CU_ASSERT_EQUAL(asked(1), 1);
    poll(NULL, 0, PATIENCE + 1);
    CU_ASSERT(within(wake_turn(&w, p), PATIENCE)); /* both wait: nothing is piled up */
    CU_ASSERT_EQUAL(asked(0) + asked(1), 0);
    answer_known(0);
    CU_ASSERT(wake_turn(&w, p) > PATIENCE);
    end();
}

/* What a mail server says, or somebody says unasked, tells nothing of threads. */
static void test_others(void)
{
    char name[] = "mail.example.com";
    int wait;

    begin();
    (void)wake_turn(&w, p);
    answer_known(0);
    negotiated = &w;
    answer_new(1);
    CU_ASSERT_EQUAL(wake_on_helo(NULL, name), SMFIS_CONTINUE);
    wait = wake_turn(&w, p);
    CU_ASSERT(wait > PATIENCE && wait <= CALM);
    end();
}

static void test_lost(void)
{
    begin();
    shutdown(far_end[0], SHUT_RDWR);
    (void)wake_turn(&w, p);
    CU_ASSERT(p[0].fd < 0 && p[1].fd >= 0);
    CU_ASSERT_EQUAL(asked(1), 1);
    shutdown(far_end[1], SHUT_RDWR);
    CU_ASSERT_EQUAL(wake_turn(&w, p), -1);
    CU_ASSERT(p[0].fd < 0 && p[1].fd < 0);
    CU_ASSERT_EQUAL(wake_turn(&w, p), -1);
    end();
    CU_ASSERT(open_at("/nonexistent/socket") < 0);
    CU_ASSERT_EQUAL(wake_turn(&w, p), -1);
}

int main(void)
{
    static const struct unit_test tests[] = {{"a packet every so often", test_calm},
                                             {"new threads are asked on at once", test_haste},
                                             {"two connections, when one has to wait", test_unanswered},
                                             {"other connections do not count", test_others},
                                             {"connections lost, or not made", test_lost}};

    return unit_main("milter-wake", tests, sizeof tests / sizeof *tests);
}
