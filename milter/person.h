/* person.h - a message to people whose mail is encrypted, and to owners of lists. */
#ifndef RECRYPT_MILTER_PERSON_H
#define RECRYPT_MILTER_PERSON_H

#include "session.h"

/* At the end of the message. Encrypted mail passes as it is. SMFIS_ACCEPT only when every change was made. */
sfsistat person_message(struct session *s);

#endif
