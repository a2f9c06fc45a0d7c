#include "keystore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore-private.h"

static const struct keystore_backend *const backends[] = {&keystore_berkeley};

/* META's keys that are not the caller's. */
#define FORMAT "format"
#define GENERATION "generation"
#define HOME "home"
#define LOADING "loading"
#define UNSCRUBBED "unscrubbed"

int keystore_own_key(enum keystore_table t, const void *key, size_t len)
{
    static const char *const own[] = {FORMAT, GENERATION, HOME, LOADING, UNSCRUBBED};

    for (size_t i = 0; t == KEYSTORE_META && i < sizeof own / sizeof *own; i++)
        if (len == strlen(own[i]) && memcmp(key, own[i], len) == 0)
            return 1;
    return 0;
}

const char *keystore_table_name(enum keystore_table t)
{
    static const char *const names[KEYSTORE_TABLES] = {"meta", "accounts", "keys", "members", "entries", "signers",
                                                         "jobs", "devices"};

    return (unsigned)t < KEYSTORE_TABLES ? names[t] : NULL;
}

static const struct keystore_backend *find_backend(const char *type)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(backends[i]->type, type) == 0)
            return backends[i];
    return NULL;
}

static int meta_get(struct keystore *ks, const char *name, struct buf *out, struct err *e)
{
    buf_reset(out);
    return ks->backend->get(ks->state, KEYSTORE_META, name, strlen(name), out, e);
}

static int meta_put(struct keystore *ks, const char *name, const char *value, struct err *e)
{
    return ks->backend->put(ks->state, KEYSTORE_META, name, strlen(name), value, strlen(value), e);
}

static int meta_delete(struct keystore *ks, const char *name, struct err *e)
{
    int r = ks->backend->del(ks->state, KEYSTORE_META, name, strlen(name), e);

    return r == ERR_ABSENT ? 0 : r;
}

static int meta_number(struct keystore *ks, const char *name, uint64_t *out, struct err *e)
{
    struct buf text = BUF_INIT;
    char *end;
    int r = meta_get(ks, name, &text, e);

    *out = 0;
    if (r == 0) {
        errno = 0;
        *out = strtoull(buf_str(&text), &end, 10);
        if (text.len == 0 || buf_str(&text)[0] < '0' || buf_str(&text)[0] > '9' || *end || errno)
            r = err_set(e, ERR_SYNTAX, "keystore: META %s is not a number", name);
    }
    buf_free(&text);
    return r;
}

static int put_number(struct keystore *ks, const char *name, uint64_t value, struct err *e)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    return meta_put(ks, name, text, e);
}

static int stop_at_first(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    (void)value, (void)len;
    if (keystore_own_key(*(enum keystore_table *)arg, key, key_len))
        return 0;
    return err_set(e, ERR_EXISTS, "the keystore is not empty");
}

/* 0 or ERR_EXISTS. */
static int is_empty(struct keystore *ks, struct err *e)
{
    int r = 0;

    for (int t = 0; t < KEYSTORE_TABLES && r == 0; t++) {
        enum keystore_table table = (enum keystore_table)t;

        r = ks->backend->scan(ks->state, table, NULL, 0, stop_at_first, &table, e);
    }
    return r;
}

/* The watermark comes first: a store without one is taken for a copy. */
static int initialise(struct keystore *ks, int loading, struct err *e)
{
    const struct keystore_backend *b = ks->backend;
    char home[64] = "";
    int r;

    if ((r = is_empty(ks, e)) < 0)
        return r == ERR_EXISTS ? err_set(e, ERR_SYNTAX, "keystore: records without a format: damaged") : r;
    if ((b->watermark_write && (r = b->watermark_write(ks->state, 0, e)) < 0) ||
        (b->home && (r = b->home(ks->state, home, e)) < 0) || (r = b->begin(ks->state, e)) < 0)
        return r;
    if ((r = put_number(ks, FORMAT, KEYSTORE_FORMAT, e)) < 0 || (r = put_number(ks, GENERATION, 0, e)) < 0 ||
        (r = meta_put(ks, HOME, home, e)) < 0 || (loading && (r = meta_put(ks, LOADING, "1", e)) < 0)) {
        b->abort(ks->state);
        return r;
    }
    return b->commit(ks->state, e);
}

#define WHAT_TO_DO                                                                                                     \
    "; write its content out with 'recrypt-keystore dump' and read it into a new one with 'recrypt-keystore load'"

static int check_age(struct keystore *ks, struct err *e)
{
    const struct keystore_backend *b = ks->backend;
    struct buf known = BUF_INIT;
    char home[64];
    uint64_t mark;
    int r;

    if (b->watermark_read) {
        if ((r = b->watermark_read(ks->state, &mark, e)) == ERR_ABSENT)
            return err_set(e, ERR_STALE, "the keystore has no watermark beside it: a restored copy" WHAT_TO_DO);
        if (r < 0)
            return r;
        if (ks->generation < mark)
            return err_set(e, ERR_STALE, "the keystore is at generation %" PRIu64 ", but was at %" PRIu64
                           " already: a restored older copy" WHAT_TO_DO, ks->generation, mark);
    }
    if (b->home) {
        if ((r = b->home(ks->state, home, e)) == 0 && (r = meta_get(ks, HOME, &known, e)) == ERR_ABSENT)
            r = 0;
        if (r == 0 && strcmp(home, buf_str(&known)) != 0)
            r = err_set(e, ERR_STALE, "the keystore is not where it was made: a restored copy" WHAT_TO_DO);
        buf_free(&known);
        if (r < 0)
            return r;
    }
    /* The program ended between a commit and the watermark. */
    if (b->watermark_write && ks->generation > mark)
        return b->watermark_write(ks->state, ks->generation, e);
    return 0;
}

/* loading: the store is made for a load, or is left from one that was not finished. */
static int check_store(struct keystore *ks, int create, int loading, struct err *e)
{
    struct buf text = BUF_INIT;
    uint64_t format;
    int r = meta_number(ks, FORMAT, &format, e);

    if (r == ERR_ABSENT && create && (r = initialise(ks, loading, e)) == 0)
        r = meta_number(ks, FORMAT, &format, e);
    else if (r == ERR_ABSENT)
        r = err_set(e, ERR_SYNTAX, "keystore: no format: not a keystore, or never finished");
    if (r < 0)
        return r;
    if (format != KEYSTORE_FORMAT)
        return err_set(e, ERR_UNSUPPORTED, "keystore: format %" PRIu64 ", this program knows %d: use a newer one",
                       format, KEYSTORE_FORMAT);
    if ((r = meta_number(ks, GENERATION, &ks->generation, e)) < 0)
        return r == ERR_ABSENT ? err_set(e, ERR_SYNTAX, "keystore: no generation: damaged") : r;
    r = meta_get(ks, LOADING, &text, e);
    buf_free(&text);
    if (r == 0 && !loading)
        return err_set(e, ERR_SYNTAX, "keystore: 'recrypt-keystore load' did not finish; do it again");
    if (r < 0 && r != ERR_ABSENT)
        return r;
    if (r == ERR_ABSENT && loading)
        return err_set(e, ERR_EXISTS, "there is a keystore already; load into a new directory");
    return ks->read_only ? 0 : check_age(ks, e);
}

static int open_store(const char *type, const char *location, int create, int read_only, int loading,
                      struct keystore **out, struct err *e)
{
    const struct keystore_backend *b = find_backend(type);
    struct keystore *ks;
    int r;

    *out = NULL;
    if (!b)
        return err_set(e, ERR_USAGE, "no keystore type '%s'", type);
    if (!(ks = calloc(1, sizeof *ks)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    ks->backend = b;
    ks->read_only = read_only;
    if ((r = b->open(location, create, read_only, &ks->state, e)) < 0) {
        free(ks);
        return r;
    }
    if ((r = check_store(ks, create && !read_only, loading, e)) < 0) {
        keystore_close(&ks);
        return err_prefix(e, "%s", location), r;
    }
    *out = ks;
    return 0;
}

int keystore_open(const char *type, const char *location, int create, int read_only, struct keystore **out,
                  struct err *e)
{
    return open_store(type, location, create, read_only, 0, out, e);
}

int keystore_open_to_load(const char *type, const char *location, struct keystore **out, struct err *e)
{
    int r = open_store(type, location, 1, 0, 1, out, e);

    if (r == 0 && (r = is_empty(*out, e)) < 0)
        keystore_close(out);
    return r;
}

int keystore_loaded(struct keystore *ks, uint64_t generation, struct err *e)
{
    int r = meta_delete(ks, LOADING, e);

    if (r == 0 && ks->generation < generation)
        ks->generation = generation;
    ks->changed = 1;
    return r;
}

void keystore_close(struct keystore **ks)
{
    if (!*ks)
        return;
    if ((*ks)->in_txn)
        (*ks)->backend->abort((*ks)->state);
    (*ks)->backend->close((*ks)->state);
    free(*ks);
    *ks = NULL;
}

int keystore_begin(struct keystore *ks, struct err *e)
{
    int r;

    if (ks->in_txn)
        return err_set(e, ERR_USAGE, "keystore: a transaction is open already");
    if ((r = ks->backend->begin(ks->state, e)) < 0)
        return r;
    ks->in_txn = 1;
    ks->changed = ks->erased = ks->failed = ks->progressed = 0;
    return 0;
}

int keystore_commit(struct keystore *ks, struct err *e)
{
    const struct keystore_backend *b = ks->backend;
    uint64_t next = ks->generation + 1;
    int r;

    if (!ks->in_txn)
        return err_set(e, ERR_USAGE, "keystore: no transaction to commit");
    if (!ks->failed && !ks->changed && ks->progressed) {
        ks->in_txn = 0;
        return b->commit(ks->state, e);
    }
    if (ks->failed || !ks->changed) {
        r = ks->failed ? err_set(e, ERR_USAGE, "keystore: commit after a failure") : 0;
        keystore_abort(ks);
        return r;
    }
    if ((r = put_number(ks, GENERATION, next, e)) < 0 || (ks->erased && (r = meta_put(ks, UNSCRUBBED, "1", e)) < 0)) {
        keystore_abort(ks);
        return r;
    }
    ks->in_txn = 0;
    if ((r = b->commit(ks->state, e)) < 0)
        return r;
    ks->generation = next;
    return b->watermark_write ? b->watermark_write(ks->state, next, e) : 0;
}

void keystore_abort(struct keystore *ks)
{
    if (ks->in_txn)
        ks->backend->abort(ks->state);
    ks->in_txn = 0;
}

static int check_key(enum keystore_table t, const void *key, size_t len, struct err *e)
{
    if ((unsigned)t >= KEYSTORE_TABLES || len == 0 || !key)
        return err_set(e, ERR_USAGE, "keystore: no such table, or an empty key");
    return len > KEYSTORE_KEY_MAX ? err_set(e, ERR_LIMIT, "keystore: key of %zu octets", len) : 0;
}

static int check_change(struct keystore *ks, enum keystore_table t, const void *key, size_t len, struct err *e)
{
    int r;

    if (ks->read_only)
        return err_set(e, ERR_DENIED, "keystore: opened for reading");
    if (!ks->in_txn)
        return err_set(e, ERR_USAGE, "keystore: change outside a transaction");
    if ((r = check_key(t, key, len, e)) < 0)
        return r;
    return keystore_own_key(t, key, len) ? err_set(e, ERR_DENIED, "keystore: that key is the store's own") : 0;
}

int keystore_get(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, struct buf *value,
                 struct err *e)
{
    int r = check_key(t, key, key_len, e);

    return r < 0 ? r : ks->backend->get(ks->state, t, key, key_len, value, e);
}

/* Whether a put replaces a value that may be a secret. */
static int replaces(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, int *out,
                    struct err *e)
{
    struct buf old = BUF_INIT;
    int r;

    *out = 0;
    if (t != KEYSTORE_KEYS && t != KEYSTORE_ENTRIES)
        return 0;
    r = ks->backend->get(ks->state, t, key, key_len, &old, e);
    *out = r == 0;
    buf_free(&old);
    return r == ERR_ABSENT ? 0 : r;
}

int keystore_put(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, const void *value,
                 size_t len, struct err *e)
{
    int r = check_change(ks, t, key, key_len, e), old = 0;

    if (r == 0 && len > KEYSTORE_VALUE_MAX)
        r = err_set(e, ERR_LIMIT, "keystore: value of %zu octets", len);
    if (r == 0 && (r = replaces(ks, t, key, key_len, &old, e)) == 0)
        r = ks->backend->put(ks->state, t, key, key_len, value, len, e);
    ks->failed |= r < 0;
    *(t == KEYSTORE_JOBS ? &ks->progressed : &ks->changed) = 1;
    ks->erased |= old;
    return r;
}

int keystore_delete(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, struct err *e)
{
    int r = check_change(ks, t, key, key_len, e);

    if (r == 0)
        r = ks->backend->del(ks->state, t, key, key_len, e);
    ks->failed |= r < 0 && r != ERR_ABSENT;
    if (t == KEYSTORE_JOBS) {
        ks->progressed |= r == 0;
        return r;
    }
    ks->changed |= r == 0;
    ks->erased |= r == 0 && t != KEYSTORE_DEVICES;
    return r;
}

int keystore_scan(struct keystore *ks, enum keystore_table t, const void *prefix, size_t prefix_len,
                  keystore_visit *visit, void *arg, struct err *e)
{
    if ((unsigned)t >= KEYSTORE_TABLES || prefix_len > KEYSTORE_KEY_MAX)
        return err_set(e, ERR_USAGE, "keystore: no such table, or a prefix too long");
    return ks->backend->scan(ks->state, t, prefix, prefix_len, visit, arg, e);
}

int keystore_generation(struct keystore *ks, uint64_t *out, struct err *e)
{
    return meta_number(ks, GENERATION, out, e);
}

int keystore_broken(const struct keystore *ks)
{
    return ks->backend->broken && ks->backend->broken(ks->state);
}

int keystore_needs_scrub(struct keystore *ks)
{
    struct buf text = BUF_INIT;
    int r = meta_get(ks, UNSCRUBBED, &text, NULL);

    buf_free(&text);
    return r == 0;
}

/* The mark is taken off after the work: killed in between, the work is done again. */
int keystore_scrub(struct keystore *ks, struct err *e)
{
    const struct keystore_backend *b = ks->backend;
    int r;

    if (ks->in_txn || ks->read_only)
        return err_set(e, ERR_USAGE, "keystore: scrub in a transaction, or of a store opened for reading");
    if ((b->scrub && (r = b->scrub(ks->state, e)) < 0) || (r = b->begin(ks->state, e)) < 0)
        return r;
    if ((r = meta_delete(ks, UNSCRUBBED, e)) < 0) {
        b->abort(ks->state);
        return r;
    }
    return b->commit(ks->state, e);
}

int keystore_verify(const char *type, const char *location, struct err *e)
{
    const struct keystore_backend *b = find_backend(type);

    return b ? b->verify(location, e) : err_set(e, ERR_USAGE, "no keystore type '%s'", type);
}
