/* FanoutBegin, FanoutNext, FanoutDone, FanoutEnd: one message of a large list, to each member a copy of her own
 * (doc/protocol.md section 5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sjson.h"
#include "jobs.h"
#include "service.h"

enum { SWEEP_SECONDS = 3600 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

/* The job that is asked about, which is the asker's from now on. */
static int request_job_id(struct service *s, struct request *rq, const char **id, struct err *e)
{
    int rc = sjson_string(rq->body, "Job", id, e);

    rc = rc ? rc : job_id_check(*id, e);
    return rc ? rc : claims_take(s->claims, *id, rq->caller->connection, e);
}

static int request_job(struct service *s, struct request *rq, struct job *out, struct err *e)
{
    const char *id;
    int rc;

    memset(out, 0, sizeof *out);
    rc = request_job_id(s, rq, &id, e);
    rc = rc ? rc : job_get(&s->records, id, out, e);
    if (!rc)
        snprintf(rq->about, sizeof rq->about, "%s", out->keyid);
    return rc;
}

/* The list of the job. ERR_RETRY in quarantine. */
static int list_of(struct service *s, const struct job *j, struct account *out, struct err *e)
{
    int rc = account_get(&s->records, j->list, out, e);

    if (!rc && account_quarantined(&s->records, out)) {
        account_clear(out);
        rc = err_set(e, ERR_RETRY, "%s is in quarantine after a restore", j->list);
    }
    return rc;
}

/* ---- begin ---- */

/* Names in random order, laid into pages. */
static int put_pages(struct service *s, const struct job *j, const char **names, struct err *e)
{
    struct job_page page;
    int rc = 0;

    for (size_t n = 0; !rc && n < job_pages(j->total); n++) {
        page.count = 0;
        for (size_t i = n * JOB_PAGE; i < j->total && page.count < JOB_PAGE; i++) {
            snprintf(page.member[page.count], ADDRESS_SIZE, "%s", names[i]);
            page.state[page.count++] = JOB_WAITING;
        }
        rc = job_page_put(&s->records, j->id, n, &page, e);
    }
    return rc;
}

static int create(struct service *s, struct job *j, struct err *e)
{
    struct members m;
    const char **names;
    int rc = members_get(&s->records, j->list, &m, e);

    if (rc)
        return rc;
    names = calloc(m.count + 1, sizeof *names);
    for (size_t i = 0; names && i < m.count; i++)
        if (m.list[i].active)
            names[j->total++] = m.list[i].account;
    rc = names ? shuffle((void **)names, j->total, e) : no_memory(e);
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = put_pages(s, j, names, e);
        rc = rc ? rc : job_put(&s->records, j, e);
        if (rc)
            records_abort(&s->records);
        else
            rc = records_commit(&s->records, e);
    }
    free(names);
    members_clear(&m);
    return rc;
}

/* Once an hour is often enough for something that is kept for days. */
static void sweep(struct service *s, int64_t now)
{
    struct err e;

    if (now < s->jobs_swept + SWEEP_SECONDS)
        return;
    if (jobs_expire(&s->records, now - s->settings->fanout_keep, &e))
        log_error("fan-outs of the past: %s", e.text);
    s->jobs_swept = now;
}

static int put_result(const struct job *j, struct json_object *reply, struct err *e)
{
    struct json_object *names = json_object_new_array();
    int rc = sjson_set_object(reply, "Ended", json_object_new_boolean(j->ended));

    rc = rc ? rc : sjson_set_int(reply, "Total", (int64_t)j->total);
    rc = rc ? rc : sjson_set_int(reply, "Done", (int64_t)j->done);
    rc = rc ? rc : sjson_set_int(reply, "Refused", (int64_t)j->refused);
    for (size_t i = 0; !rc && names && i < j->name_count; i++) {
        struct json_object *name = json_object_new_string(j->names[i]);

        if (!name || json_object_array_add(names, name)) {
            json_object_put(name);
            rc = ERR_SYSTEM;
        }
    }
    if (rc)
        json_object_put(names);
    rc = rc ? rc : sjson_set_object(reply, "Names", names);
    return rc ? no_memory(e) : 0;
}

/* A key of the list's, whatever its state: the message was accepted. */
static int check_key(struct service *s, const struct job *j, struct err *e)
{
    struct account a;
    struct key_record k;
    int rc = list_of(s, j, &a, e);

    if (rc)
        return rc;
    if (a.kind != PROFILE_LIST)
        rc = err_set(e, ERR_ABSENT, "%s is not a list", j->list);
    account_clear(&a);
    rc = rc ? rc : key_get(&s->records, j->keyid, &k, e);
    if (rc)
        return rc;
    if (strcmp(k.account, j->list))
        rc = err_set(e, ERR_ABSENT, "not a key of %s", j->list);
    key_clear(&k);
    return rc;
}

int fanout_begin_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct job asked = {.created = rq->now}, j;
    const char *id;
    int rc = request_job_id(s, rq, &id, e);

    rc = rc ? rc : request_keyid(rq, asked.keyid, e);
    rc = rc ? rc : request_address(rq, "Account", 0, asked.list, e);
    if (rc)
        return rc;
    snprintf(asked.id, sizeof asked.id, "%s", id);
    sweep(s, rq->now);
    rc = job_get(&s->records, id, &j, e);
    if (rc == ERR_ABSENT) {
        rc = check_key(s, &asked, e);
        rc = rc ? rc : create(s, &asked, e);
        rc = rc ? rc : put_result(&asked, reply, e);
        if (!rc)
            log_info("list %s: fan-out %s begins, %zu members", asked.list, id, asked.total);
        return rc ? rc : STATUS_OK;
    }
    if (!rc && (strcmp(j.list, asked.list) || strcmp(j.keyid, asked.keyid)))
        rc = err_set(e, ERR_SYNTAX, "the job is another list's or key's");
    rc = rc ? rc : put_result(&j, reply, e);
    job_clear(&j);
    return rc ? rc : STATUS_OK;
}

/* ---- next ---- */

/* What the delivery agent needs for one copy. */
static int put_member(struct service *s, const struct job *j, const struct entry_record *en, size_t index,
                      const struct epk *epk, struct json_object *array, struct err *e)
{
    struct json_object *obj = json_object_new_object(), *grant = NULL;
    char sender[ADDRESS_SIZE], copy[SERVICEKEY_MARK + 1];
    int rc = obj ? grant_member(en, epk, &grant, e) : no_memory(e);

    rc = rc ? rc : servicekey_bounce(s->keys, j->list, en->member, sender, e);
    rc = rc ? rc : servicekey_copy(s->keys, j->id, en->member, copy, e);
    if (!rc && (sjson_set_object(obj, "Grant", json_object_get(grant)) || sjson_set_int(obj, "Index", (int64_t)index) ||
                sjson_set_string(obj, "Account", en->member) || sjson_set_string(obj, "Sender", sender) ||
                sjson_set_string(obj, "Copy", copy) || json_object_array_add(array, json_object_get(obj))))
        rc = no_memory(e);
    json_object_put(grant);
    json_object_put(obj);
    return rc;
}

/* Those of one page, from index on, who wait and still are members. */
static int put_page(struct service *s, struct request *rq, const struct job *j, size_t from, const struct epk *epk,
                    struct json_object *array, struct err *e)
{
    struct job_page page;
    size_t base = from / JOB_PAGE * JOB_PAGE;
    int rc = job_page_get(&s->records, j->id, from / JOB_PAGE, &page, e);

    for (size_t i = from - base; !rc && i < page.count; i++) {
        struct entry_record en;

        if (page.state[i] != JOB_WAITING)
            continue;
        rc = entry_get(&s->records, j->keyid, page.member[i], &en, e);
        if (rc == ERR_ABSENT) {
            rc = 0;
            continue;
        }
        if (!rc && en.active && suite_key_suite(en.r) == epk->suite) {
            rc = request_log_grant(s, rq, en.member, e);
            rc = rc ? rc : put_member(s, j, &en, base + i, epk, array, e);
        }
        entry_record_clear(&en);
    }
    return rc;
}

static int next_members(struct service *s, struct request *rq, const struct job *j, size_t from,
                        struct json_object *reply, struct err *e)
{
    struct json_object *array = json_object_new_array();
    struct epk epk = {0};
    int rc = array ? request_epk(rq, &epk, e) : no_memory(e);

    while (!rc && from < j->total && !json_object_array_length(array)) {
        rc = put_page(s, rq, j, from, &epk, array, e);
        from = (from / JOB_PAGE + 1) * JOB_PAGE;
    }
    if (!rc)
        snprintf(rq->detail, sizeof rq->detail, "grants:%zu", json_object_array_length(array));
    if (!rc && (sjson_set_object(reply, "Members", json_object_get(array)) ||
                sjson_set_int(reply, "Next", from < j->total ? (int64_t)from : -1)))
        rc = no_memory(e);
    rq->granted = 1;
    json_object_put(array);
    epk_clear(&epk);
    return rc;
}

static int put_serial(struct service *s, const struct job *j, struct json_object *reply, struct err *e)
{
    struct account a;
    int rc = list_of(s, j, &a, e);

    if (rc)
        return rc;
    rc = sjson_set_int(reply, "Serial", a.serial) ? no_memory(e) : 0;
    account_clear(&a);
    return rc;
}

static int not_ended(const struct job *j, struct err *e)
{
    return j->ended ? err_set(e, ERR_EXISTS, "the job has ended") : 0;
}

int fanout_next_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    int64_t from = 0;
    struct job j;
    int rc = request_job(s, rq, &j, e);

    rc = rc ? rc : not_ended(&j, e);
    rc = rc ? rc : sjson_int(rq->body, "From", &from, e);
    if (!rc && from < 0)
        rc = err_set(e, ERR_SYNTAX, "From: negative");
    rc = rc ? rc : put_serial(s, &j, reply, e);
    rc = rc ? rc : next_members(s, rq, &j, (size_t)from, reply, e);
    job_clear(&j);
    return rc ? rc : STATUS_OK;
}

/* ---- done ---- */

/* Sets the state of the members whose indices are in a list of the request's. */
static int mark(struct service *s, struct request *rq, const struct job *j, const char *name, char state, struct err *e)
{
    struct json_object *list;
    struct job_page page;
    int rc = sjson_array(rq->body, name, &list, e);

    for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        int64_t n = json_object_is_type(item, json_type_int) ? json_object_get_int64(item) : -1;
        size_t page_at, in;

        if (n < 0 || (uint64_t)n >= j->total)
            return err_set(e, ERR_SYNTAX, "%s: no such member of the job", name);
        page_at = (size_t)n / JOB_PAGE;
        in = (size_t)n % JOB_PAGE;
        rc = job_page_get(&s->records, j->id, page_at, &page, e);
        if (!rc && in >= page.count)
            rc = err_set(e, ERR_SYNTAX, "%s: no such member of the job", name);
        if (!rc && page.state[in] == JOB_WAITING) {
            page.state[in] = state;
            rc = job_page_put(&s->records, j->id, page_at, &page, e);
        }
    }
    return rc;
}

int fanout_done_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct job j;
    int rc = request_job(s, rq, &j, e);

    rc = rc ? rc : not_ended(&j, e);
    if (!rc && !(rc = records_begin(&s->records, e))) {
        rc = mark(s, rq, &j, "Done", JOB_DONE, e);
        rc = rc ? rc : mark(s, rq, &j, "Refused", JOB_REFUSED, e);
        if (rc)
            records_abort(&s->records);
        else
            rc = records_commit(&s->records, e);
    }
    rc = rc ? rc : put_serial(s, &j, reply, e);
    job_clear(&j);
    return rc ? rc : STATUS_OK;
}

/* ---- end ---- */

static int still_member(struct service *s, const struct job *j, const char *member, struct err *e)
{
    struct entry_record en;
    int rc = entry_get(&s->records, j->keyid, member, &en, e), active;

    if (rc)
        return rc == ERR_ABSENT ? 0 : rc;
    active = en.active;
    entry_record_clear(&en);
    return active;
}

/* Counts; *waiting: those who wait and still are members. */
static int tally(struct service *s, struct job *j, size_t *waiting, struct err *e)
{
    struct job_page page;
    int rc = 0;

    for (size_t n = 0; !rc && n < job_pages(j->total); n++) {
        rc = job_page_get(&s->records, j->id, n, &page, e);
        for (size_t i = 0; !rc && i < page.count; i++) {
            int is = page.state[i] == JOB_WAITING ? still_member(s, j, page.member[i], e) : 0;

            rc = is < 0 ? is : 0;
            *waiting += is > 0;
            j->done += page.state[i] == JOB_DONE;
            if (page.state[i] != JOB_REFUSED)
                continue;
            j->refused++;
            if (j->name_count == JOB_NAMES_MAX)
                continue;
            j->names[j->name_count] = strdup(page.member[i]);
            if (!j->names[j->name_count])
                return no_memory(e);
            j->name_count++;
        }
    }
    return rc;
}

static int finish(struct service *s, struct job *j, struct err *e)
{
    int rc = records_begin(&s->records, e);

    if (rc)
        return rc;
    j->ended = 1;
    for (size_t n = 0; !rc && n < job_pages(j->total); n++)
        rc = job_page_delete(&s->records, j->id, n, e);
    rc = rc ? rc : job_put(&s->records, j, e);
    if (rc)
        records_abort(&s->records);
    else
        rc = records_commit(&s->records, e);
    if (!rc)
        log_info("list %s: fan-out %s ended: %zu members, %zu copies, %zu refused", j->list, j->id, j->total, j->done,
                 j->refused);
    return rc;
}

int fanout_end_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    size_t waiting = 0;
    struct job j;
    int rc = request_job(s, rq, &j, e);

    if (!rc && !j.ended) {
        rc = tally(s, &j, &waiting, e);
        rc = rc || waiting ? rc : finish(s, &j, e);
    }
    rc = rc ? rc : put_result(&j, reply, e);
    if (!rc && sjson_set_int(reply, "Waiting", (int64_t)waiting))
        rc = no_memory(e);
    /* Its agent is done, however long it takes to leave. */
    if (!rc)
        claims_drop(s->claims, rq->caller->connection);
    job_clear(&j);
    return rc ? rc : STATUS_OK;
}
