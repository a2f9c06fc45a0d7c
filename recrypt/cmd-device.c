/* device pending, accept, reject, list, remove: the devices of an account, where its own key is. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/sjson.h"
#include "deposit.h"
#include "devices.h"
#include "list.h"
#include "removed.h"

enum { PENDING_MAX = 1024, CODE_LEAST = 5, CODE_WHOLE = 20 };

struct pending {
    struct device *at;
    size_t count;
};

static void pending_clear(struct pending *p)
{
    for (size_t i = 0; i < p->count; i++)
        device_clear(&p->at[i]);
    free(p->at);
    memset(p, 0, sizeof *p);
}

static int read_pending(struct json_object *reply, const char *account, struct pending *out, struct err *e)
{
    struct json_object *array;
    const char *text;
    size_t n;
    int r;

    if ((r = sjson_array(reply, "Pending", &array, e)) < 0)
        return r;
    if ((n = json_object_array_length(array)) > PENDING_MAX)
        return err_set(e, ERR_LIMIT, "the service has %zu requests of devices", n);
    if (!(out->at = calloc(n ? n : 1, sizeof *out->at)))
        return err_errno(e, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct device *d = &out->at[out->count];

        if ((r = sjson_string(json_object_array_get_idx(array, i), "Request", &text, e)) < 0)
            return r;
        if (device_read(text, strlen(text), d, e) < 0) {
            tool_note("a request that makes no sense is left out: %s", e->text);
        } else if (strcmp(d->account, account) != 0) {
            device_clear(d);
            tool_note("a request to another account is left out");
        } else {
            out->count++;
        }
    }
    return 0;
}

/* The requests that wait for the person. */
static int fetch_pending(struct tool *t, const struct person *p, struct pending *out, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct web *w;
    int r;

    memset(out, 0, sizeof *out);
    if (sjson_set_string(body, "Kind", "pending") < 0)
        r = err_errno(e, "out of memory");
    else if ((r = services_for(t->services, p->account, &w, e)) == 0 &&
             (r = web_call(w, "Select", body, p->sign, &reply, e)) == 0)
        r = read_pending(reply, p->account, out, e);
    if (r < 0)
        pending_clear(out);
    json_object_put(body);
    json_object_put(reply);
    return r;
}

/* Is the word the code, or at least the first of its groups? Hyphens and case do not count. */
static int is_code(const char *code, const char *word)
{
    size_t same = 0;

    for (; *word; word++) {
        if (*word == '-')
            continue;
        code += *code == '-';
        if (*code != tolower((unsigned char)*word))
            return 0;
        code++;
        same++;
    }
    return same >= CODE_LEAST;
}

/* Has the word the form of a whole code? A device may be named like one: what the service puts before the person would
 * then be taken for the device whose code she compared. */
static int is_whole_code(const char *word)
{
    size_t n = 0;

    for (; *word; word++)
        if (*word != '-')
            n += isalpha((unsigned char)*word) || (*word >= '2' && *word <= '7') ? 1 : CODE_WHOLE + 1;
    return n == CODE_WHOLE;
}

/* The one request that the word means. */
static int pending_find(const struct pending *p, const char *word, const struct device **out, struct err *e)
{
    int by_name = !is_whole_code(word);

    *out = NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (!(by_name && strcmp(p->at[i].name, word) == 0) && !is_code(p->at[i].code, word))
            continue;
        if (*out)
            return err_set(e, ERR_USAGE, "%s can mean %s (%s) or %s (%s): say the whole code that the device shows",
                           word, (*out)->name, (*out)->code, p->at[i].name, p->at[i].code);
        *out = &p->at[i];
    }
    return *out ? 0
                : err_set(e, ERR_ABSENT,
                          "no device with the code or name %s is waiting; recrypt device pending shows "
                          "which are",
                          word);
}

/* Was the device shown the account's true signature key? */
static int sees_owner(const struct device *d, const struct person *p)
{
    char udf[JWK_UDF_SIZE];

    return jwk_udf(p->sign, udf) == 0 && strcmp(udf, d->owner) == 0;
}

static int open_person(struct tool *t, struct person *p, struct err *e)
{
    char account[ADDRESS_SIZE];
    int r;

    memset(p, 0, sizeof *p);
    t->again = "run the same command again";
    if ((r = home_account(t->home, t->args->value[OPT_ACCOUNT], account, e)) == 0)
        r = person_open(t->home, account, p, e);
    return r;
}

/* A device that was taken off asks again: 1, with the day; 0 = it is not one of those. */
static int was_removed(struct tool *t, const struct device *d, char day[16], struct err *e)
{
    struct tm tm;
    time_t when;
    int r = removed_find(t->home, d->account, d->key_udf, &when, e);

    if (r == 1 && (!localtime_r(&when, &tm) || !strftime(day, 16, "%Y-%m-%d", &tm)))
        *day = 0;
    return r;
}

static int print_pending(struct tool *t, const struct person *p, const struct device *d, struct err *e)
{
    char day[16];
    int r = was_removed(t, d, day, e);

    printf("%s %s %s\n", d->code, d->name, d->key_udf);
    if (!sees_owner(d, p))
        tool_note("WARNING: %s (%s) was shown another signature key than yours: somebody stands between it and your "
                  "service, or it is not yours. It cannot be accepted: recrypt device reject %s",
                  d->name, d->code, d->code);
    if (r == 1)
        tool_note("WARNING: %s (%s) is a device that you removed on %s. If you do not have it in your hands, somebody "
                  "else asks with it: recrypt device reject %s",
                  d->name, d->code, day, d->code);
    return r < 0 ? r : 0;
}

int command_device_pending(struct tool *t, struct err *e)
{
    struct pending pending = {NULL, 0};
    struct person p;
    int r;

    if ((r = open_person(t, &p, e)) < 0 || (r = fetch_pending(t, &p, &pending, e)) < 0)
        goto out;
    for (size_t i = 0; r == 0 && i < pending.count; i++)
        r = print_pending(t, &p, &pending.at[i], e);
    if (pending.count == 0)
        tool_note("no device is waiting");
out:
    pending_clear(&pending);
    person_close(&p);
    return r;
}

/* A device of that name or code that is on the roster already: an earlier run's answer was lost. 1 = there is. */
static int accepted_before(const struct list *l, const char *word, struct err *e)
{
    for (size_t i = 0; i < l->device_count; i++) {
        const struct list_device *d = &l->devices[i];

        const struct list_device *accepted;
        int r;

        if ((strcmp(d->is.name, word) != 0 && !is_code(d->is.code, word)) || !roster_find(&l->roster, d->is.member))
            continue;
        if ((r = list_member_device(l, d->is.member, &accepted, e)) < 0)
            return r;
        if (d->parked)
            return err_set(e, ERR_EXISTS, "%s is parked; on it: recrypt device unpark", d->is.name);
        printf("accepted %s (%s)\n", d->is.name, d->is.code);
        return 1;
    }
    return 0;
}

/* One that was removed is let in by its whole code alone, which whoever has it in her hands can read there. */
static int check_removed(struct tool *t, const struct device *d, struct err *e)
{
    char day[16];
    int r = was_removed(t, d, day, e);

    if (r == 1 && !is_whole_code(t->args->words[0]))
        return err_set(e, ERR_USAGE,
                       "%s (%s) is a device that you removed on %s: if it was lost, somebody else asks with it: "
                       "recrypt device reject %s. If you have it in your hands, say the whole code that it shows",
                       d->name, d->code, day, d->code);
    return r < 0 ? r : 0;
}

static int accept_one(struct tool *t, struct list *l, const struct device *d, struct err *e)
{
    const struct roster_member *there = roster_find(&l->roster, d->member);
    struct profile p = device_profile(d);
    int r;

    if (there && strcmp(there->key_udf, d->key_udf) != 0)
        return err_set(
            e, ERR_EXISTS,
            "you have another device named %s; recrypt device reject %s, and on the new one choose another --name; or "
            "first: recrypt device remove %s",
            d->name, d->code, d->name);
    if (!sees_owner(d, &l->owner))
        return err_set(e, ERR_KEY,
                       "%s (%s) was shown another signature key than yours: somebody stands between it and your "
                       "service, or it is not yours. Nothing was changed; recrypt device reject %s",
                       d->name, d->code, d->code);
    if ((r = check_removed(t, d, e)) < 0 || (r = list_add(t, l, &p, 1, e)) < 0)
        return r;
    printf("accepted %s (%s)\n", d->name, d->code);
    return removed_forget(t->home, l->address, d->key_udf, e);
}

int command_device_accept(struct tool *t, struct err *e)
{
    const char *word = t->args->words[0];
    struct pending pending = {NULL, 0};
    const struct device *d;
    struct list l;
    int r;

    if ((r = list_open_account(t, NULL, 0, &l, e)) < 0)
        return r;
    if ((r = fetch_pending(t, &l.owner, &pending, e)) == 0) {
        r = pending_find(&pending, word, &d, e);
        if (r == 0)
            r = accept_one(t, &l, d, e);
        else if (r == ERR_ABSENT && (r = accepted_before(&l, word, e)) == 0)
            r = pending_find(&pending, word, &d, e);
        r = r > 0 ? 0 : r;
    }
    if (r == 0)
        deposit_send(t, l.address, 0);
    pending_clear(&pending);
    list_close(&l);
    return r;
}

static int reject_one(struct tool *t, const struct person *p, const struct device *d, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct web *w;
    int r;

    if (sjson_set_string(body, "Account", p->account) < 0 || sjson_set_string(body, "Code", d->code) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = services_for(t->services, p->account, &w, e)) == 0 &&
             (r = web_call(w, "Leave", body, p->sign, &reply, e)) == 0)
        printf("rejected %s (%s)\n", d->name, d->code);
    json_object_put(body);
    json_object_put(reply);
    return r;
}

static int reject_all(struct tool *t, const struct person *p, const struct pending *pending, struct err *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < pending->count; i++)
        if ((r = reject_one(t, p, &pending->at[i], e)) == ERR_ABSENT) /* its time is over, or another took its place */
            r = 0;
    if (pending->count == 0)
        tool_note("no device is waiting");
    return r;
}

int command_device_reject(struct tool *t, struct err *e)
{
    int all = args_given(t->args, OPT_ALL), r;
    struct pending pending = {NULL, 0};
    const struct device *d;
    struct person p;

    if (all == (t->args->word_count > 0))
        return err_set(e, ERR_USAGE, "which device? Say its code or name, or --all; recrypt device pending shows them");
    if ((r = open_person(t, &p, e)) < 0 || (r = fetch_pending(t, &p, &pending, e)) < 0)
        goto out;
    if (all)
        r = reject_all(t, &p, &pending, e);
    else if ((r = pending_find(&pending, t->args->words[0], &d, e)) == 0)
        r = reject_one(t, &p, d, e);
out:
    pending_clear(&pending);
    person_close(&p);
    return r;
}

/* The name in bob+NAME@. */
static void name_of(const char *member, char out[ADDRESS_SIZE])
{
    char base[ADDRESS_SIZE];
    const char *ext;
    size_t len;

    address_split(member, base, &ext, &len);
    snprintf(out, ADDRESS_SIZE, "%.*s", ext ? (int)len : 0, ext ? ext : "");
}

/* The roster is the owner's own word; what else the service names is reported. */
static void print_devices(const struct list *l)
{
    char name[ADDRESS_SIZE];

    for (size_t i = 0; i < l->roster.count; i++) {
        const struct list_device *d;

        name_of(l->roster.members[i].account, name);
        d = list_device(l, name);
        printf("%s %s %s\n", name, !d ? "missing" : d->parked ? "parked" : "active", l->roster.members[i].key_udf);
        if (d && strcmp(d->is.key_udf, l->roster.members[i].key_udf) != 0)
            tool_note("WARNING: the service names another key of %s: %s", name, d->is.key_udf);
    }
    for (size_t i = 0; i < l->device_count; i++)
        if (!roster_find(&l->roster, l->devices[i].is.member))
            tool_note("WARNING: the service names a device %s that you have not accepted", l->devices[i].is.name);
}

int command_device_list(struct tool *t, struct err *e)
{
    struct list l;
    int r;

    if ((r = list_open_account(t, NULL, 1, &l, e)) < 0)
        return r;
    if (args_given(t->args, OPT_CONFIRM) && (r = list_confirm(t, &l, e)) == 0)
        deposit_send(t, l.address, 1);
    if (r == 0)
        print_devices(&l);
    if (r == 0 && l.roster.count == 0)
        tool_note("no devices but this machine, which has the account's own key");
    if (r == 0 && (l.stale || l.quarantine))
        tool_note("WARNING: the service was restored from a backup and serves none of your devices; if those above are "
                  "right: recrypt device list --confirm");
    list_close(&l);
    return r;
}

static int remove_and_rekey(struct tool *t, struct list *l, const char *member, struct err *e)
{
    int r;

    list_next_serial(l);
    r = roster_remove(&l->roster, member, e);
    return r < 0 ? r : list_rekey(t, l, 1, e);
}

static int remove_device(struct tool *t, struct list *l, const char *member, int rekey, struct err *e)
{
    int r = removed_note(t->home, l->address, roster_find(&l->roster, member)->key_udf, e);

    if (r < 0)
        return r;
    return rekey ? remove_and_rekey(t, l, member, e) : list_delete(t, l, member, e);
}

int command_device_remove(struct tool *t, struct err *e)
{
    const char *name = t->args->words[0];
    int rekey = args_given(t->args, OPT_REKEY), r;
    char member[ADDRESS_SIZE];
    struct list l;

    if ((r = list_open_account(t, NULL, 0, &l, e)) < 0)
        return r;
    if (device_member(l.address, name, member, e) < 0 || !roster_find(&l.roster, member)) {
        if (rekey && l.adopted)
            tool_note("your last removal was done already; its answer had been lost");
        else
            r = err_set(e, ERR_ABSENT, "%s is no device of %s; recrypt device list shows which there are", name,
                        l.address);
    } else {
        r = remove_device(t, &l, member, rekey, e);
    }
    if (r == 0)
        printf("removed %s\n", name);
    if (r == 0 && !rekey)
        tool_note("from now on it gets no grant, for new or old mail; to make that so without trusting the service: "
                  "recrypt rekey --retire %s",
                  l.address);
    if (r == 0)
        tool_note("if somebody else may have it, change the password of your mailbox: it knows that");
    list_close(&l);
    return r;
}
