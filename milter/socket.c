#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"

/* The file name in an address; NULL when it is none. */
static const char *file_of(const char *address)
{
    if (!strncmp(address, "unix:", 5))
        return address + 5;
    if (!strncmp(address, "local:", 6))
        return address + 6;
    return address[0] == '/' ? address : NULL;
}

static int replace_stale(const char *path, struct err *e)
{
    struct stat st;
    int fd = -1, r;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_EXISTS, "%s is there and is no socket", path);
    r = conf_connect(path, 2000, &fd, e);
    if (fd >= 0)
        close(fd);
    if (!r)
        return err_set(e, ERR_EXISTS, "%s: another process listens there", path);
    if (r != ERR_RETRY && r != ERR_ABSENT)
        return r;
    return unlink(path) < 0 && errno != ENOENT ? err_errno(e, "%s", path) : 0;
}

/* This may be root, and the folder the user's that it becomes: a link to something else in the socket's place is left
 * alone. */
static int give(const char *path, uid_t uid, gid_t gid, struct err *e)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        r = err_errno(e, "%s", path);
    else if (!S_ISSOCK(st.st_mode))
        r = err_set(e, ERR_EXISTS, "%s: something else was put in the socket's place", path);
    else if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
        r = err_errno(e, "%s: owner", path);
    if (fd >= 0)
        close(fd);
    return r;
}

/* Everybody's address stands for our own. */
static void to_loopback(struct sockaddr_storage *sa)
{
    struct sockaddr_in *four = (struct sockaddr_in *)sa;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)sa;

    if (sa->ss_family == AF_INET && four->sin_addr.s_addr == htonl(INADDR_ANY))
        four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
        six->sin6_addr = in6addr_loopback;
}

/* libmilter has forms of an address that nobody else reads, and tells no descriptor: the first socket from there on
 * that listens says itself where. Should there be none, the address is one that cannot be connected to. */
static void find_listener(int from, struct conf_address *out)
{
    enum { RESOLVERS = 16 }; /* a name service may have kept some descriptors */
    socklen_t len;
    int listens;

    memset(out, 0, sizeof *out);
    for (int fd = from; fd < from + RESOLVERS; fd++) {
        len = sizeof listens;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)
            continue;
        out->len = sizeof out->sa;
        (void)getsockname(fd, (struct sockaddr *)&out->sa, &out->len);
        to_loopback(&out->sa);
        return;
    }
}

/* The lowest descriptor that is not in use. */
static int next_descriptor(void)
{
    int fd = open("/", O_PATH | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd;
}

int milter_socket_group(const struct settings *s, gid_t *gid, struct err *e)
{
    const struct group *group = s->socket_group ? getgrnam(s->socket_group) : NULL;

    *gid = group ? group->gr_gid : (gid_t)-1;
    return s->socket_group && !group ? err_set(e, ERR_USAGE, "socket_group: no group \"%s\"", s->socket_group) : 0;
}

static int set_owner(const struct settings *s, const char *path, struct err *e)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1, named;
    int r;

    if ((s->user && (r = conf_user(s->user, &uid, &gid, e)) < 0) || (r = milter_socket_group(s, &named, e)) < 0)
        return r;
    if (s->socket_group)
        gid = named;
    return s->user || s->socket_group ? give(path, uid, gid, e) : 0;
}

int milter_socket_open(const struct settings *s, struct wake *w, struct err *e)
{
    const char *path = file_of(s->socket);
    struct conf_address listener;
    struct err why;
    mode_t before;
    int r, from;

    if (!path)
        log_warn(
            "%s: whoever can connect there can find out who is on a list; a Unix socket is the mail server's alone",
            s->socket);
    if (path && (r = replace_stale(path, e)) < 0)
        return r;
    if (smfi_setconn(s->socket) != MI_SUCCESS)
        return err_set(e, ERR_USAGE, "socket: \"%s\" is no address that libmilter takes", s->socket);
    /* It is made with its mode; until it has its group, that is open to root's. */
    from = next_descriptor();
    before = umask(~s->socket_mode & 0777);
    r = smfi_opensocket(false);
    umask(before);
    if (r != MI_SUCCESS)
        return err_set(e, ERR_SYSTEM, "%s: cannot listen", s->socket);
    find_listener(from, &listener);
    if (wake_open(&listener, w, &why) < 0)
        log_warn("connections may have to wait for one another, since none of my own can be made: %s", why.text);
    return path ? set_owner(s, path, e) : 0;
}
