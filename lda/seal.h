/* seal.h - mail in the clear for a person who wants hers encrypted: what recrypt-milter does at the door, for mail that
 * came by another way (an alias, a server's own message). */
#ifndef RECRYPT_LDA_SEAL_H
#define RECRYPT_LDA_SEAL_H

#include "common/buf.h"
#include "common/mime.h"
#include "common/rclient.h"

/* Appends msg, encrypted as a whole to the person's current key (info is of ADDRESS_PERSON), with msg's line ends.
 * Outside stays what protect_stays_outside names. 0; ERR_LIMIT: too large a header; ERR_RETRY, ERR_SYSTEM: nothing may
 * be delivered now. */
int seal_message(struct frame_client *c, const struct address_info *info, struct span msg, struct buf *out,
                 struct err *e);

#endif
