/* conf-socket.h - the addresses of conf.h for who connects by itself, without blocking. */
#ifndef RECRYPT_CONF_SOCKET_H
#define RECRYPT_CONF_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>

#include "err.h"

/* The socket addresses behind a text that conf_connect takes, at most max of them; *count gets the number. host (may be
 * NULL) gets the host's name, "" of a Unix socket. ERR_USAGE, ERR_RETRY (no answer from the name service),
 * ERR_SYSTEM. */
enum { CONF_HOST_SIZE = 256 };
struct conf_address {
    struct sockaddr_storage sa;
    socklen_t len;
};
int conf_resolve(const char *address, struct conf_address *out, size_t max, size_t *count, char host[CONF_HOST_SIZE],
                 struct err *e);
/* As conf_connect, to such an address. */
int conf_connect_to(const struct conf_address *to, int timeout_ms, int *fd, struct err *e);
/* Is it this machine's own: a Unix socket or a loopback address? */
int conf_is_local(const struct sockaddr *sa);

#endif
