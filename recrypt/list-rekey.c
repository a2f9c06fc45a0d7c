/* A new key for a list or an account (list.h). */
#include <string.h>

#include "common/sjson.h"
#include "known.h"
#include "list.h"

/* A member's profile with the key that the roster has for it; what is pinned will do, so that a service that is away
 * cannot hold up a rekey. */
static int member_profile(struct tool *t, struct roster_member *m, struct profile *out, struct err *e)
{
    char udf[JWK_UDF_SIZE] = "";
    int r = known_load(t->home, m->account, out, NULL);

    if (r == 0 && jwk_udf(out->key, udf) == 0 && udf_equal(udf, m->key_udf))
        return 0;
    profile_clear(out);
    if ((r = known_fetch(t->home, t->services, m->account, 0, out, NULL, e)) < 0)
        return err_prefix(e, "member %s", m->account);
    if ((r = jwk_udf(out->key, m->key_udf)) < 0)
        profile_clear(out);
    return r;
}

/* The profile to send: the one that an interrupted rekey left, or a new one with a new key in the old one's suite. */
static int next_profile(struct tool *t, struct list *l, struct buf *text, struct profile *out, struct err *e)
{
    struct jwk *old = NULL;
    const struct buf *pass;
    int protected, r;

    r = list_profile_pending(t->home, l->kind, l->address, text, out, e);
    if (r == 0 && out->epoch == l->profile.epoch + 1)
        return 0;
    if (r < 0 && r != ERR_ABSENT)
        return r;
    profile_clear(out);
    buf_reset(text);
    if ((r = list_key_load(t, l, l->profile.keyid, &old, &protected, e)) < 0)
        return r;
    jwk_free(&old);
    if ((r = home_passphrase(t->home, !protected && args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        return r;
    if (protected)
        pass = home_passphrase_known(t->home);
    memset(out, 0, sizeof *out);
    snprintf(out->account, sizeof out->account, "%s", l->address);
    snprintf(out->owner, sizeof out->owner, "%s", l->owner.account);
    out->epoch = l->profile.epoch + 1;
    return list_profile_new(t->home, l->kind, suite_name(jwk_suite(l->profile.key)), l->owner.sign, pass, out, text, e);
}

static int member_entry(struct tool *t, struct list *l, const struct jwk *key, const struct profile *p,
                        struct roster_member *m, struct json_object *entries, struct err *e)
{
    const struct list_device *d;
    struct profile member;
    int r;

    if (list_is_account(l)) {
        if ((r = list_member_device(l, m->account, &d, e)) < 0)
            return r;
        member = device_profile(&d->is);
        return list_entry(t, l, key, p->epoch, &member, entries, e);
    }
    memset(&member, 0, sizeof member);
    if ((r = member_profile(t, m, &member, e)) == 0)
        r = list_entry(t, l, key, p->epoch, &member, entries, e);
    profile_clear(&member);
    return r;
}

static int entries_for_all(struct tool *t, struct list *l, const struct profile *p, struct json_object *entries,
                           struct err *e)
{
    struct jwk *key = NULL;
    int r;

    if ((r = list_key_load(t, l, p->keyid, &key, NULL, e)) < 0)
        return r;
    for (size_t i = 0; r == 0 && i < l->roster.count; i++)
        r = member_entry(t, l, key, p, &l->roster.members[i], entries, e);
    jwk_free(&key);
    return r;
}

/* The new key is for the devices that are active: a parked one has no way back to it. */
static int drop_parked(struct list *l, struct err *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < l->device_count; i++) {
        const struct device *d = &l->devices[i].is;

        if (!l->devices[i].parked || !roster_find(&l->roster, d->member))
            continue;
        tool_note("the parked device %s cannot be unparked any more; on it: recrypt device connect %s", d->name,
                  l->address);
        r = roster_remove(&l->roster, d->member, e);
    }
    return r;
}

int list_rekey(struct tool *t, struct list *l, int retire, struct err *e)
{
    struct json_object *rekey = json_object_new_object(), *entries = json_object_new_array();
    struct buf text = BUF_INIT;
    struct profile p;
    int r;

    memset(&p, 0, sizeof p);
    if (!entries) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = drop_parked(l, e)) < 0 || (r = next_profile(t, l, &text, &p, e)) < 0)
        goto out;
    snprintf(l->roster.keyid, sizeof l->roster.keyid, "%s", p.keyid);
    l->roster.epoch = p.epoch;
    if ((r = entries_for_all(t, l, &p, entries, e)) < 0 || (r = list_set_text(rekey, "Profile", &text, e)) < 0)
        goto out;
    if (sjson_set_object(rekey, "Retire", json_object_new_boolean(retire)) < 0 ||
        sjson_set_object(rekey, "Entries", json_object_get(entries)) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = list_set(t, l, "Rekey", rekey, NULL, e)) < 0 ||
        (r = list_profile_done(t->home, l->kind, l->address, &text, e)) < 0)
        goto out;
    printf("%s\n", p.keyid);
    if (list_is_account(l))
        tool_note("the old key is %s; what was sent to it opens as before", retire ? "retired" : "archived");
    else
        tool_note("the old key is %s", retire ? "retired: mail to it is refused, and the refusal names the new key"
                                              : "archived: mail to it is still accepted");
out:
    json_object_put(rekey);
    json_object_put(entries);
    buf_free(&text);
    profile_clear(&p);
    return r;
}
