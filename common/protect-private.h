/* protect-private.h - between protect.c (headers), protect-seal.c and protect-open.c. */
#ifndef RECRYPT_PROTECT_PRIVATE_H
#define RECRYPT_PROTECT_PRIVATE_H

#include "buf.h"
#include "err.h"
#include "mime.h"

/* NULL becomes the default; ERR_USAGE when it cannot stand in a header as it is. */
int protect_subject(const char **subject, struct err *e);

/* Appends the fields that go outside, in lines ended by eol; with prefix "HP-Outer: " the record of them inside. Of a
 * field that is there twice, the first one. No field can bring another with it, whatever its octets. */
int protect_outer(struct span header, const char *subject, const char *prefix, const char *eol, struct buf *out,
                  struct err *e);

/* Was this made by protect_wrap? Then the message that it was made of is first and second, one behind the other. */
int protect_is_payload(struct span payload, struct span *first, struct span *second);

#endif
