/* Grants, and their place in a JWE: the recipient's header, which no AAD covers. */
#include <stdlib.h>
#include <string.h>

#include "jwe-private.h"
#include "sjson.h"

void grant_clear(struct grant *g)
{
    free(g->dk);
    secret_wipe(g, sizeof *g);
}

int grant_to_json(const struct grant *g, struct json_object **out, struct err *e)
{
    struct json_object *obj = json_object_new_object();
    int r = sjson_set_b64(obj, "t", g->tag, sizeof g->tag);

    *out = NULL;
    if (r == 0)
        r = sjson_set_b64(obj, "u", g->value, g->value_len);
    if (r == 0 && g->dk)
        r = sjson_set_string(obj, "dk", g->dk);
    if (r < 0) {
        json_object_put(obj);
        return err_set(e, r, "grant: no memory");
    }
    *out = obj;
    return 0;
}

/* A base64url member of min to max octets. */
static int octets(struct json_object *obj, const char *name, size_t min, size_t max, unsigned char *to, size_t *len,
                  struct err *e)
{
    struct buf b = BUF_INIT;
    int r = sjson_b64(obj, name, &b, e);

    if (r == 0 && (b.len < min || b.len > max))
        r = err_set(e, ERR_SYNTAX, "grant: \"%s\" of %zu octets", name, b.len);
    if (r == 0) {
        memcpy(to, b.data, b.len);
        *len = b.len;
    }
    buf_free(&b);
    return r;
}

int grant_from_json(struct json_object *obj, struct grant *out, struct err *e)
{
    const char *dk;
    size_t n;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = octets(obj, "t", GRANT_TAG_LEN, GRANT_TAG_LEN, out->tag, &n, e)) < 0 ||
        (r = octets(obj, "u", 1, SUITE_VALUE_MAX, out->value, &out->value_len, e)) < 0)
        goto out;
    if (sjson_has(obj, "dk")) {
        if ((r = sjson_string(obj, "dk", &dk, e)) < 0)
            goto out;
        if (!(out->dk = strdup(dk)))
            r = err_errno(e, "grant");
    }
out:
    if (r < 0)
        grant_clear(out);
    return r;
}

static struct json_object *list_of(const struct jwe *j, size_t i)
{
    struct json_object *list;

    return i < j->count && json_object_object_get_ex(j->to[i].header, "grants", &list) ? list : NULL;
}

size_t jwe_grants(const struct jwe *j, size_t i)
{
    struct json_object *list = list_of(j, i);

    return list ? json_object_array_length(list) : 0;
}

int jwe_grant(const struct jwe *j, size_t i, size_t n, struct grant *out, struct err *e)
{
    if (n >= jwe_grants(j, i)) {
        memset(out, 0, sizeof *out);
        return err_set(e, ERR_ABSENT, "JWE: no grant %zu", n);
    }
    return grant_from_json(json_object_array_get_idx(list_of(j, i), n), out, e);
}

static int make_list(const struct grant *g, size_t n, struct json_object **out, struct err *e)
{
    struct json_object *one, *list = json_object_new_array();
    int r = 0;

    *out = NULL;
    if (!list)
        return err_set(e, ERR_SYSTEM, "JWE: no memory");
    for (size_t k = 0; r == 0 && k < n; k++) {
        if ((r = grant_to_json(&g[k], &one, e)) == 0 && json_object_array_add(list, one) < 0) {
            json_object_put(one);
            r = err_set(e, ERR_SYSTEM, "JWE: no memory");
        }
    }
    if (r < 0)
        json_object_put(list);
    else
        *out = list;
    return r;
}

int jwe_set_grants(struct jwe *j, size_t i, const struct grant *g, size_t n, struct err *e)
{
    struct json_object *list;
    int r;

    if (i >= j->count)
        return err_set(e, ERR_ABSENT, "JWE: no recipient %zu", i);
    if (n > JWE_GRANTS_MAX)
        return err_set(e, ERR_LIMIT, "JWE: more than %d grants", (int)JWE_GRANTS_MAX);
    if (n == 0) {
        if (!j->to[i].header)
            return 0;
        json_object_object_del(j->to[i].header, "grants");
        if (json_object_object_length(j->to[i].header) == 0) {
            json_object_put(j->to[i].header);
            j->to[i].header = NULL;
        }
        return 0;
    }
    if ((r = make_list(g, n, &list, e)) < 0)
        return r;
    if (!j->to[i].header && !(j->to[i].header = json_object_new_object())) {
        json_object_put(list);
        return err_set(e, ERR_SYSTEM, "JWE: no memory");
    }
    r = sjson_set_object(j->to[i].header, "grants", list);
    return r < 0 ? err_set(e, r, "JWE: no memory") : 0;
}
