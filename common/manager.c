#include "manager.h"

#include <errno.h>
#include <time.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

void manager_tell(const char *state)
{
#ifdef HAVE_SYSTEMD
    int saved = errno;
    struct timespec now;

    /* RELOADING wants the time. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "%s\nMONOTONIC_USEC=%llu", state,
               (unsigned long long)now.tv_sec * 1000000u + (unsigned long long)now.tv_nsec / 1000u);
    errno = saved;
#else
    (void)state;
#endif
}
