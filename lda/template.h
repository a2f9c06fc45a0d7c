/* template.h - a mailbox's path from a template and an address; nothing in an address can lead outside. */
#ifndef RECRYPT_LDA_TEMPLATE_H
#define RECRYPT_LDA_TEMPLATE_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/* Which of the codes below a template may hold. */
enum { TEMPLATE_ADDRESS = 1, TEMPLATE_HOME = 2 };

/* %u = address, %n = its local part, %d = its domain, %h = a home directory (only at the beginning), %% = '%'. A good
 * template has one of %u, %n and %h, is of the kinds allowed, and has no component "." or "..". ERR_USAGE. */
int template_check(const char *text, int allowed, struct err *e);

/* Appends the path. What is put in for %u, %n and %d must be no "", "." or "..", begin with no '.', '-' or '~' and hold
 * no '/', control character or octet over 0x7e, and the result no component ".."; else ERR_SYNTAX. address has
 * address_len octets, so that a NUL inside is seen; home may be NULL when the template has no %h (ERR_USAGE). */
int template_expand(const char *text, const char *address, size_t address_len, const char *home, struct buf *out,
                    struct err *e);

#endif
