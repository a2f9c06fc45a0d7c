/* keystore.h - where recryptd keeps groups, keys, members and entries: one vtable, one file per backend.
 *
 * Three different answers, as in Postfix's dict.h: found (0), absent (ERR_ABSENT), try again later (ERR_RETRY or
 * ERR_SYSTEM). Values are opaque octets here; records.h gives them meaning. Keys sort as octets.
 */
#ifndef RECRYPT_KEYSTORE_H
#define RECRYPT_KEYSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/err.h"

enum keystore_table {
    KEYSTORE_META,     /* "format", "generation", ... */
    KEYSTORE_ACCOUNTS, /* canonical address -> account record */
    KEYSTORE_KEYS,     /* group key id -> key record */
    KEYSTORE_MEMBERS,  /* group address NUL member address -> member record */
    KEYSTORE_ENTRIES,  /* group key id NUL member address -> entry record */
    KEYSTORE_SIGNERS,  /* UDF of a signature key -> signer record */
    /* job id [NUL page] -> a fan-out's progress; a store made before there was this table gets it at opening */
    KEYSTORE_JOBS,
    /* account NUL "waiting" NUL key, or "device" NUL member, or "share" NUL group key id -> what a person's devices
     * need; nothing secret. Came later, as JOBS */
    KEYSTORE_DEVICES,
    KEYSTORE_TABLES
};
enum { KEYSTORE_KEY_MAX = 1024, KEYSTORE_VALUE_MAX = 16 << 20, KEYSTORE_FORMAT = 1 };

struct keystore; /* one open store; one thread */

/* Opens type ("berkeley", or any registered) at location (a directory; a connection string). create: make it when it is
 * not there. ERR_EXISTS: another process has it open. ERR_UNSUPPORTED: written by a newer version. ERR_ABSENT.
 * ERR_STALE: older than the watermark beside it says, or not in the place it was made in: a restored copy, whose lists
 * may still have members who were removed since. ERR_SYNTAX: no keystore, or a load that was not finished.
 * read_only opens for dump and check: a stale store too; put and delete are ERR_DENIED. Of Berkeley DB: out of memory
 * the process may end, with EX_TEMPFAIL and a line in the log. */
int keystore_open(const char *type, const char *location, int create, int read_only, struct keystore **out,
                  struct err *e);
void keystore_close(struct keystore **ks);

/* One transaction at a time. commit returns 0 only when the change is on disk; it adds one to the generation, in the
 * store and then in the watermark file, when anything was put or deleted, unless all of it in JOBS: progress is no
 * state to be held to. After any failed call inside a transaction: abort. */
int keystore_begin(struct keystore *ks, struct err *e);
int keystore_commit(struct keystore *ks, struct err *e);
void keystore_abort(struct keystore *ks);

/* Inside a transaction or outside (then on its own, reading only for get and scan; put and delete need one). Delete of
 * what is not there is ERR_ABSENT and harms no transaction. The META keys "format", "generation", "home", "loading" and
 * "unscrubbed" are the store's own: ERR_DENIED. A store that cannot be trusted any more (a disk error, a damaged page)
 * answers ERR_SYSTEM to everything until it is opened anew: keystore_broken tells. */
int keystore_get(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, struct buf *value,
                 struct err *e);
int keystore_put(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, const void *value,
                 size_t len, struct err *e);
int keystore_delete(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, struct err *e);

/* Calls back for every pair whose key begins with prefix, in order; the store must not be changed meanwhile. A
 * non-zero result stops and is returned. */
typedef int keystore_visit(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e);
int keystore_scan(struct keystore *ks, enum keystore_table t, const void *prefix, size_t prefix_len,
                  keystore_visit *visit, void *arg, struct err *e);

int keystore_generation(struct keystore *ks, uint64_t *out, struct err *e);

/* True once the store refuses everything: the program should exit and be started again. */
int keystore_broken(const struct keystore *ks);

/* True when values were deleted (but from JOBS and DEVICES, which have no secrets), or replaced in KEYS or ENTRIES,
 * that the files may still hold. */
int keystore_needs_scrub(struct keystore *ks);
/* Rewrites the store from what is in it now, overwrites the old files with zeros and removes them, so that no deleted
 * or replaced value stays in freed pages, page slack or the transaction log. Outside a transaction; costs a pass over
 * the whole store and as much disk space again; killed at any point it leaves the old store or the new one. The caller
 * calls it soon after a removal; until then, and as long as the next lines say, such values are on the disk.
 * What remains: blocks that the file system or the drive moved before they were overwritten (copy on write, journalled
 * data, flash translation), snapshots, backups, swap. */
int keystore_scrub(struct keystore *ks, struct err *e);

/* Verifies the files' structure and checksums (the store must not be open elsewhere). Text goes to e on failure. */
int keystore_verify(const char *type, const char *location, struct err *e);

/* The backend's side. */
struct keystore_backend {
    const char *type;
    int (*open)(const char *location, int create, int read_only, void **state, struct err *e);
    void (*close)(void *state);
    int (*begin)(void *state, struct err *e);
    int (*commit)(void *state, struct err *e);
    void (*abort)(void *state);
    int (*get)(void *state, enum keystore_table t, const void *key, size_t key_len, struct buf *value, struct err *e);
    int (*put)(void *state, enum keystore_table t, const void *key, size_t key_len, const void *value, size_t len,
               struct err *e);
    int (*del)(void *state, enum keystore_table t, const void *key, size_t key_len, struct err *e);
    int (*scan)(void *state, enum keystore_table t, const void *prefix, size_t prefix_len, keystore_visit *visit,
                void *arg, struct err *e);
    int (*verify)(const char *location, struct err *e);
    int (*broken)(void *state);
    /* Beside the store, not in it. read: ERR_ABSENT when there is none. */
    int (*watermark_read)(void *state, uint64_t *out, struct err *e);
    int (*watermark_write)(void *state, uint64_t value, struct err *e);
    /* A name for the place where the store is, another one once its files were copied. NULL = has none. */
    int (*home)(void *state, char out[64], struct err *e);
    int (*scrub)(void *state, struct err *e);
};
extern const struct keystore_backend keystore_berkeley;

#endif
