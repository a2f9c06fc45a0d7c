/* entry-world.h - a list with one member, bob: his entry as the service has it, his share; and messages to the list. */
#ifndef RECRYPT_TEST_ENTRY_WORLD_H
#define RECRYPT_TEST_ENTRY_WORLD_H

#include "common/statement.h"
#include "statements.h"

struct world {
    struct jwk *group, *owner, *service, *bob, *bob_signer, *carol;
    struct profile bob_profile, carol_profile;
    struct buf entry; /* bob's, in transit */
    struct entry en;
    struct share share;
};

void setup(struct world *w, const char *group_suite, const char *member_suite);
void teardown(struct world *w);
/* account's, of key k. */
void make_profile(const char *account, struct jwk *k, const struct jwk *signer, struct profile *out);
/* What the service does for one message and one entry. */
void make_grant(const struct entry *en, const struct jwe *j, struct grant *out);
/* A message; what opens says of it, which must be this message when it is 0. */
void encrypt(const struct jwk *to, const char *enc, struct jwe **j, struct buf *ciphertext);
int opens(const struct share *s, const struct grant *g, const struct jwe *j, const struct buf *ciphertext);
/* The payload of bob's statement; the caller's to put. */
struct json_object *payload(const struct world *w);

#endif
