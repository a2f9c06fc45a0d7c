#include "session.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "login.h"
#include "xrecrypt.h"

enum {
    TICK_SECONDS = 60,
    STALL_SECONDS = 300, /* for who does not take what it asked for */
    LINGER_SECONDS = 3,
    REPLIES_MAX = 64 << 10
};

static time_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ts.tv_sec;
}

const char *session_name(const struct session *s)
{
    static char text[ADDRESS_SIZE + 80];
    char host[INET6_ADDRSTRLEN + 32] = "a local socket";

    if (s->peer.ss_family != AF_UNIX)
        (void)getnameinfo((const struct sockaddr *)&s->peer, sizeof s->peer, host, sizeof host, NULL, 0,
                          NI_NUMERICHOST);
    snprintf(text, sizeof text, "%s%s%s", s->account ? s->account : "", s->account ? " at " : "", host);
    return text;
}

void session_tag(struct session *s, char out[24])
{
    snprintf(out, 24, "RX%08x.%u", s->filter->tag_mark, ++s->filter->tag_count);
}

struct imap_front session_front(const struct session *s)
{
    enum plaintext_login rule = s->settings->plaintext_login;
    struct imap_front front = {s->phase == PHASE_RELAY, s->settings->front && !s->secure, 0};

    /* Dovecot sends the list that holds after login just before it says that somebody has logged in. */
    if (s->login && s->login->state == LOGIN_ANSWER && s->login->what != WHAT_OTHER)
        front.logged_in = 1;
    front.may_login = s->secure || rule == PLAINTEXT_YES ||
                      (rule == PLAINTEXT_LOOPBACK && conf_is_local((const struct sockaddr *)&s->peer));
    return front;
}

/* ---- saying something ---- */

/* Has the client heard the beginning of an answer and not its end? */
static int mid_line(const struct session *s)
{
    return s->mid_answer && !s->taking;
}

static void say(struct session *s, struct stream *to, const char *fmt, va_list ap)
{
    struct buf text = BUF_INIT;
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0 || buf_reserve(&text, (size_t)n) < 0) {
        session_drop(s, "out of memory");
    } else {
        vsnprintf((char *)text.data, (size_t)n + 1, fmt, again);
        text.len = (size_t)n;
        if (to == &s->client && mid_line(s)) {
            if (s->replies.len + text.len > REPLIES_MAX || buf_append(&s->replies, text.data, text.len) < 0)
                session_drop(s, "too many refused commands behind one answer");
        } else {
            stream_write(to, text.data, text.len);
        }
    }
    va_end(again);
    buf_free(&text);
}

void session_reply(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(s, &s->client, fmt, ap);
    va_end(ap);
}

void session_to_backend(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(s, &s->backend, fmt, ap);
    va_end(ap);
}

void session_send(struct session *s, const struct buf *text)
{
    if (!mid_line(s))
        stream_write(&s->client, text->data, text->len);
    else if (buf_append(&s->replies, text->data, text->len) < 0)
        session_drop(s, "out of memory");
}

void session_flush_replies(struct session *s)
{
    if (!s->replies.len || mid_line(s))
        return;
    stream_write(&s->client, s->replies.data, s->replies.len);
    buf_free(&s->replies);
}

/* ---- ending ---- */

static void forget_work(struct session *s)
{
    xrecrypt_free(s);
    login_free(s);
    stream_close(&s->backend);
}

void session_drop(struct session *s, const char *why)
{
    if (!s->dead)
        log_info("%s: connection dropped: %s", session_name(s), why);
    s->dead = 1;
}

/* What it works on may be in use just now: session_settle forgets it. */
static void begin_ending(struct session *s, int lingers)
{
    static const struct timeval wait = {LINGER_SECONDS, 0}, stall = {STALL_SECONDS, 0};

    s->phase = PHASE_ENDING;
    s->lingers = (unsigned)lingers;
    evtimer_add(&s->timer, lingers ? &wait : &stall);
}

void session_end(struct session *s, const char *why)
{
    if (s->dead || s->phase == PHASE_ENDING)
        return;
    log_info("%s: %s", session_name(s), why);
    if (s->client.securing || s->client.failed || s->phase == PHASE_FRONT) {
        s->dead = 1;
        return;
    }
    if (!mid_line(s)) {
        session_flush_replies(s);
        session_reply(s, "* BYE %s\r\n", why);
    }
    begin_ending(s, 1);
}

void session_free(struct session *s)
{
    struct filter *f = s->filter;

    forget_work(s);
    stream_close(&s->client);
    evtimer_del(&s->timer);
    buf_free(&s->replies);
    if (s->counted)
        peers_remove(f->peers, (const struct sockaddr *)&s->peer);
    LIST_REMOVE(s, link);
    f->count--;
    settings_release(&s->settings);
    free(s->account);
    free(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    struct timeval again = {TICK_SECONDS, 0};
    time_t t = now(), left;

    (void)fd;
    (void)what;
    if (s->phase == PHASE_ENDING) {
        s->dead = 1;
    } else if (s->phase != PHASE_RELAY) {
        left = s->began + s->settings->login_timeout - t;
        if (left <= 0)
            session_end(s, "Login took too long");
        again.tv_sec = left < TICK_SECONDS ? left : TICK_SECONDS;
    } else if (t - s->active >= STALL_SECONDS && (stream_waiting(&s->client) || stream_waiting(&s->backend))) {
        session_drop(s, "it takes nothing");
    } else if (t - s->active >= s->settings->idle_timeout) {
        session_end(s, "Nothing happened for too long");
    }
    if (!s->dead && s->phase != PHASE_ENDING)
        evtimer_add(&s->timer, &again);
    session_settle(s);
}

/* ---- what comes in ---- */

static size_t take_client(struct session *s, const unsigned char *data, size_t len)
{
    if (s->dead)
        return len;
    if (s->phase == PHASE_LOGIN)
        return login_client(s, data, len);
    return s->phase == PHASE_RELAY && s->hold == HOLD_NONE ? relay_client(s, data, len) : 0;
}

static size_t take_backend(struct session *s, const unsigned char *data, size_t len)
{
    if (s->dead || s->phase == PHASE_ENDING)
        return len;
    if (s->backend_held || s->phase == PHASE_FRONT)
        return 0;
    if (s->phase == PHASE_SETUP)
        return setup_backend(s, data, len);
    return relay_backend(s, data, len);
}

typedef size_t taker(struct session *s, const unsigned char *data, size_t len);

static void read_some(struct session *s, struct stream *from, taker *take)
{
    unsigned char *chunk = s->filter->chunk;
    int secret = s->phase != PHASE_RELAY;
    ssize_t n = stream_read(from, chunk, CHUNK);
    size_t used = 0;

    if (n <= 0)
        return;
    s->active = now();
    if (!from->in.len)
        used = take(s, chunk, (size_t)n);
    if (used < (size_t)n && buf_append(&from->in, chunk + used, (size_t)n - used) < 0)
        session_drop(s, "out of memory");
    if (secret)
        secret_wipe(chunk, (size_t)n);
}

/* What was read earlier, as far as it can go on now. */
static void use_kept(struct session *s)
{
    size_t back, front;

    do {
        back = front = 0;
        if (s->backend.in.len && (back = take_backend(s, s->backend.in.data, s->backend.in.len)))
            stream_used(&s->backend, back);
        if (s->client.in.len && (front = take_client(s, s->client.in.data, s->client.in.len)))
            stream_used(&s->client, front);
    } while (!s->dead && (back || front));
}

/* ---- what follows ---- */

static void backend_is_gone(struct session *s)
{
    if (s->phase == PHASE_SETUP) {
        setup_event(s, STREAM_FAILED);
        return;
    }
    if (s->xrecrypt) {
        session_drop(s, "the IMAP server is gone");
        return;
    }
    if (s->backend.in.len)
        stream_write(&s->client, s->backend.in.data, s->backend.in.len);
    begin_ending(s, 0);
}

static void notice_ends(struct session *s)
{
    if (s->client.failed || (s->client.eof && s->phase < PHASE_RELAY)) {
        s->dead = 1;
        return;
    }
    if (s->phase == PHASE_ENDING) {
        forget_work(s);
        if (stream_waiting(&s->client))
            return;
        if (!s->said_bye)
            stream_finish(&s->client);
        s->said_bye = 1;
        s->dead |= !s->lingers || s->client.eof;
        return;
    }
    if (s->phase == PHASE_FRONT)
        return;
    if ((s->backend.failed || s->backend.eof) && !s->backend_held) {
        backend_is_gone(s);
        if (s->phase == PHASE_ENDING)
            notice_ends(s);
        return;
    }
    if (s->client.eof && s->hold == HOLD_NONE && !stream_waiting(&s->backend) && !s->finished) {
        s->finished = 1;
        stream_finish(&s->backend);
    }
}

/* Whoever does not take what is sent to it is not asked for more on the other side. */
static void set_reading(struct session *s)
{
    int client = 0, backend = 0;

    switch (s->phase) {
    case PHASE_FRONT:
        break;
    case PHASE_SETUP:
        backend = 1;
        break;
    case PHASE_LOGIN:
    case PHASE_RELAY:
        /* Who waits for what it sends to be taken, and takes nothing itself, may send as much as one answer in pieces;
         * refusals without end are for nobody. */
        client = s->client.in.len <= IMAP_LINE_MAX && !stream_waiting(&s->backend) &&
                 stream_waiting(&s->client) <= REPLIES_MAX + CHUNK;
        backend = !s->backend_held && !stream_waiting(&s->client);
        break;
    case PHASE_ENDING:
        client = s->lingers;
        break;
    }
    stream_read_on(&s->client, client && !s->client.eof);
    stream_read_on(&s->backend, backend && !s->backend.eof);
}

void session_settle(struct session *s)
{
    do {
        if (!s->dead)
            use_kept(s);
    } while (!s->dead && xrecrypt_goes_on(s));
    if (!s->dead)
        notice_ends(s);
    if (s->dead)
        session_free(s);
    else
        set_reading(s);
}

/* ---- events ---- */

static size_t discard(struct session *s, const unsigned char *data, size_t len)
{
    (void)s;
    (void)data;
    return len;
}

static void on_client(void *arg, struct stream *st, enum stream_event what)
{
    struct session *s = arg;

    s->active = now();
    if (what == STREAM_READABLE) {
        read_some(s, st, s->phase == PHASE_ENDING ? discard : take_client);
    } else if (what == STREAM_SECURE) {
        s->secure = 1;
        if (s->phase == PHASE_FRONT)
            setup_begin(s);
        else if (s->phase == PHASE_LOGIN)
            login_secured(s);
    } else if (what == STREAM_FAILED) {
        log_debug("%s: %s", session_name(s), st->error);
    } else if (what == STREAM_DRAINED && s->phase == PHASE_LOGIN) {
        login_client_drained(s);
    }
    session_settle(s);
}

void session_on_backend(void *arg, struct stream *st, enum stream_event what)
{
    struct session *s = arg;

    s->active = now();
    if (what == STREAM_READABLE)
        read_some(s, st, take_backend);
    else if (s->phase == PHASE_SETUP)
        setup_event(s, what);
    else if (what == STREAM_FAILED)
        log_warn("%s: IMAP server: %s", session_name(s), st->error);
    session_settle(s);
}

/* ---- beginning ---- */

static void refuse(struct session *s, const char *why)
{
    s->phase = PHASE_SETUP;
    session_end(s, why);
}

static void welcome(struct session *s, int tls)
{
    struct filter *f = s->filter;
    struct err e;
    SSL *ssl;
    int r = peers_add(f->peers, (const struct sockaddr *)&s->peer, s->settings->max_per_address);

    s->counted = r == 1;
    if (f->count > s->settings->max_connections || r != 1) {
        /* Where the port begins with TLS there is nobody yet to tell. */
        if (tls)
            session_drop(s, "too many connections");
        else
            refuse(s, "[UNAVAILABLE] Too many connections");
        return;
    }
    if (!tls) {
        setup_begin(s);
        return;
    }
    if (!s->settings->front || !(ssl = SSL_new(s->settings->front)) || stream_secure(&s->client, ssl, 1, &e) < 0)
        session_drop(s, "no TLS");
}

void session_new(struct filter *f, int fd, const struct sockaddr *peer, socklen_t len, int tls)
{
    struct session *s = calloc(1, sizeof *s);
    struct timeval first = {TICK_SECONDS, 0};
    struct err e;

    if (!s || stream_open(&s->client, f->base, fd, on_client, s, &e) < 0) {
        log_error("a client could not be taken: out of memory");
        free(s);
        close(fd);
        return;
    }
    s->filter = f;
    s->settings = settings_hold(f->settings);
    s->backend.fd = -1;
    memcpy(&s->peer, peer, len < sizeof s->peer ? len : sizeof s->peer);
    s->began = s->active = now();
    s->from_backend.in_pieces = 1;
    LIST_INSERT_HEAD(&f->sessions, s, link);
    f->count++;
    evtimer_assign(&s->timer, f->base, on_timer, s);
    if (s->settings->login_timeout < TICK_SECONDS)
        first.tv_sec = (time_t)s->settings->login_timeout;
    evtimer_add(&s->timer, &first);
    welcome(s, tls);
    session_settle(s);
}
