/* opener-private.h - what opener.c and opener-device.c have in common. */
#ifndef RECRYPT_OPENER_PRIVATE_H
#define RECRYPT_OPENER_PRIVATE_H

#include "devices.h"
#include "opener.h"
#include "person.h"

/* What is here comes before what others have to be asked for: a message to several must open although a service of one
 * of them is away. */
enum phase { PHASE_KEYS, PHASE_SHARES, PHASE_ASK, PHASES };

/* A member of a group that one of this machine's keys reads for: a person of a list, or this device of its person. */
struct reader {
    const char *member;
    const struct jwk *sign;
    const struct own_device *device; /* NULL: the person herself */
};

struct search {
    struct tool *t;
    enum phase phase;
    const struct jwe *j;
    const struct opener *how;
    size_t i; /* the recipient that is looked at */
    struct jwe_recipient to;
    char account[ADDRESS_SIZE], udf[64]; /* of its kid */
    int damaged, denied, denied_device;
    struct err away;    /* code 0, or the first failure that is another's and may pass */
    struct err *e;
};

/* Attempts: 1 = opened (or: there it is), 0 = go on, negative = stop. */

/* The result of a function that opens something as the result of an attempt. */
int search_outcome(struct search *s, int r);
/* With the share: what was granted, with the value that came along or the ones in the message that have its tag. */
int search_with_share(struct search *s, const struct share *share, const struct granted *g);
/* The public signature key of a group's owner: what is pinned, else asked for. */
int search_owner(struct search *s, const char *group, struct jwk **out);
/* Is that the share by which the grant was made? */
int search_fits(const struct share *share, const struct grant *g, const struct jwe_recipient *to);
/* The reader's share of the key that to names, of account's: the one that the grant brings; it is kept. 1 = there it
 * is, 0 = none for this reader. */
int search_share(struct search *s, const struct reader *reader, const char *account, const struct jwe_recipient *to,
                 const struct grant *g, struct share *out);
/* Asks the service of at's domain for a grant for to: 1 = granted, 0 = refused. */
int search_ask(struct search *s, const struct reader *reader, const char *at, const struct jwe_recipient *to,
               const char *udf, struct granted *out);

/* A message to a list that the device's person is, perhaps, a member of. */
int search_chain(struct search *s, const struct reader *reader);

#endif
