/* Drives a real recryptd: devices of persons, from asking to be let in to the lists that they read for their person
 * (doc/protocol.md). The tests build on each other, in the order of the table at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keystore/keystore.h"
#include "recryptd-device.h"

struct world w;
struct who alice, bob, carol, list;
struct gadget phone, tablet;
struct roster devices;

static void test_start(void)
{
    world_configure(&w, DEVICE_SETTINGS);
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    gadget_make(&phone, &bob, "phone", "X25519");
    gadget_make(&tablet, &bob, "tablet", "P-256");
    CU_ASSERT_EQUAL(set_person(&alice), 201);
    CU_ASSERT_EQUAL(set_person(&bob), 201);
    CU_ASSERT_EQUAL(set_person(&carol), 201);
    CU_ASSERT_EQUAL(make_list(&list), 201);
    CU_ASSERT_EQUAL(list_add(&list, &bob), 201);
    CU_ASSERT_EQUAL(gets(&bob.address[0], "Roster"), 0);
}

/* What a stranger may have written: not long things, not under a key that another one signed for, and not for ever. */
static void test_strangers(void)
{
    struct gadget eager, thief;
    struct jwk *key;
    char name[16], code[DEVICE_CODE_SIZE] = "", *kid = malloc(5001);
    int status = 201, n;

    gadget_make(&eager, &bob, "eager", "X25519");
    memset(kid, 'k', 5000);
    kid[5000] = '\0';
    CU_ASSERT_EQUAL(jwk_set_kid(eager.sign, kid), 0);
    gadget_ask(&eager, "eager");
    CU_ASSERT(eager.request.len > 5000);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&eager.request)), 400);
    jwk_set_kid(eager.sign, NULL);
    for (n = 0; n < 20 && status == 201; n++) {
        memcpy(code, eager.is.code, sizeof code);
        snprintf(name, sizeof name, "eager%d", n);
        gadget_ask(&eager, name);
        status = join("bob@example.com", buf_str(&eager.request));
    }
    CU_ASSERT_EQUAL(status, 503);
    CU_ASSERT_EQUAL(n, 9);
    CU_ASSERT_EQUAL(pending(&bob), 1);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", code), 201); /* the last that was taken */
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    gadget_make(&thief, &bob, "thief", "X25519");
    key = thief.key;
    thief.key = phone.key;
    gadget_ask(&thief, "phone");
    thief.key = key;
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&thief.request)), 400);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", phone.is.code), 201); /* not replaced */
    gadget_clear(&eager);
    gadget_clear(&thief);
    free(kid);
}

static void test_asking(void)
{
    struct gadget other, foreign;
    struct answer a;

    CU_ASSERT_EQUAL(join("bob@example.com", "x"), 400);
    CU_ASSERT_EQUAL(world_status(&w, NULL, "Join", J("{'Account':'bob@example.com'}")), 400);
    CU_ASSERT_EQUAL(world_status(&w, NULL, "Join", J("{'Account':'bob@example.com','Request':'x','Recovery':'x'}")),
                    400);
    CU_ASSERT_EQUAL(join("nobody@example.com", buf_str(&phone.request)), 404);
    CU_ASSERT_EQUAL(join("list@example.com", buf_str(&phone.request)), 404);
    CU_ASSERT_EQUAL(join("carol@example.com", buf_str(&phone.request)), 400); /* is for bob */
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201); /* the same again */
    CU_ASSERT_EQUAL(pending(&bob), 1);
    CU_ASSERT_EQUAL(pending(&carol), 0);
    /* the same key asks anew: one request still */
    gadget_ask(&phone, "phone");
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    CU_ASSERT_EQUAL(pending(&bob), 1);
    /* a second one for that name, and a third, and no more */
    gadget_make(&other, &bob, "phone", "X25519");
    gadget_make(&foreign, &bob, "foreign", "X25519");
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&other.request)), 201);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&foreign.request)), 201);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&tablet.request)), 503);
    CU_ASSERT_EQUAL(pending(&bob), 3);
    /* refused by the person, and by her alone */
    CU_ASSERT_EQUAL(leave(&carol, "bob@example.com", foreign.is.code), 401);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", "aaaaa-aaaaa-aaaaa-aaaaa"), 404);
    CU_ASSERT_EQUAL(leave(&bob, "nobody@example.com", foreign.is.code), 404);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", foreign.is.code), 201);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", foreign.is.code), 404);
    CU_ASSERT_EQUAL(pending(&bob), 2);
    CU_ASSERT_EQUAL(world_call(&w, foreign.sign, "Select", J("{'Kind':'pending'}"), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 401);
    answer_clear(&a);
    CU_ASSERT_EQUAL(world_status(&w, bob.sign, "Select", J("{'Kind':'devices'}")), 400);
    gadget_clear(&other);
    gadget_clear(&foreign);
}

/* Once the phone is in. */
static void turned_away(void)
{
    const struct who *key = &bob;
    struct gadget g;

    /* another one of that name: told to its owner, and to nobody else */
    gadget_make(&g, &bob, "phone", "X25519");
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&g.request)), 201);
    CU_ASSERT_EQUAL(pending(&bob), 1);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", g.is.code), 201);
    gadget_clear(&g);
    /* a device with the person's own signature key */
    gadget_make(&g, &bob, "self", "X25519");
    jwk_free(&g.sign);
    g.sign = bob.sign;
    gadget_ask(&g, "self");
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&g.request)), 201);
    CU_ASSERT_EQUAL(put_device(&g), 0);
    CU_ASSERT_EQUAL(let_in(&g, &key, 1, 2), 400);
    CU_ASSERT_EQUAL(drop_device(&g), 0);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", g.is.code), 201);
    g.sign = NULL;
    gadget_clear(&g);
}

static void test_letting_in(void)
{
    const struct who *key = &bob, *wrong = &carol;
    struct gadget uninvited;
    struct who impostor;

    gadget_make(&uninvited, &bob, "uninvited", "X25519");
    begin_roster(&devices, &bob);
    /* in the roster: who did not ask; who asked with other keys; a foreigner */
    CU_ASSERT_EQUAL(put_device(&uninvited), 0);
    CU_ASSERT_EQUAL(let_in(&uninvited, &key, 1, 1), 400);
    CU_ASSERT_EQUAL(drop_device(&uninvited), 0);
    CU_ASSERT_EQUAL(put_device(&phone), 0);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 0, 1), 400);   /* no entry */
    CU_ASSERT_EQUAL(let_in(&phone, &wrong, 1, 1), 400); /* of another's key */
    jwk_free(&phone.is.signer);
    CU_ASSERT_EQUAL(jwk_public_copy(uninvited.sign, &phone.is.signer, NULL), 0);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 1), 400); /* its key, another's signature key */
    jwk_free(&phone.is.signer);
    CU_ASSERT_EQUAL(jwk_public_copy(phone.sign, &phone.is.signer, NULL), 0);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 404);
    CU_ASSERT_EQUAL(let_in_by(&carol, &phone, &key, 1, 1), 401);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 1), 201);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 1), 409);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 2), 409);
    CU_ASSERT_EQUAL(pending(&bob), 0); /* the other one of that name is gone as well */
    CU_ASSERT_EQUAL(reads_own(&phone, &bob), 1);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201); /* an answer was lost */
    CU_ASSERT_EQUAL(pending(&bob), 0);
    gadget_clear(&uninvited);
    turned_away();
    /* one with another suite than the person's */
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&tablet.request)), 201);
    CU_ASSERT_EQUAL(put_device(&tablet), 0);
    CU_ASSERT_EQUAL(let_in(&tablet, &key, 1, 2), 201);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    CU_ASSERT_EQUAL(shown("bob+phone@example.com", "active") + shown("bob+tablet@example.com", "active"), 2);
    CU_ASSERT_EQUAL(gets("bob@example.com", "Policy"), 0);
    CU_ASSERT_EQUAL(world_status(&w, phone.sign, "Get", J("{'Group':'bob@example.com'}")), 401);
    /* a person with devices needs entries with a new key */
    who_make(&impostor, "bob@example.com", "X25519");
    jwk_free(&impostor.sign);
    impostor.sign = bob.sign;
    who_sign(&impostor, NULL, 2);
    CU_ASSERT_EQUAL(set_person(&impostor), 409);
    impostor.sign = NULL;
    who_clear(&impostor);
    CU_ASSERT_EQUAL(world_status(&w, bob.sign, "Set", J("{'Policy':{'Group':'bob@example.com','Policy':{}}}")), 404);
}

/* What is said about who asks for what is one answer. */
static void test_refusals(void)
{
    struct gadget stranger;
    struct answer one, two, three;
    struct sealed m;

    gadget_make(&stranger, &bob, "stranger", "X25519");
    CU_ASSERT_EQUAL_FATAL(seal(&bob, "x", &m), 0);
    ask(stranger.sign, stranger.is.key_udf, bob.profile.keyid, &m, &one);
    ask(phone.sign, tablet.is.key_udf, bob.profile.keyid, &m, &two); /* another device's key */
    ask(carol.sign, phone.is.key_udf, bob.profile.keyid, &m, &three);
    CU_ASSERT(one.status == 404 && !strcmp(one.text, "no grant"));
    CU_ASSERT(json_object_equal(one.all, two.all) && json_object_equal(one.all, three.all));
    answer_clear(&two);
    answer_clear(&three);
    sealed_clear(&m);
    /* a list that the person is not on, a key that is nobody's, another person's mail */
    CU_ASSERT_EQUAL_FATAL(seal(&carol, "x", &m), 0);
    ask(phone.sign, phone.is.key_udf, carol.profile.keyid, &m, &two);
    ask(phone.sign, phone.is.key_udf, "other@example.org.mm--aaaaa-bbbbb-ccccc-ddddd-eeeee-fffff", &m, &three);
    CU_ASSERT(json_object_equal(one.all, two.all) && json_object_equal(one.all, three.all));
    answer_clear(&one);
    answer_clear(&two);
    answer_clear(&three);
    sealed_clear(&m);
    gadget_clear(&stranger);
}

static void test_chain(void)
{
    static const char *const suites[][2] = {{"X25519", "X448"}, {"X448", "X25519"}, {"P-256", "X448"}};
    struct who other, person;
    struct gadget one;

    CU_ASSERT_EQUAL(reads_chain(&phone, &bob, &list), 1);
    CU_ASSERT_EQUAL(reads_chain(&tablet, &bob, &list), 1);
    /* a list of one suite, a device group of another, and the other way round */
    for (int i = 0; i < 3; i++) {
        const struct who *key = &person;
        struct roster kept = devices;
        char address[64];

        snprintf(address, sizeof address, "list%d@example.com", i);
        who_make_list(&other, address, &alice, suites[i][0], 1);
        snprintf(address, sizeof address, "person%d@example.com", i);
        who_make(&person, address, suites[i][1]);
        CU_ASSERT_EQUAL(set_person(&person), 201);
        CU_ASSERT_EQUAL(make_list(&other), 201);
        gadget_make(&one, &person, "phone", "X25519");
        CU_ASSERT_EQUAL(join(person.address, buf_str(&one.request)), 201);
        begin_roster(&devices, &person);
        CU_ASSERT_EQUAL(put_device(&one), 0);
        CU_ASSERT_EQUAL(let_in_by(&person, &one, &key, 1, 1), 201);
        CU_ASSERT_EQUAL(reads_own(&one, &person), 1);
        CU_ASSERT_EQUAL(grant_status(&one, &other), 404); /* not a member yet */
        CU_ASSERT_EQUAL(list_add(&other, &person), 201);
        CU_ASSERT_EQUAL(reads_chain(&one, &person, &other), 1);
        CU_ASSERT_EQUAL(list_remove(&other, &person), 201);
        CU_ASSERT_EQUAL(grant_status(&one, &other), 404);
        gadget_clear(&one);
        who_clear(&person);
        who_clear(&other);
        roster_clear(&devices);
        devices = kept;
    }
}

static void test_removing(void)
{
    const struct who *key = &bob;

    CU_ASSERT_EQUAL(take_out(&phone, 5, 1), 400); /* still in the roster */
    CU_ASSERT_EQUAL(drop_device(&phone), 0);
    CU_ASSERT_EQUAL(take_out(&phone, 4, 1), 409); /* serial */
    CU_ASSERT_EQUAL(take_out(&phone, 5, 1), 201);
    CU_ASSERT_EQUAL(take_out(&phone, 6, 1), 404);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 404);
    CU_ASSERT_EQUAL(grant_status(&phone, &list), 404);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    CU_ASSERT_EQUAL(reads_chain(&tablet, &bob, &list), 1);
    CU_ASSERT_EQUAL(shown("bob+phone@example.com", "active"), 0);
    /* it comes in by asking again only */
    CU_ASSERT_EQUAL(put_device(&phone), 0);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 6), 400);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    CU_ASSERT_EQUAL(let_in(&phone, &key, 1, 6), 201);
    CU_ASSERT_EQUAL(reads_own(&phone, &bob), 1);
}

static void test_too_many(void)
{
    const struct who *key = &bob;
    struct gadget more[2];
    char name[16];

    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "more%d", i);
        gadget_make(&more[i], &bob, name, "X25519");
        CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&more[i].request)), 201);
        CU_ASSERT_EQUAL(put_device(&more[i]), 0);
        CU_ASSERT_EQUAL(let_in(&more[i], &key, 1, 7 + i), i ? 409 : 201);
    }
    CU_ASSERT_EQUAL(drop_device(&more[1]), 0);
    CU_ASSERT_EQUAL(leave(&bob, "bob@example.com", more[1].is.code), 201);
    CU_ASSERT_EQUAL(drop_device(&more[0]), 0);
    CU_ASSERT_EQUAL(take_out(&more[0], 9, 1), 201);
    gadget_clear(&more[0]);
    gadget_clear(&more[1]);
}

static void test_rekey(void)
{
    const struct gadget *both[] = {&phone, &tablet}, *one[] = {&tablet};
    static struct who old;
    struct who next;

    who_make(&next, "bob@example.com", "X25519");
    jwk_free(&next.sign);
    next.sign = bob.sign;
    who_sign(&next, NULL, 2);
    CU_ASSERT_EQUAL(rekey(&next, 2, 10, both, 1), 400); /* an entry is missing */
    CU_ASSERT_EQUAL(rekey(&next, 2, 9, both, 2), 409);  /* serial */
    CU_ASSERT_EQUAL(rekey(&list, 2, 10, both, 2), 400); /* a list's profile */
    CU_ASSERT_EQUAL(rekey(&next, 2, 10, both, 2), 202);
    old = bob;
    bob = next;
    CU_ASSERT_EQUAL(reads_own(&phone, &old), 1);
    CU_ASSERT_EQUAL(reads_own(&phone, &bob), 1);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    /* the list's statement is still to the old key */
    CU_ASSERT_EQUAL(reads_chain(&phone, &old, &list), 1);
    /* a device that is not in the roster is removed with it */
    who_make(&next, "bob@example.com", "X25519");
    jwk_free(&next.sign);
    next.sign = bob.sign;
    who_sign(&next, NULL, 3);
    CU_ASSERT_EQUAL(drop_device(&phone), 0);
    CU_ASSERT_EQUAL(rekey(&next, 3, 11, one, 1), 202);
    CU_ASSERT_EQUAL(grant_status(&phone, &old), 404);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 404);
    CU_ASSERT_EQUAL(grant_status(&phone, &next), 404);
    CU_ASSERT_EQUAL(reads_own(&tablet, &old), 1);
    CU_ASSERT_EQUAL(reads_own(&tablet, &next), 1);
    keep_old_key(&old);
    keep_old_key(&bob);
    bob = next;
}

/* One record of the devices' table; value NULL takes it out. */
static void set_raw(const char *key, size_t len, const char *value)
{
    char store[256];
    struct keystore *ks;

    world_path(&w, "state/keystore", store);
    world_as_service(1);
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", store, 0, 0, &ks, NULL), 0);
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(value ? keystore_put(ks, KEYSTORE_DEVICES, key, len, value, strlen(value), NULL)
                          : keystore_delete(ks, KEYSTORE_DEVICES, key, len, NULL),
                    0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    keystore_close(&ks);
    world_as_service(0);
}

static void check_fault(const char *key, size_t len, const char *value, const char *text)
{
    struct buf out = BUF_INIT;

    set_raw(key, len, value);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 65);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), text));
    set_raw(key, len, NULL);
    buf_free(&out);
}

static void test_check(void)
{
    static const char admitted[] = "bob@example.com\0device\0bob+tablet@example.com";
    char record[4096];
    struct buf out = BUF_INIT;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 0);
    printf("# %s", buf_str(&out));
    check_fault("x", 1, "{\"v\":1}", "device record");
    check_fault("bob@example.com\0device\0x", 24, "{\"v\":1,\"text\":\"x\",\"at\":1}",
                "device record x of bob@example.com");
    snprintf(record, sizeof record, "{\"v\":1,\"text\":\"%s\",\"at\":1}", buf_str(&tablet.request));
    check_fault("bob@example.com\0device\0x", 24, record, "not the one that its name says");
    check_fault("eve@example.com\0device\0x", 24, record, "device record x of eve@example.com");
    set_raw(admitted, sizeof admitted - 1, NULL);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 65);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "request of device bob+tablet@example.com"));
    set_raw(admitted, sizeof admitted - 1, record);
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 404);
    buf_free(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"people and a list", test_start},
        {"what strangers may have written here", test_strangers},
        {"asking to be let in, with every fault refused", test_asking},
        {"letting in, with every fault refused", test_letting_in},
        {"every refusal of a grant is the same", test_refusals},
        {"lists by way of the device group, of every suite", test_chain},
        {"lists of other services, by what the person leaves here", test_share},
        {"a list's statement for a device of a member elsewhere", test_statement},
        {"and a grant, sealed to that member", test_sealed},
        {"Grants: a mailbox's messages, for a device", test_grants},
        {"Grants: they count", test_grants_quota},
        {"Grants: who is removed gets none at once", test_grants_end},
        {"Grants: many, and malformed ones", test_grants_many},
        {"Grants: an answer that is too long", test_grants_long},
        {"DeviceGrants: a delivery's, for each device", test_device_grants},
        {"a device that is removed reads nothing more", test_removing},
        {"no more devices than devices_max", test_too_many},
        {"a new key: old mail and new, and removal with it", test_rekey},
        {"a list's statement: each device's own count", test_statement_quota},
        {"a new key of a person whose devices are gone", test_no_devices_left},
        {"parking and unparking, with every fault refused", test_parking},
        {"a restored store revives neither a removed device nor a parked one", test_restore},
        {"the store is whole, and a restart keeps everything", test_check},
    };
    int status;

    if (world_make(&w))
        return 1;
    who_make(&alice, "alice@example.com", "X25519");
    who_make(&bob, "bob@example.com", "X25519");
    who_make(&carol, "carol@example.com", "X25519");
    who_make_list(&list, "list@example.com", &alice, "X25519", 1);
    status = unit_main("recryptd-device", tests, sizeof tests / sizeof *tests);
    gadget_clear(&phone);
    gadget_clear(&tablet);
    roster_clear(&devices);
    who_clear(&alice);
    who_clear(&bob);
    who_clear(&carol);
    who_clear(&list);
    old_keys_clear();
    far_clear();
    if (status && getenv("KEEP"))
        printf("# kept: %s\n", w.dir);
    else
        world_remove(&w);
    return status;
}
