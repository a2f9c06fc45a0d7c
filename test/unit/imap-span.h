/* imap-span.h - texts for the tests of the IMAP filter's parser. */
#ifndef RECRYPT_TEST_IMAP_SPAN_H
#define RECRYPT_TEST_IMAP_SPAN_H

#include <stdio.h>
#include "imapfilter/imap-line.h"
#include "span.h"

/* True when the buffer holds the text; says what it holds otherwise. */
static inline int same(const struct buf *b, const char *text)
{
    int yes = span_is(span_of(b), text);

    if (!yes)
        printf("# \"%.300s\" and not \"%.300s\"\n", buf_str(b), text);
    return yes;
}

#endif
