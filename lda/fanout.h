/* fanout.h - one message of a large list: to each member a copy of her own, through the mail server's re-injection
 * port. */
#ifndef RECRYPT_LDA_FANOUT_H
#define RECRYPT_LDA_FANOUT_H

#include "common/buf.h"
#include "common/frame.h"
#include "common/mime.h"
#include "settings.h"
#include "verdict.h"

/* In each copy: marks it as that member's of that message. */
#define FANOUT_COPY_FIELD "X-Recrypt-Copy"

/* env->recipient is the list's fan-out address, env->sender its bounce address (another's message waits: EX_TEMPFAIL).
 * Each member who still is one gets a copy with her own grant and a bounce address of her own; what was sent is
 * recorded by recryptd before the next copy ends, so that the same message tried again goes on where this run stopped.
 * EX_OK: nobody waits. EX_TEMPFAIL: somebody does, all others were served. EX_UNAVAILABLE: nobody waits, and some were
 * refused for good: said names them, for the bounce that goes to the list's owner. Of a recipient that is no fan-out
 * address: as deliver_message. */
void fanout_message(const struct settings *s, struct frame_client *c, const struct envelope *env, struct span msg,
                    struct verdict *out, struct buf *said);

#endif
