/* What a mail server says to recrypt fetch: through the guard into libetpan's parser, and what is made of its answers.
 * identity: the guard lets the same octets pass in whatever pieces they come, and an answer tells of the messages that
 * were asked for, in order, and of no other.
 * fuzz-sources: recrypt/fetch-guard.c recrypt/fetch-guard-item.c recrypt/fetch-imap.c recrypt/fetch-xrecrypt.c
 * fuzz-sources: imapfilter/imap-read.c imapfilter/imap-line.c imapfilter/imap-set.c
 * fuzz-libs: -letpan
 */
#include <libetpan/libetpan.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../recrypt/fetch-guard.h"
#include "../../recrypt/fetch-imap.h"
#include "../../recrypt/fetch-stream.h"

/* libetpan forgets some of what it had read when a session ends in the middle; the program ends then. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The connection's place: the input, sixteen octets at a time. */
struct fetch_stream {
    const uint8_t *data;
    size_t left;
    struct fetch_guard *guard;
    struct buf in;
    size_t at;
};
static const uint8_t *input;
static size_t input_len;

static ssize_t low_read(mailstream_low *low, void *data, size_t len)
{
    struct fetch_stream *s = low->data;
    size_t n;

    while (s->at == s->in.len) {
        n = s->left < 16 ? s->left : 16;
        buf_reset(&s->in);
        s->at = 0;
        if (n == 0 || fetch_guard_feed(s->guard, s->data, n, &s->in, NULL) < 0)
            return -1;
        s->data += n;
        s->left -= n;
    }
    n = s->in.len - s->at < len ? s->in.len - s->at : len;
    memcpy(data, s->in.data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static ssize_t low_write(mailstream_low *low, const void *data, size_t len)
{
    (void)low;
    (void)data;
    return (ssize_t)len;
}

static int low_close(mailstream_low *low)
{
    (void)low;
    return 0;
}

static void low_free(mailstream_low *low)
{
    struct fetch_stream *s = low->data;

    fetch_guard_free(&s->guard);
    buf_free(&s->in);
    free(s);
    free(low);
}

static mailstream_low_driver driver = {.mailstream_read = low_read,
                                       .mailstream_write = low_write,
                                       .mailstream_close = low_close,
                                       .mailstream_free = low_free};

int fetch_stream_open(const struct fetch_conf *c, struct fetch_stream **out, mailstream **stream, struct err *e)
{
    struct fetch_stream *s = calloc(1, sizeof *s);

    (void)c;
    if (!s || fetch_guard_new(&s->guard, e) < 0)
        abort();
    s->data = input;
    s->left = input_len;
    fetch_stream_expect(s, 0, 16384);
    *out = s;
    *stream = mailstream_new(mailstream_low_new(s, &driver), 16384);
    return 0;
}

void fetch_stream_expect(struct fetch_stream *s, size_t literal, size_t total)
{
    fetch_guard_limits(s->guard, literal, total);
}

int fetch_stream_starttls(struct fetch_stream *s, struct err *e)
{
    (void)s;
    return err_set(e, ERR_DENIED, "no TLS here");
}

int fetch_stream_error(const struct fetch_stream *s, struct err *e)
{
    (void)s;
    return err_set(e, ERR_RETRY, "the end");
}

int fetch_password(const struct fetch_conf *c, struct buf *out, struct err *e)
{
    (void)c;
    (void)e;
    return buf_puts(out, "secret");
}

static void check(const struct fetch_answer *a, const uint32_t *uids, size_t count)
{
    if (a->count != count)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (a->at[i].uid != uids[i])
            abort();
        for (size_t n = 0, sum = 0; n < a->at[i].data.len; n++)
            if ((sum += a->at[i].data.data[n]) == (size_t)-1)
                abort();
    }
}

static void session(void)
{
    static const struct fetch_conf conf = {.account = "bob@example.com", .tls = FETCH_CLEAR, .host = "h", .port = "1",
                                           .user = "bob", .mailbox = "INBOX", .max_size = 1000, .timeout = 1};
    struct fetch_answer answer;
    struct fetch_imap *im;
    uint32_t validity, *uids = NULL;
    size_t count = 0, n;
    char why[256];

    if (fetch_imap_open(&conf, &im, NULL) < 0)
        return;
    if (fetch_imap_list(im, &validity, &uids, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++)
            if (uids[i] == 0 || (i && uids[i] <= uids[i - 1]))
                abort();
        n = count < FETCH_BATCH_MAX ? count : FETCH_BATCH_MAX;
        if (fetch_imap_sizes(im, uids, n, &answer, NULL) == 0) {
            check(&answer, uids, n);
            fetch_answer_clear(&answer);
            if (fetch_imap_messages(im, uids, n, 1000, &answer, NULL) == 0) {
                check(&answer, uids, n);
                fetch_answer_clear(&answer);
                if (fetch_imap_grants(im, uids, n, "AAAAA-BBBBB", &answer, why, NULL) == 0) {
                    check(&answer, uids, n);
                    fetch_answer_clear(&answer);
                }
            }
        }
    }
    free(uids);
    fetch_imap_close(&im);
}

static int pieces(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
    struct fetch_guard *g;
    int r = 0;

    if (fetch_guard_new(&g, NULL) < 0)
        abort();
    fetch_guard_limits(g, 5000, 50000);
    for (size_t at = 0, n; r == 0 && at < size; at += n) {
        n = size - at < piece ? size - at : piece;
        r = fetch_guard_feed(g, data + at, n, out, NULL);
    }
    fetch_guard_free(&g);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, parts = BUF_INIT;
    size_t len = size < 50000 ? size : 50000;
    int one = pieces(data, len, 50000, &whole), two = pieces(data, len, 3, &parts);

    if (one != two ||
        (one == 0 && (whole.len != parts.len || memcmp(buf_str(&whole), buf_str(&parts), whole.len) != 0)))
        abort();
    buf_free(&whole);
    buf_free(&parts);
    input = data;
    input_len = size;
    session();
    return 0;
}
