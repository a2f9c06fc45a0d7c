/* grants.h - the part of a list message that needs recryptd: its keys found, the grants put in. */
#ifndef RECRYPT_MILTER_GRANTS_H
#define RECRYPT_MILTER_GRANTS_H

#include "session.h"

/* Strips every grant from j, asks recryptd for each of j's recipients that is a current or archived key of the list,
 * and puts the grants there. *out is whom the message goes to; released with expansion_clear. SMFIS_CONTINUE, or the
 * result of the reply that was set (then *out is empty). */
sfsistat grants_add(const struct session *s, struct jwe *j, struct expansion *out);

#endif
