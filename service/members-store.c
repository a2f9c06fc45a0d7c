/* Members, entries and signers (records.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records-private.h"

/* parked NULL: a record that knows no such state. */
static int read_state(struct json_object *obj, int *active, char parked[PARK_ID_SIZE], struct err *e)
{
    char state[16];
    int rc = records_text(obj, "state", state, sizeof state, e);

    *active = !rc && !strcmp(state, "active");
    if (!rc && parked && !strcmp(state, "parked"))
        rc = records_text(obj, "id", parked, PARK_ID_SIZE, e);
    else if (!rc && !*active && strcmp(state, "revoked"))
        rc = err_set(e, ERR_SYNTAX, "state: \"%s\"", state);
    return rc;
}

/* The second half of a key "first NUL second" whose first half is prefix_len long with its NUL. */
static int second_half(const void *key, size_t key_len, size_t prefix_len, char out[ADDRESS_SIZE], struct err *e)
{
    if (key_len < prefix_len || key_len - prefix_len >= ADDRESS_SIZE)
        return err_set(e, ERR_SYNTAX, "a key of the store with too long a name");
    memcpy(out, (const char *)key + prefix_len, key_len - prefix_len);
    out[key_len - prefix_len] = '\0';
    return 0;
}

/* ---- members ---- */

int member_put(struct records *r, const char *group, const struct member *m, struct err *e)
{
    struct json_object *obj = records_object();
    struct buf key = BUF_INIT;
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "state", m->active ? "active" : *m->parked ? "parked" : "revoked");
    if (!rc && *m->parked)
        rc = sjson_set_string(obj, "id", m->parked);
    rc = rc ? rc : sjson_set_string(obj, "key", m->key_udf);
    rc = rc ? rc : sjson_set_string(obj, "signer", m->signer);
    rc = rc ? rc : sjson_set_int(obj, "serial", m->serial);
    rc = rc ? rc : records_key(group, m->account, &key);
    if (rc)
        err_set(e, rc, "member: out of memory");
    rc = rc ? rc : records_put(r, KEYSTORE_MEMBERS, key.data, key.len, obj, e);
    buf_free(&key);
    json_object_put(obj);
    return rc;
}

struct member_walk {
    struct members *out;
    size_t prefix_len;
};

static int visit_member(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct member_walk *w = arg;
    struct json_object *obj = NULL;
    struct member m = {0}, *more;
    int rc = second_half(key, key_len, w->prefix_len, m.account, e);

    rc = rc ? rc : records_parse(value, len, &obj, e);
    rc = rc ? rc : read_state(obj, &m.active, m.parked, e);
    rc = rc ? rc : records_text(obj, "key", m.key_udf, sizeof m.key_udf, e);
    rc = rc ? rc : records_text(obj, "signer", m.signer, sizeof m.signer, e);
    rc = rc ? rc : sjson_int(obj, "serial", &m.serial, e);
    json_object_put(obj);
    if (rc)
        return err_prefix(e, "member %s", m.account);
    more = reallocarray(w->out->list, w->out->count + 1, sizeof *more);
    if (!more)
        return err_errno(e, "members");
    w->out->list = more;
    more[w->out->count++] = m;
    return 0;
}

int members_get(struct records *r, const char *group, struct members *out, struct err *e)
{
    struct buf prefix = BUF_INIT;
    struct member_walk w = {out, strlen(group) + 1};
    int rc = records_key(group, "", &prefix);

    memset(out, 0, sizeof *out);
    rc = rc ? rc
            : records_result(r, keystore_scan(r->ks, KEYSTORE_MEMBERS, prefix.data, prefix.len, visit_member, &w, e));
    if (rc)
        members_clear(out);
    buf_free(&prefix);
    return rc;
}

static int compare_member(const void *name, const void *m)
{
    return strcmp(name, ((const struct member *)m)->account);
}

const struct member *members_find(const struct members *m, const char *account)
{
    return m->count ? bsearch(account, m->list, m->count, sizeof *m->list, compare_member) : NULL;
}

size_t members_present(const struct members *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->count; i++)
        n += m->list[i].active || *m->list[i].parked;
    return n;
}

void members_clear(struct members *m)
{
    free(m->list);
    m->list = NULL;
    m->count = 0;
}

/* ---- entries ---- */

/* What is sealed: tag key, public value, private value. */
static int seal_secrets(const struct records *r, const struct buf *key, const struct entry_record *en,
                        struct json_object *obj, struct err *e)
{
    const struct suite *s = suite_key_suite(en->r);
    struct buf secret = BUF_INIT, sealed = BUF_INIT;
    int rc = buf_append(&secret, en->tagkey, sizeof en->tagkey);

    rc = rc ? rc : buf_append(&secret, suite_key_public(en->r), suite_pub_len(s));
    rc = rc ? rc : buf_append(&secret, suite_key_private(en->r), suite_priv_len(s));
    rc = rc ? rc : records_seal(r, KEYSTORE_ENTRIES, key, secret.data, secret.len, &sealed, e);
    rc = rc ? rc : sjson_set_string(obj, "suite", suite_name(s));
    rc = rc ? rc : sjson_set_b64(obj, "secret", sealed.data, sealed.len);
    buf_free(&secret);
    buf_free(&sealed);
    return rc;
}

static int open_secrets(const struct records *r, const struct buf *key, struct json_object *obj,
                        struct entry_record *en, struct err *e)
{
    struct buf secret = BUF_INIT, sealed = BUF_INIT;
    const struct suite *s = NULL;
    const char *name;
    int rc = sjson_string(obj, "suite", &name, e);

    if (!rc) {
        s = suite_by_name(name);
        if (!s)
            rc = err_set(e, ERR_SYNTAX, "suite: \"%s\"", name);
    }
    rc = rc ? rc : sjson_b64(obj, "secret", &sealed, e);
    rc = rc ? rc : records_unseal(r, KEYSTORE_ENTRIES, key, &sealed, &secret, e);
    if (!rc && secret.len != sizeof en->tagkey + suite_pub_len(s) + suite_priv_len(s))
        rc = err_set(e, ERR_SYNTAX, "secret: wrong length");
    if (!rc) {
        const unsigned char *pub = secret.data + sizeof en->tagkey;

        memcpy(en->tagkey, secret.data, sizeof en->tagkey);
        rc = suite_key_from_pair(s, pub + suite_pub_len(s), suite_priv_len(s), pub, &en->r, e);
    }
    buf_free(&secret);
    buf_free(&sealed);
    return rc;
}

static int encode(const struct records *r, const struct buf *key, const struct entry_record *en, struct buf *out,
                  struct err *e)
{
    struct json_object *obj = records_object();
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "state", en->active ? "active" : "revoked");
    rc = rc ? rc : sjson_set_string(obj, "key", en->key_udf);
    rc = rc ? rc : sjson_set_string(obj, "signer", en->signer);
    rc = rc ? rc : sjson_set_int(obj, "serial", en->serial);
    rc = rc ? rc : sjson_set_int(obj, "epoch", en->epoch);
    rc = rc ? rc : sjson_set_int(obj, "issued", en->issued);
    if (!rc && en->active) {
        rc = sjson_set_string(obj, "statement", en->statement);
        rc = rc ? rc : seal_secrets(r, key, en, obj, e);
    }
    rc = rc ? rc : sjson_write(obj, out);
    json_object_put(obj);
    return rc ? err_set(e, rc, "entry: out of memory") : 0;
}

static int decode(const struct records *r, const struct buf *key, const char *member, const void *value, size_t len,
                  struct entry_record *out, struct err *e)
{
    struct json_object *obj = NULL;
    const char *statement;
    int rc = records_parse(value, len, &obj, e);

    memset(out, 0, sizeof *out);
    snprintf(out->member, sizeof out->member, "%s", member);
    rc = rc ? rc : read_state(obj, &out->active, NULL, e);
    rc = rc ? rc : records_text(obj, "key", out->key_udf, sizeof out->key_udf, e);
    rc = rc ? rc : records_text(obj, "signer", out->signer, sizeof out->signer, e);
    rc = rc ? rc : sjson_int(obj, "serial", &out->serial, e);
    rc = rc ? rc : sjson_int(obj, "epoch", &out->epoch, e);
    rc = rc ? rc : sjson_int(obj, "issued", &out->issued, e);
    if (!rc && out->active) {
        rc = sjson_string(obj, "statement", &statement, e);
        if (!rc && !(out->statement = strdup(statement)))
            rc = err_errno(e, "statement");
        rc = rc ? rc : open_secrets(r, key, obj, out, e);
    }
    json_object_put(obj);
    if (rc) {
        err_prefix(e, "entry of %s for %s", member, buf_str(key));
        entry_record_clear(out);
    }
    return rc;
}

int entry_encode(const struct records *r, const char *keyid, const struct entry_record *en, struct buf *out,
                 struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = records_key(keyid, en->member, &key);

    rc = rc ? rc : encode(r, &key, en, out, e);
    buf_free(&key);
    return rc;
}

int entry_decode(const struct records *r, const char *keyid, const char *member, const void *value, size_t len,
                 struct entry_record *out, struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = records_key(keyid, member, &key);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : decode(r, &key, member, value, len, out, e);
    buf_free(&key);
    return rc;
}

int entry_get(struct records *r, const char *keyid, const char *member, struct entry_record *out, struct err *e)
{
    struct buf key = BUF_INIT, value = BUF_INIT;
    int rc = records_key(keyid, member, &key);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : records_result(r, keystore_get(r->ks, KEYSTORE_ENTRIES, key.data, key.len, &value, e));
    rc = rc ? rc : decode(r, &key, member, value.data, value.len, out, e);
    buf_free(&key);
    buf_free(&value);
    return rc;
}

int entry_put(struct records *r, const char *keyid, const struct entry_record *en, struct err *e)
{
    struct buf key = BUF_INIT, value = BUF_INIT;
    int rc = records_key(keyid, en->member, &key);

    rc = rc ? rc : encode(r, &key, en, &value, e);
    rc =
        rc ? rc : records_result(r, keystore_put(r->ks, KEYSTORE_ENTRIES, key.data, key.len, value.data, value.len, e));
    buf_free(&key);
    buf_free(&value);
    return rc;
}

int entry_revoke(struct records *r, const char *keyid, const char *member, int64_t serial, struct err *e)
{
    struct entry_record en;
    int rc = entry_get(r, keyid, member, &en, e);

    if (rc)
        return rc;
    en.active = 0;
    en.serial = serial;
    rc = entry_put(r, keyid, &en, e);
    entry_record_clear(&en);
    return rc;
}

void entry_record_clear(struct entry_record *en)
{
    suite_key_free(&en->r);
    secret_wipe(en->tagkey, sizeof en->tagkey);
    free(en->statement);
    en->statement = NULL;
}

struct entry_walk {
    struct records *r;
    entry_visit *visit;
    void *arg;
    size_t prefix_len;
};

static int visit_entry(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct entry_walk *w = arg;
    struct entry_record en = {0};
    struct buf k = BUF_INIT;
    char member[ADDRESS_SIZE];
    int rc = second_half(key, key_len, w->prefix_len, member, e);

    rc = rc ? rc : buf_append(&k, key, key_len);
    rc = rc ? rc : decode(w->r, &k, member, value, len, &en, e);
    rc = rc ? rc : w->visit(w->arg, &en, e);
    entry_record_clear(&en);
    buf_free(&k);
    return rc;
}

int entry_scan(struct records *r, const char *keyid, entry_visit *visit, void *arg, struct err *e)
{
    struct buf prefix = BUF_INIT;
    struct entry_walk w = {r, visit, arg, strlen(keyid) + 1};
    int rc = records_key(keyid, "", &prefix);

    rc = rc ? rc
            : records_result(r, keystore_scan(r->ks, KEYSTORE_ENTRIES, prefix.data, prefix.len, visit_entry, &w, e));
    buf_free(&prefix);
    return rc;
}
