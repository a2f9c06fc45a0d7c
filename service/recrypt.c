/* RecryptData: a member's own request, and one of her devices. Statement: a device's of a member elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "common/sjson.h"
#include "service.h"

/* What is asked for. */
struct ask {
    const char *key_udf; /* of the member's or device's key */
    char keyid[KEYID_SIZE];
    struct epk epk;
    struct key_record key;
    struct account account; /* whose key it is */
    int known;              /* here */
};

static int read_ask(struct service *s, struct request *rq, struct ask *a, struct err *e)
{
    int rc = sjson_string(rq->body, "MemberKeyUDF", &a->key_udf, e);

    rc = rc ? rc : request_keyid(rq, a->keyid, e);
    rc = rc ? rc : request_epk(rq, &a->epk, e);
    if (rc)
        return rc;
    /* Not by way of the cache: how long it takes to fill tells how many members there are. */
    rc = key_get(&s->records, a->keyid, &a->key, e);
    rc = rc ? rc : account_get(&s->records, a->key.account, &a->account, e);
    a->known = !rc;
    if (rc && rc != ERR_ABSENT)
        return rc;
    if (a->known && jwk_suite(a->key.key) != a->epk.suite)
        return err_set(e, ERR_KEY, "the ephemeral key is refused");
    return a->known ? service_not_quarantined(s, &a->account, e) : 0;
}

static void ask_clear(struct ask *a)
{
    epk_clear(&a->epk);
    key_clear(&a->key);
    account_clear(&a->account);
}

static int put(struct json_object *reply, const char *name, struct json_object *value, struct err *e)
{
    return sjson_set_object(reply, name, value) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

/* Her own entry, as a list's member or as a device. */
static int own(struct service *s, struct request *rq, const struct ask *a, const char *member,
               struct json_object *reply, struct err *e)
{
    struct json_object *grant = NULL;
    int rc = grant_one(s->grants, &s->records, a->keyid, member ? member : "", a->key_udf, rq->caller->signer, &a->epk,
                       a->known && member, &grant, e);

    rc = rc ? rc : quota_take(s->quota, a->account.address, member, s->settings->quota, rq->now, e);
    if (rc) {
        json_object_put(grant);
        return rc;
    }
    snprintf(rq->detail, sizeof rq->detail, "grant:%s", member);
    rq->granted = 1;
    return put(reply, "Grant", grant, e);
}

/* The first of the two: the person's grant, or for a list elsewhere what she left here. Either way statement is what
 * holds her half, NULL when there is none. */
static int persons(struct service *s, const struct ask *a, const char *person, struct json_object **grant,
                   const char **statement, struct err *e)
{
    struct buf share = BUF_INIT;
    int rc = grant_one(s->grants, &s->records, a->keyid, person, NULL, NULL, &a->epk,
                       a->known && a->account.kind == PROFILE_LIST, grant, e);

    if (rc == ERR_ABSENT && !a->known) {
        rc = chain_share(s, person, a->keyid, &share, e);
        rc = rc ? rc : chain_share_grant(buf_str(&share), grant, e);
    }
    buf_free(&share);
    *statement = NULL;
    if (!rc && sjson_string(*grant, "dk", statement, NULL))
        rc = err_set(e, ERR_ABSENT, "no grant");
    return rc == ERR_ABSENT ? 0 : rc;
}

static int by_device(struct service *s, struct request *rq, const struct ask *a, const struct signer_membership *d,
                     struct json_object *reply, struct err *e)
{
    struct json_object *grant = NULL, *device = NULL;
    const char *statement;
    struct account person;
    int rc = account_get(&s->records, d->group, &person, e);

    rc = rc ? rc : service_not_quarantined(s, &person, e);
    account_clear(&person);
    rc = rc ? rc : persons(s, a, d->group, &grant, &statement, e);
    rc = rc ? rc : chain_grant(s, statement, d->member, a->key_udf, rq->caller->signer, &device, e);
    rc = rc ? rc : quota_take(s->quota, a->known ? a->account.address : "", d->group, s->settings->quota, rq->now, e);
    rc = rc ? rc : request_log_grant(s, rq, d->member, e);
    if (rc) {
        json_object_put(grant);
        json_object_put(device);
        return rc;
    }
    snprintf(rq->detail, sizeof rq->detail, "grant:%s", d->group);
    rq->granted = 1;
    rc = put(reply, "Grant", grant, e);
    if (rc)
        json_object_put(device);
    return rc ? rc : put(reply, "Device", device, e);
}

/* The signer's place in the group that the key is of. */
static const char *own_member(const struct signer *sg, const struct ask *a)
{
    const char *member = NULL;

    for (size_t i = 0; a->known && sg && i < sg->count; i++)
        if (!strcmp(sg->memberships[i].group, a->account.address) && !strcmp(sg->memberships[i].key_udf, a->key_udf))
            member = sg->memberships[i].member;
    return member;
}

int recrypt_data_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    const struct signer_membership *d;
    struct ask a = {0};
    const char *member;
    size_t at = 0;
    int rc = read_ask(s, rq, &a, e);

    if (rc)
        goto out;
    member = own_member(rq->caller->record, &a);
    d = member ? NULL : chain_device(rq->caller->record, a.key_udf, &at);
    if (!d)
        rc = own(s, rq, &a, member, reply, e);
    else
        do
            rc = by_device(s, rq, &a, d, reply, e);
        while (rc == ERR_ABSENT && (d = chain_device(rq->caller->record, a.key_udf, &at)));
out:
    ask_clear(&a);
    return rc ? rc : STATUS_OK;
}

/* ---- a device whose person is a member here and has her account elsewhere ---- */

/* Whose device it says it is: a member of its person's group under her address with an extension. */
static int claimed_person(const struct statement_claim *claim, char person[ADDRESS_SIZE], struct err *e)
{
    char account[ADDRESS_SIZE], udf[64];
    const char *ext;
    size_t len;
    int rc = keyid_parse(claim->keyid, account, udf, e);

    address_split(claim->member, person, &ext, &len);
    return rc || (ext && !strcmp(account, person)) ? rc : err_set(e, ERR_SYNTAX, "Device: not a device's statement");
}

/* Is the text signed with the key that it names, which somebody here has? 1, 0. */
static int verify_claim(struct service *s, const char *text, const struct statement_claim *claim,
                        char signer[JWK_UDF_SIZE], struct err *e)
{
    struct share_lock lock;
    struct signer sg = {0};
    int known = auth_signer_of(s->auth, &s->records, text, &sg, signer, e), rc = known;

    if (known >= 0) {
        rc = share_lock_read(text, claim->keyid, sg.key, &lock, e);
        if (!rc)
            share_lock_clear(&lock);
        rc = rc == ERR_SYSTEM ? rc : !rc && known;
    }
    signer_clear(&sg);
    return rc;
}

/* What is public about the key; *suite is NULL when it is not known. 1 = a list's here. */
static int find_list(struct service *s, const char *keyid, const struct suite **suite, struct account *a, struct err *e)
{
    struct key_record k = {0};
    int rc = key_get(&s->records, keyid, &k, e);

    *suite = NULL;
    rc = rc ? rc : account_get(&s->records, k.account, a, e);
    if (!rc)
        *suite = jwk_suite(k.key);
    rc = rc ? rc : service_not_quarantined(s, a, e);
    key_clear(&k);
    return rc == ERR_ABSENT ? 0 : rc ? rc : a->kind == PROFILE_LIST;
}

/* The grant that is wanted along with the statement; key NULL = none. */
struct wish {
    struct epk epk;
    struct jwk *key; /* said to be the person's */
    char udf[JWK_UDF_SIZE];
};

static int read_wish(struct request *rq, const char *person, struct wish *w, struct err *e)
{
    struct json_object *obj;
    char kid[KEYID_SIZE];
    int rc;

    if (!sjson_has(rq->body, "EphemeralKey") && !sjson_has(rq->body, "Key"))
        return 0;
    rc = request_epk(rq, &w->epk, e);
    rc = rc ? rc : sjson_object(rq->body, "Key", &obj, e);
    rc = rc ? rc : jwk_from_json(obj, &w->key, e);
    if (!rc && (!jwk_suite(w->key) || jwk_is_private(w->key)))
        rc = err_set(e, ERR_KEY, "Key: not a public key to encrypt to");
    if (!rc && jwk_udf(w->key, w->udf))
        rc = err_set(e, ERR_SYSTEM, "fingerprint of a key failed");
    rc = rc ? rc : keyid_make(person, w->udf, kid, e);
    return rc ? rc : jwk_set_kid(w->key, kid) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static void wish_clear(struct wish *w)
{
    epk_clear(&w->epk);
    jwk_free(&w->key);
}

/* The suite of the entry that is looked for; of a key that is not known, some suite. */
static int entry_suite(const struct wish *w, const struct suite **suite, struct err *e)
{
    if (w->key && *suite && *suite != w->epk.suite)
        return err_set(e, ERR_KEY, "the ephemeral key is refused");
    if (!*suite)
        *suite = w->key ? w->epk.suite : suite_at(0);
    return 0;
}

static int put_statement(struct request *rq, const char *device, const char *statement, const struct buf *sealed,
                         struct json_object *reply, struct err *e)
{
    snprintf(rq->detail, sizeof rq->detail, "%s:%s", sealed->len ? "grant" : "statement", device);
    rq->granted = 1;
    if (sjson_set_string(reply, "Statement", statement) ||
        (sealed->len && sjson_set_string(reply, "Sealed", buf_str(sealed))))
        return err_set(e, ERR_SYSTEM, "out of memory");
    return 0;
}

int statement_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    char keyid[KEYID_SIZE], person[ADDRESS_SIZE], signer[JWK_UDF_SIZE];
    struct statement_claim claim = {.dk = NULL};
    struct wish wish = {.key = NULL};
    struct grants_sealed also = {&wish.epk, NULL, wish.udf, BUF_INIT};
    const struct suite *suite;
    struct account list = {0};
    char *statement = NULL;
    const char *text;
    int known = 0, allowed = 0, rc = request_keyid(rq, keyid, e);

    rc = rc ? rc : sjson_string(rq->body, "Device", &text, e);
    rc = rc ? rc : statement_claim(text, strlen(text), &claim, e);
    rc = rc ? rc : claimed_person(&claim, person, e);
    rc = rc ? rc : read_wish(rq, person, &wish, e);
    also.to = wish.key;
    if (!rc && (known = find_list(s, keyid, &suite, &list, e)) < 0)
        rc = known;
    rc = rc ? rc : entry_suite(&wish, &suite, e);
    if (!rc && (allowed = verify_claim(s, text, &claim, signer, e)) < 0)
        rc = allowed;
    rc = rc ? rc
            : grants_statement(s->grants, &s->records, keyid, suite, person, signer, known && allowed,
                               also.to ? &also : NULL, &statement, e);
    /* Each device's own count: one that was removed can still ask, and must not use up its person's. */
    rc = rc ? rc : quota_take(s->quota, list.address, claim.member, s->settings->quota, rq->now, e);
    rc = rc ? rc : put_statement(rq, claim.member, statement, &also.text, reply, e);
    free(statement);
    buf_free(&also.text);
    wish_clear(&wish);
    statement_claim_clear(&claim);
    account_clear(&list);
    return rc ? rc : STATUS_OK;
}
