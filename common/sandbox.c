#include "sandbox.h"

#ifdef HAVE_SECCOMP
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/sandbox-filters.h"

static int confine(const struct sock_filter *filter, size_t n, struct err *e)
{
    const struct sock_fprog program = {(unsigned short)n, (struct sock_filter *)(uintptr_t)filter};

    if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        return 0;
    return err_set(e, ERR_SYSTEM, "cannot confine this process (seccomp): %s; sandbox = no goes without",
                   strerror(errno));
}
#define CONFINE(filter, e) confine(filter, sizeof(filter) / sizeof *(filter), e)
#else
#define CONFINE(filter, e) ((void)(e), 0)
#endif

int sandbox_recryptd(struct err *e)
{
    return CONFINE(recryptd_filter, e);
}

int sandbox_milter(struct err *e)
{
    return CONFINE(milter_filter, e);
}

int sandbox_lda(struct err *e)
{
    return CONFINE(lda_filter, e);
}

int sandbox_imapfilter(struct err *e)
{
    return CONFINE(imapfilter_filter, e);
}

int sandbox_available(void)
{
#ifdef HAVE_SECCOMP
    return 1;
#else
    return 0;
#endif
}
