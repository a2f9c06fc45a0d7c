#include "mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/lines.h"

#define FAMILY "X-Recrypt-"
enum { VALUE_MAX = 400 };

/* The line that begins at p: its end with LF, CRLF or bare CR, which some readers take for one. */
static const unsigned char *line_end(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    if (p < end && *p == '\r' && p + 1 < end && p[1] == '\n')
        p++;
    return p < end ? p + 1 : end;
}

static int is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static int is_ours(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (is_space(*p) || *p == 0))
        p++;
    return (size_t)(end - p) >= strlen(FAMILY) && strncasecmp((const char *)p, FAMILY, strlen(FAMILY)) == 0;
}

static int put(struct buf *out, const void *data, size_t len, struct err *e)
{
    int r = buf_append(out, data, len);

    return r < 0 ? err_set(e, r, r == ERR_LIMIT ? "the message is too large" : "out of memory") : 0;
}

/* The header's lines without those of our family and what continues them. At its first line nothing can be continued:
 * one that begins with white space would become a part of our own field. */
static int put_header(struct span header, struct buf *out, struct err *e)
{
    const unsigned char *p = header.data, *end = p + header.len, *next;
    int drop = 1, r = 0;

    for (; r == 0 && p < end; p = next) {
        next = line_end(p, end);
        if (is_ours(p, next))
            drop = 1;
        else if (!is_space(*p))
            drop = 0;
        if (!drop)
            r = put(out, p, (size_t)(next - p), e);
    }
    return r;
}

/* Is every line end CRLF, and no CR elsewhere? Then LF tells the same. */
static int all_crlf(struct span s)
{
    const unsigned char *p = s.data, *end = p + s.len, *lf;
    size_t lfs = 0, crs = 0;

    for (const unsigned char *q = p; q < end && (q = memchr(q, '\r', (size_t)(end - q))); q++)
        crs++;
    for (; p < end && (lf = memchr(p, '\n', (size_t)(end - p))); p = lf + 1, lfs++)
        if (lf == s.data || lf[-1] != '\r')
            return 0;
    return lfs == crs;
}

static int put_field(const char *value, const char *line_end, struct buf *out, struct err *e)
{
    char line[VALUE_MAX + 64];
    int r;

    snprintf(line, sizeof line, FAMILY "Status: %.*s", VALUE_MAX, value);
    err_printable(line);
    for (char *p = line; (p = strstr(p, "=?")); p++)
        p[1] = '_'; /* or else a reader may show what an encoded word (RFC 2047) stands for */
    r = put(out, line, strlen(line), e);
    return r < 0 ? r : put(out, line_end, strlen(line_end), e);
}

int mark_message(struct span msg, const char *value, int as_it_is, struct buf *out, struct err *e)
{
    int to_lf = !as_it_is && all_crlf(msg), r;
    struct buf clean = BUF_INIT;
    struct span header, body, rest;

    mime_split(msg, &header, &body);
    rest = (struct span){msg.data + header.len, msg.len - header.len}; /* with the empty line */
    if ((r = put_field(value, lines_have_crlf(msg) && !to_lf ? "\r\n" : "\n", out, e)) < 0 ||
        (r = put_header(header, &clean, e)) < 0)
        goto out;
    header = (struct span){(const unsigned char *)buf_str(&clean), clean.len};
    if (to_lf)
        r = (r = lines_to_lf(header, out, e)) < 0 ? r : lines_to_lf(rest, out, e);
    else
        r = (r = put(out, header.data, header.len, e)) < 0 ? r : put(out, rest.data, rest.len, e);
out:
    buf_free(&clean);
    return r;
}
