#include "server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "session.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

enum { ACCEPT_BATCH = 32, OTHER_FILES = 64, SIGNALS = 3 };

struct server;
struct listener {
    struct server *server;
    struct event *event;
    int tls;
};

struct server {
    struct filter filter;
    struct listener listeners[2 * SETTINGS_LISTEN_MAX];
    size_t listener_count;
    struct event *signals[SIGNALS], *pause;
    const char *config;
    int stop;
};

static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#else
    (void)state;
#endif
}

/* ---- start ---- */

static int listen_on(char *const *addresses, size_t n, int tls, struct listeners *out, struct err *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        int fd;

        if ((r = conf_listen(addresses[i], 0666, &fd, e)) < 0) {
            err_prefix(e, tls ? "listen_tls" : "listen");
            break;
        }
        out->tls[out->count] = tls;
        out->fd[out->count++] = fd;
        if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
            r = err_errno(e, "listen");
    }
    return r;
}

int server_listen(const struct settings *s, struct listeners *out, struct err *e)
{
    int r;

    out->count = 0;
    if ((r = listen_on(s->listen, s->listen_count, 0, out, e)) < 0 ||
        (r = listen_on(s->listen_tls, s->listen_tls_count, 1, out, e)) < 0)
        server_unlisten(out);
    return r;
}

void server_unlisten(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        close(l->fd[i]);
    l->count = 0;
}

void server_raise_limit(struct settings *s)
{
    unsigned long have = program_descriptors(2 * (unsigned long)s->max_connections + OTHER_FILES);
    unsigned long can = have > OTHER_FILES ? (have - OTHER_FILES) / 2 : 1;

    if (can < (unsigned long)s->max_connections) {
        log_warn("max_connections: %ld, since only %lu files can be open", (long)can, have);
        s->max_connections = (long)can;
    }
}

/* ---- events ---- */

static void accepting(struct server *sv, int on)
{
    for (size_t i = 0; i < sv->listener_count; i++) {
        if (on)
            event_add(sv->listeners[i].event, NULL);
        else
            event_del(sv->listeners[i].event);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    accepting(arg, 1);
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
    static const struct timeval second = {1, 0};
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd;

        memset(&peer, 0, sizeof peer);
        fd = accept4(listening, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            session_new(&l->server->filter, fd, (const struct sockaddr *)&peer, len, l->tls);
            continue;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        /* Out of files or memory: whoever comes waits in the kernel's queue. */
        log_error("accept: %s", strerror(errno));
        accepting(l->server, 0);
        evtimer_add(l->server->pause, &second);
        return;
    }
}

static void reload(struct server *sv)
{
    struct settings *fresh, *old = sv->filter.settings;
    const char *fixed;
    struct err e;

    if (settings_load(sv->config, old, &fresh, &e) < 0) {
        log_error("reload: %s; the former configuration stays in force", e.text);
        return;
    }
    if ((fixed = settings_fixed(old, fresh)))
        log_warn("reload: %s changed: takes a restart", fixed);
    fresh->max_connections = old->max_connections;
    sv->filter.settings = fresh;
    settings_release(&old);
    log_info("configuration reloaded");
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct server *sv = arg;

    (void)what;
    if (number == SIGHUP) {
        reload(sv);
        return;
    }
    sv->stop = 1;
    event_base_loopbreak(sv->filter.base);
}

/* ---- run ---- */

static int start_events(struct server *sv, const struct listeners *l, struct err *e)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    for (int i = 0; i < SIGNALS; i++) {
        sv->signals[i] = evsignal_new(sv->filter.base, numbers[i], on_signal, sv);
        if (!sv->signals[i] || event_add(sv->signals[i], NULL) < 0)
            return err_set(e, ERR_SYSTEM, "cannot catch signals");
    }
    sv->pause = evtimer_new(sv->filter.base, on_pause_over, sv);
    if (!sv->pause)
        return err_set(e, ERR_SYSTEM, "no timer");
    for (size_t i = 0; i < l->count; i++) {
        struct listener *one = &sv->listeners[sv->listener_count];

        one->server = sv;
        one->tls = l->tls[i];
        one->event = event_new(sv->filter.base, l->fd[i], EV_READ | EV_PERSIST, on_accept, one);
        if (!one->event)
            return err_set(e, ERR_SYSTEM, "no event");
        sv->listener_count++;
        if (event_add(one->event, NULL) < 0)
            return err_set(e, ERR_SYSTEM, "no event");
    }
    return 0;
}

static int open_filter(struct filter *f, struct err *e)
{
    int r;

    LIST_INIT(&f->sessions);
    if (!(f->base = event_base_new()) || !(f->peers = peers_new()) ||
        RAND_bytes((unsigned char *)&f->tag_mark, sizeof f->tag_mark) != 1)
        return err_set(e, ERR_SYSTEM, "cannot start: out of memory");
    return (r = link_new(f->base, f->settings->recryptd, &f->recryptd, e)) < 0 ? err_prefix(e, "recryptd") : r;
}

static void shut(struct server *sv, struct listeners *l)
{
    struct filter *f = &sv->filter;
    struct session *s, *next;

    for (size_t i = 0; i < sv->listener_count; i++)
        event_free(sv->listeners[i].event);
    server_unlisten(l);
    for (s = LIST_FIRST(&f->sessions); s; s = next) {
        next = LIST_NEXT(s, link);
        session_end(s, "[UNAVAILABLE] The server is stopping");
        session_free(s);
    }
    for (int i = 0; i < SIGNALS; i++)
        if (sv->signals[i])
            event_free(sv->signals[i]);
    if (sv->pause)
        event_free(sv->pause);
    link_free(&f->recryptd);
    peers_free(&f->peers);
    if (f->base)
        event_base_free(f->base);
    settings_release(&f->settings);
    free(sv);
}

int server_run(struct settings *settings, const char *config, struct listeners *l, struct err *e)
{
    struct server *sv = calloc(1, sizeof *sv);
    int r;

    if (!sv) {
        settings_release(&settings);
        server_unlisten(l);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    signal(SIGPIPE, SIG_IGN);
    sv->config = config;
    sv->filter.settings = settings;
    r = open_filter(&sv->filter, e);
    r = r ? r : start_events(sv, l, e);
    if (r == 0 && settings->sandbox)
        r = sandbox_imapfilter(e);
    if (r == 0) {
        tell_manager("READY=1");
        log_info("serving");
        if (event_base_dispatch(sv->filter.base) < 0 && !sv->stop)
            r = err_set(e, ERR_SYSTEM, "the event loop failed");
        tell_manager("STOPPING=1");
        if (r == 0)
            log_info("stopped");
    }
    shut(sv, l);
    return r;
}
