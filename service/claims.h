/* claims.h - who is at a fan-out: one connection of a delivery agent at a time.
 *
 * A mail server whose own process dies leaves the delivery agent behind that it started, and starts a second one for
 * the same message: both would send the same copies. A claim ends with FanoutEnd's answer, and with its connection, so
 * when its process is killed; recryptd's end ends all.
 */
#ifndef RECRYPT_CLAIMS_H
#define RECRYPT_CLAIMS_H

#include <stdint.h>

#include "common/err.h"

struct claims;
int claims_new(struct claims **out, struct err *e);
/* The job is that connection's from now on, in place of the one it had: 0. ERR_RETRY: it is another's. ERR_SYSTEM.
 * Connection 0 stands for none, which claims nothing: 0. */
int claims_take(struct claims *c, const char *job, uint64_t connection, struct err *e);
/* The connection has ended, or is at no job any more. */
void claims_drop(struct claims *c, uint64_t connection);
void claims_free(struct claims **c);

#endif
