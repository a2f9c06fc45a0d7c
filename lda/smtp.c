#include "smtp.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"

/* ADDRESS_MAX: with its command below the 512 octets of RFC 5321 section 4.5.3.1.4. */
enum { READ_SIZE = 4096, BLOCK = 65536, ADDRESS_MAX = 320 };

struct smtp {
    int fd, timeout;
    int pipelining;
    int lost;
    struct buf in, out;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int smtp_lost(struct smtp *s, const char *why, struct err *e)
{
    s->lost = 1;
    return err_set(e, ERR_RETRY, "%s", why);
}

int smtp_is_lost(const struct smtp *s)
{
    return s->lost;
}

int smtp_pipelining(const struct smtp *s)
{
    return s->pipelining;
}

static int wait_for(struct smtp *s, short what, int64_t deadline, struct err *e)
{
    struct pollfd p = {.fd = s->fd, .events = what};

    for (;;) {
        int64_t left = deadline - now_ms();
        int n;

        if (left <= 0)
            return smtp_lost(s, "no answer in time", e);
        n = poll(&p, 1, (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return smtp_lost(s, strerror(errno), e);
    }
}

/* ---- writing ---- */

int smtp_flush(struct smtp *s, struct err *e)
{
    int64_t deadline = now_ms() + (int64_t)s->timeout * 1000 * SMTP_PATIENCE;
    size_t at = 0;
    int r;

    if (s->lost)
        return smtp_lost(s, "the connection is gone", e);
    if (s->in.len)
        return smtp_lost(s, "the server answers what it was not asked", e);
    while (at < s->out.len) {
        ssize_t n = send(s->fd, s->out.data + at, s->out.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            at += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if ((r = wait_for(s, POLLOUT, deadline, e)) < 0)
                return r;
        } else if (errno != EINTR) {
            return smtp_lost(s, strerror(errno), e);
        }
    }
    buf_reset(&s->out);
    return 0;
}

/* After something was put to what waits. */
static int written(struct smtp *s, int r, struct err *e)
{
    if (r < 0)
        return smtp_lost(s, "out of memory", e);
    return s->out.len >= BLOCK ? smtp_flush(s, e) : 0;
}

int smtp_write(struct smtp *s, struct span data, struct err *e)
{
    size_t n;
    int r = 0;

    for (size_t at = 0; r == 0 && at < data.len; at += n) {
        n = data.len - at < BLOCK ? data.len - at : BLOCK;
        r = written(s, buf_append(&s->out, data.data + at, n), e);
    }
    return r;
}

int smtp_printf(struct smtp *s, struct err *e, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        return smtp_lost(s, "the command is too long", e);
    return smtp_write(s, (struct span){(const unsigned char *)line, (size_t)n}, e);
}

int smtp_stuff(struct span data, int *start, struct buf *out)
{
    const unsigned char *p = data.data, *end = p + data.len;
    int r = 0;

    while (r == 0 && p < end) {
        const unsigned char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) + 1 : (size_t)(end - p);

        if (*start && *p == '.')
            r = buf_append(out, ".", 1);
        if (r == 0)
            r = buf_append(out, p, n);
        *start = nl != NULL;
        p += n;
    }
    return r;
}

int smtp_message(struct smtp *s, struct span text, struct err *e)
{
    int r = 0, start = 1;
    size_t n;

    for (size_t at = 0; r == 0 && at < text.len; at += n) {
        n = text.len - at < BLOCK ? text.len - at : BLOCK;
        r = written(s, smtp_stuff((struct span){text.data + at, n}, &start, &s->out), e);
    }
    return r < 0 ? r : smtp_printf(s, e, ".\r\n");
}

/* ---- reading ---- */

static int read_reply(struct smtp *s, int seconds, struct smtp_reply *out, struct err *e)
{
    int64_t deadline = now_ms() + (int64_t)seconds * 1000;
    struct smtp_reply got;

    memset(out, 0, sizeof *out);
    if (s->lost)
        return smtp_lost(s, "the connection is gone", e);
    for (;;) {
        size_t used;
        ssize_t n;
        int r = smtp_reply_take(s->in.data, s->in.len, &got, &used, e);

        if (r < 0)
            return smtp_lost(s, "what came is no SMTP reply", e);
        if (r > 0) {
            *out = got;
            memmove(s->in.data, s->in.data + used, s->in.len - used);
            s->in.len -= used;
            return out->code == 421 ? smtp_lost(s, out->text, e) : 0;
        }
        if (buf_reserve(&s->in, READ_SIZE) < 0)
            return smtp_lost(s, "out of memory", e);
        if ((r = wait_for(s, POLLIN, deadline, e)) < 0)
            return r;
        n = recv(s->fd, s->in.data + s->in.len, READ_SIZE, MSG_DONTWAIT);
        if (n > 0)
            s->in.len += (size_t)n;
        else if (n == 0)
            return smtp_lost(s, "the server closed the connection", e);
        else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return smtp_lost(s, strerror(errno), e);
    }
}

int smtp_answer(struct smtp *s, struct smtp_reply *out, struct err *e)
{
    return read_reply(s, s->timeout, out, e);
}

int smtp_message_answer(struct smtp *s, struct smtp_reply *out, struct err *e)
{
    return read_reply(s, s->timeout * SMTP_PATIENCE, out, e);
}

int smtp_command(struct smtp *s, const char *line, struct smtp_reply *out, struct err *e)
{
    int r;

    memset(out, 0, sizeof *out);
    if ((r = smtp_printf(s, e, "%s", line)) < 0 || (r = smtp_flush(s, e)) < 0)
        return r;
    return smtp_answer(s, out, e);
}

/* ---- a connection ---- */

static int say_hello(struct smtp *s, const char *word, struct smtp_reply *out, struct err *e)
{
    char host[256] = "", line[300];

    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        strcpy(host, "localhost");
    snprintf(line, sizeof line, "%s %s\r\n", word, host);
    return smtp_command(s, line, out, e);
}

static int greet(struct smtp *s, enum smtp_hello hello, struct err *e)
{
    struct smtp_reply reply;
    int r;

    if ((r = smtp_answer(s, &reply, e)) < 0)
        return r;
    if (reply.code != 220)
        return err_set(e, ERR_RETRY, "the server does not greet: %d %s", reply.code, reply.text);
    if ((r = say_hello(s, hello == SMTP_LHLO ? "LHLO" : "EHLO", &reply, e)) < 0)
        return r;
    s->pipelining = reply.code == 250 && reply.pipelining;
    if (reply.code != 250 && hello == SMTP_EHLO && (r = say_hello(s, "HELO", &reply, e)) < 0)
        return r;
    if (reply.code != 250)
        return err_set(e, ERR_RETRY, "the server refuses the greeting: %d %s", reply.code, reply.text);
    return 0;
}

int smtp_open(const char *address, enum smtp_hello hello, int timeout, struct smtp **out, struct err *e)
{
    struct smtp *s = calloc(1, sizeof *s);
    int r;

    *out = NULL;
    if (!s)
        return err_set(e, ERR_SYSTEM, "out of memory");
    s->timeout = timeout;
    if ((r = conf_connect(address, timeout * 1000, &s->fd, e)) < 0) {
        free(s);
        return r;
    }
    if ((r = greet(s, hello, e)) < 0) {
        smtp_close(&s);
        return r;
    }
    *out = s;
    return 0;
}

void smtp_close(struct smtp **sp)
{
    struct smtp *s = *sp;

    if (!s)
        return;
    if (!s->lost && !s->out.len)
        (void)!send(s->fd, "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(s->fd);
    buf_free(&s->in);
    buf_free(&s->out);
    free(s);
    *sp = NULL;
}

int smtp_sendable(const char *address)
{
    if (strlen(address) > ADDRESS_MAX)
        return 0;
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e || *p == '<' || *p == '>')
            return 0;
    return 1;
}
