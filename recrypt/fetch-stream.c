#include "fetch-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "fetch-guard.h"
#include "imapfilter/tls.h"

enum {
    CHUNK = 16 << 10,
    COMMAND_SECONDS = 60,
    OCTETS_A_SECOND = 2048 /* who is slower is not waited for */
};

struct fetch_stream {
    const struct fetch_conf *c;
    mailstream *stream;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL before TLS */
    int64_t deadline; /* milliseconds */
    struct fetch_guard *guard;
    struct buf in; /* passed the guard */
    size_t at;     /* so much of it was read */
    struct err failed;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fetch_stream_expect(struct fetch_stream *s, size_t literal, size_t total)
{
    s->deadline = now_ms() + 1000 * (COMMAND_SECONDS + (int64_t)(total / OCTETS_A_SECOND));
    fetch_guard_limits(s->guard, literal, total);
}

int fetch_stream_error(const struct fetch_stream *s, struct err *e)
{
    const char *bye = fetch_guard_bye(s->guard);

    if (*bye)
        return err_set(e, ERR_RETRY, "the mail server ended the session: %s", bye);
    if (!s->failed.code)
        return err_set(e, ERR_RETRY, "the mail server ended the connection");
    /* Whatever a server says that it must not: it may say otherwise next time. */
    return err_set(e, s->failed.code == ERR_SYSTEM ? ERR_SYSTEM : ERR_RETRY, "%s", s->failed.text);
}

/* Waits until the descriptor is ready for events. 0, or -1 with s->failed. */
static int ready(struct fetch_stream *s, short events)
{
    int64_t left = s->deadline - now_ms(), most = (int64_t)s->c->timeout * 1000;
    struct pollfd p = {s->fd, events, 0};
    int n;

    do
        n = left <= 0 ? 0 : poll(&p, 1, (int)(left < most ? left : most));
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return 0;
    if (n < 0)
        err_errno(&s->failed, "%s", s->c->host);
    else
        err_set(&s->failed, ERR_RETRY, "%s does not answer", s->c->host);
    return -1;
}

/* After a call on TLS that did not succeed: 0 = do it again, -1 = failed. */
static int again(struct fetch_stream *s, int result)
{
    char text[256] = "";
    long verified;

    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return ready(s, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return ready(s, POLLOUT);
    default:
        break;
    }
    if ((verified = SSL_get_verify_result(s->ssl)) != X509_V_OK)
        err_set(&s->failed, ERR_RETRY, "the certificate of %s: %s", s->c->host,
                X509_verify_cert_error_string(verified));
    else if (ERR_peek_error()) {
        ERR_error_string_n(ERR_peek_error(), text, sizeof text);
        err_set(&s->failed, ERR_RETRY, "TLS with %s: %s", s->c->host, text);
    } else
        err_set(&s->failed, ERR_RETRY, "%s ended the connection", s->c->host);
    ERR_clear_error();
    return -1;
}

/* Some octets of the server's; -1 at the end too, since libetpan would wait for more for ever. */
static ssize_t receive(struct fetch_stream *s, unsigned char *data, size_t len)
{
    ssize_t n;

    for (;;) {
        if (s->ssl) {
            if ((n = SSL_read(s->ssl, data, (int)len)) > 0)
                return n;
            if (again(s, (int)n) < 0)
                return -1;
            continue;
        }
        if ((n = read(s->fd, data, len)) > 0)
            return n;
        if (n == 0)
            err_set(&s->failed, ERR_RETRY, "%s ended the connection", s->c->host);
        else if (errno != EAGAIN && errno != EINTR)
            err_errno(&s->failed, "%s", s->c->host);
        if (n == 0 || (errno != EAGAIN && errno != EINTR) || ready(s, POLLIN) < 0)
            return -1;
    }
}

/* Reads until something has passed the guard. */
static int fill(struct fetch_stream *s)
{
    unsigned char data[CHUNK];
    ssize_t n;

    buf_reset(&s->in);
    s->at = 0;
    while (s->in.len == 0)
        if ((n = receive(s, data, sizeof data)) < 0 ||
            fetch_guard_feed(s->guard, data, (size_t)n, &s->in, &s->failed) < 0)
            return -1;
    return 0;
}

static ssize_t low_read(mailstream_low *low, void *data, size_t len)
{
    struct fetch_stream *s = low->data;
    size_t n;

    if (s->failed.code || (s->at == s->in.len && fill(s) < 0))
        return -1;
    n = s->in.len - s->at < len ? s->in.len - s->at : len;
    memcpy(data, s->in.data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static ssize_t low_write(mailstream_low *low, const void *data, size_t len)
{
    struct fetch_stream *s = low->data;
    ssize_t n;

    while (s->failed.code == 0) {
        if (s->ssl) {
            if ((n = SSL_write(s->ssl, data, (int)(len < INT_MAX ? len : INT_MAX))) > 0)
                return n;
            if (again(s, (int)n) < 0)
                return -1;
            continue;
        }
        if ((n = write(s->fd, data, len)) >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR) {
            err_errno(&s->failed, "%s", s->c->host);
            return -1;
        }
        if (ready(s, POLLOUT) < 0)
            return -1;
    }
    return -1;
}

static int low_close(mailstream_low *low)
{
    struct fetch_stream *s = low->data;

    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    return 0;
}

static void free_stream(struct fetch_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    fetch_guard_free(&s->guard);
    buf_free(&s->in);
    free(s);
}

static void low_free(mailstream_low *low)
{
    free_stream(low->data);
    free(low);
}

static int low_get_fd(mailstream_low *low)
{
    return ((struct fetch_stream *)low->data)->fd;
}

static mailstream_low_driver driver = {
    .mailstream_read = low_read,
    .mailstream_write = low_write,
    .mailstream_close = low_close,
    .mailstream_get_fd = low_get_fd,
    .mailstream_free = low_free,
};

static int start_tls(struct fetch_stream *s, struct err *e)
{
    int r = tls_back(s->c->ca, &s->ctx, e);

    if (r == ERR_USAGE)
        return err_set(e, r, "%s: no certificates in it", *s->c->ca ? s->c->ca : "the system's store");
    if (r < 0 || (r = tls_back_new(s->ctx, s->c->host, &s->ssl, e)) < 0)
        return r;
    if (!SSL_set_fd(s->ssl, s->fd))
        return err_set(e, ERR_SYSTEM, "TLS cannot be set up");
    while ((r = SSL_connect(s->ssl)) != 1)
        if (again(s, r) < 0)
            return err_set(e, s->failed.code, "%s", s->failed.text);
    return 0;
}

int fetch_stream_starttls(struct fetch_stream *s, struct err *e)
{
    if (s->stream->read_buffer_len || s->at < s->in.len || !fetch_guard_empty(s->guard))
        return err_set(e, ERR_DENIED, "%s sends in the clear what belongs inside TLS; somebody may be in between",
                       s->c->host);
    return start_tls(s, e);
}

static int dial(struct fetch_stream *s, struct err *e)
{
    const char *host = s->c->host;
    struct buf address = BUF_INIT;
    int r, flags;

    if (buf_printf(&address, strchr(host, ':') ? "inet:[%s]:%s" : "inet:%s:%s", host, s->c->port) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = conf_connect(buf_str(&address), s->c->timeout * 1000, &s->fd, e)) < 0)
        r = r == ERR_SYSTEM && e ? (e->code = ERR_RETRY) : r;
    else if ((flags = fcntl(s->fd, F_GETFL)) < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        r = err_errno(e, "%s", host);
    buf_free(&address);
    return r;
}

int fetch_stream_open(const struct fetch_conf *c, struct fetch_stream **out, mailstream **stream, struct err *e)
{
    struct fetch_stream *s = calloc(1, sizeof *s);
    mailstream_low *low = NULL;
    int r;

    *out = NULL;
    *stream = NULL;
    if (!s)
        return err_errno(e, "out of memory");
    s->c = c;
    s->fd = -1;
    if ((r = fetch_guard_new(&s->guard, e)) < 0 || (r = dial(s, e)) < 0)
        goto fail;
    fetch_stream_expect(s, 0, CHUNK);
    if (c->tls == FETCH_TLS && (r = start_tls(s, e)) < 0)
        goto fail;
    if (!(low = mailstream_low_new(s, &driver)) || !(s->stream = mailstream_new(low, CHUNK))) {
        free(low);
        r = err_errno(e, "out of memory");
        goto fail;
    }
    *out = s;
    *stream = s->stream;
    return 0;
fail:
    free_stream(s);
    return r;
}
