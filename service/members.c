/* Set Members, Set Rekey, Set Roster, Delete: who is on a list, and which devices a person has (doc/protocol.md section
 * 3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "common/log.h"
#include "common/sjson.h"

/* Room for a name of a member in the access log, and for those that follow. */
static void note(struct request *rq, const char *what, const char *name)
{
    size_t used = strlen(rq->detail);

    if (used + strlen(what) + strlen(name) + 2 < sizeof rq->detail)
        snprintf(rq->detail + used, sizeof rq->detail - used, "%s%s%s", used ? "," : "", what, name);
}

/* ---- adding ---- */

/* Who comes in: in the roster, not an active member, with a full set of entries. Somebody whom the stored roster names
 * as well (after a restore) may go on without. */
static int check_added(struct change *c, struct err *e)
{
    const char *const *keys = (const char *const *)c->list.keys;
    int rc = 0;

    for (size_t i = 0; !rc && i < c->roster.count; i++) {
        const struct roster_member *m = &c->roster.members[i];
        size_t n = change_entries_of(c, m->account);

        if (change_active(c, m->account)) {
            if (n)
                rc = err_set(e, ERR_EXISTS, "%s is a member already", m->account);
            continue;
        }
        if (!n && roster_find(&c->stored, m->account))
            continue;
        rc = change_not_parked(c, m->account, e);
        rc = rc ? rc : change_covers(c, m, keys, c->list.key_count, e);
        c->added += !rc;
        note(c->rq, "+", m->account);
    }
    if (!rc && !c->added)
        rc = err_set(e, ERR_EXISTS, "the roster adds nobody who is not a member already");
    return rc;
}

static int store_added(struct change *c, struct err *e)
{
    int rc = records_begin(&c->s->records, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < c->roster.count; i++)
        rc = change_store_member(c, c->roster.members[i].account, e);
    return change_finish(c, rc, e);
}

int set_members(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct change c;
    int rc = change_open(s, rq, 0, &c, e);

    (void)reply;
    snprintf(rq->detail, sizeof rq->detail, "Members");
    rc = rc ? rc : change_not_quarantined(&c, e);
    rc = rc ? rc : change_fits(&c, e);
    rc = rc ? rc : change_roster_key(&c, c.list.current, c.list.epoch, e);
    rc = rc ? rc : change_keeps(&c, NULL, e);
    rc = rc ? rc : change_entries(&c, c.roster.count * c.list.key_count, e);
    rc = rc ? rc : check_added(&c, e);
    rc = rc ? rc : store_added(&c, e);
    change_clear(&c);
    return rc ? rc : STATUS_OK;
}

/* ---- removing ---- */

int delete_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    const struct member *m = NULL;
    char member[ADDRESS_SIZE];
    struct change c;
    int rc = change_open(s, rq, 0, &c, e);

    (void)reply;
    rc = rc ? rc : change_not_quarantined(&c, e);
    rc = rc ? rc : request_address(rq, "Member", 0, member, e);
    if (!rc) {
        note(rq, "-", member);
        m = members_find(&c.members, member);
        m = m && (m->active || *m->parked) ? m : NULL;
        if (!m && !roster_find(&c.stored, member))
            rc = err_set(e, ERR_ABSENT, "%s is not a member of %s", member, c.list.address);
    }
    rc = rc ? rc : change_roster_key(&c, c.list.current, c.list.epoch, e);
    if (!rc && roster_find(&c.roster, member))
        rc = err_set(e, ERR_SYNTAX, "%s is still in the roster", member);
    rc = rc ? rc : change_keeps(&c, member, e);
    rc = rc ? rc : change_nobody_new(&c, e);
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = m ? change_revoke(&c, m, e) : 0;
        rc = change_finish(&c, rc, e);
    }
    change_clear(&c);
    return rc ? rc : STATUS_OK;
}

static int revoke_missing(struct change *c, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < c->members.count; i++) {
        const struct member *m = &c->members.list[i];

        if ((!m->active && !*m->parked) || change_same(c, m))
            continue;
        note(c->rq, "-", m->account);
        rc = change_revoke(c, m, e);
    }
    return rc;
}

/* ---- a new key ---- */

struct rekey {
    struct profile profile;
    const char *profile_text;
    enum key_state former;
};

static int read_rekey(struct change *c, struct rekey *k, struct err *e)
{
    int retire = 0, rc = sjson_string(c->rq->body, "Profile", &k->profile_text, e);
    const struct profile *p = &k->profile;

    rc = rc ? rc : sjson_bool(c->rq->body, "Retire", &retire, e);
    rc = rc ? rc : profile_read(k->profile_text, strlen(k->profile_text), &k->profile, e);
    if (rc)
        return rc;
    k->former = retire ? KEY_RETIRED : KEY_ARCHIVED;
    if (p->kind != c->list.kind || strcmp(p->account, c->list.address) || strcmp(p->owner, c->list.owner) ||
        !jwk_equal(p->signer, c->owner))
        return err_set(e, ERR_SYNTAX, "not a profile of %s by its owner", c->list.address);
    if (p->epoch <= c->list.epoch)
        return err_set(e, ERR_STALE, "epoch %lld is not newer than %lld", (long long)p->epoch,
                       (long long)c->list.epoch);
    return change_roster_key(c, p->keyid, p->epoch, e);
}

/* An active member needs an entry for the new key; somebody who has none of the others' (after a restore) one for each.
 */
static int check_rekeyed(struct change *c, const struct rekey *k, struct err *e)
{
    const char *fresh = k->profile.keyid;
    int rc = 0;

    for (size_t i = 0; !rc && i < c->roster.count; i++) {
        const struct roster_member *m = &c->roster.members[i];
        const struct member *stored = change_active(c, m->account);

        if (stored && change_same(c, stored)) {
            rc = change_covers(c, m, &fresh, 1, e);
            continue;
        }
        if ((rc = change_not_parked(c, m->account, e)))
            return rc;
        if (!stored && !account_quarantined(&c->s->records, &c->list) && !roster_find(&c->stored, m->account))
            return err_set(e, ERR_SYNTAX, "%s is no member: add first", m->account);
        rc = change_covers(c, m, (const char *const *)c->list.keys, c->list.key_count, e);
        c->added += !rc;
        note(c->rq, "+", m->account);
    }
    return rc;
}

static int store_rekey(struct change *c, const struct rekey *k, struct err *e)
{
    int rc = revoke_missing(c, e);

    /* The key was written before the entries were checked: its suite counts there. */
    rc = rc ? rc : check_rekeyed(c, k, e);
    for (size_t i = 0; !rc && i < c->roster.count; i++)
        rc = change_store_member(c, c->roster.members[i].account, e);
    memcpy(c->list.confirmed, c->s->records.restored, sizeof c->list.confirmed);
    return rc;
}

int set_rekey(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct rekey k = {0};
    struct change c;
    int rc = change_open(s, rq, 0, &c, e);

    (void)reply;
    rc = rc ? rc : change_fits(&c, e);
    rc = rc ? rc : read_rekey(&c, &k, e);
    if (!rc)
        snprintf(rq->detail, sizeof rq->detail, "Rekey:%s", k.profile.keyid);
    rc = rc ? rc : change_entries(&c, c.roster.count * (c.list.key_count + 1), e);
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = service_new_key(s, &c.list, &k.profile, k.profile_text, k.former, e);
        rc = rc ? rc : store_rekey(&c, &k, e);
        rc = change_finish(&c, rc, e);
        if (!rc)
            log_info("%s: key %s, the former one is %s", c.list.address, c.list.current, key_state_name(k.former));
    }
    profile_clear(&k.profile);
    change_clear(&c);
    return rc ? rc : STATUS_UPDATED;
}

/* ---- confirming ---- */

static int put_missing(const struct change *c, struct json_object *reply)
{
    struct json_object *missing = json_object_new_array();

    for (size_t i = 0; missing && i < c->roster.count; i++) {
        const struct roster_member *m = &c->roster.members[i];
        const struct member *stored = members_find(&c->members, m->account);
        struct json_object *name;

        if (stored && (stored->active || *stored->parked) && change_same(c, stored))
            continue;
        name = json_object_new_string(m->account);
        if (!name || json_object_array_add(missing, name)) {
            json_object_put(name);
            json_object_put(missing);
            return ERR_SYSTEM;
        }
    }
    return missing ? sjson_set_object(reply, "Missing", missing) : ERR_SYSTEM;
}

int set_roster(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct change c;
    int rc = change_open(s, rq, 1, &c, e);

    snprintf(rq->detail, sizeof rq->detail, "Roster");
    if (!rc && change_roster_key(&c, c.list.current, c.list.epoch, NULL))
        rc = err_set(e, ERR_EXISTS, "the roster is for key %s, the newest here is %s: send the new key (Rekey)",
                     c.roster.keyid, c.list.current);
    if (!rc && put_missing(&c, reply))
        rc = err_set(e, ERR_SYSTEM, "out of memory");
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = revoke_missing(&c, e);
        memcpy(c.list.confirmed, s->records.restored, sizeof c.list.confirmed);
        rc = change_finish(&c, rc, e);
    }
    change_clear(&c);
    return rc ? rc : STATUS_UPDATED;
}
