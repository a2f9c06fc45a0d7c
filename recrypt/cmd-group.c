/* newgroup, rekey: a list's keys. */
#include <string.h>
#include <time.h>

#include "common/sjson.h"
#include "list.h"

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
    snprintf(out->account, sizeof out->account, "%s", address);
    snprintf(out->owner, sizeof out->owner, "%s", owner->account);
    out->epoch = 1;
    return list_profile_new(t->home, "lists", suite ? suite : "X25519", owner->sign, pass, out, text, e);
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
    if (p.key)
        t->again = "the list's key is kept; run the same command again";
    json_object_put(checked);
    person_close(&owner);
    profile_clear(&p);
    buf_free(&text);
    return r;
}

/* The word is a list, or an account of one's own. */
static int open_for_rekey(struct tool *t, struct list *l, struct err *e)
{
    char address[ADDRESS_SIZE];
    int r = tool_address(t->args->words[0], address, e);

    if (r < 0 || !person_exists(t->home, address))
        return r < 0 ? r : list_open(t, address, 0, l, e);
    return list_open_account(t, address, 0, l, e);
}

int command_rekey(struct tool *t, struct err *e)
{
    struct list l;
    int r;

    if ((r = open_for_rekey(t, &l, e)) < 0)
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
