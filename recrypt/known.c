#include "known.h"

#include <string.h>

#include "common/conf.h"

static int known_path(const struct home *h, int make, const char *account, char path[PATH_MAX], struct err *e)
{
    char dir[PATH_MAX];
    int r;

    /* home_path makes the directory that a name below it stands in. */
    if (make && (r = home_path(h, 1, dir, e, "known", NULL, account, NULL, NULL)) < 0)
        return r;
    return home_path(h, 0, path, e, "known", ".jws", account, NULL, NULL);
}

int known_load(const struct home *h, const char *account, struct profile *out, struct err *e)
{
    struct buf text = BUF_INIT;
    char path[PATH_MAX];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = known_path(h, 0, account, path, e)) < 0)
        return r;
    if ((r = file_read(path, HOME_FILE_MAX, &text, e)) == ERR_ABSENT)
        err_set(e, ERR_ABSENT, "the key of %s is not known here; fetch it: recrypt key %s", account, account);
    else if (r == 0 && (r = profile_read(text.data, text.len, out, e)) < 0)
        err_prefix(e, "%s", path);
    buf_free(&text);
    return r;
}

/* p is new, old what was pinned. */
static int judge(const struct profile *p, const struct profile *old, struct err *e)
{
    char now[JWK_UDF_SIZE], before[JWK_UDF_SIZE];

    if (!jwk_equal(p->signer, old->signer)) {
        if (jwk_udf(p->signer, now) < 0 || jwk_udf(old->signer, before) < 0)
            return err_set(e, ERR_SYSTEM, "out of memory");
        return err_set(
            e, ERR_KEY,
            "the key of %s is signed by %s, but so far it was %s. Either its owner began anew or "
            "somebody stands between you: compare fingerprints with the owner, then recrypt key --accept-new %s",
            p->account, now, before, p->account);
    }
    if (p->kind != old->kind)
        return err_set(e, ERR_KEY, "%s was a %s so far and is a %s now; if that is right: recrypt key --accept-new %s",
                       p->account, old->kind == PROFILE_LIST ? "list" : "person",
                       p->kind == PROFILE_LIST ? "list" : "person", p->account);
    if (p->epoch < old->epoch)
        return err_set(e, ERR_STALE,
                       "the service offers an older key of %s (number %lld, known is %lld): restored from "
                       "backup, or replayed; if its owner says it is right: recrypt key --accept-new %s",
                       p->account, (long long)p->epoch, (long long)old->epoch, p->account);
    if (p->epoch == old->epoch && !jwk_equal(p->key, old->key))
        return err_set(e, ERR_KEY,
                       "there are two keys number %lld of %s; ask its owner which is right, then recrypt key "
                       "--accept-new %s",
                       (long long)p->epoch, p->account, p->account);
    return 0;
}

/* Is the text worth writing? Not when the pinned one is for the same key. */
static int store(const struct home *h, const char *account, const struct buf *text, struct err *e)
{
    char path[PATH_MAX];
    int r = known_path(h, 1, account, path, e);

    return r < 0 ? r : file_write(path, text->data, text->len, 0600, e);
}

int known_accept(const struct home *h, const char *account, const struct buf *text, int accept_new, struct profile *out,
                 struct err *e)
{
    struct profile old;
    int r;

    memset(&old, 0, sizeof old);
    if ((r = profile_read(text->data, text->len, out, e)) < 0)
        return err_prefix(e, "the profile of %s", account);
    if (strcmp(out->account, account) != 0) {
        r = err_set(e, ERR_KEY, "asked for %s, the service answered with a profile of %s", account, out->account);
        goto out;
    }
    if ((r = known_load(h, account, &old, e)) == 0) {
        if (!accept_new && (r = judge(out, &old, e)) < 0)
            goto out;
        if (jwk_equal(out->signer, old.signer) && jwk_equal(out->key, old.key) && out->epoch == old.epoch)
            goto out;
    } else if (r != ERR_ABSENT) {
        goto out;
    }
    r = store(h, account, text, e);
out:
    profile_clear(&old);
    if (r < 0)
        profile_clear(out);
    return r;
}

int known_accept_older(const struct home *h, const char *keyid, const struct buf *text, struct profile *out,
                       struct err *e)
{
    struct profile old;
    int r;

    memset(&old, 0, sizeof old);
    if ((r = profile_read(text->data, text->len, out, e)) < 0)
        return err_prefix(e, "the profile of %s", keyid);
    if (strcmp(out->keyid, keyid) != 0)
        r = err_set(e, ERR_KEY, "asked for %s, the service answered with %s", keyid, out->keyid);
    else if ((r = known_load(h, out->account, &old, e)) == 0 && !jwk_equal(out->signer, old.signer))
        r = err_set(e, ERR_KEY, "%s is not signed by the signer that is known for %s", keyid, out->account);
    profile_clear(&old);
    if (r < 0)
        profile_clear(out);
    return r;
}

int known_fetch(const struct home *h, struct services *s, const char *account_or_keyid, int flags, struct profile *out,
                char state[16], struct err *e)
{
    char account[ADDRESS_SIZE], udf[64], unused[16];
    struct buf text = BUF_INIT;
    int is_keyid = keyid_parse(account_or_keyid, account, udf, NULL) == 0, r;

    memset(out, 0, sizeof *out);
    state = state ? state : unused;
    state[0] = 0;
    if (!is_keyid && (r = address_canonical(account_or_keyid, strlen(account_or_keyid), account, e)) < 0)
        return r;
    if (flags & KNOWN_OFFLINE) {
        if ((r = known_load(h, account, out, e)) == 0 && is_keyid && strcmp(out->keyid, account_or_keyid) != 0) {
            profile_clear(out);
            r = err_set(e, ERR_ABSENT, "%s is not known here; try without --offline", account_or_keyid);
        }
        return r;
    }
    /* The account's current key first: it pins the signer that the asked-for key is then compared with. */
    if ((r = services_get_key(s, account, &text, state, e)) < 0 ||
        (r = known_accept(h, account, &text, flags & KNOWN_ACCEPT_NEW, out, e)) < 0)
        goto out;
    if (is_keyid && strcmp(out->keyid, account_or_keyid) != 0) {
        profile_clear(out);
        buf_reset(&text);
        if ((r = services_get_key(s, account_or_keyid, &text, state, e)) == 0)
            r = known_accept_older(h, account_or_keyid, &text, out, e);
    }
out:
    buf_free(&text);
    return r;
}
