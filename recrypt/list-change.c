/* Changes of a list, or of the devices of an account (list.h). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "known.h"
#include "list.h"

/* So many entries travel in one request: a few seconds' work for the service, and well below its max_body. */
enum { ENTRIES_AT_ONCE = 500 };

int list_set(struct tool *t, struct list *l, const char *name, struct json_object *inner, struct json_object **reply,
             struct err *e)
{
    struct json_object *body = json_object_new_object(), *got = NULL;
    struct buf roster = BUF_INIT;
    int r;

    if ((r = list_sign_roster(l, &roster, e)) < 0 || (r = list_set_text(inner, "Roster", &roster, e)) < 0)
        goto out;
    if (sjson_set_string(inner, "Group", l->address) < 0 || sjson_set_object(body, name, json_object_get(inner)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(l->web, "Set", body, l->owner.sign, &got, e)) == 0)
        r = list_keep_roster(t, l, &roster, e);
out:
    if (reply && r == 0)
        *reply = got;
    else
        json_object_put(got);
    json_object_put(body);
    buf_free(&roster);
    return r;
}

static int add_some(struct tool *t, struct list *l, const struct profile *members, size_t count, struct err *e)
{
    struct json_object *inner = json_object_new_object(), *entries = json_object_new_array();
    char udf[JWK_UDF_SIZE];
    int r = 0;

    if (sjson_set_object(inner, "Entries", json_object_get(entries)) < 0)
        r = err_errno(e, "out of memory");
    list_next_serial(l);
    for (size_t i = 0; r == 0 && i < count; i++)
        if ((r = jwk_udf(members[i].key, udf)) == 0)
            r = roster_add(&l->roster, members[i].account, udf, e);
    if (r == 0 && (r = list_entries(t, l, members, count, entries, e)) == 0)
        r = list_set(t, l, "Members", inner, NULL, e);
    for (size_t i = 0; r == 0 && i < count && !list_is_account(l); i++)
        printf("added %s\n", members[i].account);
    json_object_put(inner);
    json_object_put(entries);
    return r;
}

int list_add(struct tool *t, struct list *l, const struct profile *members, size_t count, struct err *e)
{
    size_t at_once = l->key_count < ENTRIES_AT_ONCE ? ENTRIES_AT_ONCE / l->key_count : 1;
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i += at_once) {
        r = add_some(t, l, &members[i], count - i < at_once ? count - i : at_once, e);
        if (r < 0 && i > 0)
            err_prefix(e, "those named above were added, the others were not");
    }
    return r;
}

int list_delete(struct tool *t, struct list *l, const char *account, struct err *e)
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
    if (r == 0 && !list_is_account(l))
        printf("removed %s\n", account);
out:
    json_object_put(body);
    json_object_put(reply);
    buf_free(&roster);
    return r;
}

/* Sends the roster as the true one. missing: accounts in it that the service has no entry of, owned by *reply. */
static int send_roster(struct tool *t, struct list *l, struct json_object **reply, struct json_object **missing,
                       struct err *e)
{
    struct json_object *inner = json_object_new_object();
    int r;

    *reply = *missing = NULL;
    list_next_serial(l);
    if ((r = list_set(t, l, "Roster", inner, reply, e)) == 0)
        r = sjson_array(*reply, "Missing", missing, e);
    json_object_put(inner);
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
    if (r == 0 && (r = send_roster(t, l, &reply, &again, e)) == 0) {
        if (list_is_account(l))
            tool_note(
                "the backup was older than these devices; on each of them: recrypt device connect %s, and accept it "
                "again:%s",
                l->address, buf_str(&names));
        else
            tool_note("the backup was older than these members; add them again: recrypt add %s%s", l->address,
                      buf_str(&names));
    }
    json_object_put(reply);
    buf_free(&names);
    return r;
}

/* The service forgot a rekey as well: our newer profile waits as next.jws, so that rekey sends that very key again. 1 =
 * so it is, 0 = it did not. */
static int set_back_profile(struct tool *t, struct list *l, struct err *e)
{
    struct buf newer = BUF_INIT, theirs = BUF_INIT;
    struct profile here;
    char path[PATH_MAX];
    int r;

    memset(&here, 0, sizeof here);
    if ((r = list_profile_load(t->home, l->kind, l->address, "profile.jws", &newer, &here, e)) < 0)
        goto out;
    if (here.epoch <= l->profile.epoch) {
        r = 0;
        goto out;
    }
    if ((r = list_profile_next(t->home, l->kind, l->address, &newer, e)) < 0 ||
        (r = profile_sign(&l->profile, l->owner.sign, &theirs, e)) < 0 ||
        (r = home_path(t->home, 1, path, e, l->kind, NULL, l->address, "profile.jws", NULL)) < 0 ||
        (r = file_write(path, theirs.data, theirs.len, 0600, e)) < 0)
        goto out;
    r = 1;
out:
    profile_clear(&here);
    buf_free(&newer);
    buf_free(&theirs);
    return r;
}

int list_confirm(struct tool *t, struct list *l, struct err *e)
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
    if ((r = set_back_profile(t, l, e)) == 1) {
        r = 0;
        if (list_is_account(l)) {
            tool_note("the backup has an older key of yours too; it gets your newest one again");
            list_next_serial(l);
            r = list_rekey(t, l, 1, e);
        } else {
            tool_note("the backup has an older key of the list too; give it yours again: recrypt rekey --retire %s",
                      l->address);
        }
    }
    if (r == 0)
        tool_note("the service has your newest roster of %s", l->address);
out:
    json_object_put(reply);
    return r;
}
