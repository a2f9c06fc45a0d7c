/* inject.h - hands copies of a message to the mail server's re-injection port: SMTP with pipelining (RFC 2920), one
 * message under way at a time, the next one's envelope sent along with it: over 10,000 copies, waiting for every answer
 * would be most of the time.
 */
#ifndef RECRYPT_LDA_INJECT_H
#define RECRYPT_LDA_INJECT_H

#include <stddef.h>

#include "common/err.h"
#include "common/mime.h"
#include "smtp-reply.h"

enum inject_outcome {
    INJECT_TAKEN,    /* 2xx after the last octet: the server has it on disk */
    INJECT_DEFERRED, /* 4xx for this recipient or message */
    INJECT_REFUSED   /* 5xx for this recipient */
};

struct inject_envelope {
    const char *sender, *recipient; /* without brackets */
};

struct inject; /* one connection */

/* Connects and greets. timeout: as smtp_open (smtp.h) says. ERR_RETRY. */
int inject_open(const char *address, int timeout, struct inject **out, struct err *e);

/* Sends one copy. The pieces, laid end to end, have CRLF line ends, doubled dots, and an end of line at their end.
 * next: the envelope of the copy that is sent in the next call, or NULL; another copy than that one loses the
 * connection. *outcome and *reply tell what became of this copy. ERR_RETRY: the connection cannot be used any more, and
 * if the last octet had gone out nobody knows whether the copy was taken; also when the server refuses the sender or
 * the message itself, which is its administrator's fault and no member's, and when the sender's address must not be
 * sent. ERR_SYNTAX: the recipient's must not (nothing was). */
int inject_copy(struct inject *in, const struct inject_envelope *env, const struct span *pieces, size_t count,
                const struct inject_envelope *next, enum inject_outcome *outcome, struct smtp_reply *reply,
                struct err *e);

/* True when an envelope was sent ahead. */
int inject_ahead(const struct inject *in);

void inject_close(struct inject **in);

#endif
