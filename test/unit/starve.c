#include "starve.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
void starve(long n)
{
    (void)n;
}

int starve_spared(void)
{
    return 1;
}

int starve_works(void)
{
    return 0;
}
#else
/* glibc's own, under the names that are left when a program brings functions of the usual ones. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static _Thread_local long left;

void starve(long n)
{
    left = n;
}

int starve_spared(void)
{
    int spared = left > 0;

    left = 0;
    return spared;
}

int starve_works(void)
{
    return 1;
}

static int fails(void)
{
    if (left <= 0 || --left)
        return 0;
    errno = ENOMEM;
    return 1;
}

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
