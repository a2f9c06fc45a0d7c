#include "jcd.h"

#include <string.h>

#include "b64.h"
#include "jcd-private.h"

struct writer {
    struct jcd_cipher c;
    jcd_write *to;
    void *to_arg;
    unsigned char *sealed; /* one chunk and its tag */
    struct buf line;
};

static int write_chunk(struct writer *w, const unsigned char *plain, size_t len, int last, struct err *e)
{
    int r;

    if ((r = jcd_chunk_seal(&w->c, plain, len, last, w->sealed, e)) < 0)
        return r;
    buf_reset(&w->line);
    if (buf_puts(&w->line, "\"") < 0 || b64url_encode(w->sealed, len + JCD_TAG_LEN, &w->line) < 0 ||
        buf_puts(&w->line, "\",\n") < 0)
        return err_errno(e, "out of memory");
    return w->to(w->to_arg, w->line.data, w->line.len, e);
}

static int write_trailer(struct writer *w, struct err *e)
{
    unsigned char mac[32];
    int r;

    if ((r = jcd_cipher_mac(&w->c, mac, e)) < 0)
        return r;
    buf_reset(&w->line);
    if (buf_printf(&w->line, "{\"octets\":%llu,\"mac\":\"", (unsigned long long)w->c.octets) < 0 ||
        b64url_encode(mac, sizeof mac, &w->line) < 0 || buf_puts(&w->line, "\"}]\n") < 0)
        return err_errno(e, "out of memory");
    return w->to(w->to_arg, w->line.data, w->line.len, e);
}

/* A full chunk, or what there is before the end. */
static int fill(jcd_read *from, void *arg, unsigned char *data, size_t chunk, size_t *len, struct err *e)
{
    size_t got;
    int r;

    for (*len = 0; *len < chunk; *len += got) {
        if ((r = from(arg, data + *len, chunk - *len, &got, e)) < 0)
            return r;
        if (got == 0)
            break;
    }
    return 0;
}

/* One chunk is read ahead: whether a chunk is the last is known when it is written. */
static int write_all(struct writer *w, jcd_read *from, void *arg, unsigned char *now, unsigned char *ahead,
                     struct err *e)
{
    size_t len, more;
    unsigned char *swap;
    int r;

    if ((r = fill(from, arg, now, w->c.chunk, &len, e)) < 0)
        return r;
    for (;;) {
        more = 0;
        if (len == w->c.chunk && (r = fill(from, arg, ahead, w->c.chunk, &more, e)) < 0)
            return r;
        if ((r = write_chunk(w, now, len, more == 0, e)) < 0 || more == 0)
            return r;
        swap = now;
        now = ahead;
        ahead = swap;
        len = more;
    }
}

int jcd_seal(const struct buf *header, const unsigned char key[JCD_KEY_LEN], jcd_read *from, void *from_arg,
             jcd_write *to, void *to_arg, struct err *e)
{
    struct writer w;
    unsigned char *now = NULL, *ahead = NULL;
    int r;

    memset(&w, 0, sizeof w);
    w.to = to;
    w.to_arg = to_arg;
    if ((r = jcd_header_read(header, &w.c.protected, &w.c.chunk, e)) < 0 || (r = jcd_cipher_start(&w.c, key, e)) < 0)
        goto out;
    now = secret_alloc(w.c.chunk);
    ahead = secret_alloc(w.c.chunk);
    w.sealed = secret_alloc(w.c.chunk + JCD_TAG_LEN);
    if (!now || !ahead || !w.sealed) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = to(to_arg, "[", 1, e)) < 0 || (r = to(to_arg, header->data, header->len, e)) < 0 ||
        (r = to(to_arg, ",\n", 2, e)) < 0)
        goto out;
    if ((r = write_all(&w, from, from_arg, now, ahead, e)) == 0)
        r = write_trailer(&w, e);
out:
    secret_free(now, w.c.chunk);
    secret_free(ahead, w.c.chunk);
    secret_free(w.sealed, w.c.chunk + JCD_TAG_LEN);
    buf_free(&w.line);
    jcd_cipher_clear(&w.c);
    return r;
}
