/* socket.h - the socket that the mail server connects to. */
#ifndef RECRYPT_MILTER_SOCKET_H
#define RECRYPT_MILTER_SOCKET_H

#include "settings.h"
#include "wake.h"

/* The group that it is to have; (gid_t)-1 = none is named. ERR_USAGE: there is none of that name. */
int milter_socket_group(const struct settings *s, gid_t *gid, struct err *e);

/* Opens it through libmilter, after smfi_register, with the configured mode and group. A socket file that nobody
 * listens on is replaced; ERR_EXISTS when somebody does, or when the path is no socket. w is connected to it before
 * anybody else can be; that it cannot is logged and no error. */
int milter_socket_open(const struct settings *s, struct wake *w, struct err *e);

#endif
