/* Devices of a member whose account is another service's: Statement; and an account whose devices are gone
 * (recryptd-device.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recryptd-device.h"

static struct who zoe; /* on the list, and of another service */
static struct gadget pad;

/* A device's own statement, as its person's service has it: by signs it. */
static void make_statement(const struct who *group, const struct profile *member, const struct jwk *by,
                           struct entry *out)
{
    struct buf text = BUF_INIT;
    struct jwk *service = NULL;
    struct err e = {0};

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &service, NULL), 0);
    if (entry_make(group->key, member, 1, 1, by, service, &text, &e))
        printf("# %s\n", e.text);
    CU_ASSERT_FATAL(text.len > 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(text.data, text.len, service, by, out, &e), 0);
    buf_free(&text);
    jwk_free(&service);
}

static void ask_statement(const char *keyid, const char *device, struct answer *out)
{
    CU_ASSERT_EQUAL(world_call(&w, NULL, "Statement", J("{'GroupKeyID':'%s','Device':'%s'}", keyid, device), NULL, out),
                    0);
}

/* The refusal has one text. */
static int refused(const char *keyid, const char *device)
{
    struct answer a;
    int status;

    ask_statement(keyid, device, &a);
    status = (int)a.status;
    if (status == 404)
        CU_ASSERT_STRING_EQUAL(a.text, "no statement");
    CU_ASSERT_FALSE(sjson_has(a.body, "Statement"));
    answer_clear(&a);
    return status;
}

/* Is she given her statement of the list, and nothing else? */
static int given(const char *keyid, const char *device)
{
    struct share_lock lock;
    struct answer a;
    const char *text;
    int yes;

    ask_statement(keyid, device, &a);
    yes = a.status == 201 && !sjson_string(a.body, "Statement", &text, NULL) &&
          !share_lock_read(text, keyid, list.sign, &lock, NULL);
    if (yes) {
        CU_ASSERT_STRING_EQUAL(lock.member, zoe.address);
        CU_ASSERT_STRING_EQUAL(lock.member_keyid, zoe.profile.keyid);
        CU_ASSERT_FALSE(sjson_has(a.body, "Grant"));
        share_lock_clear(&lock);
    }
    answer_clear(&a);
    return yes;
}

void test_statement(void)
{
    const char *keyid = list.profile.keyid;
    struct profile device, other;
    struct entry en = {0}, wrong = {0};
    char *spoiled;

    who_make(&zoe, "zoe@example.org", "X25519");
    gadget_make(&pad, &zoe, "pad", "P-256");
    device = device_profile(&pad.is);
    make_statement(&zoe, &device, zoe.sign, &en);
    CU_ASSERT_EQUAL(refused(keyid, en.statement), 404); /* nobody here has that signature key */
    CU_ASSERT_EQUAL(list_add(&list, &zoe), 201);
    CU_ASSERT_EQUAL(given(keyid, en.statement), 1);
    CU_ASSERT_EQUAL(refused(bob.profile.keyid, en.statement), 404); /* a person's key */
    CU_ASSERT_EQUAL(refused("x@example.com.mm--mmmmm-mmmmm-mmmmm-mmmmm-mmmmm-mmmmm", en.statement), 404);
    CU_ASSERT_EQUAL(refused(keyid, "x"), 400);
    CU_ASSERT_EQUAL(refused(keyid, buf_str(&zoe.text)), 400); /* a profile */
    spoiled = &en.statement[strlen(en.statement) - 3];
    *spoiled = *spoiled == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(refused(keyid, en.statement), 404);
    entry_clear(&en);
    make_statement(&zoe, &device, carol.sign, &wrong); /* who is known here signs in her name */
    CU_ASSERT_EQUAL(refused(keyid, wrong.statement), 404);
    entry_clear(&wrong);
    make_statement(&zoe, &carol.profile, zoe.sign, &wrong); /* no device */
    CU_ASSERT_EQUAL(refused(keyid, wrong.statement), 400);
    entry_clear(&wrong);
    other = device;
    strcpy(other.account, "bob+pad@example.com"); /* somebody else's device, by her word */
    make_statement(&zoe, &other, zoe.sign, &wrong);
    CU_ASSERT_EQUAL(refused(keyid, wrong.statement), 400);
    entry_clear(&wrong);
    make_statement(&bob, &other, zoe.sign, &wrong); /* bob is on the list, and did not sign it */
    CU_ASSERT_EQUAL(refused(keyid, wrong.statement), 404);
    entry_clear(&wrong);
    /* she is removed */
    make_statement(&zoe, &device, zoe.sign, &en);
    CU_ASSERT_EQUAL(given(keyid, en.statement), 1);
    CU_ASSERT_EQUAL(list_remove(&list, &zoe), 201);
    CU_ASSERT_EQUAL(refused(keyid, en.statement), 404);
    entry_clear(&en);
    gadget_clear(&pad);
    who_clear(&zoe);
}

/* Statement with a grant for the message, sealed to key; NULL leaves one of the two out. */
static int ask_sealed(const char *keyid, const char *device, const struct jwk *key, const struct sealed *m,
                      struct answer *out)
{
    struct json_object *body = J("{'GroupKeyID':'%s','Device':'%s'}", keyid, device), *jwk = NULL;

    if (key && !jwk_to_json(key, jwk_is_signature(key), &jwk, NULL))
        sjson_set_object(body, "Key", jwk);
    if (m)
        sjson_set_object(body, "EphemeralKey", json_object_get(m->epk));
    CU_ASSERT_EQUAL(world_call(&w, NULL, "Statement", body, NULL, out), 0);
    return (int)out->status;
}

/* The refusal; of 404 with the one text that Statement has. */
static int sealed_refused(const char *keyid, const char *device, const struct jwk *key, const struct sealed *m)
{
    struct answer a;
    int status = ask_sealed(keyid, device, key, m, &a);

    if (status == 404)
        CU_ASSERT_STRING_EQUAL(a.text, "no statement");
    CU_ASSERT_FALSE(sjson_has(a.body, "Statement") || sjson_has(a.body, "Sealed"));
    answer_clear(&a);
    return status;
}

/* Does zoe open the message with what her device is given? */
static int sealed_opens(const char *device, const struct sealed *m)
{
    struct json_object *grant = NULL;
    struct buf inside = BUF_INIT;
    struct answer a;
    const char *text, *statement;
    int yes = ask_sealed(list.profile.keyid, device, zoe.key, m, &a) == 201 &&
              !sjson_string(a.body, "Sealed", &text, NULL) && !sjson_string(a.body, "Statement", &statement, NULL) &&
              !jwe_open_compact(text, strlen(text), zoe.key, &inside, NULL) &&
              !sjson_parse(inside.data, inside.len, NULL, &grant, NULL) && !sjson_has(grant, "dk") &&
              !sjson_set_string(grant, "dk", statement) && opens(&zoe, &list, grant, m, "from afar");

    json_object_put(grant);
    buf_free(&inside);
    answer_clear(&a);
    return yes;
}

void test_sealed(void)
{
    const char *keyid = list.profile.keyid, *device;
    struct sealed m, other;
    struct profile p;
    struct entry en = {0};
    struct who p256;

    who_make(&zoe, "zoe@example.org", "X448");
    who_make(&p256, "p256@example.org", "P-256");
    gadget_make(&pad, &zoe, "pad", "X25519");
    p = device_profile(&pad.is);
    make_statement(&zoe, &p, zoe.sign, &en);
    device = en.statement;
    CU_ASSERT_EQUAL_FATAL(seal(&list, "from afar", &m), 0);
    CU_ASSERT_EQUAL_FATAL(seal(&p256, "x", &other), 0);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, zoe.key, &m), 404);
    CU_ASSERT_EQUAL(list_add(&list, &zoe), 201);
    CU_ASSERT_EQUAL(sealed_opens(device, &m), 1);
    CU_ASSERT_EQUAL(given(keyid, device), 1); /* the statement alone, still */
    /* To no other key than the one that she is a member with: neither the device's own nor a stranger's. */
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, pad.key, &m), 404);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, bob.key, &m), 404);
    CU_ASSERT_EQUAL(sealed_refused(bob.profile.keyid, device, zoe.key, &m), 404);
    CU_ASSERT_EQUAL(sealed_refused("x@example.com.mm--mmmmm-mmmmm-mmmmm-mmmmm-mmmmm-mmmmm", device, zoe.key, &other),
                    404);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, zoe.key, &other), 400);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, zoe.key, NULL), 400);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, NULL, &m), 400);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, zoe.sign, &m), 400); /* a signature key, and private */
    CU_ASSERT_EQUAL(list_remove(&list, &zoe), 201);
    CU_ASSERT_EQUAL(sealed_refused(keyid, device, zoe.key, &m), 404);
    sealed_clear(&m);
    sealed_clear(&other);
    entry_clear(&en);
    gadget_clear(&pad);
    who_clear(&p256);
    who_clear(&zoe);
}

/* Her last device is gone, and then she takes a new key without a roster: --check has nothing against that, as the
 * roster that is kept names nobody. */
void test_no_devices_left(void)
{
    struct roster bobs = devices;
    const struct who *key;
    struct buf text = BUF_INIT, out = BUF_INIT;
    struct who erin, next;

    who_make(&erin, "erin@example.com", "X25519");
    key = &erin;
    CU_ASSERT_EQUAL(set_person(&erin), 201);
    gadget_make(&pad, &erin, "pad", "X25519");
    CU_ASSERT_EQUAL(join("erin@example.com", buf_str(&pad.request)), 201);
    begin_roster(&devices, &erin);
    CU_ASSERT_EQUAL(put_device(&pad), 0);
    CU_ASSERT_EQUAL(let_in_by(&erin, &pad, &key, 1, 1), 201);
    CU_ASSERT_EQUAL(drop_device(&pad), 0);
    sign_devices(&erin, 2, &text);
    CU_ASSERT_EQUAL(
        world_status(&w, erin.sign, "Delete",
                     J("{'Group':'erin@example.com','Member':'%s','Roster':'%s'}", pad.is.member, buf_str(&text))),
        201);
    who_make(&next, "erin@example.com", "X25519");
    jwk_free(&next.sign);
    next.sign = erin.sign;
    who_sign(&next, NULL, 2);
    CU_ASSERT_EQUAL(set_person(&next), 202);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 0);
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    next.sign = NULL;
    who_clear(&next);
    who_clear(&erin);
    gadget_clear(&pad);
    roster_clear(&devices);
    devices = bobs;
    buf_free(&text);
    buf_free(&out);
}

/* Of the list, for a device of bob's with that statement. */
static int status_for(const struct entry *en)
{
    struct answer a;
    int status;

    ask_statement(list.profile.keyid, en->statement, &a);
    status = (int)a.status;
    answer_clear(&a);
    return status;
}

/* Each device's own count: one that was removed uses up neither another's nor its person's. */
void test_statement_quota(void)
{
    struct gadget g[2];
    struct entry en[2] = {{.member_key = NULL}, {.member_key = NULL}};
    const struct who *const *keys;
    char udf[JWK_UDF_SIZE];
    struct sealed m;
    struct answer a;

    bobs_keys(&keys); /* he came to the list with the oldest */
    CU_ASSERT_EQUAL(jwk_udf(keys[0]->key, udf), 0);
    for (int i = 0; i < 2; i++) {
        struct profile p;

        gadget_make(&g[i], &bob, i ? "other" : "lost", "X25519");
        p = device_profile(&g[i].is);
        make_statement(&bob, &p, bob.sign, &en[i]);
    }
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, DEVICE_SETTINGS "\nquota = 2");
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(status_for(&en[0]), i < 2 ? 201 : 503);
    CU_ASSERT_EQUAL(status_for(&en[1]), 201);
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    ask(bob.sign, udf, list.profile.keyid, &m, &a);
    CU_ASSERT_EQUAL(a.status, 201);
    answer_clear(&a);
    sealed_clear(&m);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, DEVICE_SETTINGS);
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    for (int i = 0; i < 2; i++) {
        entry_clear(&en[i]);
        gadget_clear(&g[i]);
    }
}
