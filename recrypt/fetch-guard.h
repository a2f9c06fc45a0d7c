/* fetch-guard.h - what a mail server says, put into the few plain forms that recrypt fetch asked for, before libetpan's
 * parser sees it: that one has no limits, and some lines bring it down.
 *
 *   TAG OK|NO|BAD text            * OK|NO|BAD|PREAUTH text         without response codes, but for * OK [UIDVALIDITY n]
 *   * CAPABILITY words            * SEARCH numbers
 *   * n FETCH (UID n RFC822.SIZE n BODY[] {n}... XRECRYPT {n}...)  what of that it has, strings as literals
 *
 * Everything else is left out. Literals, lines, and the whole of a command's answer are bounded.
 */
#ifndef RECRYPT_FETCH_GUARD_H
#define RECRYPT_FETCH_GUARD_H

#include "common/buf.h"
#include "common/err.h"

struct fetch_guard;

int fetch_guard_new(struct fetch_guard **out, struct err *e);
void fetch_guard_free(struct fetch_guard **g);

/* For the next command's answer: octets of one literal, and of everything. */
void fetch_guard_limits(struct fetch_guard *g, size_t literal, size_t total);

/* Takes some of the server's octets; what may be seen is appended to out. ERR_LIMIT; ERR_SYNTAX, of a kind of answer
 * that is wanted and cannot be read: from then on always. */
int fetch_guard_feed(struct fetch_guard *g, const void *data, size_t len, struct buf *out, struct err *e);

/* Nothing is held back: all that came was handed on or left out. */
int fetch_guard_empty(const struct fetch_guard *g);

/* What the server said when it ended the session (BYE), or "". */
const char *fetch_guard_bye(const struct fetch_guard *g);

#endif
