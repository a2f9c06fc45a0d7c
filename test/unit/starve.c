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
#include "../allocations.h"

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
#endif
