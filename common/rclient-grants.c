/* Grants for the mail of a person's mailbox (rclient.h). */
#include <stdlib.h>
#include <string.h>

#include "rclient-private.h"
#include "sjson.h"

enum { ITEMS_MAX = 128, ITEM_FRAME = 160, REQUEST_FRAME = 1024 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

/* No less than the octets that the item takes in a request. */
static size_t room_for(const struct grants_item *i)
{
    return ITEM_FRAME + strlen(i->keyid) + 2 * i->epk_len;
}

static int add_item(struct json_object *items, const struct grants_item *i, struct err *e)
{
    struct json_object *one = NULL;
    int r = rclient_epk_request(NULL, i->keyid, i->suite, i->epk, i->epk_len, &one, e);

    if (r == 0 && json_object_array_add(items, one) < 0) {
        json_object_put(one);
        r = no_memory(e);
    }
    return r;
}

int rclient_grants_request(const char *account, const char *device, const struct grants_item *items, size_t n,
                           size_t *taken, struct json_object **out, struct err *e)
{
    struct json_object *body = json_object_new_object(), *array = json_object_new_array();
    size_t used = REQUEST_FRAME;
    int r = body && array ? 0 : no_memory(e);

    *out = NULL;
    for (*taken = 0; r == 0 && *taken < n && *taken < ITEMS_MAX; ++*taken) {
        used += room_for(&items[*taken]);
        if (*taken && used > FRAME_REQUEST_MAX)
            break;
        r = add_item(array, &items[*taken], e);
    }
    if (r == 0 && (sjson_set_string(body, "Account", account) < 0 || sjson_set_string(body, "Device", device) < 0 ||
                   sjson_set_object(body, "Items", json_object_get(array)) < 0))
        r = no_memory(e);
    json_object_put(array);
    if (r < 0)
        json_object_put(body);
    else
        *out = body;
    return r;
}

/* One grant with t and u; where whole is not asked for, dk alone will do. */
static int read_grant(struct json_object *obj, int whole, struct grant *out, struct err *e)
{
    const char *dk;
    int r;

    if (!whole && !sjson_has(obj, "t") && !sjson_has(obj, "u")) {
        if (sjson_string(obj, "dk", &dk, NULL) < 0)
            return rclient_rubbish("Grant", e);
        return (out->dk = strdup(dk)) ? 0 : no_memory(e);
    }
    if ((r = grant_from_json(obj, out, e)) < 0)
        return r == ERR_SYSTEM ? r : rclient_rubbish("Grant", e);
    return out->dk ? 0 : rclient_rubbish("Grant", e);
}

static int read_answer(struct json_object *obj, const struct suite *s, struct device_grants *out, struct err *e)
{
    struct json_object *grant, *device;
    int r;

    if (!obj) /* null */
        return 0;
    if (sjson_object(obj, "Grant", &grant, NULL) < 0)
        return rclient_rubbish("Grant", e);
    if ((r = read_grant(grant, 0, &out->grant, e)) < 0)
        return r;
    if (out->grant.value_len && out->grant.value_len != suite_value_len(s))
        return rclient_rubbish("Grant", e);
    out->found = 1;
    if (!sjson_has(obj, "Device"))
        return 0;
    if (sjson_object(obj, "Device", &device, NULL) < 0 || sjson_object(device, "Grant", &grant, NULL) < 0)
        return rclient_rubbish("Device", e);
    if ((r = rclient_word(device, "KeyID", 1, out->device_keyid, sizeof out->device_keyid, e)) < 0)
        return r;
    return read_grant(grant, 1, &out->device, e);
}

int rclient_grants_reply(struct json_object *reply, const struct grants_item *items, size_t n,
                         struct device_grants *out, struct err *e)
{
    struct json_object *array;
    int r = 0;

    memset(out, 0, n * sizeof *out);
    if (sjson_array(reply, "Grants", &array, NULL) < 0 || json_object_array_length(array) != n)
        return rclient_rubbish("Grants", e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = read_answer(json_object_array_get_idx(array, i), items[i].suite, &out[i], e);
    if (r < 0)
        device_grants_clear(out, n);
    return r;
}

void device_grants_clear(struct device_grants *g, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        grant_clear(&g[i].grant);
        grant_clear(&g[i].device);
        memset(&g[i], 0, sizeof g[i]);
    }
}

int rclient_device_grants(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                          const unsigned char *epk, size_t epk_len, struct grant **out, size_t *n, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL, *array;
    struct grant *list = NULL;
    size_t count = 0, want = 0;
    int r;

    *out = NULL;
    *n = 0;
    if ((r = rclient_epk_request(account, keyid, s, epk, epk_len, &body, e)) < 0 ||
        (r = frame_call(c, "DeviceGrants", body, &reply, e)) < 0)
        goto out;
    if (sjson_array(reply, "Grants", &array, NULL) < 0 || (want = json_object_array_length(array)) > JWE_GRANTS_MAX)
        r = rclient_rubbish("Grants", e);
    else if (!(list = calloc(want + 1, sizeof *list)))
        r = no_memory(e);
    for (; r == 0 && count < want; count++) {
        r = read_grant(json_object_array_get_idx(array, count), 1, &list[count], e);
        if (r == 0 && list[count].value_len != suite_value_len(s))
            r = rclient_rubbish("Grants", e);
    }
    if (r == 0) {
        *out = list;
        *n = count;
    } else {
        grant_list_free(list, count);
    }
out:
    json_object_put(body);
    json_object_put(reply);
    return r;
}

void grant_list_free(struct grant *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        grant_clear(&list[i]);
    free(list);
}
