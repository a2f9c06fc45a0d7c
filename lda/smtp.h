/* smtp.h - the client's end of a connection to an SMTP (RFC 5321) or LMTP (RFC 2033) server, without TLS: what handing
 * over one message (remote.h) and handing over many copies (inject.h) have in common.
 *
 * What is written waits until a block of it is together, or until smtp_flush. Functions that return int: 0 or
 * ERR_RETRY, after which the connection is lost and every further call fails.
 */
#ifndef RECRYPT_LDA_SMTP_H
#define RECRYPT_LDA_SMTP_H

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"
#include "smtp-reply.h"

/* How many times longer than for another answer to wait for the answer to a whole message, and for a block to be taken.
 * Who gives up on a message too early has it delivered twice (RFC 1047, RFC 5321 section 4.5.3.2.6). */
enum { SMTP_PATIENCE = 10 };

enum smtp_hello { SMTP_EHLO, SMTP_LHLO };

struct smtp; /* one connection */

/* Connects, waits for the greeting and says EHLO, HELO when that is refused, or LHLO. timeout: seconds for an answer,
 * all of which must be there by then. ERR_RETRY: not now, or the server does not want us; and as conf_connect does. */
int smtp_open(const char *address, enum smtp_hello hello, int timeout, struct smtp **out, struct err *e);

/* With QUIT, unless the connection was lost or something written was not sent; does not wait for the answer. */
void smtp_close(struct smtp **s);

/* True when the server's answer to EHLO or LHLO has PIPELINING (RFC 2920). */
int smtp_pipelining(const struct smtp *s);

/* Gives the connection up. ERR_RETRY, and why as the text. */
int smtp_lost(struct smtp *s, const char *why, struct err *e);
int smtp_is_lost(const struct smtp *s);

/* Writes octets as they are. */
int smtp_write(struct smtp *s, struct span data, struct err *e);
int smtp_printf(struct smtp *s, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Writes a message whose lines end with CRLF: dots doubled, and the dot that ends it. */
int smtp_message(struct smtp *s, struct span text, struct err *e);

/* Sends what waits. Every answer to what was sent before must have been read: a server that has said more than it was
 * asked is lost, since nobody knows what its next answer is to. */
int smtp_flush(struct smtp *s, struct err *e);

/* Reads the next answer. 421 is ERR_RETRY; any other failure leaves out->code 0. */
int smtp_answer(struct smtp *s, struct smtp_reply *out, struct err *e);
/* The same after a message's end: waits SMTP_PATIENCE times as long. */
int smtp_message_answer(struct smtp *s, struct smtp_reply *out, struct err *e);

/* A command, its CRLF with it, and its answer. */
int smtp_command(struct smtp *s, const char *line, struct smtp_reply *out, struct err *e);

/* Appends data with dots doubled at the beginning of lines. *start: whether data begins a line; afterwards whether what
 * follows does. As buf_append. */
int smtp_stuff(struct span data, int *start, struct buf *out);

/* True for an address that ends neither its angle brackets nor the line, nor makes the line too long. */
int smtp_sendable(const char *address);

#endif
