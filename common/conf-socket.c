#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "conf-socket.h"
#include "conf.h"

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The path of a Unix address, NULL when it is no such address. */
static const char *unix_path(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        return address + 5;
    return address[0] == '/' ? address : NULL;
}

static int unix_name(const char *path, struct sockaddr_un *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (path[0] != '/' || strlen(path) >= sizeof out->sun_path)
        return err_set(e, ERR_USAGE, "'%s': a socket's path begins with '/' and has at most %zu octets", path,
                       sizeof out->sun_path - 1);
    strcpy(out->sun_path, path);
    return 0;
}

/* "inet:host:port", "inet:[v6]:port" or "inet:port@host"; host "*" is every address. name (may be NULL) gets the
 * host. */
static int inet_name(const char *address, int passive, struct addrinfo **out, char name[CONF_HOST_SIZE], struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
    char text[300], *host, *port, *cut;
    int r;

    if (strncmp(address, "inet:", 5) != 0 || strlen(address + 5) >= sizeof text)
        return err_set(e, ERR_USAGE, "'%s' is not a socket address (unix:/path, inet:host:port)", address);
    strcpy(text, address + 5);
    if ((cut = strchr(text, '@'))) {
        port = text;
        host = cut + 1;
    } else if ((cut = strrchr(text, ':'))) {
        host = text;
        port = cut + 1;
    } else {
        return err_set(e, ERR_USAGE, "'%s': host or port missing", address);
    }
    *cut = 0;
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = 0;
        host++;
    }
    if (!*host || !*port)
        return err_set(e, ERR_USAGE, "'%s': host or port missing", address);
    if ((r = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, out)) != 0)
        return err_set(e, r == EAI_AGAIN || r == EAI_SYSTEM ? ERR_RETRY : ERR_USAGE, "'%s': %s", address,
                       gai_strerror(r));
    if (name)
        snprintf(name, CONF_HOST_SIZE, "%s", host);
    return 0;
}

/* Removes the socket file of a program that is no more. */
static int clear_stale(const struct sockaddr_un *name, struct err *e)
{
    struct stat st;
    int fd, r, saved;

    if (lstat(name->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", name->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_EXISTS, "%s: exists and is not a socket", name->sun_path);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return err_errno(e, "socket");
    r = connect(fd, (const struct sockaddr *)name, sizeof *name);
    saved = errno;
    close(fd);
    if (r == 0 || saved == EAGAIN)
        return err_set(e, ERR_EXISTS, "%s: another program listens there", name->sun_path);
    if (saved != ECONNREFUSED && saved != ENOENT) {
        errno = saved;
        return err_errno(e, "%s", name->sun_path);
    }
    if (unlink(name->sun_path) < 0 && errno != ENOENT)
        return err_errno(e, "%s", name->sun_path);
    return 0;
}

/* The file gets its mode as it is made: from the socket, on Linux, less the umask. Not by its name afterwards: this may
 * be root in a folder of the user it becomes, who may have put a link to something else there. */
static int bind_unix(int fd, const struct sockaddr_un *name, mode_t mode)
{
    mode_t before;
    int r, saved;

    if (fchmod(fd, mode) < 0)
        return -1;
    before = umask(0);
    r = bind(fd, (const struct sockaddr *)name, sizeof *name);
    saved = errno;
    umask(before);
    errno = saved;
    return r;
}

static int listen_unix(const char *path, mode_t mode, int *out, struct err *e)
{
    struct sockaddr_un name;
    int fd, r;

    if ((r = unix_name(path, &name, e)) < 0 || (r = clear_stale(&name, e)) < 0)
        return r;
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return err_errno(e, "socket");
    if (bind_unix(fd, &name, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
        r = errno == EADDRINUSE ? err_set(e, ERR_EXISTS, "%s: another program listens there", path)
                                : err_errno(e, "%s", path);
        close(fd);
        return r;
    }
    *out = fd;
    return 0;
}

static int listen_inet(const char *address, int *out, struct err *e)
{
    struct addrinfo *list, *a;
    int fd = -1, on = 1, saved = 0, r;

    if ((r = inet_name(address, 1, &list, NULL, e)) < 0)
        return r;
    for (a = list; a; a = a->ai_next) {
        if ((fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol)) >= 0) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
                break;
        }
        saved = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        errno = saved;
        return saved == EADDRINUSE ? err_set(e, ERR_EXISTS, "%s: another program listens there", address)
                                   : err_errno(e, "%s", address);
    }
    *out = fd;
    return 0;
}

int conf_listen(const char *address, mode_t mode, int *fd, struct err *e)
{
    const char *path = unix_path(address);

    *fd = -1;
    return path ? listen_unix(path, mode, fd, e) : listen_inet(address, fd, e);
}

/* 0 when connected before the deadline, else -1 and errno. */
static int connect_until(int fd, const struct sockaddr *sa, socklen_t len, int64_t deadline)
{
    struct pollfd p = {fd, POLLOUT, 0};
    const struct timespec pause = {0, 10 * 1000 * 1000};
    int64_t left;
    int error, n;
    socklen_t size = sizeof error;

    while (connect(fd, sa, len) < 0) {
        left = deadline - now_ms();
        if (errno == EISCONN)
            return 0;
        if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR) {
            if ((n = poll(&p, 1, left > 0 ? (int)left : 0)) < 0 && errno != EINTR)
                return -1;
            if (n > 0 && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)) {
                errno = error ? error : errno;
                return -1;
            }
        } else if (errno == EAGAIN) { /* a Unix listener whose queue is full says so instead of waiting */
            nanosleep(&pause, NULL);
        } else {
            return -1;
        }
        if (deadline - now_ms() <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
    return 0;
}

static int connect_one(int family, const struct sockaddr *sa, socklen_t len, int64_t deadline, int *out)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, saved;

    if (fd < 0)
        return -1;
    /* Who writes a message in pieces would wait for the peer's delayed acknowledgement, 40 ms, before the last one. */
    if (family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect_until(fd, sa, len, deadline) < 0 || fcntl(fd, F_SETFL, 0) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *out = fd;
    return 0;
}

/* What errno says about it. */
static int not_connected(const char *what, struct err *e)
{
    int r = err_errno(e, "%s", what);

    if (errno != ENOENT && errno != ECONNREFUSED && errno != ETIMEDOUT && errno != ECONNRESET)
        return r;
    if (e)
        e->code = ERR_RETRY;
    return ERR_RETRY;
}

int conf_connect_to(const struct conf_address *to, int timeout_ms, int *fd, struct err *e)
{
    *fd = -1;
    return connect_one(to->sa.ss_family, (const struct sockaddr *)&to->sa, to->len, now_ms() + timeout_ms, fd) == 0
               ? 0
               : not_connected("connect", e);
}

int conf_connect(const char *address, int timeout_ms, int *fd, struct err *e)
{
    const char *path = unix_path(address);
    int64_t deadline = now_ms() + timeout_ms;
    struct sockaddr_un name;
    struct addrinfo *list, *a;
    int r;

    *fd = -1;
    if (path) {
        if ((r = unix_name(path, &name, e)) < 0)
            return r;
        r = connect_one(AF_UNIX, (struct sockaddr *)&name, sizeof name, deadline, fd);
    } else {
        if ((r = inet_name(address, 0, &list, NULL, e)) < 0)
            return r;
        for (a = list, r = -1; a && r < 0; a = a->ai_next)
            r = connect_one(a->ai_family, a->ai_addr, a->ai_addrlen, deadline, fd);
        freeaddrinfo(list);
    }
    return r == 0 ? 0 : not_connected(address, e);
}

int conf_resolve(const char *address, struct conf_address *out, size_t max, size_t *count, char host[CONF_HOST_SIZE],
                 struct err *e)
{
    const char *path = unix_path(address);
    struct sockaddr_un name;
    struct addrinfo *list;
    int r;

    *count = 0;
    if (host)
        *host = 0;
    if (path) {
        if ((r = unix_name(path, &name, e)) < 0)
            return r;
        memset(&out[0].sa, 0, sizeof out[0].sa);
        memcpy(&out[0].sa, &name, sizeof name);
        out[0].len = sizeof name;
        *count = 1;
        return 0;
    }
    if ((r = inet_name(address, 0, &list, host, e)) < 0)
        return r;
    for (struct addrinfo *a = list; a && *count < max; a = a->ai_next) {
        memset(&out[*count].sa, 0, sizeof out[*count].sa);
        memcpy(&out[*count].sa, a->ai_addr, a->ai_addrlen);
        out[(*count)++].len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return *count ? 0 : err_set(e, ERR_USAGE, "'%s': no address", address);
}

int conf_is_local(const struct sockaddr *sa)
{
    const struct in6_addr *six;

    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == 127;
    if (sa->sa_family != AF_INET6)
        return sa->sa_family == AF_UNIX;
    six = &((const struct sockaddr_in6 *)sa)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}
