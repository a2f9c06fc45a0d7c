#include "wake.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "mta.h"

/* Milliseconds until the next packet. HASTE is longer than a thread stays with a connection for its next packet (1). */
enum { CALM = 200, PATIENCE = 100, HASTE = 3 };

/* A thread that is asked for the first time may have been made for it, since no other was idle. One that was asked
 * before has looked since then for what waits, and found nothing that kept it. */
static _Thread_local int known;
static atomic_int new_thread; /* the last answer came from one */

sfsistat wake_on_helo(SMFICTX *ctx, char *name)
{
    (void)name;
    if (!mta_private(ctx)) { /* negotiated nothing: no mail server */
        atomic_store(&new_thread, !known);
        known = 1;
    }
    return SMFIS_CONTINUE;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int wake_open(const struct conf_address *listener, struct wake *w, struct err *e)
{
    int r = 0;

    w->listener = *listener;
    w->due = 0;
    w->last = WAKE_CONNECTIONS - 1;
    for (int i = 0; i < WAKE_CONNECTIONS; i++) {
        w->connection[i].asked = 0;
        w->connection[i].fd = -1;
    }
    for (int i = 0; i < WAKE_CONNECTIONS && !r; i++)
        r = conf_connect_to(listener, 1000, &w->connection[i].fd, e);
    if (r)
        wake_close(w);
    return r;
}

void wake_listener(const struct wake *w)
{
    int fd;

    if (conf_connect_to(&w->listener, 1000, &fd, NULL) == 0)
        close(fd);
}

void wake_close(struct wake *w)
{
    for (int i = 0; i < WAKE_CONNECTIONS; i++) {
        if (w->connection[i].fd >= 0)
            close(w->connection[i].fd);
        w->connection[i].fd = -1;
    }
}

static void lost(struct wake *w, int i)
{
    log_warn("a connection to myself is lost: others may have to wait for one another");
    close(w->connection[i].fd);
    w->connection[i].fd = -1;
}

static void take_answer(struct wake *w, int i, int64_t now)
{
    char answer[64];
    ssize_t n = recv(w->connection[i].fd, answer, sizeof answer, MSG_DONTWAIT);

    if (n > 0 && w->connection[i].asked) {
        w->connection[i].asked = 0;
        w->due = now + (atomic_load(&new_thread) ? HASTE : CALM);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        lost(w, i);
    }
}

/* In turn: libmilter closes a connection on which nothing comes. One that has no answer yet waits itself, with others.
 * A packet on the other one is not left to the same thread, which is awake by now; and any thread that looks takes the
 * oldest connection first, which these two are. */
static void ask(struct wake *w)
{
    static const unsigned char helo[] = {0, 0, 0, 3, 'H', '-', 0};
    int i = w->last, left = WAKE_CONNECTIONS;

    do
        i = (i + 1) % WAKE_CONNECTIONS;
    while ((w->connection[i].fd < 0 || w->connection[i].asked) && --left);
    if (!left)
        return;
    w->last = i;
    if (send(w->connection[i].fd, helo, sizeof helo, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof helo)
        w->connection[i].asked = 1;
    else
        lost(w, i);
}

int wake_turn(struct wake *w, struct pollfd p[WAKE_CONNECTIONS])
{
    int64_t now = now_ms();
    int open = 0;

    for (int i = 0; i < WAKE_CONNECTIONS; i++)
        if (w->connection[i].fd >= 0)
            take_answer(w, i, now);
    if (now >= w->due) {
        ask(w);
        w->due = now + PATIENCE;
    }
    for (int i = 0; i < WAKE_CONNECTIONS; i++) {
        p[i] = (struct pollfd){w->connection[i].fd, POLLIN, 0};
        open += w->connection[i].fd >= 0;
    }
    return open ? (int)(w->due - now) : -1;
}
