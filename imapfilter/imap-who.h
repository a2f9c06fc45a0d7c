/* imap-who.h - who logs in: LOGIN, SASL's PLAIN and LOGIN, and the ID command (RFC 2971). */
#ifndef RECRYPT_IMAP_WHO_H
#define RECRYPT_IMAP_WHO_H

#include "common/buf.h"
#include "common/err.h"
#include "common/jwk.h"
#include "common/mime.h"
#include "common/udf.h"

enum { IMAP_ID_FIELDS = 30, IMAP_ID_VALUE = 1024 };

/* LOGIN's two arguments (rest begins with the space before the first), literals in place: the user's name is appended;
 * the password is checked for form only. ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM. */
int imap_login_user(struct span rest, struct buf *user);

/* A client's response in base64. PLAIN (RFC 4616): the name is appended; ERR_DENIED when it logs in for somebody else.
 * LOGIN: the name is all of it. ERR_SYNTAX, ERR_SYSTEM. */
int imap_plain_user(struct span base64, struct buf *user);
int imap_base64(struct span base64, struct buf *out);

/* The account of recryptd's that a login name stands for: an address, or a bare name of user_domain ("" = none are
 * known). Refuses (ERR_DENIED) what may be more than a name: all but letters, digits, ".", "_", "-" and "'" before the
 * "@", so that separators of master users ("bob*admin"), extensions and the like never become somebody. */
int imap_account(struct span user, const char *user_domain, char out[ADDRESS_SIZE], struct err *e);

/* Is it a key's fingerprint in form (jwk_udf: six groups of five)? Copied in upper case. ERR_SYNTAX. */
int imap_device(struct span text, char out[JWK_UDF_SIZE]);

/* ID's argument (rest begins with its space): appended to out as it may go on, with the fields left away by which a
 * trusted proxy tells a backend things about the connection (x-originating-*, x-connected-*, x-session-*, x-proxy-*,
 * x-forward-*). ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM. */
int imap_id(struct span rest, struct buf *out);

#endif
