/* span.h - texts and buffers as spans, for tests. */
#ifndef RECRYPT_TEST_SPAN_H
#define RECRYPT_TEST_SPAN_H

#include <string.h>

#include "common/buf.h"
#include "common/mime.h"

static inline struct span span(const char *text)
{
    return (struct span){(const unsigned char *)text, strlen(text)};
}

static inline struct span span_of(const struct buf *b)
{
    return (struct span){b->data, b->len};
}

static inline int span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline int span_is(struct span s, const char *text)
{
    return span_equal(s, span(text));
}

#endif
