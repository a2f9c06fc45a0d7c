/* mailcrypt-write.c - the two-part form written: part 1 in short lines, part 2 in base64. */
#include "mailcrypt.h"

#include <openssl/rand.h>
#include <string.h>

#include "b64.h"

enum { LINE = 76, BOUNDARY_OCTETS = 18 };

/* The length of the token that JSON text begins with: a string, one octet of structure, or a number or name. The text
 * is our own writer's, without white space. */
static size_t token_len(const unsigned char *s, size_t len)
{
    size_t n = 1;

    if (s[0] == '"') {
        while (n < len && s[n] != '"')
            n += s[n] == '\\' ? 2 : 1;
        return n < len ? n + 1 : len;
    }
    if (!strchr("{}[],:", s[0]))
        while (n < len && !strchr("{}[],:\"", s[n]))
            n++;
    return n;
}

/* May the text be written as it is, broken between tokens? */
static int fits_lines(const struct buf *json)
{
    for (size_t i = 0; i < json->len; i++)
        if (json->data[i] < 32 || json->data[i] > 126)
            return 0;
    for (size_t at = 0, n; at < json->len; at += n)
        if ((n = token_len(json->data + at, json->len - at)) > MAILCRYPT_STRING_MAX)
            return 0;
    return 1;
}

static int write_lines(const struct buf *json, const char *eol, struct buf *out)
{
    size_t column = 0;
    int r = 0;

    for (size_t at = 0, n; r == 0 && at < json->len; at += n) {
        n = token_len(json->data + at, json->len - at);
        if (column > 0 && column + n > LINE) {
            r = buf_puts(out, eol);
            column = 0;
        }
        column += n;
        if (r == 0)
            r = buf_append(out, json->data + at, n);
    }
    return r;
}

static int write_part1(const struct jwe *jwe, const char *eol, struct buf *out, struct err *e)
{
    struct buf json = {NULL, 0, 0, JWE_TEXT_MAX};
    size_t kept = out->len;
    int r;

    if ((r = jwe_write(jwe, NULL, &json, e)) < 0)
        goto out;
    if ((r = buf_reserve(out, json.len * 3 / 2 + 256)) < 0)
        goto full;
    if (fits_lines(&json)) {
        r = buf_printf(out, "Content-Type: application/jose+json%s%s", eol, eol);
        if (r == 0)
            r = write_lines(&json, eol, out);
    } else {
        r = buf_printf(out, "Content-Type: application/jose+json%sContent-Transfer-Encoding: base64%s%s", eol, eol,
                       eol);
        if (r == 0)
            r = b64mime_encode(json.data, json.len, eol, out);
        if (r == 0) /* the last line end is the delimiter's */
            buf_cut(out, out->len - strlen(eol));
    }
full:
    if (r < 0) {
        buf_cut(out, kept);
        err_set(e, r, "part 1 of the encrypted message: %s", r == ERR_LIMIT ? "too long" : "no memory");
    }
out:
    buf_free(&json);
    return r;
}

int mailcrypt_part1(const struct mailcrypt *m, struct buf *out, struct err *e)
{
    const unsigned char *lf;

    if (m->kind != MAILCRYPT_TWO_PART)
        return err_set(e, ERR_USAGE, "the message is not in two-part form");
    lf = memchr(m->part1.data, '\n', m->part1.len);
    return write_part1(m->jwe, lf && lf > m->part1.data && lf[-1] == '\r' ? "\r\n" : "\n", out, e);
}

int mailcrypt_build(const struct jwe *jwe, const struct buf *ciphertext, struct buf *content_type, struct buf *body,
                    struct err *e)
{
    unsigned char random[BOUNDARY_OCTETS];
    struct buf b = BUF_INIT;
    size_t type_kept = content_type->len, body_kept = body->len;
    int r;

    if (RAND_bytes(random, sizeof random) != 1)
        return err_set(e, ERR_SYSTEM, "no random numbers");
    if ((r = b64url_encode(random, sizeof random, &b)) < 0 ||
        (r = buf_printf(content_type, "multipart/encrypted; protocol=\"application/jose+json\"; boundary=\"%s\"",
                        buf_str(&b))) < 0 ||
        (r = buf_printf(body, "--%s\r\n", buf_str(&b))) < 0)
        goto full;
    if ((r = write_part1(jwe, "\r\n", body, e)) < 0)
        goto out;
    if ((r = buf_reserve(body, (ciphertext->len / 3 + 1) * 4 + (ciphertext->len / 57 + 1) * 2 + 512)) < 0 ||
        (r = buf_printf(body,
                        "\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n",
                        buf_str(&b))) < 0 ||
        (r = b64mime_encode(ciphertext->data, ciphertext->len, "\r\n", body)) < 0 ||
        (r = buf_printf(body, "--%s--\r\n", buf_str(&b))) < 0)
        goto full;
    goto out;
full:
    err_set(e, r, "encrypted message: %s", r == ERR_LIMIT ? "too long" : "no memory");
out:
    if (r < 0) {
        buf_cut(content_type, type_kept);
        buf_cut(body, body_kept);
    }
    buf_free(&b);
    return r;
}
