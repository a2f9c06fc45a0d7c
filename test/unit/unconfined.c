/* In place of common/sandbox.c: for a program that valgrind is to watch, which makes system calls of its own. */
#include "common/sandbox.h"

int sandbox_recryptd(struct err *e)
{
    (void)e;
    return 0;
}

int sandbox_milter(struct err *e)
{
    (void)e;
    return 0;
}

int sandbox_lda(struct err *e)
{
    (void)e;
    return 0;
}

int sandbox_available(void)
{
    return 0;
}
