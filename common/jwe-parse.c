/* JWE texts taken apart: general, flattened, compact, detached and keys only. jwe-header.c reads the headers. */
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "jwe-private.h"
#include "sjson.h"

static const struct sjson_limits whole_limits = {BUF_MAX_DEFAULT, 16, 65536};
static const struct sjson_limits part_limits = {JWE_TEXT_MAX, 16, 65536};
static const struct sjson_limits header_limits = {64 << 10, 8, 4096};

/* A base64url text of the serialisation, taken over as it is and decoded. */
static int decode(const char *name, const char *text, size_t len, struct buf *out, struct err *e)
{
    int r = b64url_decode(text, len, out);

    return r < 0 ? err_set(e, r, "JWE: \"%s\" is not base64url", name) : 0;
}

static int take_protected(struct jwe *j, const char *text, size_t len, struct err *e)
{
    struct buf json = BUF_INIT;
    int r = decode("protected", text, len, &json, e);

    if (r == 0 && (r = sjson_parse(buf_str(&json), json.len, &header_limits, &j->prot, e)) < 0)
        err_prefix(e, "JWE: protected header");
    if (r == 0 && !json_object_is_type(j->prot, json_type_object))
        r = err_set(e, ERR_SYNTAX, "JWE: protected header is not an object");
    if (r == 0 && (r = buf_append(&j->protected_text, text, len)) < 0)
        err_set(e, r, "JWE: no memory");
    buf_free(&json);
    return r;
}

static int allocate(struct jwe *j, size_t count, struct err *e)
{
    if (!(j->to = calloc(count, sizeof *j->to)))
        return err_errno(e, "JWE");
    j->count = count;
    return 0;
}

/* An optional member that is a base64url string. */
static int optional_b64(struct json_object *obj, const char *name, struct buf *out, struct err *e)
{
    return sjson_has(obj, name) ? sjson_b64(obj, name, out, e) : 0;
}

/* "header" and "encrypted_key" of a recipient, or of the whole in flattened form. */
static int take_recipient(struct json_object *obj, struct jwe_to *to, struct err *e)
{
    struct json_object *header;
    int r;

    if (!json_object_is_type(obj, json_type_object))
        return err_set(e, ERR_SYNTAX, "JWE: a recipient is not an object");
    if (sjson_has(obj, "header")) {
        if ((r = sjson_object(obj, "header", &header, e)) < 0)
            return r;
        to->header = json_object_get(header);
    }
    return optional_b64(obj, "encrypted_key", &to->encrypted_key, e);
}

static int take_recipients(struct jwe *j, struct json_object *obj, struct err *e)
{
    struct json_object *list;
    size_t n;
    int r;

    if (!sjson_has(obj, "recipients")) {
        if ((r = allocate(j, 1, e)) < 0)
            return r;
        return take_recipient(obj, &j->to[0], e);
    }
    if (sjson_has(obj, "header") || sjson_has(obj, "encrypted_key"))
        return err_set(e, ERR_SYNTAX, "JWE: both \"recipients\" and members of the flattened form");
    if ((r = sjson_array(obj, "recipients", &list, e)) < 0)
        return r;
    n = json_object_array_length(list);
    if (n == 0)
        return err_set(e, ERR_SYNTAX, "JWE: no recipients");
    if (n > JWE_RECIPIENTS_MAX)
        return err_set(e, ERR_LIMIT, "JWE: more than %d recipients", (int)JWE_RECIPIENTS_MAX);
    if ((r = allocate(j, n, e)) < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = take_recipient(json_object_array_get_idx(list, i), &j->to[i], e);
    return r;
}

/* The members that a form needs are there and no others of their kind. */
static int check_form(struct json_object *obj, enum jwe_form form, struct err *e)
{
    static const char *const names[] = {"ciphertext", "iv", "tag"};

    for (size_t i = 0; i < (form == JWE_BEGINNING ? 1 : 3); i++) {
        int want = form == JWE_WHOLE || form == JWE_BEGINNING || (form == JWE_DETACHED && i > 0);

        if (sjson_has(obj, names[i]) != want)
            return err_set(e, ERR_SYNTAX, "JWE: \"%s\" %s", names[i], want ? "is missing" : "does not belong here");
    }
    return 0;
}

/* The ciphertext as it stands in the text; data NULL: json-c has it. later: the caller decodes it. */
struct cut {
    const char *data;
    size_t len;
    int later;
};

static int take_texts(struct jwe *j, struct json_object *obj, enum jwe_form form, const struct cut *cut,
                      struct buf *ciphertext, struct err *e)
{
    struct json_object *unprotected;
    struct buf aad = BUF_INIT;
    const char *text;
    int r = 0;

    if (sjson_has(obj, "protected")) {
        if ((r = sjson_string(obj, "protected", &text, e)) < 0 || (r = take_protected(j, text, strlen(text), e)) < 0)
            return r;
    }
    if (sjson_has(obj, "unprotected")) {
        if ((r = sjson_object(obj, "unprotected", &unprotected, e)) < 0)
            return r;
        j->unprotected = json_object_get(unprotected);
    }
    if (sjson_has(obj, "aad")) {
        if ((r = sjson_b64(obj, "aad", &aad, e)) == 0 && (r = sjson_string(obj, "aad", &text, e)) == 0 &&
            (r = buf_puts(&j->aad_text, text)) < 0)
            err_set(e, r, "JWE: no memory");
        j->has_aad = 1;
        buf_free(&aad);
    }
    if (r == 0 && form < JWE_KEYS_ONLY && (r = sjson_b64(obj, "iv", &j->iv, e)) == 0)
        r = sjson_b64(obj, "tag", &j->tag, e);
    if (r == 0 && form == JWE_WHOLE && !(cut->data && cut->later))
        r = cut->data ? decode("ciphertext", cut->data, cut->len, ciphertext, e)
                      : sjson_b64(obj, "ciphertext", ciphertext, e);
    return r;
}

/* The text without its ciphertext, so that a long one is not copied by json-c, twice. Where it cannot be cut out that
 * is no error: cut->data stays NULL. */
static int cut_ciphertext(const char *text, size_t len, struct cut *cut, struct buf *rest, struct err *e)
{
    const char *c;
    size_t n;
    int r = sjson_validate(text, len, &whole_limits, e);

    if (r < 0 || !sjson_find_string(text, len, "ciphertext", &c, &n))
        return r;
    if (len - n > JWE_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "JWE: more than %d octets beside the ciphertext", (int)JWE_TEXT_MAX);
    if ((r = buf_append(rest, text, (size_t)(c - text))) < 0 ||
        (r = buf_append(rest, c + n, len - (size_t)(c + n - text))) < 0)
        return err_set(e, r, "JWE: no memory");
    cut->data = c;
    cut->len = n;
    return 0;
}

static int parse_object(const char *text, size_t len, enum jwe_form form, const struct cut *cut, struct jwe *j,
                        struct buf *ciphertext, struct err *e)
{
    int has_content = form == JWE_WHOLE || form == JWE_BEGINNING, r;
    struct json_object *obj, *v;
    size_t rest = len;

    if ((r = sjson_parse(text, len, has_content ? &whole_limits : &part_limits, &obj, e)) < 0)
        return r;
    if (has_content && json_object_object_get_ex(obj, "ciphertext", &v) &&
        json_object_is_type(v, json_type_string))
        rest -= (size_t)json_object_get_string_len(v);
    if (rest > JWE_TEXT_MAX)
        r = err_set(e, ERR_LIMIT, "JWE: more than %d octets beside the ciphertext", (int)JWE_TEXT_MAX);
    else if (!json_object_is_type(obj, json_type_object))
        r = err_set(e, ERR_SYNTAX, "JWE: not an object");
    else if ((r = check_form(obj, form, e)) == 0 && (r = take_texts(j, obj, form, cut, ciphertext, e)) == 0)
        r = take_recipients(j, obj, e);
    json_object_put(obj);
    return r;
}

static int parse_json(const char *text, size_t len, enum jwe_form form, struct cut *cut, struct jwe *j,
                      struct buf *ciphertext, struct err *e)
{
    struct buf rest = BUF_INIT;
    int r = form == JWE_WHOLE ? cut_ciphertext(text, len, cut, &rest, e) : 0;

    if (r == 0 && cut->data)
        r = parse_object(buf_str(&rest), rest.len, form, cut, j, ciphertext, e);
    else if (r == 0)
        r = parse_object(text, len, form, cut, j, ciphertext, e);
    buf_free(&rest);
    return r;
}

static int parse_compact(const char *text, size_t len, enum jwe_form form, struct jwe *j, struct buf *ciphertext,
                         struct err *e)
{
    const char *part[5] = {NULL}, *end = text + len, *p = text;
    size_t part_len[5] = {0};
    int r;

    for (size_t i = 0; i < (form == JWE_BEGINNING ? 2 : 5); i++) {
        const char *dot = len ? memchr(p, '.', (size_t)(end - p)) : NULL;

        if (!dot != (i == 4))
            return err_set(e, ERR_SYNTAX, "JWE: neither five parts nor JSON");
        part[i] = p;
        part_len[i] = (size_t)((dot ? dot : end) - p);
        p = dot ? dot + 1 : end;
    }
    if (form != JWE_BEGINNING && len - part_len[3] > JWE_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "JWE: more than %d octets beside the ciphertext", (int)JWE_TEXT_MAX);
    if ((r = allocate(j, 1, e)) < 0 || (r = take_protected(j, part[0], part_len[0], e)) < 0 ||
        (r = decode("encrypted_key", part[1], part_len[1], &j->to[0].encrypted_key, e)) < 0 || form == JWE_BEGINNING ||
        (r = decode("iv", part[2], part_len[2], &j->iv, e)) < 0 ||
        (r = decode("tag", part[4], part_len[4], &j->tag, e)) < 0)
        return r;
    return decode("ciphertext", part[3], part_len[3], ciphertext, e);
}

static int parse(const void *text, size_t len, enum jwe_form form, int passphrase, struct cut *cut, struct jwe **out,
                 struct buf *ciphertext, struct err *e)
{
    struct buf decoded = BUF_INIT;
    struct jwe *j = calloc(1, sizeof *j);
    const char *s = text;
    size_t skip = 0;
    int r;

    *out = NULL;
    if (!j)
        return err_errno(e, "JWE");
    if (ciphertext)
        decoded.max = ciphertext->max;
    while (skip < len && (s[skip] == ' ' || s[skip] == '\t' || s[skip] == '\r' || s[skip] == '\n'))
        skip++;
    if ((form != JWE_WHOLE && form != JWE_BEGINNING) || (skip < len && s[skip] == '{'))
        r = parse_json(s, len, form, cut, j, &decoded, e);
    else
        r = parse_compact(s, len, form, j, &decoded, e);
    if (r == 0)
        r = jwe_read_headers(j, passphrase, e);
    if (r == 0 && form < JWE_KEYS_ONLY && (j->iv.len != j->enc->iv_len || j->tag.len != j->enc->tag_len))
        r = err_set(e, ERR_SYNTAX, "JWE: \"iv\" or \"tag\" of the wrong length");
    if (r == 0 && form == JWE_WHOLE && !ciphertext->data) {
        *ciphertext = decoded; /* with the same limit */
        decoded = (struct buf)BUF_INIT;
    } else if (r == 0 && form == JWE_WHOLE && (r = buf_append(ciphertext, buf_str(&decoded), decoded.len)) < 0) {
        err_set(e, r, "JWE: no room for the ciphertext");
    }
    buf_free(&decoded);
    if (r < 0)
        jwe_free(&j);
    *out = j;
    return r;
}

int jwe_parse_as(const void *text, size_t len, enum jwe_form form, int passphrase, struct jwe **out,
                 struct buf *ciphertext, struct err *e)
{
    struct cut cut = {NULL, 0, 0};

    return parse(text, len, form, passphrase, &cut, out, ciphertext, e);
}

/* The JSON is closed where it ends: in its ciphertext, or this is no JSON. */
int jwe_peek(const void *text, size_t len, struct jwe **out, struct err *e)
{
    struct buf closed = BUF_INIT;
    int r;

    *out = NULL;
    if (!len || ((const char *)text)[0] != '{')
        return jwe_parse_as(text, len, JWE_BEGINNING, 0, out, NULL, e);
    if ((r = buf_append(&closed, text, len)) < 0 || (r = buf_puts(&closed, "\"}")) < 0)
        err_set(e, r, "JWE: no memory");
    else
        r = jwe_parse_as(closed.data, closed.len, JWE_BEGINNING, 0, out, NULL, e);
    buf_free(&closed);
    return r;
}

int jwe_parse_take(struct buf *text, struct jwe **out, struct buf *ciphertext, struct err *e)
{
    struct cut cut = {NULL, 0, 1};
    int r = parse(text->data, text->len, JWE_WHOLE, 0, &cut, out, ciphertext, e);
    unsigned char *at;
    size_t len;

    if (r < 0 || !cut.data)
        return r;
    at = text->data + (cut.data - (const char *)text->data);
    if ((r = b64url_decode_in_place(at, cut.len, &len)) < 0) {
        jwe_free(out);
        return err_set(e, r, "JWE: \"ciphertext\" is not base64url");
    }
    memmove(text->data, at, len);
    buf_cut(text, len);
    buf_free(ciphertext);
    *ciphertext = *text;
    *text = (struct buf)BUF_INIT;
    return 0;
}

int jwe_parse(const void *text, size_t len, int detached, struct jwe **out, struct buf *ciphertext, struct err *e)
{
    return jwe_parse_as(text, len, detached ? JWE_DETACHED : JWE_WHOLE, 0, out, ciphertext, e);
}

int jwe_parse_keys(const void *text, size_t len, struct jwe **out, struct err *e)
{
    return jwe_parse_as(text, len, JWE_KEYS_ONLY, 0, out, NULL, e);
}

static void to_clear(struct jwe_to *to)
{
    json_object_put(to->header);
    buf_free(&to->encrypted_key);
    buf_free(&to->epk);
    buf_free(&to->apu);
    buf_free(&to->apv);
}

int jwe_drop_recipient(struct jwe *j, size_t i, struct err *e)
{
    if (i >= j->count)
        return err_set(e, ERR_ABSENT, "JWE: no recipient %zu", i);
    if (j->count == 1)
        return err_set(e, ERR_LIMIT, "JWE: its only recipient");
    to_clear(&j->to[i]);
    j->count--;
    memmove(&j->to[i], &j->to[i + 1], (j->count - i) * sizeof *j->to);
    return 0;
}

void jwe_free(struct jwe **j)
{
    if (!*j)
        return;
    for (size_t i = 0; i < (*j)->count; i++)
        to_clear(&(*j)->to[i]);
    free((*j)->to);
    buf_free(&(*j)->protected_text);
    json_object_put((*j)->prot);
    json_object_put((*j)->unprotected);
    buf_free(&(*j)->aad_text);
    buf_free(&(*j)->iv);
    buf_free(&(*j)->tag);
    free(*j);
    *j = NULL;
}
