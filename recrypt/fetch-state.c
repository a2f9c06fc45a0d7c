#include "fetch-state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/conf.h"

enum { LINE_MAX_LEN = 128 };

struct record {
    uint32_t uid;                                       /* 0 = of an earlier UIDVALIDITY */
    char digest[MAILDIR_ID_SIZE], kept[MAILDIR_ID_SIZE]; /* kept "": it was brought */
    int taken;                                          /* of an earlier one: found again under a new UID */
};
struct records {
    struct record *at;
    size_t count, size;
};

struct fetch_state {
    int fd;
    off_t len;
    char path[PATH_MAX];
    uint32_t validity;   /* 0 = none yet */
    struct records now;  /* in order of UIDs */
    struct records then; /* in order of digests */
};

/* ---- in memory ---- */

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->digest, ((const struct record *)b)->digest);
}

static int grow(struct records *r, size_t more)
{
    size_t size = r->size ? r->size : 64;
    struct record *at;

    while (size < r->count + more)
        size *= 2;
    if (size == r->size)
        return 0;
    if (!(at = reallocarray(r->at, size, sizeof *at)))
        return ERR_SYSTEM;
    r->at = at;
    r->size = size;
    return 0;
}

/* The first record whose UID is not smaller. */
static size_t place_of(const struct records *r, uint32_t uid)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->at[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* One of an earlier UIDVALIDITY that was not found again yet. */
static struct record *find_old(const struct fetch_state *st, const char *digest)
{
    struct record key, *r, *end = st->then.at + st->then.count;

    if (st->then.count == 0)
        return NULL;
    snprintf(key.digest, sizeof key.digest, "%s", digest);
    if (!(r = bsearch(&key, st->then.at, st->then.count, sizeof *r, by_digest)))
        return NULL;
    while (r > st->then.at && strcmp(r[-1].digest, digest) == 0)
        r--;
    for (; r < end && strcmp(r->digest, digest) == 0; r++)
        if (!r->taken)
            return r;
    return NULL;
}

static int put_record(struct fetch_state *st, uint32_t uid, const char *digest, const char *kept)
{
    size_t i = place_of(&st->now, uid);
    struct record *r;

    if (uid == 0) {
        if ((r = find_old(st, digest)))
            r->kept[0] = 0;
        return 0;
    }
    if (i == st->now.count || st->now.at[i].uid != uid) {
        if (grow(&st->now, 1) < 0)
            return ERR_SYSTEM;
        memmove(st->now.at + i + 1, st->now.at + i, (st->now.count - i) * sizeof *st->now.at);
        st->now.count++;
    }
    r = &st->now.at[i];
    *r = (struct record){.uid = uid};
    snprintf(r->digest, sizeof r->digest, "%s", digest);
    snprintf(r->kept, sizeof r->kept, "%s", kept ? kept : "");
    return 0;
}

/* All that is known is of an earlier UIDVALIDITY now. */
static int renumber(struct fetch_state *st, uint32_t validity)
{
    if (st->now.count && grow(&st->then, st->now.count) < 0)
        return ERR_SYSTEM;
    for (size_t i = 0; i < st->now.count; i++) {
        st->then.at[st->then.count] = st->now.at[i];
        st->then.at[st->then.count++].uid = 0;
    }
    if (st->now.count)
        qsort(st->then.at, st->then.count, sizeof *st->then.at, by_digest);
    st->now.count = 0;
    st->validity = validity;
    return 0;
}

/* ---- the file ---- */

static int damaged(const struct fetch_state *st, size_t line, struct err *e)
{
    return err_set(e, ERR_SYNTAX,
                   "%s:%zu: not what recrypt fetch wrote; without this file it brings every message again that "
                   "was moved away",
                   st->path, line);
}

static int number(const char *text, uint32_t *out)
{
    uint64_t n = strtoull(text, NULL, 10);

    *out = (uint32_t)n;
    return n <= UINT32_MAX ? 0 : ERR_SYNTAX;
}

/* One line behind the first. ERR_SYNTAX, ERR_SYSTEM. */
static int read_line(struct fetch_state *st, const char *line)
{
    char digits[11], digest[MAILDIR_ID_SIZE] = "", kept[MAILDIR_ID_SIZE] = "";
    struct record *old;
    int used = 0, is_new;
    uint32_t n;

    if (sscanf(line, "validity %10[0-9]%n", digits, &used) == 1 && line[used] == 0)
        return number(digits, &n) < 0 || n == 0 ? ERR_SYNTAX : renumber(st, n);
    used = 0;
    if (line[0] == 'm')
        sscanf(line, "m %10[0-9] %32[0-9a-f]%n", digits, digest, &used);
    else if (line[0] == 'k')
        sscanf(line, "k %10[0-9] %32[0-9a-f] %32[0-9a-f]%n", digits, digest, kept, &used);
    if (used == 0 || line[used] != 0 || number(digits, &n) < 0 || strlen(digest) != MAILDIR_ID_SIZE - 1 ||
        (line[0] == 'k' && strlen(kept) != MAILDIR_ID_SIZE - 1) || st->validity == 0)
        return ERR_SYNTAX;
    is_new = n && fetch_state_find(st, n, NULL) == FETCH_NEW;
    if (is_new && (old = find_old(st, digest)))
        old->taken = 1;
    return put_record(st, n, digest, kept);
}

/* The lines of the whole file; its length without a last line that has no end. */
static int read_lines(struct fetch_state *st, struct buf *text, const char *first, struct err *e)
{
    char *line = (char *)text->data, *end;
    size_t n = 1;
    int r;

    for (; line && (end = memchr(line, '\n', text->len - (size_t)(line - (char *)text->data))); line = end + 1, n++) {
        *end = 0;
        if (strlen(line) != (size_t)(end - line))
            return damaged(st, n, e);
        if (n == 1 && strcmp(line, first) != 0)
            return err_set(e, ERR_SYNTAX, "%s: of another mailbox, or damaged", st->path);
        if (n > 1 && (r = read_line(st, line)) < 0)
            return r == ERR_SYNTAX ? damaged(st, n, e) : err_set(e, r, "out of memory");
    }
    st->len = line ? line - (char *)text->data : 0;
    return 0;
}

static int write_line(struct fetch_state *st, const char *line, struct err *e)
{
    size_t len = strlen(line), done = 0;
    ssize_t n;

    while (done < len) {
        if ((n = pwrite(st->fd, line + done, len - done, st->len + (off_t)done)) < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_errno(e, "%s", st->path);
            (void)!ftruncate(st->fd, st->len);
            return ERR_SYSTEM;
        }
        done += (size_t)n;
    }
    st->len += (off_t)len;
    return 0;
}

int fetch_state_sync(struct fetch_state *st, struct err *e)
{
    return fsync(st->fd) < 0 ? err_errno(e, "%s", st->path) : 0;
}

static int load(struct fetch_state *st, const char *first, struct err *e)
{
    struct buf text = BUF_INIT;
    int r;

    text.max = FETCH_STATE_MAX;
    if ((r = file_read(st->path, FETCH_STATE_MAX, &text, e)) == 0 && (r = read_lines(st, &text, first, e)) == 0) {
        if (st->len == 0)
            r = damaged(st, 1, e);
        else if (ftruncate(st->fd, st->len) < 0)
            r = err_errno(e, "%s", st->path);
    }
    buf_free(&text);
    return r;
}

/* The file is made whole, with its first line, or not at all. */
static int open_file(struct fetch_state *st, const char *first, struct err *e)
{
    struct buf line = BUF_INIT;
    int r;

    if (buf_printf(&line, "%s\n", first) < 0)
        r = err_errno(e, "out of memory");
    else if (access(st->path, F_OK) == 0)
        r = 0;
    else if ((r = file_create(st->path, line.data, line.len, 0600, e)) == ERR_EXISTS)
        r = 0;
    buf_free(&line);
    if (r < 0)
        return r;
    if ((st->fd = open(st->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return err_errno(e, "%s", st->path);
    if (flock(st->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_set(e, ERR_RETRY, "another recrypt fetch is bringing this mailbox")
                                    : err_errno(e, "%s", st->path);
    return load(st, first, e);
}

int fetch_state_open(const char *maildir, const char *account, const char *mailbox, struct fetch_state **out,
                     struct err *e)
{
    struct fetch_state *st = calloc(1, sizeof *st);
    struct buf first = BUF_INIT;
    char id[MAILDIR_ID_SIZE];
    int r;

    *out = NULL;
    if (!st)
        return err_errno(e, "out of memory");
    st->fd = -1;
    if ((r = maildir_id("fetch-state", account, mailbox, (struct span){NULL, 0}, id, e)) == 0) {
        if (snprintf(st->path, sizeof st->path, "%s/recrypt-fetch.%.16s", maildir, id) >= (int)sizeof st->path)
            r = err_set(e, ERR_USAGE, "the Maildir's path is too long");
        else if (buf_printf(&first, "recrypt-fetch 1 %s %s", account, mailbox) < 0)
            r = err_errno(e, "out of memory");
        else
            r = open_file(st, buf_str(&first), e);
    }
    buf_free(&first);
    if (r < 0)
        fetch_state_close(&st);
    *out = st;
    return r;
}

void fetch_state_close(struct fetch_state **st)
{
    if (!*st)
        return;
    if ((*st)->fd >= 0)
        close((*st)->fd);
    free((*st)->now.at);
    free((*st)->then.at);
    free(*st);
    *st = NULL;
}

/* ---- questions and changes ---- */

int fetch_state_validity(struct fetch_state *st, uint32_t validity, struct err *e)
{
    int changed = st->validity != 0;
    char line[LINE_MAX_LEN];
    int r;

    if (st->validity == validity)
        return 0;
    snprintf(line, sizeof line, "validity %" PRIu32 "\n", validity);
    if ((r = write_line(st, line, e)) < 0)
        return r;
    return renumber(st, validity) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : changed;
}

static enum fetch_place place(const struct record *r, char kept[MAILDIR_ID_SIZE])
{
    if (kept)
        memcpy(kept, r->kept, MAILDIR_ID_SIZE);
    return r->kept[0] ? FETCH_KEPT : FETCH_BROUGHT;
}

enum fetch_place fetch_state_find(const struct fetch_state *st, uint32_t uid, char kept[MAILDIR_ID_SIZE])
{
    size_t i = place_of(&st->now, uid);

    return i < st->now.count && st->now.at[i].uid == uid ? place(&st->now.at[i], kept) : FETCH_NEW;
}

enum fetch_place fetch_state_take_old(struct fetch_state *st, const char *digest, char kept[MAILDIR_ID_SIZE])
{
    struct record *r = find_old(st, digest);

    if (!r)
        return FETCH_NEW;
    r->taken = 1;
    return place(r, kept);
}

int fetch_state_add(struct fetch_state *st, uint32_t uid, const char *digest, const char *kept, struct err *e)
{
    char line[LINE_MAX_LEN];
    int r;

    if (kept)
        snprintf(line, sizeof line, "k %" PRIu32 " %s %s\n", uid, digest, kept);
    else
        snprintf(line, sizeof line, "m %" PRIu32 " %s\n", uid, digest);
    if ((r = write_line(st, line, e)) < 0)
        return r;
    return put_record(st, uid, digest, kept) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

int fetch_state_each_kept(struct fetch_state *st, fetch_state_visit *visit, void *arg, struct err *e)
{
    const struct records *const both[] = {&st->now, &st->then};
    struct record copy;
    int r = 0;

    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; r == 0 && i < both[b]->count; i++) {
            copy = both[b]->at[i];
            if (copy.kept[0] && !copy.taken)
                r = visit(arg, copy.uid, copy.digest, copy.kept, e);
        }
    return r;
}
