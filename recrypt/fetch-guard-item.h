/* fetch-guard-item.h - one FETCH answer, line by line as its literals cut it, into the plain form of fetch-guard.h. */
#ifndef RECRYPT_FETCH_GUARD_ITEM_H
#define RECRYPT_FETCH_GUARD_ITEM_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"

struct fetch_items {
    int begun; /* an item was written */
};

enum fetch_piece {
    FETCH_ENDED,  /* the answer is over */
    FETCH_SHOWN,  /* a literal follows that is handed on */
    FETCH_HIDDEN  /* a literal follows that is left out */
};

/* text: what follows "* n FETCH " (begun is 0 and out has "* n FETCH (" already), or the line behind a literal. An enum
 * fetch_piece with *octets of the literal, ERR_SYNTAX, ERR_SYSTEM. */
int fetch_items_line(struct fetch_items *f, struct span text, int first, struct buf *out, uint64_t *octets);

#endif
