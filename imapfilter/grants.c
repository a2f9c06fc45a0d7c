#include "grants.h"

#include <stdlib.h>
#include <string.h>

#include "common/mailcrypt.h"
#include "common/sjson.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

/* ---- what a message says ---- */

static int add_key(struct grants *g, const struct jwe_recipient *r, struct err *e)
{
    struct grants_item *more = realloc(g->keys, (g->key_count + 1) * sizeof *more);
    unsigned char *epk;
    char *keyid;

    if (!more)
        return no_memory(e);
    g->keys = more;
    keyid = strdup(r->kid);
    epk = malloc(r->epk_len ? r->epk_len : 1);
    if (epk)
        memcpy(epk, r->epk, r->epk_len);
    more[g->key_count++] = (struct grants_item){keyid, r->suite, epk, r->epk_len};
    return keyid && epk ? 0 : no_memory(e);
}

/* Those that name a key of somebody's. */
static int add_recipients(struct grants *g, const struct jwe *j, struct err *e)
{
    char address[ADDRESS_SIZE], udf[64];
    int r = 0;

    for (size_t i = 0; r == 0 && i < jwe_recipients(j); i++) {
        struct jwe_recipient one;

        if (jwe_recipient(j, i, &one, NULL) == 0 && one.kid && keyid_parse(one.kid, address, udf, NULL) == 0)
            r = add_key(g, &one, e);
    }
    return r;
}

static int find_jwe(const struct imap_fetch *f, int cut, struct mailcrypt *out, struct err *e)
{
    struct buf entity = BUF_INIT;
    struct span header, empty_line;
    int r = buf_append(&entity, f->mime.data, f->mime.len);

    mime_split(f->header, &header, &empty_line); /* servers send the line behind the fields as well */
    r = r ? r : buf_append(&entity, f->part.data, f->part.len);
    r = r ? err_set(e, r, "a message's first part is too long")
          : mailcrypt_peek(header, (struct span){entity.data, entity.len}, f->part, cut, out, e);
    out->part1 = (struct span){NULL, 0};
    buf_free(&entity);
    return r;
}

int grants_add(struct grants *g, const struct imap_fetch *f, const struct buf *others, enum grants_cut cut,
               struct err *e)
{
    struct grants_message *m = &g->messages[g->message_count];
    struct mailcrypt found = {0};
    int r;

    if (g->message_count == GRANTS_MESSAGES_MAX)
        return err_set(e, ERR_SYSTEM, "more messages than were asked for");
    r = find_jwe(f, cut != GRANTS_WHOLE, &found, e);
    if (r < 0 && r != ERR_SYSTEM && cut == GRANTS_CUT_MORE)
        return err_set(e, ERR_LIMIT, "more of it is needed");
    /* What is broken opens for nobody. */
    r = r == ERR_SYSTEM ? r : 0;
    m->number = f->number;
    m->uid = f->uid;
    m->first = g->key_count;
    memset(&m->others, 0, sizeof m->others);
    if (r == 0 && found.jwe)
        r = add_recipients(g, found.jwe, e);
    if (r == 0 && buf_append(&m->others, others->data, others->len) < 0)
        r = no_memory(e);
    m->count = g->key_count - m->first;
    mailcrypt_clear(&found);
    if (r < 0)
        return r;
    g->message_count++;
    return m->count > 0;
}

/* ---- recryptd ---- */

int grants_request(struct grants *g, const char *account, const char *device, struct json_object **out, struct err *e)
{
    size_t taken = 0;
    int r;

    *out = NULL;
    if (g->asked == g->key_count)
        return 0;
    if (!g->found && !(g->found = calloc(g->key_count, sizeof *g->found)))
        return no_memory(e);
    r = rclient_grants_request(account, device, g->keys + g->asked, g->key_count - g->asked, &taken, out, e);
    g->asked += taken;
    return r;
}

int grants_reply(struct grants *g, struct json_object *reply, struct err *e)
{
    size_t n = g->asked - g->answered;
    int r = rclient_grants_reply(reply, g->keys + g->answered, n, g->found + g->answered, e);

    if (r == 0)
        g->answered = g->asked;
    return r;
}

int grants_complete(const struct grants *g)
{
    return g->answered == g->key_count;
}

/* ---- answers ---- */

/* Without tag and value: those are in the message. */
static int grant_json(const struct grant *g, struct json_object **out, struct err *e)
{
    if (g->value_len)
        return grant_to_json(g, out, e);
    *out = json_object_new_object();
    if (*out && sjson_set_string(*out, "dk", g->dk) == 0)
        return 0;
    json_object_put(*out);
    *out = NULL;
    return no_memory(e);
}

static int put_grant(struct json_object *to, const char *name, const struct grant *g, struct err *e)
{
    struct json_object *one;
    int r = grant_json(g, &one, e);

    return r ? r : sjson_set_object(to, name, one) < 0 ? no_memory(e) : 0;
}

/* {"kid","grant","device"?} */
static int key_json(const struct grants_item *k, const struct device_grants *d, struct json_object **out, struct err *e)
{
    struct json_object *one = json_object_new_object(), *device = NULL;
    int r = !one || sjson_set_string(one, "kid", k->keyid) < 0 ? no_memory(e) : put_grant(one, "grant", &d->grant, e);

    if (r == 0 && *d->device_keyid) {
        device = json_object_new_object();
        r = !device || sjson_set_string(device, "kid", d->device_keyid) < 0 ? no_memory(e)
                                                                            : put_grant(device, "grant", &d->device, e);
        if (r == 0 && sjson_set_object(one, "device", json_object_get(device)) < 0)
            r = no_memory(e);
    }
    json_object_put(device);
    if (r < 0)
        json_object_put(one);
    else
        *out = one;
    return r;
}

/* {"grants":[...]} appended; nothing when there are none. */
static int message_json(const struct grants *g, const struct grants_message *m, struct buf *out, struct err *e)
{
    struct json_object *all = NULL, *list = NULL, *one;
    int r = 0;

    for (size_t i = m->first; r == 0 && i < m->first + m->count; i++) {
        if (!g->found[i].found)
            continue;
        if (!list && !(list = json_object_new_array()))
            r = no_memory(e);
        r = r ? r : key_json(&g->keys[i], &g->found[i], &one, e);
        if (r == 0 && json_object_array_add(list, one) < 0) {
            json_object_put(one);
            r = no_memory(e);
        }
    }
    if (r == 0 && list) {
        all = json_object_new_object();
        if (!all || sjson_set_object(all, "grants", json_object_get(list)) < 0 || sjson_write(all, out) < 0)
            r = no_memory(e);
    }
    json_object_put(all);
    json_object_put(list);
    return r;
}

int grants_answers(const struct grants *g, struct buf *out, struct err *e)
{
    struct buf json = BUF_INIT;
    int r = 0;

    for (size_t i = 0; r == 0 && i < g->message_count; i++) {
        const struct grants_message *m = &g->messages[i];

        buf_cut(&json, 0);
        if ((r = message_json(g, m, &json, e)) < 0)
            break;
        r = buf_printf(out, "* %u FETCH (UID %u XRECRYPT ", m->number, m->uid);
        if (r == 0 && json.len)
            r = buf_printf(out, "{%zu}\r\n", json.len);
        else
            r = r ? r : buf_puts(out, "NIL");
        r = r ? r : buf_append(out, json.data, json.len);
        r = r ? r : buf_append(out, m->others.data, m->others.len);
        r = r ? r : buf_puts(out, ")\r\n");
        if (r < 0)
            r = no_memory(e);
    }
    buf_free(&json);
    return r;
}

void grants_free(struct grants **gp)
{
    struct grants *g = *gp;

    if (!g)
        return;
    for (size_t i = 0; i < g->message_count; i++)
        buf_free(&g->messages[i].others);
    for (size_t i = 0; i < g->key_count; i++) {
        free((void *)(uintptr_t)g->keys[i].keyid);
        free((void *)(uintptr_t)g->keys[i].epk);
    }
    if (g->found)
        device_grants_clear(g->found, g->key_count);
    free(g->keys);
    free(g->found);
    free(g);
    *gp = NULL;
}
