/* socket.h - the socket that the mail server connects to. */
#ifndef RECRYPT_MILTER_SOCKET_H
#define RECRYPT_MILTER_SOCKET_H

#include "settings.h"

/* Opens it through libmilter, after smfi_register, with the configured mode and group. A socket file that nobody listens
 * on is replaced; ERR_EXISTS when somebody does, or when the path is no socket. */
int milter_socket_open(const struct settings *s, struct err *e);

#endif
