/* person.h - one of the user's own accounts: her signature key, her encryption keys, her registered profile. */
#ifndef RECRYPT_PERSON_H
#define RECRYPT_PERSON_H

#include "common/jwk.h"
#include "common/statement.h"
#include "home.h"

struct person {
    char account[ADDRESS_SIZE];
    struct jwk *sign;       /* private */
    int under_passphrase;   /* the signature key's file is */
    struct profile profile; /* as registered */
};

/* Opens an account of this home; account is canonical (home_account). ERR_ABSENT: no such account here, or it was never
 * registered; the text says which command does it. */
int person_open(struct home *h, const char *account, struct person *out, struct err *e);
void person_close(struct person *p);

/* Is there such an account here? Perhaps only begun; registered = with a profile that its service took. */
int person_exists(const struct home *h, const char *account);
int person_registered(const struct home *h, const char *account);

/* One of the account's private encryption keys, by its UDF; kind "persons", or "devices" for the key that this device
 * has for it. ERR_ABSENT. */
int person_key(struct home *h, const char *kind, const char *account, const char *udf, struct jwk **out, struct err *e);

/* Calls back with the UDF of each encryption key of the account. */
int person_each_key(struct home *h, const char *kind, const char *account, home_visit *visit, void *arg, struct err *e);

/* Makes a private key of that type and names it (kid: the strong name for account, or the UDF for a signature key). */
int person_make_key(const char *account, const char *type, struct jwk **out, struct err *e);
/* Writes its file: persons/, lists/ or devices/ (kind), ACCOUNT/UDF.jwk or ACCOUNT/sign.jwk. On disk when this returns
 * 0. */
int person_save_key(const struct home *h, const char *kind, const char *account, const struct jwk *key,
                    const struct buf *pass, struct err *e);

#endif
