/* A list's mail on a device: the member is the device's person, her half is a JWE to a key of hers, and the device has
 * a share of that key. Two grants open the message, and the half is forgotten again: a device that was removed has
 * nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "known.h"
#include "opener-private.h"
#include "shares.h"

/* The device's share of its person's key that to names, by which g was made. 1 = there it is. */
static int own_share(struct search *s, const struct reader *reader, const struct jwe_recipient *to,
                     const struct grant *g, struct share *out)
{
    int r = shares_load(s->t->home, to->kid, reader->member, out, s->e);

    if (r == 0 && search_fits(out, g, to))
        return 1;
    if (r == 0)
        share_clear(out);
    return r < 0 && r != ERR_ABSENT ? r : search_share(s, reader, reader->device->is.account, to, g, out);
}

/* The person's half, with a grant of one of her keys for the JWE that holds it. */
static int unlock(struct search *s, const struct reader *reader, const struct share_lock *lock, const struct grant *g,
                  struct share *half)
{
    struct jwe_recipient to;
    struct share share;
    int r;

    memset(half, 0, sizeof *half);
    if ((r = jwe_recipient(lock->j, 0, &to, s->e)) < 0)
        return r;
    if ((r = own_share(s, reader, &to, g, &share)) == 1) {
        r = search_outcome(s, share_unlock(lock, &share, g, half, s->e));
        share_clear(&share);
    }
    return r;
}

/* The statement in what was granted, when it is her half that it holds. */
static int read_lock(struct search *s, const struct reader *reader, const struct grant *g, struct share_lock *lock)
{
    struct jwk *owner = NULL;
    int r;

    memset(lock, 0, sizeof *lock);
    if (!g->dk)
        return 0;
    if ((r = search_owner(s, s->account, &owner)) < 0)
        return r;
    r = share_lock_read(g->dk, s->to.kid, owner, lock, s->e);
    jwk_free(&owner);
    if (r < 0)
        return r == ERR_SYSTEM ? r : 0;
    if (strcmp(lock->member, reader->device->is.account) == 0)
        return 1;
    share_lock_clear(lock);
    return 0;
}

/* ---- the first grant of a list elsewhere, when the message does not have it: its service gives it to whoever shows
 * that she is a device of the member's, sealed to her key. It opens with a grant of the person's own service. ---- */

/* What says that this is a device of its person's: its own statement, which comes with every grant of her key. 1 =
 * there it is. */
static int own_statement(struct search *s, const struct reader *reader, struct buf *out)
{
    const struct own_device *d = reader->device;
    struct jwe_options opt = {0};
    struct buf ciphertext = BUF_INIT;
    struct jwe_recipient to;
    struct jwe *j = NULL;
    struct granted g;
    struct profile p;
    int r;

    memset(&g, 0, sizeof g);
    if ((r = known_load(s->t->home, d->is.account, &p, s->e)) < 0)
        return r == ERR_ABSENT ? 0 : r;
    if ((r = jwe_encrypt((const struct jwk *const[]){p.key}, 1, &opt, "", 0, &j, &ciphertext, s->e)) == 0 &&
        (r = jwe_recipient(j, 0, &to, s->e)) == 0)
        r = search_ask(s, reader, d->is.account, &to, d->is.key_udf, &g);
    if (r == 1 && (!g.grant.dk || buf_puts(out, g.grant.dk) < 0))
        r = g.grant.dk ? err_errno(s->e, "out of memory") : 0;
    granted_clear(&g);
    jwe_free(&j);
    buf_free(&ciphertext);
    profile_clear(&p);
    return r;
}

/* The list's service says no, and says so to everybody alike. */
static int refused(struct search *s, int r)
{
    if (err_temporary(r))
        return r;
    s->denied = s->denied_device = 1;
    return 0;
}

/* One of the person's keys. 1 = there it is. */
static int person_profile(struct search *s, const char *keyid, struct profile *out)
{
    char account[ADDRESS_SIZE], udf[64];
    int r;

    if ((r = keyid_parse(keyid, account, udf, s->e)) < 0)
        return r;
    if ((r = known_load(s->t->home, account, out, s->e)) == 0 && strcmp(out->keyid, keyid) != 0) {
        profile_clear(out);
        r = known_fetch(s->t->home, s->t->services, keyid, 0, out, NULL, s->e);
    }
    return r == 0 ? 1 : r == ERR_ABSENT ? 0 : r;
}

static int open_sealed(struct search *s, const struct reader *reader, const struct buf *text, const char *keyid,
                       struct granted *out)
{
    struct sealed_grant sealed;
    struct granted own;
    struct share share;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = sealed_grant_read(text->data, text->len, keyid, &sealed, s->e)) < 0)
        return err_prefix(s->e, "the answer of the service of %s", s->account);
    if ((r = search_ask(s, reader, reader->device->is.account, &sealed.to, reader->device->is.key_udf, &own)) == 1 &&
        (r = own_share(s, reader, &sealed.to, &own.grant, &share)) == 1) {
        r = search_outcome(s, sealed_grant_open(&sealed, &share, &own.grant, &out->grant, s->e));
        share_clear(&share);
    }
    granted_clear(&own);
    sealed_grant_clear(&sealed);
    return r;
}

static int ask_first(struct search *s, const struct reader *reader, const struct share_lock *lock,
                     const struct share *half)
{
    struct buf own = BUF_INIT, statement = BUF_INIT, sealed = BUF_INIT;
    struct profile p;
    struct granted g;
    int r;

    memset(&p, 0, sizeof p);
    memset(&g, 0, sizeof g);
    if ((r = own_statement(s, reader, &own)) == 1 && (r = person_profile(s, lock->member_keyid, &p)) == 1) {
        r = services_statement(s->t->services, s->to.kid, buf_str(&own), &s->to, p.key, &statement, &sealed, s->e);
        r = r == 0 ? open_sealed(s, reader, &sealed, lock->member_keyid, &g) : refused(s, r);
        if (r == 1)
            r = search_fits(half, &g.grant, &s->to) ? search_with_share(s, half, &g) : 0;
    }
    granted_clear(&g);
    profile_clear(&p);
    buf_free(&own);
    buf_free(&statement);
    buf_free(&sealed);
    return r;
}

static int open_granted(struct search *s, const struct reader *reader, const struct share_lock *lock,
                        const struct granted *g)
{
    struct share half;
    int r = unlock(s, reader, lock, &g->device, &half);

    if (r == 1) {
        r = search_with_share(s, &half, g);
        if (r == 0 && g->in_message && s->phase == PHASE_ASK)
            r = ask_first(s, reader, lock, &half);
        share_clear(&half);
    }
    return r;
}

/* Both grants are there. */
static int try_both(struct search *s, const struct reader *reader, const struct granted *g)
{
    struct share_lock lock;
    int r;

    if (!g->device_keyid[0] || (r = read_lock(s, reader, &g->grant, &lock)) == 0)
        return 0;
    if (r == 1 && (r = strcmp(lock.member_keyid, g->device_keyid) == 0))
        r = open_granted(s, reader, &lock, g);
    share_lock_clear(&lock);
    return r;
}

/* The message has the first grant, of a list elsewhere; the second is one of her own key. */
static int ask_second(struct search *s, const struct reader *reader, struct granted *g)
{
    struct jwe_recipient to;
    struct share_lock lock;
    struct granted second;
    int r = read_lock(s, reader, &g->grant, &lock);

    if (r != 1)
        return r;
    if ((r = jwe_recipient(lock.j, 0, &to, s->e)) == 0 &&
        (r = search_ask(s, reader, reader->device->is.account, &to, reader->device->is.key_udf, &second)) == 1) {
        g->device = second.grant;
        memset(&second.grant, 0, sizeof second.grant);
        granted_clear(&second);
        r = open_granted(s, reader, &lock, g);
    }
    share_lock_clear(&lock);
    return r;
}

/* ---- a list elsewhere: its service gives the statement to whoever shows that she is a device of the member's. It
 * opens with the second grant alone, which the person's own service makes. ---- */

static int try_statement(struct search *s, const struct reader *reader, const struct buf *statement)
{
    struct granted g;
    int r;

    memset(&g, 0, sizeof g);
    snprintf(g.keyid, sizeof g.keyid, "%s", s->to.kid);
    g.in_message = 1;
    if (!(g.grant.dk = strdup(buf_str(statement))))
        return err_errno(s->e, "out of memory");
    r = ask_second(s, reader, &g);
    granted_clear(&g);
    return r;
}

static int fetch_statement(struct search *s, const struct reader *reader, struct buf *out)
{
    struct buf own = BUF_INIT;
    int r = own_statement(s, reader, &own);

    if (r == 1 && (r = services_statement(s->t->services, s->to.kid, buf_str(&own), NULL, NULL, out, NULL, s->e)) < 0)
        r = refused(s, r);
    else if (r == 0 && out->len)
        r = 1;
    buf_free(&own);
    return r;
}

/* It is kept, since it opens nothing by itself. */
static void keep_statement(struct search *s, const char *member, const struct buf *statement)
{
    char path[PATH_MAX];

    if (home_path(s->t->home, 1, path, s->e, "shares", ".jws", s->account, s->udf, member) < 0 ||
        file_write(path, statement->data, statement->len, 0600, s->e) < 0)
        tool_note("%s; what the service of %s gave this device is asked for again next time", s->e->text, s->account);
}

static int ask_elsewhere(struct search *s, const struct reader *reader)
{
    const char *member = reader->device->is.account;
    struct buf kept = BUF_INIT, fresh = BUF_INIT;
    struct web *theirs, *ours;
    char path[PATH_MAX];
    int r;

    if ((r = services_for(s->t->services, s->account, &theirs, s->e)) < 0 ||
        (r = services_for(s->t->services, member, &ours, s->e)) < 0 || theirs == ours)
        return r;
    if ((r = home_path(s->t->home, 0, path, s->e, "shares", ".jws", s->account, s->udf, member)) < 0)
        return r;
    if ((r = file_read(path, HOME_FILE_MAX, &kept, s->e)) == 0)
        r = try_statement(s, reader, &kept);
    else if (r == ERR_ABSENT)
        r = 0;
    if (r == 0 && (r = fetch_statement(s, reader, &fresh)) == 1 &&
        (r = strcmp(buf_str(&kept), buf_str(&fresh)) != 0 ? try_statement(s, reader, &fresh) : 0) == 1)
        keep_statement(s, member, &fresh);
    buf_free(&kept);
    buf_free(&fresh);
    return r;
}

static int ask_for_chain(struct search *s, const struct reader *reader)
{
    const struct own_device *d = reader->device;
    struct granted g;
    int r = search_ask(s, reader, d->is.account, &s->to, d->is.key_udf, &g);

    if (r == 1)
        r = try_both(s, reader, &g);
    granted_clear(&g);
    for (size_t n = 0; r == 0 && n < jwe_grants(s->j, s->i); n++) {
        memset(&g, 0, sizeof g);
        if ((r = jwe_grant(s->j, s->i, n, &g.grant, s->e)) == 0)
            r = ask_second(s, reader, &g);
        granted_clear(&g);
    }
    return r ? r : ask_elsewhere(s, reader);
}

int search_chain(struct search *s, const struct reader *reader)
{
    const struct granted_list *brought = s->how->brought;
    int r = 0;

    if (s->phase == PHASE_SHARES) {
        for (size_t n = 0; r == 0 && brought && n < brought->count; n++)
            if (strcmp(brought->at[n].keyid, s->to.kid) == 0)
                r = try_both(s, reader, &brought->at[n]);
        return r;
    }
    return args_given(s->t->args, OPT_OFFLINE) ? 0 : ask_for_chain(s, reader);
}
