/* Expand and Grant: where recryption keys are used for the mail server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"
#include "service.h"

void service_changed(struct service *s, const char *account)
{
    cache_drop(s->cache, account);
    hot_drop(s->hot, account);
}

int service_not_quarantined(const struct service *s, const struct account *a, struct err *e)
{
    if (!account_quarantined(&s->records, a))
        return 0;
    return err_set(e, ERR_RETRY, "%s is in quarantine after a restore, until its owner has confirmed its members",
                   a->address);
}

/* ---- one member's ---- */

int grant_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *grant = NULL;
    struct key_record k = {0};
    struct account a = {0};
    struct epk epk = {0};
    char keyid[KEYID_SIZE], member[ADDRESS_SIZE];
    int rc = request_address(rq, "Account", 0, member, e), known;

    rc = rc ? rc : request_keyid(rq, keyid, e);
    rc = rc ? rc : request_epk(rq, &epk, e);
    if (rc)
        return rc;
    /* Not by way of the cache: how long it takes to fill tells how many members there are. */
    rc = key_get(&s->records, keyid, &k, e);
    rc = rc ? rc : account_get(&s->records, k.account, &a, e);
    known = !rc;
    if (rc && rc != ERR_ABSENT)
        goto out;
    rc = 0;
    if (known && jwk_suite(k.key) != epk.suite)
        rc = err_set(e, ERR_KEY, "the ephemeral key is refused");
    else if (known)
        rc = service_not_quarantined(s, &a, e);
    rc = rc ? rc
            : grant_one(s->grants, &s->records, keyid, member, NULL, NULL, &epk, known && a.kind == PROFILE_LIST,
                        &grant, e);
    if (rc)
        goto out;
    snprintf(rq->detail, sizeof rq->detail, "grant:%s", member);
    rq->granted = 1;
    rc = sjson_set_object(reply, "Grant", grant) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
out:
    epk_clear(&epk);
    key_clear(&k);
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}

/* ---- a whole list's ---- */

static int put_recipients(struct service *s, const struct hot_key *k, struct json_object *reply, struct err *e)
{
    size_t n = 0;
    const char **names = calloc(k->count + 2, sizeof *names);
    struct json_object *array = json_object_new_array();
    char archive[ADDRESS_SIZE], fanout[ADDRESS_SIZE];
    int rc = names && array ? 0 : err_set(e, ERR_SYSTEM, "out of memory");

    if (!rc && k->many) {
        rc = servicekey_fanout(s->keys, k->account.address, fanout, e);
        names[n++] = fanout;
    }
    for (size_t i = 0; !rc && i < k->count; i++)
        names[n++] = k->entries[i].member;
    if (!rc && k->account.policy.archive) {
        rc = servicekey_archive(s->keys, k->account.address, archive, e);
        names[n++] = archive;
    }
    rc = rc ? rc : shuffle((void **)names, n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        struct json_object *name = json_object_new_string(names[i]);

        if (!name || json_object_array_add(array, name)) {
            json_object_put(name);
            rc = err_set(e, ERR_SYSTEM, "out of memory");
        }
    }
    free(names);
    if (rc) {
        json_object_put(array);
        return rc;
    }
    return sjson_set_object(reply, "Recipients", array) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int put_sender(const char *list, struct json_object *reply, struct err *e)
{
    char sender[ADDRESS_SIZE + 16];
    const char *at = strchr(list, '@');

    snprintf(sender, sizeof sender, "%.*s+bounce%s", (int)(at - list), list, at);
    return sjson_set_string(reply, "Sender", sender) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int expand(struct service *s, struct request *rq, const struct hot_key *k, const struct epk *epk,
                  struct json_object *reply, struct err *e)
{
    struct json_object *grants;
    int rc;

    if (k->account.kind != PROFILE_LIST)
        return err_set(e, ERR_ABSENT, "not the key of a list");
    if (jwk_suite(k->key.key) != epk->suite)
        return err_set(e, ERR_KEY, "the ephemeral key is refused");
    rc = sjson_set_string(reply, "State", key_state_name(k->key.state));
    rc = rc ? rc : sjson_set_string(reply, "Account", k->account.address);
    rc = rc ? rc : sjson_set_string(reply, "Current", k->account.current);
    if (rc)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if (k->key.state == KEY_RETIRED)
        return 0;
    rc = service_not_quarantined(s, &k->account, e);
    rc = rc ? rc : put_sender(k->account.address, reply, e);
    rc = rc ? rc : put_recipients(s, k, reply, e);
    /* Of a list with too many members for one message, the delivery agent sends each a copy with her grant (fanout.c).
     */
    if (k->many) {
        snprintf(rq->detail, sizeof rq->detail, "fanout");
        return rc                                                           ? rc
               : sjson_set_object(reply, "Grants", json_object_new_array()) ? err_set(e, ERR_SYSTEM, "out of memory")
                                                                            : 0;
    }
    rc = rc ? rc : grants_all(k, epk, &grants, e);
    if (rc)
        return rc;
    snprintf(rq->detail, sizeof rq->detail, "grants:%zu", k->count);
    rq->granted = 1;
    return sjson_set_object(reply, "Grants", grants) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

int expand_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    const struct hot_key *k;
    struct epk epk = {0};
    char keyid[KEYID_SIZE];
    int rc = request_keyid(rq, keyid, e);

    rc = rc ? rc : request_epk(rq, &epk, e);
    rc = rc ? rc : cache_get(s->cache, &s->records, keyid, &k, e);
    rc = rc ? rc : expand(s, rq, k, &epk, reply, e);
    epk_clear(&epk);
    return rc ? rc : STATUS_OK;
}
