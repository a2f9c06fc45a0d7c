/* audit.h - the access log: one line for each request, and every grant. Never a secret, never content. */
#ifndef RECRYPT_AUDIT_H
#define RECRYPT_AUDIT_H

#include "common/err.h"

struct audit;
/* Opens for appending, mode 0600. */
int audit_open(const char *path, struct audit **out, struct err *e);
/* Opens path in its place (after the file was rotated away); on failure the old file stays in use. */
int audit_reopen(struct audit *a, const char *path, struct err *e);
/* One line: time, who, request, what it was about, outcome. Empty strings are written as "-". ERR_SYSTEM when it could
 * not be written whole: a grant must then not be given. */
int audit_write(struct audit *a, const char *who, const char *request, const char *about, int status,
                const char *detail, struct err *e);
void audit_close(struct audit **a);

#endif
