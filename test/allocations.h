/* allocations.h - replaces the C library's allocations by such as fail when fails() says so, which is the including
 * file's: it also sets errno. For one file of a program, or of a library that is loaded before one. */
#ifndef RECRYPT_TEST_ALLOCATIONS_H
#define RECRYPT_TEST_ALLOCATIONS_H

#include <stddef.h>

/* glibc's own, under the names that are left when a program brings functions of the usual ones. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static int fails(void);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

#endif
