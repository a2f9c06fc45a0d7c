#include "list.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "known.h"

enum { DEVICES_MAX = 4096 }; /* ever accepted; the service's own limit is far below */

int list_set_text(struct json_object *obj, const char *name, const struct buf *text, struct err *e)
{
    return sjson_set_string(obj, name, buf_str(text)) < 0 ? err_errno(e, "out of memory") : 0;
}

int list_key_load(struct tool *t, const struct list *l, const char *keyid, struct jwk **out, int *under_passphrase,
                  struct err *e)
{
    char path[PATH_MAX], account[ADDRESS_SIZE], udf[64];
    int r;

    *out = NULL;
    if ((r = keyid_parse(keyid, account, udf, e)) < 0 ||
        (r = home_path(t->home, 0, path, e, l->kind, ".jwk", l->address, udf, NULL)) < 0)
        return r;
    if ((r = home_key_load(t->home, path, out, under_passphrase, e)) == ERR_ABSENT)
        return err_set(e, ERR_ABSENT,
                       "the private key %s is not in this home; it is where recrypt %s was run (copy %s from there)",
                       keyid, list_is_account(l) ? "personal or device remove --rekey" : "newgroup or rekey", path);
    if (r == 0 && jwk_set_kid(*out, keyid) < 0) {
        jwk_free(out);
        return err_errno(e, "out of memory");
    }
    return r;
}

static int read_keys(struct list *l, struct json_object *reply, struct err *e)
{
    struct json_object *array, *one;
    const char *keyid, *state;
    size_t n;
    int r;

    if ((r = sjson_array(reply, "Keys", &array, e)) < 0)
        return r;
    n = json_object_array_length(array);
    if (n == 0 || n > 10000)
        return err_set(e, ERR_SYNTAX, "the service names no key of the list, or too many");
    if (!(l->keys = calloc(n, sizeof *l->keys)))
        return err_errno(e, "out of memory");
    for (; l->key_count < n; l->key_count++) {
        one = json_object_array_get_idx(array, l->key_count);
        if ((r = sjson_string(one, "KeyID", &keyid, e)) < 0 || (r = sjson_string(one, "State", &state, e)) < 0 ||
            (r = sjson_int(one, "Epoch", &l->keys[l->key_count].epoch, e)) < 0)
            return r;
        if (strlen(keyid) >= KEYID_SIZE || strlen(state) >= sizeof l->keys->state)
            return err_set(e, ERR_SYNTAX, "the service's list of keys is malformed");
        strcpy(l->keys[l->key_count].keyid, keyid);
        strcpy(l->keys[l->key_count].state, state);
    }
    return 0;
}

static int read_devices(struct list *l, struct json_object *reply, struct err *e)
{
    struct json_object *array, *one;
    const char *text, *state, *member;
    size_t n;
    int r;

    if ((r = sjson_array(reply, "Devices", &array, e)) < 0)
        return r;
    if ((n = json_object_array_length(array)) > DEVICES_MAX)
        return err_set(e, ERR_LIMIT, "the service names %zu devices", n);
    if (n && !(l->devices = calloc(n, sizeof *l->devices)))
        return err_errno(e, "out of memory");
    while (l->device_count < n) {
        struct list_device *d = &l->devices[l->device_count];

        one = json_object_array_get_idx(array, l->device_count);
        if ((r = sjson_string(one, "Request", &text, e)) < 0 || (r = sjson_string(one, "State", &state, e)) < 0 ||
            (r = sjson_string(one, "Member", &member, e)) < 0 || (r = device_read(text, strlen(text), &d->is, e)) < 0)
            return err_prefix(e, "the service's list of your devices");
        l->device_count++;
        d->parked = strcmp(state, "parked") == 0;
        if (strcmp(d->is.account, l->address) != 0 || strcmp(d->is.member, member) != 0)
            return err_set(e, ERR_KEY, "the service names a device of another account");
    }
    return 0;
}

static int roster_path(const struct home *h, int make, const struct list *l, char path[PATH_MAX], struct err *e)
{
    return home_path(h, make, path, e, l->kind, NULL, l->address, "roster.jws", NULL);
}

int list_keep_roster(struct tool *t, const struct list *l, const struct buf *text, struct err *e)
{
    char path[PATH_MAX];
    int r = roster_path(t->home, 1, l, path, e);

    return r < 0 ? r : file_write(path, text->data, text->len, 0600, e);
}

/* The service's; "" = an account that never had a device: nobody, under number 0. */
static int read_roster(struct list *l, const char *text, struct err *e)
{
    int r;

    if (!*text) {
        snprintf(l->roster.group, sizeof l->roster.group, "%s", l->address);
        snprintf(l->roster.keyid, sizeof l->roster.keyid, "%s", l->profile.keyid);
        l->roster.epoch = l->profile.epoch;
        return 0;
    }
    if ((r = roster_read(text, strlen(text), l->owner.sign, &l->roster, e)) < 0)
        return err_prefix(e, "the service's roster of %s", l->address);
    if (strcmp(l->roster.group, l->address) != 0)
        return err_set(e, ERR_KEY, "the service answered with the roster of another list");
    l->service_serial = l->roster.serial;
    return 0;
}

/* Takes the newer of the service's roster and the one kept here into l->roster. */
static int compare_rosters(struct tool *t, struct list *l, const char *text, struct err *e)
{
    struct buf kept = BUF_INIT, fresh = BUF_INIT;
    struct roster here;
    char path[PATH_MAX];
    int r;

    memset(&here, 0, sizeof here);
    if ((r = read_roster(l, text, e)) < 0)
        return r;
    if (buf_puts(&fresh, text) < 0)
        return err_errno(e, "out of memory");
    if ((r = roster_path(t->home, 0, l, path, e)) < 0)
        goto out;
    r = file_read(path, HOME_FILE_MAX, &kept, e);
    if (r == ERR_ABSENT) {
        r = fresh.len ? list_keep_roster(t, l, &fresh, e) : 0;
        goto out;
    }
    if (r < 0 || (r = roster_read(kept.data, kept.len, l->owner.sign, &here, e)) < 0) {
        err_prefix(e, "%s", path);
        goto out;
    }
    if (here.serial < l->roster.serial) {
        r = list_keep_roster(t, l, &fresh, e);
    } else if (here.serial > l->roster.serial || kept.len != fresh.len ||
               memcmp(kept.data, fresh.data, kept.len) != 0) {
        /* An equal number over another text: the list was changed elsewhere after the service went back. */
        struct roster swap = l->roster;
        l->roster = here;
        here = swap;
        l->stale = 1;
    }
out:
    roster_clear(&here);
    buf_free(&kept);
    buf_free(&fresh);
    return r;
}

/* Holds the service's profile against the ones here: ours, and at least as new. */
static int compare_profiles(struct tool *t, struct list *l, const char *text, struct err *e)
{
    struct buf fresh = BUF_INIT, kept = BUF_INIT;
    struct profile here;
    int r;

    memset(&here, 0, sizeof here);
    if ((r = profile_read(text, strlen(text), &l->profile, e)) < 0)
        return err_prefix(e, "the service's profile of %s", l->address);
    if (strcmp(l->profile.account, l->address) != 0 || !jwk_equal(l->profile.signer, l->owner.sign))
        return err_set(e, ERR_KEY, "the service's profile of %s is not signed by %s", l->address, l->owner.account);
    if (buf_puts(&fresh, text) < 0)
        return err_errno(e, "out of memory");
    r = list_profile_load(t->home, l->kind, l->address, "next.jws", &kept, &here, NULL);
    if (r == 0 && strcmp(here.keyid, l->profile.keyid) == 0) {
        l->adopted = 1;
        r = list_profile_done(t->home, l->kind, l->address, &fresh, e);
        goto out;
    }
    profile_clear(&here);
    buf_reset(&kept);
    r = list_profile_load(t->home, l->kind, l->address, "profile.jws", &kept, &here, NULL);
    if (r == 0 && here.epoch > l->profile.epoch)
        l->stale = 1;
    else if (r < 0 || here.epoch < l->profile.epoch)
        r = list_profile_done(t->home, l->kind, l->address, &fresh, e);
out:
    profile_clear(&here);
    buf_free(&fresh);
    buf_free(&kept);
    return r;
}

static int ask(struct list *l, struct json_object **reply, struct err *e)
{
    struct json_object *body = json_object_new_object();
    int r;

    if (sjson_set_string(body, "Group", l->address) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_call(l->web, "Get", body, l->owner.sign, reply, e)) == ERR_ABSENT)
        err_set(e, ERR_ABSENT, "%s has no %s %s of %s; make it: recrypt %s %s", web_where(l->web),
                list_is_account(l) ? "account" : "list", l->address, l->owner.account,
                list_is_account(l) ? "personal" : "newgroup", l->address);
    json_object_put(body);
    return r;
}

static int read_reply(struct tool *t, struct list *l, struct json_object *reply, struct err *e)
{
    const char *profile, *roster = "";
    int r;

    if ((r = sjson_string(reply, "Profile", &profile, e)) < 0 ||
        ((!list_is_account(l) || sjson_has(reply, "Roster")) && (r = sjson_string(reply, "Roster", &roster, e)) < 0) ||
        (r = sjson_bool(reply, "Quarantine", &l->quarantine, e)) < 0 || (r = read_keys(l, reply, e)) < 0 ||
        (list_is_account(l) && (r = read_devices(l, reply, e)) < 0) || (r = compare_profiles(t, l, profile, e)) < 0)
        return r;
    return compare_rosters(t, l, roster, e);
}

/* l->kind and l->address are set. */
static int open_as(struct tool *t, const char *account, int allow_stale, struct list *l, struct err *e)
{
    struct json_object *reply = NULL;
    struct buf way = BUF_INIT;
    int r;

    t->again = "run the same command again";
    if ((r = home_lock(t->home, e)) < 0 || (r = person_open(t->home, account, &l->owner, e)) < 0 ||
        (r = services_for(t->services, l->address, &l->web, e)) < 0 || (r = ask(l, &reply, e)) < 0 ||
        (r = read_reply(t, l, reply, e)) < 0 || !(l->stale || l->quarantine) || allow_stale)
        goto out;
    if ((list_is_account(l)
             ? buf_puts(&way, "recrypt device list, then: recrypt device list --confirm")
             : buf_printf(&way, "recrypt members %s, then: recrypt members --confirm %s", l->address, l->address)) < 0)
        r = err_errno(e, "out of memory");
    else
        r = err_set(e, ERR_STALE,
                    "the service was restored from a backup: its roster of %s has number %lld, yours %lld; nothing "
                    "was changed. Look at %s",
                    l->address, (long long)l->service_serial, (long long)l->roster.serial, buf_str(&way));
out:
    json_object_put(reply);
    buf_free(&way);
    if (r < 0)
        list_close(l);
    return r;
}

int list_open(struct tool *t, const char *word, int allow_stale, struct list *out, struct err *e)
{
    char account[ADDRESS_SIZE];
    int r;

    memset(out, 0, sizeof *out);
    out->kind = "lists";
    if ((r = tool_address(word, out->address, e)) < 0 ||
        (r = home_account(t->home, t->args->value[OPT_ACCOUNT], account, e)) < 0)
        return r;
    return open_as(t, account, allow_stale, out, e);
}

int list_open_account(struct tool *t, const char *account, int allow_stale, struct list *out, struct err *e)
{
    int r;

    memset(out, 0, sizeof *out);
    out->kind = "persons";
    if ((r = home_account(t->home, account ? account : t->args->value[OPT_ACCOUNT], out->address, e)) < 0)
        return r;
    return open_as(t, out->address, allow_stale, out, e);
}

void list_close(struct list *l)
{
    person_close(&l->owner);
    profile_clear(&l->profile);
    roster_clear(&l->roster);
    free(l->keys);
    for (size_t i = 0; i < l->device_count; i++)
        device_clear(&l->devices[i].is);
    free(l->devices);
    memset(l, 0, sizeof *l);
}

const struct list_device *list_device(const struct list *l, const char *name)
{
    for (size_t i = 0; i < l->device_count; i++)
        if (strcmp(l->devices[i].is.name, name) == 0)
            return &l->devices[i];
    return NULL;
}

int list_member_device(const struct list *l, const char *member, const struct list_device **out, struct err *e)
{
    const struct roster_member *on = roster_find(&l->roster, member);

    *out = NULL;
    if (!on)
        return err_set(e, ERR_ABSENT, "%s is no device of %s; recrypt device list shows which there are", member,
                       l->address);
    for (size_t i = 0; i < l->device_count; i++)
        if (strcmp(l->devices[i].is.member, member) == 0)
            *out = &l->devices[i];
    if (!*out)
        return err_set(e, ERR_ABSENT, "the service has lost %s; remove it, and connect it again", member);
    if (strcmp((*out)->is.key_udf, on->key_udf) == 0)
        return 0;
    *out = NULL;
    return err_set(
        e, ERR_KEY,
        "the service names another key of %s than the one you accepted; nothing was changed. Somebody may be "
        "trying to read your mail: remove the device, and connect it again",
        member);
}

void list_next_serial(struct list *l)
{
    l->roster.serial = (l->service_serial > l->roster.serial ? l->service_serial : l->roster.serial) + 1;
}

int list_sign_roster(struct list *l, struct buf *text, struct err *e)
{
    l->roster.issued = (int64_t)time(NULL);
    return roster_sign(&l->roster, l->owner.sign, text, e);
}

int list_entry(struct tool *t, const struct list *l, const struct jwk *group_key, int64_t epoch,
               const struct profile *member, struct json_object *array, struct err *e)
{
    const struct jwk *service_key;
    struct json_object *item;
    struct buf text = BUF_INIT;
    int r;

    if ((r = services_encryption_key(t->services, l->address, &service_key, e)) < 0 ||
        (r = entry_make(group_key, member, l->roster.serial, epoch, l->owner.sign, service_key, &text, e)) < 0)
        goto out;
    item = json_object_new_string_len(buf_str(&text), (int)text.len);
    if (!item || json_object_array_add(array, item) < 0) {
        json_object_put(item);
        r = err_errno(e, "out of memory");
    }
out:
    buf_free(&text);
    return r;
}

int list_entries(struct tool *t, const struct list *l, const struct profile *members, size_t count,
                 struct json_object *array, struct err *e)
{
    struct jwk *key = NULL;
    int r = 0;

    for (size_t k = 0; r == 0 && k < l->key_count; k++) {
        if ((r = list_key_load(t, l, l->keys[k].keyid, &key, NULL, e)) < 0)
            break;
        for (size_t i = 0; r == 0 && i < count; i++)
            r = list_entry(t, l, key, l->keys[k].epoch, &members[i], array, e);
        jwk_free(&key);
    }
    return r;
}
