#include "body.h"

#include <string.h>

int new_body_build(const struct jwe *jwe, const struct buf *ciphertext, struct new_body *out, struct err *e)
{
    int r;

    memset(out, 0, sizeof *out);
    if ((r = mailcrypt_build(jwe, ciphertext, &out->type, &out->made, e)) < 0) {
        new_body_clear(out);
        return r;
    }
    out->run[0] = (struct span){out->made.data, out->made.len};
    out->runs = 1;
    return 0;
}

int new_body_from(struct mailcrypt *m, struct new_body *out, struct err *e)
{
    const unsigned char *begin = m->multipart.data, *end = m->part1.data + m->part1.len;
    int r;

    if (m->kind == MAILCRYPT_WHOLE)
        return new_body_build(m->jwe, &m->ciphertext, out, e);
    memset(out, 0, sizeof *out);
    if ((r = mailcrypt_part1(m, &out->made, e)) < 0) {
        new_body_clear(out);
        return r;
    }
    out->run[0] = (struct span){begin, (size_t)(m->part1.data - begin)};
    out->run[1] = (struct span){out->made.data, out->made.len};
    out->run[2] = (struct span){end, (size_t)(begin + m->multipart.len - end)};
    out->runs = 3;
    return 0;
}

int new_body_send(const struct new_body *b, const struct mta *m)
{
    int r = 0;

    for (size_t i = 0; !r && i < b->runs; i++)
        r = mta_replace_body(m, b->run[i].data, b->run[i].len);
    return r;
}

void new_body_clear(struct new_body *b)
{
    buf_free(&b->made);
    buf_free(&b->type);
    memset(b, 0, sizeof *b);
}
