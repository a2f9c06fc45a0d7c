/* JWS texts taken apart: compact and flattened serialisation. */
#include <string.h>

#include "b64.h"
#include "jws.h"
#include "sjson.h"

enum { SIGNATURE_TEXT_MAX = 1024 }; /* any algorithm's; only 64 octets verify later */

static const struct sjson_limits text_limits = {JWS_TEXT_MAX, 8, 1024};
static const struct sjson_limits header_limits = {256 << 10, 8, 8192};

/* What no header may hold, protected or not. */
static int check_header(struct json_object *h, struct err *e)
{
    struct json_object *b64;

    if (sjson_has(h, "crit"))
        return err_set(e, ERR_UNSUPPORTED, "JWS: critical extensions");
    if (json_object_object_get_ex(h, "b64", &b64) &&
        (!json_object_is_type(b64, json_type_boolean) || !json_object_get_boolean(b64)))
        return err_set(e, ERR_UNSUPPORTED, "JWS: payload that is not encoded");
    if (sjson_has(h, "kid") && !json_object_is_type(json_object_object_get(h, "kid"), json_type_string))
        return err_set(e, ERR_SYNTAX, "JWS: \"kid\" is not a string");
    return 0;
}

static int protected_header(const char *text, size_t len, struct jws *out, struct err *e)
{
    struct buf json = BUF_INIT;
    const char *alg;
    int r;

    if ((r = b64url_decode(text, len, &json)) < 0)
        err_set(e, r, "JWS: protected header is not base64url");
    else if ((r = sjson_parse(buf_str(&json), json.len, &header_limits, &out->header, e)) < 0)
        err_prefix(e, "JWS: protected header");
    else if ((r = sjson_string(out->header, "alg", &alg, e)) == 0) {
        if (strcmp(alg, "EdDSA") != 0 && strcmp(alg, "ES256") != 0)
            r = err_set(e, ERR_UNSUPPORTED, "JWS: algorithm %.40s", alg);
        else
            r = check_header(out->header, e);
    }
    buf_free(&json);
    return r;
}

/* The three base64url texts, wherever they stood. */
static int take(const char *head, size_t head_len, const char *payload, size_t payload_len, const char *signature,
                size_t signature_len, struct jws *out, struct err *e)
{
    int r;

    if (signature_len > SIGNATURE_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "JWS: signature too long");
    if ((r = protected_header(head, head_len, out, e)) < 0)
        return r;
    if ((r = b64url_decode(payload, payload_len, &out->payload)) < 0)
        return err_set(e, r, "JWS: payload is not base64url");
    if ((r = b64url_decode(signature, signature_len, &out->signature)) < 0)
        return err_set(e, r, "JWS: signature is not base64url");
    if ((r = buf_append(&out->signing_input, head, head_len)) < 0 || (r = buf_puts(&out->signing_input, ".")) < 0 ||
        (r = buf_append(&out->signing_input, payload, payload_len)) < 0)
        return err_set(e, r, "JWS: no memory");
    return 0;
}

static int parse_compact(const char *text, size_t len, struct jws *out, struct err *e)
{
    const char *end = text + len, *dot1 = len ? memchr(text, '.', len) : NULL;
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;

    if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
        return err_set(e, ERR_SYNTAX, "JWS: neither three parts nor JSON");
    return take(text, (size_t)(dot1 - text), dot1 + 1, (size_t)(dot2 - dot1 - 1), dot2 + 1, (size_t)(end - dot2 - 1),
                out, e);
}

/* RFC 7515 section 4: no parameter in both headers. The unprotected one decides nothing here. */
static int check_unprotected(struct json_object *obj, struct json_object *prot, struct err *e)
{
    struct json_object *h;
    int r;

    if (!sjson_has(obj, "header"))
        return 0;
    if ((r = sjson_object(obj, "header", &h, e)) < 0 || (r = check_header(h, e)) < 0)
        return r;
    json_object_object_foreach(h, name, value)
    {
        (void)value;
        if (sjson_has(prot, name))
            return err_set(e, ERR_SYNTAX, "JWS: \"%.40s\" in both headers", name);
    }
    return 0;
}

static int parse_flattened(const char *text, size_t len, struct jws *out, struct err *e)
{
    const char *head, *payload = "", *signature;
    struct json_object *obj;
    int r;

    if ((r = sjson_parse(text, len, &text_limits, &obj, e)) < 0)
        return r;
    if (sjson_has(obj, "signatures"))
        r = err_set(e, ERR_UNSUPPORTED, "JWS: general serialisation");
    else if ((r = sjson_string(obj, "protected", &head, e)) == 0 &&
             (!sjson_has(obj, "payload") || (r = sjson_string(obj, "payload", &payload, e)) == 0) &&
             (r = sjson_string(obj, "signature", &signature, e)) == 0 &&
             (r = take(head, strlen(head), payload, strlen(payload), signature, strlen(signature), out, e)) == 0)
        r = check_unprotected(obj, out->header, e);
    json_object_put(obj);
    return r;
}

int jws_parse(const void *text, size_t len, struct jws *out, struct err *e)
{
    const char *s = text;
    size_t skip = 0;
    int r;

    memset(out, 0, sizeof *out);
    if (len > JWS_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "JWS: more than %d octets", (int)JWS_TEXT_MAX);
    while (skip < len && (s[skip] == ' ' || s[skip] == '\t' || s[skip] == '\r' || s[skip] == '\n'))
        skip++;
    r = skip < len && s[skip] == '{' ? parse_flattened(s, len, out, e) : parse_compact(s, len, out, e);
    if (r < 0)
        jws_clear(out);
    return r;
}

void jws_clear(struct jws *j)
{
    json_object_put(j->header);
    j->header = NULL;
    buf_free(&j->payload);
    buf_free(&j->signing_input);
    buf_free(&j->signature);
}

const char *jws_kid(const struct jws *j)
{
    const char *kid;

    return sjson_string(j->header, "kid", &kid, NULL) == 0 ? kid : NULL;
}
