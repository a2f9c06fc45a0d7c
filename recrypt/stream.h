/* stream.h - what a command reads and writes: a file or standard input; standard output or a file put in place in one
 * step. */
#ifndef RECRYPT_STREAM_H
#define RECRYPT_STREAM_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"

enum { STREAM_MESSAGE_MAX = 200 << 20 };

/* A whole message: path NULL or "-" = standard input. */
int stream_read(const char *path, struct buf *out, struct err *e);
/* out NULL = standard output; a file is replaced only with force (ERR_EXISTS). Mode 0600. */
int stream_write(const char *path, int force, const struct buf *data, struct err *e);

/* A file that is written piece by piece and has its name only after stream_finish: until then, where the file system
 * can do so, no name at all, so that nothing of it is left behind even by a kill. */
struct stream_file {
    struct file_new file;
    int force;
};
#define STREAM_NONE ((struct stream_file){{NULL, NULL, -1}, 0})
int stream_begin(const char *path, int force, struct stream_file *out, struct err *e);
int stream_finish(struct stream_file *f, struct err *e); /* on disk when this returns 0 */
void stream_abandon(struct stream_file *f);              /* removes what there is; no-op after stream_finish */

/* All octets, also after short writes and signals. ERR_SYSTEM. */
int stream_put(int fd, const void *data, size_t len, struct err *e);

#endif
