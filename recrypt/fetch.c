#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "fetch-private.h"
#include "person.h"

enum { BATCH_OCTETS = 4 << 20, SYNC_EVERY = 64 };

/* ---- what is in the Maildir ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct fetch_there *)a)->id, ((const struct fetch_there *)b)->id);
}

static int see(void *arg, const char *id, const char *name, struct err *e)
{
    struct fetch *f = arg;
    size_t n = f->there_count;
    struct fetch_there *more = f->there;

    if ((n & (n - 1)) == 0 && !(more = reallocarray(f->there, n ? 2 * n : 1, sizeof *more)))
        return err_errno(e, "out of memory");
    f->there = more;
    snprintf(more[n].id, sizeof more[n].id, "%s", id);
    if (!(more[n].name = strdup(name)))
        return err_errno(e, "out of memory");
    f->there_count++;
    return 0;
}

const char *fetch_find_there(const struct fetch *f, const char *id)
{
    struct fetch_there key, *found;

    snprintf(key.id, sizeof key.id, "%s", id);
    found = f->there_count ? bsearch(&key, f->there, f->there_count, sizeof key, by_id) : NULL;
    return found ? found->name : NULL;
}

static int look_around(struct fetch *f, struct err *e)
{
    const char *slash = strrchr(f->c->maildir, '/');
    int r;

    snprintf(f->root, sizeof f->root, "%.*s", slash == f->c->maildir ? 1 : (int)(slash - f->c->maildir), f->c->maildir);
    if (access(f->root, F_OK) < 0 && errno == ENOENT)
        return err_set(e, ERR_ABSENT, "%s is not there; make it, or choose another place for the Maildir", f->root);
    if ((r = maildir_make(f->root, f->c->maildir, &maildir_private, e)) < 0 ||
        (r = fetch_state_open(f->c->maildir, f->c->account, f->c->mailbox, &f->state, e)) < 0 ||
        (r = maildir_each(f->c->maildir, see, f, e)) < 0)
        return r;
    if (f->there_count)
        qsort(f->there, f->there_count, sizeof *f->there, by_id);
    return 0;
}

/* ---- grants ---- */

/* Grants for the device from the mail server: one list for each UID, empty where there are none. lists is the caller's,
 * of count. */
static int ask_grants(struct fetch *f, const uint32_t *uids, size_t count, struct granted_list *lists, struct err *e)
{
    struct fetch_answer answer;
    char why[256];
    int r;

    memset(lists, 0, count * sizeof *lists);
    if (!*f->device || count == 0)
        return 0;
    if ((r = fetch_imap_grants(f->im, uids, count, f->device, &answer, why, e)) < 0)
        return r;
    if (*why) {
        fetch_progress_clear(&f->progress);
        tool_note("the mail server makes no grants: %s", why);
    }
    for (size_t i = 0; i < answer.count; i++)
        if (answer.at[i].data.data)
            granted_read(answer.at[i].data.data, answer.at[i].data.len, &lists[i], NULL);
    fetch_answer_clear(&answer);
    return 0;
}

static void clear_lists(struct granted_list *lists, size_t count)
{
    for (size_t i = 0; i < count; i++)
        granted_list_clear(&lists[i]);
}

/* ---- what earlier runs kept ---- */

struct kept {
    uint32_t uid;
    char digest[MAILDIR_ID_SIZE], id[MAILDIR_ID_SIZE];
};
struct kept_list {
    struct kept *at;
    size_t count;
};

static int collect(void *arg, uint32_t uid, const char *digest, const char *kept, struct err *e)
{
    struct kept_list *l = arg;
    struct kept *more = l->at;

    if ((l->count & (l->count - 1)) == 0 &&
        !(more = reallocarray(l->at, l->count ? 2 * l->count : 1, sizeof *more)))
        return err_errno(e, "out of memory");
    l->at = more;
    more[l->count].uid = uid;
    snprintf(more[l->count].digest, MAILDIR_ID_SIZE, "%s", digest);
    snprintf(more[l->count++].id, MAILDIR_ID_SIZE, "%s", kept);
    return 0;
}

static int on_server(const struct fetch *f, uint32_t uid)
{
    size_t low = 0, high = f->uid_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (f->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->uid_count && f->uids[low] == uid;
}

/* Some of them: with the grants of those whose message is still on the server. */
static int try_kept_batch(struct fetch *f, const struct kept *at, size_t count, struct err *e)
{
    static const struct granted_list none;
    struct granted_list lists[FETCH_BATCH_MAX];
    uint32_t uids[FETCH_BATCH_MAX];
    size_t asked = 0, next = 0;
    int r;

    for (size_t i = 0; i < count; i++)
        if (at[i].uid && on_server(f, at[i].uid))
            uids[asked++] = at[i].uid;
    if ((r = ask_grants(f, uids, asked, lists, e)) < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++) {
        int has = next < asked && uids[next] == at[i].uid;

        r = fetch_kept(f, at[i].uid, at[i].digest, at[i].id, has ? &lists[next] : &none, e);
        next += (size_t)has;
    }
    clear_lists(lists, asked);
    return r;
}

static int try_kept(struct fetch *f, struct err *e)
{
    struct kept_list l = {NULL, 0};
    int r = fetch_state_each_kept(f->state, collect, &l, e);

    for (size_t i = 0, n; r == 0 && i < l.count; i += n) {
        n = l.count - i < FETCH_BATCH_MAX ? l.count - i : FETCH_BATCH_MAX;
        r = try_kept_batch(f, l.at + i, n, e);
    }
    free(l.at);
    return r;
}

/* ---- new messages ---- */

static int sync_state(struct fetch *f, struct err *e)
{
    f->unsynced = 0;
    return fetch_state_sync(f->state, e);
}

static int bring_batch(struct fetch *f, const uint32_t *uids, size_t count, size_t octets, struct err *e)
{
    struct granted_list lists[FETCH_BATCH_MAX];
    uint32_t sealed[FETCH_BATCH_MAX];
    size_t asked = 0, next = 0;
    struct fetch_answer answer;
    int r;

    if ((r = fetch_imap_messages(f->im, uids, count, octets, &answer, e)) < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (answer.at[i].data.data && fetch_looks_sealed(answer.at[i].data))
            sealed[asked++] = uids[i];
    if ((r = ask_grants(f, sealed, asked, lists, e)) < 0)
        asked = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        int has = next < asked && sealed[next] == uids[i];

        if (answer.at[i].data.data)
            r = fetch_new(f, uids[i], answer.at[i].data, has ? &lists[next] : NULL, e);
        else
            f->missing[f->missing_count++] = uids[i];
        next += (size_t)has;
        if (r == 0 && f->unsynced >= SYNC_EVERY)
            r = sync_state(f, e);
        fetch_progress_step(&f->progress, answer.at[i].data.len);
    }
    clear_lists(lists, asked);
    fetch_answer_clear(&answer);
    return r;
}

static void leave_out(struct fetch *f, uint32_t uid, uint32_t size)
{
    f->counts->left_out++;
    fetch_progress_clear(&f->progress);
    tool_note("message %u has %u octets, more than max_size: it stays on the server", uid, size);
    if (f->worst.code == 0)
        err_set(&f->worst, ERR_LIMIT, "larger than max_size");
    fetch_progress_step(&f->progress, 0);
}

/* Messages whose sizes are asked for together, brought in pieces that fit into memory. */
static int bring_some(struct fetch *f, const uint32_t *uids, size_t count, struct err *e)
{
    uint32_t batch[FETCH_BATCH_MAX];
    size_t in_batch = 0, octets = 0;
    struct fetch_answer sizes;
    int r = fetch_imap_sizes(f->im, uids, count, &sizes, e);

    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++) {
        size_t size = sizes.at[i].size;

        if (size > f->c->max_size) {
            leave_out(f, uids[i], sizes.at[i].size);
            continue;
        }
        if (in_batch && octets + size > BATCH_OCTETS) {
            r = bring_batch(f, batch, in_batch, octets, e);
            in_batch = octets = 0;
        }
        batch[in_batch++] = uids[i];
        octets += size;
    }
    fetch_answer_clear(&sizes);
    return r < 0 || in_batch == 0 ? r : bring_batch(f, batch, in_batch, octets, e);
}

static int bring_new(struct fetch *f, struct err *e)
{
    uint32_t *new = calloc(f->uid_count + 1, sizeof *new);
    size_t count = 0;
    int r = 0;

    f->missing = calloc(f->uid_count + 1, sizeof *f->missing);
    if (!new || !f->missing) {
        free(new);
        return err_errno(e, "out of memory");
    }
    for (size_t i = 0; i < f->uid_count; i++)
        if (fetch_state_find(f->state, f->uids[i], NULL) == FETCH_NEW)
            new[count++] = f->uids[i];
    fetch_progress_begin(&f->progress, count);
    for (size_t i = 0, n; r == 0 && i < count; i += n) {
        n = count - i < FETCH_BATCH_MAX ? count - i : FETCH_BATCH_MAX;
        r = bring_some(f, new + i, n, e);
    }
    fetch_progress_clear(&f->progress);
    free(new);
    return r;
}

/* What was not sent may have been deleted in the meantime; what is still there was kept from us. */
static int check_missing(struct fetch *f, struct err *e)
{
    uint32_t validity;
    size_t lacking = 0;
    int r;

    if (f->missing_count == 0)
        return 0;
    free(f->uids);
    if ((r = fetch_imap_list(f->im, &validity, &f->uids, &f->uid_count, e)) < 0)
        return r;
    for (size_t i = 0; i < f->missing_count; i++)
        lacking += on_server(f, f->missing[i]);
    f->counts->left_out += lacking;
    if (lacking)
        err_set(&f->worst, ERR_RETRY, "the mail server did not send them");
    return 0;
}

/* ---- the run ---- */

static int with_server(struct fetch *f, struct err *e)
{
    int r;

    if ((r = fetch_imap_open(f->c, &f->im, e)) < 0 ||
        (r = fetch_imap_list(f->im, &f->validity, &f->uids, &f->uid_count, e)) < 0)
        return r;
    if (!fetch_imap_has_grants(f->im))
        f->device[0] = 0;
    if ((r = fetch_state_validity(f->state, f->validity, e)) < 0)
        return r;
    if (r == 1)
        tool_note("the mail server gave its messages new numbers: looking which ones are here");
    if ((r = try_kept(f, e)) < 0 || (r = bring_new(f, e)) < 0)
        return r;
    return check_missing(f, e);
}

static void end(struct fetch *f)
{
    fetch_imap_close(&f->im);
    fetch_state_close(&f->state);
    for (size_t i = 0; i < f->there_count; i++)
        free(f->there[i].name);
    free(f->there);
    free(f->uids);
    free(f->missing);
}

/* A run that nothing stopped: is all open? */
static int judge(const struct fetch *f, struct err *e)
{
    const struct fetch_counts *n = f->counts;

    if (f->worst.code == 0)
        return 0;
    return err_set(e, f->worst.code, "kept encrypted: %zu, left on the server: %zu; the next run tries again: %s",
                   n->kept + n->waiting, n->left_out, f->worst.text);
}

/* Asks for the passphrase now, if the account's keys need one: later the mail server would wait, and each message would
 * ask. */
static int unlock(struct tool *t, const char *account, struct err *e)
{
    struct own_device device;
    struct person person;
    int r = 0;

    if (person_exists(t->home, account) && (r = person_open(t->home, account, &person, e)) == 0)
        person_close(&person);
    if (r == 0 && devices_exists(t->home, account) && (r = devices_open(t->home, account, &device, e)) == 0)
        devices_close(&device);
    return r == ERR_ABSENT ? 0 : r; /* plain mail can be fetched all the same */
}

int fetch_run(struct tool *t, const struct fetch_conf *c, struct fetch_counts *counts, struct err *e)
{
    struct fetch f;
    int r, synced;

    memset(&f, 0, sizeof f);
    memset(counts, 0, sizeof *counts);
    f.t = t;
    f.c = c;
    f.counts = counts;
    services_limit(t->services);
    if ((r = unlock(t, c->account, e)) == 0 && (r = devices_key_udf(t->home, c->account, f.device, e)) == ERR_ABSENT)
        r = 0;
    if (r == 0 && (r = look_around(&f, e)) == 0)
        r = with_server(&f, e);
    if (f.state && f.unsynced && (synced = sync_state(&f, r == 0 ? e : NULL)) < 0 && r == 0)
        r = synced;
    if (r == 0)
        r = judge(&f, e);
    end(&f);
    return r;
}
