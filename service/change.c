#include "change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sjson.h"
#include "devices.h"

static int read_stored(struct change *c, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = roster_get(&c->s->records, c->list.address, &text, e);

    if (rc == ERR_ABSENT && c->list.kind == PROFILE_PERSON && !c->list.serial)
        rc = 0;
    else
        rc = rc ? rc : roster_read(text.data, text.len, c->owner, &c->stored, e);
    buf_free(&text);
    return rc;
}

int change_open(struct service *s, struct request *rq, int equal, struct change *c, struct err *e)
{
    int rc;

    memset(c, 0, sizeof *c);
    c->s = s;
    c->rq = rq;
    c->owner = rq->caller->record ? rq->caller->record->key : NULL;
    rc = request_owned_group(s, rq, &c->list, e);
    rc = rc ? rc : sjson_string(rq->body, "Roster", &c->roster_text, e);
    rc = rc ? rc : roster_read(c->roster_text, strlen(c->roster_text), c->owner, &c->roster, e);
    rc = rc ? rc : read_stored(c, e);
    rc = rc ? rc : members_get(&s->records, c->list.address, &c->members, e);
    if (!rc && strcmp(c->roster.group, c->list.address))
        rc = err_set(e, ERR_SYNTAX, "the roster is that of %s", c->roster.group);
    if (!rc && (equal ? c->roster.serial < c->list.serial : c->roster.serial <= c->list.serial))
        rc = err_set(e, ERR_STALE, "serial %lld is not newer than %lld", (long long)c->roster.serial,
                     (long long)c->list.serial);
    if (!c->list.serial) /* the first device: nothing of before could come back */
        memcpy(c->list.confirmed, s->records.restored, sizeof c->list.confirmed);
    return rc;
}

static int by_member(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->member, ((const struct entry *)b)->member);
}

/* A member's entries lie side by side: the first one's index, and one past the last. */
static size_t entries_of(const struct change *c, const char *account, size_t *end)
{
    size_t low = 0, high = c->entry_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(c->entries[mid].member, account) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *end = low;
    while (*end < c->entry_count && !strcmp(c->entries[*end].member, account))
        (*end)++;
    return low;
}

static int by_signer(const void *a, const void *b)
{
    return strcmp(((const struct holder *)a)->signer, ((const struct holder *)b)->signer);
}

/* Once for all members: looked for one by one, ten thousand would be compared with ten thousand. */
static int gather_holders(struct change *c, struct err *e)
{
    c->holders = calloc(c->members.count + c->entry_count + 1, sizeof *c->holders);
    if (!c->holders)
        return err_errno(e, "entries");
    for (size_t i = 0; i < c->members.count; i++) {
        const struct member *m = &c->members.list[i];

        if ((!m->active && !*m->parked) || !roster_find(&c->roster, m->account))
            continue;
        memcpy(c->holders[c->holder_count].signer, m->signer, sizeof m->signer);
        c->holders[c->holder_count++].account = m->account;
    }
    for (size_t i = 0; i < c->entry_count; i++) {
        if (jwk_udf(c->entries[i].member_signer, c->holders[c->holder_count].signer))
            return err_set(e, ERR_SYSTEM, "fingerprint of a signature key");
        c->holders[c->holder_count++].account = c->entries[i].member;
    }
    qsort(c->holders, c->holder_count, sizeof *c->holders, by_signer);
    return 0;
}

int change_read_entries(struct change *c, const char *const *texts, size_t n, int64_t low, int64_t high, struct err *e)
{
    int rc;

    c->entries = calloc(n ? n : 1, sizeof *c->entries);
    if (!c->entries)
        return err_errno(e, "entries");
    for (size_t i = 0; i < n; i++) {
        struct entry *en = &c->entries[i];

        rc = entry_read(texts[i], strlen(texts[i]), c->s->keys->key, c->owner, en, e);
        if (rc)
            return err_prefix(e, "entry %zu", i + 1);
        c->entry_count++;
        if (en->serial < low || en->serial > high)
            return err_set(e, ERR_STALE, "entry %zu: serial %lld is not that of the roster", i + 1,
                           (long long)en->serial);
        if (!roster_find(&c->roster, en->member))
            return err_set(e, ERR_SYNTAX, "entry %zu: %s is not in the roster", i + 1, en->member);
    }
    qsort(c->entries, c->entry_count, sizeof *c->entries, by_member);
    return gather_holders(c, e);
}

int change_entries(struct change *c, size_t max, struct err *e)
{
    struct json_object *list;
    const char **texts;
    size_t n;
    int rc = sjson_array(c->rq->body, "Entries", &list, e);

    if (rc)
        return rc;
    n = json_object_array_length(list);
    if (n > max)
        return err_set(e, ERR_LIMIT, "Entries: %zu are more than the %zu that the roster needs", n, max);
    texts = calloc(n ? n : 1, sizeof *texts);
    if (!texts)
        return err_errno(e, "entries");
    for (size_t i = 0; !rc && i < n; i++) {
        struct json_object *text = json_object_array_get_idx(list, i);

        texts[i] = json_object_get_string(text);
        if (!json_object_is_type(text, json_type_string))
            rc = err_set(e, ERR_SYNTAX, "Entries: not text");
    }
    rc = rc ? rc : change_read_entries(c, texts, n, c->list.serial + 1, c->roster.serial, e);
    free(texts);
    return rc;
}

void change_clear(struct change *c)
{
    for (size_t i = 0; i < c->entry_count; i++)
        entry_clear(&c->entries[i]);
    free(c->entries);
    free(c->holders);
    c->entries = NULL;
    c->holders = NULL;
    c->entry_count = c->holder_count = 0;
    members_clear(&c->members);
    roster_clear(&c->stored);
    roster_clear(&c->roster);
    account_clear(&c->list);
}

int change_not_quarantined(const struct change *c, struct err *e)
{
    if (!account_quarantined(&c->s->records, &c->list))
        return 0;
    return err_set(e, ERR_RETRY, "%s is in quarantine after a restore: confirm its roster (recrypt %s --confirm)",
                   c->list.address, c->list.kind == PROFILE_PERSON ? "device list" : "members");
}

int change_fits(const struct change *c, struct err *e)
{
    int person = c->list.kind == PROFILE_PERSON;
    size_t max = person ? c->s->settings->devices_max : c->s->settings->list_max;

    if (c->roster.count <= max || c->roster.count <= members_present(&c->members))
        return 0;
    if (person)
        return err_set(e, ERR_EXISTS, "this service takes at most %zu devices of a person (devices_max)", max);
    return err_set(e, ERR_EXISTS, "this service takes at most %zu members in a list (list_max)", max);
}

int change_roster_key(const struct change *c, const char *keyid, int64_t epoch, struct err *e)
{
    if (!strcmp(c->roster.keyid, keyid) && c->roster.epoch == epoch)
        return 0;
    return err_set(e, ERR_EXISTS, "the roster is for key %s, epoch %lld; here it would be %s, epoch %lld",
                   c->roster.keyid, (long long)c->roster.epoch, keyid, (long long)epoch);
}

const struct member *change_active(const struct change *c, const char *account)
{
    const struct member *m = members_find(&c->members, account);

    return m && m->active ? m : NULL;
}

int change_not_parked(const struct change *c, const char *account, struct err *e)
{
    const struct member *m = members_find(&c->members, account);

    return m && *m->parked ? err_set(e, ERR_EXISTS, "%s is parked: unpark or remove it", account) : 0;
}

int change_same(const struct change *c, const struct member *m)
{
    const struct roster_member *in = roster_find(&c->roster, m->account);

    return in && !strcmp(in->key_udf, m->key_udf) && (c->list.kind == PROFILE_LIST || in->since <= m->serial);
}

int change_keeps(const struct change *c, const char *except, struct err *e)
{
    for (size_t i = 0; i < c->members.count; i++) {
        const struct member *m = &c->members.list[i];
        const struct roster_member *in = roster_find(&c->roster, m->account);

        if ((!m->active && !*m->parked) || (except && !strcmp(m->account, except)))
            continue;
        if (!in)
            return err_set(e, ERR_SYNTAX, "%s is missing from the roster", m->account);
        if (strcmp(in->key_udf, m->key_udf))
            return err_set(e, ERR_SYNTAX, "%s has another key in the roster: remove and add again", m->account);
    }
    return 0;
}

int change_nobody_new(const struct change *c, struct err *e)
{
    for (size_t i = 0; i < c->roster.count; i++) {
        const char *account = c->roster.members[i].account;

        if (!change_active(c, account) && !roster_find(&c->stored, account))
            return err_set(e, ERR_SYNTAX, "%s is in the roster and no member", account);
    }
    return 0;
}

size_t change_entries_of(const struct change *c, const char *account)
{
    size_t end, first = entries_of(c, account, &end);

    return end - first;
}

/* Somebody who is registered here is who her registration says; a device is one that asked. */
static int check_identity(const struct change *c, const struct entry *en, const char *signer, struct err *e)
{
    struct account a;
    int rc;

    if (c->list.kind == PROFILE_PERSON) {
        rc = device_find(&c->s->records, c->list.address, en->member, en->key_udf, en->member_signer, e);
        return rc == ERR_ABSENT ? err_set(e, ERR_SYNTAX, "%s has not asked with these keys", en->member) : rc;
    }
    rc = account_get(&c->s->records, en->member, &a, e);
    if (rc == ERR_ABSENT) {
        if (!settings_serves(c->s->settings, en->member))
            return 0;
        return err_set(e, ERR_SYNTAX, "%s is not registered here", en->member);
    }
    if (rc)
        return rc;
    if (a.kind != PROFILE_PERSON)
        rc = err_set(e, ERR_SYNTAX, "%s is a list: lists are not members", en->member);
    else if (strcmp(a.signer, signer))
        rc = err_set(e, ERR_SYNTAX, "%s has another signature key here: fetch her profile anew", en->member);
    account_clear(&a);
    return rc;
}

static int check_suite(const struct change *c, const struct entry *en, struct err *e)
{
    struct key_record k;
    const struct suite *suite;
    int rc = key_get(&c->s->records, en->keyid, &k, e);

    if (rc)
        return rc;
    suite = jwk_suite(k.key);
    key_clear(&k);
    return suite == suite_key_suite(en->r) ? 0
                                           : err_set(e, ERR_SYNTAX, "entry of %s: not of the key's suite", en->member);
}

/* One signature key stands for one member of a group, and a device's is not the person's own: who it speaks for is not
 * left to chance, and a list takes one place, not many, among those that the key is in. */
static int check_single(const struct change *c, const struct entry *en, const char *signer, struct err *e)
{
    struct holder key = {{0}, NULL};
    const struct holder *h, *end = c->holders + c->holder_count;
    int same = c->list.kind == PROFILE_PERSON && !strcmp(c->list.signer, signer);

    memcpy(key.signer, signer, strlen(signer) + 1);
    h = bsearch(&key, c->holders, c->holder_count, sizeof *h, by_signer);
    while (h && h > c->holders && !strcmp(h[-1].signer, signer))
        h--;
    for (; h && !same && h < end && !strcmp(h->signer, signer); h++)
        same = strcmp(h->account, en->member) != 0;
    return same ? err_set(e, ERR_SYNTAX, "%s: another member has the same signature key", en->member) : 0;
}

int change_covers(const struct change *c, const struct roster_member *m, const char *const *keys, size_t n,
                  struct err *e)
{
    const struct member *stored = change_active(c, m->account);
    char first[JWK_UDF_SIZE] = "", signer[JWK_UDF_SIZE];
    size_t found = 0, end, begin = entries_of(c, m->account, &end);
    int rc = 0;

    for (size_t i = begin; !rc && i < end; i++) {
        const struct entry *en = &c->entries[i];
        size_t k = 0;

        while (k < n && strcmp(keys[k], en->keyid))
            k++;
        if (k == n)
            return err_set(e, ERR_SYNTAX, "entry of %s for %s: not asked for", m->account, en->keyid);
        for (size_t j = begin; j < i; j++)
            if (!strcmp(c->entries[j].keyid, en->keyid))
                return err_set(e, ERR_SYNTAX, "two entries of %s for %s", m->account, en->keyid);
        if (strcmp(en->key_udf, m->key_udf))
            return err_set(e, ERR_SYNTAX, "entry of %s: not for the key that the roster names", m->account);
        rc = jwk_udf(en->member_signer, signer);
        if (!rc && *first && strcmp(first, signer))
            rc = err_set(e, ERR_SYNTAX, "entries of %s: two signature keys", m->account);
        /* The former signer would go on asking in her name. */
        if (!rc && stored && !strcmp(stored->key_udf, m->key_udf) && strcmp(stored->signer, signer))
            rc = err_set(e, ERR_SYNTAX, "%s has another signature key on this list: remove and add again", m->account);
        rc = rc || *first ? rc : check_identity(c, en, signer, e);
        rc = rc || *first ? rc : check_single(c, en, signer, e);
        rc = rc ? rc : check_suite(c, en, e);
        memcpy(first, signer, sizeof first);
        found++;
    }
    if (!rc && found != n)
        rc = err_set(e, ERR_SYNTAX, "%s: %zu entries, %zu keys need one each", m->account, found, n);
    return rc;
}

static int store_entry(struct change *c, const struct entry *en, const char *signer, struct err *e)
{
    struct entry_record r = {.active = 1, .serial = en->serial, .epoch = en->epoch, .issued = en->issued};
    int rc;

    memcpy(r.member, en->member, sizeof r.member);
    memcpy(r.key_udf, en->key_udf, sizeof r.key_udf);
    memcpy(r.signer, signer, sizeof r.signer);
    memcpy(r.tagkey, en->tagkey, sizeof r.tagkey);
    /* Both stay the entry's: only lent for writing. */
    r.r = en->r;
    r.statement = en->statement;
    rc = entry_put(&c->s->records, en->keyid, &r, e);
    secret_wipe(r.tagkey, sizeof r.tagkey);
    return rc;
}

static int store_signer(struct change *c, const struct entry *en, const char *udf, struct err *e)
{
    struct signer sg = {0};
    int rc = signer_get(&c->s->records, udf, &sg, e);

    if (rc == ERR_ABSENT)
        /* Without the name that the owner gave it: the key is not hers alone to describe. */
        rc = jwk_public_copy(en->member_signer, &sg.key, e) || jwk_set_kid(sg.key, NULL) ? err_errno(e, "signer") : 0;
    rc = rc ? rc : signer_join(&sg, c->list.address, en->member, en->key_udf, e);
    rc = rc ? rc : signer_put(&c->s->records, udf, &sg, e);
    signer_clear(&sg);
    return rc;
}

int change_store_member(struct change *c, const char *account, struct err *e)
{
    struct member m = {.active = 1, .serial = c->roster.serial};
    const struct entry *last = NULL;
    char signer[JWK_UDF_SIZE];
    size_t end, begin = entries_of(c, account, &end);
    int rc = 0;

    for (size_t i = begin; !rc && i < end; i++) {
        last = &c->entries[i];
        rc = jwk_udf(last->member_signer, signer);
        rc = rc ? rc : store_entry(c, last, signer, e);
    }
    if (rc || !last)
        return rc;
    memcpy(m.account, last->member, sizeof m.account);
    memcpy(m.key_udf, last->key_udf, sizeof m.key_udf);
    memcpy(m.signer, signer, sizeof m.signer);
    rc = member_put(&c->s->records, c->list.address, &m, e);
    rc = rc ? rc : store_signer(c, last, signer, e);
    if (!rc && c->list.kind == PROFILE_PERSON)
        rc = device_admit(&c->s->records, c->list.address, m.account, m.key_udf, e);
    return rc;
}

int change_revoke(struct change *c, const struct member *m, struct err *e)
{
    const struct roster_member *in;
    struct member gone = *m;
    struct signer sg = {0};
    int rc = 0;

    for (size_t i = 0; !rc && i < c->list.key_count; i++) {
        rc = entry_revoke(&c->s->records, c->list.keys[i], m->account, c->roster.serial, e);
        rc = rc == ERR_ABSENT ? 0 : rc;
    }
    gone.active = 0;
    *gone.parked = '\0';
    gone.serial = c->roster.serial;
    rc = rc ? rc : member_put(&c->s->records, c->list.address, &gone, e);
    if (!rc) {
        rc = signer_get(&c->s->records, m->signer, &sg, e);
        if (!rc) {
            signer_leave(&sg, c->list.address, m->account);
            rc = signer_put(&c->s->records, m->signer, &sg, e);
        }
        rc = rc == ERR_ABSENT ? 0 : rc;
    }
    signer_clear(&sg);
    /* One that the roster still names may be let in again (Set Roster told that it is missing). */
    if (!rc && c->list.kind == PROFILE_PERSON &&
        (!(in = roster_find(&c->roster, m->account)) || strcmp(in->key_udf, m->key_udf)))
        rc = device_forget(&c->s->records, c->list.address, m->account, e);
    c->removed += !rc;
    return rc;
}

int change_finish(struct change *c, int rc, struct err *e)
{
    struct records *r = &c->s->records;

    c->list.serial = c->roster.serial;
    rc = rc ? rc : roster_put(r, c->list.address, c->roster_text, e);
    rc = rc ? rc : account_put(r, &c->list, e);
    if (rc) {
        records_abort(r);
        return rc;
    }
    service_changed(c->s, c->list.address);
    rc = records_commit(r, e);
    if (!rc)
        log_info("%s %s: serial %lld, %zu added, %zu removed", c->list.kind == PROFILE_PERSON ? "devices of" : "list",
                 c->list.address, (long long)c->list.serial, c->added, c->removed);
    return rc;
}
