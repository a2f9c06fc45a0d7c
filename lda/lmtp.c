#include "lmtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/udf.h"

/* Where we are in a message's octets. */
enum data_state {
    DATA_LINE,   /* at the beginning of a line */
    DATA_DOT,    /* a dot at the beginning of a line */
    DATA_DOT_CR, /* dot, CR */
    DATA_TEXT,   /* inside a line */
    DATA_CR      /* a CR that may begin a line end */
};

struct lmtp {
    struct lmtp_handler h;
    char host[256];
    size_t max_message;
    int over, errors, greeted;

    char line[LMTP_LINE_MAX + 1];
    size_t line_len;
    int line_long;

    int has_sender;
    char sender[LMTP_PATH_MAX + 1];
    char **recipients;
    size_t count;

    int in_data, too_large, bare_lf, no_memory;
    enum data_state state;
    struct buf msg;
    struct buf answers;
};

static void answer(struct lmtp *l, const char *text)
{
    if (buf_puts(&l->answers, text) < 0 || buf_puts(&l->answers, "\r\n") < 0)
        l->over = 1;
}

/* Answers wait for each other: a pipelined batch of commands gets one packet. */
static void flush(struct lmtp *l)
{
    if (l->answers.len && l->h.send(l->h.arg, l->answers.data, l->answers.len) < 0)
        l->over = 1;
    buf_reset(&l->answers);
}

static void fault(struct lmtp *l, const char *text)
{
    answer(l, text);
    if (++l->errors >= LMTP_ERRORS_MAX) {
        answer(l, "421 4.7.0 too many errors");
        l->over = 1;
    }
}

static void reset(struct lmtp *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->recipients[i]);
    free(l->recipients);
    l->recipients = NULL;
    l->count = 0;
    l->has_sender = 0;
    l->sender[0] = 0;
    l->in_data = l->too_large = l->bare_lf = l->no_memory = 0;
    buf_free(&l->msg);
}

int lmtp_new(const char *host, size_t max_message, const struct lmtp_handler *h, struct lmtp **out, struct err *e)
{
    struct lmtp *l = calloc(1, sizeof *l);

    *out = NULL;
    if (!l)
        return err_set(e, ERR_SYSTEM, "out of memory");
    l->h = *h;
    l->max_message = max_message;
    snprintf(l->host, sizeof l->host, "%s", host);
    if (buf_printf(&l->answers, "220 %s LMTP recrypt-lda\r\n", l->host) < 0) {
        free(l);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    flush(l);
    *out = l;
    return 0;
}

void lmtp_end(struct lmtp *l, const char *text)
{
    if (!l->over && buf_printf(&l->answers, "421 %s\r\n", text) == 0)
        flush(l);
    l->over = 1;
}

void lmtp_free(struct lmtp **l)
{
    if (!*l)
        return;
    reset(*l);
    buf_free(&(*l)->answers);
    free(*l);
    *l = NULL;
}

/* "<path>" at the beginning of s: the path without brackets into out, *rest behind it. Quoted strings may hold '>'. */
static int read_path(char *s, char out[LMTP_PATH_MAX + 1], char **rest)
{
    int quoted = 0;
    size_t n = 0;

    if (*s++ != '<')
        return -1;
    for (; *s && (quoted || *s != '>'); s++) {
        if ((unsigned char)*s > 0x7e || (unsigned char)*s < 0x20 || (!quoted && (*s == ' ' || *s == '<')))
            return -1;
        if (n + 2 >= LMTP_PATH_MAX)
            return -1;
        if (quoted && *s == '\\' && s[1])
            out[n++] = *s++;
        else if (*s == '"')
            quoted = !quoted;
        out[n++] = *s;
    }
    if (*s != '>' || (s[1] && s[1] != ' '))
        return -1;
    out[n] = 0;
    *rest = s + 1;
    return 0;
}

/* The parameters of MAIL. NULL = fine, else the answer. */
static const char *read_parameters(struct lmtp *l, char *s)
{
    for (char *word = strtok(s, " "); word; word = strtok(NULL, " ")) {
        if (strncasecmp(word, "SIZE=", 5) == 0) {
            char *end;
            unsigned long long n = strtoull(word + 5, &end, 10);

            if (word[5] < '0' || word[5] > '9' || *end)
                return "501 5.5.4 bad SIZE";
            if (n > l->max_message)
                return "552 5.3.4 the message is too large";
        } else if (strcasecmp(word, "BODY=7BIT") != 0 && strcasecmp(word, "BODY=8BITMIME") != 0) {
            return "555 5.5.4 unknown parameter";
        }
    }
    return NULL;
}

static void do_mail(struct lmtp *l, char *arg)
{
    const char *bad;
    char *rest;

    if (!l->greeted || l->has_sender) {
        fault(l, l->greeted ? "503 5.5.1 nested MAIL" : "503 5.5.1 LHLO first");
    } else if (strncasecmp(arg, "FROM:", 5) != 0 || read_path(arg + 5, l->sender, &rest) < 0) {
        fault(l, "501 5.1.7 MAIL FROM:<address>");
    } else if ((bad = read_parameters(l, rest))) {
        fault(l, bad);
    } else {
        l->has_sender = 1;
        answer(l, "250 2.1.0 sender ok");
    }
}

static int add_recipient(struct lmtp *l, const char *path)
{
    char **more = realloc(l->recipients, (l->count + 1) * sizeof *more), *copy = strdup(path);

    if (more)
        l->recipients = more;
    if (!more || !copy) {
        free(copy);
        return -1;
    }
    l->recipients[l->count++] = copy;
    return 0;
}

static void do_rcpt(struct lmtp *l, char *arg)
{
    char path[LMTP_PATH_MAX + 1], canonical[ADDRESS_SIZE], *rest;

    if (!l->has_sender)
        fault(l, "503 5.5.1 MAIL first");
    else if (strncasecmp(arg, "TO:", 3) != 0 || read_path(arg + 3, path, &rest) < 0)
        fault(l, "501 5.1.3 RCPT TO:<address>");
    else if (rest[strspn(rest, " ")])
        fault(l, "555 5.5.4 unknown parameter");
    else if (l->count >= LMTP_RECIPIENTS_MAX)
        answer(l, "452 4.5.3 too many recipients");
    else if (address_canonical(path, strlen(path), canonical, NULL) < 0)
        answer(l, "553 5.1.3 not an address that has a mailbox here");
    else if (add_recipient(l, path) < 0)
        answer(l, "451 4.3.0 out of memory");
    else
        answer(l, "250 2.1.5 recipient ok");
}

static void do_data(struct lmtp *l)
{
    if (!l->count) {
        fault(l, "503 5.5.1 no recipients");
        return;
    }
    l->in_data = 1;
    l->state = DATA_LINE;
    l->msg.max = l->max_message;
    answer(l, "354 end with a line of one dot");
}

static void do_lhlo(struct lmtp *l, const char *arg)
{
    if (!*arg) {
        fault(l, "501 5.5.4 LHLO name");
        return;
    }
    reset(l);
    l->greeted = 1;
    if (buf_printf(&l->answers,
                   "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE %zu\r\n250 ENHANCEDSTATUSCODES\r\n", l->host,
                   l->max_message) < 0)
        l->over = 1;
}

static void command(struct lmtp *l)
{
    char *line = l->line, *arg = line + strcspn(line, " ");
    size_t verb = (size_t)(arg - line);
#define IS(name) (verb == sizeof name - 1 && strncasecmp(line, name, verb) == 0)

    arg += *arg == ' ';
    if (IS("LHLO")) {
        do_lhlo(l, arg);
    } else if (IS("MAIL")) {
        do_mail(l, arg);
    } else if (IS("RCPT")) {
        do_rcpt(l, arg);
    } else if (IS("DATA")) {
        do_data(l);
    } else if (IS("RSET")) {
        reset(l);
        answer(l, "250 2.0.0 ok");
    } else if (IS("NOOP")) {
        answer(l, "250 2.0.0 ok");
    } else if (IS("VRFY")) {
        answer(l, "252 2.5.0 cannot tell");
    } else if (IS("QUIT")) {
        answer(l, "221 2.0.0 bye");
        l->over = 1;
    } else {
        fault(l, IS("HELO") || IS("EHLO") ? "500 5.5.1 this is LMTP: LHLO" : "500 5.5.1 unknown command");
    }
#undef IS
}

/* Takes octets up to and with one LF. Returns how many. */
static size_t feed_line(struct lmtp *l, const unsigned char *p, size_t len)
{
    const unsigned char *nl = memchr(p, '\n', len);
    size_t n = nl ? (size_t)(nl - p) + 1 : len, room = LMTP_LINE_MAX - l->line_len, take = n < room ? n : room;

    memcpy(l->line + l->line_len, p, take);
    l->line_len += take;
    if (take < n)
        l->line_long = 1;
    if (!nl)
        return n;
    if (l->line_long) {
        fault(l, "500 5.5.2 line too long");
    } else if (l->line_len < 2 || l->line[l->line_len - 2] != '\r') {
        fault(l, "500 5.5.2 a line ends with CR LF");
    } else {
        l->line_len -= 2;
        l->line[l->line_len] = 0;
        if (memchr(l->line, 0, l->line_len) || memchr(l->line, '\r', l->line_len))
            fault(l, "500 5.5.2 NUL or CR in a command");
        else
            command(l);
    }
    l->line_len = 0;
    l->line_long = 0;
    return n;
}

static void keep(struct lmtp *l, const void *data, size_t len)
{
    int r;

    if (l->too_large || l->no_memory || (r = buf_append(&l->msg, data, len)) == 0)
        return;
    if (r == ERR_LIMIT)
        l->too_large = 1;
    else
        l->no_memory = 1;
    buf_free(&l->msg);
}

static void answer_verdict(struct lmtp *l, const struct verdict *v)
{
    const char *code = v->status == EX_OK       ? "250"
                       : v->enhanced[0] == '4'  ? "451"
                       : v->status == EX_NOUSER ? "550"
                                                : "554";

    if (buf_printf(&l->answers, "%s %s %s\r\n", code, v->enhanced, v->text) < 0)
        l->over = 1;
    flush(l);
}

/* The message is complete: one answer for each recipient, in their order. */
static void deliver_all(struct lmtp *l)
{
    struct span msg = {l->msg.data, l->msg.len};

    flush(l);
    for (size_t i = 0; i < l->count; i++) {
        struct envelope env = {l->sender, l->recipients[i], "", "", 1};
        struct verdict v;

        if (l->bare_lf)
            verdict_set(&v, EX_DATAERR, "5.5.2", "a line that does not end with CR LF");
        else if (l->too_large)
            verdict_set(&v, EX_UNAVAILABLE, "5.3.4", "the message is too large");
        else if (l->no_memory)
            verdict_set(&v, EX_TEMPFAIL, "4.3.0", "out of memory");
        else
            l->h.deliver(l->h.arg, &env, msg, &v);
        answer_verdict(l, &v);
    }
    reset(l);
}

/* What follows a CR that was seen inside a line. The CR is kept unless it was half of a line end. */
static size_t after_cr(struct lmtp *l, unsigned char c)
{
    if (c == '\n') {
        keep(l, "\n", 1);
        l->state = DATA_LINE;
        return 1;
    }
    keep(l, "\r", 1);
    l->state = c == '\r' ? DATA_CR : DATA_TEXT;
    return c == '\r';
}

static size_t text(struct lmtp *l, const unsigned char *p, size_t len)
{
    size_t n = 0;

    while (n < len && p[n] != '\r' && p[n] != '\n')
        n++;
    keep(l, p, n);
    if (n == len)
        return n;
    if (p[n] == '\r') {
        l->state = DATA_CR;
    } else {
        l->bare_lf = 1; /* and not the beginning of a line: a dot behind it ends nothing */
        keep(l, "\n", 1);
    }
    return n + 1;
}

/* One step in a message. Returns how many octets it took; 0 when only the state moved. */
static size_t feed_data(struct lmtp *l, const unsigned char *p, size_t len)
{
    switch (l->state) {
    case DATA_LINE:
        l->state = *p == '.' ? DATA_DOT : DATA_TEXT;
        return *p == '.';
    case DATA_DOT:
        l->state = *p == '\r' ? DATA_DOT_CR : DATA_TEXT;
        return *p == '\r';
    case DATA_DOT_CR:
        if (*p != '\n') {
            l->state = DATA_CR;
            return 0;
        }
        deliver_all(l);
        return 1;
    case DATA_CR:
        return after_cr(l, *p);
    case DATA_TEXT:
        break;
    }
    return text(l, p, len);
}

int lmtp_feed(struct lmtp *l, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len && !l->over) {
        size_t n = l->in_data ? feed_data(l, p, len) : feed_line(l, p, len);

        p += n;
        len -= n;
    }
    flush(l);
    return l->over;
}
