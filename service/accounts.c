/* Accounts, their keys and rosters (records.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records-private.h"

static const char *const state_names[] = {"current", "archived", "retired"};

const char *key_state_name(enum key_state s)
{
    return state_names[s];
}

/* ---- accounts ---- */

static int read_keys(struct json_object *obj, struct account *a, struct err *e)
{
    struct json_object *keys;
    int rc = sjson_array(obj, "keys", &keys, e);

    for (size_t i = 0; !rc && i < json_object_array_length(keys); i++) {
        struct json_object *k = json_object_array_get_idx(keys, i);

        if (!json_object_is_type(k, json_type_string))
            return err_set(e, ERR_SYNTAX, "keys: not text");
        rc = account_add_key(a, json_object_get_string(k), e);
    }
    return rc;
}

static int read_list(struct json_object *obj, struct account *a, struct err *e)
{
    const char *plaintext;
    int64_t max;
    int rc = sjson_string(obj, "plaintext", &plaintext, e);

    rc = rc ? rc : policy_plaintext(plaintext, 0, &a->policy.plaintext, e);
    rc = rc ? rc : sjson_bool(obj, "archive", &a->policy.archive, e);
    rc = rc ? rc : sjson_int(obj, "max_size", &max, e);
    if (!rc && max < 0)
        rc = err_set(e, ERR_SYNTAX, "max_size: negative");
    a->policy.max_size = rc ? 0 : (size_t)max;
    return rc;
}

static int account_read(struct json_object *obj, const char *address, struct account *a, struct err *e)
{
    char kind[16];
    int rc = records_text(obj, "kind", kind, sizeof kind, e);

    snprintf(a->address, sizeof a->address, "%s", address);
    if (!rc && strcmp(kind, "person") && strcmp(kind, "list"))
        rc = err_set(e, ERR_SYNTAX, "kind: \"%s\"", kind);
    a->kind = !rc && !strcmp(kind, "list") ? PROFILE_LIST : PROFILE_PERSON;
    rc = rc ? rc : records_text(obj, "owner", a->owner, sizeof a->owner, e);
    rc = rc ? rc : records_text(obj, "signer", a->signer, sizeof a->signer, e);
    rc = rc ? rc : records_text(obj, "current", a->current, sizeof a->current, e);
    rc = rc ? rc : sjson_int(obj, "epoch", &a->epoch, e);
    rc = rc ? rc : sjson_int(obj, "created", &a->created, e);
    rc = rc ? rc : read_keys(obj, a, e);
    if (!rc && (a->kind == PROFILE_LIST || sjson_has(obj, "serial"))) {
        rc = sjson_int(obj, "serial", &a->serial, e);
        rc = rc ? rc : records_text(obj, "confirmed", a->confirmed, sizeof a->confirmed, e);
    }
    if (!rc && a->kind == PROFILE_LIST)
        rc = read_list(obj, a, e);
    if (rc) {
        err_prefix(e, "account %s", address);
        account_clear(a);
    }
    return rc;
}

int account_get(struct records *r, const char *address, struct account *out, struct err *e)
{
    struct json_object *obj = NULL;
    int rc;

    memset(out, 0, sizeof *out);
    rc = records_get(r, KEYSTORE_ACCOUNTS, address, strlen(address), &obj, e);
    if (rc == ERR_ABSENT)
        return err_set(e, ERR_ABSENT, "%s: no such account here", address);
    rc = rc ? rc : account_read(obj, address, out, e);
    json_object_put(obj);
    return rc;
}

static int write_keys(const struct account *a, struct json_object *obj)
{
    struct json_object *keys = json_object_new_array();

    for (size_t i = 0; keys && i < a->key_count; i++) {
        struct json_object *k = json_object_new_string(a->keys[i]);

        if (!k || json_object_array_add(keys, k)) {
            json_object_put(k);
            json_object_put(keys);
            return ERR_SYSTEM;
        }
    }
    return keys ? sjson_set_object(obj, "keys", keys) : ERR_SYSTEM;
}

int account_put(struct records *r, const struct account *a, struct err *e)
{
    struct json_object *obj = records_object();
    int list = a->kind == PROFILE_LIST, rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "kind", list ? "list" : "person");
    rc = rc ? rc : sjson_set_string(obj, "owner", a->owner);
    rc = rc ? rc : sjson_set_string(obj, "signer", a->signer);
    rc = rc ? rc : sjson_set_string(obj, "current", a->current);
    rc = rc ? rc : sjson_set_int(obj, "epoch", a->epoch);
    rc = rc ? rc : sjson_set_int(obj, "created", a->created);
    rc = rc ? rc : write_keys(a, obj);
    if (list || a->serial) {
        rc = rc ? rc : sjson_set_int(obj, "serial", a->serial);
        rc = rc ? rc : sjson_set_string(obj, "confirmed", a->confirmed);
    }
    if (list) {
        rc = rc ? rc : sjson_set_string(obj, "plaintext", policy_plaintext_name(a->policy.plaintext));
        rc = rc ? rc : sjson_set_object(obj, "archive", json_object_new_boolean(a->policy.archive));
        rc = rc ? rc : sjson_set_int(obj, "max_size", (int64_t)a->policy.max_size);
    }
    if (rc)
        err_set(e, rc, "account %s: out of memory", a->address);
    rc = rc ? rc : records_put(r, KEYSTORE_ACCOUNTS, a->address, strlen(a->address), obj, e);
    json_object_put(obj);
    return rc;
}

int account_add_key(struct account *a, const char *keyid, struct err *e)
{
    char **more = reallocarray(a->keys, a->key_count + 1, sizeof *more);

    if (!more)
        return err_errno(e, "keys");
    a->keys = more;
    more[a->key_count] = strdup(keyid);
    if (!more[a->key_count])
        return err_errno(e, "keys");
    a->key_count++;
    return 0;
}

void account_clear(struct account *a)
{
    for (size_t i = 0; i < a->key_count; i++)
        free(a->keys[i]);
    free(a->keys);
    a->keys = NULL;
    a->key_count = 0;
}

int account_quarantined(const struct records *r, const struct account *a)
{
    return (a->kind == PROFILE_LIST || a->serial) && strcmp(r->restored, a->confirmed) != 0;
}

struct account_walk {
    account_visit *visit;
    void *arg;
};

static int visit_account(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct account_walk *w = arg;
    struct json_object *obj = NULL;
    struct account a = {0};
    char address[ADDRESS_SIZE];
    int rc;

    if (memchr(key, '\0', key_len)) /* a roster */
        return 0;
    if (key_len >= sizeof address)
        return err_set(e, ERR_SYNTAX, "an account with too long a name");
    memcpy(address, key, key_len);
    address[key_len] = '\0';
    rc = records_parse(value, len, &obj, e);
    if (rc)
        err_prefix(e, "account %s", address);
    rc = rc ? rc : account_read(obj, address, &a, e);
    rc = rc ? rc : w->visit(w->arg, &a, e);
    account_clear(&a);
    json_object_put(obj);
    return rc;
}

int account_scan(struct records *r, account_visit *visit, void *arg, struct err *e)
{
    struct account_walk w = {visit, arg};

    return records_result(r, keystore_scan(r->ks, KEYSTORE_ACCOUNTS, "", 0, visit_account, &w, e));
}

/* ---- rosters: beside the account, under address NUL "roster" ---- */

int roster_get(struct records *r, const char *list, struct buf *out, struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = records_key(list, "roster", &key);

    rc = rc ? rc : records_result(r, keystore_get(r->ks, KEYSTORE_ACCOUNTS, key.data, key.len, out, e));
    buf_free(&key);
    return rc;
}

int roster_put(struct records *r, const char *list, const char *text, struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = records_key(list, "roster", &key);

    rc = rc ? rc : records_result(r, keystore_put(r->ks, KEYSTORE_ACCOUNTS, key.data, key.len, text, strlen(text), e));
    buf_free(&key);
    return rc;
}

/* ---- keys ---- */

static int key_read(struct json_object *obj, struct key_record *k, struct err *e)
{
    struct json_object *jkey;
    const char *profile;
    char state[16];
    int rc = records_text(obj, "account", k->account, sizeof k->account, e);

    rc = rc ? rc : records_text(obj, "state", state, sizeof state, e);
    rc = rc ? rc : sjson_int(obj, "epoch", &k->epoch, e);
    rc = rc ? rc : sjson_object(obj, "key", &jkey, e);
    rc = rc ? rc : jwk_from_json(jkey, &k->key, e);
    rc = rc ? rc : sjson_string(obj, "profile", &profile, e);
    if (rc)
        return rc;
    k->profile = strdup(profile);
    if (!k->profile)
        return err_errno(e, "profile");
    for (int i = 0; i < 3; i++)
        if (!strcmp(state, state_names[i])) {
            k->state = (enum key_state)i;
            return 0;
        }
    return err_set(e, ERR_SYNTAX, "state: \"%s\"", state);
}

int key_get(struct records *r, const char *keyid, struct key_record *out, struct err *e)
{
    struct json_object *obj = NULL;
    int rc;

    memset(out, 0, sizeof *out);
    rc = records_get(r, KEYSTORE_KEYS, keyid, strlen(keyid), &obj, e);
    if (rc == ERR_ABSENT)
        return err_set(e, ERR_ABSENT, "%s: no such key here", keyid);
    rc = rc ? rc : key_read(obj, out, e);
    json_object_put(obj);
    if (rc) {
        err_prefix(e, "key %s", keyid);
        key_clear(out);
    }
    return rc;
}

int key_put(struct records *r, const char *keyid, const struct key_record *k, struct err *e)
{
    struct json_object *obj = records_object(), *jkey = NULL;
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "account", k->account);
    rc = rc ? rc : sjson_set_string(obj, "state", state_names[k->state]);
    rc = rc ? rc : sjson_set_int(obj, "epoch", k->epoch);
    rc = rc ? rc : jwk_to_json(k->key, 0, &jkey, e);
    rc = rc ? rc : sjson_set_object(obj, "key", jkey);
    rc = rc ? rc : sjson_set_string(obj, "profile", k->profile);
    if (rc)
        err_set(e, rc, "key %s: out of memory", keyid);
    rc = rc ? rc : records_put(r, KEYSTORE_KEYS, keyid, strlen(keyid), obj, e);
    json_object_put(obj);
    return rc;
}

void key_clear(struct key_record *k)
{
    jwk_free(&k->key);
    free(k->profile);
    k->profile = NULL;
}
