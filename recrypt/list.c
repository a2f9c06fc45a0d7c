#include "list.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "known.h"

int list_set_text(struct json_object *obj, const char *name, const struct buf *text, struct err *e)
{
    return sjson_set_string(obj, name, buf_str(text)) < 0 ? err_errno(e, "out of memory") : 0;
}

int list_profile_load(const struct home *h, const char *kind, const char *address, const char *file, struct buf *text,
                      struct profile *out, struct err *e)
{
    char path[PATH_MAX];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = home_path(h, 0, path, e, kind, NULL, address, file, NULL)) < 0 ||
        (r = file_read(path, HOME_FILE_MAX, text, e)) < 0)
        return r;
    r = profile_read(text->data, text->len, out, e);
    return r < 0 ? err_prefix(e, "%s", path) : 0;
}

int list_profile_next(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e)
{
    char path[PATH_MAX];
    int r = home_path(h, 1, path, e, kind, NULL, address, "next.jws", NULL);

    return r < 0 ? r : file_write(path, text->data, text->len, 0600, e);
}

/* The file of the private key that goes with a profile. */
static int key_there(const struct home *h, const char *kind, const struct profile *p)
{
    char udf[JWK_UDF_SIZE], path[PATH_MAX];

    return jwk_udf(p->key, udf) == 0 && home_path(h, 0, path, NULL, kind, ".jwk", p->account, udf, NULL) == 0 &&
           access(path, F_OK) == 0;
}

int list_profile_pending(const struct home *h, const char *kind, const char *address, struct buf *text,
                         struct profile *out, struct err *e)
{
    int r = list_profile_load(h, kind, address, "next.jws", text, out, e);

    if (r < 0 || key_there(h, kind, out))
        return r;
    profile_clear(out);
    memset(out, 0, sizeof *out);
    buf_reset(text);
    return err_set(e, ERR_ABSENT, "the key of %s was never saved", address);
}

int list_profile_make(const struct home *h, const char *kind, const struct jwk *signer, const struct buf *pass,
                      struct profile *p, struct buf *text, struct err *e)
{
    int r;

    if ((r = profile_sign(p, signer, text, e)) < 0 || (r = list_profile_next(h, kind, p->account, text, e)) < 0 ||
        (r = person_save_key(h, kind, p->account, p->key, pass, e)) < 0)
        return r;
    profile_clear(p);
    return profile_read(text->data, text->len, p, e);
}

int list_profile_done(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e)
{
    struct profile pinned;
    char path[PATH_MAX];
    int r;

    if ((r = home_path(h, 1, path, e, kind, NULL, address, "profile.jws", NULL)) < 0 ||
        (r = file_write(path, text->data, text->len, 0600, e)) < 0 ||
        (r = home_path(h, 0, path, e, kind, NULL, address, "next.jws", NULL)) < 0)
        return r;
    unlink(path);
    /* Our own signature: it replaces whatever was pinned before. */
    if ((r = known_accept(h, address, text, 1, &pinned, e)) == 0)
        profile_clear(&pinned);
    return r;
}

int list_key_load(struct tool *t, const char *address, const char *keyid, struct jwk **out, int *under_passphrase,
                  struct err *e)
{
    char path[PATH_MAX], account[ADDRESS_SIZE], udf[64];
    int r;

    *out = NULL;
    if ((r = keyid_parse(keyid, account, udf, e)) < 0 ||
        (r = home_path(t->home, 0, path, e, "lists", ".jwk", address, udf, NULL)) < 0)
        return r;
    if ((r = home_key_load(t->home, path, out, under_passphrase, e)) == ERR_ABSENT)
        return err_set(e, ERR_ABSENT,
                       "the private key %s is not in this home; it is where recrypt newgroup or rekey was run "
                       "(copy %s from there)",
                       keyid, path);
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

static int roster_path(const struct home *h, int make, const char *address, char path[PATH_MAX], struct err *e)
{
    return home_path(h, make, path, e, "lists", NULL, address, "roster.jws", NULL);
}

int list_keep_roster(struct tool *t, const struct list *l, const struct buf *text, struct err *e)
{
    char path[PATH_MAX];
    int r = roster_path(t->home, 1, l->address, path, e);

    return r < 0 ? r : file_write(path, text->data, text->len, 0600, e);
}

/* Takes the newer of the service's roster and the one kept here into l->roster. */
static int compare_rosters(struct tool *t, struct list *l, const char *text, struct err *e)
{
    struct buf kept = BUF_INIT, fresh = BUF_INIT;
    struct roster here;
    char path[PATH_MAX];
    int r;

    memset(&here, 0, sizeof here);
    if ((r = roster_read(text, strlen(text), l->owner.sign, &l->roster, e)) < 0)
        return err_prefix(e, "the service's roster of %s", l->address);
    if (strcmp(l->roster.group, l->address) != 0)
        return err_set(e, ERR_KEY, "the service answered with the roster of another list");
    l->service_serial = l->roster.serial;
    if (buf_puts(&fresh, text) < 0)
        return err_errno(e, "out of memory");
    if ((r = roster_path(t->home, 0, l->address, path, e)) < 0)
        goto out;
    r = file_read(path, HOME_FILE_MAX, &kept, e);
    if (r == ERR_ABSENT) {
        r = list_keep_roster(t, l, &fresh, e);
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
    r = list_profile_load(t->home, "lists", l->address, "next.jws", &kept, &here, NULL);
    if (r == 0 && strcmp(here.keyid, l->profile.keyid) == 0) {
        l->adopted = 1;
        r = list_profile_done(t->home, "lists", l->address, &fresh, e);
        goto out;
    }
    profile_clear(&here);
    buf_reset(&kept);
    r = list_profile_load(t->home, "lists", l->address, "profile.jws", &kept, &here, NULL);
    if (r == 0 && here.epoch > l->profile.epoch)
        l->stale = 1;
    else if (r < 0 || here.epoch < l->profile.epoch)
        r = list_profile_done(t->home, "lists", l->address, &fresh, e);
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
        err_set(e, ERR_ABSENT, "%s has no list %s of %s; make it: recrypt newgroup %s", web_where(l->web), l->address,
                l->owner.account, l->address);
    json_object_put(body);
    return r;
}

int list_open(struct tool *t, const char *word, int allow_stale, struct list *out, struct err *e)
{
    struct json_object *reply = NULL;
    const char *profile, *roster;
    char account[ADDRESS_SIZE];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = tool_address(word, out->address, e)) < 0 ||
        (r = home_account(t->home, t->args->value[OPT_ACCOUNT], account, e)) < 0 || (r = home_lock(t->home, e)) < 0 ||
        (r = person_open(t->home, account, &out->owner, e)) < 0 ||
        (r = services_for(t->services, out->address, &out->web, e)) < 0 || (r = ask(out, &reply, e)) < 0)
        goto out;
    if ((r = sjson_string(reply, "Profile", &profile, e)) < 0 || (r = sjson_string(reply, "Roster", &roster, e)) < 0 ||
        (r = sjson_bool(reply, "Quarantine", &out->quarantine, e)) < 0 || (r = read_keys(out, reply, e)) < 0 ||
        (r = compare_profiles(t, out, profile, e)) < 0 || (r = compare_rosters(t, out, roster, e)) < 0)
        goto out;
    if ((out->stale || out->quarantine) && !allow_stale)
        r = err_set(e, ERR_STALE,
                    "the service was restored from a backup: its roster of %s has number %lld, yours %lld; nothing "
                    "was changed. Look at recrypt members %s, then: recrypt members --confirm %s",
                    out->address, (long long)out->service_serial, (long long)out->roster.serial, out->address,
                    out->address);
out:
    json_object_put(reply);
    if (r < 0)
        list_close(out);
    return r;
}

void list_close(struct list *l)
{
    person_close(&l->owner);
    profile_clear(&l->profile);
    roster_clear(&l->roster);
    free(l->keys);
    memset(l, 0, sizeof *l);
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
