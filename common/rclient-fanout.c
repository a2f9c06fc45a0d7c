/* The client's half of a fan-out (rclient.h). */
#include <stdlib.h>
#include <string.h>

#include "rclient-private.h"
#include "sjson.h"

enum { PAGE_MAX = 1024, NAMES_MAX = 100 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

static int job_request(const char *job, struct json_object **out, struct err *e)
{
    *out = json_object_new_object();
    if (*out && sjson_set_string(*out, "Job", job) == 0)
        return 0;
    json_object_put(*out);
    *out = NULL;
    return no_memory(e);
}

static int read_count(struct json_object *reply, const char *name, size_t *out, struct err *e)
{
    int64_t n;

    if (sjson_int(reply, name, &n, NULL) < 0 || n < 0)
        return rclient_rubbish(name, e);
    *out = (size_t)n;
    return 0;
}

static int read_names(struct json_object *reply, struct fanout_result *out, struct err *e)
{
    struct json_object *list;
    size_t n;

    if (sjson_array(reply, "Names", &list, NULL) < 0 || (n = json_object_array_length(list)) > NAMES_MAX)
        return rclient_rubbish("Names", e);
    if (!(out->names = calloc(n + 1, sizeof *out->names)))
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);

        if (!json_object_is_type(item, json_type_string))
            return rclient_rubbish("Names", e);
        if (!(out->names[i] = strdup(json_object_get_string(item))))
            return no_memory(e);
        out->name_count++;
    }
    return 0;
}

static int read_result(struct json_object *reply, struct fanout_result *out, struct err *e)
{
    int r;

    if (sjson_bool(reply, "Ended", &out->ended, NULL) < 0)
        return rclient_rubbish("Ended", e);
    if ((r = read_count(reply, "Total", &out->total, e)) < 0 || (r = read_count(reply, "Done", &out->done, e)) < 0 ||
        (r = read_count(reply, "Refused", &out->refused, e)) < 0)
        return r;
    if (sjson_has(reply, "Waiting") && (r = read_count(reply, "Waiting", &out->waiting, e)) < 0)
        return r;
    return read_names(reply, out, e);
}

static int ask_result(struct frame_client *c, const char *name, struct json_object *body, struct fanout_result *out,
                      struct err *e)
{
    struct json_object *reply = NULL;
    int r = frame_call(c, name, body, &reply, e);

    if (r == 0)
        r = read_result(reply, out, e);
    if (r < 0)
        fanout_result_clear(out);
    json_object_put(reply);
    return r;
}

int rclient_fanout_begin(struct frame_client *c, const char *account, const char *keyid, const char *job,
                         struct fanout_result *out, struct err *e)
{
    struct json_object *body = NULL;
    int r = job_request(job, &body, e);

    memset(out, 0, sizeof *out);
    if (r == 0 && (sjson_set_string(body, "Account", account) < 0 || sjson_set_string(body, "GroupKeyID", keyid) < 0))
        r = no_memory(e);
    if (r == 0)
        r = ask_result(c, "FanoutBegin", body, out, e);
    json_object_put(body);
    return r;
}

int rclient_fanout_end(struct frame_client *c, const char *job, struct fanout_result *out, struct err *e)
{
    struct json_object *body = NULL;
    int r = job_request(job, &body, e);

    memset(out, 0, sizeof *out);
    if (r == 0)
        r = ask_result(c, "FanoutEnd", body, out, e);
    json_object_put(body);
    return r;
}

void fanout_result_clear(struct fanout_result *r)
{
    for (size_t i = 0; i < r->name_count; i++)
        free(r->names[i]);
    free(r->names);
    memset(r, 0, sizeof *r);
}

static int read_member(struct json_object *obj, const struct suite *s, struct fanout_member *m, struct err *e)
{
    struct json_object *grant;
    int r;

    if (sjson_int(obj, "Index", &m->index, NULL) < 0 || m->index < 0)
        return rclient_rubbish("Index", e);
    if ((r = rclient_word(obj, "Account", 1, m->account, sizeof m->account, e)) < 0 ||
        (r = rclient_word(obj, "Sender", 1, m->sender, sizeof m->sender, e)) < 0 ||
        (r = rclient_word(obj, "Copy", 1, m->copy, sizeof m->copy, e)) < 0)
        return r;
    if (sjson_object(obj, "Grant", &grant, NULL) < 0)
        return rclient_rubbish("Grant", e);
    if ((r = grant_from_json(grant, &m->grant, e)) < 0)
        return r == ERR_SYSTEM ? r : rclient_rubbish("Grant", e);
    return m->grant.dk && m->grant.value_len == suite_value_len(s) ? 0 : rclient_rubbish("Grant", e);
}

static int read_page(struct json_object *reply, const struct suite *s, int64_t from, struct fanout_page *out,
                     struct err *e)
{
    struct json_object *list;
    size_t n;
    int r;

    if (sjson_array(reply, "Members", &list, NULL) < 0 || (n = json_object_array_length(list)) > PAGE_MAX)
        return rclient_rubbish("Members", e);
    /* A page that does not lead on would have us go round for ever. */
    if (sjson_int(reply, "Next", &out->next, NULL) < 0 || (out->next >= 0 && out->next <= from))
        return rclient_rubbish("Next", e);
    if (sjson_int(reply, "Serial", &out->serial, NULL) < 0)
        return rclient_rubbish("Serial", e);
    if (!(out->list = calloc(n + 1, sizeof *out->list)))
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        out->count++;
        if ((r = read_member(json_object_array_get_idx(list, i), s, &out->list[i], e)) < 0)
            return r;
    }
    return 0;
}

int rclient_fanout_next(struct frame_client *c, const char *job, const struct suite *s, const unsigned char *epk,
                        size_t epk_len, int64_t from, struct fanout_page *out, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL;
    int r = rclient_epk_request(NULL, NULL, s, epk, epk_len, &body, e);

    memset(out, 0, sizeof *out);
    if (r == 0 && (sjson_set_string(body, "Job", job) < 0 || sjson_set_int(body, "From", from) < 0))
        r = no_memory(e);
    if (r == 0 && (r = frame_call(c, "FanoutNext", body, &reply, e)) == 0)
        r = read_page(reply, s, from, out, e);
    if (r < 0)
        fanout_page_clear(out);
    json_object_put(reply);
    json_object_put(body);
    return r;
}

void fanout_page_clear(struct fanout_page *p)
{
    for (size_t i = 0; i < p->count; i++)
        grant_clear(&p->list[i].grant);
    free(p->list);
    memset(p, 0, sizeof *p);
}

static int set_indices(struct json_object *body, const char *name, const int64_t *list, size_t n)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < n; i++) {
        struct json_object *item = json_object_new_int64(list[i]);

        if (!item || json_object_array_add(array, item) < 0) {
            json_object_put(item);
            json_object_put(array);
            return ERR_SYSTEM;
        }
    }
    return sjson_set_object(body, name, array);
}

int rclient_fanout_done(struct frame_client *c, const char *job, const int64_t *done, size_t done_count,
                        const int64_t *refused, size_t refused_count, int64_t *serial, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL;
    int r = job_request(job, &body, e);

    *serial = 0;
    if (r == 0 &&
        (set_indices(body, "Done", done, done_count) < 0 || set_indices(body, "Refused", refused, refused_count) < 0))
        r = no_memory(e);
    if (r == 0 && (r = frame_call(c, "FanoutDone", body, &reply, e)) == 0 &&
        sjson_int(reply, "Serial", serial, NULL) < 0)
        r = rclient_rubbish("Serial", e);
    json_object_put(reply);
    json_object_put(body);
    return r;
}
