#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

enum { BATCH = 16, AGAIN_MS = 200, SAY_SECONDS = 60 };

struct listener {
    const struct listener_use *use;
    void *arg;
    struct event *readable, *again;
    int fd;
    time_t said;
};

static void wait_for_means(struct listener *l, int error)
{
    static const struct timeval later = {0, AGAIN_MS * 1000};
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!l->said || now.tv_sec - l->said >= SAY_SECONDS) {
        log_error("%s: no connection can be taken: %s; tried again until it can", l->use->name, strerror(error));
        l->said = now.tv_sec;
    }
    /* Without the timer it is tried at once, again and again: busy, yet not deaf. */
    if (!evtimer_add(l->again, &later))
        event_del(l->readable);
}

static int room(struct listener *l)
{
    return !l->use->room || l->use->room(l->arg);
}

void listener_watch(struct listener *l)
{
    if (evtimer_pending(l->again, NULL))
        return;
    if (!room(l))
        event_del(l->readable);
    else if (event_add(l->readable, NULL))
        wait_for_means(l, errno);
}

static void on_readable(evutil_socket_t listening, short what, void *arg)
{
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < BATCH && room(l); i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int fd = accept4(listening, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            l->use->take(l->arg, fd, (struct sockaddr *)&from, len);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            wait_for_means(l, errno);
        else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            log_error("%s: accept: %s", l->use->name, strerror(errno));
        break;
    }
    listener_watch(l);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    on_readable(l->fd, what, l);
}

int listener_new(struct event_base *base, int fd, const struct listener_use *use, void *arg, struct listener **out,
                 struct err *e)
{
    struct listener *l = calloc(1, sizeof *l);
    int rc = 0;

    *out = NULL;
    if (!l) {
        close(fd);
        return err_errno(e, "%s", use->name);
    }
    l->use = use;
    l->arg = arg;
    l->fd = fd;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        rc = err_errno(e, "%s", use->name);
    l->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, l);
    l->again = evtimer_new(base, on_again, l);
    if (!rc && (!l->readable || !l->again || event_add(l->readable, NULL)))
        rc = err_set(e, ERR_SYSTEM, "%s: no event", use->name);
    if (rc)
        listener_free(&l);
    *out = l;
    return rc;
}

void listener_free(struct listener **lp)
{
    struct listener *l = *lp;

    if (!l)
        return;
    if (l->readable)
        event_free(l->readable);
    if (l->again)
        event_free(l->again);
    close(l->fd);
    free(l);
    *lp = NULL;
}
