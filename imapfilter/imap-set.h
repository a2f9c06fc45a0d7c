/* imap-set.h - sets of message numbers (RFC 9051 sequence-set), as UIDs. */
#ifndef RECRYPT_IMAP_SET_H
#define RECRYPT_IMAP_SET_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"

enum { IMAP_SET_TEXT_MAX = 16 << 10 };

struct imap_range {
    uint32_t low, high;
};
struct imap_set {
    struct imap_range *ranges; /* owned; those before first are used up */
    size_t first, count, room;
    uint64_t numbers; /* how many are left, when no two ranges overlap */
    int star;         /* it names "*", which only the server can tell */
};

/* "1:4,7,*": numbers from 1 to 2^32-1, ranges either way round, at most IMAP_SET_TEXT_MAX octets; overlaps are merged.
 * With star the ranges stay empty. ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM; out is then empty. */
int imap_set_parse(struct span text, struct imap_set *out, struct err *e);
/* Puts one more number behind the others; meant for ascending ones. ERR_SYSTEM. */
int imap_set_add(struct imap_set *s, uint32_t number);
/* Takes the first numbers off, at most max of them, and appends them as a set's text. *taken may be NULL. Nothing is
 * left: appends nothing. ERR_LIMIT, ERR_SYSTEM. */
int imap_set_take(struct imap_set *s, size_t max, struct buf *out, size_t *taken);
void imap_set_clear(struct imap_set *s);

/* Reads the numbers of a server's "* SEARCH 2 3 6" into a set, in whatever pieces its line arrives. text: what follows
 * the word SEARCH, with or without the line end. Numbers beyond max are counted in *beyond and left away. "(MODSEQ n)"
 * behind them is passed over. 0, ERR_SYNTAX, ERR_SYSTEM. */
struct imap_search {
    uint64_t number;
    int digits, rest; /* rest: behind the numbers */
};
int imap_search_feed(struct imap_search *s, struct span text, size_t max, struct imap_set *out, uint64_t *beyond);
int imap_search_end(struct imap_search *s, size_t max, struct imap_set *out, uint64_t *beyond);

#endif
