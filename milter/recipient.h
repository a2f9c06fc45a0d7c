/* recipient.h - what each recipient is, and which can share a transaction. */
#ifndef RECRYPT_MILTER_RECIPIENT_H
#define RECRYPT_MILTER_RECIPIENT_H

#include "session.h"

/* Takes one recipient of the message under way, as the mail server gives it. A message has one body for all its
 * recipients: 452 4.5.3 asks the sender's mail server to send to this one separately. */
sfsistat recipient_add(struct session *s, const char *given);

#endif
