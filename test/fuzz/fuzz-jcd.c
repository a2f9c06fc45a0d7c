/* Reads the input as a controlled document; and seals it as a file's content.
 * identity: what is sealed opens to the same octets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/jcd.h"

static const unsigned char key[JCD_KEY_LEN];

struct source {
    const unsigned char *data;
    size_t left;
};

static int from_memory(void *arg, unsigned char *data, size_t max, size_t *got, struct err *e)
{
    struct source *s = arg;

    (void)e;
    *got = s->left < max ? s->left : max;
    if (*got)
        memcpy(data, s->data, *got);
    s->data += *got;
    s->left -= *got;
    return 0;
}

static int to_buf(void *arg, const void *data, size_t len, struct err *e)
{
    (void)e;
    return buf_append(arg, data, len);
}

static int open_document(const unsigned char *data, size_t size, struct buf *out)
{
    struct source s = {data, size};
    struct jcd *d;
    int r = jcd_open(from_memory, &s, &d, NULL);

    if (r == 0)
        r = jcd_body(d, key, to_buf, out, NULL);
    jcd_free(&d);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char protected[] = "{\"typ\":\"jcd\",\"chunk\":100}";
    struct buf header = BUF_INIT, doc = BUF_INIT, out = BUF_INIT;
    struct source s = {data, size};

    open_document(data, size, &out);
    buf_reset(&out);
    if (buf_puts(&header, "{\"protected\":\"") < 0 || b64url_encode(protected, sizeof protected - 1, &header) < 0 ||
        buf_puts(&header, "\"}") < 0)
        abort();
    if (jcd_seal(&header, key, from_memory, &s, to_buf, &doc, NULL) < 0 || open_document(doc.data, doc.len, &out) < 0 ||
        out.len != size || (size && memcmp(out.data, data, size) != 0))
        abort();
    buf_free(&header);
    buf_free(&doc);
    buf_free(&out);
    return 0;
}
