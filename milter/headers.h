/* headers.h - the header fields of the message under way, and changing them at the mail server. */
#ifndef RECRYPT_MILTER_HEADERS_H
#define RECRYPT_MILTER_HEADERS_H

#include <stddef.h>

#include "common/mime.h"
#include "mta.h"

struct header_field {
    char name[80];     /* cut; longer names are none of those we look for */
    struct span value; /* raw, into the header that was given */
    int nth;           /* among the fields of that name, from 1: how the mail server counts */
    int odd;           /* white space between name and colon */
};
struct headers {
    struct header_field field[MIME_FIELDS_MAX];
    size_t count;
};

/* Lists the fields of a header. *out is released with free. ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM. */
int headers_list(struct span header, struct headers **out, struct err *e);

/* How many have that name (case-insensitive). */
size_t headers_count(const struct headers *h, const char *name);
/* The nth (from 1) one's raw value; empty when absent. */
struct span headers_value(const struct headers *h, const char *name, int nth);

/* Deletes every field that matches, from the last to the first, since deleting one shifts the count of those behind. */
typedef int headers_match(const char *name);
int headers_delete(const struct headers *h, const struct mta *m, headers_match *match);

/* Leaves exactly one field of that name, with that value: the first one changed, or a new one. */
int headers_set(const struct headers *h, const struct mta *m, const char *name, const char *value);

/* For match functions: name is in the NULL-ended list; an entry that ends in '-' stands for all that begin so. */
int headers_in(const char *name, const char *const *list);

/* The new Content-Type and MIME-Version, all other Content fields gone. */
int headers_set_type(const struct headers *h, const struct mta *m, const char *content_type);

#endif
