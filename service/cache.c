#include "cache.h"

#include <stdlib.h>
#include <string.h>

struct cache {
    size_t max, entries, limit;
    struct hot_key *first; /* most recently used */
};

/* A key without members still takes room. */
static size_t weight(const struct hot_key *k)
{
    return k->count + 1;
}

static void free_entries(struct hot_key *k)
{
    for (size_t i = 0; i < k->count; i++) {
        free(k->entries[i].member);
        suite_key_free(&k->entries[i].r);
        secret_wipe(k->entries[i].tagkey, sizeof k->entries[i].tagkey);
    }
    free(k->entries);
    k->entries = NULL;
    k->count = 0;
}

static void free_key(struct hot_key *k)
{
    free_entries(k);
    key_clear(&k->key);
    account_clear(&k->account);
    free(k);
}

int cache_new(size_t max_entries, size_t limit, struct cache **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_errno(e, "cache");
    (*out)->max = max_entries;
    (*out)->limit = limit;
    return 0;
}

static void shrink(struct cache *c)
{
    size_t kept = 0;
    struct hot_key **at = &c->first;

    while (*at) {
        struct hot_key *k = *at;

        if (k != c->first && kept + weight(k) > c->max) {
            *at = k->next;
            c->entries -= weight(k);
            free_key(k);
            continue;
        }
        kept += weight(k);
        at = &k->next;
    }
}

void cache_resize(struct cache *c, size_t max_entries, size_t limit)
{
    if (c->limit != limit)
        while (c->first) {
            struct hot_key *k = c->first;

            c->first = k->next;
            c->entries -= weight(k);
            free_key(k);
        }
    c->limit = limit;
    c->max = max_entries;
    shrink(c);
}

enum { TOO_MANY = 1 };

struct filling {
    struct hot_key *k;
    size_t limit;
};

/* Not realloc: it would leave the tag keys behind unwiped. */
static int grow(struct hot_key *k)
{
    struct hot_entry *more = reallocarray(NULL, k->count ? 2 * k->count : 1, sizeof *more);

    if (!more)
        return ERR_SYSTEM;
    if (k->count)
        memcpy(more, k->entries, k->count * sizeof *more);
    secret_free(k->entries, k->count * sizeof *more);
    k->entries = more;
    return 0;
}

static int take_entry(void *arg, struct entry_record *en, struct err *e)
{
    const struct filling *f = arg;
    struct hot_key *k = f->k;
    struct hot_entry *to;

    if (!en->active)
        return 0;
    if (k->count >= f->limit)
        return TOO_MANY;
    if ((k->count & (k->count - 1)) == 0 && grow(k)) /* room runs out at powers of two */
        return err_errno(e, "cache");
    to = &k->entries[k->count];
    memset(to, 0, sizeof *to);
    to->member = strdup(en->member);
    if (!to->member)
        return err_errno(e, "cache");
    memcpy(to->tagkey, en->tagkey, sizeof to->tagkey);
    to->r = en->r;
    en->r = NULL;
    k->count++;
    return 0;
}

static int load(struct records *r, const char *keyid, size_t limit, struct hot_key **out, struct err *e)
{
    struct hot_key *k = calloc(1, sizeof *k);
    struct filling f = {k, limit};
    int rc;

    *out = NULL;
    if (!k)
        return err_errno(e, "cache");
    strncpy(k->keyid, keyid, sizeof k->keyid - 1);
    rc = key_get(r, keyid, &k->key, e);
    rc = rc ? rc : account_get(r, k->key.account, &k->account, e);
    if (!rc && k->account.kind == PROFILE_LIST)
        rc = entry_scan(r, keyid, take_entry, &f, e);
    if (rc == TOO_MANY) {
        free_entries(k);
        k->many = 1;
        rc = 0;
    }
    if (rc) {
        free_key(k);
        return rc;
    }
    *out = k;
    return 0;
}

int cache_get(struct cache *c, struct records *r, const char *keyid, const struct hot_key **out, struct err *e)
{
    struct hot_key *k = NULL;
    int rc;

    *out = NULL;
    if (strlen(keyid) >= KEYID_SIZE)
        return err_set(e, ERR_ABSENT, "no such key");
    for (struct hot_key **at = &c->first; *at; at = &(*at)->next)
        if (!strcmp((*at)->keyid, keyid)) {
            k = *at;
            *at = k->next;
            break;
        }
    if (!k) {
        rc = load(r, keyid, c->limit, &k, e);
        if (rc)
            return rc;
        c->entries += weight(k);
    }
    k->next = c->first;
    c->first = k;
    if (c->entries > c->max)
        shrink(c);
    *out = k;
    return 0;
}

void cache_drop(struct cache *c, const char *account)
{
    for (struct hot_key **at = &c->first; *at;) {
        struct hot_key *k = *at;

        if (strcmp(k->account.address, account)) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        c->entries -= weight(k);
        free_key(k);
    }
}

void cache_free(struct cache **c)
{
    if (!*c)
        return;
    while ((*c)->first) {
        struct hot_key *k = (*c)->first;

        (*c)->first = k->next;
        free_key(k);
    }
    free(*c);
    *c = NULL;
}
