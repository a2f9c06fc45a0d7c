#include "fetch-guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapfilter/imap-line.h"
#include "imapfilter/imap-read.h"

struct fetch_guard {
    struct imap_reader reader;
    struct buf held; /* the beginning of a line */
    size_t literal_max, left;
    int goes_on;    /* inside an answer: behind a literal, or in a line that comes in pieces */
    int shown, text; /* this answer's: handed on; free text, in which nothing nests */
    int depth, quoted, escaped;
    struct err failed; /* code 0 = not */
    char bye[256];
};

int fetch_guard_new(struct fetch_guard **out, struct err *e)
{
    if (!(*out = calloc(1, sizeof **out)))
        return err_errno(e, "out of memory");
    (*out)->reader.in_pieces = 1;
    return 0;
}

void fetch_guard_free(struct fetch_guard **g)
{
    if (!*g)
        return;
    buf_free(&(*g)->held);
    free(*g);
    *g = NULL;
}

void fetch_guard_limits(struct fetch_guard *g, size_t literal, size_t total)
{
    g->literal_max = literal;
    g->left = total;
}

int fetch_guard_empty(const struct fetch_guard *g)
{
    return g->held.len == 0 && !g->goes_on;
}

const char *fetch_guard_bye(const struct fetch_guard *g)
{
    return g->bye;
}

static void keep_bye(struct fetch_guard *g, struct span rest)
{
    snprintf(g->bye, sizeof g->bye, "%.*s", (int)(rest.len < sizeof g->bye ? rest.len : sizeof g->bye - 1),
             (const char *)rest.data);
    err_printable(g->bye);
}

/* The beginning of an answer: is it one of those we ask for? */
static int begin(struct fetch_guard *g, struct span text, int whole, struct err *e)
{
    static const char *const wanted[] = {"CAPABILITY", "FLAGS", "SEARCH", "EXISTS", "RECENT", "EXPUNGE", "FETCH"};
    struct imap_reply reply;

    imap_reply(text, &reply);
    g->depth = g->quoted = g->escaped = 0;
    g->text = reply.kind != IMAP_UNTAGGED;
    g->shown = reply.kind == IMAP_TAGGED || (reply.kind == IMAP_STATUS && !imap_is(reply.word, "BYE"));
    if (reply.kind == IMAP_STATUS && imap_is(reply.word, "BYE"))
        keep_bye(g, reply.rest);
    for (size_t i = 0; reply.kind == IMAP_UNTAGGED && i < sizeof wanted / sizeof *wanted; i++)
        g->shown |= imap_is(reply.word, wanted[i]);
    if (!whole && !imap_is(reply.word, "SEARCH"))
        return err_set(e, ERR_LIMIT, "a line of more than %d octets", IMAP_LINE_MAX);
    return 0;
}

/* Parentheses outside quotes: libetpan goes down one level of its stack for each. */
static int nest(struct fetch_guard *g, struct span text, struct err *e)
{
    if (memchr(text.data, 0, text.len))
        return err_set(e, ERR_SYNTAX, "a NUL octet in a line");
    for (size_t i = 0; i < text.len && !g->text; i++) {
        unsigned char c = text.data[i];

        if (g->escaped)
            g->escaped = 0;
        else if (g->quoted && c == '\\')
            g->escaped = 1;
        else if (c == '"')
            g->quoted = !g->quoted;
        else if (!g->quoted && c == '(' && ++g->depth > FETCH_DEPTH_MAX)
            return err_set(e, ERR_LIMIT, "parentheses nested deeper than %d", FETCH_DEPTH_MAX);
        else if (!g->quoted && c == ')')
            g->depth--;
    }
    return 0;
}

static int literal(struct fetch_guard *g, struct span text, struct err *e)
{
    struct imap_literal l;

    g->goes_on = 0;
    if (g->text ? !imap_status_literal(text, &l) : !imap_server_literal(text, &l))
        return 0;
    if (l.octets > g->literal_max)
        return err_set(e, ERR_LIMIT, "a literal of %llu octets, where at most %zu are asked for",
                       (unsigned long long)l.octets, g->literal_max);
    imap_read_literal(&g->reader, l.octets);
    g->goes_on = 1;
    return 0;
}

/* One piece of the stream. */
static int take(struct fetch_guard *g, enum imap_piece kind, const unsigned char *data, size_t len, struct buf *out,
                struct err *e)
{
    struct span text = imap_text(data, len);
    int r = 0;

    if (kind != IMAP_LITERAL) {
        if (!g->goes_on)
            r = begin(g, text, kind == IMAP_LINE, e);
        if (r == 0 && g->shown)
            r = nest(g, text, e);
        if (kind == IMAP_LAST)
            text = imap_text(g->reader.tail, g->reader.tail_len);
        if (r == 0 && kind != IMAP_PART)
            r = literal(g, text, e);
        else
            g->goes_on = 1;
    }
    if (r == 0 && g->shown && buf_append(out, data, len) < 0)
        r = err_errno(e, "out of memory");
    return r;
}

static int feed(struct fetch_guard *g, const void *data, size_t len, struct buf *out, struct err *e)
{
    size_t at = 0, used;
    int piece = IMAP_MORE, r = 0;

    if (len == 0)
        return 0;
    if (len > g->left)
        return err_set(e, ERR_LIMIT, "a longer answer than such a command has");
    g->left -= len;
    if (buf_append(&g->held, data, len) < 0)
        return err_errno(e, "out of memory");
    while (r == 0 && at < g->held.len) {
        if ((piece = imap_read(&g->reader, g->held.data + at, g->held.len - at, &used)) < 0)
            r = err_set(e, piece, "a line that is too long");
        else if (piece == IMAP_MORE)
            break;
        else
            r = take(g, piece, g->held.data + at, used, out, e);
        at += piece < 0 ? 0 : used;
    }
    memmove(g->held.data, g->held.data + at, g->held.len - at);
    buf_cut(&g->held, g->held.len - at);
    return r;
}

int fetch_guard_feed(struct fetch_guard *g, const void *data, size_t len, struct buf *out, struct err *e)
{
    struct err local;

    if (g->failed.code == 0 && feed(g, data, len, out, &local) < 0)
        err_set(&g->failed, local.code, "the mail server sends what it must not: %s", local.text);
    return g->failed.code ? err_set(e, g->failed.code, "%s", g->failed.text) : 0;
}
