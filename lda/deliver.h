/* deliver.h - one message to one recipient: who that is, what she may get, where it goes. */
#ifndef RECRYPT_LDA_DELIVER_H
#define RECRYPT_LDA_DELIVER_H

#include "common/frame.h"
#include "common/mime.h"
#include "settings.h"
#include "verdict.h"

/* Never anything in between: status 0 when the message is complete and on disk, or taken over by the next server.
 * Whatever is not foreseen is EX_TEMPFAIL. Logs one line. */
void deliver_message(const struct settings *s, struct frame_client *c, const struct envelope *env, struct span msg,
                     struct verdict *out);

#endif
