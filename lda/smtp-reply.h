/* smtp-reply.h - one reply of an SMTP server (RFC 5321 section 4.2), as a parser of octets. */
#ifndef RECRYPT_LDA_SMTP_REPLY_H
#define RECRYPT_LDA_SMTP_REPLY_H

#include <stddef.h>

#include "common/err.h"

enum { SMTP_REPLY_MAX = 16384, SMTP_TEXT_SIZE = 160 };

struct smtp_reply {
    int code;                  /* 200 to 599 */
    char text[SMTP_TEXT_SIZE]; /* the first line's, printable ASCII, cut */
    int pipelining;            /* a line says PIPELINING: to be asked of EHLO's reply only */
};

/* Takes the first reply off data: 1 and *used; 0 = more is needed; ERR_SYNTAX: not a reply, lines of different codes;
 * ERR_LIMIT over SMTP_REPLY_MAX octets. A line may end with LF alone. */
int smtp_reply_take(const void *data, size_t len, struct smtp_reply *out, size_t *used, struct err *e);

#endif
