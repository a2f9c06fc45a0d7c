#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/jcd.h"
#include "unit.h"

enum { CHUNK = 16 };
static const unsigned char key[JCD_KEY_LEN] = {1, 2, 3}, other_key[JCD_KEY_LEN] = {3, 2, 1};

struct source {
    const unsigned char *data;
    size_t len, at, step; /* at most step octets a call */
};

static int from_memory(void *arg, unsigned char *data, size_t max, size_t *got, struct err *e)
{
    struct source *s = arg;
    size_t n = s->len - s->at;

    (void)e;
    n = n > max ? max : n;
    n = s->step && n > s->step ? s->step : n;
    if (n)
        memcpy(data, s->data + s->at, n);
    s->at += n;
    *got = n;
    return 0;
}

static int to_buf(void *arg, const void *data, size_t len, struct err *e)
{
    return buf_append(arg, data, len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static void header_of(const char *protected, struct buf *out)
{
    CU_ASSERT_EQUAL_FATAL(buf_puts(out, "{\"protected\":\""), 0);
    CU_ASSERT_EQUAL_FATAL(b64url_encode(protected, strlen(protected), out), 0);
    CU_ASSERT_EQUAL_FATAL(buf_puts(out, "\",\"x\":\"a \\\"}{ b\"}"), 0);
}

static void seal_octets(size_t len, size_t step, struct buf *plain, struct buf *doc)
{
    struct buf header = BUF_INIT;
    struct source s;

    buf_reset(plain);
    buf_reset(doc);
    for (size_t i = 0; i < len; i++)
        CU_ASSERT_EQUAL_FATAL(buf_append(plain, &(unsigned char){(unsigned char)(i * 7 + i / 256)}, 1), 0);
    s = (struct source){plain->data, plain->len, 0, step};
    header_of("{\"typ\":\"jcd\",\"chunk\":16}", &header);
    CU_ASSERT_EQUAL_FATAL(jcd_seal(&header, key, from_memory, &s, to_buf, doc, NULL), 0);
    buf_free(&header);
}

static int open_text(const void *text, size_t len, size_t step, const unsigned char *k, struct buf *out)
{
    struct source s = {text, len, 0, step};
    struct jcd *d;
    int r = jcd_open(from_memory, &s, &d, NULL);

    buf_reset(out);
    if (r == 0)
        r = jcd_body(d, k, to_buf, out, NULL);
    jcd_free(&d);
    return r;
}

static void test_lengths(void)
{
    static const size_t lengths[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1000};
    struct buf plain = BUF_INIT, doc = BUF_INIT, out = BUF_INIT;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t step = 0; step < 8; step += 7) {
            seal_octets(lengths[i], step, &plain, &doc);
            CU_ASSERT_EQUAL(open_text(doc.data, doc.len, step, key, &out), 0);
            CU_ASSERT_EQUAL(out.len, plain.len);
            CU_ASSERT(plain.len == 0 || memcmp(out.data, plain.data, plain.len) == 0);
            CU_ASSERT_EQUAL(open_text(doc.data, doc.len, step, other_key, &out), ERR_CRYPTO);
            CU_ASSERT_EQUAL(out.len, 0);
        }
    buf_free(&plain);
    buf_free(&doc);
    buf_free(&out);
}

static void test_truncated(void)
{
    struct buf plain = BUF_INIT, doc = BUF_INIT, out = BUF_INIT;

    seal_octets(3 * CHUNK + 1, 0, &plain, &doc);
    for (size_t len = 0; len < doc.len - 1; len++) /* the last octet is a line end */
        CU_ASSERT_EQUAL(open_text(doc.data, len, 0, key, &out), ERR_SYNTAX);
    CU_ASSERT_EQUAL(open_text(doc.data, doc.len - 1, 0, key, &out), 0);
    buf_free(&plain);
    buf_free(&doc);
    buf_free(&out);
}

static void test_flipped(void)
{
    struct buf plain = BUF_INIT, doc = BUF_INIT, out = BUF_INIT;

    seal_octets(3 * CHUNK + 1, 0, &plain, &doc);
    for (size_t i = 0; i < doc.len * 8; i++) {
        doc.data[i / 8] ^= (unsigned char)(1 << i % 8);
        /* The header's members beside "protected" are the JWE's business; white space may become other white space. */
        if (open_text(doc.data, doc.len, 0, key, &out) == 0) {
            CU_ASSERT_EQUAL(out.len, plain.len);
            CU_ASSERT_EQUAL(memcmp(out.data, plain.data, plain.len), 0);
        } else {
            /* Only what verified came out. */
            CU_ASSERT_EQUAL(memcmp(out.data ? out.data : plain.data, plain.data, out.len), 0);
        }
        doc.data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    buf_free(&plain);
    buf_free(&doc);
    buf_free(&out);
}

/* The document's lines: header, chunks, trailer. */
static size_t split(char *text, char *lines[16])
{
    size_t n = 0;

    for (char *line = strtok(text, "\n"); line && n < 16; line = strtok(NULL, "\n"))
        lines[n++] = line;
    return n;
}

static int open_lines(char **lines, const int *order, struct buf *out)
{
    struct buf doc = BUF_INIT;
    int r;

    for (; *order >= 0; order++)
        CU_ASSERT_EQUAL_FATAL(buf_printf(&doc, "%s\n", lines[*order]), 0);
    r = open_text(doc.data, doc.len, 0, key, out);
    buf_free(&doc);
    return r;
}

static void test_order(void)
{
    static const struct {
        int order[8], expected;
    } cases[] = {
        {{0, 1, 2, 3, 4, 5, -1}, 0},
        {{0, 2, 1, 3, 4, 5, -1}, ERR_CRYPTO}, /* swapped */
        {{0, 1, 3, 4, 5, -1}, ERR_CRYPTO},    /* one left out */
        {{0, 1, 2, 3, 5, -1}, ERR_CRYPTO},    /* the last left out */
        {{0, 1, 2, 2, 3, 4, 5}, ERR_CRYPTO},  /* twice */
        {{0, 1, 2, 3, 4, 4, 5}, ERR_SYNTAX},  /* the short last one in the middle */
        {{0, 5, -1}, ERR_SYNTAX},             /* none */
        {{0, 1, 2, 3, 4, 5, 5, -1}, ERR_SYNTAX},
        {{1, 2, 3, 4, 5, -1}, ERR_SYNTAX},
    };
    struct buf plain = BUF_INIT, doc = BUF_INIT, out = BUF_INIT;
    char *lines[16], *text;
    int order[9];

    seal_octets(3 * CHUNK + 1, 0, &plain, &doc);
    text = strdup(buf_str(&doc));
    CU_ASSERT_EQUAL_FATAL(split(text, lines), 6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(order, cases[i].order, sizeof cases[i].order);
        order[8] = -1;
        for (int k = 0; k < 8; k++)
            if (order[k] == 5 && !(k < 7 && order[k + 1] == 5))
                order[k + 1] = -1;
        CU_ASSERT_EQUAL(open_lines(lines, order, &out), cases[i].expected);
    }
    free(text);
    buf_free(&plain);
    buf_free(&doc);
    buf_free(&out);
}

static void test_trailer(void)
{
    struct buf plain = BUF_INIT, doc = BUF_INIT, out = BUF_INIT, more = BUF_INIT;
    char *at;

    seal_octets(CHUNK, 0, &plain, &doc);
    at = strstr((char *)doc.data, "\"octets\":16");
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at[10] = '7';
    CU_ASSERT_EQUAL(open_text(doc.data, doc.len, 0, key, &out), ERR_CRYPTO);
    at[10] = '6';
    CU_ASSERT_EQUAL(buf_append(&more, doc.data, doc.len), 0);
    CU_ASSERT_EQUAL(buf_puts(&more, "x"), 0);
    CU_ASSERT_EQUAL(open_text(more.data, more.len, 0, key, &out), ERR_SYNTAX);
    buf_free(&plain);
    buf_free(&doc);
    buf_free(&out);
    buf_free(&more);
}

static void test_header(void)
{
    static const struct {
        const char *protected;
        int expected;
    } cases[] = {
        {"{\"typ\":\"jcd\",\"chunk\":65536}", ERR_SYNTAX}, /* nothing follows */
        {"{\"typ\":\"JWE\",\"chunk\":16}", ERR_UNSUPPORTED},
        {"{\"chunk\":16}", ERR_UNSUPPORTED},
        {"{\"typ\":\"jcd\"}", ERR_UNSUPPORTED},
        {"{\"typ\":\"jcd\",\"chunk\":0}", ERR_UNSUPPORTED},
        {"{\"typ\":\"jcd\",\"chunk\":\"16\"}", ERR_UNSUPPORTED},
        {"{\"typ\":\"jcd\",\"chunk\":1048577}", ERR_UNSUPPORTED},
        {"{\"typ\":\"jcd\",\"typ\":\"jcd\",\"chunk\":16}", ERR_SYNTAX},
        {"[]", ERR_UNSUPPORTED},
    };
    struct buf doc = BUF_INIT, out = BUF_INIT;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&doc);
        CU_ASSERT_EQUAL(buf_puts(&doc, "["), 0);
        header_of(cases[i].protected, &doc);
        CU_ASSERT_EQUAL(buf_puts(&doc, ","), 0);
        CU_ASSERT_EQUAL(open_text(doc.data, doc.len, 0, key, &out), cases[i].expected);
    }
    CU_ASSERT_EQUAL(open_text("{\"protected\":\"\"}", 16, 0, key, &out), ERR_SYNTAX);
    CU_ASSERT_EQUAL(open_text("", 0, 0, key, &out), ERR_SYNTAX);
    buf_free(&doc);
    buf_free(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"every length round chunk ends comes back; another key opens nothing", test_lengths},
        {"cut anywhere, it is refused", test_truncated},
        {"no flipped bit lets anything unverified out", test_flipped},
        {"chunks out of order, missing or twice are refused", test_order},
        {"the trailer must fit, and nothing may follow it", test_trailer},
        {"headers of another kind are refused", test_header},
    };
    return unit_main("jcd", tests, sizeof tests / sizeof *tests);
}
