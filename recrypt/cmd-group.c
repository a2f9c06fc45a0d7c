/* newgroup, rekey: a list's keys. */
#include <string.h>
#include <time.h>

#include "common/sjson.h"
#include "known.h"
#include "list.h"

/* A new profile of the list under a new private key, both on disk. */
static int new_profile(struct tool *t, const struct person *owner, const char *address, const char *suite,
                       int64_t epoch, const struct buf *pass, struct buf *text, struct profile *out, struct err *e)
{
    int r;

    buf_reset(text);
    out->kind = PROFILE_LIST;
    snprintf(out->account, sizeof out->account, "%s", address);
    snprintf(out->owner, sizeof out->owner, "%s", owner->account);
    out->epoch = epoch;
    out->issued = (int64_t)time(NULL);
    if ((r = person_make_key(address, suite, &out->key, e)) == 0)
        r = list_profile_make(t->home, "lists", owner->sign, pass, out, text, e);
    return r;
}

/* The list's first profile: a finished one is in the way, one that an interrupted run left is taken up. */
static int first_profile(struct tool *t, const struct person *owner, const char *address, struct buf *text,
                         struct profile *out, struct err *e)
{
    const char *suite = t->args->value[OPT_SUITE];
    const struct buf *pass;
    int r;

    if ((r = list_profile_load(t->home, "lists", address, "profile.jws", text, out, e)) == 0)
        return err_set(e, ERR_EXISTS, "%s is your list already; its key is %s", address, out->keyid);
    if (r != ERR_ABSENT || (r = list_profile_pending(t->home, "lists", address, text, out, e)) != ERR_ABSENT)
        return r;
    if ((r = home_passphrase(t->home, args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        return r;
    return new_profile(t, owner, address, suite ? suite : "X25519", 1, pass, text, out, e);
}

static int set_policy(struct tool *t, struct json_object *group, struct err *e)
{
    const char *plaintext = t->args->value[OPT_PLAINTEXT];
    struct json_object *policy;
    int bad;

    if (plaintext && strcmp(plaintext, "reject") != 0 && strcmp(plaintext, "encrypt") != 0)
        return err_set(e, ERR_USAGE, "--plaintext is reject or encrypt, not %s", plaintext);
    if (!plaintext && !args_given(t->args, OPT_ARCHIVE))
        return 0;
    if (!(policy = json_object_new_object()))
        return err_errno(e, "out of memory");
    bad = (plaintext && sjson_set_string(policy, "Plaintext", plaintext) < 0) ||
          (args_given(t->args, OPT_ARCHIVE) && sjson_set_object(policy, "Archive", json_object_new_boolean(1)) < 0);
    if (sjson_set_object(group, "Policy", policy) < 0 || bad)
        return err_errno(e, "out of memory");
    return 0;
}

static int set_group(struct tool *t, const struct person *owner, const struct profile *p, const struct buf *text,
                     struct err *e)
{
    struct json_object *body = json_object_new_object(), *group = json_object_new_object(), *reply = NULL;
    struct buf roster = BUF_INIT;
    struct roster empty;
    struct web *w;
    int r;

    memset(&empty, 0, sizeof empty);
    snprintf(empty.group, sizeof empty.group, "%s", p->account);
    snprintf(empty.keyid, sizeof empty.keyid, "%s", p->keyid);
    empty.serial = 1;
    empty.epoch = p->epoch;
    empty.issued = (int64_t)time(NULL);
    if ((r = set_policy(t, group, e)) < 0 || (r = roster_sign(&empty, owner->sign, &roster, e)) < 0 ||
        (r = list_set_text(group, "Profile", text, e)) < 0 || (r = list_set_text(group, "Roster", &roster, e)) < 0 ||
        (r = services_for(t->services, p->account, &w, e)) < 0)
        goto out;
    if (sjson_set_object(body, "Group", json_object_get(group)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(w, "Set", body, owner->sign, &reply, e)) < 0)
        err_prefix(e, "%s did not make the list", web_where(w));
out:
    json_object_put(body);
    json_object_put(group);
    json_object_put(reply);
    buf_free(&roster);
    return r;
}

int command_newgroup(struct tool *t, struct err *e)
{
    char address[ADDRESS_SIZE], account[ADDRESS_SIZE];
    struct json_object *checked = json_object_new_object();
    struct person owner;
    struct profile p;
    struct buf text = BUF_INIT;
    int r;

    memset(&owner, 0, sizeof owner);
    memset(&p, 0, sizeof p);
    /* The options before anything is made. */
    if ((r = set_policy(t, checked, e)) < 0 || (r = tool_address(t->args->words[0], address, e)) < 0 ||
        (r = home_account(t->home, t->args->value[OPT_ACCOUNT], account, e)) < 0 || (r = home_lock(t->home, e)) < 0 ||
        (r = person_open(t->home, account, &owner, e)) < 0 ||
        (r = first_profile(t, &owner, address, &text, &p, e)) < 0 || (r = services_has(t->services, &p, e)) < 0 ||
        (r == 0 && (r = set_group(t, &owner, &p, &text, e)) < 0) ||
        (r = list_profile_done(t->home, "lists", address, &text, e)) < 0)
        goto out;
    printf("%s\nTell senders: recrypt key %s, then recrypt seal --to %s < message | sendmail %s\n", p.keyid, address,
           address, address);
out:
    if (err_temporary(r) && p.key)
        tool_note("the list's key is kept; run the same command again");
    json_object_put(checked);
    person_close(&owner);
    profile_clear(&p);
    buf_free(&text);
    return r;
}

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

    r = list_profile_pending(t->home, "lists", l->address, text, out, e);
    if (r == 0 && out->epoch == l->profile.epoch + 1)
        return 0;
    if (r < 0 && r != ERR_ABSENT)
        return r;
    profile_clear(out);
    buf_reset(text);
    if ((r = list_key_load(t, l->address, l->profile.keyid, &old, &protected, e)) < 0)
        return r;
    jwk_free(&old);
    if ((r = home_passphrase(t->home, !protected && args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        return r;
    if (protected)
        pass = home_passphrase_known(t->home);
    memset(out, 0, sizeof *out);
    return new_profile(t, &l->owner, l->address, suite_name(jwk_suite(l->profile.key)), l->profile.epoch + 1, pass,
                       text, out, e);
}

static int entries_for_all(struct tool *t, struct list *l, const struct profile *p, struct json_object *entries,
                           struct err *e)
{
    struct profile member;
    struct jwk *key = NULL;
    int r;

    if ((r = list_key_load(t, l->address, p->keyid, &key, NULL, e)) < 0)
        return r;
    for (size_t i = 0; r == 0 && i < l->roster.count; i++) {
        memset(&member, 0, sizeof member);
        if ((r = member_profile(t, &l->roster.members[i], &member, e)) == 0)
            r = list_entry(t, l, key, p->epoch, &member, entries, e);
        profile_clear(&member);
    }
    jwk_free(&key);
    return r;
}

int list_rekey(struct tool *t, struct list *l, int retire, struct err *e)
{
    struct json_object *body = json_object_new_object(), *rekey = json_object_new_object();
    struct json_object *entries = json_object_new_array(), *reply = NULL;
    struct buf text = BUF_INIT, roster = BUF_INIT;
    struct profile p;
    int r;

    memset(&p, 0, sizeof p);
    if ((r = next_profile(t, l, &text, &p, e)) < 0)
        goto out;
    snprintf(l->roster.keyid, sizeof l->roster.keyid, "%s", p.keyid);
    l->roster.epoch = p.epoch;
    if ((r = entries_for_all(t, l, &p, entries, e)) < 0 || (r = list_sign_roster(l, &roster, e)) < 0 ||
        (r = list_set_text(rekey, "Profile", &text, e)) < 0 || (r = list_set_text(rekey, "Roster", &roster, e)) < 0)
        goto out;
    if (sjson_set_string(rekey, "Group", l->address) < 0 ||
        sjson_set_object(rekey, "Retire", json_object_new_boolean(retire)) < 0 ||
        sjson_set_object(rekey, "Entries", json_object_get(entries)) < 0 ||
        sjson_set_object(body, "Rekey", json_object_get(rekey)) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = web_call(l->web, "Set", body, l->owner.sign, &reply, e)) < 0 ||
        (r = list_keep_roster(t, l, &roster, e)) < 0 ||
        (r = list_profile_done(t->home, "lists", l->address, &text, e)) < 0)
        goto out;
    printf("%s\n", p.keyid);
    tool_note("the old key is %s", retire ? "retired: mail to it is refused, and the refusal names the new key"
                                          : "archived: mail to it is still accepted");
out:
    json_object_put(body);
    json_object_put(rekey);
    json_object_put(entries);
    json_object_put(reply);
    buf_free(&text);
    buf_free(&roster);
    profile_clear(&p);
    return r;
}

int command_rekey(struct tool *t, struct err *e)
{
    struct list l;
    int r;

    if ((r = list_open(t, t->args->words[0], 0, &l, e)) < 0)
        return r;
    if (l.adopted) {
        printf("%s\n", l.profile.keyid);
        tool_note("your last rekey was done already; its answer had been lost");
    } else {
        list_next_serial(&l);
        r = list_rekey(t, &l, args_given(t->args, OPT_RETIRE), e);
    }
    list_close(&l);
    return r;
}
