#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "jcd-private.h"
#include "sjson.h"

struct jcd {
    jcd_read *from;
    void *from_arg;
    unsigned char in[16384];
    size_t at, have;
    int ended;
    struct buf header;
    struct buf item; /* the value that was read last: an object's text, or a string's content */
    struct jcd_cipher c;
    int done;
};

/* The next octet, -1 at the end, another negative code on error. It is not taken. */
static int peek(struct jcd *d, int *octet, struct err *e)
{
    int r;

    if (d->at == d->have && !d->ended) {
        if ((r = d->from(d->from_arg, d->in, sizeof d->in, &d->have, e)) < 0) {
            d->have = d->at = 0;
            return r;
        }
        d->at = 0;
        d->ended = d->have == 0;
    }
    *octet = d->at < d->have ? d->in[d->at] : -1;
    return 0;
}

static int early(struct err *e)
{
    return err_set(e, ERR_SYNTAX, "the document ends early: something of it is missing");
}

/* The next octet that is no white space; not taken. */
static int peek_token(struct jcd *d, int *octet, struct err *e)
{
    int r;

    while ((r = peek(d, octet, e)) == 0 && (*octet == ' ' || *octet == '\t' || *octet == '\n' || *octet == '\r'))
        d->at++;
    return r;
}

static int expect(struct jcd *d, int wanted, struct err *e)
{
    int octet, r;

    if ((r = peek_token(d, &octet, e)) < 0)
        return r;
    if (octet < 0)
        return early(e);
    if (octet != wanted)
        return err_set(e, ERR_SYNTAX, "this is no controlled document: '%c' is missing", wanted);
    d->at++;
    return 0;
}

/* An object's text up to its closing brace; whether it is JSON is the parser's business. */
static int read_object(struct jcd *d, struct err *e)
{
    int octet, depth = 0, in_string = 0, escaped = 0, r;
    unsigned char c;

    buf_reset(&d->item);
    d->item.max = JCD_HEADER_MAX;
    do {
        if ((r = peek(d, &octet, e)) < 0)
            return r;
        if (octet < 0)
            return early(e);
        c = (unsigned char)octet;
        d->at++;
        if ((r = buf_append(&d->item, &c, 1)) < 0)
            return err_set(e, r, "the document's header is too large");
        if (escaped)
            escaped = 0;
        else if (in_string && c == '\\')
            escaped = 1;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && c == '{')
            depth++;
        else if (!in_string && c == '}')
            depth--;
    } while (depth > 0);
    return 0;
}

/* A string's base64url text, without the quotes. */
static int read_string(struct jcd *d, struct err *e)
{
    const unsigned char *start, *end;
    size_t len;
    int octet, r;

    buf_reset(&d->item);
    d->item.max = (d->c.chunk + JCD_TAG_LEN) / 3 * 4 + 4;
    if ((r = expect(d, '"', e)) < 0)
        return r;
    for (;;) {
        if ((r = peek(d, &octet, e)) < 0)
            return r;
        if (octet < 0)
            return early(e);
        start = d->in + d->at;
        end = memchr(start, '"', d->have - d->at);
        len = end ? (size_t)(end - start) : d->have - d->at;
        if ((r = buf_append(&d->item, start, len)) < 0)
            return err_set(e, r == ERR_LIMIT ? ERR_SYNTAX : r, "a part of the document is too long");
        d->at += len;
        if (end) {
            d->at++;
            return 0;
        }
    }
}

int jcd_open(jcd_read *from, void *from_arg, struct jcd **out, struct err *e)
{
    struct jcd *d;
    int octet, r;

    *out = NULL;
    if (!(d = calloc(1, sizeof *d)))
        return err_errno(e, "out of memory");
    d->from = from;
    d->from_arg = from_arg;
    if ((r = expect(d, '[', e)) < 0 || (r = peek_token(d, &octet, e)) < 0)
        goto fail;
    if (octet != '{') {
        r = octet < 0 ? early(e) : err_set(e, ERR_SYNTAX, "this is no controlled document: it has no header");
        goto fail;
    }
    if ((r = read_object(d, e)) < 0)
        goto fail;
    d->header = d->item;
    memset(&d->item, 0, sizeof d->item);
    if ((r = jcd_header_read(&d->header, &d->c.protected, &d->c.chunk, e)) < 0 || (r = expect(d, ',', e)) < 0)
        goto fail;
    *out = d;
    return 0;
fail:
    jcd_free(&d);
    return r;
}

const struct buf *jcd_header(const struct jcd *d)
{
    return &d->header;
}

static int check_trailer(struct jcd *d, struct err *e)
{
    static const char *const names[] = {"octets", "mac", NULL};
    struct json_object *obj = NULL;
    struct buf mac = BUF_INIT;
    unsigned char own[32];
    int64_t octets;
    int octet, r;

    if ((r = read_object(d, e)) < 0 || (r = expect(d, ']', e)) < 0 || (r = peek_token(d, &octet, e)) < 0)
        return r;
    if (octet >= 0)
        return err_set(e, ERR_SYNTAX, "something stands behind the document's end");
    if ((r = sjson_parse(d->item.data, d->item.len, NULL, &obj, e)) < 0 || (r = sjson_only(obj, names, e)) < 0 ||
        (r = sjson_int(obj, "octets", &octets, e)) < 0 || (r = sjson_b64(obj, "mac", &mac, e)) < 0 ||
        (r = jcd_cipher_mac(&d->c, own, e)) < 0)
        goto out;
    if (octets < 0 || (uint64_t)octets != d->c.octets || mac.len != sizeof own ||
        CRYPTO_memcmp(mac.data, own, sizeof own) != 0)
        r = err_set(e, ERR_CRYPTO, "the document is damaged: its trailer does not verify");
out:
    json_object_put(obj);
    buf_free(&mac);
    return r;
}

/* One data string; *last when the trailer follows. */
static int read_chunk(struct jcd *d, unsigned char *plain, struct buf *raw, int *last, jcd_write *to, void *to_arg,
                      struct err *e)
{
    size_t len;
    int octet, r;

    if ((r = read_string(d, e)) < 0 || (r = expect(d, ',', e)) < 0 || (r = peek_token(d, &octet, e)) < 0)
        return r;
    if (octet < 0)
        return early(e);
    *last = octet == '{';
    buf_reset(raw);
    if ((r = b64url_decode(buf_str(&d->item), d->item.len, raw)) < 0)
        return err_set(e, r, "a part of the document is not base64url");
    if (raw->len < JCD_TAG_LEN || raw->len - JCD_TAG_LEN > d->c.chunk)
        return err_set(e, ERR_SYNTAX, "a part of the document is too short or too long");
    len = raw->len - JCD_TAG_LEN;
    /* Only the last chunk may be short, and it is empty only in an empty document: one form for one content. */
    if ((!*last && len != d->c.chunk) || (*last && len == 0 && d->c.count > 0))
        return err_set(e, ERR_SYNTAX, "a part of the document has the wrong length");
    if ((r = jcd_chunk_open(&d->c, raw->data, raw->len, *last, plain, e)) < 0)
        return r;
    return to(to_arg, plain, len, e);
}

int jcd_body(struct jcd *d, const unsigned char key[JCD_KEY_LEN], jcd_write *to, void *to_arg, struct err *e)
{
    struct buf raw = BUF_INIT;
    unsigned char *plain = NULL;
    size_t size = d->c.chunk;
    int last = 0, r;

    if (d->done)
        return err_set(e, ERR_USAGE, "the document was read already");
    d->done = 1;
    if ((r = jcd_cipher_start(&d->c, key, e)) < 0)
        return r;
    if (!(plain = secret_alloc(size)))
        return err_errno(e, "out of memory");
    while (r == 0 && !last)
        r = read_chunk(d, plain, &raw, &last, to, to_arg, e);
    if (r == 0)
        r = check_trailer(d, e);
    secret_free(plain, size);
    buf_free(&raw);
    return r;
}

void jcd_free(struct jcd **d)
{
    if (!*d)
        return;
    buf_free(&(*d)->header);
    buf_free(&(*d)->item);
    jcd_cipher_clear(&(*d)->c);
    free(*d);
    *d = NULL;
}
