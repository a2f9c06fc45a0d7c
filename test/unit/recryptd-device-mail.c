/* What devices get for the mail of their person's mailbox: Grants and DeviceGrants over the socket, lists of other
 * services (recryptd-device.h). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/conf.h"
#include "grants-call.h"
#include "recryptd-device.h"

static struct frame_client *client(void)
{
    struct frame_client *c;

    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    return c;
}

static struct grants_item item_of(const struct sealed *m, const char *keyid)
{
    return (struct grants_item){keyid, m->to.suite, m->to.epk, m->to.epk_len};
}

/* As RecryptData answers. */
static struct json_object *as_answer(const struct device_grants *g)
{
    struct json_object *out = json_object_new_object(), *one;

    CU_ASSERT_EQUAL_FATAL(grant_to_json(&g->grant, &one, NULL), 0);
    sjson_set_object(out, "Grant", one);
    if (*g->device_keyid) {
        struct json_object *device = json_object_new_object();

        CU_ASSERT_EQUAL_FATAL(grant_to_json(&g->device, &one, NULL), 0);
        sjson_set_string(device, "KeyID", g->device_keyid);
        sjson_set_object(device, "Grant", one);
        sjson_set_object(out, "Device", device);
    }
    return out;
}

static int grants_of(const char *account, const char *device, const struct grants_item *items, size_t n,
                     struct device_grants *out)
{
    struct frame_client *c = client();
    struct err e = {0};
    int rc = grants_call(c, account, device, items, n, out, &e);

    if (rc && rc != ERR_ABSENT)
        printf("# Grants: %s\n", e.text);
    frame_client_free(&c);
    return rc;
}

/* ---- a list elsewhere ---- */

static struct who far_owner, far;
static struct entry far_entry; /* bob's, as the other service has it */

static int share(const struct who *p, const char *account, const char *statement)
{
    return world_status(&w, p->sign, "Set", J("{'Share':{'Account':'%s','Statement':'%s'}}", account, statement));
}

static void make_far_entry(const struct who *l, const struct who *member, struct entry *out)
{
    struct buf text = BUF_INIT;
    struct jwk *service = NULL;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &service, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_make(l->key, &member->profile, 1, 1, l->sign, service, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(text.data, text.len, service, l->sign, out, NULL), 0);
    buf_free(&text);
    jwk_free(&service);
}

void test_share(void)
{
    struct entry other = {0};
    struct who more, unknown;
    char address[64];
    struct answer a;
    struct sealed m;

    who_make(&far_owner, "owner@example.org", "X25519");
    who_make_list(&far, "far@example.org", &far_owner, "X448", 1);
    make_far_entry(&far, &bob, &far_entry);
    CU_ASSERT_EQUAL(grant_status(&phone, &far), 404);
    CU_ASSERT_EQUAL(share(&carol, "bob@example.com", far_entry.statement), 401);
    CU_ASSERT_EQUAL(share(&carol, "carol@example.com", far_entry.statement), 400); /* is for bob */
    CU_ASSERT_EQUAL(share(&bob, "nobody@example.com", far_entry.statement), 404);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", "x"), 400);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", buf_str(&bob.text)), 400); /* a profile */
    make_far_entry(&list, &bob, &other);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", other.statement), 400); /* of this service */
    entry_clear(&other);
    who_make(&unknown, "bob@example.com", "X25519");
    make_far_entry(&far, &unknown, &other);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", other.statement), 400); /* to a key that is not hers */
    entry_clear(&other);
    who_clear(&unknown);
    for (int i = 0; i < 3; i++) {
        snprintf(address, sizeof address, "far%d@example.org", i);
        who_make_list(&more, address, &far_owner, "X25519", 1);
        make_far_entry(&more, &bob, &other);
        if (i < 2) {
            CU_ASSERT_EQUAL(share(&bob, "bob@example.com", i ? other.statement : far_entry.statement), 202);
        } else {
            CU_ASSERT_EQUAL(share(&bob, "bob@example.com", other.statement), 409); /* shares_max */
        }
        entry_clear(&other);
        who_clear(&more);
    }
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", far_entry.statement), 202); /* again */
    CU_ASSERT_EQUAL_FATAL(seal(&far, "x", &m), 0);
    ask(phone.sign, phone.is.key_udf, far.profile.keyid, &m, &a);
    CU_ASSERT_EQUAL(a.status, 201);
    CU_ASSERT_EQUAL(opens_far(&phone, &bob, &far, &far_entry, a.body, &m, "x"), 1);
    answer_clear(&a);
    sealed_clear(&m);
}

/* ---- a mailbox ---- */

enum { OWN, LIST, FAR, CAROLS, UNKNOWN, SUITE, ITEMS };

/* One message of each kind. */
static void make_mail(struct sealed m[ITEMS], struct grants_item items[ITEMS])
{
    static char unknown[] = "other@example.org.mm--aaaaa-bbbbb-ccccc-ddddd-eeeee-fffff";
    const struct who *to[ITEMS] = {&bob, &list, &far, &carol, &bob, &far};

    for (int i = 0; i < ITEMS; i++) {
        CU_ASSERT_EQUAL_FATAL(seal(to[i], "mail", &m[i]), 0);
        items[i] = item_of(&m[i], i == UNKNOWN ? unknown : i == SUITE ? list.profile.keyid : to[i]->profile.keyid);
    }
}

static int opens_own_grant(const struct gadget *g, const struct device_grants *d, const struct sealed *m)
{
    struct json_object *grant;
    int yes;

    CU_ASSERT_EQUAL_FATAL(grant_to_json(&d->grant, &grant, NULL), 0);
    yes = opens_own(g, &bob, grant, m, "mail");
    json_object_put(grant);
    return yes;
}

static void check_mail(const struct gadget *g, const struct device_grants *out, const struct sealed *m)
{
    struct json_object *granted, *dk, *grant;

    CU_ASSERT(out[OWN].found && !*out[OWN].device_keyid && opens_own_grant(g, &out[OWN], &m[OWN]));
    CU_ASSERT(out[LIST].found && !strcmp(out[LIST].device_keyid, bob.profile.keyid));
    granted = as_answer(&out[LIST]);
    CU_ASSERT_EQUAL(opens_chain(g, &bob, &list, granted, &m[LIST], "mail"), 1);
    json_object_put(granted);
    CU_ASSERT(out[FAR].found && !out[FAR].grant.value_len && *out[FAR].device_keyid);
    granted = as_answer(&out[FAR]);
    dk = json_object_new_object();
    CU_ASSERT(!sjson_object(granted, "Grant", &grant, NULL) && !sjson_set_string(dk, "dk", out[FAR].grant.dk));
    CU_ASSERT_EQUAL(sjson_set_object(granted, "Grant", dk), 0);
    CU_ASSERT_EQUAL(opens_far(g, &bob, &far, &far_entry, granted, &m[FAR], "mail"), 1);
    json_object_put(granted);
    CU_ASSERT(!out[CAROLS].found && !out[UNKNOWN].found && !out[SUITE].found);
}

static size_t lines_of(const char *text)
{
    struct buf b = BUF_INIT;
    char path[256];
    size_t n = 0;

    world_path(&w, "state/access.log", path);
    CU_ASSERT_EQUAL_FATAL(file_read(path, 16 << 20, &b, NULL), 0);
    for (const char *at = buf_str(&b); (at = strstr(at, text)); at++)
        n++;
    buf_free(&b);
    return n;
}

void test_grants(void)
{
    struct sealed m[ITEMS];
    struct grants_item items[ITEMS];
    struct device_grants out[ITEMS];
    char own[JWK_UDF_SIZE], carols[JWK_UDF_SIZE];

    make_mail(m, items);
    for (int round = 0; round < 2; round++) { /* the second time from what is kept ready */
        size_t before = lines_of(" Grants bob@example.com 201 grants:3:bob+phone@example.com\n");

        CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", phone.is.key_udf, items, ITEMS, out), 0);
        check_mail(&phone, out, m);
        device_grants_clear(out, ITEMS);
        CU_ASSERT_EQUAL(lines_of(" Grants bob@example.com 201 grants:3:bob+phone@example.com\n"), before + 1);
    }
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", tablet.is.key_udf, items, ITEMS, out), 0);
    check_mail(&tablet, out, m);
    device_grants_clear(out, ITEMS);
    CU_ASSERT_EQUAL(jwk_udf(bob.key, own), 0);
    CU_ASSERT_EQUAL(jwk_udf(carol.key, carols), 0);
    CU_ASSERT_EQUAL(grants_of("bob@example.com", carols, items, ITEMS, out), ERR_ABSENT);
    CU_ASSERT_EQUAL(grants_of("bob@example.com", "x", items, ITEMS, out), ERR_ABSENT);
    CU_ASSERT_EQUAL(grants_of("carol@example.com", phone.is.key_udf, items, ITEMS, out), ERR_ABSENT);
    CU_ASSERT_EQUAL(grants_of("list@example.com", phone.is.key_udf, items, ITEMS, out), ERR_ABSENT);
    CU_ASSERT_EQUAL(grants_of("nobody@example.com", phone.is.key_udf, items, ITEMS, out), ERR_ABSENT);
    /* by her own key's name: of a person with devices nothing, else her lists */
    CU_ASSERT_EQUAL(grants_of("bob@example.com", own, items, ITEMS, out), 0);
    for (int i = 0; i < ITEMS; i++)
        CU_ASSERT(!out[i].found);
    CU_ASSERT_EQUAL(list_add(&list, &carol), 201);
    CU_ASSERT_EQUAL_FATAL(grants_of("carol@example.com", carols, items, ITEMS, out), 0);
    for (int i = 0; i < ITEMS; i++)
        CU_ASSERT_EQUAL(out[i].found, i == LIST);
    CU_ASSERT(!*out[LIST].device_keyid && out[LIST].grant.value_len);
    device_grants_clear(out, ITEMS);
    CU_ASSERT_EQUAL(list_remove(&list, &carol), 201);
    CU_ASSERT_EQUAL(grants_of("carol@example.com", carols, items, ITEMS, out), 0);
    CU_ASSERT(!out[LIST].found);
    for (int i = 0; i < ITEMS; i++)
        sealed_clear(&m[i]);
}

/* A mailbox's grants count as others do: the messages in it may be the asker's own. */
void test_grants_quota(void)
{
    struct sealed m[ITEMS];
    struct grants_item items[ITEMS];
    struct device_grants out[ITEMS];

    make_mail(m, items);
    world_configure(&w, DEVICE_SETTINGS "\nquota = 2");
    world_signal(&w, SIGHUP);
    CU_ASSERT(world_logged(&w, "configuration reloaded"));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", tablet.is.key_udf, items, ITEMS, out), 0);
        check_mail(&tablet, out, m);
        device_grants_clear(out, ITEMS);
    }
    CU_ASSERT_EQUAL(grants_of("bob@example.com", tablet.is.key_udf, items, ITEMS, out), ERR_RETRY);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 503);
    /* the list's is one count for all of a person's devices, her own key's each device's own */
    CU_ASSERT_EQUAL(grant_status(&phone, &list), 503);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 201);
    world_configure(&w, DEVICE_SETTINGS);
    world_signal(&w, SIGHUP);
    /* The log has the line of the first time already. */
    for (int i = 0; i < 100 && grant_status(&tablet, &bob) != 201; i++)
        usleep(50000);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 201);
    for (int i = 0; i < ITEMS; i++)
        sealed_clear(&m[i]);
}

/* Who is removed, from a list or as a device, is so at once. */
void test_grants_end(void)
{
    struct sealed m[ITEMS];
    struct grants_item items[ITEMS];
    struct device_grants out[ITEMS];
    const struct who *key = &bob;

    make_mail(m, items);
    CU_ASSERT_EQUAL(list_remove(&list, &bob), 201);
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", phone.is.key_udf, items, ITEMS, out), 0);
    CU_ASSERT(out[OWN].found && !out[LIST].found && out[FAR].found);
    device_grants_clear(out, ITEMS);
    CU_ASSERT_EQUAL(list_add(&list, &bob), 201);
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", phone.is.key_udf, items, ITEMS, out), 0);
    check_mail(&phone, out, m);
    device_grants_clear(out, ITEMS);
    CU_ASSERT_EQUAL(drop_device(&phone), 0);
    CU_ASSERT_EQUAL(take_out(&phone, 3, 1), 201);
    CU_ASSERT_EQUAL(grants_of("bob@example.com", phone.is.key_udf, items, ITEMS, out), ERR_ABSENT);
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", tablet.is.key_udf, items, ITEMS, out), 0);
    check_mail(&tablet, out, m);
    device_grants_clear(out, ITEMS);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    CU_ASSERT_EQUAL(put_device(&phone), 0);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 4), 201);
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", phone.is.key_udf, items, ITEMS, out), 0);
    check_mail(&phone, out, m);
    device_grants_clear(out, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        sealed_clear(&m[i]);
}

enum { MANY = 300 };

static int raw(const char *items)
{
    struct frame_client *c = client();
    struct json_object *body = J("{'Account':'bob@example.com','Device':'%s','Items':%s}", phone.is.key_udf, items);
    struct json_object *reply = NULL;
    int rc = frame_call(c, "Grants", body, &reply, NULL);

    json_object_put(body);
    json_object_put(reply);
    frame_client_free(&c);
    return rc;
}

void test_grants_many(void)
{
    static struct grants_item items[MANY];
    static struct device_grants out[MANY];
    struct sealed m;

    CU_ASSERT_EQUAL_FATAL(seal(&bob, "mail", &m), 0);
    for (int i = 0; i < MANY; i++)
        items[i] = item_of(&m, i % 3 ? bob.profile.keyid : carol.profile.keyid);
    CU_ASSERT_EQUAL_FATAL(grants_of("bob@example.com", phone.is.key_udf, items, MANY, out), 0);
    for (int i = 0; i < MANY; i++)
        CU_ASSERT(out[i].found ? i % 3 && opens_own_grant(&phone, &out[i], &m) : i % 3 == 0);
    device_grants_clear(out, MANY);
    CU_ASSERT_EQUAL(raw("[]"), ERR_SYNTAX);
    CU_ASSERT_EQUAL(raw("[1]"), ERR_SYNTAX);
    CU_ASSERT_EQUAL(raw("[{}]"), ERR_SYNTAX);
    CU_ASSERT_EQUAL(raw("{}"), ERR_SYNTAX);
    /* what came out of a message is the message's fault */
    CU_ASSERT_EQUAL(raw("[{'GroupKeyID':'','EphemeralKey':{}}]"), 0);
    CU_ASSERT_EQUAL(raw("[{'GroupKeyID':'bob@example.com','EphemeralKey':{'kty':'OKP','crv':'X25519','x':'AA'}}]"), 0);
    sealed_clear(&m);
}

/* The far statement with another member in it, so that it has len octets. */
static void pad_statement(size_t len, struct buf *out)
{
    const char *text = far_entry.statement, *body = strchr(text, '.') + 1, *sign = strchr(body, '.');
    struct buf payload = BUF_INIT;
    size_t more = (len - strlen(text)) / 4 * 3 - 16;

    CU_ASSERT_EQUAL_FATAL(b64url_decode(body, (size_t)(sign - body), &payload), 0);
    buf_cut(&payload, payload.len - 1);
    CU_ASSERT(buf_printf(&payload, ",\"x\":\"%0*d\"}", (int)more, 0) == 0 &&
              buf_append(out, text, (size_t)(body - text)) == 0 && b64url_encode(payload.data, payload.len, out) == 0 &&
              buf_puts(out, sign) == 0);
    buf_free(&payload);
}

/* An answer that does not fit is an answer: over the same connection others are served. */
void test_grants_long(void)
{
    struct json_object *body, *items = json_object_new_array(), *reply = NULL;
    struct frame_client *c = client();
    struct buf statement = BUF_INIT;
    struct err e = {0};
    struct sealed m;

    pad_statement((32 << 10) - 64, &statement);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", buf_str(&statement)), 202);
    CU_ASSERT_EQUAL_FATAL(seal(&far, "mail", &m), 0);
    for (int i = 0; i < 128; i++)
        json_object_array_add(
            items, J("{'GroupKeyID':'%s','EphemeralKey':%s}", far.profile.keyid, json_object_to_json_string(m.epk)));
    body = J("{'Account':'bob@example.com','Device':'%s'}", phone.is.key_udf);
    CU_ASSERT_EQUAL(sjson_set_object(body, "Items", items), 0);
    CU_ASSERT_EQUAL(frame_call(c, "Grants", body, &reply, &e), ERR_RETRY);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "too long"));
    json_object_put(body);
    frame_client_free(&c);
    CU_ASSERT_EQUAL(share(&bob, "bob@example.com", far_entry.statement), 202);
    buf_free(&statement);
    sealed_clear(&m);
}

/* ---- a delivery ---- */

void test_device_grants(void)
{
    struct frame_client *c = client();
    struct grant *list_of;
    struct sealed m;
    size_t n, opened = 0;

    CU_ASSERT_EQUAL_FATAL(seal(&bob, "mail", &m), 0);
    CU_ASSERT_EQUAL_FATAL(rclient_device_grants(c, "bob@example.com", bob.profile.keyid, m.to.suite, m.to.epk,
                                                m.to.epk_len, &list_of, &n, NULL),
                          0);
    CU_ASSERT_EQUAL(n, 2);
    for (size_t i = 0; i < n; i++) {
        struct device_grants one = {.grant = list_of[i]};

        /* each is one device's: the other one's statement is not for its key */
        opened += opens_own_grant(&phone, &one, &m) || opens_own_grant(&tablet, &one, &m);
    }
    CU_ASSERT_EQUAL(opened, 2);
    grant_list_free(list_of, n);
    CU_ASSERT_EQUAL(rclient_device_grants(c, "carol@example.com", bob.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len,
                                          &list_of, &n, NULL),
                    ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_device_grants(c, "list@example.com", list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len,
                                          &list_of, &n, NULL),
                    ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_device_grants(c, "carol@example.com", carol.profile.keyid, m.to.suite, m.to.epk,
                                          m.to.epk_len, &list_of, &n, NULL),
                    0);
    CU_ASSERT(n == 0 && list_of);
    grant_list_free(list_of, n);
    sealed_clear(&m);
    CU_ASSERT_EQUAL_FATAL(seal(&far, "mail", &m), 0); /* an ephemeral key of another suite */
    CU_ASSERT_EQUAL(rclient_device_grants(c, "bob@example.com", bob.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len,
                                          &list_of, &n, NULL),
                    ERR_SYNTAX);
    sealed_clear(&m);
    frame_client_free(&c);
}

void far_clear(void)
{
    entry_clear(&far_entry);
    who_clear(&far_owner);
    who_clear(&far);
}
