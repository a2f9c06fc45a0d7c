/* Arbitrary octets are a message in the two-part form.
 * identity: its part 1, written anew, is found the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailcrypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int inside(struct span outer, struct span inner)
{
    return inner.len == 0 || (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

static void rewrite(struct span msg, const struct mailcrypt *m)
{
    struct buf json = BUF_INIT, again = BUF_INIT, part1 = BUF_INIT, whole = BUF_INIT;
    size_t before = (size_t)(m->part1.data - msg.data), after = msg.len - before - m->part1.len;
    struct span header, body;
    struct mailcrypt found;
    struct err e;

    if (jwe_write(m->jwe, NULL, &json, &e) < 0 || mailcrypt_part1(m, &part1, &e) < 0 ||
        buf_append(&whole, msg.data, before) < 0 || buf_append(&whole, part1.data, part1.len) < 0 ||
        buf_append(&whole, m->part1.data + m->part1.len, after) < 0 ||
        mailcrypt_find_message((struct span){whole.data, whole.len}, &header, &body, &found, &e) < 0 ||
        found.kind != MAILCRYPT_TWO_PART || found.part1.len != part1.len || found.part2.len != m->part2.len ||
        jwe_write(found.jwe, NULL, &again, &e) < 0 || again.len != json.len ||
        memcmp(again.data, json.data, json.len) != 0)
        abort();
    mailcrypt_clear(&found);
    buf_free(&json);
    buf_free(&again);
    buf_free(&part1);
    buf_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span msg = {data, size}, header, body;
    struct buf cipher = BUF_INIT;
    struct mailcrypt m;
    struct err e;

    if (mailcrypt_find_message(msg, &header, &body, &m, &e) < 0) {
        if (m.jwe || m.ciphertext.data)
            abort();
        return 0;
    }
    if (m.kind == MAILCRYPT_TWO_PART) {
        if (!m.jwe || !inside(body, m.part1) || !inside(body, m.part2))
            abort();
        rewrite(msg, &m);
    }
    if (m.kind != MAILCRYPT_PLAIN)
        mailcrypt_ciphertext(&m, &cipher, &e);
    mailcrypt_clear(&m);
    buf_free(&cipher);
    return 0;
}
