#include "inject.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/conf.h"
#include "remote.h"

enum { READ_SIZE = 4096, PATIENCE = 10 };

struct inject {
    int fd, timeout;
    int pipelining;
    int ahead;  /* an envelope was sent whose answers were not read */
    int failed; /* a transaction was left open: RSET first */
    int broken;
    struct buf in, out;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int lost(struct inject *in, struct err *e, const char *what)
{
    in->broken = 1;
    return err_set(e, ERR_RETRY, "re-injection: %s", what);
}

static int wait_for(struct inject *in, short what, int64_t deadline, struct err *e)
{
    struct pollfd p = {.fd = in->fd, .events = what};

    for (;;) {
        int64_t left = deadline - now_ms();
        int n;

        if (left <= 0)
            return lost(in, e, "no answer in time");
        n = poll(&p, 1, (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return lost(in, e, strerror(errno));
    }
}

static int flush(struct inject *in, struct err *e)
{
    int64_t deadline = now_ms() + (int64_t)in->timeout * 1000 * PATIENCE;
    size_t at = 0;
    int r;

    while (at < in->out.len) {
        ssize_t n = send(in->fd, in->out.data + at, in->out.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            at += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if ((r = wait_for(in, POLLOUT, deadline, e)) < 0)
                return r;
        } else if (errno != EINTR) {
            return lost(in, e, strerror(errno));
        }
    }
    buf_reset(&in->out);
    return 0;
}

static int read_reply(struct inject *in, int seconds, struct smtp_reply *out, struct err *e)
{
    int64_t deadline = now_ms() + (int64_t)seconds * 1000;

    for (;;) {
        size_t used;
        ssize_t n;
        int r = smtp_reply_take(in->in.data, in->in.len, out, &used, e);

        if (r < 0)
            return lost(in, e, "what came is no SMTP reply");
        if (r > 0) {
            memmove(in->in.data, in->in.data + used, in->in.len - used);
            in->in.len -= used;
            if (out->code == 421)
                return lost(in, e, out->text);
            return 0;
        }
        if (buf_reserve(&in->in, READ_SIZE) < 0)
            return lost(in, e, "out of memory");
        if ((r = wait_for(in, POLLIN, deadline, e)) < 0)
            return r;
        n = recv(in->fd, in->in.data + in->in.len, READ_SIZE, MSG_DONTWAIT);
        if (n > 0)
            in->in.len += (size_t)n;
        else if (n == 0)
            return lost(in, e, "the server closed the connection");
        else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return lost(in, e, strerror(errno));
    }
}

/* A command and its answer. */
static int command(struct inject *in, const char *line, struct smtp_reply *reply, struct err *e)
{
    int r;

    if (buf_puts(&in->out, line) < 0)
        return lost(in, e, "out of memory");
    return (r = flush(in, e)) < 0 ? r : read_reply(in, in->timeout, reply, e);
}

static int greet(struct inject *in, struct err *e)
{
    char host[256] = "localhost", line[300];
    struct smtp_reply reply;
    int r;

    if ((r = read_reply(in, in->timeout, &reply, e)) < 0)
        return r;
    if (reply.code != 220)
        return lost(in, e, "the server does not greet");
    gethostname(host, sizeof host - 1);
    snprintf(line, sizeof line, "EHLO %s\r\n", *host ? host : "localhost");
    if ((r = command(in, line, &reply, e)) < 0)
        return r;
    if (reply.code != 250)
        return lost(in, e, "the server refuses EHLO");
    in->pipelining = reply.pipelining;
    return 0;
}

int inject_open(const char *address, int timeout, struct inject **out, struct err *e)
{
    struct inject *in = calloc(1, sizeof *in);
    int r, on = 1;

    *out = NULL;
    if (!in)
        return err_set(e, ERR_SYSTEM, "out of memory");
    in->timeout = timeout;
    if ((r = conf_connect(address, timeout * 1000, &in->fd, e)) < 0) {
        free(in);
        return r;
    }
    setsockopt(in->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket, which needs none */
    if ((r = greet(in, e)) < 0) {
        inject_close(&in);
        return r;
    }
    *out = in;
    return 0;
}

void inject_close(struct inject **inp)
{
    struct inject *in = *inp;

    if (!in)
        return;
    if (!in->broken && !in->ahead && buf_puts(&in->out, "QUIT\r\n") == 0)
        flush(in, NULL);
    close(in->fd);
    buf_free(&in->in);
    buf_free(&in->out);
    free(in);
    *inp = NULL;
}

int inject_ahead(const struct inject *in)
{
    return in->ahead;
}

static int put_envelope(struct inject *in, const struct inject_envelope *env, struct err *e)
{
    return buf_printf(&in->out, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", env->sender, env->recipient) < 0
               ? lost(in, e, "out of memory")
               : 0;
}

/* Without PIPELINING: a command at a time, and none after one that was refused. */
static int step_by_step(struct inject *in, const struct inject_envelope *env, struct smtp_reply answers[3],
                        struct err *e)
{
    static const char *const forms[] = {"MAIL FROM:<%s>\r\n", "RCPT TO:<%s>\r\n", "DATA\r\n"};
    const char *words[] = {env->sender, env->recipient, ""};
    int r = 0;

    for (int i = 0; r == 0 && i < 3 && (i == 0 || answers[i - 1].code < 300); i++) {
        struct buf line = BUF_INIT;

        r = buf_printf(&line, forms[i], words[i]) < 0 ? lost(in, e, "out of memory")
                                                      : command(in, buf_str(&line), &answers[i], e);
        buf_free(&line);
    }
    return r;
}

static int envelope(struct inject *in, const struct inject_envelope *env, struct smtp_reply answers[3], struct err *e)
{
    struct smtp_reply reset;
    int r = 0;

    if (in->failed && (r = command(in, "RSET\r\n", &reset, e)) < 0)
        return r;
    in->failed = 0;
    if (!in->pipelining)
        return step_by_step(in, env, answers, e);
    if (!in->ahead && ((r = put_envelope(in, env, e)) < 0 || (r = flush(in, e)) < 0))
        return r;
    in->ahead = 0;
    for (int i = 0; r == 0 && i < 3; i++)
        r = read_reply(in, in->timeout, &answers[i], e);
    return r;
}

/* What the three answers come to: 0 = send the message, 1 = this recipient gets none (outcome is set). */
static int judge(struct inject *in, const struct smtp_reply answers[3], enum inject_outcome *outcome,
                 struct smtp_reply *reply, struct err *e)
{
    struct smtp_reply ignored;
    int r;

    in->failed = 1;
    *reply = answers[0];
    if (answers[0].code / 100 != 2)
        return lost(in, e, "the server refuses the sender of the copies");
    *reply = answers[1];
    if (answers[1].code / 100 != 2) {
        *outcome = answers[1].code / 100 == 5 ? INJECT_REFUSED : INJECT_DEFERRED;
        /* A server that wants data for nobody gets none. */
        if (answers[2].code == 354 && (r = command(in, ".\r\n", &ignored, e)) < 0)
            return r;
        return 1;
    }
    *reply = answers[2];
    if (answers[2].code != 354) {
        *outcome = INJECT_DEFERRED;
        return answers[2].code / 100 == 5 ? lost(in, e, "the server refuses the message") : 1;
    }
    in->failed = 0;
    return 0;
}

int inject_copy(struct inject *in, const struct inject_envelope *env, const struct span *pieces, size_t count,
                const struct inject_envelope *next, enum inject_outcome *outcome, struct smtp_reply *reply,
                struct err *e)
{
    struct smtp_reply answers[3];
    int r;

    memset(answers, 0, sizeof answers);
    memset(reply, 0, sizeof *reply);
    *outcome = INJECT_DEFERRED;
    if (in->broken)
        return err_set(e, ERR_RETRY, "re-injection: the connection is gone");
    if (!remote_sendable(env->sender) || !remote_sendable(env->recipient) || !*env->recipient)
        return err_set(e, ERR_SYNTAX, "the address cannot be sent on");
    if ((r = envelope(in, env, answers, e)) < 0)
        return r;
    if ((r = judge(in, answers, outcome, reply, e)) != 0)
        return r < 0 ? r : 0;
    for (size_t i = 0; i < count; i++)
        if (buf_append(&in->out, pieces[i].data, pieces[i].len) < 0)
            return lost(in, e, "out of memory");
    if (buf_puts(&in->out, ".\r\n") < 0)
        return lost(in, e, "out of memory");
    if (next && in->pipelining && remote_sendable(next->sender) && remote_sendable(next->recipient)) {
        if ((r = put_envelope(in, next, e)) < 0)
            return r;
        in->ahead = 1;
    }
    if ((r = flush(in, e)) < 0 || (r = read_reply(in, in->timeout * PATIENCE, reply, e)) < 0)
        return r;
    *outcome = reply->code / 100 == 2 ? INJECT_TAKEN : INJECT_DEFERRED;
    return reply->code / 100 == 5 ? lost(in, e, "the server refuses the message") : 0;
}
