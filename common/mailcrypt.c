#include "mailcrypt.h"

#include <string.h>
#include <strings.h>

#include "b64.h"

/* Lines of the parts that say how to read the rest end all in CRLF or all in LF, and hold no NUL: with anything else
 * two readers may find different structure. */
static int lines_check(struct span s, struct err *e)
{
    const unsigned char *lf, *at = s.data, *end = s.data + s.len;
    int crlf = -1;

    if (s.len == 0)
        return 0;
    if (memchr(at, 0, s.len))
        return err_set(e, ERR_SYNTAX, "NUL in the structure of an encrypted message");
    for (; at < end; at = lf + 1) {
        int cr;

        if (!(lf = memchr(at, '\n', (size_t)(end - at))))
            lf = end;
        cr = lf < end && lf > at && lf[-1] == '\r';
        if (lf > at && memchr(at, '\r', (size_t)(lf - at) - (size_t)cr))
            return err_set(e, ERR_SYNTAX, "bare CR in the structure of an encrypted message");
        if (lf == end)
            break;
        if (crlf >= 0 && crlf != cr)
            return err_set(e, ERR_SYNTAX, "bare LF in the structure of an encrypted message");
        crlf = cr;
    }
    return 0;
}

/* Content-Transfer-Encoding: 1 base64, 0 as is. */
static int encoding(struct span value, struct err *e)
{
    struct buf text = BUF_INIT;
    int r = mime_unfold(value, &text, e);
    const char *s = buf_str(&text);

    if (r == 0 && strcasecmp(s, "base64") == 0)
        r = 1;
    else if (r == 0 && *s && strcasecmp(s, "7bit") != 0 && strcasecmp(s, "8bit") != 0 && strcasecmp(s, "binary") != 0)
        r = err_set(e, ERR_UNSUPPORTED, "transfer encoding %.40s in an encrypted message", s);
    buf_free(&text);
    return r;
}

/* Checks a part's header, which has to say that it is of that type. Returns encoding's answer. */
static int part_header(struct span header, const char *type, struct err *e)
{
    struct mime_field f;
    struct buf found = BUF_INIT;
    int r;

    if ((r = lines_check(header, e)) < 0)
        return r;
    if ((r = mime_field_find(header, "Content-Type", &f, e)) < 0)
        return r;
    if (r != 1)
        return err_set(e, ERR_SYNTAX, "%s Content-Type in a part that should be %s", r ? "more than one" : "no", type);
    r = mime_type(f.value, &found, e);
    if (r == 0 && strcmp(buf_str(&found), type) != 0)
        r = err_set(e, ERR_SYNTAX, "a part is %.60s and should be %s", buf_str(&found), type);
    buf_free(&found);
    if (r < 0)
        return r;
    if ((r = mime_field_find(header, "Content-Transfer-Encoding", &f, e)) > 1)
        return err_set(e, ERR_SYNTAX, "two Content-Transfer-Encoding fields in one part");
    return r > 0 ? encoding(f.value, e) : r;
}

static int part1_read(struct mailcrypt *m, struct err *e)
{
    struct span header, body;
    struct buf json = {NULL, 0, 0, JWE_TEXT_MAX * 2};
    int r;

    mime_split(m->part1, &header, &body);
    if (body.len > JWE_TEXT_MAX * 3 / 2)
        return err_set(e, ERR_LIMIT, "part 1 of the encrypted message is longer than %d octets", JWE_TEXT_MAX);
    if ((r = lines_check(m->part1, e)) < 0 || (r = part_header(header, "application/jose+json", e)) < 0)
        return r;
    if (r == 1) {
        if ((r = b64mime_decode(body.data, body.len, &json)) < 0) {
            err_set(e, r, "part 1 of the encrypted message: malformed base64");
            goto out;
        }
        body = (struct span){json.data, json.len};
    }
    if (body.len > JWE_TEXT_MAX)
        r = err_set(e, ERR_LIMIT, "part 1 of the encrypted message is longer than %d octets", JWE_TEXT_MAX);
    else
        r = jwe_parse(body.data, body.len, 1, &m->jwe, NULL, e);
out:
    buf_free(&json);
    return r;
}

/* parts are those of body, each behind its delimiter line. */
static struct span delimited(struct span body, const struct span parts[2])
{
    const unsigned char *from = parts[0].data - 1, *to = parts[1].data + parts[1].len, *end = body.data + body.len;

    while (from > body.data && from[-1] != '\n')
        from--;
    for (int lines = 0; to < end && lines < 2; to++) /* the last part's line end, then the last delimiter's */
        lines += *to == '\n';
    return (struct span){from, (size_t)(to - from)};
}

static int find_two_part(struct span content_type, struct span transfer_encoding, struct span body, struct mailcrypt *m,
                         struct err *e)
{
    struct buf boundary = BUF_INIT;
    struct span parts[2], header;
    size_t count;
    int r;

    m->kind = MAILCRYPT_TWO_PART;
    if ((r = encoding(transfer_encoding, e)) != 0)
        return r < 0 ? r : err_set(e, ERR_SYNTAX, "multipart/encrypted in base64");
    r = mime_param(content_type, "boundary", &boundary, e);
    if (r == 0) {
        r = mime_parts(body, buf_str(&boundary), parts, 2, &count, e);
        if (r == ERR_LIMIT || (r == 0 && count != 2))
            r = err_set(e, ERR_SYNTAX, "an encrypted message has two parts, this one has %s", r ? "more" : "one");
    }
    buf_free(&boundary);
    if (r < 0)
        return r;
    m->multipart = delimited(body, parts);
    m->part1 = parts[0];
    if ((r = part1_read(m, e)) < 0)
        return r;
    mime_split(parts[1], &header, &m->part2);
    m->part2_base64 = part_header(header, "application/octet-stream", e);
    return m->part2_base64 < 0 ? m->part2_base64 : 0;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.data[0]) && s.data[0]) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && s.data[s.len - 1] && strchr(" \t\r\n", s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Base64 without what its last four characters lack, when it was cut. */
static struct span whole_quanta(struct span s)
{
    size_t n = 0, end;

    for (size_t i = 0; i < s.len; i++)
        n += !strchr("\r\n \t", s.data[i]);
    for (end = s.len, n %= 4; n > 0 && end > 0; end--)
        n -= !strchr("\r\n \t", s.data[end - 1]);
    return (struct span){s.data, end};
}

/* cut: of the body only the beginning is there. */
static int find_whole(int compact, struct span transfer_encoding, struct span body, int cut, struct mailcrypt *m,
                      struct err *e)
{
    struct buf decoded = BUF_INIT;
    int r;

    m->kind = MAILCRYPT_WHOLE;
    if (cut && body.len > 0 && body.data[body.len - 1] == '\r')
        body.len--;
    if ((r = lines_check(body, e)) < 0 || (r = encoding(transfer_encoding, e)) < 0)
        return r;
    if (r == 1) {
        body = cut ? whole_quanta(body) : body;
        if ((r = b64mime_decode(body.data, body.len, &decoded)) < 0) {
            err_set(e, r, "encrypted message: malformed base64");
            goto out;
        }
        body = (struct span){decoded.data, decoded.len};
    }
    body = trim(body);
    if (body.len == 0 || compact == (body.data[0] == '{'))
        r = err_set(e, ERR_SYNTAX,
                    compact ? "application/jose that is no compact JWE" : "application/jose+json that is no JWE");
    else if (cut)
        r = jwe_peek(body.data, body.len, &m->jwe, e);
    else if (decoded.len && !compact)
        r = jwe_parse_take(&decoded, &m->jwe, &m->ciphertext, e);
    else
        r = jwe_parse(body.data, body.len, 0, &m->jwe, &m->ciphertext, e);
out:
    buf_free(&decoded);
    return r;
}

/* What a Content-Type claims. */
static int claims(struct span content_type, enum mailcrypt_kind *kind, int *compact, struct err *e)
{
    struct buf type = BUF_INIT, protocol = BUF_INIT;
    int r = mime_type(content_type, &type, NULL);

    *kind = MAILCRYPT_PLAIN;
    *compact = strcmp(buf_str(&type), "application/jose") == 0;
    if (r < 0)
        r = r == ERR_SYNTAX ? 0 : err_set(e, r, "Content-Type too long");
    else if (*compact || strcmp(buf_str(&type), "application/jose+json") == 0)
        *kind = MAILCRYPT_WHOLE;
    else if (strcmp(buf_str(&type), "multipart/encrypted") == 0) {
        r = mime_param(content_type, "protocol", &protocol, e);
        if (r == 0 && strcasecmp(buf_str(&protocol), "application/jose+json") == 0)
            *kind = MAILCRYPT_TWO_PART;
    }
    buf_free(&type);
    buf_free(&protocol);
    return r;
}

int mailcrypt_find(struct span content_type, struct span transfer_encoding, struct span body, struct mailcrypt *out,
                   struct err *e)
{
    enum mailcrypt_kind kind;
    int r, compact;

    memset(out, 0, sizeof *out);
    if ((r = claims(content_type, &kind, &compact, e)) < 0 || kind == MAILCRYPT_PLAIN)
        return r;
    if (kind == MAILCRYPT_TWO_PART)
        r = find_two_part(content_type, transfer_encoding, body, out, e);
    else
        r = find_whole(compact, transfer_encoding, body, 0, out, e);
    if (r < 0)
        mailcrypt_clear(out);
    return r;
}

/* The two fields that matter, whatever else the header holds; *broken when some line is no field. */
static int message_fields(struct span header, struct mime_field found[2], int counts[2], int *broken, struct err *e)
{
    static const char *const names[2] = {"Content-Type", "Content-Transfer-Encoding"};
    struct mime_field f;
    size_t at = 0;
    int r, fields = 0;

    memset(found, 0, 2 * sizeof *found);
    counts[0] = counts[1] = *broken = 0;
    while ((r = mime_field_next(header, &at, &f, e)) != 0) {
        if (r == ERR_SYNTAX) {
            *broken = 1;
            continue;
        }
        if (r < 0)
            return r;
        if (++fields > MIME_FIELDS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d header fields", MIME_FIELDS_MAX);
        for (int i = 0; i < 2; i++)
            if (mime_field_is(&f, names[i]) && counts[i]++ == 0)
                found[i] = f;
    }
    return 0;
}

static int peek(struct span content_type, struct span transfer_encoding, const struct span *part1, struct span body,
                int cut, struct mailcrypt *out, struct err *e)
{
    int r, compact;

    if ((r = claims(content_type, &out->kind, &compact, e)) < 0 || out->kind == MAILCRYPT_PLAIN)
        return r;
    if (out->kind == MAILCRYPT_WHOLE)
        return find_whole(compact, transfer_encoding, body, cut, out, e);
    if ((r = encoding(transfer_encoding, e)) != 0)
        return r < 0 ? r : err_set(e, ERR_SYNTAX, "multipart/encrypted in base64");
    out->part1 = *part1;
    return part1_read(out, e);
}

/* part1 NULL: body is all of the body. */
static int find_by_header(struct span header, const struct span *part1, struct span body, int cut,
                          struct mailcrypt *out, struct err *e)
{
    struct mime_field found[2];
    int counts[2], broken, r;

    memset(out, 0, sizeof *out);
    if ((r = message_fields(header, found, counts, &broken, e)) < 0)
        return r;
    if (counts[0] > 1)
        return err_set(e, ERR_SYNTAX, "%d Content-Type fields", counts[0]);
    r = part1 ? peek(found[0].value, found[1].value, part1, body, cut, out, e)
              : mailcrypt_find(found[0].value, found[1].value, body, out, e);
    if (r == 0 && out->kind != MAILCRYPT_PLAIN) {
        if (counts[1] > 1)
            r = err_set(e, ERR_SYNTAX, "%d Content-Transfer-Encoding fields", counts[1]);
        else if (broken)
            r = err_set(e, ERR_SYNTAX, "encrypted message with a header line that is no field");
        else
            r = lines_check(header, e);
    }
    if (r < 0)
        mailcrypt_clear(out);
    return r;
}

int mailcrypt_find_message(struct span msg, struct span *header, struct span *body, struct mailcrypt *out,
                           struct err *e)
{
    mime_split(msg, header, body);
    return find_by_header(*header, NULL, *body, 0, out, e);
}

int mailcrypt_peek(struct span header, struct span part1, struct span body, int cut, struct mailcrypt *out,
                   struct err *e)
{
    return find_by_header(header, &part1, body, cut, out, e);
}

void mailcrypt_clear(struct mailcrypt *m)
{
    jwe_free(&m->jwe);
    buf_free(&m->ciphertext);
    memset(m, 0, sizeof *m);
}

int mailcrypt_ciphertext(const struct mailcrypt *m, struct buf *out, struct err *e)
{
    int r;

    if (m->kind == MAILCRYPT_PLAIN)
        return err_set(e, ERR_USAGE, "the message is not encrypted");
    if (m->kind == MAILCRYPT_WHOLE)
        r = buf_append(out, m->ciphertext.data, m->ciphertext.len);
    else if (m->part2_base64)
        r = b64mime_decode(m->part2.data, m->part2.len, out);
    else
        r = buf_append(out, m->part2.data, m->part2.len);
    return r < 0
               ? err_set(e, r, "part 2 of the encrypted message: %s", r == ERR_SYNTAX ? "malformed base64" : "too long")
               : 0;
}
