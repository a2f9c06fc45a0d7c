/* fetch-message.h - a message as it goes into the Maildir: with one field that tells what recrypt fetch knows of it, which nobody
 * else can have written.
 *
 *   X-Recrypt-Status: plain                               it came unencrypted
 *   X-Recrypt-Status: opened unsigned                     decrypted; nobody signed
 *   X-Recrypt-Status: opened signed ADDRESS KEY           decrypted; signed, and the signature is good
 *   X-Recrypt-Status: opened unknown ADDRESS KEY          decrypted; the signer's key is not known
 *   X-Recrypt-Status: encrypted REASON                    it could not be opened and is kept as it came
 */
#ifndef RECRYPT_FETCH_MESSAGE_H
#define RECRYPT_FETCH_MESSAGE_H

#include "common/buf.h"
#include "common/protect.h"

/* Appends the message with the field first, value as above behind "X-Recrypt-Status: " (printable; longer than 400 octets it is cut).
 * Every line of its header that could be taken for a field of that family ("X-Recrypt-...") is left out, whatever ends the line.
 * Line ends: LF when all lines end with CRLF, as Maildirs have it; otherwise not an octet of the rest is changed. as_it_is: never.
 * ERR_LIMIT, ERR_SYSTEM. */
int fetch_message_mark(struct span msg, const char *value, int as_it_is, struct buf *out, struct err *e);

/* The value for an opened message. */
int fetch_message_opened(const struct protect_verdict *v, struct buf *out, struct err *e);

#endif
