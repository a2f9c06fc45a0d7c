/* add, remove, members: who reads a list. */
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "known.h"
#include "list.h"

/* So many entries travel in one request: a few seconds' work for the service, and well below its max_body. */
enum { ENTRIES_AT_ONCE = 500 };

static int is_named_before(const struct profile *members, size_t count, const char *account)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].account, account) == 0)
            return 1;
    return 0;
}

/* The new members' profiles, each from its own domain's service. All of them before anything is changed. */
static int fetch_members(struct tool *t, const struct list *l, struct profile *members, struct err *e)
{
    char account[ADDRESS_SIZE];
    int r = 0;

    for (size_t i = 1; r == 0 && i < t->args->word_count; i++) {
        struct profile *p = &members[i - 1];

        if ((r = tool_address(t->args->words[i], account, e)) < 0)
            break;
        if (roster_find(&l->roster, account) || is_named_before(members, i - 1, account)) {
            r = err_set(e, ERR_EXISTS, "%s is a member of %s already, or is named twice; nothing was changed", account,
                        l->address);
            break;
        }
        if ((r = known_fetch(t->home, t->services, account, 0, p, NULL, e)) < 0)
            return err_prefix(e, "%s cannot be added", account);
        if (p->kind != PROFILE_PERSON)
            r = err_set(e, ERR_UNSUPPORTED, "%s is a list; only persons can be members", account);
    }
    return r;
}

/* An entry for each new member and each key the list ever had: old mail is for her as well. */
static int make_entries(struct tool *t, const struct list *l, const struct profile *members, size_t count,
                        struct json_object *entries, struct err *e)
{
    struct jwk *key = NULL;
    int r = 0;

    for (size_t k = 0; r == 0 && k < l->key_count; k++) {
        if ((r = list_key_load(t, l->address, l->keys[k].keyid, &key, NULL, e)) < 0)
            break;
        for (size_t i = 0; r == 0 && i < count; i++)
            r = list_entry(t, l, key, l->keys[k].epoch, &members[i], entries, e);
        jwk_free(&key);
    }
    return r;
}

static int set_members(struct tool *t, struct list *l, struct json_object *entries, struct err *e)
{
    struct json_object *body = json_object_new_object(), *members = json_object_new_object(), *reply = NULL;
    struct buf roster = BUF_INIT;
    int r;

    if ((r = list_sign_roster(l, &roster, e)) < 0 || (r = list_set_text(members, "Roster", &roster, e)) < 0)
        goto out;
    if (sjson_set_string(members, "Group", l->address) < 0 ||
        sjson_set_object(members, "Entries", json_object_get(entries)) < 0 ||
        sjson_set_object(body, "Members", json_object_get(members)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(l->web, "Set", body, l->owner.sign, &reply, e)) == 0)
        r = list_keep_roster(t, l, &roster, e);
out:
    json_object_put(body);
    json_object_put(members);
    json_object_put(reply);
    buf_free(&roster);
    return r;
}

static int add_some(struct tool *t, struct list *l, const struct profile *members, size_t count, struct err *e)
{
    struct json_object *entries = json_object_new_array();
    char udf[JWK_UDF_SIZE];
    int r = entries ? 0 : err_errno(e, "out of memory");

    list_next_serial(l);
    for (size_t i = 0; r == 0 && i < count; i++)
        if ((r = jwk_udf(members[i].key, udf)) == 0)
            r = roster_add(&l->roster, members[i].account, udf, e);
    if (r == 0 && (r = make_entries(t, l, members, count, entries, e)) == 0)
        r = set_members(t, l, entries, e);
    for (size_t i = 0; r == 0 && i < count; i++)
        printf("added %s\n", members[i].account);
    json_object_put(entries);
    return r;
}

int command_add(struct tool *t, struct err *e)
{
    size_t n = t->args->word_count - 1, at_once;
    struct profile *members = calloc(n, sizeof *members);
    struct list l;
    int r;

    memset(&l, 0, sizeof l);
    if (!members) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = list_open(t, t->args->words[0], 0, &l, e)) < 0 || (r = fetch_members(t, &l, members, e)) < 0)
        goto out;
    at_once = l.key_count < ENTRIES_AT_ONCE ? ENTRIES_AT_ONCE / l.key_count : 1;
    for (size_t i = 0; r == 0 && i < n; i += at_once) {
        r = add_some(t, &l, &members[i], n - i < at_once ? n - i : at_once, e);
        if (r < 0 && i > 0)
            err_prefix(e, "those named above were added, the others were not");
    }
    if (r == 0)
        printf("%s has %zu member%s\n", l.address, l.roster.count, l.roster.count == 1 ? "" : "s");
out:
    for (size_t i = 0; members && i < n; i++)
        profile_clear(&members[i]);
    free(members);
    list_close(&l);
    return r;
}

/* Takes the words off the roster; nothing is sent yet, so that a wrong one changes nothing. */
static int take_off(struct tool *t, struct list *l, char (*accounts)[ADDRESS_SIZE], struct err *e)
{
    int r = 0;

    for (size_t i = 1; r == 0 && i < t->args->word_count; i++) {
        if ((r = tool_address(t->args->words[i], accounts[i - 1], e)) < 0)
            break;
        for (size_t k = 0; r == 0 && k < i - 1; k++)
            if (strcmp(accounts[k], accounts[i - 1]) == 0)
                r = err_set(e, ERR_USAGE, "%s is named twice; nothing was changed", accounts[k]);
        if (r == 0 && !roster_find(&l->roster, accounts[i - 1]))
            r = err_set(e, ERR_ABSENT, "%s is no member of %s; nothing was changed (recrypt members %s shows who is)",
                        accounts[i - 1], l->address, l->address);
    }
    return r;
}

static int delete_member(struct tool *t, struct list *l, const char *account, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct buf roster = BUF_INIT;
    int r;

    list_next_serial(l);
    if ((r = roster_remove(&l->roster, account, e)) < 0 || (r = list_sign_roster(l, &roster, e)) < 0 ||
        (r = list_set_text(body, "Roster", &roster, e)) < 0)
        goto out;
    if (sjson_set_string(body, "Group", l->address) < 0 || sjson_set_string(body, "Member", account) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(l->web, "Delete", body, l->owner.sign, &reply, e)) == 0)
        r = list_keep_roster(t, l, &roster, e);
    if (r == 0)
        printf("removed %s\n", account);
out:
    json_object_put(body);
    json_object_put(reply);
    buf_free(&roster);
    return r;
}

int command_remove(struct tool *t, struct err *e)
{
    size_t n = t->args->word_count - 1;
    char(*accounts)[ADDRESS_SIZE] = calloc(n, sizeof *accounts);
    struct list l;
    int r;

    memset(&l, 0, sizeof l);
    if (!accounts) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = list_open(t, t->args->words[0], 0, &l, e)) < 0 || (r = take_off(t, &l, accounts, e)) < 0)
        goto out;
    if (!args_given(t->args, OPT_REKEY)) {
        for (size_t i = 0; r == 0 && i < n; i++)
            r = delete_member(t, &l, accounts[i], e);
        if (r == 0)
            tool_note(
                "from now on the service refuses them; to make that so without trusting the service: recrypt rekey "
                "--retire %s",
                l.address);
        goto out;
    }
    list_next_serial(&l);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = roster_remove(&l.roster, accounts[i], e);
    if (r == 0 && (r = list_rekey(t, &l, 1, e)) == 0)
        for (size_t i = 0; i < n; i++)
            printf("removed %s\n", accounts[i]);
out:
    free(accounts);
    list_close(&l);
    return r;
}

/* Sends a roster as the true one. missing: accounts in it that the service has no entry of, owned by *reply. */
static int send_roster(struct tool *t, struct list *l, struct json_object **reply, struct json_object **missing,
                       struct err *e)
{
    struct json_object *body = json_object_new_object(), *inner = json_object_new_object();
    struct buf roster = BUF_INIT;
    int r;

    *reply = *missing = NULL;
    list_next_serial(l);
    if ((r = list_sign_roster(l, &roster, e)) < 0 || (r = list_set_text(inner, "Roster", &roster, e)) < 0)
        goto out;
    if (sjson_set_string(inner, "Group", l->address) < 0 ||
        sjson_set_object(body, "Roster", json_object_get(inner)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(l->web, "Set", body, l->owner.sign, reply, e)) == 0 &&
             (r = list_keep_roster(t, l, &roster, e)) == 0)
        r = sjson_array(*reply, "Missing", missing, e);
out:
    json_object_put(body);
    json_object_put(inner);
    buf_free(&roster);
    return r;
}

/* Members that the restored service has nothing of come off the roster: only then can they be added again. */
static int drop_missing(struct tool *t, struct list *l, struct json_object *missing, struct err *e)
{
    struct json_object *reply = NULL, *again, *one;
    size_t n = json_object_array_length(missing);
    struct buf names = BUF_INIT;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        one = json_object_array_get_idx(missing, i);
        if (!json_object_is_type(one, json_type_string) || !roster_find(&l->roster, json_object_get_string(one)))
            r = err_set(e, ERR_SYNTAX, "the service misses a member that the roster does not have");
        else if ((r = roster_remove(&l->roster, json_object_get_string(one), e)) == 0 &&
                 buf_printf(&names, " %s", json_object_get_string(one)) < 0)
            r = err_errno(e, "out of memory");
    }
    if (r == 0 && (r = send_roster(t, l, &reply, &again, e)) == 0)
        tool_note("the backup was older than these members; add them again: recrypt add %s%s", l->address,
                  buf_str(&names));
    json_object_put(reply);
    buf_free(&names);
    return r;
}

/* The service forgot a rekey as well: our newer profile waits as next.jws, so that rekey sends that very key again. */
static int set_back_profile(struct tool *t, struct list *l, struct err *e)
{
    struct buf newer = BUF_INIT, theirs = BUF_INIT;
    struct profile here;
    char path[PATH_MAX];
    int r;

    memset(&here, 0, sizeof here);
    if ((r = list_profile_load(t->home, "lists", l->address, "profile.jws", &newer, &here, e)) < 0)
        goto out;
    if (here.epoch <= l->profile.epoch) {
        r = 0;
        goto out;
    }
    if ((r = list_profile_next(t->home, "lists", l->address, &newer, e)) < 0 ||
        (r = profile_sign(&l->profile, l->owner.sign, &theirs, e)) < 0 ||
        (r = home_path(t->home, 1, path, e, "lists", NULL, l->address, "profile.jws", NULL)) < 0 ||
        (r = file_write(path, theirs.data, theirs.len, 0600, e)) < 0)
        goto out;
    tool_note("the backup has an older key of the list too; give it yours again: recrypt rekey --retire %s",
              l->address);
out:
    profile_clear(&here);
    buf_free(&newer);
    buf_free(&theirs);
    return r;
}

static int confirm(struct tool *t, struct list *l, struct err *e)
{
    struct json_object *reply = NULL, *missing = NULL;
    int r;

    snprintf(l->roster.keyid, sizeof l->roster.keyid, "%s", l->profile.keyid);
    l->roster.epoch = l->profile.epoch;
    if ((r = send_roster(t, l, &reply, &missing, e)) < 0)
        goto out;
    l->stale = l->quarantine = 0;
    if (json_object_array_length(missing) > 0 && (r = drop_missing(t, l, missing, e)) < 0)
        goto out;
    if ((r = set_back_profile(t, l, e)) == 0)
        tool_note("the service has your newest roster of %s", l->address);
out:
    json_object_put(reply);
    return r;
}

int command_members(struct tool *t, struct err *e)
{
    struct list l;
    int r;

    if ((r = list_open(t, t->args->words[0], 1, &l, e)) < 0)
        return r;
    if (args_given(t->args, OPT_CONFIRM))
        r = confirm(t, &l, e);
    for (size_t i = 0; r == 0 && i < l.roster.count; i++)
        printf("%s %s\n", l.roster.members[i].account, l.roster.members[i].key_udf);
    if (r == 0 && (l.stale || l.quarantine))
        tool_note(
            "WARNING: the service was restored from a backup and serves nobody of this list; if the members above are "
            "right: recrypt members --confirm %s",
            l.address);
    list_close(&l);
    return r;
}
