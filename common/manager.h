/* manager.h - a daemon and the service manager that started it: what sd_notify(3), sd_listen_fds(3) and
 * sd_watchdog_enabled(3) say about the environment and the messages, without systemd's library, which brings six others
 * along. Nothing where there is no such manager.
 */
#ifndef RECRYPT_MANAGER_H
#define RECRYPT_MANAGER_H

#include <stdint.h>

#include "err.h"

/* "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1". Keeps errno; a manager that is not reached is a line in the
 * log. */
void manager_tell(const char *state);

/* The sockets that it hands over to this process: how many, the first is *fd, the others follow it; 0 and -1 when there
 * are none. They are close-on-exec then, and the environment says nothing of them any more. ERR_USAGE: it says
 * something else than a number of open descriptors. */
int manager_sockets(int *fd, struct err *e);

/* Within how many microseconds it wants each next "WATCHDOG=1"; 0 = it does not. */
int64_t manager_watchdog(void);

#endif
