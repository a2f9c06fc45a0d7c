/* list.h - one of the user's own lists as its administrator sees it: what the service has, held against what is kept
 * here. A person's own account is such a list too: its members are her devices. */
#ifndef RECRYPT_LIST_H
#define RECRYPT_LIST_H

#include "common/device.h"
#include "common/statement.h"
#include "person.h"
#include "tool.h"

struct list_key {
    char keyid[KEYID_SIZE];
    char state[16];
    int64_t epoch;
};
struct list_device {
    struct device is;
    int parked;
};
struct list {
    const char *kind; /* "lists", or "persons": the owner's own account with her devices as members */
    char address[ADDRESS_SIZE];
    struct person owner;
    struct web *web;        /* borrowed */
    struct profile profile; /* the service's */
    struct roster roster;   /* the newest that is known: the service's, or with stale the one kept here */
    int64_t service_serial;
    struct list_key *keys;
    size_t key_count;
    struct list_device *devices;
    size_t device_count;
    int quarantine;
    int stale;   /* the service is behind what is kept here: restored from backup */
    int adopted; /* a rekey of an earlier run, whose answer was lost, has turned out to be done */
};
#define list_is_account(l) ((l)->kind[0] == 'p')

/* Opens the home's lock, the owner's account and the list. The service's roster must be signed by the owner. One that
 * is newer than the one kept here is kept (its answer was lost, or another of the owner's machines made it); an older
 * one is ERR_STALE unless allow_stale: it was restored from a backup, and the text names the way out. */
int list_open(struct tool *t, const char *word, int allow_stale, struct list *out, struct err *e);
/* The same for an account of one's own (NULL: the one that acts) and its devices; before the first of them the roster
 * is empty, with serial 0. */
int list_open_account(struct tool *t, const char *account, int allow_stale, struct list *out, struct err *e);
void list_close(struct list *l);

/* What the service says of the account's device of that name, which proves nothing. NULL = none. */
const struct list_device *list_device(const struct list *l, const char *name);
/* The device that is that member: on the roster, under the key that the owner accepted. ERR_ABSENT; ERR_KEY: the
 * service names another key. */
int list_member_device(const struct list *l, const char *member, const struct list_device **out, struct err *e);

/* Private group key by key id. ERR_ABSENT. *under_passphrase may be NULL. */
int list_key_load(struct tool *t, const struct list *l, const char *keyid, struct jwk **out, int *under_passphrase,
                  struct err *e);

/* A change begins: the roster gets a serial above all that exist. Then change its members, then sign. */
void list_next_serial(struct list *l);
/* The roster as it is now, signed by the owner; appended to text. */
int list_sign_roster(struct list *l, struct buf *text, struct err *e);
/* Keeps a roster that the service took. */
int list_keep_roster(struct tool *t, const struct list *l, const struct buf *text, struct err *e);

/* Appends to array the entry of one member for one private group key. */
int list_entry(struct tool *t, const struct list *l, const struct jwk *group_key, int64_t epoch,
               const struct profile *member, struct json_object *array, struct err *e);
/* An entry for each of the members and each key the list ever had: old mail is for them as well. */
int list_entries(struct tool *t, const struct list *l, const struct profile *members, size_t count,
                 struct json_object *array, struct err *e);

/* One signed request: {"<name>":inner, "Roster" in it}; the roster, as it is now, is kept when the service took it.
 * inner is borrowed. reply may be NULL. */
int list_set(struct tool *t, struct list *l, const char *name, struct json_object *inner, struct json_object **reply,
             struct err *e);

/* Changes, each one or more requests (list-change.c). */

/* Puts the members (profiles that were accepted) on the list. They are printed as they are added, so many at a time;
 * devices are not, nor when one is taken off. */
int list_add(struct tool *t, struct list *l, const struct profile *members, size_t count, struct err *e);
/* Takes one off. ERR_ABSENT. */
int list_delete(struct tool *t, struct list *l, const char *account, struct err *e);
/* Tells a service that was restored from a backup that the newest roster is the true one. */
int list_confirm(struct tool *t, struct list *l, struct err *e);

/* Gives the list a new key with an entry for every member that the roster (already with its next serial) has. retire:
 * the old key's mail is refused from then on. The private key is on disk before anything is sent; one that an
 * interrupted run made is used again. */
int list_rekey(struct tool *t, struct list *l, int retire, struct err *e);

/* A list's or person's profile that is registered or about to be: "profile.jws", "next.jws" below kind/address.
 * ERR_ABSENT. */
int list_profile_load(const struct home *h, const char *kind, const char *address, const char *file, struct buf *text,
                      struct profile *out, struct err *e);
/* next.jws; ERR_ABSENT also when the private key that goes with it was never saved. */
int list_profile_pending(const struct home *h, const char *kind, const char *address, struct buf *text,
                         struct profile *out, struct err *e);
/* A profile under a new private key of that suite, for p's account, owner and epoch: signs it, writes next.jws and then
 * the key's file, so that whatever happens no key lies there that no profile names. On success p is as read from the
 * text, its key public. */
int list_profile_new(const struct home *h, const char *kind, const char *suite, const struct jwk *signer,
                     const struct buf *pass, struct profile *p, struct buf *text, struct err *e);
/* The service took it: becomes profile.jws, is pinned, and next.jws goes away. */
int list_profile_done(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e);
/* About to be sent: becomes next.jws, on disk when this returns 0. */
int list_profile_next(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e);

/* Adds {"<name>":text} as JSON string. For bodies of requests. 0 or ERR_SYSTEM. */
int list_set_text(struct json_object *obj, const char *name, const struct buf *text, struct err *e);

#endif
