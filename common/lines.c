#include "lines.h"

#include <string.h>

static int no_memory(int r, struct err *e)
{
    return r < 0 ? err_set(e, r, r == ERR_LIMIT ? "the message is too large" : "out of memory") : 0;
}

int lines_have_crlf(struct span msg)
{
    const unsigned char *nl = msg.len ? memchr(msg.data, '\n', msg.len) : NULL;

    return nl && nl > msg.data && nl[-1] == '\r';
}

int lines_to_lf(struct span text, struct buf *out, struct err *e)
{
    const unsigned char *p = text.data, *end = p + text.len, *cr;
    int r;

    if ((r = buf_reserve(out, text.len)) < 0)
        return no_memory(r, e);
    while (p < end && (cr = memchr(p, '\r', (size_t)(end - p)))) {
        size_t n = (size_t)(cr - p);

        if (cr + 1 == end || cr[1] != '\n')
            n++;
        buf_append(out, p, n);
        p = cr + 1;
    }
    if (p < end)
        buf_append(out, p, (size_t)(end - p));
    return 0;
}

int lines_to_crlf(struct span text, struct buf *out, struct err *e)
{
    const unsigned char *p = text.data, *end = p + text.len;
    int r = 0;

    while (p < end && r == 0) {
        const unsigned char *q = p;

        while (q < end && *q != '\r' && *q != '\n')
            q++;
        if ((r = buf_append(out, p, (size_t)(q - p))) == 0)
            r = buf_append(out, "\r\n", 2);
        if (q < end)
            q += *q == '\r' && q + 1 < end && q[1] == '\n' ? 2 : 1;
        p = q;
    }
    return no_memory(r, e);
}
