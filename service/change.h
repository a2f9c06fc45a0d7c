/* change.h - one change of a list's membership: what was asked for, read and verified, then checked, then stored in one
 * transaction. */
#ifndef RECRYPT_CHANGE_H
#define RECRYPT_CHANGE_H

#include "common/statement.h"
#include "records.h"
#include "service.h"

struct change {
    struct service *s;
    struct request *rq;
    struct account list;
    struct members members; /* as stored */
    struct roster stored;   /* the roster in force */
    struct roster roster;   /* the one that came */
    const char *roster_text;
    struct entry *entries;
    size_t entry_count;
    size_t added, removed; /* for the log */
};

/* Reads "Group" and "Roster": the signer owns the list, the roster is hers and of this list, its serial is greater than
 * the stored one (or, with equal, the same). */
int change_open(struct service *s, struct request *rq, int equal, struct change *c, struct err *e);
/* Reads "Entries" under the service's key and the owner's, at most max. Serials in (stored, roster's]. */
int change_entries(struct change *c, size_t max, struct err *e);
void change_clear(struct change *c);

/* Refuses, with ERR_RETRY, a change to a list in quarantine. */
int change_not_quarantined(const struct change *c, struct err *e);
/* A list does not grow past list_max; one that is larger already may shrink. ERR_EXISTS. */
int change_fits(const struct change *c, struct err *e);
/* The roster is for that key and epoch. */
int change_roster_key(const struct change *c, const char *keyid, int64_t epoch, struct err *e);
/* Is that account an active member, as stored? */
const struct member *change_active(const struct change *c, const char *account);
/* The active members are in the roster under the keys they have; except may be missing (NULL = none). */
int change_keeps(const struct change *c, const char *except, struct err *e);
/* Entries for the account: exactly one for each of the n keys, none else, all of one member key (the roster's) and
 * signer, each of its group key's suite. A member who keeps her key keeps her signer. */
int change_covers(const struct change *c, const struct roster_member *m, const char *const *keys, size_t n,
                  struct err *e);
size_t change_entries_of(const struct change *c, const char *account);

/* Inside the transaction. */
int change_store_member(struct change *c, const char *account, struct err *e); /* its entries, member, signer */
int change_revoke(struct change *c, const struct member *m, struct err *e);
/* Account and roster with the new serial; commits, or aborts when rc is an error already. */
int change_finish(struct change *c, int rc, struct err *e);

#endif
