/* xrecrypt.h - UID XRECRYPT (doc/xrecrypt.md).
 *
 * Once all commands before it are answered, the filter asks the backend for the messages' beginnings on the same
 * connection, a chunk at a time, and recryptd for the grants of two chunks while the backend works on the next; so
 * memory is bounded whatever was asked for. The client's next commands wait. Its own commands' answers are taken out of
 * the stream, everything else passes; a message's number is told before anything passes that would change it.
 */
#ifndef RECRYPT_IMAPFILTER_XRECRYPT_H
#define RECRYPT_IMAPFILTER_XRECRYPT_H

#include "session.h"

/* The command has come. Refuses it, or notes it and holds the client's next ones. literal: one was announced, which
 * this command has none of. */
void xrecrypt_command(struct session *s, const struct imap_command *c, int literal);
/* Does what can be done by now; called whenever something has happened. 1 = the session is to look again at what it has
 * read. */
int xrecrypt_goes_on(struct session *s);
/* An answer of the backend's begins, with this text: 1 = it belongs to the command, and its pieces are handed to
 * xrecrypt_piece. May set backend_held: then not before what waits has been said. */
int xrecrypt_takes(struct session *s, struct span text);
void xrecrypt_piece(struct session *s, struct span data);
void xrecrypt_free(struct session *s);

#endif
