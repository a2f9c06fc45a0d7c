#include "imap-set.h"

#include <stdlib.h>
#include <string.h>

#include "imap-line.h"

static int push(struct imap_set *s, uint32_t low, uint32_t high)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 4;
        struct imap_range *more = realloc(s->ranges, room * sizeof *more);

        if (!more)
            return ERR_SYSTEM;
        s->ranges = more;
        s->room = room;
    }
    s->ranges[s->count++] = (struct imap_range){low, high};
    s->numbers += (uint64_t)high - low + 1;
    return 0;
}

static int order(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;

    return x->low < y->low ? -1 : x->low > y->low;
}

static void merge(struct imap_set *s)
{
    size_t to = 0;

    if (!s->count)
        return;
    qsort(s->ranges, s->count, sizeof *s->ranges, order);
    for (size_t i = 1; i < s->count; i++) {
        if ((uint64_t)s->ranges[i].low <= (uint64_t)s->ranges[to].high + 1) {
            if (s->ranges[i].high > s->ranges[to].high)
                s->ranges[to].high = s->ranges[i].high;
        } else {
            s->ranges[++to] = s->ranges[i];
        }
    }
    s->count = to + 1;
    s->numbers = 0;
    for (size_t i = 0; i < s->count; i++)
        s->numbers += (uint64_t)s->ranges[i].high - s->ranges[i].low + 1;
}

/* A number or "*"; 0 in *out for the star. */
static int bound(struct imap_cursor *c, uint32_t *out)
{
    *out = 0;
    if (imap_octet(c, '*') == 0)
        return 0;
    return imap_number(c, out) < 0 || *out == 0 ? ERR_SYNTAX : 0;
}

static int one_range(struct imap_cursor *c, struct imap_set *out)
{
    uint32_t a, b, low;

    if (bound(c, &a) < 0)
        return ERR_SYNTAX;
    b = a;
    if (imap_octet(c, ':') == 0 && bound(c, &b) < 0)
        return ERR_SYNTAX;
    if (!a || !b) {
        out->star = 1;
        return 0;
    }
    low = a < b ? a : b;
    return push(out, low, a < b ? b : a);
}

int imap_set_parse(struct span text, struct imap_set *out, struct err *e)
{
    struct imap_cursor c = imap_cursor(text);
    int r;

    memset(out, 0, sizeof *out);
    if (text.len > IMAP_SET_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "a set of messages longer than %d octets", IMAP_SET_TEXT_MAX);
    do {
        r = one_range(&c, out);
    } while (r == 0 && imap_octet(&c, ',') == 0);
    if (r == 0 && imap_end(&c) < 0)
        r = ERR_SYNTAX;
    if (r < 0 || out->star) {
        int star = out->star;

        imap_set_clear(out);
        out->star = r < 0 ? 0 : star;
        return r < 0 ? err_set(e, r, r == ERR_SYNTAX ? "malformed set of messages" : "out of memory") : 0;
    }
    merge(out);
    return 0;
}

int imap_set_add(struct imap_set *s, uint32_t number)
{
    if (s->count > s->first && s->ranges[s->count - 1].high != UINT32_MAX &&
        s->ranges[s->count - 1].high + 1 == number) {
        s->ranges[s->count - 1].high = number;
        s->numbers++;
        return 0;
    }
    return push(s, number, number);
}

int imap_set_take(struct imap_set *s, size_t max, struct buf *out, size_t *taken)
{
    size_t got = 0;
    int r = 0;

    while (r == 0 && got < max && s->first < s->count) {
        struct imap_range *f = &s->ranges[s->first];
        uint32_t low = f->low, high = f->high;

        if ((uint64_t)high - low + 1 > max - got)
            high = low + (uint32_t)(max - got) - 1;
        r = low == high ? buf_printf(out, "%s%u", got ? "," : "", low)
                        : buf_printf(out, "%s%u:%u", got ? "," : "", low, high);
        got += (size_t)(high - low) + 1;
        if (high == f->high)
            s->first++;
        else
            f->low = high + 1;
    }
    s->numbers -= got;
    if (taken)
        *taken = got;
    return r;
}

void imap_set_clear(struct imap_set *s)
{
    free(s->ranges);
    memset(s, 0, sizeof *s);
}

static int number_ends(struct imap_search *s, size_t max, struct imap_set *out, uint64_t *beyond)
{
    uint32_t n = (uint32_t)s->number;

    if (!s->digits)
        return 0;
    if (s->number == 0 || s->number > UINT32_MAX)
        return ERR_SYNTAX;
    s->number = 0;
    s->digits = 0;
    if (out->numbers >= max) {
        ++*beyond;
        return 0;
    }
    return imap_set_add(out, n);
}

int imap_search_feed(struct imap_search *s, struct span text, size_t max, struct imap_set *out, uint64_t *beyond)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < text.len && !s->rest; i++) {
        unsigned char c = text.data[i];

        if (c >= '0' && c <= '9') {
            s->number = s->number * 10 + (uint64_t)(c - '0');
            if (++s->digits > 10)
                return ERR_SYNTAX;
        } else if (c == ' ' || c == '(' || c == '\r' || c == '\n') {
            r = number_ends(s, max, out, beyond);
            s->rest = c == '(';
        } else {
            return ERR_SYNTAX;
        }
    }
    return r;
}

int imap_search_end(struct imap_search *s, size_t max, struct imap_set *out, uint64_t *beyond)
{
    return number_ends(s, max, out, beyond);
}
