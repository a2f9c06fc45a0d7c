/* b64.h - base64url without padding (RFC 7515 section 2, RFC 4648 section 5) and MIME's base64 (RFC 2045 6.8). */
#ifndef RECRYPT_B64_H
#define RECRYPT_B64_H

#include <stddef.h>

#include "buf.h"
#include "err.h"

/* Appends the text. Returns 0, ERR_LIMIT or ERR_SYSTEM. */
int b64url_encode(const void *data, size_t len, struct buf *out);

/* Appends the octets. Strict: no padding, no white space, no other alphabet, trailing bits zero; one text for one
 * value. Returns 0, ERR_SYNTAX, ERR_LIMIT or ERR_SYSTEM; out is as before on failure. No table is looked up with what
 * may be a key: up to 16 KiB, time depends on len only (encoding too). */
int b64url_decode(const char *text, size_t len, struct buf *out);

/* The same for a long text that nobody needs afterwards: the octets take its place. *out_len = how many. On failure the
 * text is spoilt. */
int b64url_decode_in_place(unsigned char *text, size_t len, size_t *out_len);

/* MIME: encode in lines of 76 characters ended by eol ("\r\n" or "\n"); decode skips CR, LF, space and tab, takes
 * padding at the end only, refuses every other octet and non-zero trailing bits. Linear. */
int b64mime_encode(const void *data, size_t len, const char *eol, struct buf *out);
int b64mime_decode(const void *text, size_t len, struct buf *out);

#endif
