/* jcd.h - controlled documents, files encrypted to a group (doc/formats.md section 6): a JSON list of header, data and
 * trailer, written and read as a stream in memory that does not grow with the file.
 *
 * The header is a JWE that wraps the content key and has no content of its own; making it and opening it is the
 * caller's part (jwe.h). Each data string is one AES-256-GCM chunk; its nonce tells its place and whether it is the
 * last (STREAM).
 */
#ifndef RECRYPT_JCD_H
#define RECRYPT_JCD_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum {
    JCD_KEY_LEN = 32,
    JCD_TAG_LEN = 16,
    JCD_CHUNK = 65536,       /* what we write */
    JCD_CHUNK_MAX = 1 << 20, /* what we read */
    JCD_HEADER_MAX = 4 << 20
};

/* Reads up to max octets; *got 0 = end. */
typedef int jcd_read(void *arg, unsigned char *data, size_t max, size_t *got, struct err *e);
typedef int jcd_write(void *arg, const void *data, size_t len, struct err *e);

/* Writes the whole document. header: the JWE's JSON text, whose protected header has "typ":"jcd" and "chunk". */
int jcd_seal(const struct buf *header, const unsigned char key[JCD_KEY_LEN], jcd_read *from, void *from_arg,
             jcd_write *to, void *to_arg, struct err *e);

struct jcd; /* a document that is being read */

/* Reads as far as the header. from is used until jcd_free. ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED (no "typ":"jcd", a
 * "chunk" out of range). */
int jcd_open(jcd_read *from, void *from_arg, struct jcd **out, struct err *e);
const struct buf *jcd_header(const struct jcd *d); /* its JSON text, owned by d */

/* Reads the rest, once. A chunk goes to `to` when its tag verified; the whole is good only when this returns 0, so the
 * caller puts its output in place after that. ERR_SYNTAX: not the form, or it ends early. ERR_CRYPTO: a chunk, their
 * order, or the trailer does not verify. */
int jcd_body(struct jcd *d, const unsigned char key[JCD_KEY_LEN], jcd_write *to, void *to_arg, struct err *e);
void jcd_free(struct jcd **d);

#endif
