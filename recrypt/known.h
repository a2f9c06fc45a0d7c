/* known.h - profiles that were accepted: the first one of an address pins its signer (trust on first use). */
#ifndef RECRYPT_KNOWN_H
#define RECRYPT_KNOWN_H

#include "common/statement.h"
#include "home.h"
#include "services.h"

/* What is pinned for the account. ERR_ABSENT. */
int known_load(const struct home *h, const char *account, struct profile *out, struct err *e);

/* Reads and judges a profile for account (canonical): self-consistent, for this very account, and against the pinned
 * one: another signer ERR_KEY, an older epoch ERR_STALE, another key under the same epoch ERR_KEY; each text says why
 * that matters and how to go on. accept_new takes it all the same. Pins what passed. */
int known_accept(const struct home *h, const char *account, const struct buf *text, int accept_new, struct profile *out,
                 struct err *e);

/* As known_accept for a key that need not be the newest: keyid must be the profile's and the signer the pinned one;
 * nothing is pinned. */
int known_accept_older(const struct home *h, const char *keyid, const struct buf *text, struct profile *out,
                       struct err *e);

enum { KNOWN_ACCEPT_NEW = 1, KNOWN_OFFLINE = 2 };
/* The profile of an account or key id, asked of its domain's service and judged as above; with KNOWN_OFFLINE what is
 * pinned (ERR_ABSENT). state as in services_get_key, "" when offline; may be NULL. */
int known_fetch(const struct home *h, struct services *s, const char *account_or_keyid, int flags, struct profile *out,
                char state[16], struct err *e);

#endif
