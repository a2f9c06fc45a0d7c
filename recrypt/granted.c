#include "granted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"

void granted_clear(struct granted *g)
{
    grant_clear(&g->grant);
    grant_clear(&g->device);
    memset(g, 0, sizeof *g);
}

/* A key id as text; it is only ever compared. */
static int read_keyid(const char *text, char out[KEYID_SIZE], struct err *e)
{
    size_t len = strlen(text);

    if (len == 0 || len >= KEYID_SIZE)
        return err_set(e, ERR_SYNTAX, "a grant names a key of %zu characters", len);
    memcpy(out, text, len + 1);
    return 0;
}

/* A grant whose tag and value stand in the message. */
static int read_statement(struct json_object *obj, struct grant *out, struct err *e)
{
    static const char *const names[] = {"dk", NULL};
    const char *dk;
    int r;

    if ((r = sjson_only(obj, names, e)) < 0 || (r = sjson_string(obj, "dk", &dk, e)) < 0)
        return r;
    return (out->dk = strdup(dk)) ? 0 : err_errno(e, "out of memory");
}

int granted_from_json(const char *keyid, struct json_object *grant, struct json_object *device, const char *kid,
                      struct granted *out, struct err *e)
{
    struct json_object *inner;
    const char *text;
    int r;

    memset(out, 0, sizeof *out);
    out->in_message = !sjson_has(grant, "t") && !sjson_has(grant, "u");
    if ((r = read_keyid(keyid, out->keyid, e)) < 0 ||
        (r = out->in_message ? read_statement(grant, &out->grant, e) : grant_from_json(grant, &out->grant, e)) < 0)
        goto fail;
    if (device && ((r = sjson_string(device, kid, &text, e)) < 0 || (r = read_keyid(text, out->device_keyid, e)) < 0 ||
                   (r = sjson_object(device, strcmp(kid, "kid") == 0 ? "grant" : "Grant", &inner, e)) < 0 ||
                   (r = grant_from_json(inner, &out->device, e)) < 0))
        goto fail;
    return 0;
fail:
    granted_clear(out);
    return r;
}

static int read_one(struct json_object *one, struct granted *out, struct err *e)
{
    static const char *const names[] = {"kid", "grant", "device", NULL};
    struct json_object *grant, *device = NULL;
    const char *keyid;
    int r;

    if ((r = sjson_only(one, names, e)) < 0 || (r = sjson_string(one, "kid", &keyid, e)) < 0 ||
        (r = sjson_object(one, "grant", &grant, e)) < 0 ||
        (sjson_has(one, "device") && (r = sjson_object(one, "device", &device, e)) < 0))
        return r;
    return granted_from_json(keyid, grant, device, "kid", out, e);
}

int granted_read(const void *text, size_t len, struct granted_list *out, struct err *e)
{
    struct json_object *obj = NULL, *array;
    size_t n = 0;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = sjson_parse(text, len, NULL, &obj, e)) < 0 || (r = sjson_array(obj, "grants", &array, e)) < 0)
        goto out;
    if ((n = json_object_array_length(array)) > JWE_RECIPIENTS_MAX)
        r = err_set(e, ERR_LIMIT, "%zu grants for one message", n);
    else if (!(out->at = calloc(n ? n : 1, sizeof *out->at)))
        r = err_errno(e, "out of memory");
    while (r == 0 && out->count < n) {
        if ((r = read_one(json_object_array_get_idx(array, out->count), &out->at[out->count], e)) == 0)
            out->count++;
    }
out:
    if (r < 0)
        granted_list_clear(out);
    json_object_put(obj);
    return r;
}

void granted_list_clear(struct granted_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        granted_clear(&l->at[i]);
    free(l->at);
    memset(l, 0, sizeof *l);
}
