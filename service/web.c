#include "web.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/listener.h"
#include "common/log.h"
#include "common/peers.h"
#include "common/sjson.h"

enum {
    OPEN_BODY_MAX = 64 << 10, /* a request without signature */
    BODIES = 4,               /* times max_body: octets of unfinished requests in all */
    LARGE_PER_ADDRESS = 1,    /* of which one network, as below, has this many */
    PER_ADDRESS = 32,         /* connections, unless a reverse proxy makes them all; of an IPv6 network (peers.h) */
    HEADER_MEMORY = 16 << 10,
    IDLE_SECONDS = 3600
};

struct web {
    struct service *service;
    struct event_base *base;
    struct MHD_Daemon *daemon;
    struct listener *listener;
    struct event *readable, *timer;
    struct peers *peers, *large; /* who has connections, and unfinished large requests */
    unsigned limit;   /* connections of this daemon */
    long per_address; /* 0 = no limit */
    size_t buffered;
};

/* One request on its way in. */
struct transfer {
    struct buf body;
    size_t charged; /* of web's buffered */
    int is_signed, too_large, overloaded, large;
};

static enum MHD_Result send_reply(struct web *w, struct MHD_Connection *c, unsigned http, struct buf *body)
{
    /* libmicrohttpd copies, since body is wiped by its owner. */
    struct MHD_Response *r = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    char nonce[NONCE_SIZE];
    enum MHD_Result result;

    if (!r)
        return MHD_NO;
    if (!nonces_issue(w->service->nonces, time(NULL), nonce, NULL))
        MHD_add_response_header(r, "Replay-Nonce", nonce);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (http == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "POST");
    result = MHD_queue_response(c, http, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result send_error(struct web *w, struct MHD_Connection *c, unsigned http, int status, const char *text)
{
    struct buf body = BUF_INIT;
    enum MHD_Result result;

    if (buf_printf(&body, "{\"ErrorResponse\":{\"Status\":%d,\"StatusDescription\":\"%s\"}}", status, text))
        return MHD_NO;
    result = send_reply(w, c, http, &body);
    buf_free(&body);
    return result;
}

/* The media type without its parameters. */
static int media_type(struct MHD_Connection *c, const char *want)
{
    const char *type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t len = strlen(want);

    return type && !strncasecmp(type, want, len) && (!type[len] || strchr("; \t", type[len]));
}

/* NULL when it is not known. */
static const struct sockaddr *address_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info ? info->client_addr : NULL;
}

static void address_text(struct MHD_Connection *c, char out[64])
{
    const struct sockaddr *sa = address_of(c);

    strcpy(out, "?");
    if (sa && sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, out, 64);
    else if (sa && sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, out, 64);
}

static enum MHD_Result begin(struct web *w, struct MHD_Connection *c, const char *url, const char *method, void **state)
{
    struct transfer *t;

    if (strcmp(url, WEB_PATH))
        return send_error(w, c, MHD_HTTP_NOT_FOUND, 404, "nothing here");
    if (strcmp(method, MHD_HTTP_METHOD_POST))
        return send_error(w, c, MHD_HTTP_METHOD_NOT_ALLOWED, 400, "POST only");
    t = calloc(1, sizeof *t);
    if (!t)
        return MHD_NO;
    t->is_signed = media_type(c, "application/jose+json");
    if (!t->is_signed && !media_type(c, "application/json")) {
        free(t);
        return send_error(w, c, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, 400,
                          "Content-Type is neither application/json nor application/jose+json");
    }
    t->body.max = t->is_signed ? w->service->settings->max_body : OPEN_BODY_MAX;
    *state = t;
    return MHD_YES;
}

/* What of a request counts as large. The rest is bounded by the number of connections. */
static size_t excess(size_t len)
{
    return len > OPEN_BODY_MAX ? len - OPEN_BODY_MAX : 0;
}

/* It becomes a large one: may it? */
static int admit(struct web *w, struct transfer *t, struct MHD_Connection *c)
{
    const struct sockaddr *sa = address_of(c);

    if (t->large || !w->per_address || !sa)
        return 1;
    if (peers_full(w->large, sa, LARGE_PER_ADDRESS))
        return 0;
    t->large = peers_add(w->large, sa, 0) > 0;
    return t->large;
}

static void collect(struct web *w, struct transfer *t, struct MHD_Connection *c, const char *data, size_t len)
{
    size_t more = excess(t->body.len + len) - excess(t->body.len);

    if (t->too_large || t->overloaded)
        return;
    if (more && (!admit(w, t, c) || w->buffered + more > BODIES * w->service->settings->max_body)) {
        t->overloaded = 1;
    } else if (buf_append(&t->body, data, len)) {
        t->too_large = 1;
    } else {
        w->buffered += more;
        t->charged += more;
    }
    if (t->too_large || t->overloaded)
        buf_free(&t->body);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **state)
{
    struct web *w = arg;
    struct transfer *t = *state;
    struct buf out = BUF_INIT;
    enum MHD_Result result;
    char address[64];
    unsigned http;

    (void)version;
    if (!t)
        return begin(w, c, url, method, state);
    if (*len) {
        collect(w, t, c, data, *len);
        *len = 0;
        return MHD_YES;
    }
    if (t->too_large)
        return send_error(w, c, MHD_HTTP_CONTENT_TOO_LARGE, 400, "the request is too large");
    if (t->overloaded)
        return send_error(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, 503, "try again later");
    address_text(c, address);
    http = service_web(w->service, t->is_signed, t->body.data, t->body.len, address, &out);
    result = out.len ? send_reply(w, c, http, &out) : MHD_NO;
    buf_free(&out);
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    struct web *w = arg;
    struct transfer *t = *state;

    (void)why;
    if (!t)
        return;
    if (t->large)
        peers_remove(w->large, address_of(c));
    w->buffered -= t->charged;
    buf_free(&t->body);
    free(t);
    *state = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what)
{
    struct web *w = arg;
    const struct sockaddr *sa = address_of(c);

    (void)state;
    if (sa && what == MHD_CONNECTION_NOTIFY_STARTED)
        (void)peers_add(w->peers, sa, 0); /* not counted: out of memory */
    else if (sa && what == MHD_CONNECTION_NOTIFY_CLOSED)
        peers_remove(w->peers, sa);
}

static void on_log(void *arg, const char *fmt, va_list ap)
{
    char text[512];

    (void)arg;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("web: %s", text);
}

/* Runs what is due and asks to be called when the next thing is. */
static void run(struct web *w)
{
    struct timeval wait = {IDLE_SECONDS, 0};
    MHD_UNSIGNED_LONG_LONG ms;

    MHD_run(w->daemon);
    if (MHD_get_timeout(w->daemon, &ms) == MHD_YES && ms < IDLE_SECONDS * 1000ull) {
        wait.tv_sec = (time_t)(ms / 1000);
        wait.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    }
    evtimer_add(w->timer, &wait);
    if (w->listener)
        listener_watch(w->listener);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run(arg);
}

/* Connections are given to it: out of descriptors, a daemon that accepts for itself may stop for good. */
static struct MHD_Daemon *start(struct web *w, const struct settings *s)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls.certificate_pem.data},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls.key_pem.data},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    int secure = s->tls.certificate_pem.len > 0;

    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG | (secure ? MHD_USE_TLS : 0),
                            0, NULL, NULL, on_request, w, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                            w, MHD_OPTION_CONNECTION_LIMIT, s->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)s->timeout, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
                            MHD_OPTION_ARRAY, secure ? tls : tls + 3, MHD_OPTION_END);
}

static int room(void *arg)
{
    const struct web *w = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info && info->num_connections < w->limit;
}

/* Whoever has too many already gets no more; libmicrohttpd itself would count each address of a network for itself. */
static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_len)
{
    struct web *w = arg;

    if (peers_full(w->peers, from, w->per_address))
        close(fd);
    else
        MHD_add_connection(w->daemon, fd, from, from_len); /* closes what it does not take */
    run(w);
}

/* Hangs the daemon's own descriptor into the event loop. */
static int attach(struct web *w, const struct settings *s, struct err *e)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    w->readable = info ? event_new(w->base, info->epoll_fd, EV_READ | EV_PERSIST, on_event, w) : NULL;
    if (!w->readable || event_add(w->readable, NULL))
        return err_set(e, ERR_SYSTEM, "listen_web: no event");
    w->limit = s->max_connections;
    w->per_address = s->tls.certificate_pem.len ? PER_ADDRESS : 0;
    run(w);
    return 0;
}

static void detach(struct web *w)
{
    if (w->readable)
        event_free(w->readable);
    w->readable = NULL;
    if (w->daemon)
        MHD_stop_daemon(w->daemon);
    w->daemon = NULL;
}

int web_new(struct service *s, struct event_base *base, int fd, struct web **out, struct err *e)
{
    static const struct listener_use use = {"listen_web", room, take};
    struct web *w = calloc(1, sizeof *w);
    int rc;

    *out = NULL;
    if (!w) {
        close(fd);
        return err_errno(e, "listen_web");
    }
    w->service = s;
    w->base = base;
    w->timer = evtimer_new(base, on_event, w);
    w->peers = peers_new();
    w->large = peers_new();
    w->daemon = w->peers && w->large ? start(w, s->settings) : NULL;
    rc = listener_new(base, fd, &use, w, &w->listener, e);
    if (!rc && (!w->timer || !w->daemon))
        rc = err_set(e, ERR_USAGE, "listen_web: the web server does not start%s",
                     s->settings->tls.certificate_pem.len ? " (certificate and key?)" : "");
    rc = rc ? rc : attach(w, s->settings, e);
    if (rc)
        web_free(&w);
    *out = w;
    return rc;
}

static int same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && !memcmp(buf_str(a), buf_str(b), a->len);
}

int web_reload(struct web *w, const struct settings *old, const struct settings *now, struct err *e)
{
    struct MHD_Daemon *fresh;

    if (same(&old->tls.certificate_pem, &now->tls.certificate_pem) && same(&old->tls.key_pem, &now->tls.key_pem))
        return 0;
    fresh = start(w, now);
    if (!fresh)
        return err_set(e, ERR_USAGE, "tls_certificate, tls_key: the web server does not start with them");
    detach(w);
    w->daemon = fresh;
    return attach(w, now, e);
}

void web_free(struct web **wp)
{
    struct web *w = *wp;

    if (!w)
        return;
    listener_free(&w->listener);
    detach(w);
    peers_free(&w->peers);
    peers_free(&w->large);
    if (w->timer)
        event_free(w->timer);
    free(w);
    *wp = NULL;
}
