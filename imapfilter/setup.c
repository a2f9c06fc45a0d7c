/* Prepares the backend before the client is greeted: its greeting, TLS, what it can do, and who the client is. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "login.h"
#include "tls.h"

static const char away[] = "[UNAVAILABLE] The IMAP server is out of reach, try again later";

static void greet(struct session *s)
{
    struct login *l = s->login;
    struct imap_front front;
    struct buf list = BUF_INIT;
    struct span all = {l->capabilities.data, l->capabilities.len};

    s->phase = PHASE_LOGIN;
    front = session_front(s);
    s->backend_can = imap_capabilities(all);
    if (imap_capability_list(all, &front, &list) < 0)
        session_drop(s, "out of memory");
    else
        session_reply(s, "* OK [CAPABILITY %s] %s\r\n", buf_str(&list),
                      l->greeting.len ? buf_str(&l->greeting) : "ready");
    buf_free(&list);
    buf_free(&l->capabilities);
    buf_free(&l->greeting);
    l->state = LOGIN_COMMAND;
}

static void ask(struct session *s, enum setup_step step, const char *what)
{
    struct login *l = s->login;

    l->step = step;
    session_tag(s, l->own_tag);
    session_to_backend(s, "%s %s\r\n", l->own_tag, what);
}

static void name_of(const struct sockaddr *sa, socklen_t len, char host[INET6_ADDRSTRLEN + 32], char port[8])
{
    if (getnameinfo(sa, len, host, INET6_ADDRSTRLEN + 32, port, 8, NI_NUMERICHOST | NI_NUMERICSERV))
        *host = *port = 0;
    host[strcspn(host, "%")] = 0; /* a link's scope means nothing elsewhere */
}

/* Dovecot's names for what a proxy says about its client; it believes those in its login_trusted_networks. */
static void tell_who(struct session *s)
{
    char peer[INET6_ADDRSTRLEN + 32], peer_port[8], here[INET6_ADDRSTRLEN + 32], here_port[8], text[400];
    struct sockaddr_storage local;
    socklen_t len = sizeof local;

    if (getsockname(s->client.fd, (struct sockaddr *)&local, &len) < 0 || local.ss_family == AF_UNIX) {
        greet(s);
        return;
    }
    name_of((const struct sockaddr *)&s->peer, sizeof s->peer, peer, peer_port);
    name_of((const struct sockaddr *)&local, len, here, here_port);
    snprintf(text, sizeof text,
             "ID (\"x-originating-ip\" \"%s\" \"x-originating-port\" \"%s\" \"x-connected-ip\" \"%s\" "
             "\"x-connected-port\" \"%s\")",
             peer, peer_port, here, here_port);
    ask(s, SETUP_ID, text);
}

/* The list is there. */
static void go_on(struct session *s)
{
    struct span list = {s->login->capabilities.data, s->login->capabilities.len};

    if (s->settings->backend_id && imap_capabilities(list) & IMAP_CAP_ID)
        tell_who(s);
    else
        greet(s);
}

static int keep(struct buf *to, struct span text)
{
    buf_free(to);
    return buf_append(to, text.data, text.len);
}

static void greeting(struct session *s, const struct imap_reply *reply, struct span list, int listed)
{
    struct span text = reply->rest;
    const unsigned char *end;

    if (reply->kind != IMAP_STATUS || !imap_is(reply->word, "OK")) {
        /* PREAUTH as well: nobody knows who that would be, and before TLS anybody could say it. */
        log_error("IMAP server: greeting is not OK");
        session_end(s, away);
        return;
    }
    if (text.len && text.data[0] == '[' && (end = memchr(text.data, ']', text.len))) {
        text.len -= (size_t)(end + 1 - text.data);
        text.data = end + 1;
    }
    if (text.len && text.data[0] == ' ')
        text = (struct span){text.data + 1, text.len - 1};
    if (keep(&s->login->greeting, text) < 0)
        session_drop(s, "out of memory");
    else if (s->settings->backend_tls == BACKEND_STARTTLS)
        ask(s, SETUP_STARTTLS, "STARTTLS");
    else if (!listed)
        ask(s, SETUP_CAPABILITY, "CAPABILITY");
    else if (keep(&s->login->capabilities, list) < 0)
        session_drop(s, "out of memory");
    else
        go_on(s);
}

static int begin_tls(struct session *s)
{
    struct err e;
    SSL *ssl;

    if (tls_back_new(s->settings->back, s->settings->backend_name, &ssl, &e) == 0 &&
        stream_secure(&s->backend, ssl, 0, &e) == 0)
        return 0;
    log_error("%s", e.text);
    session_end(s, away);
    return -1;
}

static void answered(struct session *s, const struct imap_reply *reply)
{
    struct login *l = s->login;
    int ok = imap_is(reply->word, "OK");

    if (!imap_is(reply->tag, l->own_tag)) {
        log_error("IMAP server: answer that nothing was asked for");
        session_end(s, away);
    } else if (l->step == SETUP_ID) {
        greet(s);
    } else if (!ok) {
        log_error("IMAP server: refuses %s", l->step == SETUP_STARTTLS ? "STARTTLS" : "CAPABILITY");
        session_end(s, away);
    } else if (l->step == SETUP_STARTTLS) {
        l->step = SETUP_HANDSHAKE;
        (void)begin_tls(s);
    } else {
        go_on(s);
    }
}

static void setup_line(struct session *s, struct span text)
{
    struct imap_reply reply;
    struct span list;
    int listed = imap_capability_find(text, &list);

    imap_reply(text, &reply);
    if (s->login->step == SETUP_GREETING) {
        greeting(s, &reply, list, listed);
        return;
    }
    /* A list that came before TLS was anybody's. */
    if (listed && s->login->step == SETUP_CAPABILITY && keep(&s->login->capabilities, list) < 0)
        session_drop(s, "out of memory");
    else if (reply.kind == IMAP_TAGGED)
        answered(s, &reply);
    else if (reply.kind == IMAP_CONTINUATION || (reply.kind == IMAP_STATUS && imap_is(reply.word, "BYE")))
        session_end(s, away);
}

size_t setup_backend(struct session *s, const unsigned char *data, size_t len)
{
    size_t at = 0, used;

    while (s->phase == PHASE_SETUP && !s->dead && at < len) {
        int piece = imap_read(&s->from_backend, data + at, len - at, &used);

        if (piece == IMAP_MORE)
            break;
        if (piece != IMAP_LINE) {
            log_error("IMAP server: answer of more than %d octets before login", IMAP_LINE_MAX);
            session_end(s, away);
            break;
        }
        setup_line(s, imap_text(data + at, used));
        at += used;
        /* Octets that came before TLS and are acted upon behind it would be those of whoever sits between. */
        if (s->backend.securing && (at < len || (s->backend.in.len && data != s->backend.in.data))) {
            log_error("IMAP server: octets behind its answer to STARTTLS");
            session_end(s, away);
            break;
        }
    }
    return s->phase == PHASE_ENDING ? len : at;
}

/* ---- the connection ---- */

static void try_next(struct session *s)
{
    struct login *l = s->login;
    struct err e = {0};

    while (l->backend < s->settings->backend_count) {
        const struct conf_address *a = &s->settings->backends[l->backend++];

        if (stream_connect(&s->backend, s->filter->base, (const struct sockaddr *)&a->sa, a->len, session_on_backend, s,
                           &e) == 0)
            return;
    }
    log_error("IMAP server at %s: %s", s->settings->backend, e.text);
    session_end(s, away);
}

void setup_begin(struct session *s)
{
    if (login_begin(s) < 0) {
        session_drop(s, "out of memory");
        return;
    }
    s->phase = PHASE_SETUP;
    try_next(s);
}

void setup_event(struct session *s, enum stream_event what)
{
    struct login *l = s->login;

    switch (what) {
    case STREAM_CONNECTED:
        l->step = SETUP_GREETING;
        if (s->settings->backend_tls == BACKEND_TLS)
            (void)begin_tls(s);
        break;
    case STREAM_SECURE:
        if (l->step == SETUP_HANDSHAKE)
            ask(s, SETUP_CAPABILITY, "CAPABILITY");
        break;
    case STREAM_FAILED:
        if (l->step == SETUP_CONNECT && l->backend < s->settings->backend_count) {
            stream_close(&s->backend);
            try_next(s);
            break;
        }
        log_error("IMAP server at %s: %s", s->settings->backend,
                  *s->backend.error ? s->backend.error : "it closed the connection");
        session_end(s, away);
        break;
    default:
        break;
    }
}
