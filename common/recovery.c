/* Recoveries of parked devices (device.h). */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "jws.h"
#include "sjson.h"
#include "statement-private.h"

#define RECOVERY_CTY "recrypt-recovery"

enum { RECOVERY_VERSION = 1 };

/* member is a device of account. */
static int check_member(const char *account, const char *member, struct err *e)
{
    char base[ADDRESS_SIZE], name[DEVICE_NAME_SIZE], expected[ADDRESS_SIZE];
    const char *ext;
    size_t len;
    int r;

    address_split(member, base, &ext, &len);
    if (!ext || len >= sizeof name || strcmp(base, account))
        return err_set(e, ERR_SYNTAX, "%s is not a device of %s", member, account);
    memcpy(name, ext, len);
    name[len] = 0;
    if ((r = device_member(account, name, expected, e)) < 0)
        return r;
    return strcmp(member, expected) ? err_set(e, ERR_SYNTAX, "%s is not a device of %s", member, account) : 0;
}

static struct json_object *entries_json(const struct recovery *r)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < r->count; i++) {
        struct json_object *entry = json_object_new_string(r->entries[i]);

        if (!entry || json_object_array_add(array, entry) < 0) {
            json_object_put(entry);
            json_object_put(array);
            return NULL;
        }
    }
    return array;
}

int recovery_sign(const struct recovery *r, const struct jwk *signer, struct buf *out, struct err *e)
{
    struct json_object *obj = NULL, *entries;
    int result;

    if ((result = check_member(r->account, r->member, e)) < 0)
        return result;
    if (r->count < 1 || r->count > RECOVERY_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "recovery of %s with %zu entries", r->member, r->count);
    if (!(entries = entries_json(r)) || !(obj = json_object_new_object()) ||
        sjson_set_int(obj, "v", RECOVERY_VERSION) < 0 || sjson_set_string(obj, "account", r->account) < 0 ||
        sjson_set_string(obj, "member", r->member) < 0 || sjson_set_b64(obj, "id", r->id, sizeof r->id) < 0 ||
        sjson_set_int(obj, "iat", r->issued) < 0 || sjson_set_object(obj, "entries", json_object_get(entries)) < 0)
        result = statement_no_memory(e);
    else
        result = jws_sign_json(signer, RECOVERY_TYP, obj, out, e);
    json_object_put(entries);
    json_object_put(obj);
    return result;
}

static int read_entries(struct json_object *array, struct recovery *r, struct err *e)
{
    size_t count = json_object_array_length(array);

    if (count < 1 || count > RECOVERY_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "recovery of %s with %zu entries", r->member, count);
    if (!(r->entries = calloc(count, sizeof *r->entries)))
        return statement_no_memory(e);
    for (; r->count < count; r->count++) {
        struct json_object *entry = json_object_array_get_idx(array, r->count);

        if (!json_object_is_type(entry, json_type_string))
            return err_set(e, ERR_SYNTAX, "recovery of %s: an entry is not text", r->member);
        if (!(r->entries[r->count] = strdup(json_object_get_string(entry))))
            return statement_no_memory(e);
    }
    return 0;
}

int recovery_read(const void *text, size_t len, const struct jwk *signer, struct recovery *out, struct err *e)
{
    static const char *const names[] = {"v", "account", "member", "id", "entries", "iat", NULL};
    struct json_object *obj = NULL, *entries;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jws_open_json(text, len, signer, RECOVERY_TYP, &obj, e)) == 0 &&
        (r = statement_version(obj, "recovery", RECOVERY_VERSION, e)) == 0 && (r = sjson_only(obj, names, e)) == 0 &&
        (r = statement_address(obj, "account", out->account, e)) == 0 &&
        (r = statement_address(obj, "member", out->member, e)) == 0 &&
        (r = check_member(out->account, out->member, e)) == 0 &&
        (r = statement_octets(obj, "id", out->id, sizeof out->id, e)) == 0 &&
        (r = statement_number(obj, "iat", 0, &out->issued, e)) == 0 &&
        (r = sjson_array(obj, "entries", &entries, e)) == 0)
        r = read_entries(entries, out, e);
    if (r < 0)
        recovery_clear(out);
    json_object_put(obj);
    return r;
}

void recovery_clear(struct recovery *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->entries[i]);
    free(r->entries);
    memset(r, 0, sizeof *r);
}

int recovery_seal(const struct jwk *to, const void *text, size_t len, struct buf *out, struct err *e)
{
    struct jwe_options opt = {.cty = RECOVERY_CTY};

    return jwe_seal_compact(to, &opt, text, len, out, e);
}

int recovery_open(const void *text, size_t len, const struct jwk *key, struct buf *out, struct err *e)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j = NULL;
    const char *cty;
    int r;

    if ((r = jwe_parse(text, len, 0, &j, &ciphertext, e)) == 0) {
        if (!(cty = jwe_cty(j)) || strcmp(cty, RECOVERY_CTY))
            r = err_set(e, ERR_UNSUPPORTED, "encrypted, but not a device's recovery");
        else
            r = jwe_decrypt(j, key, &ciphertext, out, e);
    }
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}
