#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"

static int read_all(int fd, const char *path, size_t max, struct buf *out, struct err *e)
{
    size_t start = out->len;
    unsigned char chunk[16384];
    ssize_t n;
    int r = 0;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_errno(e, "%s", path);
        else if ((size_t)n > max - (out->len - start))
            r = err_set(e, ERR_LIMIT, "%s: larger than %zu octets", path, max);
        else if ((r = buf_append(out, chunk, (size_t)n)) < 0)
            err_set(e, r, "%s: %s", path, r == ERR_LIMIT ? "too large" : "out of memory");
        if (r < 0)
            break;
    }
    secret_wipe(chunk, sizeof chunk);
    if (r < 0 && out->data) {
        secret_wipe(out->data + start, out->len - start);
        out->len = start;
    }
    return r;
}

int file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    struct stat st;
    int fd, r;

    /* Non-blocking, so that a FIFO in the file's place cannot hold the program. */
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return err_set(e, ERR_ABSENT, "%s: no such file", path);
        return err_errno(e, "%s", path);
    }
    if (fstat(fd, &st) < 0)
        r = err_errno(e, "%s", path);
    else if (!S_ISREG(st.st_mode))
        r = err_set(e, ERR_USAGE, "%s: not a regular file", path);
    else if (st.st_size > 0 && (size_t)st.st_size > max)
        r = err_set(e, ERR_LIMIT, "%s: larger than %zu octets", path, max);
    else
        r = read_all(fd, path, max, out, e);
    close(fd);
    return r;
}

static int write_all(int fd, const unsigned char *p, size_t len)
{
    ssize_t n;

    while (len > 0) {
        if ((n = write(fd, p, len)) < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd, r = -1;

    if (!dir)
        return -1;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (fd < 0)
        return -1;
    /* EINVAL: a file system that has no such thing and needs none. */
    if (fsync(fd) == 0 || errno == EINVAL)
        r = 0;
    close(fd);
    return r;
}

/* Puts the finished temporary file in its place. link() is the one portable call that does not replace. */
static int put_in_place(const char *tmp, const char *path, int replace, struct err *e)
{
    if (replace) {
        if (rename(tmp, path) < 0)
            return err_errno(e, "%s", path);
    } else if (link(tmp, path) < 0) {
        if (errno == EEXIST)
            return err_set(e, ERR_EXISTS, "%s: exists already", path);
        return err_errno(e, "%s", path);
    } else {
        unlink(tmp);
    }
    if (sync_parent(path) < 0)
        return err_errno(e, "%s: directory", path);
    return 0;
}

static int write_file(const char *path, const void *data, size_t len, mode_t mode, int replace, struct err *e)
{
    char *tmp = NULL;
    int fd = -1, r;

    if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if ((fd = mkostemp(tmp, O_CLOEXEC)) < 0) {
        r = err_errno(e, "%s", path);
        free(tmp);
        return r;
    }
    if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0) {
        r = err_errno(e, "%s", path);
        close(fd);
    } else if (close(fd) < 0) {
        r = err_errno(e, "%s", path);
    } else {
        r = put_in_place(tmp, path, replace, e);
    }
    if (r < 0)
        unlink(tmp);
    free(tmp);
    return r;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
    return write_file(path, data, len, mode, 1, e);
}

int file_create(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
    return write_file(path, data, len, mode, 0, e);
}
