#include "recryptd-device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/jws.h"

/* ---- devices ---- */

void gadget_ask(struct gadget *g, const char *name)
{
    struct device d = g->is;
    struct err e = {0};

    snprintf(d.name, sizeof d.name, "%s", name);
    d.issued = time(NULL);
    d.key = g->key;
    buf_reset(&g->request);
    d.signer = NULL;
    if (device_sign(&d, g->sign, &g->request, &e))
        printf("# request of %s: %s\n", name, e.text);
    device_clear(&g->is);
    CU_ASSERT_EQUAL_FATAL(device_read(g->request.data, g->request.len, &g->is, &e), 0);
    jwk_set_kid(g->key, jwk_kid(g->is.key));
}

void gadget_make(struct gadget *g, const struct who *person, const char *name, const char *suite)
{
    memset(g, 0, sizeof *g);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &g->sign, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate(suite, &g->key, NULL), 0);
    memcpy(g->is.account, person->address, sizeof g->is.account);
    CU_ASSERT_EQUAL(jwk_udf(person->sign, g->is.owner), 0);
    gadget_ask(g, name);
}

void gadget_clear(struct gadget *g)
{
    device_clear(&g->is);
    jwk_free(&g->sign);
    jwk_free(&g->key);
    buf_free(&g->request);
}

/* ---- people and lists ---- */

int set_person(const struct who *p)
{
    return world_status(&w, p->sign, "Set", J("{'Person':{'Profile':'%s'}}", buf_str(&p->text)));
}

/* The owner's rosters of lists. */
static struct roster lists[8];
static size_t list_count;

static struct roster *roster_of(const struct who *l)
{
    for (size_t i = 0; i < list_count; i++)
        if (!strcmp(lists[i].group, l->address))
            return &lists[i];
    CU_ASSERT_FATAL(list_count < sizeof lists / sizeof *lists);
    memcpy(lists[list_count].group, l->address, sizeof lists[list_count].group);
    memcpy(lists[list_count].keyid, l->profile.keyid, sizeof lists[list_count].keyid);
    lists[list_count].epoch = 1;
    return &lists[list_count++];
}

static struct roster *next_roster(const struct who *l, struct buf *out)
{
    struct roster *r = roster_of(l);

    r->serial++;
    r->issued = time(NULL);
    CU_ASSERT_EQUAL_FATAL(roster_sign(r, l->sign, out, NULL), 0);
    return r;
}

int make_list(const struct who *l)
{
    struct buf text = BUF_INIT;
    int status;

    next_roster(l, &text);
    status = world_status(&w, l->sign, "Set",
                          J("{'Group':{'Profile':'%s','Roster':'%s'}}", buf_str(&l->text), buf_str(&text)));
    buf_free(&text);
    return status;
}

int list_add(const struct who *l, const struct who *member)
{
    struct roster *r = roster_of(l);
    struct buf text = BUF_INIT, entry = BUF_INIT;
    char udf[JWK_UDF_SIZE];
    int status;

    CU_ASSERT_EQUAL(jwk_udf(member->key, udf), 0);
    CU_ASSERT_EQUAL(roster_add(r, member->address, udf, NULL), 0);
    next_roster(l, &text);
    CU_ASSERT_EQUAL_FATAL(entry_make(l->key, &member->profile, r->serial, 1, l->sign, w.service_key, &entry, NULL), 0);
    status = world_status(
        &w, l->sign, "Set",
        J("{'Members':{'Group':'%s','Roster':'%s','Entries':['%s']}}", l->address, buf_str(&text), buf_str(&entry)));
    buf_free(&text);
    buf_free(&entry);
    return status;
}

int list_remove(const struct who *l, const struct who *member)
{
    struct buf text = BUF_INIT;
    int status;

    CU_ASSERT_EQUAL(roster_remove(roster_of(l), member->address, NULL), 0);
    next_roster(l, &text);
    status = world_status(&w, l->sign, "Delete",
                          J("{'Group':'%s','Member':'%s','Roster':'%s'}", l->address, member->address, buf_str(&text)));
    buf_free(&text);
    return status;
}

static struct who old[4];
static size_t old_count;

void keep_old_key(const struct who *p)
{
    CU_ASSERT_FATAL(old_count < sizeof old / sizeof *old);
    old[old_count] = *p;
    old[old_count++].sign = NULL; /* goes on with the newer one */
}

size_t bobs_keys(const struct who *const **out)
{
    static const struct who *all[sizeof old / sizeof *old + 1];

    for (size_t i = 0; i < old_count; i++) {
        old[i].sign = bob.sign;
        all[i] = &old[i];
    }
    all[old_count] = &bob;
    if (out)
        *out = all;
    return old_count + 1;
}

void old_keys_clear(void)
{
    while (old_count) {
        old[--old_count].sign = NULL;
        who_clear(&old[old_count]);
    }
    while (list_count)
        roster_clear(&lists[--list_count]);
}

/* ---- requests ---- */

int join(const char *account, const char *request)
{
    return world_status(&w, NULL, "Join", J("{'Account':'%s','Request':'%s'}", account, request));
}

int leave(const struct who *p, const char *account, const char *code)
{
    return world_status(&w, p->sign, "Leave", J("{'Account':'%s','Code':'%s'}", account, code));
}

int pending(const struct who *p)
{
    struct json_object *waiting;
    struct answer a;
    int n = -1;

    CU_ASSERT_EQUAL(world_call(&w, p->sign, "Select", J("{'Kind':'pending'}"), NULL, &a), 0);
    if (a.status == 201 && !sjson_array(a.body, "Pending", &waiting, NULL)) {
        n = (int)json_object_array_length(waiting);
        for (int i = 0; i < n; i++) {
            struct device d;
            const char *text;

            CU_ASSERT_EQUAL_FATAL(sjson_string(json_object_array_get_idx(waiting, (size_t)i), "Request", &text, NULL),
                                  0);
            CU_ASSERT_EQUAL(device_read(text, strlen(text), &d, NULL), 0);
            CU_ASSERT_STRING_EQUAL(d.account, p->address);
            device_clear(&d);
        }
    }
    answer_clear(&a);
    return n;
}

int gets(const char *group, const char *name)
{
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL(world_call(&w, bob.sign, "Get", J("{'Group':'%s'}", group), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 201);
    yes = sjson_has(a.body, name);
    answer_clear(&a);
    return yes;
}

int shown(const char *member, const char *state)
{
    struct json_object *list_of;
    struct answer a;
    int n = 0;

    CU_ASSERT_EQUAL(world_call(&w, bob.sign, "Get", J("{'Group':'bob@example.com'}"), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 201);
    CU_ASSERT_EQUAL_FATAL(sjson_array(a.body, "Devices", &list_of, NULL), 0);
    for (size_t i = 0; i < json_object_array_length(list_of); i++) {
        struct json_object *one = json_object_array_get_idx(list_of, i);
        const char *its, *in, *text;
        struct device d;

        CU_ASSERT(!sjson_string(one, "Member", &its, NULL) && !sjson_string(one, "State", &in, NULL) &&
                  !sjson_string(one, "Request", &text, NULL));
        n += !strcmp(its, member) && !strcmp(in, state);
        CU_ASSERT_EQUAL(device_read(text, strlen(text), &d, NULL), 0);
        CU_ASSERT_STRING_EQUAL(d.member, its);
        device_clear(&d);
    }
    answer_clear(&a);
    return n;
}

void begin_roster(struct roster *r, const struct who *person)
{
    memset(r, 0, sizeof *r);
    memcpy(r->group, person->address, sizeof r->group);
    memcpy(r->keyid, person->profile.keyid, sizeof r->keyid);
    r->epoch = 1;
}

int put_device(const struct gadget *g)
{
    return roster_add(&devices, g->is.member, g->is.key_udf, NULL);
}

int drop_device(const struct gadget *g)
{
    return roster_remove(&devices, g->is.member, NULL);
}

void sign_devices(const struct who *by, int64_t serial, struct buf *out)
{
    devices.serial = serial;
    devices.issued = time(NULL);
    buf_reset(out);
    CU_ASSERT_EQUAL_FATAL(roster_sign(&devices, by->sign, out, NULL), 0);
}

static void add_entry(struct json_object *to, const struct who *key, const struct gadget *g, const struct who *by,
                      int64_t serial, int64_t epoch)
{
    struct profile p = device_profile(&g->is);
    struct buf text = BUF_INIT;
    struct err e = {0};

    CU_ASSERT_EQUAL_FATAL(entry_make(key->key, &p, serial, epoch, by->sign, w.service_key, &text, &e), 0);
    json_object_array_add(to, json_object_new_string(buf_str(&text)));
    buf_free(&text);
}

/* The request with Entries in its one kind. */
static int set_with(const struct jwk *signer, struct json_object *body, const char *kind, struct json_object *entries)
{
    struct json_object *inner;

    CU_ASSERT_EQUAL_FATAL(sjson_object(body, kind, &inner, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sjson_set_object(inner, "Entries", entries), 0);
    return world_status(&w, signer, "Set", body);
}

int let_in_by(const struct who *by, const struct gadget *g, const struct who *const *keys, size_t n, int64_t serial)
{
    struct json_object *entries = json_object_new_array();
    struct buf text = BUF_INIT;
    int status;

    sign_devices(by, serial, &text);
    for (size_t i = 0; i < n; i++)
        add_entry(entries, keys[i], g, by, serial, (int64_t)i + 1);
    status = set_with(by->sign, J("{'Members':{'Group':'%s','Roster':'%s'}}", devices.group, buf_str(&text)), "Members",
                      entries);
    buf_free(&text);
    return status;
}

int let_in(const struct gadget *g, const struct who *const *keys, size_t n, int64_t serial)
{
    return let_in_by(&bob, g, keys, n, serial);
}

int take_out(const struct gadget *g, int64_t serial, int64_t epoch)
{
    struct buf text = BUF_INIT;
    int status;

    devices.epoch = epoch;
    sign_devices(&bob, serial, &text);
    status = world_status(&w, bob.sign, "Delete",
                          J("{'Group':'bob@example.com','Member':'%s','Roster':'%s'}", g->is.member, buf_str(&text)));
    buf_free(&text);
    return status;
}

int rekey(const struct who *next, int64_t epoch, int64_t serial, const struct gadget *const *those, size_t n)
{
    struct json_object *entries = json_object_new_array();
    struct buf text = BUF_INIT;
    int status;

    if (!strcmp(next->address, devices.group))
        memcpy(devices.keyid, next->profile.keyid, sizeof devices.keyid);
    devices.epoch = epoch;
    sign_devices(&bob, serial, &text);
    for (size_t i = 0; i < n; i++)
        add_entry(entries, next, those[i], &bob, serial, epoch);
    status = set_with(bob.sign,
                      J("{'Rekey':{'Group':'bob@example.com','Profile':'%s','Retire':false,'Roster':'%s'}}",
                        buf_str(&next->text), buf_str(&text)),
                      "Rekey", entries);
    buf_free(&text);
    return status;
}

/* ---- grants ---- */

void ask(const struct jwk *signer, const char *key_udf, const char *keyid, const struct sealed *m, struct answer *out)
{
    struct json_object *body = J("{'GroupKeyID':'%s','MemberKeyUDF':'%s'}", keyid, key_udf);

    sjson_set_object(body, "EphemeralKey", json_object_get(m->epk));
    CU_ASSERT_EQUAL(world_call(&w, signer, "RecryptData", body, NULL, out), 0);
}

int grant_status(const struct gadget *g, const struct who *to)
{
    struct sealed m;
    struct answer a;
    int status;

    CU_ASSERT_EQUAL_FATAL(seal(to, "x", &m), 0);
    ask(g->sign, g->is.key_udf, to->profile.keyid, &m, &a);
    status = (int)a.status;
    answer_clear(&a);
    sealed_clear(&m);
    return status;
}

int opens_own(const struct gadget *g, const struct who *person, struct json_object *grant, const struct sealed *m,
              const char *text)
{
    struct who as = {.key = g->key};

    snprintf(as.address, sizeof as.address, "%s", g->is.member);
    return opens(&as, person, grant, m, text);
}

int reads_own(const struct gadget *g, const struct who *person)
{
    struct json_object *grant;
    struct sealed m;
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL_FATAL(seal(person, "for bob", &m), 0);
    ask(g->sign, g->is.key_udf, person->profile.keyid, &m, &a);
    yes = a.status == 201 && !sjson_has(a.body, "Device") && !sjson_object(a.body, "Grant", &grant, NULL) &&
          opens_own(g, person, grant, &m, "for bob");
    if (!yes)
        printf("# %s: %d %s\n", g->is.member, (int)a.status, a.text);
    answer_clear(&a);
    sealed_clear(&m);
    return yes;
}

/* The half and tag key inside the list's statement, opened by the device with its share of the person's key. */
static int inner_share(const struct gadget *g, const struct who *person, const char *statement,
                       struct json_object *device, struct share *out, struct err *e)
{
    struct statement_claim claim = {0};
    struct json_object *grant, *inner = NULL;
    struct grant gr = {0};
    struct share share = {0};
    struct buf plain = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe *dk = NULL;
    struct jws j = {0};
    const char *keyid, *text;
    int rc = sjson_string(device, "KeyID", &keyid, e);

    rc = rc ? rc : sjson_object(device, "Grant", &grant, e);
    rc = rc ? rc : grant_from_json(grant, &gr, e);
    rc = rc ? rc : statement_claim(statement, strlen(statement), &claim, e);
    if (!rc && strcmp(claim.to.kid, keyid))
        rc = err_set(e, ERR_KEY, "KeyID");
    rc = rc ? rc : share_read(gr.dk, keyid, person->sign, g->key, &share, e);
    rc = rc ? rc : jws_parse(statement, strlen(statement), &j, e);
    rc = rc ? rc : sjson_parse(j.payload.data, j.payload.len, NULL, &inner, e);
    rc = rc ? rc : sjson_string(inner, "dk", &text, e);
    rc = rc ? rc : jwe_parse(text, strlen(text), 0, &dk, &ciphertext, e);
    rc = rc ? rc : share_decrypt(&share, &gr, dk, 0, &ciphertext, &plain, e);
    if (!rc) { /* as it would stand in the key directory */
        struct json_object *half = NULL, *suite;

        rc = sjson_parse(plain.data, plain.len, NULL, &half, e);
        json_object_object_get_ex(inner, "suite", &suite);
        if (!rc && (sjson_set_string(half, "group", claim.keyid) || sjson_set_string(half, "member", claim.member) ||
                    sjson_set_int(half, "serial", 1) || sjson_set_int(half, "epoch", 1) ||
                    sjson_set_object(half, "suite", json_object_get(suite))))
            rc = err_set(e, ERR_SYSTEM, "memory");
        rc = rc ? rc : share_from_json(half, out, e);
        json_object_put(half);
    }
    json_object_put(inner);
    jws_clear(&j);
    jwe_free(&dk);
    grant_clear(&gr);
    share_clear(&share);
    statement_claim_clear(&claim);
    buf_free(&plain);
    buf_free(&ciphertext);
    return rc;
}

int opens_chain(const struct gadget *g, const struct who *person, const struct who *l, struct json_object *granted,
                const struct sealed *m, const char *text)
{
    struct json_object *grant = NULL, *device = NULL;
    struct share share = {0};
    struct grant gr = {0};
    struct buf plain = BUF_INIT;
    struct err e = {0};
    unsigned char tag[GRANT_TAG_LEN];
    int rc = sjson_object(granted, "Grant", &grant, &e), yes;

    rc = rc ? rc : sjson_object(granted, "Device", &device, &e);
    rc = rc ? rc : grant_from_json(grant, &gr, &e);
    rc = rc ? rc : inner_share(g, person, gr.dk, device, &share, &e);
    rc = rc ? rc : entry_tag(share.tagkey, m->to.epk, m->to.epk_len, tag, &e);
    if (!rc && memcmp(tag, gr.tag, sizeof tag))
        rc = err_set(&e, ERR_KEY, "tag");
    rc = rc ? rc : share_decrypt(&share, &gr, m->jwe, 0, &m->ciphertext, &plain, &e);
    yes = !rc && plain.len == strlen(text) && !memcmp(plain.data, text, plain.len);
    if (!yes)
        printf("# %s, list %s: %s\n", g->is.member, l->address, e.text);
    share_clear(&share);
    grant_clear(&gr);
    buf_free(&plain);
    return yes;
}

int reads_chain(const struct gadget *g, const struct who *person, const struct who *l)
{
    struct sealed m;
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL_FATAL(seal(l, "for the list", &m), 0);
    ask(g->sign, g->is.key_udf, l->profile.keyid, &m, &a);
    yes = a.status == 201 && opens_chain(g, person, l, a.body, &m, "for the list");
    if (!yes)
        printf("# %s: %d %s\n", g->is.member, (int)a.status, a.text);
    answer_clear(&a);
    sealed_clear(&m);
    return yes;
}

int opens_far(const struct gadget *g, const struct who *person, const struct who *l, const struct entry *en,
              struct json_object *granted, const struct sealed *m, const char *text)
{
    struct json_object *whole = json_object_new_object(), *grant, *full = NULL, *device;
    struct suite_peer *peer = NULL;
    struct grant gr = {.value_len = suite_value_len(m->to.suite)};
    const char *dk;
    int yes = 0;

    CU_ASSERT_FATAL(!sjson_object(granted, "Grant", &grant, NULL) && !sjson_object(granted, "Device", &device, NULL));
    CU_ASSERT(!sjson_has(grant, "t") && !sjson_has(grant, "u"));
    CU_ASSERT_EQUAL_FATAL(sjson_string(grant, "dk", &dk, NULL), 0);
    gr.dk = (char *)(uintptr_t)dk;
    /* what the message brings from the list's own service */
    if (!suite_peer_new(m->to.suite, m->to.epk, m->to.epk_len, &peer, NULL) &&
        !suite_agree(en->r, peer, gr.value, NULL) && !entry_tag(en->tagkey, m->to.epk, m->to.epk_len, gr.tag, NULL) &&
        !grant_to_json(&gr, &full, NULL)) {
        sjson_set_object(whole, "Grant", full);
        sjson_set_object(whole, "Device", json_object_get(device));
        yes = opens_chain(g, person, l, whole, m, text);
    }
    suite_peer_free(&peer);
    json_object_put(whole);
    return yes;
}
