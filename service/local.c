#include "local.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/sjson.h"

/* A client that does not take its reply for so long is gone. An idle one may stay: a milter keeps its connection. */
enum { WRITE_SECONDS = 60, PARTIAL_SECONDS = 30 };
/* Whoever has no role gets little: the socket is open to every user of the host. */
enum { NOBODIES_MAX = 32, USER_MAX = 8, NOBODY_SECONDS = 10 };

struct client {
    struct local *local;
    struct bufferevent *bev;
    struct caller caller;
    int nobody; /* had no role when it came */
    LIST_ENTRY(client) link;
};

struct local {
    struct service *service;
    struct event_base *base;
    struct listener *listener;
    unsigned count, nobodies;
    uint64_t connections; /* so many there have been */
    LIST_HEAD(, client) clients;
};

static void drop(struct client *c)
{
    struct local *l = c->local;

    LIST_REMOVE(c, link);
    claims_drop(l->service->claims, c->caller.connection);
    l->nobodies -= (unsigned)c->nobody;
    bufferevent_free(c->bev);
    free(c);
    l->count--;
    listener_watch(l->listener);
}

/* Roles are looked up for each request: a reload may have changed them. */
static void set_roles(struct client *c)
{
    const struct settings *s = c->local->service->settings;
    uid_t uid = c->caller.uid;
    int all = uid == 0 || uid == geteuid();

    c->caller.milter = all || uids_have(&s->milter, uid);
    c->caller.delivery = all || uids_have(&s->delivery, uid);
    if (c->caller.milter || c->caller.delivery || !settings_user_address(s, uid, c->caller.own))
        *c->caller.own = 0;
}

/* How long a reply gets is in the hands of whoever made the statements in it. To end the connection would end what
 * others asked for over it. */
static int put_too_long(struct json_object *reply, struct buf *frame, struct err *e)
{
    struct json_object_iterator first = json_object_iter_begin(reply);
    struct json_object *outer = json_object_new_object(), *inner = json_object_new_object();
    int rc = ERR_SYSTEM;

    if (outer && inner && !sjson_set_int(inner, "Status", 503) &&
        !sjson_set_string(inner, "StatusDescription", "the reply is too long: ask for less") &&
        !sjson_set_object(outer, json_object_iter_peek_name(&first), json_object_get(inner)))
        rc = frame_put(outer, FRAME_REPLY_MAX, frame, e);
    json_object_put(inner);
    json_object_put(outer);
    return rc;
}

static int answer(struct client *c, struct json_object *request)
{
    struct json_object *reply = NULL;
    struct buf frame = BUF_INIT;
    struct err e;
    int rc;

    set_roles(c);
    if (service_local(c->local->service, request, &c->caller, &reply))
        return -1;
    rc = frame_put(reply, FRAME_REPLY_MAX, &frame, &e);
    if (rc == ERR_LIMIT)
        rc = put_too_long(reply, &frame, &e);
    if (rc)
        log_error("reply to uid %lu: %s", (unsigned long)c->caller.uid, e.text);
    else
        rc = bufferevent_write(c->bev, frame.data, frame.len);
    json_object_put(reply);
    buf_free(&frame);
    return rc;
}

/* One frame at a time; the next is only looked at when the reply has gone out, so that neither buffer grows past one.
 */
static void serve(struct client *c)
{
    static const struct timeval partial = {PARTIAL_SECONDS, 0}, writing = {WRITE_SECONDS, 0},
                                brief = {NOBODY_SECONDS, 0};
    struct evbuffer *in = bufferevent_get_input(c->bev);

    while (!evbuffer_get_length(bufferevent_get_output(c->bev))) {
        size_t len = evbuffer_get_length(in), used = 0;
        struct json_object *request = NULL;
        struct err e = {0};
        int rc;

        rc = len ? frame_take(evbuffer_pullup(in, -1), len, FRAME_REQUEST_MAX, &request, &used, &e) : 0;
        bufferevent_set_timeouts(c->bev, c->nobody ? &brief : len && !rc ? &partial : NULL, &writing);
        if (rc < 0)
            log_warn("uid %lu, pid %ld: %s; connection closed", (unsigned long)c->caller.uid, (long)c->caller.pid,
                     e.text);
        if (!rc)
            return;
        if (rc > 0) {
            evbuffer_drain(in, used);
            rc = answer(c, request);
            json_object_put(request);
        }
        if (rc < 0) {
            drop(c);
            return;
        }
    }
}

static void on_data(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve(arg);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    drop(arg);
}

/* Too many who have no role? Users who may ask about themselves are counted each for herself: one must not keep the
 * others' mail waiting. */
static int crowded(const struct local *l, const struct client *c)
{
    const struct client *other;
    unsigned mine = 0;

    if (!c->nobody)
        return 0;
    if (!*c->caller.own)
        return l->nobodies >= NOBODIES_MAX;
    LIST_FOREACH(other, &l->clients, link)
    mine += other->nobody && other->caller.uid == c->caller.uid;
    return mine >= USER_MAX;
}

static int room(void *arg)
{
    const struct local *l = arg;

    return l->count < l->service->settings->max_clients;
}

static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_len)
{
    struct local *l = arg;
    struct client *c = calloc(1, sizeof *c);
    struct ucred peer;
    socklen_t len = sizeof peer;

    (void)from;
    (void)from_len;
    if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || len != sizeof peer)
        goto lost;
    c->local = l;
    c->caller.local = 1;
    c->caller.connection = ++l->connections;
    c->caller.uid = peer.uid;
    c->caller.pid = peer.pid;
    set_roles(c);
    c->nobody = !c->caller.milter && !c->caller.delivery;
    if (crowded(l, c)) {
        free(c);
        close(fd);
        return;
    }
    c->bev = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev)
        goto lost;
    LIST_INSERT_HEAD(&l->clients, c, link);
    l->count++;
    l->nobodies += (unsigned)c->nobody;
    /* Reading stops at one frame's worth. */
    bufferevent_setwatermark(c->bev, EV_READ, 0, FRAME_REQUEST_MAX + 4);
    serve(c); /* nothing is there yet: sets the timeouts */
    bufferevent_setcb(c->bev, on_data, on_data, on_end, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    return;
lost:
    log_error("a client could not be taken");
    free(c);
    close(fd);
}

int local_new(struct service *s, struct event_base *base, int fd, struct local **out, struct err *e)
{
    static const struct listener_use use = {"listen_local", room, take};
    struct local *l = calloc(1, sizeof *l);
    int rc;

    *out = NULL;
    if (!l) {
        close(fd);
        return err_errno(e, "listen_local");
    }
    l->service = s;
    l->base = base;
    LIST_INIT(&l->clients);
    rc = listener_new(base, fd, &use, l, &l->listener, e);
    if (rc)
        local_free(&l);
    *out = l;
    return rc;
}

void local_free(struct local **lp)
{
    struct local *l = *lp;

    if (!l)
        return;
    while (!LIST_EMPTY(&l->clients)) {
        struct client *c = LIST_FIRST(&l->clients);

        LIST_REMOVE(c, link);
        bufferevent_free(c->bev);
        free(c);
    }
    listener_free(&l->listener);
    free(l);
    *lp = NULL;
}
