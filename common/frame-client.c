#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "frame.h"
#include "sjson.h"

struct frame_client {
    char *address;
    int timeout_ms;
    int fd; /* -1 = not connected; between two calls nothing is under way on it */
};

/* What one exchange came to, beside the err_codes: the peer closed before the first octet of an answer. */
enum { CLOSED = 1 };

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int frame_client_new(const char *address, int timeout_ms, struct frame_client **out, struct err *e)
{
    struct frame_client *c;

    *out = NULL;
    if (!address || timeout_ms <= 0)
        return err_set(e, ERR_USAGE, "recryptd: no address or no time limit");
    if (!(c = calloc(1, sizeof *c)) || !(c->address = strdup(address))) {
        free(c);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    c->timeout_ms = timeout_ms;
    c->fd = -1;
    *out = c;
    return 0;
}

static void disconnect(struct frame_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void frame_client_free(struct frame_client **c)
{
    if (!*c)
        return;
    disconnect(*c);
    free((*c)->address);
    free(*c);
    *c = NULL;
}

/* 1 = ready, 0 = the deadline came first, -1 and errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = {fd, events, 0};
    int64_t left;
    int n;

    do {
        left = deadline - now_ms();
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

static int late(const struct frame_client *c, struct err *e)
{
    return err_set(e, ERR_RETRY, "recryptd at %s: no answer in %d ms", c->address, c->timeout_ms);
}

/* Between calls nothing may arrive: an end of file means that the service went away, octets that it is confused. */
static int still_idle(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLRDHUP, 0};

    return poll(&p, 1, 0) == 0;
}

static int send_all(struct frame_client *c, const struct buf *b, int64_t deadline, struct err *e)
{
    size_t done = 0;
    ssize_t n;
    int ready;

    while (done < b->len) {
        n = send(c->fd, b->data + done, b->len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if ((ready = wait_for(c->fd, POLLOUT, deadline)) == 0)
                return late(c, e);
            if (ready < 0)
                return err_errno(e, "poll");
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return CLOSED;
        } else if (errno != EINTR) {
            err_errno(e, "recryptd at %s", c->address);
            return ERR_RETRY;
        }
    }
    return 0;
}

/* Reads into in until it holds one whole frame and nothing else. */
static int receive(struct frame_client *c, int64_t deadline, struct buf *in, struct json_object **out, struct err *e)
{
    size_t used;
    ssize_t n;
    int r, ready;

    for (;;) {
        if ((r = frame_take(in->data, in->len, FRAME_REPLY_MAX, out, &used, e)) < 0)
            return err_prefix(e, "answer of recryptd at %s", c->address), ERR_RETRY;
        if (r == 1 && used == in->len)
            return 0;
        if (r == 1) {
            json_object_put(*out);
            *out = NULL;
            return err_set(e, ERR_RETRY, "recryptd at %s: more than one answer", c->address);
        }
        if ((ready = wait_for(c->fd, POLLIN, deadline)) == 0)
            return late(c, e);
        if (ready < 0)
            return err_errno(e, "poll");
        if (buf_reserve(in, 16384) < 0)
            return err_set(e, ERR_SYSTEM, "out of memory");
        n = recv(c->fd, in->data + in->len, 16384, MSG_DONTWAIT);
        if (n > 0)
            in->len += (size_t)n;
        else if (n == 0 || errno == ECONNRESET)
            return in->len == 0 ? CLOSED : err_set(e, ERR_RETRY, "recryptd at %s: answer cut short", c->address);
        else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return err_errno(e, "recryptd at %s", c->address), ERR_RETRY;
    }
}

/* One request and its answer. The second attempt is for one case only: a connection kept from an earlier call turns out
 * to be closed without an octet of an answer, as after a restart of the service. All requests are reads, so even one
 * that was carried out unseen may be repeated. */
static int exchange(struct frame_client *c, const struct buf *request, struct json_object **out, struct err *e)
{
    int64_t deadline = now_ms() + c->timeout_ms, left;
    struct buf in = BUF_INIT;
    int fresh, r;

    in.max = FRAME_REPLY_MAX + 32768;
    do {
        if (c->fd >= 0 && !still_idle(c->fd))
            disconnect(c);
        fresh = c->fd < 0;
        left = deadline - now_ms();
        if (left <= 0)
            r = late(c, e);
        else if (fresh && (r = conf_connect(c->address, (int)left, &c->fd, e)) < 0)
            err_prefix(e, "recryptd");
        else if ((r = send_all(c, request, deadline, e)) == 0)
            r = receive(c, deadline, &in, out, e);
        if (r != 0)
            disconnect(c);
    } while (r == CLOSED && !fresh);
    buf_free(&in);
    if (r == CLOSED)
        r = err_set(e, ERR_RETRY, "recryptd at %s closed the connection", c->address);
    return r;
}

int frame_status_error(int64_t status)
{
    switch (status) {
    case 400:
        return ERR_SYNTAX;
    case 401:
        return ERR_DENIED;
    case 404:
        return ERR_ABSENT;
    case 409:
        return ERR_EXISTS;
    default:
        return status >= 200 && status < 300 ? 0 : ERR_RETRY;
    }
}

int frame_put_request(const char *name, struct json_object *body, struct buf *out, struct err *e)
{
    struct json_object *outer = json_object_new_object();
    char member[80];
    int r;

    snprintf(member, sizeof member, "%sRequest", name);
    body = body ? json_object_get(body) : json_object_new_object();
    if (!outer)
        json_object_put(body);
    if (!outer || !body || sjson_set_object(outer, member, body) < 0)
        r = err_set(e, ERR_SYSTEM, "out of memory");
    else
        r = frame_put(outer, FRAME_REQUEST_MAX, out, e);
    json_object_put(outer);
    return r;
}

int frame_unwrap(struct json_object *outer, const char *name, struct json_object **reply, struct err *e)
{
    char member[80];
    struct json_object *inner = NULL;
    const char *text = "";
    int64_t status = 0;
    int r;

    *reply = NULL;
    snprintf(member, sizeof member, "%sResponse", name);
    if (json_object_object_length(outer) != 1 || sjson_object(outer, member, &inner, NULL) < 0 ||
        sjson_int(inner, "Status", &status, NULL) < 0 ||
        (sjson_has(inner, "StatusDescription") && sjson_string(inner, "StatusDescription", &text, NULL) < 0))
        return err_set(e, ERR_RETRY, "recryptd: answer without %s or Status", member);
    if ((r = frame_status_error(status)) < 0)
        return err_set(e, r, "%s", *text ? text : "recryptd refused");
    *reply = json_object_get(inner);
    return 0;
}

int frame_call(struct frame_client *c, const char *name, struct json_object *body, struct json_object **reply,
               struct err *e)
{
    struct json_object *answer = NULL;
    struct buf request = BUF_INIT;
    int r;

    *reply = NULL;
    if ((r = frame_put_request(name, body, &request, e)) == 0 && (r = exchange(c, &request, &answer, e)) == 0)
        r = frame_unwrap(answer, name, reply, e);
    json_object_put(answer);
    buf_free(&request);
    return r;
}
