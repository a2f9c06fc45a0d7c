/* berkeley-dir.h - the directory of a Berkeley DB keystore: who may use it, who has it open, what lies in it.
 *
 *   lock       held (flock) by the process that has the store open; its pid is in it
 *   watermark  the generation that the store has at least
 *   env/       the environment: one .db file a table, log files
 *   env.new/   a new one being written (keystore_scrub); env.old/ the former, about to be wiped
 */
#ifndef RECRYPT_BERKELEY_DIR_H
#define RECRYPT_BERKELEY_DIR_H

#include <stdint.h>

#include "../common/err.h"

struct berkeley_dir {
    int fd;        /* the directory */
    int lock;      /* the lock file, locked */
    int watermark; /* -1 = none yet */
    char *env, *env_new, *env_old; /* paths */
};

/* Makes (0700) or checks the directory, takes the lock, finishes or undoes a scrub that was interrupted. ERR_ABSENT,
 * ERR_EXISTS (open elsewhere), ERR_DENIED (not ours, or open to others), ERR_SYSTEM. */
int berkeley_dir_open(const char *path, int create, struct berkeley_dir *out, struct err *e);
void berkeley_dir_close(struct berkeley_dir *d);

int berkeley_dir_watermark_read(struct berkeley_dir *d, uint64_t *out, struct err *e);
int berkeley_dir_watermark_write(struct berkeley_dir *d, uint64_t value, struct err *e); /* synced */
/* The watermark file's inode number and time of birth: every way of putting a copy back, file by file, gives others. */
int berkeley_dir_home(struct berkeley_dir *d, char out[64], struct err *e);

/* Puts env.new in the place of env; a crash between leaves one of the two. Then wipe env.old. */
int berkeley_dir_exchange(struct berkeley_dir *d, struct err *e);
/* 0700; existing is fine. */
int berkeley_dir_make(const char *path, struct err *e);
/* Overwrites the files of a directory of ours with zeros, removes them and it. Absent is fine. */
int berkeley_dir_wipe(const char *path, struct err *e);

/* The names of the regular files in a directory, for the library: its own listing takes a directory that cannot be read
 * for an empty one, and begins a new log over the one that is there. 0, or an error number. */
int berkeley_dir_list(const char *path, char ***names, int *count);
void berkeley_dir_list_free(char **names, int count);

/* Is there room for what recovery writes? It fills the hole that the newest log file of an environment has at its end,
 * whatever is in the log; without room for all of it the library ends in a panic, with the disk a little fuller. 0, or
 * ERR_SYSTEM. */
int berkeley_dir_room(const char *env, struct err *e);
/* ERR_SYSTEM, and which file system is full. */
int berkeley_dir_full(const char *path, struct err *e);

#endif
