/* Set, and its kind Person: registration and new keys of persons. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "service.h"

int set_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    static const struct {
        const char *name;
        handler *handle;
    } kinds[] = {
        {"Person", set_person}, {"Group", set_group},   {"Members", set_members}, {"Rekey", set_rekey},
        {"Roster", set_roster}, {"Policy", set_policy}, {"Park", set_park},       {"Share", set_share},
    };
    struct json_object *body;

    if (json_object_object_length(rq->body) != 1)
        return err_set(e, ERR_SYNTAX, "Set: exactly one of Person, Group, Members, Rekey, Roster, Policy, Park, Share");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!sjson_has(rq->body, kinds[i].name))
            continue;
        if (sjson_object(rq->body, kinds[i].name, &body, e))
            return e->code;
        rq->body = body;
        return kinds[i].handle(s, rq, reply, e);
    }
    return err_set(e, ERR_SYNTAX, "Set: none of Person, Group, Members, Rekey, Roster, Policy, Park, Share");
}

/* Token or open registration; our domains only; no '+', which parts accounts from what belongs to them. */
static int may_register(struct service *s, struct request *rq, const struct profile *p, struct err *e)
{
    const char *token, *ext;
    char base[ADDRESS_SIZE];
    size_t ext_len;
    int rc;

    address_split(p->account, base, &ext, &ext_len);
    if (ext)
        return err_set(e, ERR_SYNTAX, "%s: an account's name has no '+'", p->account);
    if (!settings_serves(s->settings, p->account))
        return err_set(e, ERR_DENIED, "%s is not a domain of this service", address_domain(p->account));
    if (s->settings->registration_open)
        return 0;
    if (!sjson_has(rq->body, "Token"))
        return err_set(e, ERR_DENIED, "registration needs a token: ask the administrator (recryptd --invite %s)",
                       p->account);
    rc = sjson_string(rq->body, "Token", &token, e);
    return rc ? rc : servicekey_token_check(s->keys, p->account, token, rq->now, e);
}

static int register_signer(struct service *s, struct request *rq, const struct profile *p, struct err *e)
{
    struct signer sg = {0};
    int rc = signer_get(&s->records, rq->caller->signer, &sg, e);

    if (rc == ERR_ABSENT)
        rc = jwk_public_copy(p->signer, &sg.key, e);
    else if (!rc && *sg.person && strcmp(sg.person, p->account))
        rc = err_set(e, ERR_EXISTS, "the signature key is already that of another account");
    snprintf(sg.person, sizeof sg.person, "%s", p->account);
    rc = rc ? rc : signer_put(&s->records, rq->caller->signer, &sg, e);
    signer_clear(&sg);
    return rc;
}

static int store_person(struct service *s, struct request *rq, struct account *a, const struct profile *p,
                        const char *text, struct err *e)
{
    int rc = records_begin(&s->records, e);

    if (rc)
        return rc;
    rc = register_signer(s, rq, p, e);
    rc = rc ? rc : service_new_key(s, a, p, text, KEY_ARCHIVED, e);
    rc = rc ? rc : account_put(&s->records, a, e);
    if (rc) {
        records_abort(&s->records);
        return rc;
    }
    service_changed(s, a->address);
    return records_commit(&s->records, e);
}

/* Is text the very profile that is there? Then the answer to an earlier, equal request was lost. */
static int same_profile(struct service *s, const struct account *a, const char *text)
{
    struct key_record k;
    int same;

    if (key_get(&s->records, a->current, &k, NULL))
        return 0;
    same = !strcmp(k.profile, text);
    key_clear(&k);
    return same;
}

/* A new key without entries would leave her devices without her mail. */
static int check_no_devices(struct service *s, const struct account *a, struct err *e)
{
    struct members m;
    int rc = members_get(&s->records, a->address, &m, e);

    if (!rc && members_present(&m))
        rc = err_set(e, ERR_EXISTS, "%s has devices, which need the new key as well: Rekey", a->address);
    members_clear(&m);
    return rc;
}

static int create_or_update(struct service *s, struct request *rq, const struct profile *p, const char *text,
                            struct err *e)
{
    struct account a;
    int rc = account_get(&s->records, p->account, &a, e), status = STATUS_UPDATED;

    if (rc && rc != ERR_ABSENT)
        return rc;
    if (rc) {
        status = STATUS_OK;
        memset(&a, 0, sizeof a);
        a.kind = PROFILE_PERSON;
        a.created = rq->now;
        memcpy(a.address, p->account, sizeof a.address);
        memcpy(a.owner, p->account, sizeof a.owner);
        memcpy(a.signer, rq->caller->signer, sizeof a.signer);
        rc = may_register(s, rq, p, e);
    } else if (a.kind != PROFILE_PERSON || strcmp(a.signer, rq->caller->signer)) {
        rc = err_set(e, ERR_EXISTS, "%s is taken", p->account);
    } else if (same_profile(s, &a, text)) {
        account_clear(&a);
        return STATUS_OK;
    } else if (p->epoch <= a.epoch) {
        rc = err_set(e, ERR_STALE, "%s: epoch %lld is not newer than %lld", p->account, (long long)p->epoch,
                     (long long)a.epoch);
    } else {
        rc = check_no_devices(s, &a, e);
    }
    rc = rc ? rc : store_person(s, rq, &a, p, text, e);
    account_clear(&a);
    return rc ? rc : status;
}

int set_person(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct profile p = {0};
    char udf[JWK_UDF_SIZE];
    const char *text;
    int rc = sjson_string(rq->body, "Profile", &text, e);

    (void)reply;
    rc = rc ? rc : profile_read(text, strlen(text), &p, e);
    if (rc)
        return rc;
    snprintf(rq->about, sizeof rq->about, "%s", p.account);
    snprintf(rq->detail, sizeof rq->detail, "Person:%s", p.keyid);
    if (p.kind != PROFILE_PERSON || strcmp(p.owner, p.account))
        rc = err_set(e, ERR_SYNTAX, "not a person's profile");
    else if (p.epoch < 1)
        rc = err_set(e, ERR_SYNTAX, "epoch: %lld", (long long)p.epoch);
    else if (jwk_udf(p.signer, udf) || strcmp(udf, rq->caller->signer))
        rc = err_set(e, ERR_DENIED, "the request is not signed by the key that the profile names");
    rc = rc ? rc : create_or_update(s, rq, &p, text, e);
    if (rc > 0)
        log_info("person %s: key %s, signer %s", p.account, p.keyid, rq->caller->signer);
    profile_clear(&p);
    return rc;
}
