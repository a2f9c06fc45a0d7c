#include <inttypes.h>

#include "fetch-guard-item.h"
#include "imapfilter/imap-line.h"
#include "imapfilter/imap-read.h"

/* "{n}" where the cursor is, and nothing behind it: 1. */
static int literal_here(struct imap_cursor *c, uint64_t *octets)
{
    struct span rest = {c->at, (size_t)(c->end - c->at)};
    struct imap_literal l;

    if (rest.len == 0 || (*rest.data != '{' && *rest.data != '~') || !imap_server_literal(rest, &l))
        return 0;
    for (size_t i = 1; i < rest.len; i++) /* the literal's own brace is the only one */
        if (rest.data[i] == '{' && !(i == 1 && *rest.data == '~'))
            return 0;
    *octets = l.octets;
    c->at = c->end;
    return 1;
}

/* A list in parentheses with nothing in it but words, strings and lists. */
static int skip_list(struct imap_cursor *c)
{
    int depth = 0, is_quoted = 0;

    for (; c->at < c->end; c->at++) {
        if (is_quoted && *c->at == '\\' && c->at + 1 < c->end)
            c->at++;
        else if (*c->at == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && *c->at == '(')
            depth++;
        else if (!is_quoted && *c->at == ')' && --depth == 0) {
            c->at++;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

/* The value of an item that is not wanted: an enum fetch_piece (ENDED = it was in this line). */
static int skip_value(struct imap_cursor *c, uint64_t *octets)
{
    struct buf text = BUF_INIT;
    int r;

    if (literal_here(c, octets))
        return FETCH_HIDDEN;
    if (c->at < c->end && *c->at == '(')
        return skip_list(c);
    if (c->at < c->end && *c->at == '"') {
        r = imap_string(c, &text);
        buf_free(&text);
        return r;
    }
    return imap_run(c, ")").len ? FETCH_ENDED : ERR_SYNTAX;
}

static int put_name(struct fetch_items *f, const char *name, struct buf *out)
{
    int r = buf_printf(out, "%s%s ", f->begun ? " " : "", name);

    f->begun = 1;
    return r < 0 ? ERR_SYSTEM : 0;
}

static int number(struct fetch_items *f, const char *name, struct imap_cursor *c, struct buf *out)
{
    uint32_t n;

    if (imap_number(c, &n) < 0)
        return ERR_SYNTAX;
    return put_name(f, name, out) < 0 || buf_printf(out, "%" PRIu32, n) < 0 ? ERR_SYSTEM : 0;
}

/* A string, or NIL, which is as if it were not there. */
static int string(struct fetch_items *f, const char *name, struct imap_cursor *c, struct buf *out, uint64_t *octets)
{
    struct buf text = BUF_INIT;
    struct imap_cursor word = *c;
    int r;

    if (literal_here(c, octets))
        return put_name(f, name, out) < 0 || buf_printf(out, "{%" PRIu64 "}\r\n", *octets) < 0 ? ERR_SYSTEM
                                                                                               : FETCH_SHOWN;
    if (imap_is(imap_run(&word, ")"), "NIL")) {
        *c = word;
        return 0;
    }
    if ((r = imap_string(c, &text)) == 0 &&
        (put_name(f, name, out) < 0 || buf_printf(out, "{%zu}\r\n", text.len) < 0 ||
         buf_append(out, buf_str(&text), text.len) < 0))
        r = ERR_SYSTEM;
    buf_free(&text);
    return r;
}

static int item(struct fetch_items *f, struct imap_cursor *c, struct buf *out, uint64_t *octets)
{
    struct span name = imap_run(c, "()");

    if (name.len == 0 || imap_octet(c, ' ') < 0)
        return ERR_SYNTAX;
    if (imap_is(name, "UID"))
        return number(f, "UID", c, out);
    if (imap_is(name, "RFC822.SIZE"))
        return number(f, "RFC822.SIZE", c, out);
    if (imap_is(name, "BODY[]"))
        return string(f, "BODY[]", c, out, octets);
    if (imap_is(name, "XRECRYPT"))
        return string(f, "XRECRYPT", c, out, octets);
    return skip_value(c, octets);
}

/* libetpan takes no empty answer. */
static int end(struct fetch_items *f, struct buf *out)
{
    return buf_puts(out, f->begun ? ")\r\n" : "UID 0)\r\n") < 0 ? ERR_SYSTEM : FETCH_ENDED;
}

int fetch_items_line(struct fetch_items *f, struct span text, int first, struct buf *out, uint64_t *octets)
{
    struct imap_cursor c = imap_cursor(text);
    int r;

    if (first && imap_octet(&c, '(') < 0)
        return ERR_SYNTAX;
    for (;;) {
        (void)imap_octet(&c, ' ');
        if (imap_octet(&c, ')') == 0)
            return imap_end(&c) < 0 ? ERR_SYNTAX : end(f, out);
        if ((r = item(f, &c, out, octets)) != 0)
            return r;
    }
}
