/* list.h - a message to a list: checked, given its grants and handed to the members. */
#ifndef RECRYPT_MILTER_LIST_H
#define RECRYPT_MILTER_LIST_H

#include "session.h"

/* At the end of the message. SMFIS_ACCEPT only when every change was made. */
sfsistat list_message(struct session *s);

#endif
