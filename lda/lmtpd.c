#include "lmtpd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/algorithms.h"
#include "common/conf.h"
#include "common/frame.h"
#include "common/log.h"
#include "common/manager.h"
#include "deliver.h"
#include "lmtp.h"

static volatile sig_atomic_t stopping;

static void on_stop(int sig)
{
    (void)sig;
    stopping = 1;
}

static void on_child(int sig)
{
    (void)sig;
}

/* The signals are blocked but while we wait, so that none breaks a delivery; waiting gets what is unblocked. */
static int prepare_signals(sigset_t *waiting, struct err *e)
{
    struct sigaction stop = {.sa_handler = on_stop}, child = {.sa_handler = on_child};
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &ours, waiting) < 0 || sigaction(SIGTERM, &stop, NULL) < 0 ||
        sigaction(SIGINT, &stop, NULL) < 0 || sigaction(SIGCHLD, &child, NULL) < 0)
        return err_errno(e, "signals");
    sigdelset(waiting, SIGTERM);
    sigdelset(waiting, SIGINT);
    sigdelset(waiting, SIGCHLD);
    return 0;
}

/* 1 = ready, 0 = a signal or the time has passed (errno 0), negative = error. */
static int wait_ready(int fd, short events, int seconds, const sigset_t *waiting)
{
    struct timespec limit = {seconds, 0};
    struct pollfd p = {fd, events, 0};
    int n = ppoll(&p, 1, seconds < 0 ? NULL : &limit, waiting);

    if (n < 0 && errno == EINTR)
        return 0;
    errno = n == 0 ? ETIMEDOUT : errno;
    return n;
}

struct session {
    const struct settings *s;
    int out;
    struct frame_client *client;
};

static int session_send(void *arg, const void *data, size_t len)
{
    const struct session *x = arg;
    const char *p = data;

    while (len) {
        struct pollfd poll_out = {x->out, POLLOUT, 0};
        ssize_t n;

        /* A client that does not read its answers is as silent as one that does not write. There is room for so much;
         * for more, writing would wait by itself and without end. */
        if (poll(&poll_out, 1, x->s->lmtp_timeout * 1000) == 0)
            return -1;
        n = write(x->out, p, len < PIPE_BUF ? len : PIPE_BUF);
        if (n < 0 && errno != EINTR)
            return -1;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void session_deliver(void *arg, const struct envelope *env, struct span msg, struct verdict *out)
{
    const struct session *x = arg;

    deliver_message(x->s, x->client, env, msg, out);
}

static void converse(struct lmtp *l, int in, int timeout, const sigset_t *waiting)
{
    char data[65536];
    ssize_t n;

    for (;;) {
        int r;

        if (stopping) {
            lmtp_end(l, "4.3.2 shutting down");
            return;
        }
        errno = 0;
        if ((r = wait_ready(in, POLLIN, timeout, waiting)) == 0 && errno == ETIMEDOUT) {
            lmtp_end(l, "4.4.2 timeout");
            return;
        }
        if (r == 0)
            continue;
        if (r < 0 || ((n = read(in, data, sizeof data)) < 0 && errno != EINTR) || n == 0)
            return;
        if (n > 0 && lmtp_feed(l, data, (size_t)n))
            return;
    }
}

static int session_run(const struct settings *s, int in, int out, const sigset_t *waiting, struct err *e)
{
    struct session x = {s, out, NULL};
    struct lmtp_handler h = {&x, session_send, session_deliver};
    struct lmtp *l = NULL;
    char host[256];
    int r;

    if (gethostname(host, sizeof host) < 0)
        strcpy(host, "localhost");
    host[sizeof host - 1] = 0;
    if ((r = frame_client_new(s->recryptd, s->timeout * 1000, &x.client, e)) == 0 &&
        (r = lmtp_new(host, s->max_message, &h, &l, e)) == 0)
        converse(l, in, s->lmtp_timeout, waiting);
    lmtp_free(&l);
    frame_client_free(&x.client);
    return r;
}

int lmtpd_session(const struct settings *s, int in, int out, struct err *e)
{
    sigset_t waiting;
    int r = prepare_signals(&waiting, e);

    return r < 0 ? r : session_run(s, in, out, &waiting, e);
}

int lmtpd_listen(const struct settings *s, int *fd, const char **path, struct err *e)
{
    int r;

    *path = NULL;
    if ((r = manager_sockets(fd, e)) > 1)
        return err_set(e, ERR_USAGE, "systemd handed over %d sockets, one is wanted", r);
    if (r)
        return r < 0 ? r : 0;
    if (!*s->lmtp_listen)
        return err_set(e, ERR_USAGE, "lmtp_listen is not set");
    if ((r = conf_listen(s->lmtp_listen, s->lmtp_mode, fd, e)) == 0 && strncmp(s->lmtp_listen, "inet:", 5) != 0)
        *path = s->lmtp_listen + (strncmp(s->lmtp_listen, "unix:", 5) == 0 ? 5 : 0);
    return r;
}

struct children {
    pid_t *pids;
    int count;
};

static void reap(struct children *c)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < c->count; i++)
            if (c->pids[i] == pid) {
                c->pids[i] = c->pids[--c->count];
                break;
            }
        if (WIFSIGNALED(status))
            log_error("a session ended with signal %d", WTERMSIG(status));
    }
}

static void accept_one(const struct settings *s, int listener, struct children *c, const sigset_t *waiting)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct err e = {0};
    pid_t pid;

    if (fd < 0) {
        if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
            log_error("accept: %s", strerror(errno));
            sleep(1); /* out of descriptors: do not spin */
        }
        return;
    }
    pid = fork();
    if (pid == 0) {
        close(listener);
        if (session_run(s, fd, fd, waiting, &e) < 0)
            log_error("%s", e.text);
        _exit(EX_OK);
    }
    if (pid < 0)
        log_error("fork: %s", strerror(errno)); /* the client sees the connection close, and comes again */
    else
        c->pids[c->count++] = pid;
    close(fd);
}

static void stop_children(struct children *c, const sigset_t *waiting)
{
    for (int i = 0; i < c->count; i++)
        kill(c->pids[i], SIGTERM);
    for (;;) {
        reap(c);
        if (c->count == 0)
            return;
        ppoll(NULL, 0, NULL, waiting);
    }
}

int lmtpd_serve(const struct settings *s, int fd, const char *path, struct err *e)
{
    struct children c = {calloc((size_t)s->lmtp_connections, sizeof(pid_t)), 0};
    sigset_t waiting;
    int r = 0;

    if (!c.pids)
        return err_set(e, ERR_SYSTEM, "out of memory");
    /* OpenSSL sets itself up once, here, and not in every session's process: that took longer than a delivery. */
    if ((r = algorithms_prepare(e)) < 0 || (r = prepare_signals(&waiting, e)) < 0)
        goto out;
    manager_tell("READY=1");
    log_info("started");
    while (!stopping) {
        int full = c.count >= s->lmtp_connections;

        /* When full, those who connect wait in the kernel's queue until a session ends. */
        if (full)
            ppoll(NULL, 0, NULL, &waiting);
        else if ((r = wait_ready(fd, POLLIN, -1, &waiting)) > 0)
            accept_one(s, fd, &c, &waiting);
        else if (r < 0) {
            r = err_errno(e, "poll");
            break;
        }
        reap(&c);
    }
    log_info("stopping");
    if (path) /* while it is still ours */
        unlink(path);
    close(fd);
    fd = -1;
    stop_children(&c, &waiting);
    r = r < 0 ? r : 0;
out:
    if (fd >= 0)
        close(fd);
    free(c.pids);
    return r;
}
