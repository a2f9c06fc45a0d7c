/* change.h - one change of a group's membership: what was asked for, read and verified, then checked, then stored in
 * one transaction. A group is a list, or a person's account, whose members are her devices. */
#ifndef RECRYPT_CHANGE_H
#define RECRYPT_CHANGE_H

#include "common/statement.h"
#include "records.h"
#include "service.h"

struct holder {
    char signer[JWK_UDF_SIZE];
    const char *account; /* in members or entries */
};

struct change {
    struct service *s;
    struct request *rq;
    const struct jwk *owner; /* her signature key */
    struct account list;     /* or person */
    struct members members; /* as stored */
    struct roster stored;   /* the roster in force */
    struct roster roster;   /* the one that came */
    const char *roster_text;
    struct entry *entries;
    size_t entry_count;
    struct holder *holders; /* of signature keys: who is a member, or is to be, sorted by key */
    size_t holder_count;
    size_t added, removed; /* for the log */
};

/* Reads "Group" and "Roster": the signer owns the group, the roster is hers and of this group, its serial is greater
 * than the stored one (or, with equal, the same). A person who never had a device has an empty one of serial 0. */
int change_open(struct service *s, struct request *rq, int equal, struct change *c, struct err *e);
/* Reads "Entries" under the service's key and the owner's, at most max. Serials in (stored, roster's]. */
int change_entries(struct change *c, size_t max, struct err *e);
/* The same for n texts that came otherwise, with serials from low to high. Then in the order in which the others look
 * for them. */
int change_read_entries(struct change *c, const char *const *texts, size_t n, int64_t low, int64_t high, struct err *e);
void change_clear(struct change *c);

/* Refuses, with ERR_RETRY, a change to a group in quarantine. */
int change_not_quarantined(const struct change *c, struct err *e);
/* A list does not grow past list_max, a person's devices not past devices_max; what is larger already may shrink.
 * ERR_EXISTS. */
int change_fits(const struct change *c, struct err *e);
/* The roster is for that key and epoch. */
int change_roster_key(const struct change *c, const char *keyid, int64_t epoch, struct err *e);
/* Is that account an active member, as stored? */
const struct member *change_active(const struct change *c, const char *account);
/* Is it one that is parked? ERR_EXISTS: by unparking only it becomes active. */
int change_not_parked(const struct change *c, const char *account, struct err *e);
/* Is the stored member, active or parked, the one of the roster? One with another key is not; nor a device whose state
 * the roster knows to have changed since (the store was restored). */
int change_same(const struct change *c, const struct member *m);
/* The active and parked members are in the roster under the keys they have; except may be missing (NULL = none). */
int change_keeps(const struct change *c, const char *except, struct err *e);
/* Nobody comes in by the roster, as by that of a removal. */
int change_nobody_new(const struct change *c, struct err *e);
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
