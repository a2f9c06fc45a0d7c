/* Requests of devices (device.h). */
#include "device.h"

#include <string.h>

#include "jws.h"
#include "sjson.h"
#include "statement-private.h"

#define CODE_TYPE "application/recrypt-device"

enum { DEVICE_VERSION = 1, CODE_BITS = 100 };

static int is_name(const char *s)
{
    size_t len = strlen(s);

    return len && len < DEVICE_NAME_SIZE && s[0] != '-' && s[len - 1] != '-' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

int device_member(const char *account, const char *name, char out[ADDRESS_SIZE], struct err *e)
{
    struct buf text = BUF_INIT;
    char canonical[ADDRESS_SIZE];
    const char *at;
    int r;

    *out = 0;
    if ((r = address_canonical(account, strlen(account), canonical, e)) < 0)
        return r;
    if (strchr(canonical, '+'))
        return err_set(e, ERR_SYNTAX, "%s has an extension and so no devices", canonical);
    if (!is_name(name))
        return err_set(e, ERR_SYNTAX, "not a device's name (a-z, 0-9 and -, at most %d): %.40s", DEVICE_NAME_SIZE - 1,
                       name);
    at = strchr(canonical, '@');
    if ((r = buf_printf(&text, "%.*s+%s%s", (int)(at - canonical), canonical, name, at)) < 0)
        statement_no_memory(e);
    else
        r = address_canonical(buf_str(&text), text.len, out, e);
    buf_free(&text);
    return r;
}

static int check_keys(const struct device *d, const struct jwk *signer, struct err *e)
{
    if (!jwk_suite(d->key))
        return err_set(e, ERR_KEY, "the key of device %s is not one to encrypt to", d->name);
    if (!jwk_is_signature(signer))
        return err_set(e, ERR_KEY, "the signer of device %s is not a signature key", d->name);
    return jwk_equal(d->key, signer) ? err_set(e, ERR_KEY, "device %s has one key for two purposes", d->name) : 0;
}

int device_sign(const struct device *d, const struct jwk *signer_private, struct buf *out, struct err *e)
{
    struct json_object *obj = json_object_new_object();
    char member[ADDRESS_SIZE];
    int r;

    if ((r = device_member(d->account, d->name, member, e)) < 0 || (r = check_keys(d, signer_private, e)) < 0)
        goto out;
    if (sjson_set_int(obj, "v", DEVICE_VERSION) < 0 || sjson_set_string(obj, "account", d->account) < 0 ||
        sjson_set_string(obj, "name", d->name) < 0 || sjson_set_string(obj, "owner", d->owner) < 0 ||
        sjson_set_int(obj, "iat", d->issued) < 0)
        r = statement_no_memory(e);
    else if ((r = statement_set_key(obj, "key", d->key, e)) == 0 &&
             (r = statement_set_key(obj, "signer", signer_private, e)) == 0)
        r = jws_sign_json(signer_private, DEVICE_TYP, obj, out, e);
out:
    json_object_put(obj);
    return r;
}

static int read_name(struct json_object *obj, struct device *d, struct err *e)
{
    const char *name;
    int r;

    if ((r = statement_address(obj, "account", d->account, e)) < 0 || (r = sjson_string(obj, "name", &name, e)) < 0 ||
        (r = device_member(d->account, name, d->member, e)) < 0)
        return r;
    memcpy(d->name, name, strlen(name) + 1);
    return 0;
}

static int read_payload(struct json_object *obj, struct device *d, struct err *e)
{
    static const char *const names[] = {"v", "account", "name", "key", "signer", "owner", "iat", NULL};
    char keyid[KEYID_SIZE];
    int r;

    if ((r = statement_version(obj, "device", DEVICE_VERSION, e)) < 0 || (r = sjson_only(obj, names, e)) < 0 ||
        (r = read_name(obj, d, e)) < 0 || (r = statement_udf(obj, "owner", d->owner, e)) < 0 ||
        (r = statement_number(obj, "iat", 0, &d->issued, e)) < 0 || (r = statement_key(obj, "key", &d->key, e)) < 0 ||
        (r = statement_key(obj, "signer", &d->signer, e)) < 0 || (r = check_keys(d, d->signer, e)) < 0)
        return r;
    if ((r = jwk_udf(d->key, d->key_udf)) < 0)
        return err_set(e, r, "fingerprint of a key failed");
    if ((r = keyid_make(d->member, d->key_udf, keyid, e)) < 0)
        return r;
    return jwk_set_kid(d->key, keyid) < 0 ? statement_no_memory(e) : 0;
}

static int make_code(const struct buf *payload, char out[DEVICE_CODE_SIZE], struct err *e)
{
    if (udf_text(CODE_TYPE, payload->data, payload->len, CODE_BITS, out) < 0)
        return err_set(e, ERR_SYSTEM, "fingerprint of a device's request failed");
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return 0;
}

int device_read(const void *text, size_t len, struct device *out, struct err *e)
{
    struct json_object *obj = NULL;
    struct buf payload = BUF_INIT;
    struct jwk *signer = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = statement_claimed_signer(text, len, &signer, &payload, e)) == 0 &&
        (r = jws_open_json(text, len, signer, DEVICE_TYP, &obj, e)) == 0 && (r = read_payload(obj, out, e)) == 0)
        r = make_code(&payload, out->code, e);
    if (r < 0)
        device_clear(out);
    json_object_put(obj);
    jwk_free(&signer);
    buf_free(&payload);
    return r;
}

void device_clear(struct device *d)
{
    jwk_free(&d->key);
    jwk_free(&d->signer);
    memset(d, 0, sizeof *d);
}

struct profile device_profile(const struct device *d)
{
    struct profile p = {.kind = PROFILE_PERSON, .key = d->key, .signer = d->signer, .epoch = 1, .issued = d->issued};

    memcpy(p.account, d->member, sizeof p.account);
    memcpy(p.owner, d->member, sizeof p.owner);
    if (d->key)
        memcpy(p.keyid, jwk_kid(d->key), strlen(jwk_kid(d->key)) + 1);
    return p;
}
