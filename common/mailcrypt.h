/* mailcrypt.h - encrypted mail on the wire (doc/formats.md section 1): the two-part form and its rewriting. */
#ifndef RECRYPT_MAILCRYPT_H
#define RECRYPT_MAILCRYPT_H

#include "buf.h"
#include "err.h"
#include "jwe.h"
#include "mime.h"

enum { MAILCRYPT_STRING_MAX = 900 };

enum mailcrypt_kind {
    MAILCRYPT_PLAIN,    /* not encrypted in our format (also PGP, S/MIME) */
    MAILCRYPT_TWO_PART, /* multipart/encrypted; protocol="application/jose+json" */
    MAILCRYPT_WHOLE     /* one application/jose+json or application/jose entity */
};

/* What was found. jwe is owned; the spans point into the body that was given. */
struct mailcrypt {
    enum mailcrypt_kind kind;
    struct jwe *jwe;
    struct span multipart; /* TWO_PART: from the first delimiter line to the last, so without what stands around them */
    struct span part1;     /* TWO_PART: the octets of part 1's entity, header and body, that a rewrite replaces */
    struct span part2;     /* TWO_PART: part 2's body, still transfer-encoded */
    int part2_base64;      /* 1 base64, 0 as is */
    struct buf ciphertext; /* WHOLE only: decoded */
};

/* Looks at a message's body, given its Content-Type and Content-Transfer-Encoding values (each empty when absent). Only
 * the whole top-level entity counts, never a leaf among others. Exactly two parts, types as expected, part 1 at most
 * JWE_TEXT_MAX. ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED when it claims to be ours and is broken; a Content-Type that
 * nobody can read is PLAIN. The body is not copied, but for what a WHOLE message needs. out is cleared on failure. */
int mailcrypt_find(struct span content_type, struct span transfer_encoding, struct span body, struct mailcrypt *out,
                   struct err *e);
/* The same for a whole message; *header and *body get its halves. Two or more Content-Type fields: ERR_SYNTAX. A header
 * with lines that are no fields is ERR_SYNTAX when the message is ours, and no matter when it is PLAIN. */
int mailcrypt_find_message(struct span msg, struct span *header, struct span *body, struct mailcrypt *out,
                           struct err *e);
/* The same for who has no more of a message than its header and the beginning of its body (an IMAP server tells parts
 * apart): of a TWO_PART message part1 is the first part's entity, header and body; of a WHOLE one body is all of its
 * body, or with cut its beginning: then jwe is what jwe_peek finds, and there is no ciphertext. No spans but part1. */
int mailcrypt_peek(struct span header, struct span part1, struct span body, int cut, struct mailcrypt *out,
                   struct err *e);
void mailcrypt_clear(struct mailcrypt *m);

/* Decodes the ciphertext (part 2 or the one found). Appended to out. */
int mailcrypt_ciphertext(const struct mailcrypt *m, struct buf *out, struct err *e);

/* Part 1's entity with m->jwe as it is now: header fields, empty line, JSON; takes the place of m->part1 in the body,
 * so it has no line end behind its last line. TWO_PART only. Line ends are those of the part that it replaces (CRLF
 * from an MTA, LF on a file). No line is longer than 998 octets: JSON with a string over MAILCRYPT_STRING_MAX goes in
 * base64. */
int mailcrypt_part1(const struct mailcrypt *m, struct buf *out, struct err *e);

/* The complete two-part body for a header and ciphertext: what seal writes and what a WHOLE message is brought to.
 * *content_type is appended with the field's value ("multipart/encrypted; ..."), body with the body. CRLF line ends. */
int mailcrypt_build(const struct jwe *jwe, const struct buf *ciphertext, struct buf *content_type, struct buf *body,
                    struct err *e);

#endif
