/* seal.h - encryption at the door: a plaintext message becomes what `recrypt seal` would have made, unsigned. */
#ifndef RECRYPT_MILTER_SEAL_H
#define RECRYPT_MILTER_SEAL_H

#include "headers.h"
#include "session.h"

/* Encrypts the message under way, header included, to the current key of info's account. Forgets its plaintext: of
 * s->msg->text nothing is left. *jwe and ciphertext belong to the caller. */
int seal_message(struct session *s, const struct address_info *info, struct jwe **jwe, struct buf *ciphertext,
                 struct err *e);

/* The header outside: what carries the message and what servers wrote stays, the subject is replaced, everything else
 * is inside only. */
int seal_header(const struct session *s, const struct headers *h, const char *content_type);

#endif
