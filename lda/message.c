#include "message.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/lines.h"

static int no_memory(int r, struct err *e)
{
    return r < 0 ? err_set(e, r, r == ERR_LIMIT ? "the message is too large" : "out of memory") : 0;
}

int message_read(int fd, size_t max, struct buf *out, struct err *e)
{
    enum { STEP = 64 << 10 };
    int r;

    out->max = max;
    for (;;) {
        size_t room = max - out->len;
        unsigned char past;
        ssize_t n;

        /* With no room left one octet more tells a message of exactly max octets from a longer one. */
        if (room > 0 && (r = buf_reserve(out, room < STEP ? room : STEP)) < 0)
            return no_memory(r, e);
        do
            n = room > 0 ? read(fd, out->data + out->len, room < STEP ? room : STEP) : read(fd, &past, 1);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return err_errno(e, "cannot read the message");
        if (n == 0)
            return 0;
        if (room == 0)
            return err_set(e, ERR_LIMIT, "the message is larger than %zu octets", max);
        out->len += (size_t)n;
        out->data[out->len] = 0;
    }
}

struct span message_without_from_line(struct span msg)
{
    const unsigned char *nl;

    if (msg.len < 5 || memcmp(msg.data, "From ", 5) != 0 || !(nl = memchr(msg.data, '\n', msg.len)))
        return msg;
    nl++;
    return (struct span){nl, msg.len - (size_t)(nl - msg.data)};
}

/* Is p..end's line the field "name:"? The value's first line goes to *value. */
static int line_is_field(const unsigned char *p, size_t len, const char *name, struct span *value)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp((const char *)p, name, n) != 0 || p[n] != ':')
        return 0;
    value->data = p + n + 1;
    value->len = len - n - 1;
    while (value->len && (value->data[0] == ' ' || value->data[0] == '\t')) {
        value->data++;
        value->len--;
    }
    while (value->len && strchr(" \t\r", value->data[value->len - 1]))
        value->len--;
    return 1;
}

static const char *const trace[] = {"Return-Path", "Delivered-To", "X-Original-To"};

static int is_trace(const unsigned char *p, size_t len)
{
    struct span value;

    for (size_t i = 0; i < sizeof trace / sizeof *trace; i++)
        if (line_is_field(p, len, trace[i], &value))
            return 1;
    return 0;
}

struct span message_without_delivery_fields(struct span msg)
{
    const unsigned char *p = msg.data, *end = p + msg.len, *nl;

    while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) && is_trace(p, (size_t)(nl - p)) && nl + 1 < end &&
           nl[1] != ' ' && nl[1] != '\t')
        p = nl + 1;
    return (struct span){p, (size_t)(end - p)};
}

/* The header's first field of that name: true and its first line's value. Only top: the trace fields an MTA has just
 * put on, which end at the first field that is none. */
static int find_field(struct span msg, const char *name, int top, struct span *value)
{
    const unsigned char *p = msg.data, *end = p + msg.len;

    while (p < end) {
        const unsigned char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl ? nl : end) - p);

        if (len == 0 || (len == 1 && p[0] == '\r'))
            return 0;
        if (line_is_field(p, len, name, value))
            return 1;
        if ((top && !is_trace(p, len)) || !nl)
            return 0;
        p = nl + 1;
    }
    return 0;
}

int message_has_field(struct span msg, const char *name)
{
    struct span value;

    return find_field(msg, name, 0, &value);
}

static int has_value(struct span msg, const char *name, const char *open, const char *value, const char *close)
{
    struct span v;
    size_t o = strlen(open), n = strlen(value), c = strlen(close);

    return find_field(msg, name, 1, &v) && v.len == o + n + c && memcmp(v.data, open, o) == 0 &&
           strncasecmp((const char *)v.data + o, value, n) == 0 && memcmp(v.data + o + n, close, c) == 0;
}

int message_delivery_fields(struct span msg, const char *sender, const char *recipient, struct buf *out,
                            struct err *e)
{
    const char *eol = lines_have_crlf(msg) ? "\r\n" : "\n";
    int r = 0;

    if (sender && !has_value(msg, "Return-Path", "<", sender, ">"))
        r = buf_printf(out, "Return-Path: <%s>%s", sender, eol);
    if (r == 0 && recipient && !has_value(msg, "Delivered-To", "", recipient, ""))
        r = buf_printf(out, "Delivered-To: %s%s", recipient, eol);
    return no_memory(r, e);
}
