/* imap-span.h - texts for the tests of the IMAP filter's parser. */
#ifndef RECRYPT_TEST_IMAP_SPAN_H
#define RECRYPT_TEST_IMAP_SPAN_H

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "imapfilter/imap-line.h"

static inline struct span span(const char *text)
{
    return (struct span){(const unsigned char *)text, strlen(text)};
}

/* True when the buffer holds the text; says what it holds otherwise. */
static inline int same(const struct buf *b, const char *text)
{
    int yes = b->len == strlen(text) && memcmp(buf_str(b), text, b->len) == 0;

    if (!yes)
        printf("# \"%.300s\" and not \"%.300s\"\n", buf_str(b), text);
    return yes;
}

#endif
