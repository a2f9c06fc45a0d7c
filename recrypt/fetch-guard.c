#include "fetch-guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch-guard-item.h"
#include "imapfilter/imap-line.h"
#include "imapfilter/imap-read.h"

enum { TEXT_MAX = 200 };

/* What the line or piece that comes next belongs to. */
enum inside {
    NOTHING,
    SEARCH,   /* a long line of numbers */
    FETCH,    /* behind a literal of a message's answer */
    LEFT_OUT, /* behind a literal of, or in a long line of, what was not asked for */
};

struct fetch_guard {
    struct imap_reader reader;
    struct buf held; /* the beginning of a line */
    size_t literal_max, left;
    enum inside inside;
    int show_literal;
    struct fetch_items items;
    struct err failed; /* code 0 = not */
    char bye[TEXT_MAX + 1];
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
    return g->held.len == 0 && g->inside == NOTHING && g->reader.literal == 0;
}

const char *fetch_guard_bye(const struct fetch_guard *g)
{
    return g->bye;
}

static int put(struct buf *out, const void *data, size_t len, struct err *e)
{
    return buf_append(out, data, len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

/* ---- status ---- */

/* The text behind a response code, in printable ASCII. */
static void plain_text(struct span rest, char out[TEXT_MAX + 1])
{
    const unsigned char *close = rest.len && *rest.data == '[' ? memchr(rest.data, ']', rest.len) : NULL;
    size_t n = 0;

    if (rest.len && *rest.data == '[') {
        rest.len = close ? (size_t)(rest.data + rest.len - close) - 1 : 0;
        rest.data = close ? close + 1 : rest.data;
    }
    for (; rest.len && n < TEXT_MAX; rest.data++, rest.len--) {
        int c = *rest.data;

        if (n == 0 && c == ' ')
            continue;
        out[n] = c >= 0x20 && c < 0x7f && (n || c != '[') ? (char)c : '?';
        n++;
    }
    if (n == 0)
        out[n++] = '-';
    out[n] = 0;
}

/* "[UIDVALIDITY n]" at the beginning of a text. */
static int validity(struct span rest, uint32_t *n)
{
    static const char code[] = "[UIDVALIDITY ";
    struct imap_cursor c = imap_cursor(rest);

    if (!imap_begins(rest, code))
        return 0;
    c.at += strlen(code);
    return imap_number(&c, n) == 0 && imap_octet(&c, ']') == 0;
}

static int status(struct fetch_guard *g, const struct imap_reply *reply, struct buf *out, struct err *e)
{
    static const char *const words[] = {"OK", "NO", "BAD", "PREAUTH"};
    int tagged = reply->kind == IMAP_TAGGED, r = 0;
    char text[TEXT_MAX + 1];
    uint32_t n;

    plain_text(reply->rest, text);
    if (!tagged && imap_is(reply->word, "BYE")) {
        memcpy(g->bye, text, sizeof text);
        return 0;
    }
    for (size_t i = 0; i < (tagged ? 3 : 4); i++) {
        if (!imap_is(reply->word, words[i]))
            continue;
        if (tagged)
            r = buf_printf(out, "%.*s %s %s\r\n", (int)reply->tag.len, (const char *)reply->tag.data, words[i], text);
        else if (i == 0 && validity(reply->rest, &n))
            r = buf_printf(out, "* OK [UIDVALIDITY %" PRIu32 "] -\r\n", n);
        else
            r = buf_printf(out, "* %s %s\r\n", words[i], text);
        return r < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
    }
    return err_set(e, ERR_SYNTAX, "a line that is no answer");
}

/* ---- data ---- */

static int capabilities(struct span rest, struct buf *out, struct err *e)
{
    struct imap_cursor c = imap_cursor(rest);
    struct imap_cursor letters;
    struct span word, atom;
    int r = put(out, "* CAPABILITY IMAP4rev1", 22, e);

    while (r == 0 && c.at < c.end) {
        word = imap_run(&c, "");
        (void)imap_octet(&c, ' ');
        letters = imap_cursor(word);
        if (imap_atom(&letters, &atom) == 0 && imap_end(&letters) == 0 && !imap_is(word, "IMAP4rev1") &&
            (r = put(out, " ", 1, e)) == 0)
            r = put(out, word.data, word.len, e);
    }
    return r < 0 ? r : put(out, "\r\n", 2, e);
}

/* A piece of a line of numbers, with its line end if it has one: CR becomes a space, since one may stand at the end of
 * a piece. */
static int numbers(struct span text, struct buf *out, struct err *e)
{
    static const char digits[] = "0123456789 ";
    size_t at = 0, n;
    int r = 0;

    while (r == 0 && at < text.len) {
        for (n = 0; at + n < text.len && text.data[at + n] && strchr(digits, text.data[at + n]); n++)
            ;
        r = put(out, text.data + at, n, e);
        if ((at += n) == text.len)
            break;
        if (text.data[at] == '\n' && at + 1 == text.len)
            return r < 0 ? r : put(out, "\r\n", 2, e);
        if (text.data[at++] != '\r')
            return err_set(e, ERR_SYNTAX, "a search finds what is no number");
        r = r < 0 ? r : put(out, " ", 1, e);
    }
    return r;
}

static int literal(struct fetch_guard *g, enum inside inside, int show, uint64_t octets, struct err *e)
{
    if (octets > g->literal_max)
        return err_set(e, ERR_LIMIT, "a literal of %" PRIu64 " octets, where at most %zu are asked for", octets,
                       g->literal_max);
    imap_read_literal(&g->reader, octets);
    g->show_literal = show;
    g->inside = inside;
    return 0;
}

static int items(struct fetch_guard *g, struct span text, int first, struct buf *out, struct err *e)
{
    uint64_t octets = 0;
    int r = fetch_items_line(&g->items, text, first, out, &octets);

    if (r < 0)
        return err_set(e, r, r == ERR_SYNTAX ? "a message's data that cannot be read" : "out of memory");
    g->inside = NOTHING;
    return r == FETCH_ENDED ? 0 : literal(g, FETCH, r == FETCH_SHOWN, octets, e);
}

static int leave_out(struct fetch_guard *g, struct span text, struct err *e)
{
    struct imap_literal l;

    g->inside = NOTHING;
    return imap_server_literal(text, &l) ? literal(g, LEFT_OUT, 0, l.octets, e) : 0;
}

/* A line that begins an answer; whole 0: its first piece. */
static int begin(struct fetch_guard *g, const unsigned char *data, size_t len, int whole, struct buf *out,
                 struct err *e)
{
    struct span text = imap_text(data, len);
    struct imap_reply reply;
    int r;

    imap_reply(text, &reply);
    if (reply.kind == IMAP_UNTAGGED && imap_is(reply.word, "SEARCH")) {
        g->inside = whole ? NOTHING : SEARCH;
        r = put(out, "* SEARCH ", 9, e);
        return r < 0 ? r : numbers((struct span){reply.rest.data, (size_t)(data + len - reply.rest.data)}, out, e);
    }
    if (!whole)
        return err_set(e, ERR_LIMIT, "a line of more than %d octets", IMAP_LINE_MAX);
    if (reply.kind == IMAP_TAGGED || reply.kind == IMAP_STATUS)
        return status(g, &reply, out, e);
    if (reply.kind == IMAP_UNTAGGED && imap_is(reply.word, "CAPABILITY"))
        return capabilities(reply.rest, out, e);
    if (reply.kind != IMAP_UNTAGGED || !reply.number || !imap_is(reply.word, "FETCH"))
        return leave_out(g, text, e);
    g->items = (struct fetch_items){0};
    if (buf_printf(out, "* %" PRIu32 " FETCH (", reply.number) < 0)
        return err_set(e, ERR_SYSTEM, "out of memory");
    return items(g, reply.rest, 1, out, e);
}

/* One piece of the stream. */
static int take(struct fetch_guard *g, enum imap_piece kind, const unsigned char *data, size_t len, struct buf *out,
                struct err *e)
{
    struct span text = imap_text(data, len);

    if (kind == IMAP_LITERAL)
        return g->show_literal ? put(out, data, len, e) : 0;
    if (memchr(data, 0, len))
        return err_set(e, ERR_SYNTAX, "a NUL octet in a line");
    if (g->inside == SEARCH) {
        g->inside = kind == IMAP_LAST ? NOTHING : SEARCH;
        return numbers((struct span){data, len}, out, e);
    }
    if (kind != IMAP_LINE && g->inside != NOTHING)
        return err_set(e, ERR_LIMIT, "a line of more than %d octets", IMAP_LINE_MAX);
    if (g->inside == NOTHING)
        return begin(g, data, len, kind == IMAP_LINE, out, e);
    return g->inside == FETCH ? items(g, text, 0, out, e) : leave_out(g, text, e);
}

static int feed(struct fetch_guard *g, const void *data, size_t len, struct buf *out, struct err *e)
{
    size_t at = 0, used;
    int piece, r = 0;

    if (len == 0)
        return 0;
    if (len > g->left)
        return err_set(e, ERR_LIMIT, "a longer answer than such a command has");
    g->left -= len;
    if (put(&g->held, data, len, e) < 0)
        return ERR_SYSTEM;
    while (r == 0 && at < g->held.len) {
        if ((piece = imap_read(&g->reader, g->held.data + at, g->held.len - at, &used)) == IMAP_MORE)
            break;
        r = piece < 0 ? err_set(e, piece, "a line that is too long")
                      : take(g, (enum imap_piece)piece, g->held.data + at, used, out, e);
        at += used;
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
