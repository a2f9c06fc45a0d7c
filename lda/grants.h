/* grants.h - what one recipient may find in part 1 of an encrypted message: her own part with her own grants, and
 * nobody else's. */
#ifndef RECRYPT_LDA_GRANTS_H
#define RECRYPT_LDA_GRANTS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"
#include "common/rclient.h"

enum grants_kind {
    GRANTS_PLAIN,    /* not encrypted in our form */
    GRANTS_BROKEN,   /* says that it is, and cannot be read: the text says why */
    GRANTS_ENCRYPTED
};

/* Which grants of this service's keys a message has when it is delivered. */
enum grants_mode {
    GRANTS_ON_FETCH, /* none: they are made when it is read, for whoever may read it then */
    GRANTS_EMBED     /* the recipient's, for who may read it now */
};

/* Looks at msg for account. For each of its JWE recipients:
 * - a key that this service serves: none; with GRANTS_EMBED of a list's key account's own grant with its dk and no
 *   other, of account's own key one for each of her devices;
 * - a key of another service's: left as it is;
 * - no group key at all: none.
 * JWE recipients that are other persons of this service are taken out, unless all are such.
 * account NULL (the archive): no grant of any recipient stays.
 * out stays empty when msg is right as it is; otherwise it gets the whole message, with msg's line ends, of which
 * nothing but part 1 differs (a whole-JWE message becomes the two-part form). 0; ERR_RETRY, ERR_SYSTEM: nothing may be
 * delivered now. */
int grants_apply(struct frame_client *c, const char *account, enum grants_mode mode, struct span msg,
                 enum grants_kind *kind, struct buf *out, struct err *e);

#endif
