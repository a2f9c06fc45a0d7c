/* A JWE as text. What was parsed is written with the same protected octets. */
#include "b64.h"
#include "jwe-private.h"
#include "sjson.h"

int jwe_aad(const struct jwe *j, struct buf *out)
{
    int r = buf_append(out, buf_str(&j->protected_text), j->protected_text.len);

    if (r == 0 && j->has_aad && (r = buf_puts(out, ".")) == 0)
        r = buf_append(out, buf_str(&j->aad_text), j->aad_text.len);
    return r;
}

/* "name":"text", with a comma before it unless it is the first member; text needs no escapes. */
static int member(struct buf *out, const char *name, const char *text, size_t len)
{
    int r = 0;

    if (out->len && out->data[out->len - 1] != '{')
        r = buf_puts(out, ",");
    if (r == 0 && (r = buf_printf(out, "\"%s\":\"", name)) == 0 && (r = buf_append(out, text, len)) == 0)
        r = buf_puts(out, "\"");
    return r;
}

static int member_b64(struct buf *out, const char *name, const struct buf *value)
{
    int r = member(out, name, "", 0);

    if (r < 0)
        return r;
    out->len--; /* back before the closing quote */
    if ((r = b64url_encode(buf_str(value), value->len, out)) == 0)
        r = buf_puts(out, "\"");
    return r;
}

static int member_json(struct buf *out, const char *name, struct json_object *value)
{
    int r = 0;

    if (out->data[out->len - 1] != '{')
        r = buf_puts(out, ",");
    if (r == 0 && (r = buf_printf(out, "\"%s\":", name)) == 0)
        r = sjson_write(value, out);
    return r;
}

static int recipients(const struct jwe *j, struct buf *out)
{
    int r = buf_puts(out, out->data[out->len - 1] == '{' ? "\"recipients\":[" : ",\"recipients\":[");

    for (size_t i = 0; r == 0 && i < j->count; i++) {
        r = buf_puts(out, i ? ",{" : "{");
        if (r == 0 && j->to[i].encrypted_key.len)
            r = member_b64(out, "encrypted_key", &j->to[i].encrypted_key);
        if (r == 0 && j->to[i].header)
            r = member_json(out, "header", j->to[i].header);
        if (r == 0)
            r = buf_puts(out, "}");
    }
    return r < 0 ? r : buf_puts(out, "]");
}

/* Everything before the ciphertext. */
static int front(const struct jwe *j, struct buf *text)
{
    int r = buf_puts(text, "{");

    if (r == 0 && j->protected_text.len)
        r = member(text, "protected", buf_str(&j->protected_text), j->protected_text.len);
    if (r == 0 && j->unprotected)
        r = member_json(text, "unprotected", j->unprotected);
    if (r == 0)
        r = recipients(j, text);
    if (r == 0 && j->has_aad)
        r = member(text, "aad", buf_str(&j->aad_text), j->aad_text.len);
    if (r == 0 && j->iv.len)
        r = member_b64(text, "iv", &j->iv);
    return r;
}

int jwe_write(const struct jwe *j, const struct buf *ciphertext, struct buf *out, struct err *e)
{
    struct buf text = {NULL, 0, 0, JWE_TEXT_MAX};
    size_t before = out->len;
    int r = front(j, &text);

    if (r == 0 && (r = buf_append(out, text.data, text.len)) == 0) {
        if (ciphertext)
            r = member_b64(out, "ciphertext", ciphertext);
        if (r == 0 && j->tag.len)
            r = member_b64(out, "tag", &j->tag);
        if (r == 0)
            r = buf_puts(out, "}");
    }
    buf_free(&text);
    if (r < 0) {
        if (out->data)
            out->data[before] = 0;
        out->len = before;
        return err_set(e, r, r == ERR_LIMIT ? "JWE: too long" : "JWE: no memory");
    }
    return 0;
}

int jwe_write_compact(const struct jwe *j, const struct buf *ciphertext, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    int r;

    if (j->count != 1 || j->unprotected || j->to[0].header || j->has_aad || !j->protected_text.len || !j->iv.len)
        return err_set(e, ERR_UNSUPPORTED, "JWE: has parts that the compact form has no place for");
    text.max = out->max;
    if ((r = buf_append(&text, j->protected_text.data, j->protected_text.len)) < 0 || (r = buf_puts(&text, ".")) < 0 ||
        (r = b64url_encode(buf_str(&j->to[0].encrypted_key), j->to[0].encrypted_key.len, &text)) < 0 ||
        (r = buf_puts(&text, ".")) < 0 || (r = b64url_encode(j->iv.data, j->iv.len, &text)) < 0 ||
        (r = buf_puts(&text, ".")) < 0 || (r = b64url_encode(buf_str(ciphertext), ciphertext->len, &text)) < 0 ||
        (r = buf_puts(&text, ".")) < 0 || (r = b64url_encode(j->tag.data, j->tag.len, &text)) < 0 ||
        (r = buf_append(out, text.data, text.len)) < 0)
        err_set(e, r, r == ERR_LIMIT ? "JWE: too long" : "JWE: no memory");
    buf_free(&text);
    return r;
}
