#include "server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/algorithms.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/manager.h"
#include "common/sandbox.h"
#include "descriptors.h"
#include "local.h"
#include "service.h"
#include "web.h"

enum { SCRUB_SECONDS = 5 };

struct server {
    struct service service;
    struct settings *settings;
    const char *config_path;
    struct keystore *ks;
    struct event_base *base;
    struct event *signals[3], *watchdog, *scrub;
    struct local *local;
    struct web *web;
    int local_fd, web_fd, stop;
    char *local_path; /* of the socket that was made: a reload may name another */
};

/* ---- start ---- */

static int bind_fronts(struct server *sv, struct err *e)
{
    const struct settings *s = sv->settings;
    char *web = NULL;
    int rc;

    sv->local_path = strdup(s->listen_local + (!strncmp(s->listen_local, "unix:", 5) ? 5 : 0));
    rc = sv->local_path ? conf_listen(s->listen_local, s->listen_local_mode, &sv->local_fd, e)
                        : err_errno(e, "out of memory");
    if (rc)
        return err_prefix(e, "listen_local");
    if (!*s->listen_web)
        return 0;
    if (asprintf(&web, "inet:%s", s->listen_web) < 0)
        return err_errno(e, "listen_web");
    rc = conf_listen(web, 0, &sv->web_fd, e);
    free(web);
    return rc ? err_prefix(e, "listen_web") : 0;
}

static int make_state_directory(const struct settings *s, struct err *e)
{
    if (mkdir(s->state_directory, 0700)) {
        if (errno != EEXIST)
            return err_errno(e, "state_directory %s", s->state_directory);
        return 0;
    }
    if (s->has_user && geteuid() == 0 && chown(s->state_directory, s->uid, s->gid))
        return err_errno(e, "state_directory %s", s->state_directory);
    return 0;
}

static int open_service(struct server *sv, struct err *e)
{
    struct service *s = &sv->service;
    int rc = server_open_store(sv->settings, 1, 0, &s->keys, &sv->ks, &s->records, e);

    s->settings = sv->settings;
    rc = rc ? rc : audit_open(sv->settings->access_log, &s->audit, e);
    rc = rc ? rc : cache_new(sv->settings->cache_entries, sv->settings->inline_max, &s->cache, e);
    rc = rc ? rc : hot_new(sv->settings->cache_entries, &s->hot, e);
    rc = rc ? rc : nonces_new(NONCES_KEPT, &s->nonces, e);
    rc = rc ? rc : auth_new(&s->auth, e);
    rc = rc ? rc : claims_new(&s->claims, e);
    rc = rc ? rc : quota_new(&s->quota, e);
    rc = rc ? rc : quota_new(&s->intake, e);
    return rc ? rc : grants_new(&s->grants, e);
}

static int open_fronts(struct server *sv, struct err *e)
{
    int rc;

    sv->base = event_base_new();
    if (!sv->base)
        return err_set(e, ERR_SYSTEM, "no event loop");
    rc = local_new(&sv->service, sv->base, sv->local_fd, &sv->local, e);
    sv->local_fd = -1;
    if (rc || sv->web_fd < 0)
        return rc;
    rc = web_new(&sv->service, sv->base, sv->web_fd, &sv->web, e);
    sv->web_fd = -1;
    return rc;
}

/* ---- signals ---- */

static void reload(struct server *sv)
{
    struct settings *fresh = NULL;
    struct err e;
    const char *fixed;

    manager_tell("RELOADING=1");
    if (settings_load(sv->config_path, sv->settings, &fresh, &e)) {
        log_error("reload: %s; the former configuration stays in force", e.text);
        goto out;
    }
    if (descriptors_fit(fresh, &e) || (sv->web && web_reload(sv->web, sv->settings, fresh, &e))) {
        log_error("reload: %s; the former configuration stays in force", e.text);
        settings_free(&fresh);
        goto out;
    }
    fixed = settings_fixed(sv->settings, fresh);
    if (fixed)
        log_warn("reload: %s changed: takes a restart", fixed);
    cache_resize(sv->service.cache, fresh->cache_entries, fresh->inline_max);
    hot_resize(sv->service.hot, fresh->cache_entries);
    settings_free(&sv->settings);
    sv->settings = fresh;
    sv->service.settings = fresh;
    log_info("configuration reloaded");
out:
    if (audit_reopen(sv->service.audit, sv->settings->access_log, &e))
        log_error("reload: %s; the former log stays in use", e.text);
    manager_tell("READY=1");
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct server *sv = arg;

    (void)what;
    if (number == SIGHUP)
        reload(sv);
    else
        sv->stop = 1;
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    manager_tell("WATCHDOG=1");
}

/* What was deleted or replaced is wiped from the files a little later, so that several changes cost one pass. */
static void on_scrub(evutil_socket_t fd, short what, void *arg)
{
    struct server *sv = arg;
    struct err e;

    (void)fd;
    (void)what;
    if (keystore_needs_scrub(sv->ks) && keystore_scrub(sv->ks, &e))
        log_error("scrub: %s", e.text);
}

static int start_watchdog(struct server *sv)
{
    const int64_t usec = manager_watchdog();
    const struct timeval every = {(time_t)(usec / 2000000), (suseconds_t)(usec / 2 % 1000000)};

    if (!usec)
        return 0;
    sv->watchdog = event_new(sv->base, -1, EV_PERSIST, on_watchdog, sv);
    return sv->watchdog && !event_add(sv->watchdog, &every) ? 0 : -1;
}

static int start_events(struct server *sv, struct err *e)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 3; i++) {
        sv->signals[i] = evsignal_new(sv->base, numbers[i], on_signal, sv);
        if (!sv->signals[i] || event_add(sv->signals[i], NULL))
            return err_set(e, ERR_SYSTEM, "cannot catch signals");
    }
    sv->scrub = evtimer_new(sv->base, on_scrub, sv);
    if (!sv->scrub)
        return err_set(e, ERR_SYSTEM, "no timer");
    return start_watchdog(sv) ? err_set(e, ERR_SYSTEM, "no watchdog timer") : 0;
}

/* ---- run and stop ---- */

static int loop(struct server *sv, struct err *e)
{
    static const struct timeval later = {SCRUB_SECONDS, 0};

    while (!sv->stop) {
        if (keystore_needs_scrub(sv->ks) && !evtimer_pending(sv->scrub, NULL) && evtimer_add(sv->scrub, &later))
            log_error("scrub: no timer");
        if (event_base_loop(sv->base, EVLOOP_ONCE) < 0)
            return err_set(e, ERR_SYSTEM, "the event loop failed");
        if (keystore_broken(sv->ks))
            return err_set(e, ERR_SYSTEM, "the keystore failed: a restart runs its recovery");
    }
    return 0;
}

static void shut(struct server *sv)
{
    struct service *s = &sv->service;

    local_free(&sv->local);
    web_free(&sv->web);
    for (int i = 0; i < 3; i++)
        if (sv->signals[i])
            event_free(sv->signals[i]);
    if (sv->watchdog)
        event_free(sv->watchdog);
    if (sv->scrub)
        event_free(sv->scrub);
    if (sv->base)
        event_base_free(sv->base);
    claims_free(&s->claims);
    grants_free(&s->grants);
    quota_free(&s->quota);
    quota_free(&s->intake);
    auth_free(&s->auth);
    nonces_free(&s->nonces);
    cache_free(&s->cache);
    hot_free(&s->hot);
    audit_close(&s->audit);
    server_close_store(&s->keys, &sv->ks, &s->records);
    if (sv->local_fd >= 0)
        close(sv->local_fd);
    if (sv->web_fd >= 0)
        close(sv->web_fd);
    free(sv->local_path);
}

int server_run(struct settings *settings, const char *config_path, void (*ready)(void *arg), void *arg, struct err *e)
{
    struct server sv = {.settings = settings, .config_path = config_path, .local_fd = -1, .web_fd = -1};
    int rc;

    umask(077);
    descriptors_raise(settings);
    rc = settings_user_named(settings, e);
    rc = rc ? rc : descriptors_fit(settings, e);
    rc = rc ? rc : bind_fronts(&sv, e);
    rc = rc ? rc : make_state_directory(settings, e);
    if (!rc && settings->has_user)
        rc = conf_drop_privileges(settings->uid, settings->gid, e);
    rc = rc ? rc : algorithms_prepare(e);
    rc = rc ? rc : open_service(&sv, e);
    rc = rc ? rc : open_fronts(&sv, e);
    rc = rc ? rc : start_events(&sv, e);
    if (!rc && settings->sandbox)
        rc = sandbox_recryptd(e);
    if (!rc) {
        ready(arg);
        manager_tell("READY=1");
        log_info("serving %s%s%s", settings->listen_local, *settings->listen_web ? " and " : "", settings->listen_web);
        rc = loop(&sv, e);
        manager_tell("STOPPING=1");
        on_scrub(-1, 0, &sv);
        if (!rc)
            log_info("stopped");
        unlink(sv.local_path);
    }
    shut(&sv);
    settings_free(&sv.settings);
    return rc;
}
