/* remote.h - hands one message for one recipient to an LMTP or SMTP server. */
#ifndef RECRYPT_LDA_REMOTE_H
#define RECRYPT_LDA_REMOTE_H

#include <stddef.h>

#include "common/err.h"
#include "common/mime.h"
#include "settings.h"

/* Sends with every line ended by CRLF and nothing else, dots doubled. Blocks for at most timeout seconds for each
 * answer, SMTP_PATIENCE (smtp.h) times as long for the one to the message. sender "" is the null sender. 0: the server
 * has taken the message over. ERR_RETRY: it has not, or nobody knows (the connection broke after the last octet: it may
 * come twice, RFC 1047). ERR_DENIED: it refused for good; *code is its answer, 0 when it gave none. ERR_SYNTAX: an
 * address that must not be sent. */
int remote_deliver(const struct route *route, int timeout, const char *sender, const char *recipient,
                   const struct span *pieces, size_t count, int *code, struct err *e);

#endif
