/* xrecrypt.h - UID XRECRYPT (doc/xrecrypt.md). */
#ifndef RECRYPT_IMAPFILTER_XRECRYPT_H
#define RECRYPT_IMAPFILTER_XRECRYPT_H

#include "session.h"

/* The command has come. Answers it, now or later; then s->hold keeps the client's next ones back until it is over. literal: one was
 * announced, which this command has none of. */
void xrecrypt_command(struct session *s, const struct imap_command *c, int literal);
/* Everything before it has been answered. */
void xrecrypt_start(struct session *s);
/* Is what comes from the backend for it? */
int xrecrypt_runs(const struct session *s);
size_t xrecrypt_backend(struct session *s, const unsigned char *data, size_t len);
void xrecrypt_free(struct session *s);

#endif
