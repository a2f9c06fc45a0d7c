/* Devices of persons: Join, Leave, Select pending, Set Park, Set Share (doc/protocol.md section 3). Who is let in,
 * removed and listed is change.c's and members.c's, as for lists. */
#include "devices.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "common/b64.h"
#include "common/log.h"
#include "common/sjson.h"
#include "intake.h"
#include "service.h"

enum { WAIT_SECONDS = 86400, REQUEST_TEXT_MAX = 4 << 10, SHARE_STATEMENT_MAX = 32 << 10 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

/* The person that "Account" names. ERR_ABSENT. */
static int request_person(struct service *s, struct request *rq, struct account *out, struct err *e)
{
    char address[ADDRESS_SIZE];
    int rc = request_address(rq, "Account", 1, address, e);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : account_get(&s->records, address, out, e);
    if (rc == ERR_ABSENT || (!rc && out->kind != PROFILE_PERSON)) {
        account_clear(out);
        rc = err_set(e, ERR_ABSENT, "no such person here");
    }
    return rc;
}

/* The same; the request is signed by her. */
static int request_herself(struct service *s, struct request *rq, struct account *out, struct err *e)
{
    int rc = request_person(s, rq, out, e);

    if (!rc && strcmp(out->signer, rq->caller->signer)) {
        rc = err_set(e, ERR_DENIED, "not signed by %s", out->address);
        account_clear(out);
    }
    return rc;
}

/* ---- asking ---- */

static int count_one(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    (void)name, (void)note, (void)e;
    ++*(size_t *)arg;
    return 0;
}

/* Is there room for one more of that kind? */
static int has_room(struct service *s, enum device_text kind, const char *account, size_t max, int full,
                    const char *text, struct err *e)
{
    size_t count = 0;
    int rc = device_scan(&s->records, kind, account, count_one, &count, e);

    return rc ? rc : count < max ? 0 : err_set(e, full, "%s", text);
}

/* gone: the waiting request that is deleted at the same time, NULL = none. */
static int put_text(struct service *s, enum device_text kind, const char *account, const char *name,
                    const struct device_note *note, const char *gone, struct err *e)
{
    int rc = records_begin(&s->records, e);

    if (rc)
        return rc;
    rc = gone ? device_text_delete(&s->records, DEVICE_WAITING, account, gone, e) : 0;
    rc = rc ? rc : device_text_put(&s->records, kind, account, name, note, e);
    if (rc) {
        records_abort(&s->records);
        return rc;
    }
    return records_commit(&s->records, e);
}

/* 1: it is a device already, with these keys. A parked one has another way back. That another device has the name is
 * the owner's to know: to whoever guesses names, the request waits like any other. */
static int check_itself(struct service *s, const struct device *d, struct err *e)
{
    struct members m;
    const struct member *there;
    int rc = members_get(&s->records, d->account, &m, e);

    if (rc)
        return rc;
    there = members_find(&m, d->member);
    if (there && (there->active || *there->parked) && !strcmp(there->key_udf, d->key_udf)) {
        char signer[JWK_UDF_SIZE];

        rc = jwk_udf(d->signer, signer);
        if (!rc && !strcmp(there->signer, signer))
            rc = there->active ? 1 : err_set(e, ERR_EXISTS, "%s is parked", d->name);
    }
    members_clear(&m);
    return rc;
}

/* Is there a request of that key, and signed by the same one? 1 = the very same, 0 = another, ERR_ABSENT. */
static int compare_waiting(struct service *s, const struct device *d, const char *text, struct err *e)
{
    struct buf former = BUF_INIT;
    struct device was;
    int rc = device_text_get(&s->records, DEVICE_WAITING, d->account, d->key_udf, &former, NULL, e);

    if (!rc && !strcmp(buf_str(&former), text)) {
        rc = 1;
    } else if (!rc && !(rc = device_read(buf_str(&former), former.len, &was, e))) {
        if (!jwk_equal(was.signer, d->signer))
            rc = err_set(e, ERR_SYNTAX, "another device's key");
        device_clear(&was);
    }
    buf_free(&former);
    return rc;
}

struct places {
    struct intake_place *list;
    size_t count, max;
};

static int note_place(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    struct places *p = arg;
    struct intake_place *one = &p->list[p->count];

    (void)e;
    if (p->count == p->max)
        return 0;
    snprintf(one->network, sizeof one->network, "%s", note->from);
    snprintf(one->key_udf, sizeof one->key_udf, "%s", name);
    one->when = note->when;
    p->count++;
    return 0;
}

/* A place for one more request from that network. gone: the key of the one that gives way for it, "" = none has to. */
static int find_place(struct service *s, const char *account, const char *network, char gone[JWK_UDF_SIZE],
                      struct err *e)
{
    struct places p = {NULL, 0, s->settings->device_requests};
    const struct intake_place *out;
    int rc = has_room(s, DEVICE_WAITING, account, p.max, ERR_EXISTS, "too many devices are waiting", e);

    *gone = '\0';
    if (rc != ERR_EXISTS)
        return rc;
    p.list = calloc(p.max ? p.max : 1, sizeof *p.list);
    rc = p.list ? device_scan(&s->records, DEVICE_WAITING, account, note_place, &p, e) : no_memory(e);
    out = rc ? NULL : intake_yields(p.list, p.count, network);
    if (out)
        memcpy(gone, out->key_udf, sizeof out->key_udf);
    else if (!rc)
        rc = err_set(e, ERR_RETRY,
                     "too many devices are waiting for this person, who can refuse them (recrypt device reject --all)");
    free(p.list);
    return rc;
}

static int wait_for_owner(struct service *s, struct request *rq, const struct device *d, const char *text,
                          struct err *e)
{
    char network[INTAKE_NETWORK_SIZE], gone[JWK_UDF_SIZE] = "";
    const struct device_note note = {text, rq->now, network};
    int rc = devices_expire(&s->records, d->account, rq->now - WAIT_SECONDS, e);

    intake_network(rq->caller->address, network);
    rc = rc ? rc : compare_waiting(s, d, text, e);
    if (rc > 0)
        return 0;
    if (rc == ERR_ABSENT)
        rc = find_place(s, d->account, network, gone, e);
    rc = rc ? rc : intake_take(s->intake, rq->caller->address, d->account, d->key_udf, rq->now, e);
    rc = rc ? rc : put_text(s, DEVICE_WAITING, d->account, d->key_udf, &note, *gone ? gone : NULL, e);
    if (!rc)
        log_info("%s asks to be a device of %s%s", d->member, d->account,
                 *gone ? "; the request that waited longest of those from one network gave way" : "");
    return rc;
}

static int join_request(struct service *s, struct request *rq, const struct account *a, struct err *e)
{
    struct device d;
    const char *text;
    int rc = sjson_string(rq->body, "Request", &text, e);

    if (!rc && strlen(text) > REQUEST_TEXT_MAX)
        rc = err_set(e, ERR_LIMIT, "Request: more than %d octets", REQUEST_TEXT_MAX);
    rc = rc ? rc : device_read(text, strlen(text), &d, e);
    if (rc)
        return rc;
    snprintf(rq->detail, sizeof rq->detail, "Request:%s", d.member);
    if (strcmp(d.account, a->address))
        rc = err_set(e, ERR_SYNTAX, "the request is for %s", d.account);
    rc = rc ? rc : check_itself(s, &d, e);
    rc = rc ? rc : wait_for_owner(s, rq, &d, text, e);
    device_clear(&d);
    return rc < 0 ? rc : STATUS_OK;
}

struct find_code {
    const char *code;
    char key_udf[JWK_UDF_SIZE];
};

static int visit_code(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    struct find_code *f = arg;
    struct device d;
    int rc = device_read(note->text, strlen(note->text), &d, e);

    if (rc)
        return rc;
    if (!strcmp(d.code, f->code))
        snprintf(f->key_udf, sizeof f->key_udf, "%s", name);
    device_clear(&d);
    return 0;
}

int leave_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct find_code f = {0};
    struct account a;
    int rc = request_herself(s, rq, &a, e);

    (void)reply;
    if (rc)
        return rc;
    rc = sjson_string(rq->body, "Code", &f.code, e);
    rc = rc ? rc : devices_expire(&s->records, a.address, rq->now - WAIT_SECONDS, e);
    rc = rc ? rc : device_scan(&s->records, DEVICE_WAITING, a.address, visit_code, &f, e);
    if (!rc && !*f.key_udf)
        rc = err_set(e, ERR_ABSENT, "no device waits with that code");
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = device_text_delete(&s->records, DEVICE_WAITING, a.address, f.key_udf, e);
        if (rc)
            records_abort(&s->records);
        rc = rc ? rc : records_commit(&s->records, e);
    }
    account_clear(&a);
    return rc ? rc : STATUS_OK;
}

static int add_request(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    struct json_object *one = json_object_new_object();

    (void)name;
    if (!one || sjson_set_string(one, "Request", note->text) || json_object_array_add(arg, one)) {
        json_object_put(one);
        return no_memory(e);
    }
    return 0;
}

int select_pending(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    const struct signer *who = rq->caller->record;
    struct json_object *list;
    int rc;

    if (!who || !*who->person)
        return err_set(e, ERR_DENIED, "the signer is not registered here");
    snprintf(rq->about, sizeof rq->about, "%s", who->person);
    rc = devices_expire(&s->records, who->person, rq->now - WAIT_SECONDS, e);
    if (rc)
        return rc;
    list = json_object_new_array();
    rc = list ? device_scan(&s->records, DEVICE_WAITING, who->person, add_request, list, e) : no_memory(e);
    if (rc) {
        json_object_put(list);
        return rc;
    }
    return sjson_set_object(reply, "Pending", list) ? no_memory(e) : STATUS_OK;
}

/* ---- showing ---- */

static int device_json(struct service *s, const struct account *a, const struct member *m, struct json_object **out,
                       struct err *e)
{
    struct json_object *one = json_object_new_object();
    struct buf text = BUF_INIT;
    int rc = device_text_get(&s->records, DEVICE_ADMITTED, a->address, m->account, &text, NULL, e);

    if (!rc && (!one || sjson_set_string(one, "Member", m->account) ||
                sjson_set_string(one, "State", m->active ? "active" : "parked") ||
                sjson_set_string(one, "Request", buf_str(&text))))
        rc = no_memory(e);
    buf_free(&text);
    if (rc)
        json_object_put(one);
    else
        *out = one;
    return rc;
}

int devices_put(struct service *s, const struct account *a, struct json_object *reply, struct err *e)
{
    struct json_object *list = json_object_new_array(), *one;
    struct members m;
    int rc = members_get(&s->records, a->address, &m, e);

    rc = rc || list ? rc : no_memory(e);
    for (size_t i = 0; !rc && i < m.count; i++) {
        if (!m.list[i].active && !*m.list[i].parked)
            continue;
        rc = device_json(s, a, &m.list[i], &one, e);
        if (!rc && json_object_array_add(list, one)) {
            json_object_put(one);
            rc = no_memory(e);
        }
    }
    members_clear(&m);
    if (rc) {
        json_object_put(list);
        return rc;
    }
    return sjson_set_object(reply, "Devices", list) ? no_memory(e) : 0;
}

/* ---- parking ---- */

/* The id in its one form: what is compared later is text. */
static int request_id(struct request *rq, char out[PARK_ID_SIZE], struct err *e)
{
    struct buf id = BUF_INIT;
    const char *text;
    int rc = sjson_string(rq->body, "Id", &text, e);

    rc = rc ? rc : sjson_b64(rq->body, "Id", &id, e);
    if (!rc && id.len != RECOVERY_ID_LEN)
        rc = err_set(e, ERR_SYNTAX, "Id: %zu octets, not %d", id.len, RECOVERY_ID_LEN);
    buf_free(&id);
    if (!rc)
        memcpy(out, text, PARK_ID_SIZE);
    return rc;
}

static int check_park(struct change *c, struct member *out, struct err *e)
{
    char member[ADDRESS_SIZE];
    const struct roster_member *in;
    const struct member *m = NULL;
    int rc = request_address(c->rq, "Member", 0, member, e);

    if (rc)
        return rc;
    snprintf(c->rq->detail, sizeof c->rq->detail, "Park:%s", member);
    if (c->list.kind != PROFILE_PERSON)
        return err_set(e, ERR_SYNTAX, "%s is a list: only devices can be parked", c->list.address);
    m = members_find(&c->members, member);
    if (!m || (!m->active && !*m->parked))
        return err_set(e, ERR_ABSENT, "%s is not a device of %s", member, c->list.address);
    in = roster_find(&c->roster, member);
    if (!in || in->since != c->roster.serial)
        return err_set(e, ERR_SYNTAX, "the roster does not say that %s changes with it (since)", member);
    *out = *m;
    out->active = 0;
    out->serial = c->roster.serial;
    return request_id(c->rq, out->parked, e);
}

static int store_parked(struct change *c, const struct member *m, struct err *e)
{
    int rc = records_begin(&c->s->records, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < c->list.key_count; i++) {
        rc = entry_revoke(&c->s->records, c->list.keys[i], m->account, m->serial, e);
        rc = rc == ERR_ABSENT ? 0 : rc;
    }
    rc = rc ? rc : member_put(&c->s->records, c->list.address, m, e);
    return change_finish(c, rc, e);
}

int set_park(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct member m = {0};
    struct change c;
    int rc = change_open(s, rq, 0, &c, e);

    (void)reply;
    rc = rc ? rc : change_not_quarantined(&c, e);
    rc = rc ? rc : change_roster_key(&c, c.list.current, c.list.epoch, e);
    rc = rc ? rc : change_keeps(&c, NULL, e);
    rc = rc ? rc : change_nobody_new(&c, e);
    rc = rc ? rc : check_park(&c, &m, e);
    rc = rc ? rc : store_parked(&c, &m, e);
    change_clear(&c);
    return rc ? rc : STATUS_UPDATED;
}

/* ---- unparking ---- */

/* Everything about the recovery that is no secret of anybody's fails with one text. */
static int not_parked(struct err *e)
{
    return err_set(e, ERR_ABSENT, "no such parked device");
}

/* c as change_open would have filled it for its owner, with the roster that is in force. */
static int open_change(struct service *s, struct request *rq, const struct account *a, const struct signer *owner,
                       struct buf *roster, struct change *c, struct err *e)
{
    int rc = account_get(&s->records, a->address, &c->list, e);

    c->s = s;
    c->rq = rq;
    c->owner = owner->key;
    rc = rc ? rc : roster_get(&s->records, a->address, roster, e);
    rc = rc ? rc : roster_read(roster->data, roster->len, owner->key, &c->roster, e);
    c->roster_text = buf_str(roster);
    return rc ? rc : members_get(&s->records, a->address, &c->members, e);
}

/* The recovery's device, parked under its id. NULL = none. */
static const struct member *parked_member(const struct change *c, const struct recovery *r)
{
    const struct member *m = members_find(&c->members, r->member);
    struct buf id = BUF_INIT;
    int same = m && *m->parked && !b64url_encode(r->id, sizeof r->id, &id) && id.len == PARK_ID_SIZE - 1 &&
               !CRYPTO_memcmp(id.data, m->parked, PARK_ID_SIZE - 1);

    buf_free(&id);
    return same ? m : NULL;
}

static int unpark(struct change *c, const struct recovery *r, const struct member *m, struct err *e)
{
    const char *const *keys = (const char *const *)c->list.keys;
    const struct roster_member *in = roster_find(&c->roster, m->account);
    char signer[JWK_UDF_SIZE];
    int rc;

    if (!in || strcmp(in->key_udf, m->key_udf))
        return not_parked(e);
    rc = change_read_entries(c, (const char *const *)r->entries, r->count, m->serial, m->serial, e);
    rc = rc ? rc : change_covers(c, in, keys, c->list.key_count, e);
    rc = rc ? rc : jwk_udf(c->entries[0].member_signer, signer);
    if (!rc && strcmp(signer, m->signer))
        rc = not_parked(e);
    if (rc)
        return err_temporary(rc) ? rc : not_parked(e);
    rc = records_begin(&c->s->records, e);
    if (rc)
        return rc;
    rc = change_store_member(c, m->account, e);
    c->added++;
    return change_finish(c, rc, e);
}

static int join_recovery(struct service *s, struct request *rq, const struct account *a, struct err *e)
{
    struct change c = {0};
    struct recovery r = {0};
    struct signer owner = {0};
    struct buf roster = BUF_INIT;
    const struct member *m;
    const char *text;
    int rc = sjson_string(rq->body, "Recovery", &text, e);

    if (rc)
        return rc;
    snprintf(rq->detail, sizeof rq->detail, "Recovery");
    rc = signer_get_key(&s->records, a->signer, &owner, e);
    if (rc)
        return rc;
    rc = recovery_read(text, strlen(text), owner.key, &r, e);
    if (rc || strcmp(r.account, a->address)) {
        rc = err_temporary(rc) ? rc : not_parked(e);
        goto out;
    }
    snprintf(rq->detail, sizeof rq->detail, "Recovery:%s", r.member);
    rc = open_change(s, rq, a, &owner, &roster, &c, e);
    if (rc == ERR_ABSENT || (!rc && !(m = parked_member(&c, &r))))
        rc = not_parked(e);
    rc = rc ? rc : change_not_quarantined(&c, e);
    rc = rc ? rc : unpark(&c, &r, m, e);
out:
    change_clear(&c);
    recovery_clear(&r);
    signer_clear(&owner);
    buf_free(&roster);
    return rc ? rc : STATUS_OK;
}

int join_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct account a;
    int recovery = sjson_has(rq->body, "Recovery"), rc;

    (void)reply;
    if (recovery == sjson_has(rq->body, "Request"))
        return err_set(e, ERR_SYNTAX, "Join: one of Request and Recovery");
    rc = request_person(s, rq, &a, e);
    if (rc == ERR_ABSENT && recovery)
        rc = not_parked(e);
    if (rc)
        return rc;
    rc = recovery ? join_recovery(s, rq, &a, e) : join_request(s, rq, &a, e);
    account_clear(&a);
    return rc;
}

/* ---- other services' lists ---- */

static int check_share(struct service *s, const struct account *a, const struct statement_claim *c, struct err *e)
{
    char list[ADDRESS_SIZE], udf[64];
    int rc = keyid_parse(c->keyid, list, udf, e);

    if (rc)
        return rc;
    if (strcmp(c->member, a->address))
        return err_set(e, ERR_SYNTAX, "the statement is for %s", c->member);
    if (settings_serves(s->settings, list))
        return err_set(e, ERR_SYNTAX, "%s is a list of this service, which has the statement", list);
    for (size_t i = 0; i < a->key_count; i++)
        if (!strcmp(a->keys[i], c->to.kid))
            return 0;
    return err_set(e, ERR_SYNTAX, "the statement is for another key than one of %s", a->address);
}

static int keep_share(struct service *s, struct request *rq, const struct account *a, const char *keyid,
                      const char *text, struct err *e)
{
    struct buf former = BUF_INIT;
    int rc = device_text_get(&s->records, DEVICE_SHARE, a->address, keyid, &former, NULL, e);

    if (rc == ERR_ABSENT)
        rc = has_room(s, DEVICE_SHARE, a->address, s->settings->shares_max, ERR_EXISTS,
                      "this service keeps no more statements for one person (shares_max)", e);
    rc = rc ? rc : put_text(s, DEVICE_SHARE, a->address, keyid, &(struct device_note){text, rq->now, ""}, NULL, e);
    service_changed(s, a->address);
    buf_free(&former);
    return rc;
}

int set_share(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct statement_claim claim;
    struct account a;
    const char *text;
    int rc = request_herself(s, rq, &a, e);

    (void)reply;
    if (rc)
        return rc;
    rc = sjson_string(rq->body, "Statement", &text, e);
    if (!rc && strlen(text) > SHARE_STATEMENT_MAX)
        rc = err_set(e, ERR_LIMIT, "Statement: more than %d octets", SHARE_STATEMENT_MAX);
    rc = rc ? rc : statement_claim(text, strlen(text), &claim, e);
    if (!rc) {
        snprintf(rq->detail, sizeof rq->detail, "Share:%s", claim.keyid);
        rc = check_share(s, &a, &claim, e);
        rc = rc ? rc : keep_share(s, rq, &a, claim.keyid, text, e);
        statement_claim_clear(&claim);
    }
    account_clear(&a);
    return rc ? rc : STATUS_UPDATED;
}
