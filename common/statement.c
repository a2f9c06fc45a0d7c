#include "statement.h"

#include <string.h>

#include "jws.h"
#include "sjson.h"
#include "statement-private.h"

int statement_no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

int statement_address(struct json_object *obj, const char *name, char out[ADDRESS_SIZE], struct err *e)
{
    const char *text;
    int r;

    *out = 0;
    if ((r = sjson_string(obj, name, &text, e)) < 0 || (r = address_canonical(text, strlen(text), out, e)) < 0)
        return r;
    return strcmp(text, out) ? err_set(e, ERR_SYNTAX, "\"%s\" is not an address in canonical form", name) : 0;
}

int statement_keyid(struct json_object *obj, const char *name, char out[KEYID_SIZE], char address[ADDRESS_SIZE],
                    char udf[JWK_UDF_SIZE], struct err *e)
{
    char account[ADDRESS_SIZE], print[64];
    const char *text;
    int r;

    *out = *udf = 0;
    if (address)
        *address = 0;
    if ((r = sjson_string(obj, name, &text, e)) < 0 || (r = keyid_parse(text, account, print, e)) < 0 ||
        (r = keyid_make(account, print, out, e)) < 0)
        return r;
    if (strcmp(text, out) || strlen(print) != JWK_UDF_SIZE - 1)
        return err_set(e, ERR_SYNTAX, "\"%s\" is not a key identifier in canonical form", name);
    memcpy(udf, print, JWK_UDF_SIZE);
    if (address)
        memcpy(address, account, ADDRESS_SIZE);
    return 0;
}

int statement_udf(struct json_object *obj, const char *name, char out[JWK_UDF_SIZE], struct err *e)
{
    const char *text;
    int r;

    *out = 0;
    if ((r = sjson_string(obj, name, &text, e)) < 0)
        return r;
    for (size_t i = 0; i < JWK_UDF_SIZE - 1; i++)
        if (i % 6 == 5 ? text[i] != '-' : !text[i] || !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", text[i]))
            return err_set(e, ERR_SYNTAX, "\"%s\" is not a fingerprint", name);
    if (text[JWK_UDF_SIZE - 1])
        return err_set(e, ERR_SYNTAX, "\"%s\" is not a fingerprint", name);
    memcpy(out, text, JWK_UDF_SIZE);
    return 0;
}

int statement_number(struct json_object *obj, const char *name, int64_t at_least, int64_t *out, struct err *e)
{
    int r = sjson_int(obj, name, out, e);

    if (r == 0 && *out < at_least)
        r = err_set(e, ERR_SYNTAX, "\"%s\" is less than %d", name, (int)at_least);
    return r;
}

int statement_key(struct json_object *obj, const char *name, struct jwk **out, struct err *e)
{
    struct json_object *key;
    int r;

    *out = NULL;
    if ((r = sjson_object(obj, name, &key, e)) < 0)
        return r;
    if ((r = jwk_from_json(key, out, e)) < 0)
        return err_prefix(e, "\"%s\"", name), r;
    if (jwk_is_private(*out)) {
        jwk_free(out);
        return err_set(e, ERR_SYNTAX, "\"%s\" is a private key", name);
    }
    return 0;
}

int statement_version(struct json_object *obj, const char *what, int64_t expected, struct err *e)
{
    int64_t version;
    int r = sjson_int(obj, "v", &version, e);

    if (r == 0 && version != expected)
        r = err_set(e, ERR_UNSUPPORTED, "%s of version %lld", what, (long long)version);
    return r;
}

int statement_claimed_signer(const void *text, size_t len, struct jwk **out, struct buf *payload, struct err *e)
{
    struct json_object *obj = NULL;
    struct jws j;
    int r;

    *out = NULL;
    if ((r = jws_parse(text, len, &j, e)) < 0)
        return r;
    if ((r = sjson_parse(buf_str(&j.payload), j.payload.len, NULL, &obj, e)) == 0)
        r = statement_key(obj, "signer", out, e);
    if (r == 0 && payload && buf_append(payload, j.payload.data, j.payload.len) < 0) {
        jwk_free(out);
        r = statement_no_memory(e);
    }
    json_object_put(obj);
    jws_clear(&j);
    return r;
}

int statement_octets(struct json_object *obj, const char *name, unsigned char *out, size_t len, struct err *e)
{
    struct buf octets = BUF_INIT;
    int r = sjson_b64(obj, name, &octets, e);

    if (r == 0 && octets.len != len)
        r = err_set(e, ERR_SYNTAX, "\"%s\" has %zu octets, not %zu", name, octets.len, len);
    if (r == 0)
        memcpy(out, octets.data, len);
    buf_free(&octets);
    return r;
}

int statement_set_key(struct json_object *obj, const char *name, const struct jwk *k, struct err *e)
{
    struct json_object *key = NULL;
    int r = jwk_to_json(k, 0, &key, e);

    if (r < 0)
        return r;
    return sjson_set_object(obj, name, key) < 0 ? statement_no_memory(e) : 0;
}

int statement_make_keyid(const char *account, const struct jwk *k, char out[KEYID_SIZE], struct err *e)
{
    char udf[JWK_UDF_SIZE];
    int r = jwk_udf(k, udf);

    *out = 0;
    return r < 0 ? err_set(e, r, "fingerprint of a key failed") : keyid_make(account, udf, out, e);
}
