/* conf.h - configuration files (libconfuse) and the values that all programs share. */
#ifndef RECRYPT_CONF_H
#define RECRYPT_CONF_H

#include <confuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Parses path with opts. Unknown options, wrong types and duplicate sections are errors whose text names file and line.
 * *out is released with cfg_free. ERR_USAGE (syntax), ERR_ABSENT (no such file), ERR_SYSTEM. */
int conf_load(const char *path, cfg_opt_t *opts, cfg_t **out, struct err *e);

/* "25M", "512k", "1048576" -> octets. "90s", "10m", "2h", "7d" -> seconds. ERR_USAGE. */
int conf_size(const char *text, size_t *out, struct err *e);
int conf_seconds(const char *text, int64_t *out, struct err *e);

/* Name or number -> uid; its group into *gid when not NULL. ERR_USAGE when unknown. */
int conf_user(const char *text, uid_t *uid, gid_t *gid, struct err *e);

/* Who a daemon is to be: that user, or with NULL or "" whoever runs it; nobody of root's, so that what
 * conf_drop_privileges would refuse is known before anything is begun. ERR_USAGE. */
int conf_daemon_user(const char *name, uid_t *uid, gid_t *gid, struct err *e);

/* Drops root for good: groups, gid, uid; refuses to become root; checks that it cannot come back; other processes
 * of that user cannot look into this one (program_holds_keys). No-op when already that user. */
int conf_drop_privileges(uid_t uid, gid_t gid, struct err *e);

/* "unix:/path" or "/path" -> listening or connected stream socket; "inet:host:port" or "inet:port@host" for TCP.
 * listen: mode is the socket file's; a stale socket file is replaced, a live one is ERR_EXISTS. The descriptor is
 * close-on-exec. ERR_RETRY when nobody listens. */
int conf_listen(const char *address, mode_t mode, int *fd, struct err *e);
int conf_connect(const char *address, int timeout_ms, int *fd, struct err *e);

/* Reads a whole regular file of at most max octets, appended. write: to a file without a name, fsync, then its place,
 * fsync of the directory; replaced in one step or not at all. */
struct buf;
int file_read(const char *path, size_t max, struct buf *out, struct err *e);
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *e);
/* As file_write, but refuses to replace: ERR_EXISTS. */
int file_create(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* The same in steps, for what is written as a stream. begin: fd is open for writing, mode 0600, and the file has no
 * name yet: a process that is killed leaves nothing (where the file system has no such files: path and six characters).
 * place: syncs it, and it is there; ERR_EXISTS unless replace. A file to be replaced is for a moment beside it as
 * ".NAME.new", which the next replacing removes. end: after begin succeeded, always; what was not placed is gone. */
struct file_new {
    char *path, *tmp; /* tmp: NULL while it has no name */
    int fd;
};
int file_new_begin(const char *path, struct file_new *f, struct err *e);
int file_new_place(struct file_new *f, int replace, struct err *e);
void file_new_end(struct file_new *f);

#endif
