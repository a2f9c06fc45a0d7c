#include "berkeley-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Nobody but the owner: the private halves in the store are encrypted, the membership is not. */
static int check_owner(int fd, const char *path, int may_tighten, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, "%s", path);
    if (st.st_uid != geteuid())
        return err_set(e, ERR_DENIED, "%s: belongs to uid %ld, this is uid %ld", path, (long)st.st_uid,
                       (long)geteuid());
    if ((st.st_mode & 077) == 0)
        return 0;
    if (may_tighten)
        return fchmod(fd, 0700) == 0 ? 0 : err_errno(e, "%s", path);
    return err_set(e, ERR_DENIED, "%s: open to others; chmod 700 it", path);
}

static int take_lock(struct berkeley_dir *d, const char *path, struct err *e)
{
    char pid[24] = "";
    ssize_t n;

    if ((d->lock = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return err_errno(e, "%s/lock", path);
    if (flock(d->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_errno(e, "%s/lock", path);
        n = pread(d->lock, pid, sizeof pid - 1, 0);
        pid[n > 0 ? n : 0] = 0;
        pid[strcspn(pid, "\n")] = 0;
        return err_set(e, ERR_EXISTS, "%s: the keystore is in use by process %s", path, *pid ? pid : "(unknown)");
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* In this order: on a full disk what is given back is gone. */
    if (pwrite(d->lock, pid, (size_t)n, 0) != n || ftruncate(d->lock, n) < 0)
        return err_errno(e, "%s/lock", path);
    return 0;
}

/* So that the names in a directory are on disk, not only the files. */
static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0)
        return -1;
    r = fsync(fd);
    close(fd);
    return r;
}

static char *joined(const char *path, const char *name)
{
    char *out;

    return asprintf(&out, "%s/%s", path, name) < 0 ? NULL : out;
}

/* A scrub was interrupted: with env there it was before the exchange or after it; without, between. */
static int tidy(struct berkeley_dir *d, struct err *e)
{
    struct stat st;
    int r;

    if (stat(d->env, &st) < 0 && errno == ENOENT && stat(d->env_old, &st) == 0)
        if (rename(d->env_old, d->env) < 0 || fsync(d->fd) < 0)
            return err_errno(e, "%s", d->env);
    if ((r = berkeley_dir_wipe(d->env_new, e)) < 0)
        return r;
    return berkeley_dir_wipe(d->env_old, e);
}

int berkeley_dir_open(const char *path, int create, struct berkeley_dir *out, struct err *e)
{
    struct berkeley_dir d = {-1, -1, -1, NULL, NULL, NULL};
    struct stat st;
    int r, fresh;

    *out = d;
    if (create && (r = berkeley_dir_make(path, e)) < 0)
        return r;
    if ((d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return errno == ENOENT ? err_set(e, ERR_ABSENT, "%s: no keystore there", path) : err_errno(e, "%s", path);
    d.env = joined(path, "env");
    d.env_new = joined(path, "env.new");
    d.env_old = joined(path, "env.old");
    if (!d.env || !d.env_new || !d.env_old) {
        r = err_set(e, ERR_SYSTEM, "out of memory");
        goto out;
    }
    fresh = fstatat(d.fd, "env", &st, 0) < 0 && fstatat(d.fd, "env.old", &st, 0) < 0;
    if (fresh && !create) {
        r = err_set(e, ERR_ABSENT, "%s: no keystore there", path);
        goto out;
    }
    if ((r = check_owner(d.fd, path, fresh, e)) < 0 || (r = take_lock(&d, path, e)) < 0 || (r = tidy(&d, e)) < 0)
        goto out;
    if ((d.watermark = openat(d.fd, "watermark", O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0 && errno != ENOENT)
        r = err_errno(e, "%s/watermark", path);
    else
        r = berkeley_dir_make(d.env, e);
out:
    if (r < 0)
        berkeley_dir_close(&d);
    else
        *out = d;
    return r;
}

void berkeley_dir_close(struct berkeley_dir *d)
{
    if (d->watermark >= 0)
        close(d->watermark);
    if (d->lock >= 0)
        close(d->lock);
    if (d->fd >= 0)
        close(d->fd);
    free(d->env);
    free(d->env_new);
    free(d->env_old);
    *d = (struct berkeley_dir){-1, -1, -1, NULL, NULL, NULL};
}

int berkeley_dir_watermark_read(struct berkeley_dir *d, uint64_t *out, struct err *e)
{
    char text[32] = "", *end;
    ssize_t n;

    *out = 0;
    if (d->watermark < 0)
        return err_set(e, ERR_ABSENT, "no watermark");
    if ((n = pread(d->watermark, text, sizeof text - 1, 0)) < 0)
        return err_errno(e, "watermark");
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (n == 0 || errno || end == text || *end != '\n')
        return err_set(e, ERR_SYNTAX, "watermark: not a number");
    return 0;
}

/* In place and always as long: one sector, which is written whole or not at all. */
int berkeley_dir_watermark_write(struct berkeley_dir *d, uint64_t value, struct err *e)
{
    char text[32];
    int fresh = d->watermark < 0, n = snprintf(text, sizeof text, "%020" PRIu64 "\n", value);

    if (fresh && (d->watermark = openat(d->fd, "watermark", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return err_errno(e, "watermark");
    if (pwrite(d->watermark, text, (size_t)n, 0) != n || fdatasync(d->watermark) < 0 || (fresh && fsync(d->fd) < 0))
        return err_errno(e, "watermark");
    return 0;
}

int berkeley_dir_home(struct berkeley_dir *d, char out[64], struct err *e)
{
    struct statx st;

    out[0] = 0;
    if (d->watermark < 0)
        return err_set(e, ERR_ABSENT, "no watermark");
    if (statx(d->watermark, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
        return err_errno(e, "watermark");
    /* A freed inode number is soon used again, so the time of birth counts where the file system keeps one. */
    if (!(st.stx_mask & STATX_BTIME))
        memset(&st.stx_btime, 0, sizeof st.stx_btime);
    snprintf(out, 64, "%ju %jd.%09u", (uintmax_t)st.stx_ino, (intmax_t)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    return 0;
}

int berkeley_dir_exchange(struct berkeley_dir *d, struct err *e)
{
    if (sync_dir(d->env_new) < 0 || rename(d->env, d->env_old) < 0)
        return err_errno(e, "%s", d->env);
    if (rename(d->env_new, d->env) < 0 || fsync(d->fd) < 0)
        return err_errno(e, "%s", d->env_new);
    return 0;
}

int berkeley_dir_make(const char *path, struct err *e)
{
    char *parent = joined(path, "..");
    int r = 0;

    if (!parent)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if (mkdir(path, 0700) == 0)
        r = sync_dir(parent);
    else if (errno != EEXIST)
        r = -1;
    if (r < 0)
        r = err_errno(e, "%s", path);
    free(parent);
    return r;
}

/* Zeros over a run of octets. */
static int wipe_run(int fd, off_t at, off_t end)
{
    static const char zeros[65536];
    ssize_t n;

    for (; at < end; at += n)
        if ((n = pwrite(fd, zeros, end - at < (off_t)sizeof zeros ? (size_t)(end - at) : sizeof zeros, at)) <= 0)
            return -1;
    return 0;
}

/* Not the holes, which a log file has at its end: nothing is in them, and a full disk has no room for them. */
static int wipe_data(int fd)
{
    off_t at = 0, end;

    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        if ((end = lseek(fd, at, SEEK_HOLE)) < 0 || wipe_run(fd, at, end) < 0)
            return -1;
        at = end;
    }
    return errno == ENXIO ? fdatasync(fd) : -1;
}

static int wipe_file(int dir, const char *name)
{
    struct stat st;
    int fd, r = -1;

    if ((fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        r = wipe_data(fd);
    close(fd);
    return r < 0 ? -1 : unlinkat(dir, name, 0);
}

int berkeley_dir_wipe(const char *path, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_errno(e, "%s", path);
    while (r == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            wipe_file(dirfd(dir), entry->d_name) < 0)
            r = err_errno(e, "%s/%s", path, entry->d_name);
    closedir(dir);
    if (r == 0 && rmdir(path) < 0)
        r = err_errno(e, "%s", path);
    return r;
}

void berkeley_dir_list_free(char **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* 1 = a regular file, 0 = none, or gone by now; or minus the error number. */
static int is_file(int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) != 0;
}

static int add_name(const char *name, char ***names, int *count)
{
    char **more = reallocarray(*names, (size_t)*count + 1, sizeof *more);

    if (!more)
        return ENOMEM;
    *names = more;
    if (!(more[*count] = strdup(name)))
        return ENOMEM;
    ++*count;
    return 0;
}

int berkeley_dir_list(const char *path, char ***names, int *count)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int ret = 0, file;

    *names = NULL;
    *count = 0;
    if (!dir)
        return errno;
    while (ret == 0 && (errno = 0, entry = readdir(dir)))
        if ((file = is_file(dirfd(dir), entry->d_name)) != 0)
            ret = file < 0 ? -file : add_name(entry->d_name, names, count);
    ret = ret ? ret : errno;
    closedir(dir);
    if (ret) {
        berkeley_dir_list_free(*names, *count);
        *names = NULL;
        *count = 0;
    }
    return ret;
}

static uintmax_t free_octets(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) < 0 ? 0 : (uintmax_t)fs.f_bavail * fs.f_frsize;
}

int berkeley_dir_full(const char *path, struct err *e)
{
    return err_set(e, ERR_SYSTEM, "%s: the file system is full: no space left, %ju KB are free", path,
                   free_octets(path) >> 10);
}

/* Of a file that was made at its full size, with a hole that is filled as it is written. */
static uintmax_t hole(int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size <= st.st_blocks * 512)
        return 0;
    return (uintmax_t)(st.st_size - st.st_blocks * 512);
}

int berkeley_dir_room(const char *path, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char last[NAME_MAX + 1] = "";
    uintmax_t need, have = free_octets(path);

    if (!dir)
        return err_errno(e, "%s", path);
    while ((errno = 0, entry = readdir(dir)))
        if (strncmp(entry->d_name, "log.", 4) == 0 && strcmp(entry->d_name, last) > 0)
            snprintf(last, sizeof last, "%s", entry->d_name);
    if (errno) {
        err_errno(e, "%s", path);
        closedir(dir);
        return ERR_SYSTEM;
    }
    need = *last ? hole(dirfd(dir), last) : 0;
    closedir(dir);
    if (need <= have)
        return 0;
    return err_set(e, ERR_SYSTEM, "%s: the file system is full: recovery needs %ju KB, %ju KB are free", path,
                   need >> 10, have >> 10);
}
