/* Grants that travel sealed to a member's key (statement.h). */
#include <string.h>

#include "sjson.h"
#include "statement.h"

#define SEALED_CTY "recrypt-grant"

int sealed_grant_make(const struct grant *g, const struct jwk *to, struct buf *out, struct err *e)
{
    const struct jwe_options opt = {.cty = SEALED_CTY};
    struct json_object *obj = NULL;
    struct buf text = BUF_INIT;
    int r = grant_to_json(g, &obj, e);

    if (r == 0 && (r = sjson_write(obj, &text)) < 0)
        err_set(e, r, "grant: no memory");
    if (r == 0)
        r = jwe_seal_compact(to, &opt, text.data, text.len, out, e);
    sjson_free_secret(&obj);
    buf_free(&text);
    return r;
}

int sealed_grant_read(const void *text, size_t len, const char *keyid, struct sealed_grant *out, struct err *e)
{
    const char *cty;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jwe_parse(text, len, 0, &out->j, &out->ciphertext, e)) == 0 &&
        (jwe_recipients(out->j) != 1 || !(cty = jwe_cty(out->j)) || strcmp(cty, SEALED_CTY)))
        r = err_set(e, ERR_SYNTAX, "not a sealed grant");
    if (r == 0 && (r = jwe_recipient(out->j, 0, &out->to, e)) == 0 && (!out->to.kid || strcmp(out->to.kid, keyid)))
        r = err_set(e, ERR_KEY, "a grant that is sealed to another key than %s", keyid);
    if (r < 0)
        sealed_grant_clear(out);
    return r;
}

int sealed_grant_open(const struct sealed_grant *s, const struct share *device, const struct grant *own,
                      struct grant *out, struct err *e)
{
    static const char *const names[] = {"t", "u", NULL};
    struct json_object *obj = NULL;
    struct buf plain = BUF_INIT;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = share_decrypt(device, own, s->j, 0, &s->ciphertext, &plain, e)) == 0 &&
        (r = sjson_parse(plain.data, plain.len, NULL, &obj, e)) == 0 && (r = sjson_only(obj, names, e)) == 0)
        r = grant_from_json(obj, out, e);
    sjson_free_secret(&obj);
    buf_free(&plain);
    return r;
}

void sealed_grant_clear(struct sealed_grant *s)
{
    jwe_free(&s->j);
    buf_free(&s->ciphertext);
    memset(s, 0, sizeof *s);
}
