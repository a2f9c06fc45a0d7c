/* fetch-progress.h - a bar on standard error while messages arrive, when that is a terminal. */
#ifndef RECRYPT_FETCH_PROGRESS_H
#define RECRYPT_FETCH_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct fetch_progress {
    int on;
    size_t total, done;
    uint64_t octets;
    int64_t drawn; /* when, in milliseconds */
};

/* on: only when standard error is a terminal. */
void fetch_progress_begin(struct fetch_progress *p, size_t total);
void fetch_progress_step(struct fetch_progress *p, size_t octets);
/* Before other lines are written, and at the end: the bar goes away. */
void fetch_progress_clear(struct fetch_progress *p);

/* The bar as text of at most columns; for the tests. */
void fetch_progress_text(const struct fetch_progress *p, size_t columns, char out[256]);

#endif
