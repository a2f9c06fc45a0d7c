/* Texts about devices (devices.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "records-private.h"

static const char *const kinds[] = {
    [DEVICE_WAITING] = "waiting", [DEVICE_ADMITTED] = "device", [DEVICE_SHARE] = "share"};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* account NUL kind NUL name */
static int make_key(enum device_text kind, const char *account, const char *name, struct buf *out, struct err *e)
{
    int rc = buf_append(out, account, strlen(account) + 1);

    rc = rc ? rc : records_key(kinds[kind], name, out);
    return rc ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

/* What is read points into obj. */
static int read_record(struct json_object *obj, struct device_note *out, struct err *e)
{
    int rc = sjson_string(obj, "text", &out->text, e);

    out->from = "";
    rc = rc ? rc : sjson_int(obj, "at", &out->when, e);
    return rc || !sjson_has(obj, "from") ? rc : sjson_string(obj, "from", &out->from, e);
}

int device_text_get(struct records *r, enum device_text kind, const char *account, const char *name, struct buf *out,
                    int64_t *when, struct err *e)
{
    struct json_object *obj = NULL;
    struct buf key = BUF_INIT;
    struct device_note note;
    int rc = make_key(kind, account, name, &key, e);

    rc = rc ? rc : records_get(r, KEYSTORE_DEVICES, key.data, key.len, &obj, e);
    rc = rc ? rc : read_record(obj, &note, e);
    if (!rc && buf_puts(out, note.text))
        rc = err_set(e, ERR_SYSTEM, "out of memory");
    if (!rc && when)
        *when = note.when;
    json_object_put(obj);
    buf_free(&key);
    return rc;
}

int device_text_put(struct records *r, enum device_text kind, const char *account, const char *name,
                    const struct device_note *note, struct err *e)
{
    struct json_object *obj = records_object();
    struct buf key = BUF_INIT;
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "text", note->text);
    rc = rc ? rc : sjson_set_int(obj, "at", note->when);
    if (!rc && *note->from)
        rc = sjson_set_string(obj, "from", note->from);
    if (rc)
        err_set(e, rc, "device: out of memory");
    rc = rc ? rc : make_key(kind, account, name, &key, e);
    rc = rc ? rc : records_put(r, KEYSTORE_DEVICES, key.data, key.len, obj, e);
    json_object_put(obj);
    buf_free(&key);
    return rc;
}

int device_text_delete(struct records *r, enum device_text kind, const char *account, const char *name, struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = make_key(kind, account, name, &key, e);

    rc = rc ? rc : records_result(r, keystore_delete(r->ks, KEYSTORE_DEVICES, key.data, key.len, e));
    buf_free(&key);
    return rc;
}

struct walk {
    device_visit *visit;
    void *arg;
    size_t prefix_len;
};

static int visit_text(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct walk *w = arg;
    struct json_object *obj = NULL;
    struct device_note note;
    char name[KEYID_SIZE];
    int rc;

    if (key_len - w->prefix_len >= sizeof name)
        return err_set(e, ERR_SYNTAX, "a device's record with too long a name");
    memcpy(name, (const char *)key + w->prefix_len, key_len - w->prefix_len);
    name[key_len - w->prefix_len] = '\0';
    rc = records_parse(value, len, &obj, e);
    rc = rc ? rc : read_record(obj, &note, e);
    rc = rc ? err_prefix(e, "device record %s", name) : w->visit(w->arg, name, &note, e);
    json_object_put(obj);
    return rc;
}

int device_scan(struct records *r, enum device_text kind, const char *account, device_visit *visit, void *arg,
                struct err *e)
{
    struct buf prefix = BUF_INIT;
    int rc = make_key(kind, account, "", &prefix, e);
    struct walk w = {visit, arg, prefix.len};

    rc =
        rc ? rc : records_result(r, keystore_scan(r->ks, KEYSTORE_DEVICES, prefix.data, prefix.len, visit_text, &w, e));
    buf_free(&prefix);
    return rc;
}

/* ---- letting in ---- */

/* Is the text such a request? ERR_ABSENT when it is another's. */
static int matches(const struct buf *text, const char *member, const char *key_udf, const struct jwk *signer,
                   struct err *e)
{
    struct device d;
    int rc = device_read(text->data, text->len, &d, e);

    if (rc)
        return rc;
    if (strcmp(d.member, member) || strcmp(d.key_udf, key_udf) || !jwk_equal(d.signer, signer))
        rc = err_set(e, ERR_ABSENT, "%s has not asked with these keys", member);
    device_clear(&d);
    return rc;
}

int device_find(struct records *r, const char *account, const char *member, const char *key_udf,
                const struct jwk *signer, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = device_text_get(r, DEVICE_WAITING, account, key_udf, &text, NULL, e);

    rc = rc ? rc : matches(&text, member, key_udf, signer, e);
    if (rc == ERR_ABSENT) {
        buf_reset(&text);
        rc = device_text_get(r, DEVICE_ADMITTED, account, member, &text, NULL, e);
        rc = rc ? rc : matches(&text, member, key_udf, signer, e);
    }
    buf_free(&text);
    return rc;
}

struct same_name {
    const char *member;
    char (*keys)[JWK_UDF_SIZE];
    size_t count;
};

static int note_same_name(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    struct same_name *s = arg;
    struct device d;
    void *more;
    int rc = device_read(note->text, strlen(note->text), &d, e), same;

    if (rc)
        return rc;
    same = !strcmp(d.member, s->member);
    device_clear(&d);
    if (!same || strlen(name) >= JWK_UDF_SIZE)
        return 0;
    more = reallocarray(s->keys, s->count + 1, sizeof *s->keys);
    if (!more)
        return err_errno(e, "devices");
    s->keys = more;
    memcpy(s->keys[s->count++], name, strlen(name) + 1);
    return 0;
}

int device_admit(struct records *r, const char *account, const char *member, const char *key_udf, struct err *e)
{
    struct same_name same = {.member = member};
    struct buf text = BUF_INIT;
    int64_t when = 0;
    int rc = device_text_get(r, DEVICE_WAITING, account, key_udf, &text, &when, e);

    if (!rc)
        rc = device_text_put(r, DEVICE_ADMITTED, account, member, &(struct device_note){buf_str(&text), when, ""}, e);
    else if (rc == ERR_ABSENT) /* it was let in before */
        rc = 0;
    rc = rc ? rc : device_scan(r, DEVICE_WAITING, account, note_same_name, &same, e);
    for (size_t i = 0; !rc && i < same.count; i++)
        rc = device_text_delete(r, DEVICE_WAITING, account, same.keys[i], e);
    free(same.keys);
    buf_free(&text);
    return rc;
}

int device_forget(struct records *r, const char *account, const char *member, struct err *e)
{
    int rc = device_text_delete(r, DEVICE_ADMITTED, account, member, e);

    return rc == ERR_ABSENT ? 0 : rc;
}

/* ---- the end of their time ---- */

struct old {
    int64_t before;
    char (*keys)[JWK_UDF_SIZE];
    size_t count;
};

static int note_old(void *arg, const char *name, const struct device_note *note, struct err *e)
{
    struct old *o = arg;
    void *more;

    if (note->when >= o->before || strlen(name) >= JWK_UDF_SIZE)
        return 0;
    more = reallocarray(o->keys, o->count + 1, sizeof *o->keys);
    if (!more)
        return err_errno(e, "devices");
    o->keys = more;
    memcpy(o->keys[o->count++], name, strlen(name) + 1);
    return 0;
}

int devices_expire(struct records *r, const char *account, int64_t before, struct err *e)
{
    struct old old = {.before = before};
    int rc = device_scan(r, DEVICE_WAITING, account, note_old, &old, e);

    if (!rc && old.count && !(rc = records_begin(r, e))) {
        for (size_t i = 0; !rc && i < old.count; i++)
            rc = device_text_delete(r, DEVICE_WAITING, account, old.keys[i], e);
        if (rc)
            records_abort(r);
        else
            rc = records_commit(r, e);
    }
    free(old.keys);
    return rc;
}

/* ---- the semantic pass ---- */

struct checking {
    device_check *check;
    void *arg;
};

/* Takes a key apart; 0 when it has not three parts that fit, with a known kind in the middle. */
static int split_key(const char *key, size_t len, char account[ADDRESS_SIZE], enum device_text *kind,
                     char name[KEYID_SIZE])
{
    const char *first = memchr(key, '\0', len),
               *second = first ? memchr(first + 1, '\0', (size_t)(key + len - first - 1)) : NULL;
    size_t rest;

    if (!second || first - key >= ADDRESS_SIZE || (rest = (size_t)(key + len - second - 1)) >= KEYID_SIZE)
        return 0;
    memcpy(account, key, (size_t)(first - key) + 1);
    memcpy(name, second + 1, rest);
    name[rest] = '\0';
    for (int k = 0; k < KINDS; k++)
        if (!strcmp(first + 1, kinds[k])) {
            *kind = (enum device_text)k;
            return 1;
        }
    return 0;
}

static int check_one(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct checking *c = arg;
    struct json_object *obj = NULL;
    char account[ADDRESS_SIZE], name[KEYID_SIZE];
    enum device_text kind;
    struct device_note note;
    int rc = records_parse(value, len, &obj, e);

    rc = rc ? rc : read_record(obj, &note, e);
    if (rc || !split_key(key, key_len, account, &kind, name))
        rc = c->check(c->arg, "", DEVICE_WAITING, "", NULL, e);
    else
        rc = c->check(c->arg, account, kind, name, note.text, e);
    json_object_put(obj);
    return rc;
}

int devices_check(struct records *r, device_check *check, void *arg, struct err *e)
{
    struct checking c = {check, arg};

    return records_result(r, keystore_scan(r->ks, KEYSTORE_DEVICES, NULL, 0, check_one, &c, e));
}
