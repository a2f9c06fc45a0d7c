#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "common/conf-socket.h"
#include "common/frame.h"
#include "common/log.h"
#include "stream.h"

enum { READ_AT_ONCE = 64 << 10, NAME_SIZE = 32 };

struct link_call {
    char name[NAME_SIZE];
    link_answer *answer; /* NULL: cancelled */
    void *arg;
    time_t until;
    STAILQ_ENTRY(link_call) next;
};

STAILQ_HEAD(calls, link_call);

struct link {
    struct event_base *base;
    struct conf_address address;
    struct stream stream;
    struct event *timer;
    struct calls calls; /* in the order in which they were sent, which is that of the answers */
    size_t count;
    unsigned char chunk[READ_AT_ONCE];
};

static time_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ts.tv_sec;
}

static struct link_call *take_first(struct link *l)
{
    struct link_call *c = STAILQ_FIRST(&l->calls);

    if (c) {
        STAILQ_REMOVE_HEAD(&l->calls, next);
        l->count--;
    }
    return c;
}

static void answer(struct link_call *c, struct json_object *reply, int code, const struct err *e)
{
    if (c->answer)
        c->answer(c->arg, reply, code, e);
    free(c);
}

/* Ends the connection: of what was sent over it nobody knows any more which answer would be whose. */
static void lose(struct link *l, const char *why)
{
    struct calls lost = STAILQ_HEAD_INITIALIZER(lost);
    struct link_call *c;
    struct err e;

    if (l->count)
        log_error("recryptd: %s", why);
    err_set(&e, ERR_RETRY, "recryptd: %s", why);
    stream_close(&l->stream);
    evtimer_del(l->timer);
    STAILQ_CONCAT(&lost, &l->calls);
    l->count = 0;
    while ((c = STAILQ_FIRST(&lost))) {
        STAILQ_REMOVE_HEAD(&lost, next);
        answer(c, NULL, ERR_RETRY, &e);
    }
}

static void set_timer(struct link *l)
{
    struct link_call *c = STAILQ_FIRST(&l->calls);
    struct timeval left = {0, 0};

    evtimer_del(l->timer);
    if (!c)
        return;
    left.tv_sec = c->until > now() ? c->until - now() : 0;
    evtimer_add(l->timer, &left);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    struct link_call *c = STAILQ_FIRST(&l->calls);

    (void)fd;
    (void)what;
    if (l->stream.failed)
        lose(l, l->stream.error);
    else if (c && c->until <= now())
        lose(l, "no answer in time");
    else
        set_timer(l);
}

/* ---- answers ---- */

/* The first answer of what was read: 1 = there was one, 0 = more is needed, negative = not one. */
static int take_answer(struct link *l)
{
    struct json_object *outer, *reply = NULL;
    struct buf *in = &l->stream.in;
    struct link_call *c;
    struct err e = {0};
    size_t used;
    int r = frame_take(in->data, in->len, FRAME_REPLY_MAX, &outer, &used, &e);

    if (r <= 0) {
        if (r < 0)
            lose(l, e.text);
        return r;
    }
    stream_used(&l->stream, used);
    if (!(c = take_first(l))) {
        json_object_put(outer);
        lose(l, "an answer that nothing was asked for");
        return ERR_RETRY;
    }
    set_timer(l);
    r = frame_unwrap(outer, c->name, &reply, &e);
    answer(c, reply, r, &e);
    json_object_put(reply);
    json_object_put(outer);
    return 1;
}

static void read_answers(struct link *l)
{
    ssize_t n = stream_read(&l->stream, l->chunk, sizeof l->chunk);
    int r = 1;

    if (n > 0 && buf_append(&l->stream.in, l->chunk, (size_t)n) < 0) {
        lose(l, "an answer that is too long");
        return;
    }
    secret_wipe(l->chunk, n > 0 ? (size_t)n : 0);
    while (r == 1 && l->stream.in.len)
        r = take_answer(l);
    if (r >= 0 && (l->stream.eof || l->stream.failed))
        lose(l, l->stream.failed ? l->stream.error : "it closed the connection");
}

static void on_event(void *arg, struct stream *st, enum stream_event what)
{
    struct link *l = arg;

    if (what == STREAM_CONNECTED) {
        stream_read_on(st, 1);
    } else if (what == STREAM_READABLE) {
        read_answers(l);
    } else if (what == STREAM_FAILED) {
        lose(l, st->error);
    }
}

/* ---- calls ---- */

int link_new(struct event_base *base, const char *address, struct link **out, struct err *e)
{
    struct link *l = calloc(1, sizeof *l);
    size_t count;
    int r;

    *out = NULL;
    if (!l)
        return err_set(e, ERR_SYSTEM, "out of memory");
    l->base = base;
    l->stream.fd = -1;
    STAILQ_INIT(&l->calls);
    if ((r = conf_resolve(address, &l->address, 1, &count, NULL, e)) == 0 &&
        !(l->timer = evtimer_new(base, on_timer, l)))
        r = err_set(e, ERR_SYSTEM, "no timer");
    if (r < 0) {
        free(l);
        return r;
    }
    *out = l;
    return 0;
}

int link_call(struct link *l, const char *name, struct json_object *body, int64_t seconds, link_answer *wants,
              void *arg, struct link_call **out, struct err *e)
{
    struct buf frame = BUF_INIT;
    struct link_call *c;
    int r;

    *out = NULL;
    if (l->count >= LINK_CALLS_MAX)
        return err_set(e, ERR_RETRY, "recryptd: too many questions wait");
    if ((r = frame_put_request(name, body, &frame, e)) < 0)
        return r;
    if (!(c = calloc(1, sizeof *c))) {
        r = err_set(e, ERR_SYSTEM, "out of memory");
        goto out;
    }
    if (l->stream.fd < 0 && (r = stream_connect(&l->stream, l->base, (const struct sockaddr *)&l->address.sa,
                                                l->address.len, on_event, l, e)) < 0) {
        err_prefix(e, "recryptd");
        free(c);
        goto out;
    }
    l->stream.in.max = FRAME_REPLY_MAX + 2 * READ_AT_ONCE;
    snprintf(c->name, sizeof c->name, "%s", name);
    c->answer = wants;
    c->arg = arg;
    c->until = now() + (time_t)seconds + 1;
    STAILQ_INSERT_TAIL(&l->calls, c, next);
    l->count++;
    set_timer(l);
    stream_write(&l->stream, frame.data, frame.len);
    if (l->stream.failed) /* is answered from the event loop */
        event_active(l->timer, EV_TIMEOUT, 0);
    *out = c;
    r = 0;
out:
    buf_free(&frame);
    return r;
}

void link_cancel(struct link_call **c)
{
    if (*c)
        (*c)->answer = NULL;
    *c = NULL;
}

void link_free(struct link **lp)
{
    struct link *l = *lp;
    struct link_call *c;

    if (!l)
        return;
    while ((c = take_first(l)))
        free(c);
    stream_close(&l->stream);
    event_free(l->timer);
    free(l);
    *lp = NULL;
}
