/* cache.h - the decoded entries of lists in use, so that an expansion is one key agreement a member. Bounded, least
 * recently used out first; whoever changes a list drops it. */
#ifndef RECRYPT_CACHE_H
#define RECRYPT_CACHE_H

#include <stddef.h>

#include "records.h"

struct hot_entry {
    char *member;
    struct suite_key *r;
    unsigned char tagkey[32];
};
struct hot_key {
    char keyid[KEYID_SIZE];
    struct key_record key;
    struct account account;
    struct hot_entry *entries; /* the active ones */
    size_t count;
    int many;             /* more than the limit: none is kept */
    struct hot_key *next; /* cache's own */
};

struct cache;
/* max_entries: of all keys together; the key asked for last always stays. limit: of one key; the entries of one that
 * has more are not kept, nor all read. */
int cache_new(size_t max_entries, size_t limit, struct cache **out, struct err *e);
void cache_resize(struct cache *c, size_t max_entries, size_t limit);
/* *out is valid until the next call on the cache. ERR_ABSENT: no such key. */
int cache_get(struct cache *c, struct records *r, const char *keyid, const struct hot_key **out, struct err *e);
/* Everything of that account. */
void cache_drop(struct cache *c, const char *account);
void cache_free(struct cache **c);

#endif
