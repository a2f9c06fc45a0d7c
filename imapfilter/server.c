#include "server.h"

#include <event2/event.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/manager.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "session.h"

enum { OTHER_FILES = 64, SIGNALS = 3 };

struct server;
struct front {
    struct server *server;
    struct listener *listener;
    int tls;
};

struct server {
    struct filter filter;
    struct front fronts[2 * SETTINGS_LISTEN_MAX];
    struct event *signals[SIGNALS];
    const char *config;
    int stop;
};

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
        if (l->fd[i] >= 0)
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

static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_len)
{
    struct front *f = arg;

    session_new(&f->server->filter, fd, from, from_len, f->tls);
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

static int start_events(struct server *sv, struct listeners *l, struct err *e)
{
    static const struct listener_use use = {"listen", NULL, take};
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    int r = 0;

    for (int i = 0; i < SIGNALS; i++) {
        sv->signals[i] = evsignal_new(sv->filter.base, numbers[i], on_signal, sv);
        if (!sv->signals[i] || event_add(sv->signals[i], NULL) < 0)
            return err_set(e, ERR_SYSTEM, "cannot catch signals");
    }
    for (size_t i = 0; i < l->count && r == 0; i++) {
        struct front *f = &sv->fronts[i];

        f->server = sv;
        f->tls = l->tls[i];
        r = listener_new(sv->filter.base, l->fd[i], &use, f, &f->listener, e);
        l->fd[i] = -1;
    }
    return r;
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

    for (size_t i = 0; i < l->count; i++)
        listener_free(&sv->fronts[i].listener);
    server_unlisten(l);
    for (s = LIST_FIRST(&f->sessions); s; s = next) {
        next = LIST_NEXT(s, link);
        session_end(s, "[UNAVAILABLE] The server is stopping");
        session_free(s);
    }
    for (int i = 0; i < SIGNALS; i++)
        if (sv->signals[i])
            event_free(sv->signals[i]);
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
        manager_tell("READY=1");
        log_info("serving");
        if (event_base_dispatch(sv->filter.base) < 0 && !sv->stop)
            r = err_set(e, ERR_SYSTEM, "the event loop failed");
        manager_tell("STOPPING=1");
        if (r == 0)
            log_info("stopped");
    }
    shut(sv, l);
    return r;
}
