/* Grants and DeviceGrants: what a person's devices need for the mail in her mailbox (doc/protocol.md section 5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "common/sjson.h"
#include "hot.h"
#include "service.h"

enum { ITEMS_MAX = 128 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

static int no_grant(struct err *e)
{
    return err_set(e, ERR_ABSENT, "no grant");
}

/* Who reads: one of a person's devices, or a machine with her own key. */
struct reader {
    const char *person;
    const char *name;    /* the device's member address, or person */
    const char *key_udf; /* of the device's key; NULL: the person's own */
    int64_t now;
};

/* ---- what there is for a reader and a key, at first ---- */

static int take_entry(struct service *s, struct hot_grant *g, const char *member, const char *key_udf, struct err *e)
{
    struct entry_record en;
    int rc = entry_get(&s->records, g->keyid, member, &en, e);

    if (rc)
        return rc == ERR_ABSENT ? no_grant(e) : rc;
    if (!en.active || (key_udf && strcmp(en.key_udf, key_udf))) {
        rc = no_grant(e);
    } else {
        g->r = en.r;
        g->statement = en.statement;
        memcpy(g->tagkey, en.tagkey, sizeof g->tagkey);
        en.r = NULL;
        en.statement = NULL;
    }
    entry_record_clear(&en);
    return rc;
}

/* A key of this service. */
static int fill_known(struct service *s, const struct account *a, const struct reader *rd, struct hot_grant *g,
                      struct err *e)
{
    snprintf(g->groups[0], sizeof g->groups[0], "%s", a->address);
    if (account_quarantined(&s->records, a))
        return no_grant(e);
    if (a->kind == PROFILE_LIST)
        return take_entry(s, g, rd->person, NULL, e);
    return rd->key_udf && !strcmp(a->address, rd->person) ? take_entry(s, g, rd->name, rd->key_udf, e) : no_grant(e);
}

static int fill_share(struct service *s, const struct reader *rd, struct hot_grant *g, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = chain_share(s, rd->person, g->keyid, &text, e);

    if (!rc && !(g->statement = strdup(buf_str(&text))))
        rc = no_memory(e);
    buf_free(&text);
    return rc;
}

static int fill(struct service *s, const char *keyid, const struct reader *rd, struct hot_grant *g, struct err *e)
{
    struct key_record k = {0};
    struct account a = {0};
    int rc, own;

    snprintf(g->keyid, sizeof g->keyid, "%s", keyid);
    snprintf(g->reader, sizeof g->reader, "%s", rd->name);
    snprintf(g->groups[1], sizeof g->groups[1], "%s", rd->person);
    rc = key_get(&s->records, keyid, &k, e);
    rc = rc ? rc : account_get(&s->records, k.account, &a, e);
    own = !rc && a.kind == PROFILE_PERSON;
    if (rc == ERR_ABSENT)
        rc = fill_share(s, rd, g, e);
    else
        rc = rc ? rc : fill_known(s, &a, rd, g, e);
    if (!rc && !own && rd->key_udf)
        rc = chain_grant(s, g->statement, rd->name, rd->key_udf, NULL, &g->device, e);
    key_clear(&k);
    account_clear(&a);
    return rc;
}

/* ERR_ABSENT: no grant. */
static int lookup(struct service *s, const char *keyid, const struct reader *rd, const struct hot_grant **out,
                  struct err *e)
{
    struct hot_grant *g;
    int rc;

    *out = hot_get(s->hot, keyid, rd->name);
    if (*out)
        return 0;
    g = secret_alloc(sizeof *g);
    rc = g ? fill(s, keyid, rd, g, e) : no_memory(e);
    if (rc) {
        hot_grant_free(&g);
        return rc;
    }
    rc = hot_put(s->hot, g, e);
    *out = rc ? NULL : g;
    return rc;
}

/* ---- a message's ---- */

/* {"t","u","dk"}, or {"dk"} where t and u are another service's to make. ERR_ABSENT: not an ephemeral key for this key.
 */
static int make(const struct hot_grant *h, const struct epk *epk, struct entry_tagger *t, struct json_object **out,
                struct err *e)
{
    if (!h->r)
        return chain_share_grant(h->statement, out, e);
    if (suite_key_suite(h->r) != epk->suite)
        return no_grant(e);
    return grant_make(t, h->r, h->tagkey, epk, h->statement, out, e);
}

/* Counted as what the same reader asks for with a signature is: who can put messages into a mailbox chooses ephemeral
 * keys, too. */
static int take_quota(struct service *s, const struct hot_grant *h, const struct reader *rd, struct err *e)
{
    const char *who = strcmp(h->groups[0], rd->person) ? rd->person : rd->name;

    return quota_take(s->quota, h->groups[0], who, s->settings->quota, rd->now, e);
}

/* {"Grant","Device"?}; NULL: none. */
static int item(struct service *s, struct json_object *from, const struct reader *rd, struct entry_tagger *t,
                struct json_object **out, struct err *e)
{
    const struct hot_grant *h;
    struct json_object *grant = NULL, *answer, *key;
    struct epk epk = {0};
    char keyid[KEYID_SIZE];
    const char *name;
    int rc = sjson_string(from, "GroupKeyID", &name, e);

    *out = NULL;
    rc = rc ? rc : sjson_object(from, "EphemeralKey", &key, e);
    if (rc)
        return rc;
    rc = body_keyid(from, keyid, e);
    rc = rc ? rc : body_epk(from, &epk, e);
    if (rc) /* the message's fault, not the asker's */
        return err_temporary(rc) ? rc : 0;
    rc = lookup(s, keyid, rd, &h, e);
    rc = rc ? rc : make(h, &epk, t, &grant, e);
    epk_clear(&epk);
    rc = rc ? rc : take_quota(s, h, rd, e);
    if (rc) {
        json_object_put(grant);
        return rc == ERR_ABSENT ? 0 : rc;
    }
    answer = json_object_new_object();
    if (!answer || sjson_set_object(answer, "Grant", json_object_get(grant)) ||
        (h->device && sjson_set_object(answer, "Device", json_object_get(h->device)))) {
        json_object_put(answer);
        answer = NULL;
    }
    json_object_put(grant);
    *out = answer;
    return answer ? 0 : no_memory(e);
}

static int all(struct service *s, struct json_object *items, const struct reader *rd, struct json_object *grants,
               size_t *made, struct err *e)
{
    struct entry_tagger *t = NULL;
    int rc = entry_tagger_new(&t, e);

    for (size_t i = 0; !rc && i < json_object_array_length(items); i++) {
        struct json_object *one = NULL;

        rc = item(s, json_object_array_get_idx(items, i), rd, t, &one, e);
        if (!rc && json_object_array_add(grants, one)) {
            json_object_put(one);
            rc = no_memory(e);
        }
        *made += !rc && one;
    }
    entry_tagger_free(&t);
    return rc;
}

/* ---- who asks ---- */

/* The account and its members; ERR_ABSENT unless a person's. */
static int read_person(struct service *s, struct request *rq, struct account *a, struct members *m, struct err *e)
{
    char address[ADDRESS_SIZE];
    int rc = request_address(rq, "Account", 1, address, e);

    rc = rc ? rc : account_get(&s->records, address, a, e);
    if (rc == ERR_ABSENT || (!rc && a->kind != PROFILE_PERSON))
        return no_grant(e);
    rc = rc ? rc : service_not_quarantined(s, a, e);
    return rc ? rc : members_get(&s->records, address, m, e);
}

static int is_own_key(const struct account *a, const char *key_udf)
{
    char address[ADDRESS_SIZE], udf[64];

    for (size_t i = 0; i < a->key_count; i++)
        if (!keyid_parse(a->keys[i], address, udf, NULL) && !strcmp(udf, key_udf))
            return 1;
    return 0;
}

/* mute: it is one of the account's own keys, whose name everybody can know, and the account has devices. One that was
 * removed may have kept its person's half of a list, and is not to read on by that name: whoever has that key asks with
 * a signature. */
static int find_reader(const struct account *a, const struct members *m, const char *key_udf, struct reader *out,
                       int *mute, struct err *e)
{
    out->person = out->name = a->address;
    out->key_udf = NULL;
    *mute = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->list[i].active && !strcmp(m->list[i].key_udf, key_udf)) {
            out->name = m->list[i].account;
            out->key_udf = m->list[i].key_udf;
            return 0;
        }
    *mute = m->count > 0;
    return is_own_key(a, key_udf) ? 0 : no_grant(e);
}

static int put_nulls(struct json_object *items, struct json_object *grants, struct err *e)
{
    for (size_t i = 0; i < json_object_array_length(items); i++)
        if (json_object_array_add(grants, NULL))
            return no_memory(e);
    return 0;
}

int grants_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *items, *grants = json_object_new_array();
    struct members m = {0};
    struct account a = {0};
    struct reader rd;
    const char *key_udf;
    size_t made = 0;
    int mute, rc = read_person(s, rq, &a, &m, e);

    rc = rc ? rc : sjson_string(rq->body, "Device", &key_udf, e);
    rc = rc ? rc : sjson_array(rq->body, "Items", &items, e);
    if (!rc && (!json_object_array_length(items) || json_object_array_length(items) > ITEMS_MAX))
        rc = err_set(e, ERR_LIMIT, "Items: not 1 to %d", ITEMS_MAX);
    rc = rc ? rc : find_reader(&a, &m, key_udf, &rd, &mute, e);
    rd.now = rq->now;
    if (!rc)
        rc = !grants ? no_memory(e) : mute ? put_nulls(items, grants, e) : all(s, items, &rd, grants, &made, e);
    if (!rc) {
        snprintf(rq->detail, sizeof rq->detail, "grants:%zu:%s", made, rd.name);
        rq->granted = made > 0;
        rc = sjson_set_object(reply, "Grants", grants) ? no_memory(e) : 0;
        grants = NULL;
    }
    json_object_put(grants);
    members_clear(&m);
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}

/* ---- for the delivery of one message, every device's ---- */

static int devices_grants(struct service *s, const struct account *a, const struct members *m, const char *keyid,
                          const struct epk *epk, struct json_object **list, size_t *n, struct err *e)
{
    struct entry_tagger *t = NULL;
    int rc = entry_tagger_new(&t, e);

    for (size_t i = 0; !rc && i < m->count; i++) {
        const struct reader rd = {.person = a->address, .name = m->list[i].account, .key_udf = m->list[i].key_udf};
        const struct hot_grant *h;

        if (!m->list[i].active)
            continue;
        rc = lookup(s, keyid, &rd, &h, e);
        rc = rc ? rc : make(h, epk, t, &list[*n], e);
        *n += !rc;
        rc = rc == ERR_ABSENT ? 0 : rc;
    }
    entry_tagger_free(&t);
    return rc ? rc : shuffle((void **)list, *n, e);
}

/* That it is one of the person's own keys, of the ephemeral key's suite. */
static int check_own(struct service *s, const struct account *a, const char *keyid, const struct epk *epk,
                     struct err *e)
{
    struct key_record k;
    int rc = key_get(&s->records, keyid, &k, e);

    if (rc)
        return rc == ERR_ABSENT ? no_grant(e) : rc;
    if (strcmp(k.account, a->address))
        rc = no_grant(e);
    else if (jwk_suite(k.key) != epk->suite)
        rc = err_set(e, ERR_KEY, "the ephemeral key is refused");
    key_clear(&k);
    return rc;
}

int device_grants_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *array = json_object_new_array(), **list = NULL;
    struct members m = {0};
    struct account a = {0};
    struct epk epk = {0};
    char keyid[KEYID_SIZE];
    size_t n = 0;
    int rc = read_person(s, rq, &a, &m, e);

    rc = rc ? rc : request_keyid(rq, keyid, e);
    rc = rc ? rc : request_epk(rq, &epk, e);
    rc = rc ? rc : check_own(s, &a, keyid, &epk, e);
    if (!rc && (!array || !(list = calloc(m.count + 1, sizeof *list))))
        rc = no_memory(e);
    rc = rc ? rc : devices_grants(s, &a, &m, keyid, &epk, list, &n, e);
    for (size_t i = 0; i < n; i++)
        if (rc || json_object_array_add(array, list[i])) {
            json_object_put(list[i]);
            rc = rc ? rc : no_memory(e);
        }
    free(list);
    if (!rc) {
        snprintf(rq->detail, sizeof rq->detail, "grants:%zu", n);
        rq->granted = n > 0;
        rc = sjson_set_object(reply, "Grants", array) ? no_memory(e) : 0;
        array = NULL;
    }
    json_object_put(array);
    epk_clear(&epk);
    members_clear(&m);
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}
