/* local.h - the front on the unix socket: frames, roles by peer credentials (doc/protocol.md section 5). */
#ifndef RECRYPT_LOCAL_H
#define RECRYPT_LOCAL_H

#include <event2/event.h>

#include "common/err.h"
#include "service.h"

struct local;
/* fd: listening; closed by local_free, also when this fails. At most settings' max_clients at once: more wait in the
 * backlog.
 */
int local_new(struct service *s, struct event_base *base, int fd, struct local **out, struct err *e);
void local_free(struct local **l);

#endif
