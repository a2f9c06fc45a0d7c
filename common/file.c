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

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

static int sync_parent(const char *path)
{
    char *dir = directory_of(path);
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

/* ---- files that are there when they are whole ---- */

/* Under a name of its own, where there are no nameless files or no way to name them. */
static int begin_named(struct file_new *f)
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

int file_new_begin(const char *path, struct file_new *f, struct err *e)
{
    char *dir = directory_of(path);
    int r = 0;

    *f = (struct file_new){strdup(path), NULL, -1};
    if (!dir || !f->path)
        r = err_set(e, ERR_SYSTEM, "out of memory");
    else if (access("/proc/self/fd", X_OK) == 0)
        f->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (r == 0 && f->fd < 0 && begin_named(f) < 0)
        r = err_errno(e, "%s", path);
    free(dir);
    if (r < 0)
        file_new_end(f);
    return r;
}

/* The name of a file on its way to replace another: one for each place, so that what a killed process left is found. */
static char *passing_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    char *name;

    return asprintf(&name, "%.*s.%s.new", dir, path, path + dir) < 0 ? NULL : name;
}

/* Names the nameless file; errno EEXIST when something is there. */
static int name_it(const struct file_new *f, const char *path)
{
    char self[64];

    snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* link() is the one portable call that does not replace. */
static int put_new(struct file_new *f)
{
    if (!f->tmp)
        return name_it(f, f->path);
    if (link(f->tmp, f->path) < 0)
        return -1;
    unlink(f->tmp);
    free(f->tmp);
    f->tmp = NULL;
    return 0;
}

static int put_over(struct file_new *f)
{
    if (!f->tmp) {
        if (name_it(f, f->path) == 0)
            return 0;
        if (errno != EEXIST || !(f->tmp = passing_name(f->path)))
            return -1;
        if ((unlink(f->tmp) < 0 && errno != ENOENT) || name_it(f, f->tmp) < 0)
            return -1;
    }
    if (rename(f->tmp, f->path) < 0)
        return -1;
    free(f->tmp);
    f->tmp = NULL;
    return 0;
}

int file_new_place(struct file_new *f, int replace, struct err *e)
{
    if (fsync(f->fd) < 0)
        return err_errno(e, "%s", f->path);
    if ((replace ? put_over(f) : put_new(f)) < 0)
        return errno == EEXIST ? err_set(e, ERR_EXISTS, "%s: exists already", f->path) : err_errno(e, "%s", f->path);
    if (sync_parent(f->path) < 0)
        return err_errno(e, "%s: directory", f->path);
    return 0;
}

void file_new_end(struct file_new *f)
{
    if (f->tmp)
        unlink(f->tmp);
    if (f->fd >= 0)
        close(f->fd);
    free(f->tmp);
    free(f->path);
    *f = (struct file_new){NULL, NULL, -1};
}

static int write_file(const char *path, const void *data, size_t len, mode_t mode, int replace, struct err *e)
{
    struct file_new f;
    int r = file_new_begin(path, &f, e);

    if (r < 0)
        return r;
    if (fchmod(f.fd, mode) < 0 || write_all(f.fd, data, len) < 0)
        r = err_errno(e, "%s", path);
    else
        r = file_new_place(&f, replace, e);
    file_new_end(&f);
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
