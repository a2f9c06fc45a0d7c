/* Lists: Set Group, Set Policy, Select; and Get, of persons too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "service.h"

/* Everything about a new list's profile and first roster that does not need the store. */
static int check_statements(struct service *s, struct request *rq, const struct profile *p, const struct roster *ro,
                            struct err *e)
{
    const struct signer *owner = rq->caller->record;
    char archive[ADDRESS_SIZE], base[ADDRESS_SIZE];
    const char *ext;
    size_t ext_len;

    if (!owner || !*owner->person || strcmp(owner->person, p->owner))
        return err_set(e, ERR_DENIED, "the signer is not the owner that the profile names");
    if (!settings_administrator(s->settings, p->owner))
        return err_set(e, ERR_DENIED, "%s is not among the administrators of this service", p->owner);
    if (!settings_serves(s->settings, p->account))
        return err_set(e, ERR_DENIED, "%s is not a domain of this service", address_domain(p->account));
    address_split(p->account, base, &ext, &ext_len);
    if (ext)
        return err_set(e, ERR_SYNTAX, "%s: an account's name has no '+'", p->account);
    if (p->kind != PROFILE_LIST || !jwk_equal(p->signer, owner->key))
        return err_set(e, ERR_SYNTAX, "not a list's profile under the owner's key");
    if (p->epoch != 1 || ro->epoch != 1 || ro->serial != 1 || ro->count)
        return err_set(e, ERR_SYNTAX, "a new list has epoch 1 and a roster of serial 1 without members");
    if (strcmp(ro->group, p->account) || strcmp(ro->keyid, p->keyid))
        return err_set(e, ERR_SYNTAX, "roster and profile are not of the same list and key");
    return servicekey_archive(s->keys, p->account, archive, e);
}

static int store_group(struct service *s, struct account *a, const struct profile *p, const char *profile,
                       const char *roster, struct err *e)
{
    int rc = records_begin(&s->records, e);

    if (rc)
        return rc;
    rc = service_new_key(s, a, p, profile, KEY_ARCHIVED, e);
    rc = rc ? rc : roster_put(&s->records, a->address, roster, e);
    rc = rc ? rc : account_put(&s->records, a, e);
    if (rc) {
        records_abort(&s->records);
        return rc;
    }
    return records_commit(&s->records, e);
}

/* Is it the list that an earlier, equal request made, whose answer was lost? */
static int same_list(struct service *s, const struct account *a, const char *profile, const char *roster)
{
    struct key_record k;
    struct buf stored = BUF_INIT;
    int same;

    if (key_get(&s->records, a->current, &k, NULL))
        return 0;
    same = !strcmp(k.profile, profile) && !roster_get(&s->records, a->address, &stored, NULL) &&
           !strcmp(buf_str(&stored), roster);
    key_clear(&k);
    buf_free(&stored);
    return same;
}

static int create(struct service *s, struct request *rq, const struct profile *p, const char *profile,
                  const char *roster, struct err *e)
{
    struct json_object *policy = NULL;
    struct account a;
    int rc = account_get(&s->records, p->account, &a, e);

    if (!rc) {
        rc = same_list(s, &a, profile, roster) ? STATUS_OK : err_set(e, ERR_EXISTS, "%s is taken", p->account);
        account_clear(&a);
        return rc;
    }
    if (rc != ERR_ABSENT)
        return rc;
    memset(&a, 0, sizeof a);
    a.kind = PROFILE_LIST;
    a.created = rq->now;
    a.serial = 1;
    a.policy = s->settings->list_policy;
    memcpy(a.address, p->account, sizeof a.address);
    memcpy(a.owner, p->owner, sizeof a.owner);
    memcpy(a.signer, rq->caller->signer, sizeof a.signer);
    memcpy(a.confirmed, s->records.restored, sizeof a.confirmed);
    rc = sjson_has(rq->body, "Policy") ? sjson_object(rq->body, "Policy", &policy, e) : 0;
    rc = rc ? rc : request_policy(policy, &a.policy, e);
    rc = rc ? rc : store_group(s, &a, p, profile, roster, e);
    if (!rc)
        log_info("list %s: created by %s, key %s", a.address, a.owner, a.current);
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}

int set_group(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct profile p = {0};
    struct roster ro = {0};
    const char *profile, *roster;
    int rc = sjson_string(rq->body, "Profile", &profile, e);

    (void)reply;
    rc = rc ? rc : sjson_string(rq->body, "Roster", &roster, e);
    rc = rc ? rc : profile_read(profile, strlen(profile), &p, e);
    if (rc)
        return rc;
    snprintf(rq->about, sizeof rq->about, "%s", p.account);
    snprintf(rq->detail, sizeof rq->detail, "Group:%s", p.keyid);
    rc = roster_read(roster, strlen(roster), p.signer, &ro, e);
    rc = rc ? rc : check_statements(s, rq, &p, &ro, e);
    rc = rc ? rc : create(s, rq, &p, profile, roster, e);
    roster_clear(&ro);
    profile_clear(&p);
    return rc;
}

int set_policy(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *policy;
    struct account a;
    int rc = request_owned_list(s, rq, &a, e);

    (void)reply;
    if (rc)
        return rc;
    snprintf(rq->detail, sizeof rq->detail, "Policy");
    rc = sjson_object(rq->body, "Policy", &policy, e);
    rc = rc ? rc : request_policy(policy, &a.policy, e);
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = account_put(&s->records, &a, e);
        if (rc)
            records_abort(&s->records);
        rc = rc ? rc : records_commit(&s->records, e);
        service_changed(s, a.address);
    }
    account_clear(&a);
    return rc ? rc : STATUS_UPDATED;
}

static int put_policy(const struct policy *p, struct json_object *reply)
{
    struct json_object *obj = json_object_new_object();
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "Plaintext", policy_plaintext_name(p->plaintext));
    rc = rc ? rc : sjson_set_object(obj, "Archive", json_object_new_boolean(p->archive));
    rc = rc ? rc : sjson_set_int(obj, "MaxSize", (int64_t)p->max_size);
    if (rc) {
        json_object_put(obj);
        return rc;
    }
    return sjson_set_object(reply, "Policy", obj);
}

static int add_key(struct service *s, const char *keyid, const struct account *a, struct json_object *reply,
                   struct json_object *keys, struct err *e)
{
    struct json_object *one = json_object_new_object();
    struct key_record k;
    int rc = key_get(&s->records, keyid, &k, e);

    if (rc || !one) {
        json_object_put(one);
        return rc ? rc : ERR_SYSTEM;
    }
    rc = sjson_set_string(one, "KeyID", keyid);
    rc = rc ? rc : sjson_set_string(one, "State", key_state_name(k.state));
    rc = rc ? rc : sjson_set_int(one, "Epoch", k.epoch);
    if (!rc && !strcmp(keyid, a->current))
        rc = sjson_set_string(reply, "Profile", k.profile);
    if (rc || json_object_array_add(keys, one)) {
        json_object_put(one);
        rc = ERR_SYSTEM;
    }
    key_clear(&k);
    return rc;
}

/* What only the one or the other has: a list its policy, a person her devices. */
static int put_particulars(struct service *s, const struct account *a, struct json_object *reply, struct err *e)
{
    struct buf roster = BUF_INIT;
    int rc = roster_get(&s->records, a->address, &roster, e);

    if (!rc)
        rc = sjson_set_string(reply, "Roster", buf_str(&roster));
    else if (rc == ERR_ABSENT && a->kind == PROFILE_PERSON)
        rc = 0;
    buf_free(&roster);
    if (a->kind == PROFILE_PERSON)
        return rc ? rc : devices_put(s, a, reply, e);
    return rc ? rc : put_policy(&a->policy, reply);
}

int get_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *keys = NULL;
    struct account a;
    int rc = request_owned_group(s, rq, &a, e);

    if (rc)
        return rc;
    rc = put_particulars(s, &a, reply, e);
    if (!rc && !(keys = json_object_new_array()))
        rc = ERR_SYSTEM;
    for (size_t i = 0; !rc && i < a.key_count; i++)
        rc = add_key(s, a.keys[i], &a, reply, keys, e);
    if (!rc) {
        rc = sjson_set_object(reply, "Keys", keys);
        keys = NULL;
    }
    rc = rc ? rc : sjson_set_object(reply, "Quarantine", json_object_new_boolean(account_quarantined(&s->records, &a)));
    if (rc == ERR_SYSTEM && !s->records.broken)
        err_set(e, rc, "out of memory");
    json_object_put(keys);
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}

struct owned {
    const char *signer;
    struct json_object *groups;
};

static int visit_owned(void *arg, struct account *a, struct err *e)
{
    struct owned *o = arg;
    struct json_object *name;

    if (a->kind != PROFILE_LIST || strcmp(a->signer, o->signer))
        return 0;
    name = json_object_new_string(a->address);
    if (!name || json_object_array_add(o->groups, name)) {
        json_object_put(name);
        return err_set(e, ERR_RETRY, "out of memory");
    }
    return 0;
}

int select_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct owned o = {rq->caller->signer, NULL};
    const char *kind;
    int rc = sjson_string(rq->body, "Kind", &kind, e);

    if (!rc && !strcmp(kind, "pending"))
        return select_pending(s, rq, reply, e);
    if (!rc && strcmp(kind, "groups"))
        rc = err_set(e, ERR_SYNTAX, "Kind: \"%s\" is neither groups nor pending", kind);
    if (!rc && (!rq->caller->record || !*rq->caller->record->person))
        rc = err_set(e, ERR_DENIED, "the signer is not registered here");
    if (rc)
        return rc;
    o.groups = json_object_new_array();
    rc = o.groups ? account_scan(&s->records, visit_owned, &o, e) : err_set(e, ERR_SYSTEM, "out of memory");
    if (rc) {
        json_object_put(o.groups);
        return rc;
    }
    return sjson_set_object(reply, "Groups", o.groups) ? err_set(e, ERR_SYSTEM, "out of memory") : STATUS_OK;
}
