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

int stream_begin(const char *path, int force, struct stream_file *out, struct err *e)
{
    struct stat st;

    *out = STREAM_NONE;
    out->force = force;
    if (!force && lstat(path, &st) == 0)
        return err_set(e, ERR_EXISTS, "%s is there already; --force replaces it", path);
    return file_new_begin(path, &out->file, e);
}

int stream_finish(struct stream_file *f, struct err *e)
{
    int r = file_new_place(&f->file, f->force, e);

    return r == ERR_EXISTS ? err_set(e, r, "%s is there already; --force replaces it", f->file.path) : r;
}

void stream_abandon(struct stream_file *f)
{
    file_new_end(&f->file);
}

int stream_write(const char *path, int force, const struct buf *data, struct err *e)
{
    struct stream_file file;
    int r;

    if (!path || strcmp(path, "-") == 0)
        return stream_put(STDOUT_FILENO, data->data, data->len, e);
    if ((r = stream_begin(path, force, &file, e)) == 0 && (r = stream_put(file.file.fd, data->data, data->len, e)) == 0)
        r = stream_finish(&file, e);
    stream_abandon(&file);
    return r;
}
