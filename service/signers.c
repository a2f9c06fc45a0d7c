/* Signers: signature keys that may ask (records.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records-private.h"

enum { MEMBERSHIPS_MAX = 4096 };

/* The caller knows that the list and member are not there yet. */
static int append(struct signer *s, const char *group, const char *member, const char *key_udf, struct err *e)
{
    struct signer_membership *more;

    if (s->count >= MEMBERSHIPS_MAX)
        return err_set(e, ERR_LIMIT, "one signature key is in more than %d lists", MEMBERSHIPS_MAX);
    more = reallocarray(s->memberships, s->count + 1, sizeof *more);
    if (!more)
        return err_errno(e, "signer");
    s->memberships = more;
    more += s->count++;
    snprintf(more->group, sizeof more->group, "%s", group);
    snprintf(more->member, sizeof more->member, "%s", member);
    snprintf(more->key_udf, sizeof more->key_udf, "%s", key_udf);
    return 0;
}

static int read_memberships(struct json_object *obj, struct signer *s, struct err *e)
{
    struct json_object *list;
    int rc = sjson_array(obj, "members", &list, e);

    for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
        struct json_object *m = json_object_array_get_idx(list, i);
        struct signer_membership one = {0};

        rc = records_text(m, "group", one.group, sizeof one.group, e);
        rc = rc ? rc : records_text(m, "member", one.member, sizeof one.member, e);
        rc = rc ? rc : records_text(m, "key", one.key_udf, sizeof one.key_udf, e);
        rc = rc ? rc : append(s, one.group, one.member, one.key_udf, e);
    }
    return rc;
}

int signer_decode(const void *value, size_t len, struct signer *out, struct err *e)
{
    struct json_object *obj = NULL, *jkey;
    int rc = records_parse(value, len, &obj, e);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : sjson_object(obj, "key", &jkey, e);
    rc = rc ? rc : jwk_from_json(jkey, &out->key, e);
    if (!rc && !jwk_is_signature(out->key))
        rc = err_set(e, ERR_SYNTAX, "key: not a signature key");
    rc = rc ? rc : records_text(obj, "person", out->person, sizeof out->person, e);
    json_object_put(obj);
    if (rc) {
        err_prefix(e, "signer");
        signer_clear(out);
    }
    return rc;
}

int signer_get_key(struct records *r, const char *udf, struct signer *out, struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = records_result(r, keystore_get(r->ks, KEYSTORE_SIGNERS, udf, strlen(udf), &value, e));

    memset(out, 0, sizeof *out);
    rc = rc ? rc : signer_decode(value.data, value.len, out, e);
    buf_free(&value);
    return rc;
}

/* Beside the signer, under udf NUL "lists". */
int signer_get_lists(struct records *r, const char *udf, struct signer *s, struct err *e)
{
    struct json_object *obj = NULL;
    struct buf key = BUF_INIT;
    int rc = records_key(udf, "lists", &key);

    rc = rc ? rc : records_get(r, KEYSTORE_SIGNERS, key.data, key.len, &obj, e);
    rc = rc == ERR_ABSENT ? 0 : rc ? rc : read_memberships(obj, s, e);
    json_object_put(obj);
    buf_free(&key);
    return rc ? err_prefix(e, "lists of signer %s", udf) : 0;
}

int signer_get(struct records *r, const char *udf, struct signer *out, struct err *e)
{
    int rc = signer_get_key(r, udf, out, e);

    rc = rc ? rc : signer_get_lists(r, udf, out, e);
    if (rc)
        signer_clear(out);
    return rc;
}

static int write_memberships(const struct signer *s, struct json_object *obj)
{
    struct json_object *list = json_object_new_array();
    int rc = list ? 0 : ERR_SYSTEM;

    for (size_t i = 0; !rc && i < s->count; i++) {
        const struct signer_membership *m = &s->memberships[i];
        struct json_object *one = json_object_new_object();

        if (!one || sjson_set_string(one, "group", m->group) || sjson_set_string(one, "member", m->member) ||
            sjson_set_string(one, "key", m->key_udf) || json_object_array_add(list, one)) {
            json_object_put(one);
            rc = ERR_SYSTEM;
        }
    }
    if (rc) {
        json_object_put(list);
        return rc;
    }
    return sjson_set_object(obj, "members", list);
}

int signer_encode(const struct signer *s, struct buf *out, struct err *e)
{
    struct json_object *obj = records_object(), *jkey = NULL;
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : jwk_to_json(s->key, 0, &jkey, e);
    rc = rc ? rc : sjson_set_object(obj, "key", jkey);
    rc = rc ? rc : sjson_set_string(obj, "person", s->person);
    rc = rc ? rc : sjson_write(obj, out);
    json_object_put(obj);
    return rc ? err_set(e, rc, "signer: out of memory") : 0;
}

static int put_lists(struct records *r, const char *udf, const struct signer *s, struct err *e)
{
    struct json_object *obj = records_object();
    struct buf key = BUF_INIT;
    int rc = obj ? records_key(udf, "lists", &key) : ERR_SYSTEM;

    if (!rc && !s->count) {
        rc = records_result(r, keystore_delete(r->ks, KEYSTORE_SIGNERS, key.data, key.len, e));
        rc = rc == ERR_ABSENT ? 0 : rc;
    } else {
        rc = rc ? rc : write_memberships(s, obj);
        if (rc)
            err_set(e, rc, "signer: out of memory");
        rc = rc ? rc : records_put(r, KEYSTORE_SIGNERS, key.data, key.len, obj, e);
    }
    json_object_put(obj);
    buf_free(&key);
    return rc;
}

int signer_put(struct records *r, const char *udf, const struct signer *s, struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = put_lists(r, udf, s, e);

    if (!rc && !*s->person && !s->count)
        return records_result(r, keystore_delete(r->ks, KEYSTORE_SIGNERS, udf, strlen(udf), e));
    rc = rc ? rc : signer_encode(s, &value, e);
    rc = rc ? rc : records_result(r, keystore_put(r->ks, KEYSTORE_SIGNERS, udf, strlen(udf), value.data, value.len, e));
    buf_free(&value);
    return rc;
}

int signer_join(struct signer *s, const char *group, const char *member, const char *key_udf, struct err *e)
{
    signer_leave(s, group, member);
    return append(s, group, member, key_udf, e);
}

void signer_leave(struct signer *s, const char *group, const char *member)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->memberships[i].group, group) && !strcmp(s->memberships[i].member, member)) {
            s->memberships[i] = s->memberships[--s->count];
            return;
        }
}

void signer_clear(struct signer *s)
{
    jwk_free(&s->key);
    free(s->memberships);
    s->memberships = NULL;
    s->count = 0;
}
