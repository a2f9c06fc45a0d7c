/* Berkeley DB 5.3. One process opens the environment and one thread uses it, so there is no lock table; its regions are
 * private memory (and touched at once, DB_REGION_INIT), since a mapped region on a full disk ends in SIGBUS. */
#include <db.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "berkeley-dir.h"
#include "common/log.h"
#include "keystore.h"

enum {
    CACHE_SIZE = 8 << 20,
    LOG_FILE_SIZE = 4 << 20,
    LOG_BUFFER_SIZE = 512 << 10,
    CHECKPOINT_KB = 1024,    /* of log between two checkpoints */
    COPY_CHECKPOINT_KB = 16384, /* in a scrub */
    PAGE_SIZE = 4096,        /* what a disk writes whole */
    COPY_BATCH = 1 << 20     /* octets in one transaction of a scrub */
};

/* META is made last: a store that has it has all. */
static const char *const files[KEYSTORE_TABLES] = {"meta.db",    "accounts.db", "keys.db",
                                                   "members.db", "entries.db",  "signers.db", "jobs.db",
                                                   "devices.db"};

struct environment {
    const char *home; /* the directory; not ours */
    DB_ENV *env;
    DB *db[KEYSTORE_TABLES];
    int broken;
    int cause;         /* of the library's panic: an error number, 0 = none yet */
    char message[256]; /* the library's last word */
};

struct berkeley {
    struct berkeley_dir dir;
    struct environment live;
    DB_TXN *txn;
};

static void on_message(const DB_ENV *env, const char *prefix, const char *text)
{
    struct environment *v = env->app_private;

    (void)prefix;
    snprintf(v->message, sizeof v->message, "%s", text);
}

static void on_event(DB_ENV *env, u_int32_t event, void *info)
{
    struct environment *v = env->app_private;

    if (event != DB_EVENT_PANIC)
        return;
    v->broken = 1;
    if (info && !v->cause)
        v->cause = *(const int *)info;
}

/* A full disk leaves the store as it is. After any other disk error, and after what the library calls a panic, nothing
 * that was read or cached can be relied on. A panic is named by what it came from: the words after it are of its
 * consequences. */
static int failed(struct environment *v, int ret, const char *what, struct err *e)
{
    int reason = ret == DB_RUNRECOVERY && v->cause ? v->cause : ret;
    const char *more = reason == ret ? v->message : "";

    if (ret == DB_NOTFOUND)
        return err_set(e, ERR_ABSENT, "no such record");
    if (ret == DB_RUNRECOVERY || ret == DB_PAGE_NOTFOUND || ret == EIO)
        v->broken = 1;
    if (reason == ENOSPC || reason == EDQUOT)
        berkeley_dir_full(v->home, e);
    else
        err_set(e, ERR_SYSTEM, "%s: %s: %s%s%s", v->home, what, db_strerror(reason), *more ? ": " : "", more);
    v->message[0] = 0;
    return ERR_SYSTEM;
}

static int usable(struct berkeley *b, struct err *e)
{
    if (!b->live.broken && b->live.env)
        return 0;
    return err_set(e, ERR_SYSTEM, "keystore: failed before, has to be opened anew");
}

/* What broken says is kept. */
static void environment_close(struct environment *v)
{
    for (int t = 0; t < KEYSTORE_TABLES; t++)
        if (v->db[t])
            v->db[t]->close(v->db[t], 0);
    memset(v->db, 0, sizeof v->db);
    if (v->env) {
        v->env->txn_checkpoint(v->env, 0, 0, DB_FORCE);
        v->env->close(v->env, 0);
    }
    v->env = NULL;
}

static int open_table(struct environment *v, int t, int create)
{
    DB *db;
    int ret;

    if ((ret = db_create(&db, v->env, 0)) != 0)
        return ret;
    v->db[t] = db;
    if ((ret = db->set_flags(db, DB_CHKSUM)) != 0 || (ret = db->set_pagesize(db, PAGE_SIZE)) != 0)
        return ret;
    /* The tables that came later: stores that were made without them are complete. */
    create |= t == KEYSTORE_JOBS || t == KEYSTORE_DEVICES;
    return db->open(db, NULL, files[t], NULL, DB_BTREE, DB_AUTO_COMMIT | (create ? DB_CREATE : 0), 0600);
}

/* The library uses a file again that it could not close, and crashes. Whatever close says, the descriptor is gone, and
 * what is to last was synced before. */
static int close_file(int fd)
{
    (void)close(fd);
    return 0;
}

/* While it opens an environment the library takes want of memory for the log's end: it recovers less than was
 * acknowledged, and writes on from there. A process that ends in the middle of it loses nothing. */
static int opening;

static void *or_end(void *p)
{
    if (p || !opening)
        return p;
    log_error("keystore: out of memory while it is opened: ended, so that nothing is lost; start it again");
    _exit(EX_TEMPFAIL);
}

static void *allocate(size_t size)
{
    return or_end(malloc(size));
}

static void *reallocate(void *p, size_t size)
{
    return or_end(realloc(p, size));
}

static int list_files(const char *path, char ***names, int *count)
{
    int ret = berkeley_dir_list(path, names, count);

    if (ret == ENOMEM)
        or_end(NULL);
    return ret;
}

static int set_functions(void)
{
    int ret;

    if ((ret = db_env_set_func_close(close_file)) != 0 || (ret = db_env_set_func_malloc(allocate)) != 0 ||
        (ret = db_env_set_func_realloc(reallocate)) != 0 || (ret = db_env_set_func_dirlist(list_files)) != 0)
        return ret;
    return db_env_set_func_dirfree(berkeley_dir_list_free);
}

/* Recovery runs at every opening: it costs little after an orderly end. */
static int open_all(struct environment *v, const char *home, int create, struct err *e)
{
    const u_int32_t flags = DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_INIT_TXN | DB_INIT_LOG | DB_INIT_MPOOL;
    DB_ENV *env;
    int ret;

    memset(v, 0, sizeof *v);
    v->home = home;
    if (berkeley_dir_room(home, e) < 0)
        return ERR_SYSTEM;
    if ((ret = set_functions()) != 0 || (ret = db_env_create(&env, 0)) != 0)
        return failed(v, ret, "environment", e);
    v->env = env;
    env->app_private = v;
    env->set_errcall(env, on_message);
    env->set_errfile(env, NULL);
    if ((ret = env->set_event_notify(env, on_event)) != 0 || (ret = env->set_flags(env, DB_REGION_INIT, 1)) != 0 ||
        (ret = env->set_flags(env, DB_NOMMAP, 1)) != 0 || (ret = env->set_cachesize(env, 0, CACHE_SIZE, 1)) != 0 ||
        (ret = env->set_lg_max(env, LOG_FILE_SIZE)) != 0 || (ret = env->set_lg_bsize(env, LOG_BUFFER_SIZE)) != 0 ||
        (ret = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1)) != 0 ||
        (ret = env->open(env, home, flags, 0600)) != 0)
        goto out;
    for (int t = KEYSTORE_TABLES - 1; t >= 0; t--)
        if ((ret = open_table(v, t, create)) != 0)
            goto out;
out:
    if (ret == 0)
        return 0;
    failed(v, ret, "open", e);
    environment_close(v);
    return ERR_SYSTEM;
}

static int environment_open(struct environment *v, const char *home, int create, struct err *e)
{
    int r;

    opening = 1;
    r = open_all(v, home, create, e);
    opening = 0;
    return r;
}

static int table_exists(const char *home, const char *file)
{
    char *path;
    int there;

    if (asprintf(&path, "%s/%s", home, file) < 0)
        return 0;
    there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void berkeley_close(void *state)
{
    struct berkeley *b = state;

    if (b->txn)
        b->txn->abort(b->txn);
    environment_close(&b->live);
    berkeley_dir_close(&b->dir);
    secret_free(b, sizeof *b);
}

static int berkeley_open(const char *location, int create, int read_only, void **state, struct err *e)
{
    struct berkeley *b = calloc(1, sizeof *b);
    int r, complete;

    *state = NULL;
    if (!b)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if ((r = berkeley_dir_open(location, create && !read_only, &b->dir, e)) < 0) {
        free(b);
        return r;
    }
    /* A table missing from a complete store is damage, not a reason to make an empty one (but see open_table). */
    complete = table_exists(b->dir.env, files[KEYSTORE_META]);
    if ((r = environment_open(&b->live, b->dir.env, create && !read_only && !complete, e)) < 0) {
        berkeley_dir_close(&b->dir);
        free(b);
        return r;
    }
    *state = b;
    return 0;
}

static int berkeley_begin(void *state, struct err *e)
{
    struct berkeley *b = state;
    int ret;

    if (usable(b, e) < 0)
        return ERR_SYSTEM;
    if ((ret = b->live.env->txn_begin(b->live.env, NULL, &b->txn, 0)) != 0)
        return failed(&b->live, ret, "begin", e);
    return 0;
}

/* Berkeley DB finds that out by itself, but opens and reads the log for it: as long as all else of a commit but its
 * sync. */
static int checkpoint_is_due(DB_ENV *env)
{
    DB_LOG_STAT *st;
    int due = 1;

    if (env->log_stat(env, &st, 0) == 0) {
        due = st->st_wc_mbytes > 0 || st->st_wc_bytes >= CHECKPOINT_KB * 1024u;
        free(st);
    }
    return due;
}

static int berkeley_commit(void *state, struct err *e)
{
    struct berkeley *b = state;
    DB_TXN *txn = b->txn;
    int ret;

    b->txn = NULL;
    if (usable(b, e) < 0) {
        txn->abort(txn);
        return ERR_SYSTEM;
    }
    if ((ret = txn->commit(txn, DB_TXN_SYNC)) != 0)
        return failed(&b->live, ret, "commit", e);
    /* Keeps the log short. When it fails the change is on disk all the same, in the log. On a full disk the next one
     * tries again; after a failed sync the next could succeed over pages that were lost, so only recovery may go on. */
    ret = checkpoint_is_due(b->live.env) ? b->live.env->txn_checkpoint(b->live.env, CHECKPOINT_KB, 0, 0) : 0;
    if (ret != 0 && ret != ENOSPC && ret != EDQUOT)
        b->live.broken = 1;
    return 0;
}

static void berkeley_abort(void *state)
{
    struct berkeley *b = state;

    if (b->txn && b->txn->abort(b->txn) != 0)
        b->live.broken = 1;
    b->txn = NULL;
}

static DBT dbt_of(const void *data, size_t len)
{
    DBT d;

    memset(&d, 0, sizeof d);
    d.data = (void *)data; /* the library's type has no const; it does not write here */
    d.size = (u_int32_t)len;
    return d;
}

static int berkeley_get(void *state, enum keystore_table t, const void *key, size_t key_len, struct buf *value,
                        struct err *e)
{
    struct berkeley *b = state;
    DBT k = dbt_of(key, key_len), v = dbt_of(NULL, 0);
    int ret, r;

    if (usable(b, e) < 0)
        return ERR_SYSTEM;
    v.flags = DB_DBT_MALLOC;
    if ((ret = b->live.db[t]->get(b->live.db[t], b->txn, &k, &v, 0)) != 0)
        return failed(&b->live, ret, "get", e);
    r = buf_append(value, v.data, v.size);
    secret_free(v.data, v.size);
    return r < 0 ? err_set(e, r, "keystore: record of %u octets", (unsigned)v.size) : 0;
}

static int berkeley_put(void *state, enum keystore_table t, const void *key, size_t key_len, const void *value,
                        size_t len, struct err *e)
{
    struct berkeley *b = state;
    DBT k = dbt_of(key, key_len), v = dbt_of(value, len);
    int ret;

    if (usable(b, e) < 0)
        return ERR_SYSTEM;
    ret = b->live.db[t]->put(b->live.db[t], b->txn, &k, &v, 0);
    return ret ? failed(&b->live, ret, "put", e) : 0;
}

static int berkeley_del(void *state, enum keystore_table t, const void *key, size_t key_len, struct err *e)
{
    struct berkeley *b = state;
    DBT k = dbt_of(key, key_len);
    int ret;

    if (usable(b, e) < 0)
        return ERR_SYSTEM;
    ret = b->live.db[t]->del(b->live.db[t], b->txn, &k, 0);
    return ret ? failed(&b->live, ret, "delete", e) : 0;
}

/* Memory of our own for key and value: the visitor may read the same table. */
static int berkeley_scan(void *state, enum keystore_table t, const void *prefix, size_t prefix_len,
                         keystore_visit *visit, void *arg, struct err *e)
{
    struct berkeley *b = state;
    DBC *cursor;
    DBT k = dbt_of(NULL, 0), v = dbt_of(NULL, 0);
    int ret, r = 0;

    if (usable(b, e) < 0)
        return ERR_SYSTEM;
    if ((ret = b->live.db[t]->cursor(b->live.db[t], b->txn, &cursor, 0)) != 0)
        return failed(&b->live, ret, "cursor", e);
    k.flags = v.flags = DB_DBT_REALLOC;
    if (prefix_len > 0) {
        if (!(k.data = malloc(prefix_len))) {
            cursor->close(cursor);
            return err_set(e, ERR_SYSTEM, "out of memory");
        }
        memcpy(k.data, prefix, prefix_len);
        k.size = (u_int32_t)prefix_len;
    }
    ret = cursor->get(cursor, &k, &v, prefix_len > 0 ? DB_SET_RANGE : DB_FIRST);
    while (ret == 0 && k.size >= prefix_len && (prefix_len == 0 || memcmp(k.data, prefix, prefix_len) == 0)) {
        if ((r = visit(arg, k.data, k.size, v.data, v.size, e)) != 0)
            break;
        ret = cursor->get(cursor, &k, &v, DB_NEXT);
    }
    cursor->close(cursor);
    free(k.data);
    secret_free(v.data, v.size);
    return r != 0 || ret == 0 || ret == DB_NOTFOUND ? r : failed(&b->live, ret, "scan", e);
}

static int verify_file(struct berkeley *b, const char *file, struct err *e)
{
    char *path;
    DB *db;
    int ret;

    if (asprintf(&path, "%s/%s", b->dir.env, file) < 0)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if ((ret = db_create(&db, NULL, 0)) == 0) {
        db->set_errfile(db, NULL);
        ret = db->verify(db, path, NULL, NULL, 0); /* frees the handle */
    }
    if (ret != 0)
        err_set(e, ERR_SYNTAX, "%s: damaged: %s", path, db_strerror(ret));
    free(path);
    return ret == 0 ? 0 : ERR_SYNTAX;
}

/* The files are only whole after recovery, and only when no environment has them open. */
static int berkeley_verify(const char *location, struct err *e)
{
    void *state;
    struct berkeley *b;
    int r;

    if ((r = berkeley_open(location, 0, 1, &state, e)) < 0)
        return r;
    b = state;
    r = usable(b, e);
    environment_close(&b->live);
    for (int t = 0; t < KEYSTORE_TABLES && r == 0; t++)
        r = verify_file(b, files[t], e);
    berkeley_close(b);
    return r;
}

static int berkeley_broken(void *state)
{
    return ((struct berkeley *)state)->live.broken;
}

static int berkeley_watermark_read(void *state, uint64_t *out, struct err *e)
{
    return berkeley_dir_watermark_read(&((struct berkeley *)state)->dir, out, e);
}

static int berkeley_watermark_write(void *state, uint64_t value, struct err *e)
{
    struct berkeley *b = state;
    int r = berkeley_dir_watermark_write(&b->dir, value, e);

    if (r < 0)
        b->live.broken = 1;
    return r;
}

static int berkeley_home(void *state, char out[64], struct err *e)
{
    return berkeley_dir_home(&((struct berkeley *)state)->dir, out, e);
}

/* Where a scrub's copy stands. */
struct copy {
    struct environment *to;
    int table;
    DB_TXN *txn;
    size_t octets;
};

static int copy_record(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct copy *c = arg;
    DBT k = dbt_of(key, key_len), v = dbt_of(value, len);
    DB *db = c->to->db[c->table];
    int ret = 0;

    if (!c->txn)
        ret = c->to->env->txn_begin(c->to->env, NULL, &c->txn, DB_TXN_NOSYNC);
    if (ret == 0)
        ret = db->put(db, c->txn, &k, &v, 0);
    c->octets += key_len + len;
    if (ret == 0 && c->octets >= COPY_BATCH) {
        ret = c->txn->commit(c->txn, 0);
        c->txn = NULL;
        c->octets = 0;
        if (ret == 0)
            ret = c->to->env->txn_checkpoint(c->to->env, COPY_CHECKPOINT_KB, 0, 0);
    }
    return ret ? failed(c->to, ret, "scrub", e) : 0;
}

static int copy_all(struct berkeley *b, struct environment *to, struct err *e)
{
    struct copy c = {to, 0, NULL, 0};
    int r = 0, ret = 0;

    for (c.table = 0; c.table < KEYSTORE_TABLES && r == 0; c.table++)
        r = berkeley_scan(b, (enum keystore_table)c.table, NULL, 0, copy_record, &c, e);
    if (c.txn)
        ret = r == 0 ? c.txn->commit(c.txn, 0) : c.txn->abort(c.txn);
    if (r == 0 && ret == 0)
        ret = to->env->txn_checkpoint(to->env, 0, 0, DB_FORCE);
    return r == 0 && ret ? failed(to, ret, "scrub", e) : r;
}

static int berkeley_scrub(void *state, struct err *e)
{
    struct berkeley *b = state;
    struct environment fresh;
    int r;

    if (usable(b, e) < 0 || (r = berkeley_dir_wipe(b->dir.env_new, e)) < 0)
        return ERR_SYSTEM;
    if ((r = berkeley_dir_make(b->dir.env_new, e)) < 0 ||
        (r = environment_open(&fresh, b->dir.env_new, 1, e)) < 0) {
        berkeley_dir_wipe(b->dir.env_new, NULL);
        return r;
    }
    r = copy_all(b, &fresh, e);
    environment_close(&fresh);
    if (r == 0 && fresh.broken)
        r = err_set(e, ERR_SYSTEM, "keystore: scrub: %s", fresh.message);
    if (r == 0)
        r = berkeley_dir_room(b->dir.env_new, e);
    if (r < 0 || usable(b, e) < 0) {
        berkeley_dir_wipe(b->dir.env_new, NULL);
        return ERR_SYSTEM;
    }
    /* From here on there is no way back in this process. */
    environment_close(&b->live);
    if ((r = berkeley_dir_exchange(&b->dir, e)) < 0 || (r = environment_open(&b->live, b->dir.env, 0, e)) < 0) {
        b->live.broken = 1;
        return r;
    }
    return berkeley_dir_wipe(b->dir.env_old, e);
}

const struct keystore_backend keystore_berkeley = {
    .type = "berkeley",
    .open = berkeley_open,
    .close = berkeley_close,
    .begin = berkeley_begin,
    .commit = berkeley_commit,
    .abort = berkeley_abort,
    .get = berkeley_get,
    .put = berkeley_put,
    .del = berkeley_del,
    .scan = berkeley_scan,
    .verify = berkeley_verify,
    .broken = berkeley_broken,
    .watermark_read = berkeley_watermark_read,
    .watermark_write = berkeley_watermark_write,
    .home = berkeley_home,
    .scrub = berkeley_scrub,
};
