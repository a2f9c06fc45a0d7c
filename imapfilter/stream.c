#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell(struct stream *s, enum stream_event what)
{
    s->handler(s->arg, s, what);
}

static void fail(struct stream *s, const char *why)
{
    if (s->failed)
        return;
    s->failed = 1;
    snprintf(s->error, sizeof s->error, "%s", why);
    event_del(&s->writable);
    event_del(&s->readable);
    s->reading = 0;
    buf_free(&s->out);
    s->done = 0;
}

/* The first error of OpenSSL's queue; certificates have one that says more. */
static const char *tls_error(const struct stream *s)
{
    unsigned long code = ERR_get_error();
    long verify = SSL_get_verify_result(s->ssl);
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    if (verify != X509_V_OK)
        return X509_verify_cert_error_string(verify);
    return text ? text : "the connection ended";
}

/* ---- writing ---- */

/* Octets taken, 0 = none now, -1 = failed. */
static ssize_t put(struct stream *s, const unsigned char *data, size_t len)
{
    ssize_t n;
    int code;

    if (!s->ssl) {
        n = send(s->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return 0;
        fail(s, strerror(errno));
        return -1;
    }
    ERR_clear_error();
    n = SSL_write(s->ssl, data, len < INT32_MAX ? (int)len : INT32_MAX);
    if (n > 0)
        return n;
    code = SSL_get_error(s->ssl, (int)n);
    if (code == SSL_ERROR_WANT_WRITE || code == SSL_ERROR_WANT_READ)
        return 0;
    fail(s, code == SSL_ERROR_SYSCALL && errno ? strerror(errno) : tls_error(s));
    return -1;
}

/* Keep what could not be written now. In TLS the same octets have to be offered again: they stay where they are. */
static void keep(struct stream *s, const unsigned char *data, size_t len)
{
    if (s->done && s->done >= s->out.len / 2) {
        memmove(s->out.data, s->out.data + s->done, s->out.len - s->done);
        buf_cut(&s->out, s->out.len - s->done);
        s->done = 0;
    }
    if (buf_append(&s->out, data, len) < 0 || event_add(&s->writable, NULL) < 0)
        fail(s, "out of memory");
}

void stream_write(struct stream *s, const void *data, size_t len)
{
    const unsigned char *p = data;
    ssize_t n = 0;

    if (s->failed || s->fd < 0)
        return;
    while (len && !stream_waiting(s) && !s->connecting && !s->securing && (n = put(s, p, len)) > 0) {
        p += n;
        len -= (size_t)n;
    }
    if (len && n >= 0)
        keep(s, p, len);
}

size_t stream_waiting(const struct stream *s)
{
    return s->out.len - s->done;
}

static void drain(struct stream *s)
{
    ssize_t n = 0;

    while (stream_waiting(s) && (n = put(s, s->out.data + s->done, stream_waiting(s))) > 0)
        s->done += (size_t)n;
    if (n < 0 || s->failed) {
        tell(s, STREAM_FAILED);
        return;
    }
    if (stream_waiting(s))
        return;
    event_del(&s->writable);
    buf_free(&s->out);
    s->done = 0;
    tell(s, STREAM_DRAINED);
}

/* ---- beginning ---- */

static void handshake(struct stream *s)
{
    int n, code;

    ERR_clear_error();
    errno = 0;
    n = SSL_do_handshake(s->ssl);
    if (n == 1) {
        s->securing = 0;
        if (!stream_waiting(s))
            event_del(&s->writable);
        event_del(&s->readable);
        s->reading = 0;
        tell(s, STREAM_SECURE);
        return;
    }
    code = SSL_get_error(s->ssl, n);
    if (code == SSL_ERROR_WANT_READ) {
        event_del(&s->writable);
    } else if (code == SSL_ERROR_WANT_WRITE) {
        event_add(&s->writable, NULL);
    } else {
        fail(s, code == SSL_ERROR_SYSCALL && errno ? strerror(errno) : tls_error(s));
        tell(s, STREAM_FAILED);
    }
}

static void connected(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    s->connecting = 0;
    if (!stream_waiting(s))
        event_del(&s->writable);
    if (error) {
        fail(s, strerror(error));
        tell(s, STREAM_FAILED);
    } else {
        tell(s, STREAM_CONNECTED);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    (void)what;
    if (s->connecting) {
        connected(s);
    } else if (s->securing) {
        handshake(s);
    } else if (s->read_waits_to_write) {
        s->read_waits_to_write = 0;
        if (!stream_waiting(s))
            event_del(&s->writable);
        tell(s, STREAM_READABLE);
    } else {
        drain(s);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    (void)what;
    if (s->securing)
        handshake(s);
    else
        tell(s, STREAM_READABLE);
}

int stream_open(struct stream *s, struct event_base *base, int fd, stream_handler *handler, void *arg, struct err *e)
{
    int on = 1;

    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->handler = handler;
    s->arg = arg;
    if (event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_readable, s) < 0 ||
        event_assign(&s->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, s) < 0)
        return err_set(e, ERR_SYSTEM, "no event");
    /* Neither matters on a Unix socket, where both fail. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    s->fd = fd;
    return 0;
}

int stream_connect(struct stream *s, struct event_base *base, const struct sockaddr *to, socklen_t len,
                   stream_handler *handler, void *arg, struct err *e)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

    if (fd < 0)
        return err_errno(e, "socket");
    if ((r = stream_open(s, base, fd, handler, arg, e)) < 0) {
        close(fd);
        return r;
    }
    if (connect(fd, to, len) < 0 && errno != EINPROGRESS) {
        err_errno(e, "connect");
        stream_close(s);
        return ERR_RETRY;
    }
    s->connecting = 1;
    if (event_add(&s->writable, NULL) < 0) {
        stream_close(s);
        return err_set(e, ERR_SYSTEM, "no event");
    }
    return 0;
}

int stream_secure(struct stream *s, SSL *ssl, int server, struct err *e)
{
    s->ssl = ssl;
    if (SSL_set_fd(ssl, s->fd) != 1)
        return err_set(e, ERR_SYSTEM, "TLS: out of memory");
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    s->securing = 1;
    s->reading = 1;
    /* Client or server, the socket can be written to: the first step is made from the event loop, so that nothing is
     * told from inside of this function. */
    if (event_add(&s->readable, NULL) < 0 || event_add(&s->writable, NULL) < 0)
        return err_set(e, ERR_SYSTEM, "no event");
    return 0;
}

/* ---- reading ---- */

void stream_read_on(struct stream *s, int on)
{
    if (s->fd < 0 || s->failed || s->securing || s->connecting || s->reading == (unsigned)on)
        return;
    s->reading = (unsigned)on;
    if (!on) {
        event_del(&s->readable);
    } else {
        event_add(&s->readable, NULL);
        /* OpenSSL may hold what no event will tell of. */
        if (s->ssl && SSL_pending(s->ssl) > 0)
            event_active(&s->readable, EV_READ, 0);
    }
}

static ssize_t read_plain(struct stream *s, void *data, size_t size)
{
    ssize_t n = recv(s->fd, data, size, 0);

    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (n == 0)
        s->eof = 1;
    else
        fail(s, strerror(errno));
    return -1;
}

/* Why the last SSL_read brought nothing: 0 or -1. */
static ssize_t read_stopped(struct stream *s, int n)
{
    switch (SSL_get_error(s->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_WANT_WRITE:
        s->read_waits_to_write = 1;
        event_add(&s->writable, NULL);
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        s->eof = 1;
        return -1;
    case SSL_ERROR_SYSCALL:
        fail(s, errno ? strerror(errno) : "the connection ended");
        return -1;
    default:
        fail(s, tls_error(s));
        return -1;
    }
}

static ssize_t read_tls(struct stream *s, unsigned char *data, size_t size)
{
    size_t got = 0;
    ssize_t stopped;
    int n;

    /* A record holds 16 KB at most: several at a time. */
    while (got < size) {
        ERR_clear_error();
        errno = 0;
        if ((n = SSL_read(s->ssl, data + got, (int)(size - got))) <= 0) {
            stopped = read_stopped(s, n);
            return got ? (ssize_t)got : stopped;
        }
        got += (size_t)n;
    }
    if (SSL_pending(s->ssl) > 0)
        event_active(&s->readable, EV_READ, 0);
    return (ssize_t)got;
}

ssize_t stream_read(struct stream *s, void *data, size_t size)
{
    if (s->fd < 0 || s->failed || s->eof)
        return -1;
    return s->ssl ? read_tls(s, data, size) : read_plain(s, data, size);
}

void stream_used(struct stream *s, size_t octets)
{
    if (octets >= s->in.len) {
        buf_free(&s->in);
        return;
    }
    memmove(s->in.data, s->in.data + octets, s->in.len - octets);
    buf_cut(&s->in, s->in.len - octets);
}

/* ---- ending ---- */

void stream_finish(struct stream *s)
{
    if (s->fd < 0 || s->failed || s->connecting || s->securing)
        return;
    if (s->ssl) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
    } else {
        (void)shutdown(s->fd, SHUT_WR);
    }
}

void stream_close(struct stream *s)
{
    if (s->fd < 0)
        return;
    event_del(&s->readable);
    event_del(&s->writable);
    if (s->ssl) {
        if (!s->failed && !s->connecting && !s->securing)
            stream_finish(s);
        SSL_free(s->ssl);
    }
    close(s->fd);
    buf_free(&s->in);
    buf_free(&s->out);
    memset(s, 0, sizeof *s);
    s->fd = -1;
}
