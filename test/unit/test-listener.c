/* A listening socket on the event loop: out of descriptors, out of room. */
#include "common/listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "unit.h"

enum { CLIENTS = 3 };

static struct {
    struct event_base *base;
    struct listener *listener;
    int clients[CLIENTS], taken[CLIENTS];
    int count, most;
} w;

static int room(void *arg)
{
    (void)arg;
    return w.count < w.most;
}

static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_len)
{
    CU_ASSERT_PTR_EQUAL(arg, &w);
    CU_ASSERT(from_len >= sizeof from->sa_family && from->sa_family == AF_UNIX);
    CU_ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
    w.taken[w.count++] = fd;
}

static void begin(const struct listener_use *use)
{
    char dir[] = "/tmp/recrypt-listener-XXXXXX", path[64];
    int fd;

    memset(&w, 0, sizeof w);
    w.most = CLIENTS;
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL && (w.base = event_base_new()) != NULL);
    snprintf(path, sizeof path, "%s/socket", dir);
    CU_ASSERT_EQUAL_FATAL(conf_listen(path, 0600, &fd, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(listener_new(w.base, fd, use, &w, &w.listener, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        CU_ASSERT_EQUAL_FATAL(conf_connect(path, 1000, &w.clients[i], NULL), 0);
    CU_ASSERT(unlink(path) == 0 && rmdir(dir) == 0);
}

static void end(void)
{
    listener_free(&w.listener);
    event_base_free(w.base);
    for (int i = 0; i < CLIENTS; i++)
        close(w.clients[i]);
    for (int i = 0; i < w.count; i++)
        close(w.taken[i]);
}

/* Runs the loop for so many milliseconds. */
static void run(int ms)
{
    struct timeval time = {ms / 1000, ms % 1000 * 1000};

    event_base_loopexit(w.base, &time);
    event_base_dispatch(w.base);
}

static void test_all(void)
{
    static const struct listener_use use = {"test", NULL, take};

    begin(&use);
    run(50);
    CU_ASSERT_EQUAL(w.count, CLIENTS);
    end();
}

static void test_room(void)
{
    static const struct listener_use use = {"test", room, take};

    begin(&use);
    w.most = 1;
    run(50);
    CU_ASSERT_EQUAL(w.count, 1);
    w.most = 2; /* an end that nobody told of */
    run(50);
    CU_ASSERT_EQUAL(w.count, 1);
    listener_watch(w.listener);
    run(50);
    CU_ASSERT_EQUAL(w.count, 2);
    w.most = CLIENTS;
    listener_watch(w.listener);
    run(50);
    CU_ASSERT_EQUAL(w.count, CLIENTS);
    end();
}

/* Nobody is lost who comes while no descriptor is left, and the loop does not spin meanwhile. */
static void test_descriptors(void)
{
    static const struct listener_use use = {"test", NULL, take};
    struct rlimit all, few;
    clock_t before;
    int next;

    begin(&use);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &all), 0);
    CU_ASSERT_FATAL((next = dup(0)) >= 0);
    close(next);
    few = all;
    few.rlim_cur = (rlim_t)next + 1; /* room for one */
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    before = clock(); /* of the processor */
    run(500);
    CU_ASSERT(clock() - before < CLOCKS_PER_SEC / 5);
    CU_ASSERT_EQUAL(w.count, 1);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &all), 0);
    run(500);
    CU_ASSERT_EQUAL(w.count, CLIENTS);
    end();
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"takes who comes", test_all},
        {"takes nobody without room", test_room},
        {"out of descriptors for a while", test_descriptors},
    };

    return unit_main("listener", tests, sizeof tests / sizeof *tests);
}
