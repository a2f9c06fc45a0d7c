/* mail.h - opening a sealed message: what recrypt open and recrypt fetch have in common. */
#ifndef RECRYPT_MAIL_H
#define RECRYPT_MAIL_H

#include "common/buf.h"
#include "common/protect.h"
#include "granted.h"
#include "tool.h"

/* Opens a whole message. brought: grants that came with it, borrowed, NULL = none. inside gets what was sealed, octet
 * for octet; the verdict on its signature is the caller's to tell and to act on (PROTECT_BAD is no error here). 0; 1 =
 * it is not encrypted, or not as this program knows it, and inside stays empty; ERR_KEY, ERR_CRYPTO, ERR_DENIED,
 * ERR_RETRY as opener_run, with a text that says what to do; ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED: claims to be ours
 * and is broken. */
int mail_open(struct tool *t, const struct buf *msg, const struct granted_list *brought, struct buf *inside,
              struct protect_verdict *verdict, struct err *e);

/* For programs: "unsigned", or "signed", "unknown" or "bad" with the address and the key that the signature claims, "-"
 * for what it does not say; appended. 0, ERR_LIMIT, ERR_SYSTEM. */
int mail_verdict(const struct protect_verdict *v, struct buf *out);

/* One line to standard error that tells people who signed. */
void mail_tell(const struct protect_verdict *v);

#endif
