#include "imap-read.h"

#include <string.h>

enum { NUMBER_DIGITS = 18 }; /* any number of so many digits fits */

static void keep_tail(struct imap_reader *r, const unsigned char *data, size_t len)
{
    size_t stay;

    if (len >= IMAP_TAIL_MAX) {
        memcpy(r->tail, data + len - IMAP_TAIL_MAX, IMAP_TAIL_MAX);
        r->tail_len = IMAP_TAIL_MAX;
        return;
    }
    stay = r->tail_len + len > IMAP_TAIL_MAX ? IMAP_TAIL_MAX - len : r->tail_len;
    memmove(r->tail, r->tail + r->tail_len - stay, stay);
    memcpy(r->tail + stay, data, len);
    r->tail_len = stay + len;
}

static int long_line(struct imap_reader *r, const unsigned char *data, size_t len, const unsigned char *lf,
                     size_t *used)
{
    *used = lf ? (size_t)(lf - data) + 1 : len;
    keep_tail(r, data, *used);
    r->scanned = 0;
    r->inside = !lf;
    return lf ? IMAP_LAST : IMAP_PART;
}

int imap_read(struct imap_reader *r, const unsigned char *data, size_t len, size_t *used)
{
    const unsigned char *lf;

    *used = 0;
    if (len == 0)
        return IMAP_MORE;
    if (r->literal) {
        *used = r->literal < len ? (size_t)r->literal : len;
        r->literal -= *used;
        return IMAP_LITERAL;
    }
    if (r->scanned > len)
        r->scanned = 0;
    lf = memchr(data + r->scanned, '\n', len - r->scanned);
    if (r->inside)
        return long_line(r, data, len, lf, used);
    if (lf && (size_t)(lf - data) < IMAP_LINE_MAX) {
        *used = (size_t)(lf - data) + 1;
        r->scanned = 0;
        return IMAP_LINE;
    }
    if (!lf && len < IMAP_LINE_MAX) {
        r->scanned = len;
        return IMAP_MORE;
    }
    if (!r->in_pieces)
        return ERR_LIMIT;
    r->tail_len = 0;
    /* The first piece has IMAP_LINE_MAX octets, however they arrived. */
    return long_line(r, data, IMAP_LINE_MAX, NULL, used);
}

void imap_read_literal(struct imap_reader *r, uint64_t octets)
{
    r->literal = octets;
}

struct span imap_text(const unsigned char *line, size_t len)
{
    if (len && line[len - 1] == '\n')
        len--;
    if (len && line[len - 1] == '\r')
        len--;
    return (struct span){line, len};
}

/* The announcement at the end of a text: 1 and where it begins; 0 = none; ERR_SYNTAX = one with a number out of range.
 */
static int announced(struct span text, int client, struct imap_literal *out, size_t *begin)
{
    size_t at = text.len, digits = 0;
    uint64_t n = 0, unit = 1;

    out->octets = 0;
    out->waits = 1;
    if (at == 0 || text.data[--at] != '}')
        return 0;
    if (client && at && text.data[at - 1] == '+') {
        at--;
        out->waits = 0;
    }
    for (; at && text.data[at - 1] >= '0' && text.data[at - 1] <= '9'; at--, digits++)
        if (digits < NUMBER_DIGITS) {
            n += (uint64_t)(text.data[at - 1] - '0') * unit;
            unit *= 10;
        }
    if (at == 0 || text.data[at - 1] != '{' || digits == 0)
        return 0;
    if (digits > NUMBER_DIGITS)
        return ERR_SYNTAX;
    *begin = at - 1;
    out->octets = n;
    return 1;
}

int imap_server_literal(struct span text, struct imap_literal *out)
{
    size_t begin;

    return announced(text, 0, out, &begin) == 1;
}

int imap_status_literal(struct span text, struct imap_literal *out)
{
    const unsigned char *code = text.len ? memchr(text.data, '[', text.len) : NULL;

    out->octets = 0;
    if (!code || memchr(code, ']', (size_t)(text.data + text.len - code)))
        return 0;
    return imap_server_literal(text, out);
}

/* Is the place at the end of the text inside a quoted string? */
static int in_quotes(struct span text)
{
    int quoted = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            quoted = !quoted;
        else if (quoted && text.data[i] == '\\')
            i++;
    }
    return quoted;
}

int imap_client_literal(struct span text, struct imap_literal *out)
{
    size_t begin;
    int r = announced(text, 1, out, &begin);
    unsigned char before;

    if (r <= 0)
        return r;
    /* Literals have a place of their own; "~" marks one of binary data (RFC 3516). */
    before = begin ? text.data[begin - 1] : ' ';
    if (before == '~')
        before = begin > 1 ? text.data[begin - 2] : ' ';
    if (!strchr(" ([", before) || before == 0 || in_quotes((struct span){text.data, begin}))
        return ERR_SYNTAX;
    return 1;
}

int imap_client_check(struct span text)
{
    if (text.len && (memchr(text.data, '\r', text.len) || memchr(text.data, 0, text.len)))
        return ERR_SYNTAX;
    return 0;
}
