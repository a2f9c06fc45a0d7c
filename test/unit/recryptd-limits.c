/* Descriptors that are too few, or gone (recryptd-tests.h). */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "recryptd-tests.h"

enum { LOW = 80, HELD = 40, ANSWER_MS = 10000 };

static int web(void)
{
    char address[64];
    int fd = -1;

    snprintf(address, sizeof address, "inet:127.0.0.1:%d", w.port);
    CU_ASSERT_EQUAL(conf_connect(address, 2000, &fd, NULL), 0);
    return fd;
}

/* A request on a connection that stays open; the rest of the answer before it is passed over. */
static void ask(int fd)
{
    char rest[4096];
    static const char hello[] =
        "POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 19\r\n\r\n{\"HelloRequest\":{}}";

    usleep(50000);
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
        ;
    CU_ASSERT_EQUAL(send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL), (ssize_t)sizeof hello - 1);
}

static int answered(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    char text[64];

    return poll(&p, 1, ms) == 1 && recv(fd, text, sizeof text, 0) > 12 && !strncmp(text, "HTTP/1.1 200", 12);
}

static int resolves(int timeout_ms)
{
    struct frame_client *c;
    struct address_info info;
    int rc;

    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, timeout_ms, &c, NULL), 0);
    rc = rclient_resolve(c, "bob@example.com", &info, NULL);
    frame_client_free(&c);
    return rc == 0;
}

/* The lowest descriptor that recryptd has not open: with that for a limit it gets none. */
static unsigned long lowest_free(void)
{
    char path[64];

    for (unsigned long n = 0;; n++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%lu", (int)w.pid, n);
        if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
            return n;
    }
}

/* Of 80 descriptors 64 are the service's own; the rest is shared as the two numbers were: 12 and 4. All of them can be
 * held at once, more wait, and both fronts serve when one ends. */
void test_descriptors_low(void)
{
    int held[HELD], last;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "max_clients = 300\nmax_connections = 100");
    w.descriptors = LOW;
    must_start();
    CU_ASSERT(world_logged(&w, "max_clients is lowered to 12, max_connections to 4"));
    for (int i = 0; i < 4; i++)
        ask(held[i] = web());
    for (int i = 0; i < 4; i++)
        CU_ASSERT(answered(held[i], ANSWER_MS));
    ask(last = web());
    CU_ASSERT(!answered(last, 300));
    CU_ASSERT(resolves(ANSWER_MS));
    close(held[0]);
    CU_ASSERT(answered(last, ANSWER_MS));
    close(last);
    for (int i = 1; i < 4; i++)
        close(held[i]);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    w.descriptors = 0;
    world_configure(&w, "");
    must_start();
}

/* A limit below what is open, as somebody else's hunger for descriptors (ENFILE) would have it: with a connection that
 * stays and without one. */
void test_descriptors_out(void)
{
    unsigned long before;
    struct frame_client *c = client();
    struct address_info info;
    int fd, held;

    for (int keep = 0; keep < 2; keep++) {
        held = keep ? web() : -1;
        if (keep) {
            ask(held);
            CU_ASSERT(answered(held, ANSWER_MS));
        }
        CU_ASSERT_EQUAL(rclient_resolve(c, "bob@example.com", &info, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(world_limit(&w, lowest_free(), &before), 0);
        ask(fd = web());
        CU_ASSERT(!answered(fd, 500));
        CU_ASSERT(!resolves(500));
        CU_ASSERT(world_logged(&w, "listen_web: no connection can be taken: Too many open files"));
        CU_ASSERT(world_logged(&w, "listen_local: no connection can be taken: Too many open files"));
        /* who was there before is served */
        CU_ASSERT_EQUAL(rclient_resolve(c, "bob@example.com", &info, NULL), 0);
        if (keep) {
            ask(held);
            CU_ASSERT(answered(held, ANSWER_MS));
        }
        CU_ASSERT_EQUAL_FATAL(world_limit(&w, before, NULL), 0);
        CU_ASSERT(answered(fd, ANSWER_MS));
        CU_ASSERT(resolves(ANSWER_MS));
        close(fd);
        if (keep)
            close(held);
    }
    frame_client_free(&c);
}
