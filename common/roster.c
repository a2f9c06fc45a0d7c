/* Rosters: who is a member of a list, signed by its owner (statement.h). */
#include <stdlib.h>
#include <string.h>

#include "jws.h"
#include "sjson.h"
#include "statement-private.h"
#include "statement.h"

enum { MEMBERS_MAX = 100000 };

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct roster_member *)a)->account, ((const struct roster_member *)b)->account);
}

static int check_order(const struct roster *r, struct err *e)
{
    for (size_t i = 1; i < r->count; i++) {
        int order = compare(&r->members[i - 1], &r->members[i]);

        if (order >= 0)
            return err_set(e, ERR_SYNTAX, order ? "roster: %s is out of order" : "roster: %s is there twice",
                           r->members[i].account);
    }
    return 0;
}

static int member_to_json(const struct roster_member *m, struct json_object *array)
{
    struct json_object *obj = json_object_new_object();

    if (sjson_set_string(obj, "account", m->account) < 0 || sjson_set_string(obj, "key", m->key_udf) < 0 ||
        sjson_set_int(obj, "since", m->since) < 0 || json_object_array_add(array, obj) < 0) {
        json_object_put(obj);
        return ERR_SYSTEM;
    }
    return 0;
}

int roster_sign(const struct roster *r, const struct jwk *signer, struct buf *out, struct err *e)
{
    struct json_object *obj = json_object_new_object(), *members = json_object_new_array();
    int result = 0;

    if (r->serial < 1 || r->epoch < 1) {
        result = err_set(e, ERR_USAGE, "roster of %s without serial or epoch", r->group);
        goto out;
    }
    if ((result = check_order(r, e)) < 0)
        goto out;
    for (size_t i = 0; result == 0 && i < r->count; i++)
        result = members ? member_to_json(&r->members[i], members) : ERR_SYSTEM;
    if (result < 0 || sjson_set_string(obj, "roster", r->group) < 0 || sjson_set_string(obj, "kid", r->keyid) < 0 ||
        sjson_set_int(obj, "serial", r->serial) < 0 || sjson_set_int(obj, "epoch", r->epoch) < 0 ||
        sjson_set_int(obj, "iat", r->issued) < 0 || sjson_set_object(obj, "members", json_object_get(members)) < 0)
        result = statement_no_memory(e);
    else
        result = jws_sign_json(signer, ROSTER_TYP, obj, out, e);
out:
    json_object_put(members);
    json_object_put(obj);
    return result;
}

static int read_members(struct json_object *array, struct roster *r, struct err *e)
{
    static const char *const names[] = {"account", "key", "since", NULL};
    size_t count = json_object_array_length(array);
    int result = 0;

    if (count > MEMBERS_MAX)
        return err_set(e, ERR_LIMIT, "roster of more than %d members", MEMBERS_MAX);
    if (count && !(r->members = calloc(count, sizeof *r->members)))
        return statement_no_memory(e);
    r->count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_object *obj = json_object_array_get_idx(array, i);
        struct roster_member *m = &r->members[i];

        if ((result = sjson_only(obj, names, e)) == 0 &&
            (result = statement_address(obj, "account", m->account, e)) == 0 &&
            (result = statement_udf(obj, "key", m->key_udf, e)) == 0 &&
            (result = statement_number(obj, "since", 1, &m->since, e)) == 0 && m->since > r->serial)
            result = err_set(e, ERR_SYNTAX, "roster: %s is a member since a later serial", m->account);
    }
    return result < 0 ? result : check_order(r, e);
}

static int read_payload(struct json_object *obj, struct roster *r, struct err *e)
{
    static const char *const names[] = {"roster", "kid", "serial", "epoch", "iat", "members", NULL};
    char address[ADDRESS_SIZE], udf[JWK_UDF_SIZE];
    struct json_object *members;
    int result;

    if ((result = sjson_only(obj, names, e)) < 0 || (result = statement_address(obj, "roster", r->group, e)) < 0 ||
        (result = statement_keyid(obj, "kid", r->keyid, address, udf, e)) < 0 ||
        (result = statement_number(obj, "serial", 1, &r->serial, e)) < 0 ||
        (result = statement_number(obj, "epoch", 1, &r->epoch, e)) < 0 ||
        (result = statement_number(obj, "iat", 0, &r->issued, e)) < 0 ||
        (result = sjson_array(obj, "members", &members, e)) < 0)
        return result;
    if (strcmp(address, r->group))
        return err_set(e, ERR_SYNTAX, "the roster of %s names a key of %s", r->group, address);
    return read_members(members, r, e);
}

int roster_read(const void *text, size_t len, const struct jwk *signer, struct roster *out, struct err *e)
{
    struct json_object *obj = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jws_open_json(text, len, signer, ROSTER_TYP, &obj, e)) == 0)
        r = read_payload(obj, out, e);
    if (r < 0)
        roster_clear(out);
    json_object_put(obj);
    return r;
}

const struct roster_member *roster_find(const struct roster *r, const char *account)
{
    struct roster_member key;

    if (!r->count || strlen(account) >= sizeof key.account)
        return NULL;
    memcpy(key.account, account, strlen(account) + 1);
    return bsearch(&key, r->members, r->count, sizeof *r->members, compare);
}

int roster_add(struct roster *r, const char *account, const char *key_udf, struct err *e)
{
    struct roster_member *members;
    size_t at = 0;

    if (strlen(account) >= sizeof members->account || strlen(key_udf) >= sizeof members->key_udf)
        return err_set(e, ERR_USAGE, "account or fingerprint too long for a roster");
    if (roster_find(r, account))
        return err_set(e, ERR_EXISTS, "%s is a member of %s already", account, r->group);
    if (r->count >= MEMBERS_MAX)
        return err_set(e, ERR_LIMIT, "roster of more than %d members", MEMBERS_MAX);
    if (!(members = realloc(r->members, (r->count + 1) * sizeof *members)))
        return statement_no_memory(e);
    r->members = members;
    while (at < r->count && strcmp(members[at].account, account) < 0)
        at++;
    memmove(&members[at + 1], &members[at], (r->count - at) * sizeof *members);
    memset(&members[at], 0, sizeof *members);
    memcpy(members[at].account, account, strlen(account) + 1);
    memcpy(members[at].key_udf, key_udf, strlen(key_udf) + 1);
    members[at].since = r->serial > 0 ? r->serial : 1;
    r->count++;
    return 0;
}

int roster_remove(struct roster *r, const char *account, struct err *e)
{
    const struct roster_member *m = roster_find(r, account);
    size_t at;

    if (!m)
        return err_set(e, ERR_ABSENT, "%s is not a member of %s", account, r->group);
    at = (size_t)(m - r->members);
    r->count--;
    memmove(&r->members[at], &r->members[at + 1], (r->count - at) * sizeof *r->members);
    return 0;
}

int roster_touch(struct roster *r, const char *account, struct err *e)
{
    const struct roster_member *m = roster_find(r, account);

    if (!m)
        return err_set(e, ERR_ABSENT, "%s is not a member of %s", account, r->group);
    r->members[m - r->members].since = r->serial;
    return 0;
}

void roster_clear(struct roster *r)
{
    free(r->members);
    memset(r, 0, sizeof *r);
}
