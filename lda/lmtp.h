/* lmtp.h - the server's half of LMTP (RFC 2033), as a parser of octets: no socket, no clock, no file.
 *
 * PIPELINING, 8BITMIME, SIZE, ENHANCEDSTATUSCODES. Only CRLF ends a line and only CRLF "." CRLF a message; a message
 * with a bare LF is refused whole, since the next reader might see an end or a command where we saw none.
 */
#ifndef RECRYPT_LDA_LMTP_H
#define RECRYPT_LDA_LMTP_H

#include <stddef.h>

#include "common/mime.h"
#include "verdict.h"

enum { LMTP_LINE_MAX = 2048, LMTP_RECIPIENTS_MAX = 1000, LMTP_ERRORS_MAX = 20, LMTP_PATH_MAX = 320 };

struct lmtp_handler {
    void *arg;
    /* Sends answers. Negative: the client is gone, the session ends. */
    int (*send)(void *arg, const void *data, size_t len);
    /* Delivers to one recipient. The message has LF line ends. */
    void (*deliver)(void *arg, const struct envelope *env, struct span msg, struct verdict *out);
};

struct lmtp; /* one session */

/* max_message in octets. The greeting is sent at once. ERR_SYSTEM. */
int lmtp_new(const char *host, size_t max_message, const struct lmtp_handler *h, struct lmtp **out, struct err *e);

/* Octets from the client, in pieces of any size. 0 = go on; 1 = the session is over (QUIT, too many errors, client
 * gone). */
int lmtp_feed(struct lmtp *l, const void *data, size_t len);

/* Says 421 with the text ("4.3.2 shutting down"); the session is over. What was delivered has been answered. */
void lmtp_end(struct lmtp *l, const char *text);

void lmtp_free(struct lmtp **l);

#endif
