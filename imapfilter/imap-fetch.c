#include "imap-fetch.h"

#include <string.h>

#include "imap-line.h"

/* Passes over a quoted string, or a literal with what it announces. */
static int skip_string(struct imap_cursor *c)
{
    struct imap_cursor at = *c;
    uint32_t n;

    if (imap_octet(&at, '"') == 0) {
        for (; at.at < at.end && *at.at != '"'; at.at++)
            if (*at.at == '\\' && ++at.at == at.end)
                return ERR_SYNTAX;
        if (imap_octet(&at, '"') < 0)
            return ERR_SYNTAX;
    } else {
        if (imap_octet(&at, '{') < 0 || imap_number(&at, &n) < 0 || imap_octet(&at, '}') < 0)
            return ERR_SYNTAX;
        (void)imap_octet(&at, '\r');
        if (imap_octet(&at, '\n') < 0 || (size_t)(at.end - at.at) < n)
            return ERR_SYNTAX;
        at.at += n;
    }
    *c = at;
    return 0;
}

/* Up to a delimiter outside of strings, at the nesting that one began with: the end of an item's name or value. */
static int skip_until(struct imap_cursor *c, int bracket)
{
    int depth = 0, square = 0;

    while (c->at < c->end) {
        int ch = *c->at;

        if (ch == '"' || ch == '{') {
            if (skip_string(c) < 0)
                return ERR_SYNTAX;
            continue;
        }
        if (depth == 0 && square == 0 && (ch == ' ' || ch == ')'))
            return 0;
        depth += (ch == '(') - (ch == ')');
        square += bracket ? (ch == '[') - (ch == ']') : 0;
        if (depth > IMAP_FETCH_DEPTH)
            return ERR_LIMIT;
        if (depth < 0 || square < 0 || square > 1 || ch == '\r' || ch == '\n')
            return ERR_SYNTAX;
        c->at++;
    }
    return ERR_SYNTAX;
}

/* The octets of a string value, unescaped in place. NIL: data NULL. */
static int string_value(struct span value, struct span *out)
{
    struct imap_cursor c = imap_cursor(value);
    unsigned char *to, *from = (unsigned char *)(uintptr_t)value.data;
    const unsigned char *body;

    *out = (struct span){NULL, 0};
    if (imap_is(value, "NIL"))
        return 0;
    if (imap_octet(&c, '~') == 0)
        value = (struct span){c.at, (size_t)(c.end - c.at)};
    if (!value.len || skip_string(&c) < 0 || imap_end(&c) < 0)
        return ERR_SYNTAX;
    if (value.data[0] == '{') {
        body = memchr(value.data, '\n', value.len);
        *out = (struct span){body + 1, (size_t)(c.end - body - 1)};
        return 0;
    }
    from = to = (unsigned char *)(uintptr_t)value.data + 1;
    for (; *from != '"'; from++) {
        if (*from == '\\')
            from++;
        *to++ = *from;
    }
    *out = (struct span){value.data + 1, (size_t)(to - (value.data + 1))};
    return 0;
}

static struct span *section(struct span name, struct imap_fetch *f)
{
    const unsigned char *end = name.len ? memchr(name.data, ']', name.len) : NULL;
    struct span inside;

    if (!imap_begins(name, "BODY[") || !end)
        return NULL;
    inside = (struct span){name.data + 5, (size_t)(end - name.data - 5)};
    if (imap_begins(inside, "HEADER.FIELDS "))
        return &f->header;
    if (imap_is(inside, "1.MIME"))
        return &f->mime;
    return imap_is(inside, "1") ? &f->part : NULL;
}

static int item(struct imap_cursor *c, struct imap_fetch *f, struct buf *others)
{
    struct span name = {c->at, 0}, value, *wanted;
    struct imap_cursor number;
    unsigned bit;
    int r;

    if ((r = skip_until(c, 1)) < 0)
        return r;
    name.len = (size_t)(c->at - name.data);
    if (!name.len || imap_octet(c, ' ') < 0)
        return ERR_SYNTAX;
    value.data = c->at;
    if ((r = skip_until(c, 0)) < 0)
        return r;
    value.len = (size_t)(c->at - value.data);
    if (imap_is(name, "UID")) {
        number = imap_cursor(value);
        return f->uid || imap_number(&number, &f->uid) < 0 || !f->uid || imap_end(&number) < 0 ? ERR_SYNTAX : 0;
    }
    if (!(wanted = section(name, f))) {
        f->has |= imap_begins(name, "BODY[") ? IMAP_HAS_OTHER : 0;
        r = buf_append(others, " ", 1);
        return r ? r : buf_append(others, name.data, (size_t)(c->at - name.data));
    }
    bit = wanted == &f->header ? IMAP_HAS_HEADER : wanted == &f->mime ? IMAP_HAS_MIME : IMAP_HAS_PART;
    if (f->has & bit)
        return ERR_SYNTAX;
    f->has |= bit;
    return string_value(value, wanted);
}

int imap_fetch_read(unsigned char *text, size_t len, struct imap_fetch *out, struct buf *others)
{
    struct imap_reply reply;
    struct imap_cursor c;
    int r;

    memset(out, 0, sizeof *out);
    imap_reply((struct span){text, len}, &reply);
    if (reply.kind != IMAP_UNTAGGED || !reply.number || !imap_is(reply.word, "FETCH"))
        return ERR_SYNTAX;
    out->number = reply.number;
    c = imap_cursor(reply.rest);
    if (imap_octet(&c, '(') < 0)
        return ERR_SYNTAX;
    do {
        r = item(&c, out, others);
    } while (r == 0 && imap_octet(&c, ' ') == 0);
    if (r == 0 && (imap_octet(&c, ')') < 0 || imap_end(&c) < 0))
        r = ERR_SYNTAX;
    return r;
}
