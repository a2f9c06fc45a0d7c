/* One table of requests for both fronts; what is not in it does not exist (service.h). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/jwk.h"
#include "common/log.h"
#include "common/sjson.h"
#include "service.h"

enum { OPEN = 1, SIGNED = 2, MILTER = 4, DELIVERY = 8, LOCAL = 16, OWN = 32 };

static const struct entry_point {
    const char *name;
    unsigned may;
    handler *handle;
} table[] = {
    {"Hello", OPEN | LOCAL, hello_handle},
    {"GetKey", OPEN, get_key_handle},
    {"Set", SIGNED, set_handle},
    {"Delete", SIGNED, delete_handle},
    {"Get", SIGNED, get_handle},
    {"Select", SIGNED, select_handle},
    {"RecryptData", SIGNED, recrypt_data_handle},
    {"Statement", OPEN, statement_handle},
    {"Join", OPEN, join_handle},
    {"Leave", SIGNED, leave_handle},
    {"Resolve", MILTER | DELIVERY | OWN, resolve_handle},
    {"Expand", MILTER, expand_handle},
    {"Grant", DELIVERY | OWN, grant_handle},
    {"Grants", DELIVERY | OWN, grants_handle},
    {"DeviceGrants", DELIVERY | OWN, device_grants_handle},
    {"FanoutBegin", DELIVERY, fanout_begin_handle},
    {"FanoutNext", DELIVERY, fanout_next_handle},
    {"FanoutDone", DELIVERY, fanout_done_handle},
    {"FanoutEnd", DELIVERY, fanout_end_handle},
    {"Key", MILTER | DELIVERY | OWN, key_handle},
};

static const struct sjson_limits open_limits = {64 << 10, 8, 1024};

/* The one member {"<Name>Request": object}; NULL when it is not that or not in the table. */
static const struct entry_point *find(struct json_object *message, struct json_object **body)
{
    static const char suffix[] = "Request";

    if (!json_object_is_type(message, json_type_object) || json_object_object_length(message) != 1)
        return NULL;
    json_object_object_foreach(message, name, value)
    {
        size_t len = strlen(name), end = sizeof suffix - 1;

        if (len <= end || strcmp(name + len - end, suffix) || !json_object_is_type(value, json_type_object))
            return NULL;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            if (strlen(table[i].name) == len - end && !strncmp(table[i].name, name, len - end)) {
                *body = value;
                return &table[i];
            }
    }
    return NULL;
}

/* The one place where errors become statuses; what is not listed is "try again later". */
static int status_of(int code)
{
    switch (code) {
    case ERR_SYNTAX:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
    case ERR_KEY:
    case ERR_CRYPTO:
        return 400;
    case ERR_DENIED:
        return 401;
    case ERR_ABSENT:
        return 404;
    case ERR_EXISTS:
    case ERR_STALE:
        return 409;
    case ERR_SYSTEM:
    case ERR_USAGE:
        return 500;
    default:
        return 503;
    }
}

/* {"<Name>Response": {...}} around fields, which is taken over. NULL without memory. */
static struct json_object *response(const char *name, int status, const char *text, struct json_object *fields)
{
    struct json_object *outer = json_object_new_object(), *inner = fields ? fields : json_object_new_object();
    char full[64];

    snprintf(full, sizeof full, "%sResponse", name);
    if (!outer || !inner || sjson_set_int(inner, "Status", status) ||
        sjson_set_string(inner, "StatusDescription", text)) {
        json_object_put(outer);
        json_object_put(inner);
        return NULL;
    }
    if (sjson_set_object(outer, full, inner)) {
        json_object_put(outer);
        return NULL;
    }
    return outer;
}

static void who(const struct caller *c, char *out, size_t size)
{
    if (c->local)
        snprintf(out, size, "local:uid=%lu:pid=%ld", (unsigned long)c->uid, (long)c->pid);
    else
        snprintf(out, size, "web:%s:%s", c->address, *c->signer ? c->signer : "-");
}

int request_log_grant(struct service *s, const struct request *rq, const char *member, struct err *e)
{
    char from[160], detail[ADDRESS_SIZE + 16];

    who(rq->caller, from, sizeof from);
    snprintf(detail, sizeof detail, "grant:%s", member);
    return audit_write(s->audit, from, rq->name, rq->about, STATUS_OK, detail, e) ? ERR_RETRY : 0;
}

/* Runs the handler, writes the access log, wraps the reply. */
static struct json_object *run(struct service *s, const struct entry_point *to, struct json_object *body,
                               const struct caller *caller, int *status)
{
    struct request rq = {.caller = caller, .name = to->name, .body = body, .now = time(NULL)};
    struct json_object *fields = json_object_new_object();
    struct err e = {0}, why;
    char from[160];
    const char *text = "done";
    int rc = fields ? to->handle(s, &rq, fields, &e) : err_set(&e, ERR_SYSTEM, "out of memory");

    *status = rc > 0 ? rc : status_of(rc);
    if (rc <= 0 && (s->records.broken || rc == ERR_SYSTEM || rc == ERR_USAGE))
        log_error("%s: %s", to->name, e.text);
    if (s->records.broken)
        *status = 503;
    if (rc <= 0) {
        size_t used = strlen(rq.detail);

        snprintf(rq.detail + used, sizeof rq.detail - used, "%s%s", used ? ":" : "", e.text);
    }
    who(caller, from, sizeof from);
    if (audit_write(s->audit, from, to->name, rq.about, *status, rq.detail, &why)) {
        log_error("%s", why.text);
        if (rq.granted)
            *status = 503;
    }
    if (*status >= 300) {
        json_object_put(fields);
        fields = NULL;
        /* Inner faults are for our log, not for whoever asked. */
        text = *status == 500 ? "internal error" : *status == 503 && rc != ERR_RETRY ? "try again later" : e.text;
    } else if (*status == STATUS_UPDATED) {
        text = "updated";
    }
    return response(to->name, *status, text, fields);
}

static struct json_object *refuse(struct service *s, const struct caller *caller, const struct entry_point *to,
                                  int status, const char *text)
{
    char from[160];
    struct err e;

    who(caller, from, sizeof from);
    if (audit_write(s->audit, from, to ? to->name : "?", "", status, text, &e))
        log_error("%s", e.text);
    return response(to ? to->name : "Error", status, text, NULL);
}

static struct json_object *web_open(struct service *s, const void *text, size_t len, struct caller *caller, int *status)
{
    struct json_object *message = NULL, *body, *reply;
    const struct entry_point *to;
    struct err e;

    *status = 400;
    if (sjson_parse(text, len, &open_limits, &message, &e))
        return refuse(s, caller, NULL, *status, e.text);
    to = find(message, &body);
    if (!to || !(to->may & (OPEN | SIGNED))) {
        reply = refuse(s, caller, NULL, *status, "no such request");
    } else if (!(to->may & OPEN)) {
        *status = 401;
        reply = refuse(s, caller, to, *status, "the request must be signed");
    } else {
        reply = run(s, to, body, caller, status);
    }
    json_object_put(message);
    return reply;
}

static struct json_object *web_signed(struct service *s, const void *text, size_t len, struct caller *caller,
                                      int *status)
{
    const struct entry_point *to = NULL;
    struct json_object *body = NULL, *reply;
    struct auth_result who_signed;
    struct err e;
    int rc = auth_verify(s->auth, &s->records, s->nonces, s->settings->url, time(NULL), text, len, &who_signed, &e);

    if (who_signed.payload)
        to = find(who_signed.payload, &body);
    memcpy(caller->signer, who_signed.udf, sizeof caller->signer);
    caller->record = who_signed.signer.key ? &who_signed.signer : NULL;
    if (rc == ERR_CRYPTO && to && to->handle == recrypt_data_handle) {
        /* That somebody is known here at all would tell that she is a member: as if there were no grant. */
        *status = 404;
        reply = refuse(s, caller, to, *status, "no grant");
    } else if (rc) {
        *status = rc == ERR_CRYPTO || rc == ERR_STALE || rc == ERR_DENIED ? 401 : status_of(rc);
        reply = refuse(s, caller, to, *status, *status == 500 ? "internal error" : e.text);
    } else if (!to || !(to->may & (OPEN | SIGNED))) {
        *status = 400;
        reply = refuse(s, caller, NULL, *status, "no such request");
    } else {
        reply = run(s, to, body, caller, status);
    }
    auth_result_clear(&who_signed);
    return reply;
}

unsigned service_web(struct service *s, int is_signed, const void *text, size_t len, const char *address,
                     struct buf *out)
{
    struct caller caller = {0};
    struct json_object *reply;
    int status = 500;

    snprintf(caller.address, sizeof caller.address, "%s", address);
    reply = (is_signed ? web_signed : web_open)(s, text, len, &caller, &status);
    if (!reply || sjson_write(reply, out)) {
        status = 500;
        log_error("out of memory for a reply");
    }
    json_object_put(reply);
    return status == STATUS_OK || status == STATUS_UPDATED ? 200 : (unsigned)status;
}

/* May a caller without a role ask this? Not about others: whether they are members is told to nobody. */
static int about_herself(const struct caller *caller, const struct entry_point *to, struct json_object *body)
{
    char address[ADDRESS_SIZE], base[ADDRESS_SIZE];
    const char *asked, *ext;
    size_t ext_len;

    if (!*caller->own || to->handle == key_handle || !(to->may & OWN))
        return 1;
    if (sjson_string(body, to->handle == resolve_handle ? "Address" : "Account", &asked, NULL) ||
        address_canonical(asked, strlen(asked), address, NULL))
        return 0;
    address_split(address, base, &ext, &ext_len);
    return !strcmp(base, caller->own);
}

/* As if nobody had that address. */
static struct json_object *about_others(struct service *s, const struct caller *caller, const struct entry_point *to)
{
    struct json_object *fields;

    if (to->handle != resolve_handle)
        return refuse(s, caller, to, 404, "no grant");
    fields = json_object_new_object();
    if (!fields || sjson_set_string(fields, "Kind", "none")) {
        json_object_put(fields);
        return NULL;
    }
    return response(to->name, STATUS_OK, "done", fields);
}

int service_local(struct service *s, struct json_object *request, const struct caller *caller,
                  struct json_object **reply)
{
    unsigned roles = LOCAL | (caller->milter ? MILTER : 0) | (caller->delivery ? DELIVERY : 0) |
                     (*caller->own ? OWN : 0);
    struct json_object *body;
    const struct entry_point *to = find(request, &body);
    int status;

    *reply = NULL;
    if (!to || !(to->may & roles)) {
        log_warn("uid %lu, pid %ld: %s is not for it; connection closed", (unsigned long)caller->uid, (long)caller->pid,
                 to ? to->name : "an unknown request");
        json_object_put(refuse(s, caller, to, 401, "not permitted"));
        return -1;
    }
    *reply = about_herself(caller, to, body) ? run(s, to, body, caller, &status) : about_others(s, caller, to);
    return *reply ? 0 : -1;
}
