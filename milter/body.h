/* body.h - the new body of a message, as runs of octets that stay where they are. */
#ifndef RECRYPT_MILTER_BODY_H
#define RECRYPT_MILTER_BODY_H

#include "common/mailcrypt.h"
#include "mta.h"

struct new_body {
    struct buf made;    /* part 1, or the whole body */
    struct buf type;    /* the new Content-Type; empty when it stays */
    struct span run[3]; /* in order */
    size_t runs;
};

/* The body with m->jwe as it is now. TWO_PART: part 1 is new, the rest is where it was in the body that m was found in,
 * less what stands before and behind the two parts: that was never encrypted. WHOLE: all of it is new. */
int new_body_from(struct mailcrypt *m, struct new_body *out, struct err *e);
/* All of it new. */
int new_body_build(const struct jwe *jwe, const struct buf *ciphertext, struct new_body *out, struct err *e);
int new_body_send(const struct new_body *b, const struct mta *m);
void new_body_clear(struct new_body *b);

#endif
