/* mark.h - a message as it goes into a mailbox: with one field that tells what recrypt knows of it, which nobody else
 * can have written.
 *
 *   X-Recrypt-Status: plain                          it came unencrypted
 *   X-Recrypt-Status: opened unsigned                decrypted; nobody signed
 *   X-Recrypt-Status: opened signed ADDRESS KEY      decrypted; signed, and the signature is good
 *   X-Recrypt-Status: opened unknown ADDRESS KEY     decrypted; the signer's key is not known
 *   X-Recrypt-Status: opened bad ADDRESS KEY         decrypted; the signature is bad (recrypt open --unverified only)
 *   X-Recrypt-Status: encrypted REASON               it could not be opened and is kept as it came
 */
#ifndef RECRYPT_MARK_H
#define RECRYPT_MARK_H

#include "common/buf.h"
#include "common/mime.h"

/* Appends the message with the field first, value as above behind "X-Recrypt-Status: " (printable; longer than 400
 * octets it is cut; "=_" for "=?", with which an encoded word begins). Every line of its header that could be taken for
 * a field of that family ("X-Recrypt-...") is left out, whatever ends the line. Line ends: LF when all lines end with
 * CRLF, as Maildirs have it; otherwise not an octet of the rest is changed. as_it_is: never. ERR_LIMIT, ERR_SYSTEM. */
int mark_message(struct span msg, const char *value, int as_it_is, struct buf *out, struct err *e);

#endif
