/* shares.h - a member's shares of group keys, kept after the first grant that brought one. */
#ifndef RECRYPT_SHARES_H
#define RECRYPT_SHARES_H

#include "common/statement.h"
#include "home.h"

/* The share of keyid that member keeps here. ERR_ABSENT. */
int shares_load(struct home *h, const char *keyid, const char *member, struct share *out, struct err *e);

/* Keeps it; under the passphrase when the member's keys are. An older one is replaced. */
int shares_keep(struct home *h, const struct share *s, struct err *e);

#endif
