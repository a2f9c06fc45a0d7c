/* The semantic pass of recryptd --check (records.h). */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "devices.h"
#include "records-private.h"

struct check {
    struct records *r;
    size_t records, faults;
    int first;
    struct names lists, persons;
};

static void fault(struct check *c, const struct err *e)
{
    log_error("check: %s", e->text);
    c->faults++;
    if (!c->first)
        c->first = e->code;
}

static int remember(struct names *n, const char *name, struct err *e)
{
    char **more = reallocarray(n->list, n->count + 1, sizeof *more);

    if (!more)
        return err_errno(e, "check");
    n->list = more;
    more[n->count] = strdup(name);
    if (!more[n->count])
        return err_errno(e, "check");
    n->count++;
    return 0;
}

static void forget(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
}

/* Names first: the store is not asked again while it is being scanned. */
static int note_account(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct check *c = arg;
    struct json_object *obj = NULL;
    char kind[16] = "", address[ADDRESS_SIZE];
    struct err why;
    int rc;

    if (memchr(key, '\0', key_len))
        return 0;
    c->records++;
    if (key_len >= sizeof address)
        return err_set(e, ERR_SYNTAX, "an account with too long a name");
    memcpy(address, key, key_len);
    address[key_len] = '\0';
    rc = records_parse(value, len, &obj, &why);
    rc = rc ? rc : records_text(obj, "kind", kind, sizeof kind, &why);
    json_object_put(obj);
    if (rc) {
        err_prefix(&why, "account %s", address);
        fault(c, &why);
        return 0;
    }
    return remember(!strcmp(kind, "list") ? &c->lists : &c->persons, address, e);
}

static int count_entry(void *arg, struct entry_record *en, struct err *e)
{
    struct members *active = arg;
    const struct member *m = members_find(active, en->member);

    if (!m)
        return err_set(e, ERR_SYNTAX, "entry of %s, who is no member", en->member);
    if (m->active != en->active || (en->active && strcmp(m->key_udf, en->key_udf)))
        return err_set(e, ERR_SYNTAX, "entry of %s: state or key is not that of the member", en->member);
    return 0;
}

static void check_signer(struct check *c, const char *udf, const char *group, const struct member *m)
{
    struct signer s;
    struct err e;
    int found = 0;

    if (signer_get(c->r, udf, &s, &e)) {
        err_prefix(&e, "signer %s of %s", udf, group);
        fault(c, &e);
        return;
    }
    c->records++;
    for (size_t i = 0; m && i < s.count; i++)
        found |= !strcmp(s.memberships[i].group, group) && !strcmp(s.memberships[i].member, m->account);
    if (m ? !found : strcmp(s.person, group) != 0) {
        err_set(&e, ERR_SYNTAX, "signer %s does not know %s", udf, m ? m->account : group);
        fault(c, &e);
    }
    signer_clear(&s);
}

static void check_key(struct check *c, const struct account *a, const char *keyid, struct members *members)
{
    struct key_record k;
    struct profile p = {0};
    struct err e;
    int rc = key_get(c->r, keyid, &k, &e);

    if (rc) {
        fault(c, &e);
        return;
    }
    c->records++;
    rc = profile_read(k.profile, strlen(k.profile), &p, &e);
    if (!rc && (strcmp(k.account, a->address) || strcmp(p.account, a->address) || strcmp(p.keyid, keyid) ||
                !jwk_equal(p.key, k.key)))
        rc = err_set(&e, ERR_SYNTAX, "key and profile do not belong together");
    if (!rc && (k.state == KEY_CURRENT) != !strcmp(a->current, keyid))
        rc = err_set(&e, ERR_SYNTAX, "state is %s", key_state_name(k.state));
    if (!rc)
        rc = entry_scan(c->r, keyid, count_entry, members, &e);
    for (size_t i = 0; !rc && i < members->count; i++) {
        struct entry_record en;

        if (!members->list[i].active)
            continue;
        rc = entry_get(c->r, keyid, members->list[i].account, &en, &e);
        if (rc == ERR_ABSENT)
            rc = err_set(&e, ERR_SYNTAX, "%s has no entry", members->list[i].account);
        else if (!rc)
            entry_record_clear(&en);
        c->records++;
    }
    if (rc) {
        err_prefix(&e, "key %s", keyid);
        fault(c, &e);
    }
    profile_clear(&p);
    key_clear(&k);
}

/* A person whose devices are all gone may take a new key without a roster: the one that is kept names the former. */
static int roster_fits(const struct account *a, const struct members *members, const struct roster *ro)
{
    int alone = a->kind == PROFILE_PERSON && !members_present(members);

    return !strcmp(ro->group, a->address) && ro->serial == a->serial && (alone || !strcmp(ro->keyid, a->current));
}

static void check_roster(struct check *c, const struct account *a, const struct members *members)
{
    struct account owner = {0};
    struct signer s = {0};
    struct roster ro = {0};
    struct buf text = BUF_INIT;
    struct err e;
    int rc = roster_get(c->r, a->address, &text, &e);

    rc = rc ? rc : signer_get(c->r, a->signer, &s, &e);
    rc = rc ? rc : roster_read(text.data, text.len, s.key, &ro, &e);
    if (!rc && !roster_fits(a, members, &ro))
        rc = err_set(&e, ERR_SYNTAX, "list, serial or key is not the account's");
    rc = rc ? rc : account_get(c->r, a->owner, &owner, &e);
    if (rc) {
        err_prefix(&e, "roster of %s", a->address);
        fault(c, &e);
    }
    account_clear(&owner);
    roster_clear(&ro);
    signer_clear(&s);
    buf_free(&text);
}

/* A device's own request. */
static void check_admitted(struct check *c, const char *person, const struct member *m)
{
    struct buf text = BUF_INIT;
    struct device d;
    struct err e;
    int rc = device_text_get(c->r, DEVICE_ADMITTED, person, m->account, &text, NULL, &e);

    if (rc == ERR_ABSENT)
        rc = err_set(&e, ERR_SYNTAX, "is not there");
    rc = rc ? rc : device_read(text.data, text.len, &d, &e);
    if (!rc) {
        if (strcmp(d.member, m->account) || strcmp(d.key_udf, m->key_udf))
            rc = err_set(&e, ERR_SYNTAX, "name or key is not that of the member");
        device_clear(&d);
    }
    if (rc) {
        err_prefix(&e, "request of device %s", m->account);
        fault(c, &e);
    }
    buf_free(&text);
}

/* Is the text one of that account's and name's? */
static int read_device_text(const char *account, enum device_text kind, const char *name, const char *text,
                            struct err *e)
{
    struct statement_claim claim;
    struct device d;
    int rc, same;

    if (!text)
        return err_set(e, ERR_SYNTAX, "a record that does not parse");
    if (kind == DEVICE_SHARE) {
        if ((rc = statement_claim(text, strlen(text), &claim, e)))
            return rc;
        same = !strcmp(claim.member, account) && !strcmp(claim.keyid, name);
        statement_claim_clear(&claim);
    } else {
        if ((rc = device_read(text, strlen(text), &d, e)))
            return rc;
        same = !strcmp(d.account, account) && !strcmp(kind == DEVICE_WAITING ? d.key_udf : d.member, name);
        device_clear(&d);
    }
    return same ? 0 : err_set(e, ERR_SYNTAX, "not the one that its name says");
}

static int check_device_text(void *arg, const char *account, enum device_text kind, const char *name, const char *text,
                             struct err *e)
{
    struct check *c = arg;
    struct err why;
    int known = 0;

    (void)e;
    c->records++;
    for (size_t i = 0; !known && i < c->persons.count; i++)
        known = !strcmp(c->persons.list[i], account);
    if (read_device_text(account, kind, name, text, &why) || (!known && err_set(&why, ERR_SYNTAX, "no such person"))) {
        err_prefix(&why, "device record %s of %s", name, account);
        fault(c, &why);
    }
    return 0;
}

static void check_account(struct check *c, const char *address)
{
    struct account a;
    struct members members = {0};
    struct err e;

    if (account_get(c->r, address, &a, &e)) {
        fault(c, &e);
        return;
    }
    if (a.kind == PROFILE_PERSON)
        check_signer(c, a.signer, address, NULL);
    if (members_get(c->r, address, &members, &e))
        fault(c, &e);
    if (a.kind == PROFILE_LIST || a.serial)
        check_roster(c, &a, &members);
    c->records += members.count;
    for (size_t i = 0; i < members.count; i++) {
        const struct member *m = &members.list[i];

        if (!m->active && !*m->parked)
            continue;
        check_signer(c, m->signer, address, m);
        if (a.kind == PROFILE_PERSON)
            check_admitted(c, address, m);
    }
    for (size_t i = 0; i < a.key_count; i++)
        check_key(c, &a, a.keys[i], &members);
    members_clear(&members);
    account_clear(&a);
}

/* Fan-outs: heads and pages alike. */
static int check_job(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct check *c = arg;
    struct json_object *obj = NULL;
    struct err why;

    (void)e;
    c->records++;
    if (records_parse(value, len, &obj, &why)) {
        err_prefix(&why, "job %.*s", (int)(key_len < 32 ? key_len : 32), (const char *)key);
        fault(c, &why);
    }
    json_object_put(obj);
    return 0;
}

int records_check(struct records *r, size_t *records, size_t *faults, struct err *e)
{
    struct check c = {.r = r};
    int rc = records_result(r, keystore_scan(r->ks, KEYSTORE_ACCOUNTS, "", 0, note_account, &c, e));

    rc = rc ? rc : records_result(r, keystore_scan(r->ks, KEYSTORE_JOBS, NULL, 0, check_job, &c, e));
    rc = rc ? rc : devices_check(r, check_device_text, &c, e);
    for (size_t i = 0; !rc && i < c.persons.count; i++)
        check_account(&c, c.persons.list[i]);
    for (size_t i = 0; !rc && i < c.lists.count; i++)
        check_account(&c, c.lists.list[i]);
    forget(&c.persons);
    forget(&c.lists);
    *records = c.records;
    *faults = c.faults;
    if (!rc && c.first)
        rc = err_set(e, c.first, "%zu fault%s in the keystore's records", c.faults, c.faults == 1 ? "" : "s");
    return rc;
}
