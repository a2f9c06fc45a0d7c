/* imap-fetch.h - a server's FETCH answer, read whole with its literals in place. */
#ifndef RECRYPT_IMAP_FETCH_H
#define RECRYPT_IMAP_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/mime.h"

enum { IMAP_FETCH_DEPTH = 64 };
enum { IMAP_HAS_HEADER = 1, IMAP_HAS_MIME = 2, IMAP_HAS_PART = 4, IMAP_HAS_OTHER = 8 }; /* OTHER: another BODY[..] */

struct imap_fetch {
    uint32_t number, uid;           /* uid 0 = not told */
    unsigned has;                   /* IMAP_HAS_.., also of what is NIL */
    struct span header, mime, part; /* BODY[HEADER.FIELDS ..], BODY[1.MIME], BODY[1]; data NULL = absent or NIL */
};

/* Reads "* n FETCH (items)" in text, without its last line end. Quoted strings are unescaped where they stand, so text
 * is spoilt for a second reading; the spans point into it. others gets the items that are none of UID and the three, as
 * they are written, with a space before each. ERR_SYNTAX (not such an answer, an item that is there twice), ERR_LIMIT,
 * ERR_SYSTEM. */
int imap_fetch_read(unsigned char *text, size_t len, struct imap_fetch *out, struct buf *others);

#endif
