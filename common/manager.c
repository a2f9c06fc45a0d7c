#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

enum { FIRST_SOCKET = 3 };

/* A variable that is a number above 0, or else 0. */
static long number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n;

    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    n = strtol(text, &end, 10);
    return *end || errno ? 0 : n;
}

/* ---- telling ---- */

/* A path, or with '@' before it an abstract name. 0, or -1 and errno. */
static int name_of(const char *text, struct sockaddr_un *out, socklen_t *len)
{
    size_t n = strlen(text);

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof out->sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(out->sun_path, text, n);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (text[0] == '@') {
        out->sun_path[0] = 0;
        --*len; /* every octet counts in such a name */
    }
    return 0;
}

static int tell(const char *where, const char *what, size_t len)
{
    struct sockaddr_un name;
    socklen_t name_len;
    ssize_t n;
    int fd, saved;

    if (name_of(where, &name, &name_len) < 0 || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return -1;
    do
        n = sendto(fd, what, len, MSG_NOSIGNAL, (struct sockaddr *)&name, name_len);
    while (n < 0 && errno == EINTR);
    saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

void manager_tell(const char *state)
{
    const char *where = getenv("NOTIFY_SOCKET");
    struct timespec now;
    int saved = errno, n;
    char text[128];

    if (!where)
        return;
    /* RELOADING wants the time. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%lld", state,
                 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    if (n < 0 || (size_t)n >= sizeof text || tell(where, text, (size_t)n) < 0)
        log_warn("cannot tell the service manager %s: %s", state, strerror(errno));
    errno = saved;
}

/* ---- what it hands over and asks for ---- */

int manager_sockets(int *fd, struct err *e)
{
    const char *given = getenv("LISTEN_FDS");
    long n = number("LISTEN_FDS");
    int mine = number("LISTEN_PID") == (long)getpid(), r = 0;

    *fd = -1;
    if (given && mine && (n < 1 || n > INT_MAX - FIRST_SOCKET))
        r = err_set(e, ERR_USAGE, "LISTEN_FDS is no number of sockets");
    for (int i = 0; given && mine && r == 0 && i < n; i++)
        if (fcntl(FIRST_SOCKET + i, F_SETFD, FD_CLOEXEC) < 0)
            r = err_set(e, ERR_USAGE, "LISTEN_FDS: descriptor %d: %s", FIRST_SOCKET + i, strerror(errno));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (r < 0 || !given || !mine)
        return r;
    *fd = FIRST_SOCKET;
    return (int)n;
}

int64_t manager_watchdog(void)
{
    return getenv("WATCHDOG_PID") && number("WATCHDOG_PID") != (long)getpid() ? 0 : number("WATCHDOG_USEC");
}
