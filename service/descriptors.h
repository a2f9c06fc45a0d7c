/* descriptors.h - as many file descriptors as the configured connections can take (RLIMIT_NOFILE). */
#ifndef RECRYPT_DESCRIPTORS_H
#define RECRYPT_DESCRIPTORS_H

#include "common/err.h"
#include "settings.h"

/* Raises the process's limit when it is too low for s's max_clients, max_connections and what the service itself has
 * open: before rights are dropped and before the sandbox. */
void descriptors_raise(const struct settings *s);
/* Lowers both numbers of s to what the limit, as it is, has room for, and says so in the log. ERR_SYSTEM: no room at
 * all. */
int descriptors_fit(struct settings *s, struct err *e);

#endif
