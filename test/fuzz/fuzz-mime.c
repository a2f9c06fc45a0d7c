/* Walks arbitrary octets as a message and reads every field in every way there is.
 * identity: the fields, laid end to end, are the header; a parameter written as a quoted string is read the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int inside(struct span outer, struct span inner)
{
    return inner.len == 0 || (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

static void written_again(const struct buf *value)
{
    struct buf text = BUF_INIT, again = BUF_INIT;

    if (buf_puts(&text, "text/plain; boundary=\"") < 0)
        abort();
    for (size_t i = 0; i < value->len; i++)
        if (((value->data[i] == '"' || value->data[i] == '\\') && buf_puts(&text, "\\") < 0) ||
            buf_append(&text, value->data + i, 1) < 0)
            abort();
    if (buf_puts(&text, "\"") < 0 || mime_param((struct span){text.data, text.len}, "boundary", &again, NULL) < 0 ||
        again.len != value->len || memcmp(buf_str(&again), buf_str(value), again.len) != 0)
        abort();
    buf_free(&text);
    buf_free(&again);
}

static int visit(void *arg, unsigned depth, struct span header, struct span body, struct err *e)
{
    struct span *msg = arg;
    struct mime_field f;
    struct buf out = BUF_INIT;
    size_t at = 0, before = 0, end;
    int r;

    if (depth >= MIME_DEPTH_MAX || !inside(*msg, header) || !inside(*msg, body))
        abort();
    while ((r = mime_field_next(header, &at, &f, e)) != 0) {
        if (at <= before || at > header.len)
            abort();
        if (r < 0) {
            before = at;
            continue;
        }
        if (f.whole.data != header.data + before || f.whole.len != at - before)
            abort();
        before = at;
        if (!inside(header, f.whole) || !inside(f.whole, f.name) || !inside(f.whole, f.value) || f.name.len == 0)
            abort();
        mime_unfold(f.value, &out, e);
        mime_type(f.value, &out, e);
        buf_reset(&out);
        if (mime_param(f.value, "boundary", &out, e) == 0 && out.len)
            written_again(&out);
        mime_mailbox(f.value, &out, e);
        if (mime_type_end(f.value, &end) == 0 && end > f.value.len)
            abort();
    }
    buf_free(&out);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span msg = {data, size}, parts[4];
    struct err e;
    size_t count;

    mime_walk(msg, visit, &msg, &e);
    if (mime_parts(msg, "b", parts, 4, &count, &e) == 0)
        for (size_t i = 0; i < count; i++)
            if (!inside(msg, parts[i]))
                abort();
    return 0;
}
