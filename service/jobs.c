#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records-private.h"

int job_id_check(const char *id, struct err *e)
{
    if (strlen(id) != JOB_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != JOB_ID_SIZE - 1)
        return err_set(e, ERR_SYNTAX, "Job: not %d hexadecimal digits", JOB_ID_SIZE - 1);
    return 0;
}

size_t job_pages(size_t total)
{
    return (total + JOB_PAGE - 1) / JOB_PAGE;
}

/* ---- heads ---- */

static int read_names(struct json_object *obj, struct job *out, struct err *e)
{
    struct json_object *names;
    int rc = sjson_array(obj, "names", &names, e);

    for (size_t i = 0; !rc && i < json_object_array_length(names) && i < JOB_NAMES_MAX; i++) {
        struct json_object *name = json_object_array_get_idx(names, i);

        if (!json_object_is_type(name, json_type_string))
            return err_set(e, ERR_SYNTAX, "names: not text");
        out->names[i] = strdup(json_object_get_string(name));
        if (!out->names[i])
            return err_errno(e, "job");
        out->name_count++;
    }
    return rc;
}

static int read_head(struct json_object *obj, struct job *out, struct err *e)
{
    int64_t total = 0, done = 0, refused = 0;
    int rc = records_text(obj, "list", out->list, sizeof out->list, e);

    rc = rc ? rc : records_text(obj, "keyid", out->keyid, sizeof out->keyid, e);
    rc = rc ? rc : sjson_int(obj, "created", &out->created, e);
    rc = rc ? rc : sjson_int(obj, "total", &total, e);
    rc = rc ? rc : sjson_bool(obj, "ended", &out->ended, e);
    if (!rc && out->ended) {
        rc = sjson_int(obj, "done", &done, e);
        rc = rc ? rc : sjson_int(obj, "refused", &refused, e);
        rc = rc ? rc : read_names(obj, out, e);
    }
    if (!rc && (total < 0 || done < 0 || refused < 0))
        rc = err_set(e, ERR_SYNTAX, "a negative count");
    out->total = (size_t)total;
    out->done = (size_t)done;
    out->refused = (size_t)refused;
    return rc;
}

int job_get(struct records *r, const char *id, struct job *out, struct err *e)
{
    struct json_object *obj = NULL;
    int rc = records_get(r, KEYSTORE_JOBS, id, strlen(id), &obj, e);

    memset(out, 0, sizeof *out);
    if (rc)
        return rc;
    snprintf(out->id, sizeof out->id, "%s", id);
    rc = read_head(obj, out, e);
    json_object_put(obj);
    if (rc) {
        err_prefix(e, "job %s", id);
        job_clear(out);
    }
    return rc;
}

static int put_names(struct json_object *obj, const struct job *j)
{
    struct json_object *names = json_object_new_array();

    for (size_t i = 0; names && i < j->name_count; i++) {
        struct json_object *name = json_object_new_string(j->names[i]);

        if (!name || json_object_array_add(names, name)) {
            json_object_put(name);
            json_object_put(names);
            return ERR_SYSTEM;
        }
    }
    return sjson_set_object(obj, "names", names);
}

int job_put(struct records *r, const struct job *j, struct err *e)
{
    struct json_object *obj = records_object();
    int rc = obj ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_string(obj, "list", j->list);
    rc = rc ? rc : sjson_set_string(obj, "keyid", j->keyid);
    rc = rc ? rc : sjson_set_int(obj, "created", j->created);
    rc = rc ? rc : sjson_set_int(obj, "total", (int64_t)j->total);
    rc = rc ? rc : sjson_set_object(obj, "ended", json_object_new_boolean(j->ended));
    if (!rc && j->ended) {
        rc = sjson_set_int(obj, "done", (int64_t)j->done);
        rc = rc ? rc : sjson_set_int(obj, "refused", (int64_t)j->refused);
        rc = rc ? rc : put_names(obj, j);
    }
    if (rc)
        err_set(e, rc, "job: out of memory");
    rc = rc ? rc : records_put(r, KEYSTORE_JOBS, j->id, strlen(j->id), obj, e);
    json_object_put(obj);
    return rc;
}

void job_clear(struct job *j)
{
    for (size_t i = 0; i < j->name_count; i++)
        free(j->names[i]);
    memset(j, 0, sizeof *j);
}

/* ---- pages ---- */

static int page_key(const char *id, size_t n, struct buf *out, struct err *e)
{
    char number[24];

    snprintf(number, sizeof number, "%08zu", n);
    return records_key(id, number, out) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int read_page(struct json_object *obj, struct job_page *out, struct err *e)
{
    struct json_object *names;
    const char *state;
    int rc = sjson_array(obj, "m", &names, e);

    rc = rc ? rc : sjson_string(obj, "s", &state, e);
    if (rc)
        return rc;
    out->count = json_object_array_length(names);
    if (out->count > JOB_PAGE || strlen(state) != out->count)
        return err_set(e, ERR_SYNTAX, "%zu members, %zu states", out->count, strlen(state));
    memcpy(out->state, state, out->count);
    for (size_t i = 0; i < out->count; i++) {
        struct json_object *name = json_object_array_get_idx(names, i);

        if (!json_object_is_type(name, json_type_string) || json_object_get_string_len(name) >= ADDRESS_SIZE)
            return err_set(e, ERR_SYNTAX, "a member is no address");
        memcpy(out->member[i], json_object_get_string(name), (size_t)json_object_get_string_len(name) + 1);
    }
    return 0;
}

int job_page_get(struct records *r, const char *id, size_t n, struct job_page *out, struct err *e)
{
    struct json_object *obj = NULL;
    struct buf key = BUF_INIT;
    int rc = page_key(id, n, &key, e);

    out->count = 0;
    rc = rc ? rc : records_get(r, KEYSTORE_JOBS, key.data, key.len, &obj, e);
    rc = rc ? rc : read_page(obj, out, e);
    if (rc)
        err_prefix(e, "job %s, page %zu", id, n);
    json_object_put(obj);
    buf_free(&key);
    return rc;
}

int job_page_put(struct records *r, const char *id, size_t n, const struct job_page *p, struct err *e)
{
    struct json_object *obj = records_object(), *names = json_object_new_array();
    struct buf key = BUF_INIT;
    char state[JOB_PAGE + 1];
    int rc = obj && names ? 0 : err_set(e, ERR_SYSTEM, "out of memory");

    for (size_t i = 0; !rc && i < p->count; i++) {
        struct json_object *name = json_object_new_string(p->member[i]);

        if (!name || json_object_array_add(names, name)) {
            json_object_put(name);
            rc = err_set(e, ERR_SYSTEM, "out of memory");
        }
    }
    memcpy(state, p->state, p->count);
    state[p->count] = '\0';
    if (!rc && (sjson_set_object(obj, "m", json_object_get(names)) || sjson_set_string(obj, "s", state)))
        rc = err_set(e, ERR_SYSTEM, "out of memory");
    rc = rc ? rc : page_key(id, n, &key, e);
    rc = rc ? rc : records_put(r, KEYSTORE_JOBS, key.data, key.len, obj, e);
    json_object_put(names);
    json_object_put(obj);
    buf_free(&key);
    return rc;
}

static int delete_key(struct records *r, const void *key, size_t len, struct err *e)
{
    int rc = records_result(r, keystore_delete(r->ks, KEYSTORE_JOBS, key, len, e));

    return rc == ERR_ABSENT ? 0 : rc;
}

int job_page_delete(struct records *r, const char *id, size_t n, struct err *e)
{
    struct buf key = BUF_INIT;
    int rc = page_key(id, n, &key, e);

    rc = rc ? rc : delete_key(r, key.data, key.len, e);
    buf_free(&key);
    return rc;
}

/* ---- the end of their time ---- */

struct old {
    int64_t before;
    struct {
        char id[JOB_ID_SIZE];
        size_t total;
        int ended;
    } * list;
    size_t count;
};

/* Heads only: their key has no page behind it. */
static int note_old(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct old *o = arg;
    struct json_object *obj = NULL;
    struct job j;
    void *more;
    int rc;

    if (key_len != JOB_ID_SIZE - 1)
        return 0;
    memset(&j, 0, sizeof j);
    rc = records_parse(value, len, &obj, e);
    rc = rc ? rc : read_head(obj, &j, e);
    json_object_put(obj);
    if (!rc && j.created < o->before) {
        more = reallocarray(o->list, o->count + 1, sizeof *o->list);
        if (more) {
            o->list = more;
            memcpy(o->list[o->count].id, key, key_len);
            o->list[o->count].id[key_len] = '\0';
            o->list[o->count].total = j.total;
            o->list[o->count++].ended = j.ended;
        } else {
            rc = err_errno(e, "jobs");
        }
    }
    job_clear(&j);
    return rc;
}

int jobs_expire(struct records *r, int64_t before, struct err *e)
{
    struct old old = {.before = before};
    int rc = records_result(r, keystore_scan(r->ks, KEYSTORE_JOBS, NULL, 0, note_old, &old, e));

    if (!rc && old.count && !(rc = records_begin(r, e))) {
        for (size_t i = 0; !rc && i < old.count; i++) {
            for (size_t n = 0; !rc && !old.list[i].ended && n < job_pages(old.list[i].total); n++)
                rc = job_page_delete(r, old.list[i].id, n, e);
            rc = rc ? rc : delete_key(r, old.list[i].id, strlen(old.list[i].id), e);
        }
        if (rc)
            records_abort(r);
        else
            rc = records_commit(r, e);
    }
    free(old.list);
    return rc;
}
