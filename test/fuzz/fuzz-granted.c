/* What a mail server says that was granted (XRECRYPT).
 * identity: what is read is written and read again to the same.
 * fuzz-sources: recrypt/granted.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"
#include "recrypt/granted.h"

static struct json_object *grant_json(const struct grant *g, int in_message)
{
    struct json_object *obj = NULL;

    if (in_message) {
        obj = json_object_new_object();
        if (sjson_set_string(obj, "dk", g->dk) < 0)
            abort();
    } else if (grant_to_json(g, &obj, NULL) < 0) {
        abort();
    }
    return obj;
}

static void write_list(const struct granted_list *l, struct buf *out)
{
    struct json_object *obj = json_object_new_object(), *array = json_object_new_array();

    for (size_t i = 0; i < l->count; i++) {
        const struct granted *g = &l->at[i];
        struct json_object *one = json_object_new_object(), *device = json_object_new_object();

        sjson_set_string(one, "kid", g->keyid);
        sjson_set_object(one, "grant", grant_json(&g->grant, g->in_message));
        if (g->device_keyid[0]) {
            sjson_set_string(device, "kid", g->device_keyid);
            sjson_set_object(device, "grant", grant_json(&g->device, 0));
            sjson_set_object(one, "device", json_object_get(device));
        }
        json_object_put(device);
        json_object_array_add(array, one);
    }
    sjson_set_object(obj, "grants", array);
    if (sjson_write(obj, out) < 0)
        abort();
    json_object_put(obj);
}

static void same(const struct grant *a, const struct grant *b)
{
    if (a->value_len != b->value_len || memcmp(a->value, b->value, sizeof a->value) != 0 ||
        memcmp(a->tag, b->tag, sizeof a->tag) != 0 || !a->dk != !b->dk || (a->dk && strcmp(a->dk, b->dk) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct granted_list first, second;
    struct buf text = BUF_INIT;

    if (granted_read(data, size, &first, NULL) < 0) {
        if (first.at || first.count)
            abort();
        return 0;
    }
    write_list(&first, &text);
    if (granted_read(text.data, text.len, &second, NULL) < 0 || first.count != second.count)
        abort();
    for (size_t i = 0; i < first.count; i++) {
        if (strcmp(first.at[i].keyid, second.at[i].keyid) != 0 || first.at[i].in_message != second.at[i].in_message ||
            strcmp(first.at[i].device_keyid, second.at[i].device_keyid) != 0)
            abort();
        same(&first.at[i].grant, &second.at[i].grant);
        same(&first.at[i].device, &second.at[i].device);
    }
    granted_list_clear(&first);
    granted_list_clear(&second);
    buf_free(&text);
    return 0;
}
