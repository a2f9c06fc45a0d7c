/* The IMAP filter's parser. The first octet says what the others are.
 * identity: a stream is the same lines and literals in whatever pieces it comes; lists of capabilities, sets, FETCH
 * answers' other items, ID and accounts that were written are read again as the same.
 * fuzz-sources: imapfilter/imap-read.c imapfilter/imap-line.c imapfilter/imap-capability.c
 * fuzz-sources: imapfilter/imap-set.c imapfilter/imap-fetch.c imapfilter/imap-who.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../imapfilter/imap-capability.h"
#include "../../imapfilter/imap-fetch.h"
#include "../../imapfilter/imap-line.h"
#include "../../imapfilter/imap-read.h"
#include "../../imapfilter/imap-set.h"
#include "../../imapfilter/imap-who.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

static struct span of(const struct buf *b)
{
    return (struct span){b->data, b->len};
}

static int equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- streams ---- */

/* The stream with a mark before each line and literal. step 0: all at once. */
static void mark(const uint8_t *data, size_t size, size_t step, int server, struct buf *out)
{
    struct imap_reader r = {.in_pieces = server};
    size_t have = step && step < size ? step : size, at = 0, used;
    int last = 0;

    for (;;) {
        struct imap_literal lit;
        struct span text;
        int piece = imap_read(&r, data + at, have - at, &used), found;

        if (piece < 0) {
            buf_puts(out, "<too long>");
            return;
        }
        if (piece == IMAP_MORE) {
            must(used == 0);
            if (have == size)
                break;
            have = size - have < step ? size : have + step;
            continue;
        }
        must(used > 0 && used <= have - at);
        if (piece == IMAP_LINE || (piece == IMAP_LITERAL) != (last == IMAP_LITERAL) || !last)
            buf_puts(out, piece == IMAP_LITERAL ? "<D>" : "<L>");
        buf_append(out, data + at, used);
        last = piece == IMAP_LINE || piece == IMAP_LAST ? 0 : piece;
        if (piece == IMAP_LINE || piece == IMAP_LAST) {
            text = piece == IMAP_LINE ? imap_text(data + at, used) : imap_text(r.tail, r.tail_len);
            found = server ? imap_server_literal(text, &lit) : imap_client_literal(text, &lit);
            if (found == 1)
                imap_read_literal(&r, lit.octets);
        }
        at += used;
    }
    buf_puts(out, "<rest>");
    if (r.literal == 0 && !r.inside)
        buf_append(out, data + at, size - at);
}

static void streams(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, parts = BUF_INIT;
    size_t step = size ? 1 + data[0] % 37 : 1;

    for (int server = 0; server < 2; server++) {
        buf_reset(&whole);
        buf_reset(&parts);
        mark(data, size, 0, server, &whole);
        mark(data, size, step, server, &parts);
        must(equal(&whole, &parts));
    }
    buf_free(&whole);
    buf_free(&parts);
}

/* ---- words ---- */

static void words(struct span text)
{
    struct imap_command c;
    struct imap_cursor at = imap_cursor(text);
    struct imap_reply reply;
    struct buf one = BUF_INIT, again = BUF_INIT, written = BUF_INIT;

    if (imap_command(text, &c) == 0)
        must(c.tag.len && c.name.len && c.rest.data + c.rest.len == text.data + text.len);
    imap_reply(text, &reply);
    (void)imap_client_check(text);
    if (imap_astring(&at, &one) == 0) {
        must(at.at <= at.end && imap_put_string(&written, one.data, one.len) == 0);
        at = imap_cursor(of(&written));
        must(imap_string(&at, &again) == 0 && imap_end(&at) == 0 && equal(&one, &again));
    }
    buf_free(&one);
    buf_free(&again);
    buf_free(&written);
}

static void capabilities(struct span text)
{
    const struct imap_front in = {1, 0, 0}, out = {0, 0, 1};
    struct buf one = BUF_INIT, two = BUF_INIT;
    struct span list;

    if (imap_capability_find(text, &list) == 1)
        must(list.data >= text.data && list.data + list.len <= text.data + text.len);
    must(imap_capability_list(text, &in, &one) == 0 && imap_capability_list(of(&one), &in, &two) == 0 &&
         equal(&one, &two));
    buf_reset(&one);
    buf_reset(&two);
    must(imap_capability_list(text, &out, &one) == 0);
    must(!(imap_capabilities(of(&one)) & IMAP_CAP_STARTTLS));
    must(imap_capability_list(of(&one), &out, &two) == 0 && equal(&one, &two));
    buf_free(&one);
    buf_free(&two);
}

/* ---- sets ---- */

static void sets(struct span text)
{
    struct buf one = BUF_INIT, two = BUF_INIT;
    struct imap_set s;
    uint64_t n;

    if (imap_set_parse(text, &s, NULL) < 0)
        return;
    n = s.numbers;
    if (!s.star && imap_set_take(&s, SIZE_MAX, &one, NULL) == 0) {
        must(s.numbers == 0);
        imap_set_clear(&s);
        must(one.len > IMAP_SET_TEXT_MAX || imap_set_parse(of(&one), &s, NULL) == 0);
        if (one.len <= IMAP_SET_TEXT_MAX)
            must(s.numbers == n && imap_set_take(&s, SIZE_MAX, &two, NULL) == 0 && equal(&one, &two));
    }
    imap_set_clear(&s);
    buf_free(&one);
    buf_free(&two);
}

static int search(struct span text, size_t step, struct buf *out, uint64_t *beyond)
{
    struct imap_search in = {0};
    struct imap_set s = {0};
    int r = 0;

    *beyond = 0;
    for (size_t at = 0; r == 0 && at < text.len; at += step)
        r = imap_search_feed(&in, (struct span){text.data + at, text.len - at < step ? text.len - at : step}, 50, &s,
                             beyond);
    r = r ? r : imap_search_end(&in, 50, &s, beyond);
    if (r == 0)
        must(s.numbers <= 50 && imap_set_take(&s, 99, out, NULL) == 0);
    imap_set_clear(&s);
    return r;
}

static void searches(struct span text)
{
    struct buf one = BUF_INIT, two = BUF_INIT;
    uint64_t more, again;

    must(search(text, text.len + 1, &one, &more) == search(text, 3, &two, &again) && equal(&one, &two));
    if (one.len)
        must(more == again);
    buf_free(&one);
    buf_free(&two);
}

/* ---- FETCH ---- */

static void inside(struct span part, const struct buf *text)
{
    must(!part.data || (part.data >= text->data && part.data + part.len <= text->data + text->len));
}

static void fetches(struct span text)
{
    struct buf copy = BUF_INIT, others = BUF_INIT, written = BUF_INIT, again = BUF_INIT;
    struct imap_fetch f, g;

    if (buf_append(&copy, text.data, text.len) == 0 && copy.len &&
        imap_fetch_read(copy.data, copy.len, &f, &others) == 0) {
        inside(f.header, &copy);
        inside(f.mime, &copy);
        inside(f.part, &copy);
        if (f.uid) {
            must(buf_printf(&written, "* %u FETCH (UID %u", f.number, f.uid) == 0 &&
                 buf_append(&written, others.data, others.len) == 0 && buf_puts(&written, ")") == 0);
            must(imap_fetch_read(written.data, written.len, &g, &again) == 0 && g.number == f.number && g.uid == f.uid);
            must(equal(&others, &again));
        }
    }
    buf_free(&copy);
    buf_free(&others);
    buf_free(&written);
    buf_free(&again);
}

/* ---- who ---- */

static void who(struct span text)
{
    char account[ADDRESS_SIZE], again[ADDRESS_SIZE], device[JWK_UDF_SIZE];
    struct buf one = BUF_INIT, two = BUF_INIT;

    if (imap_account(text, "example.com", account, NULL) == 0) {
        must(imap_account((struct span){(const unsigned char *)account, strlen(account)}, "", again, NULL) == 0);
        must(strcmp(account, again) == 0 && !strchr(account, '*') && !strchr(account, '+'));
    }
    if (imap_device(text, device) == 0)
        must(strlen(device) == text.len);
    (void)imap_login_user(text, &one);
    buf_reset(&one);
    (void)imap_plain_user(text, &one);
    buf_reset(&one);
    if (imap_id(text, &one) == 0)
        must(imap_id(of(&one), &two) == 0 && equal(&one, &two));
    buf_free(&one);
    buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {data + 1, size - 1};

    if (size < 1)
        return 0;
    switch (data[0]) {
    case 's':
        streams(data + 1, size - 1);
        break;
    case 'w':
        words(text);
        break;
    case 'c':
        capabilities(text);
        break;
    case 'n':
        sets(text);
        searches(text);
        break;
    case 'f':
        fetches(text);
        break;
    case 'i':
        who(text);
        break;
    default:
        break;
    }
    return 0;
}
