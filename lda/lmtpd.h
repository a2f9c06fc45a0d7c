/* lmtpd.h - LMTP over sockets: one process for each connection, a limit on them, a clean stop. */
#ifndef RECRYPT_LDA_LMTPD_H
#define RECRYPT_LDA_LMTPD_H

#include "settings.h"

/* The listening socket: the one systemd hands over, or s->lmtp_listen, made by the user we are. *path: the socket's
 * file when it was made here, else NULL; it is s's. ERR_USAGE: neither. */
int lmtpd_listen(const struct settings *s, int *fd, const char **path, struct err *e);

/* Serves until SIGTERM or SIGINT; then takes no more, lets each connection finish the message it is delivering, and
 * returns 0. Closes fd and removes path, which may be NULL. Blocks and handles those signals and SIGCHLD itself. */
int lmtpd_serve(const struct settings *s, int fd, const char *path, struct err *e);

/* One session on a pair of descriptors (inetd, spawn(8), a Sendmail mailer), until the client leaves, is silent too
 * long or SIGTERM comes. */
int lmtpd_session(const struct settings *s, int in, int out, struct err *e);

#endif
