#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"

static int read_all(int fd, struct buf *out, struct err *e)
{
    ssize_t n;
    int r;

    while ((r = buf_reserve(out, 65536)) == 0) {
        n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot read the message");
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        out->data[out->len] = 0;
    }
    if (r == ERR_LIMIT)
        return err_set(e, r, "the message is larger than %d MiB", STREAM_MESSAGE_MAX >> 20);
    return err_errno(e, "out of memory");
}

int stream_read(const char *path, struct buf *out, struct err *e)
{
    int fd, r;

    out->max = STREAM_MESSAGE_MAX + 65536; /* what is reserved, not only what is read, must stay below */
    if (!path || strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out, e);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return errno == ENOENT ? err_set(e, ERR_ABSENT, "%s: no such file", path) : err_errno(e, "%s", path);
    if ((r = read_all(fd, out, e)) < 0)
        err_prefix(e, "%s", path);
    close(fd);
    return r;
}

int stream_put(int fd, const void *data, size_t len, struct err *e)
{
    const unsigned char *p = data;
    ssize_t n;

    while (len > 0) {
        if ((n = write(fd, p, len)) < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(e, "cannot write the output");
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

/* Under a name of its own, for file systems without nameless files. */
static int begin_named(struct stream_file *f)
{
    if (asprintf(&f->tmp, "%s.XXXXXX", f->path) < 0) {
        f->tmp = NULL;
        return -1;
    }
    if ((f->fd = mkostemp(f->tmp, O_CLOEXEC)) < 0) {
        free(f->tmp);
        f->tmp = NULL;
    }
    return f->fd;
}

int stream_begin(const char *path, int force, struct stream_file *out, struct err *e)
{
    struct stat st;
    char *dir = NULL;
    int r = 0;

    memset(out, 0, sizeof *out);
    out->fd = -1;
    out->force = force;
    if (!force && lstat(path, &st) == 0)
        return err_set(e, ERR_EXISTS, "%s is there already; --force replaces it", path);
    if (!(out->path = strdup(path)) || !(dir = directory_of(path)))
        r = err_errno(e, "out of memory");
    else if ((out->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)) < 0 && begin_named(out) < 0)
        r = err_errno(e, "cannot make a file beside %s", path);
    free(dir);
    if (r < 0)
        stream_abandon(out);
    return r;
}

/* The directory's entry must last as well before success is said. */
static int sync_directory(const char *path, struct err *e)
{
    char *dir = directory_of(path);
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, r = 0;

    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        r = err_errno(e, "the directory of %s", path);
    if (fd >= 0)
        close(fd);
    free(dir);
    return r;
}

/* Gives a nameless file its name. */
static int link_fd(int fd, const char *path)
{
    char self[64];

    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* To replace another file it takes a name beside that one's first: a link replaces nothing, and a rename needs a name. */
static int name_it(struct stream_file *f)
{
    unsigned char random[6];

    if (getentropy(random, sizeof random) < 0 || asprintf(&f->tmp, "%s.%02x%02x%02x%02x%02x%02x", f->path, random[0],
                                                          random[1], random[2], random[3], random[4], random[5]) < 0) {
        f->tmp = NULL;
        return -1;
    }
    if (link_fd(f->fd, f->tmp) == 0)
        return 0;
    free(f->tmp);
    f->tmp = NULL;
    return -1;
}

static int put_in_place(struct stream_file *f)
{
    if (f->force)
        return !f->tmp && name_it(f) < 0 ? -1 : rename(f->tmp, f->path);
    if (!f->tmp)
        return link_fd(f->fd, f->path);
    if (link(f->tmp, f->path) < 0)
        return -1;
    unlink(f->tmp);
    return 0;
}

int stream_finish(struct stream_file *f, struct err *e)
{
    if (fsync(f->fd) < 0)
        return err_errno(e, "%s", f->path);
    if (put_in_place(f) < 0)
        return errno == EEXIST ? err_set(e, ERR_EXISTS, "%s is there already; --force replaces it", f->path)
                               : err_errno(e, "%s", f->path);
    free(f->tmp);
    f->tmp = NULL;
    return sync_directory(f->path, e);
}

void stream_abandon(struct stream_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->tmp)
        unlink(f->tmp);
    free(f->tmp);
    free(f->path);
    memset(f, 0, sizeof *f);
    f->fd = -1;
}

int stream_write(const char *path, int force, const struct buf *data, struct err *e)
{
    struct stream_file file;
    int r;

    if (!path || strcmp(path, "-") == 0)
        return stream_put(STDOUT_FILENO, data->data, data->len, e);
    if ((r = stream_begin(path, force, &file, e)) == 0 && (r = stream_put(file.fd, data->data, data->len, e)) == 0)
        r = stream_finish(&file, e);
    stream_abandon(&file);
    return r;
}
