#include "imap-line.h"

#include <string.h>
#include <strings.h>

struct imap_cursor imap_cursor(struct span text)
{
    static const unsigned char nothing[1];

    return text.len ? (struct imap_cursor){text.data, text.data + text.len} : (struct imap_cursor){nothing, nothing};
}

static int atom_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

static int astring_char(unsigned char c)
{
    return atom_char(c) || c == ']';
}

static int take(struct imap_cursor *c, struct span *out, int (*fits)(unsigned char))
{
    const unsigned char *p = c->at;

    while (p < c->end && fits(*p))
        p++;
    if (p == c->at)
        return ERR_SYNTAX;
    *out = (struct span){c->at, (size_t)(p - c->at)};
    c->at = p;
    return 0;
}

static int tag_char(unsigned char c)
{
    return astring_char(c) && c != '+';
}

static int take_tag(struct imap_cursor *c, struct span *out)
{
    struct imap_cursor at = *c;

    if (take(&at, out, tag_char) < 0 || out->len > IMAP_TAG_MAX)
        return ERR_SYNTAX;
    *c = at;
    return 0;
}

int imap_atom(struct imap_cursor *c, struct span *out)
{
    return take(c, out, atom_char);
}

int imap_octet(struct imap_cursor *c, int octet)
{
    if (c->at == c->end || *c->at != octet)
        return ERR_SYNTAX;
    c->at++;
    return 0;
}

int imap_end(const struct imap_cursor *c)
{
    return c->at == c->end ? 0 : ERR_SYNTAX;
}

struct span imap_run(struct imap_cursor *c, const char *stop)
{
    struct span out = {c->at, 0};

    while (c->at < c->end && *c->at != ' ' && !(*c->at && strchr(stop, *c->at)))
        c->at++;
    out.len = (size_t)(c->at - out.data);
    return out;
}

int imap_number(struct imap_cursor *c, uint32_t *out)
{
    const unsigned char *p = c->at;
    uint64_t n = 0;

    for (; p < c->end && *p >= '0' && *p <= '9'; p++)
        if ((n = n * 10 + (uint64_t)(*p - '0')) > UINT32_MAX)
            return ERR_SYNTAX;
    if (p == c->at)
        return ERR_SYNTAX;
    *out = (uint32_t)n;
    c->at = p;
    return 0;
}

static int quoted(struct imap_cursor *c, struct buf *out)
{
    const unsigned char *p = c->at + 1;
    int r;

    for (; p < c->end && *p != '"'; p++) {
        if (*p == '\\' && ++p == c->end)
            return ERR_SYNTAX;
        if (*p == '\r' || *p == '\n' || *p == 0)
            return ERR_SYNTAX;
        if ((r = buf_append(out, p, 1)) < 0)
            return r;
    }
    if (p == c->end)
        return ERR_SYNTAX;
    c->at = p + 1;
    return 0;
}

static int literal(struct imap_cursor *c, struct buf *out)
{
    struct imap_cursor at = *c;
    uint32_t n;
    int r;

    at.at++;
    if (imap_number(&at, &n) < 0)
        return ERR_SYNTAX;
    (void)imap_octet(&at, '+');
    if (imap_octet(&at, '}') < 0 || imap_octet(&at, '\r') < 0 || imap_octet(&at, '\n') < 0 ||
        (size_t)(at.end - at.at) < n)
        return ERR_SYNTAX;
    if ((r = buf_append(out, at.at, n)) < 0)
        return r;
    c->at = at.at + n;
    return 0;
}

int imap_string(struct imap_cursor *c, struct buf *out)
{
    size_t before = out->len;
    int r = ERR_SYNTAX;

    if (c->at < c->end && *c->at == '"')
        r = quoted(c, out);
    else if (c->at < c->end && *c->at == '{')
        r = literal(c, out);
    if (r < 0)
        buf_cut(out, before);
    return r;
}

int imap_astring(struct imap_cursor *c, struct buf *out)
{
    struct imap_cursor at = *c;
    struct span word;
    int r;

    if (c->at < c->end && (*c->at == '"' || *c->at == '{'))
        return imap_string(c, out);
    if (take(&at, &word, astring_char) < 0)
        return ERR_SYNTAX;
    if ((r = buf_append(out, word.data, word.len)) == 0)
        *c = at;
    return r;
}

int imap_put_string(struct buf *out, const void *data, size_t len)
{
    const unsigned char *p = data;
    int plain = 1, r;

    for (size_t i = 0; i < len; i++)
        plain &= p[i] != 0 && p[i] != '\r' && p[i] != '\n' && p[i] < 0x7f;
    if (!plain)
        return (r = buf_printf(out, "{%zu}\r\n", len)) < 0 ? r : buf_append(out, data, len);
    r = buf_append(out, "\"", 1);
    for (size_t i = 0; r == 0 && i < len; i++) {
        if (p[i] == '"' || p[i] == '\\')
            r = buf_append(out, "\\", 1);
        r = r ? r : buf_append(out, p + i, 1);
    }
    return r ? r : buf_append(out, "\"", 1);
}

int imap_begins(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.len >= n && (n == 0 || strncasecmp((const char *)s.data, word, n) == 0);
}

int imap_is(struct span s, const char *word)
{
    return s.len == strlen(word) && imap_begins(s, word);
}

int imap_command(struct span text, struct imap_command *out)
{
    struct imap_cursor c = imap_cursor(text), word;

    memset(out, 0, sizeof *out);
    if (take_tag(&c, &out->tag) < 0) {
        out->tag = (struct span){NULL, 0};
        return ERR_SYNTAX;
    }
    if (imap_octet(&c, ' ') < 0 || imap_atom(&c, &out->name) < 0 || (c.at < c.end && *c.at != ' '))
        return ERR_SYNTAX;
    word = c;
    if (imap_is(out->name, "UID") && imap_octet(&word, ' ') == 0 && imap_atom(&word, &out->uid_name) == 0)
        c = word;
    out->rest = (struct span){c.at, (size_t)(c.end - c.at)};
    return 0;
}

static int status(struct span word)
{
    return imap_is(word, "OK") || imap_is(word, "NO") || imap_is(word, "BAD") || imap_is(word, "BYE") ||
           imap_is(word, "PREAUTH");
}

void imap_reply(struct span text, struct imap_reply *out)
{
    struct imap_cursor c = imap_cursor(text), number;

    memset(out, 0, sizeof *out);
    out->kind = IMAP_TAGGED;
    if (text.len && text.data[0] == '+') {
        out->kind = IMAP_CONTINUATION;
        out->rest = (struct span){text.data + 1, text.len - 1};
        return;
    }
    if (text.len > 1 && text.data[0] == '*' && text.data[1] == ' ') {
        c.at += 2;
        number = c;
        if (imap_number(&number, &out->number) == 0 && imap_octet(&number, ' ') == 0)
            c = number;
        else
            out->number = 0;
        out->kind = IMAP_UNTAGGED;
    } else if (take_tag(&c, &out->tag) < 0 || imap_octet(&c, ' ') < 0) {
        out->tag = (struct span){NULL, 0};
        return;
    }
    out->word = imap_run(&c, "(");
    if (out->kind == IMAP_UNTAGGED && !out->number && status(out->word))
        out->kind = IMAP_STATUS;
    (void)imap_octet(&c, ' ');
    out->rest = (struct span){c.at, (size_t)(c.end - c.at)};
}
