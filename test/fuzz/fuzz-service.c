/* recryptd's requests, from both fronts, over a keystore in memory with a list, its owner and a member who has a
 * device. The first octet says how the rest arrives: unsigned, as a JWS, over the socket, or signed here by the owner,
 * the member or her device, so that what is behind the signature is reached as well. identity: every reply is strict
 * JSON of one response, and is the same text when it was read and written again.
 *
 * fuzz-sources: service/settings.c service/servicekey.c service/records.c service/accounts.c service/members-store.c
 * fuzz-sources: service/signers.c service/nonces.c service/auth.c service/audit.c service/cache.c service/grants.c
 * fuzz-sources: service/quota.c service/dispatch.c service/request.c service/hello.c service/person.c service/list.c
 * fuzz-sources: service/change.c service/members.c service/grant.c service/resolve.c service/fanout.c
 * fuzz-sources: service/jobs.c service/devices.c service/devices-store.c service/chain.c service/recrypt.c
 * fuzz-sources: service/hot.c service/mailbox.c service/intake.c service/claims.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/device.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "service/service.h"

#define URL "http://127.0.0.1/.well-known/meshrecrypt"

static void must(int condition)
{
    if (!condition)
        abort();
}

/* ---- the keystore's interface, in memory ---- */

struct pair {
    enum keystore_table table;
    struct buf key, value;
    struct pair *next;
};
struct keystore {
    struct pair *pairs, *before; /* before: as it was when the transaction began */
    int in_txn;
};

static struct keystore store;

static void free_pairs(struct pair **list)
{
    while (*list) {
        struct pair *p = *list;

        *list = p->next;
        buf_free(&p->key);
        buf_free(&p->value);
        free(p);
    }
}

static struct pair *copy_pairs(const struct pair *list)
{
    struct pair *copy = NULL, **at = &copy;

    for (; list; list = list->next) {
        struct pair *p = calloc(1, sizeof *p);

        must(p && !buf_append(&p->key, list->key.data, list->key.len) &&
             !buf_append(&p->value, list->value.data, list->value.len));
        p->table = list->table;
        *at = p;
        at = &p->next;
    }
    return copy;
}

static struct pair **find(enum keystore_table t, const void *key, size_t len)
{
    struct pair **at = &store.pairs;

    /* in order, as a scan gives them */
    for (; *at; at = &(*at)->next) {
        size_t n = (*at)->key.len < len ? (*at)->key.len : len;
        int c = (*at)->table != t ? ((*at)->table < t ? -1 : 1) : memcmp((*at)->key.data, key, n);

        c = c ? c : (*at)->key.len < len ? -1 : (*at)->key.len > len;
        if (c >= 0)
            break;
    }
    return at;
}

static int is(const struct pair *p, enum keystore_table t, const void *key, size_t len)
{
    return p && p->table == t && p->key.len == len && !memcmp(p->key.data, key, len);
}

int keystore_begin(struct keystore *ks, struct err *e)
{
    (void)e;
    must(!ks->in_txn);
    ks->in_txn = 1;
    ks->before = copy_pairs(ks->pairs);
    return 0;
}

int keystore_commit(struct keystore *ks, struct err *e)
{
    (void)e;
    must(ks->in_txn);
    ks->in_txn = 0;
    free_pairs(&ks->before);
    return 0;
}

void keystore_abort(struct keystore *ks)
{
    must(ks->in_txn);
    ks->in_txn = 0;
    free_pairs(&ks->pairs);
    ks->pairs = ks->before;
    ks->before = NULL;
}

int keystore_get(struct keystore *ks, enum keystore_table t, const void *key, size_t len, struct buf *value,
                 struct err *e)
{
    struct pair *p = *find(t, key, len);

    (void)ks;
    must(len > 0);
    if (len > KEYSTORE_KEY_MAX)
        return err_set(e, ERR_LIMIT, "key");
    if (!is(p, t, key, len))
        return err_set(e, ERR_ABSENT, "absent");
    return buf_append(value, p->value.data, p->value.len);
}

int keystore_put(struct keystore *ks, enum keystore_table t, const void *key, size_t key_len, const void *value,
                 size_t len, struct err *e)
{
    struct pair **at = find(t, key, key_len), *p = *at;

    must(ks->in_txn && key_len);
    if (key_len > KEYSTORE_KEY_MAX)
        return err_set(e, ERR_LIMIT, "key");
    if (!is(p, t, key, key_len)) {
        p = calloc(1, sizeof *p);
        must(p && !buf_append(&p->key, key, key_len));
        p->table = t;
        p->next = *at;
        *at = p;
    }
    buf_reset(&p->value);
    must(!buf_append(&p->value, value, len));
    return 0;
}

int keystore_delete(struct keystore *ks, enum keystore_table t, const void *key, size_t len, struct err *e)
{
    struct pair **at = find(t, key, len), *p = *at;

    must(ks->in_txn);
    if (!is(p, t, key, len))
        return err_set(e, ERR_ABSENT, "absent");
    *at = p->next;
    p->next = NULL;
    free_pairs(&p);
    return 0;
}

int keystore_scan(struct keystore *ks, enum keystore_table t, const void *prefix, size_t prefix_len,
                  keystore_visit *visit, void *arg, struct err *e)
{
    int rc = 0;

    for (struct pair *p = ks->pairs; p && !rc; p = p->next)
        if (p->table == t && p->key.len >= prefix_len && !memcmp(p->key.data, prefix, prefix_len))
            rc = visit(arg, p->key.data, p->key.len, p->value.data, p->value.len, e);
    return rc;
}

int keystore_broken(const struct keystore *ks)
{
    (void)ks;
    return 0;
}

/* ---- a service with people in it ---- */

static struct service service;
static struct settings conf;
static struct pair *baseline;
static struct jwk *alice, *bob, *phone;

/* Fixed keys, so that seeds stay good. d, and the public value that belongs to it, are RFC 8032's and RFC 7748's. */
static struct jwk *key_of(const char *text)
{
    struct jwk *k = NULL;

    must(!jwk_parse(text, strlen(text), &k, NULL));
    return k;
}

static void sign(const struct jwk *key, const char *payload, size_t len, struct buf *out)
{
    struct json_object *header = json_object_new_object();
    char nonce[NONCE_SIZE];

    must(!nonces_issue(service.nonces, time(NULL), nonce, NULL) && !sjson_set_string(header, "nonce", nonce) &&
         !sjson_set_string(header, "url", URL) && !sjson_set_int(header, "iat", time(NULL)));
    must(!jws_sign_flattened(key, header, payload, len, out, NULL));
    json_object_put(header);
}

static void check_reply(const struct buf *reply)
{
    struct json_object *obj = NULL, *inner;
    struct buf again = BUF_INIT;
    int64_t status;

    must(!sjson_parse(reply->data, reply->len, NULL, &obj, NULL) && json_object_object_length(obj) == 1);
    json_object_object_foreach(obj, name, value)
    {
        size_t len = strlen(name);

        inner = value;
        must(len > 8 && !strcmp(name + len - 8, "Response") && !sjson_int(inner, "Status", &status, NULL));
    }
    must(!sjson_write(obj, &again) && again.len == reply->len && !memcmp(again.data, reply->data, again.len));
    json_object_put(obj);
    buf_free(&again);
}

static unsigned ask(const struct jwk *key, const char *payload, size_t len)
{
    struct buf text = BUF_INIT, reply = BUF_INIT;
    unsigned status;

    sign(key, payload, len, &text);
    status = service_web(&service, 1, text.data, text.len, "127.0.0.1", &reply);
    check_reply(&reply);
    buf_free(&text);
    buf_free(&reply);
    return status;
}

static void ask_text(const struct jwk *key, struct buf *payload)
{
    must(ask(key, buf_str(payload), payload->len) == 200);
    buf_free(payload);
}

static void register_person(const struct jwk *sign_key, const char *address, const struct jwk *key, struct buf *profile)
{
    struct profile p = {.kind = PROFILE_PERSON, .epoch = 1, .issued = 1};
    struct buf payload = BUF_INIT;

    strcpy(p.account, address);
    strcpy(p.owner, address);
    p.key = (struct jwk *)(uintptr_t)key;
    must(!profile_sign(&p, sign_key, profile, NULL));
    must(!buf_printf(&payload, "{\"SetRequest\":{\"Person\":{\"Profile\":\"%s\"}}}", buf_str(profile)));
    ask_text(sign_key, &payload);
}

static void make_list(const struct jwk *key, const struct buf *member)
{
    struct profile p = {.kind = PROFILE_LIST, .epoch = 1, .issued = 1}, who;
    struct roster ro = {.serial = 1, .epoch = 1, .issued = 1};
    struct jwk *group =
        key_of("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo\","
               "\"d\":\"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo\"}");
    struct buf text = BUF_INIT, roster = BUF_INIT, entry = BUF_INIT, payload = BUF_INIT;
    char udf[JWK_UDF_SIZE];

    strcpy(p.account, "list@example.com");
    strcpy(p.owner, "alice@example.com");
    p.key = group;
    must(!profile_sign(&p, alice, &text, NULL) && !profile_read(text.data, text.len, &who, NULL));
    strcpy(ro.group, p.account);
    memcpy(ro.keyid, who.keyid, sizeof ro.keyid);
    must(!jwk_set_kid(group, who.keyid) && !roster_sign(&ro, alice, &roster, NULL));
    must(!buf_printf(&payload, "{\"SetRequest\":{\"Group\":{\"Profile\":\"%s\",\"Roster\":\"%s\"}}}", buf_str(&text),
                     buf_str(&roster)));
    ask_text(alice, &payload);
    profile_clear(&who);
    must(!profile_read(member->data, member->len, &who, NULL) && !jwk_udf(key, udf));
    ro.serial = 2;
    buf_reset(&roster);
    must(!roster_add(&ro, who.account, udf, NULL) && !roster_sign(&ro, alice, &roster, NULL));
    must(!entry_make(group, &who, 2, 1, alice, service.keys->key, &entry, NULL));
    must(!buf_printf(
        &payload,
        "{\"SetRequest\":{\"Members\":{\"Group\":\"list@example.com\",\"Roster\":\"%s\",\"Entries\":[\"%s\"]}}}",
        buf_str(&roster), buf_str(&entry)));
    ask_text(alice, &payload);
    profile_clear(&who);
    roster_clear(&ro);
    jwk_free(&group);
    buf_free(&text);
    buf_free(&roster);
    buf_free(&entry);
}

/* Bob's phone asks and is let in; another one waits. */
static void make_device(const struct jwk *group, const struct jwk *key, const struct buf *person)
{
    struct device d = {.issued = 1};
    struct roster ro = {.serial = 1, .epoch = 1, .issued = 1};
    struct buf request = BUF_INIT, roster = BUF_INIT, entry = BUF_INIT, payload = BUF_INIT, reply = BUF_INIT;
    struct profile owner, device;

    must(!profile_read(person->data, person->len, &owner, NULL) && !jwk_udf(bob, d.owner));
    memcpy(d.account, owner.account, sizeof d.account);
    d.key = (struct jwk *)(uintptr_t)key;
    for (int i = 0; i < 2; i++) {
        strcpy(d.name, i ? "tablet" : "phone");
        buf_reset(&request);
        must(!device_sign(&d, i ? alice : phone, &request, NULL));
        buf_reset(&payload);
        buf_reset(&reply);
        must(!buf_printf(&payload, "{\"JoinRequest\":{\"Account\":\"bob@example.com\",\"Request\":\"%s\"}}",
                         buf_str(&request)));
        must(service_web(&service, 0, payload.data, payload.len, "::1", &reply) == 200);
        if (i)
            break;
        d.key = NULL;
        must(!device_read(request.data, request.len, &d, NULL));
        strcpy(ro.group, owner.account);
        memcpy(ro.keyid, owner.keyid, sizeof ro.keyid);
        device = device_profile(&d);
        must(!roster_add(&ro, d.member, d.key_udf, NULL) && !roster_sign(&ro, bob, &roster, NULL));
        must(!entry_make(group, &device, 1, 1, bob, service.keys->key, &entry, NULL));
        buf_reset(&payload);
        must(!buf_printf(
            &payload,
            "{\"SetRequest\":{\"Members\":{\"Group\":\"bob@example.com\",\"Roster\":\"%s\",\"Entries\":[\"%s\"]}}}",
            buf_str(&roster), buf_str(&entry)));
        ask_text(bob, &payload);
    }
    device_clear(&d);
    profile_clear(&owner);
    roster_clear(&ro);
    buf_free(&request);
    buf_free(&roster);
    buf_free(&entry);
    buf_free(&payload);
    buf_free(&reply);
}

static void set_up(void)
{
    static char domain[] = "example.com", owner[] = "alice@example.com", url[] = URL;
    static char *domains[] = {domain}, *owners[] = {owner};
    struct buf profile = BUF_INIT;
    struct profile person;
    struct jwk *device =
        key_of("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo\","
               "\"d\":\"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo\"}");
    struct jwk *key =
        key_of("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08\","
               "\"d\":\"XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os\"}");

    conf = (struct settings){.domains = {domains, 1},
                             .administrators = {owners, 1},
                             .url = url,
                             .registration_open = 1,
                             .inline_max = 4,
                             .list_max = 8,
                             .devices_max = 3,
                             .device_requests = 3,
                             .shares_max = 3,
                             .max_body = 1 << 20,
                             .cache_entries = 100};
    service.settings = &conf;
    service.keys = calloc(1, sizeof *service.keys);
    must(service.keys && !jwk_generate("X25519", &service.keys->key, NULL) &&
         !jwk_udf(service.keys->key, service.keys->udf) && !jwk_set_kid(service.keys->key, service.keys->udf));
    must(!records_open(&service.records, &store, service.keys->udf, service.keys->storage, 1, NULL));
    must(!audit_open("/dev/null", &service.audit, NULL) && !cache_new(100, 4, &service.cache, NULL) &&
         !hot_new(100, &service.hot, NULL) && !nonces_new(4096, &service.nonces, NULL) &&
         !auth_new(&service.auth, NULL) && !grants_new(&service.grants, NULL) && !quota_new(&service.quota, NULL) &&
         !quota_new(&service.intake, NULL));
    alice = key_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
                   "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}");
    bob = key_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw\","
                 "\"d\":\"TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs\"}");
    phone = key_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU\","
                   "\"d\":\"xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc\"}");
    register_person(alice, "alice@example.com", key, &profile);
    buf_reset(&profile);
    register_person(bob, "bob@example.com", key, &profile);
    make_list(key, &profile);
    must(!profile_read(profile.data, profile.len, &person, NULL) && !jwk_set_kid(key, person.keyid));
    profile_clear(&person);
    make_device(key, device, &profile);
    jwk_free(&device);
    baseline = copy_pairs(store.pairs);
    jwk_free(&key);
    buf_free(&profile);
}

static void over_the_socket(const uint8_t *data, size_t len)
{
    struct caller c = {.local = 1, .milter = 1, .delivery = 1};
    struct json_object *request = NULL, *reply = NULL;

    if (sjson_parse(data, len, NULL, &request, NULL))
        return;
    must(service_local(&service, request, &c, &reply) == 0 || !reply);
    json_object_put(request);
    json_object_put(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buf reply = BUF_INIT;
    int way;

    if (!service.keys)
        set_up();
    if (!len)
        return 0;
    way = data[0] % 6; /* '0' is 0 */
    switch (way) {
    case 0:
        service_web(&service, 0, data + 1, len - 1, "::1", &reply);
        check_reply(&reply);
        break;
    case 1:
        service_web(&service, 1, data + 1, len - 1, "::1", &reply);
        check_reply(&reply);
        break;
    case 2:
        over_the_socket(data + 1, len - 1);
        break;
    default:
        ask(way == 3 ? alice : way == 4 ? bob : phone, (const char *)data + 1, len - 1);
    }
    must(!store.in_txn);
    buf_free(&reply);
    free_pairs(&store.pairs);
    store.pairs = copy_pairs(baseline);
    service_changed(&service, "list@example.com");
    service_changed(&service, "bob@example.com");
    nonces_free(&service.nonces);
    quota_free(&service.intake);
    must(!nonces_new(4096, &service.nonces, NULL) && !quota_new(&service.intake, NULL));
    return 0;
}
