/* list-header.h - what a list demands of a message's header, and what it makes of it. */
#ifndef RECRYPT_MILTER_LIST_HEADER_H
#define RECRYPT_MILTER_LIST_HEADER_H

#include "headers.h"
#include "session.h"

#define LIST_HOP "X-Recrypt-Hop"
enum { LIST_HOPS_MAX = 5 };

/* One author, no field that two readers could read in two ways, no loop, nothing automatic. SMFIS_CONTINUE, or the
 * result of the reply that was set. */
sfsistat list_header_check(const struct session *s, const struct headers *h);

/* Takes off what only this list may say, and what asks readers' programs to answer; says what list this is. */
int list_header_change(const struct session *s, const struct headers *h);

/* "list@example.com" -> "list.example.com" (RFC 2919), and "<mailto:...>" with suffix put behind the local part. */
int list_id(const char *account, struct buf *out);
int list_mailto(const char *account, const char *suffix, struct buf *out);

#endif
