/* Profiles and rosters; entries and shares are test-entry.c's. */
#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "statements.h"
#include "unit.h"

static struct profile person(const char *account, struct jwk *k)
{
    struct profile p = {.kind = PROFILE_PERSON, .key = k, .epoch = 1, .issued = 1700000000};

    strcpy(p.account, account);
    strcpy(p.owner, account);
    return p;
}

static void test_profile(void)
{
    static const char *const types[] = {"X25519", "X448", "P-256", "ffdhe2048"};
    static const char *const signers[] = {"Ed25519", "ES256"};

    for (int i = 0; i < 4; i++) {
        struct jwk *k = fresh_key(types[i]), *signer = fresh_key(signers[i % 2]);
        struct profile p = person("bob@example.com", k), got;
        char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];
        struct buf text = BUF_INIT;
        struct err e = {0, ""};

        if (i == 1) {
            p.kind = PROFILE_LIST;
            strcpy(p.owner, "alice@example.com");
        }
        CU_ASSERT_EQUAL_FATAL(profile_sign(&p, signer, &text, &e), 0);
        CU_ASSERT_EQUAL_FATAL(profile_read(text.data, text.len, &got, &e), 0);
        CU_ASSERT_EQUAL(got.kind, p.kind);
        CU_ASSERT_STRING_EQUAL(got.account, p.account);
        CU_ASSERT_STRING_EQUAL(got.owner, p.owner);
        CU_ASSERT_EQUAL(got.epoch, 1);
        CU_ASSERT_EQUAL(got.issued, 1700000000);
        CU_ASSERT(jwk_equal(got.key, k));
        CU_ASSERT(jwk_equal(got.signer, signer));
        CU_ASSERT(!jwk_is_private(got.key) && !jwk_is_private(got.signer));
        CU_ASSERT_EQUAL(jwk_udf(k, udf), 0);
        CU_ASSERT_EQUAL(keyid_make("bob@example.com", udf, keyid, NULL), 0);
        CU_ASSERT_STRING_EQUAL(got.keyid, keyid);
        CU_ASSERT_STRING_EQUAL(jwk_kid(got.key), keyid);
        profile_clear(&got);
        CU_ASSERT_PTR_NULL(got.key);
        buf_free(&text);
        jwk_free(&k);
        jwk_free(&signer);
    }
}

static void test_profile_not_signed(void)
{
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519");
    struct profile p = person("bob@example.com", k);
    struct buf text = BUF_INIT;

    strcpy(p.owner, "mallory@example.com");
    CU_ASSERT_EQUAL(profile_sign(&p, signer, &text, NULL), ERR_SYNTAX);
    p = person("bob@example.com", k);
    p.epoch = 0;
    CU_ASSERT_EQUAL(profile_sign(&p, signer, &text, NULL), ERR_SYNTAX);
    p.epoch = 1;
    CU_ASSERT_EQUAL(profile_sign(&p, k, &text, NULL), ERR_KEY);
    p.key = signer;
    CU_ASSERT_EQUAL(profile_sign(&p, signer, &text, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(text.len, 0);
    buf_free(&text);
    jwk_free(&k);
    jwk_free(&signer);
}

/* The JSON of a good profile of bob; keys may be given a private half. */
static struct json_object *profile_json(const struct jwk *k, const struct jwk *signer, int with_private)
{
    struct json_object *obj = json_object_new_object(), *key_json, *signer_json;
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];

    CU_ASSERT_EQUAL_FATAL(jwk_udf(k, udf), 0);
    CU_ASSERT_EQUAL_FATAL(keyid_make("bob@example.com", udf, keyid, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, with_private, &key_json, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(signer, 0, &signer_json, NULL), 0);
    sjson_set_string(obj, "profile", "person");
    sjson_set_string(obj, "account", "bob@example.com");
    sjson_set_string(obj, "owner", "bob@example.com");
    sjson_set_string(obj, "kid", keyid);
    sjson_set_object(obj, "key", key_json);
    sjson_set_object(obj, "signer", signer_json);
    sjson_set_int(obj, "epoch", 1);
    sjson_set_int(obj, "iat", 1700000000);
    return obj;
}

static int read_profile(const void *text, size_t len)
{
    struct profile p;
    int r = profile_read(text, len, &p, NULL);

    CU_ASSERT(r == 0 || !p.key);
    profile_clear(&p);
    return r;
}

static const struct self_signed profiles = {"recrypt-profile", "recrypt-roster", profile_json, read_profile};

static void test_profile_refused(void)
{
    static const struct change changes[] = {
        {"profile", "\"person\"", 0},
        {"profile", "\"device\"", ERR_UNSUPPORTED},
        {"profile", "1", ERR_SYNTAX},
        {"account", "\"Bob@example.com\"", ERR_SYNTAX},
        {"account", "\"<bob@example.com>\"", ERR_SYNTAX},
        {"account", "\"bob\"", ERR_SYNTAX},
        {"account", "\"carol@example.com\"", ERR_SYNTAX},
        {"owner", "\"mallory@example.com\"", ERR_SYNTAX},
        {"kid", "\"bob@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa\"", ERR_KEY},
        {"kid", "\"bob@example.com\"", ERR_SYNTAX},
        {"kid", NULL, ERR_SYNTAX},
        {"epoch", "0", ERR_SYNTAX},
        {"epoch", "\"1\"", ERR_SYNTAX},
        {"iat", "-1", ERR_SYNTAX},
        {"key", "{}", ERR_SYNTAX},
        {"signer", NULL, ERR_SYNTAX},
        {"extra", "1", ERR_SYNTAX},
    };
    self_signed_refused(&profiles, changes, sizeof changes / sizeof *changes);
}

static void test_profile_flipped(void)
{
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519");
    struct profile p = person("bob@example.com", k);
    struct buf text = BUF_INIT;

    CU_ASSERT_EQUAL_FATAL(profile_sign(&p, signer, &text, NULL), 0);
    all_octets_count(&text, read_profile);
    buf_free(&text);
    jwk_free(&k);
    jwk_free(&signer);
}

#define UDF_A "MAAAA-BBBBB-CCCCC-DDDDD-EEEEE-22222"
#define LIST_KEYID "list@example.com.mm--maaaa-bbbbb-ccccc-ddddd-eeeee-22222"

static void empty_roster(struct roster *r)
{
    memset(r, 0, sizeof *r);
    strcpy(r->group, "list@example.com");
    strcpy(r->keyid, LIST_KEYID);
    r->serial = 3;
    r->epoch = 2;
    r->issued = 1700000000;
}

static void test_roster(void)
{
    static const char *const accounts[] = {"m@example.com", "a@example.com", "z@example.net", "b@example.com"};
    struct jwk *signer = fresh_key("Ed25519");
    struct buf text = BUF_INIT;
    struct roster r, got;

    empty_roster(&r);
    CU_ASSERT_EQUAL_FATAL(roster_sign(&r, signer, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(roster_read(text.data, text.len, signer, &got, NULL), 0);
    CU_ASSERT_EQUAL(got.count, 0);
    CU_ASSERT_PTR_NULL(roster_find(&got, "a@example.com"));
    roster_clear(&got);
    buf_reset(&text);
    for (int i = 0; i < 4; i++) {
        r.serial++;
        CU_ASSERT_EQUAL(roster_add(&r, accounts[i], UDF_A, NULL), 0);
        CU_ASSERT_EQUAL(roster_add(&r, accounts[i], UDF_A, NULL), ERR_EXISTS);
    }
    CU_ASSERT_EQUAL(roster_remove(&r, "nobody@example.com", NULL), ERR_ABSENT);
    CU_ASSERT_EQUAL(roster_remove(&r, "m@example.com", NULL), 0);
    CU_ASSERT_EQUAL(roster_remove(&r, "m@example.com", NULL), ERR_ABSENT);
    CU_ASSERT_EQUAL_FATAL(roster_sign(&r, signer, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(roster_read(text.data, text.len, signer, &got, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(got.count, 3);
    CU_ASSERT_STRING_EQUAL(got.group, "list@example.com");
    CU_ASSERT_STRING_EQUAL(got.keyid, LIST_KEYID);
    CU_ASSERT_EQUAL(got.serial, 7);
    CU_ASSERT_EQUAL(got.epoch, 2);
    CU_ASSERT_STRING_EQUAL(got.members[0].account, "a@example.com");
    CU_ASSERT_STRING_EQUAL(got.members[1].account, "b@example.com");
    CU_ASSERT_STRING_EQUAL(got.members[2].account, "z@example.net");
    CU_ASSERT_EQUAL(got.members[0].since, 5);
    CU_ASSERT_EQUAL(roster_touch(&got, "m@example.com", NULL), ERR_ABSENT);
    CU_ASSERT_EQUAL(roster_touch(&got, "a@example.com", NULL), 0);
    CU_ASSERT(got.members[0].since == 7 && got.members[2].since == 6);
    CU_ASSERT_STRING_EQUAL(got.members[2].key_udf, UDF_A);
    CU_ASSERT_PTR_EQUAL(roster_find(&got, "b@example.com"), &got.members[1]);
    CU_ASSERT_PTR_NULL(roster_find(&got, "m@example.com"));
    roster_clear(&got);
    roster_clear(&r);
    buf_free(&text);
    jwk_free(&signer);
}

/* What is not in order is not signed, and not read when somebody else signed it. */
static void test_roster_refused(void)
{
#define MEMBER(account, since) "{\"account\":\"" account "\",\"key\":\"" UDF_A "\",\"since\":" since "}"
    static const struct change changes[] = {
        {"members", "[" MEMBER("a@example.com", "1") "," MEMBER("b@example.com", "3") "]", 0},
        {"members", "[" MEMBER("b@example.com", "1") "," MEMBER("a@example.com", "3") "]", ERR_SYNTAX},
        {"members", "[" MEMBER("a@example.com", "1") "," MEMBER("a@example.com", "1") "]", ERR_SYNTAX},
        {"members", "[" MEMBER("a@example.com", "0") "]", ERR_SYNTAX},
        {"members", "[" MEMBER("a@example.com", "4") "]", ERR_SYNTAX},
        {"members", "[" MEMBER("A@example.com", "1") "]", ERR_SYNTAX},
        {"members", "[{\"account\":\"a@example.com\",\"since\":1}]", ERR_SYNTAX},
        {"members", "[{\"account\":\"a@example.com\",\"key\":\"MAAAA\",\"since\":1}]", ERR_SYNTAX},
        {"members", "[{\"account\":\"a@example.com\",\"key\":\"maaaa-bbbbb-ccccc-ddddd-eeeee-22222\",\"since\":1}]",
         ERR_SYNTAX},
        {"members", "[{\"account\":\"a@example.com\",\"key\":\"" UDF_A "-AAAAA\",\"since\":1}]", ERR_SYNTAX},
        {"members", "[1]", ERR_SYNTAX},
        {"members", "{}", ERR_SYNTAX},
        {"serial", "0", ERR_SYNTAX},
        {"serial", "-1", ERR_SYNTAX},
        {"serial", "1.5", ERR_SYNTAX},
        {"epoch", "0", ERR_SYNTAX},
        {"roster", "\"other@example.com\"", ERR_SYNTAX},
        {"kid", "\"other@example.com.mm--maaaa-bbbbb-ccccc-ddddd-eeeee-22222\"", ERR_SYNTAX},
        {"kid", "\"list@example.com.mm--MAAAA-bbbbb-ccccc-ddddd-eeeee-22222\"", ERR_SYNTAX},
        {"owner", "\"x\"", ERR_SYNTAX},
    };
    static const char good[] = "{\"roster\":\"list@example.com\",\"kid\":\"" LIST_KEYID
                               "\",\"serial\":3,\"epoch\":1,\"iat\":1,\"members\":[]}";
    struct jwk *signer = fresh_key("Ed25519"), *other = fresh_key("Ed25519");
    struct buf text = BUF_INIT;
    struct roster got;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct json_object *obj;
        int r;

        CU_ASSERT_EQUAL_FATAL(sjson_parse(good, strlen(good), NULL, &obj, NULL), 0);
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(
            jws_sign_json(signer, "recrypt-roster", changed(obj, changes[i].name, changes[i].text), &text, NULL), 0);
        r = roster_read(text.data, text.len, signer, &got, NULL);
        changed_as(&changes[i], r);
        CU_ASSERT(r == 0 || !got.members);
        roster_clear(&got);
        CU_ASSERT_EQUAL(roster_read(text.data, text.len, other, &got, NULL), ERR_CRYPTO);
        CU_ASSERT_PTR_NULL(got.members);
        json_object_put(obj);
    }
    buf_free(&text);
    jwk_free(&signer);
    jwk_free(&other);
}

static void test_roster_not_signed(void)
{
    struct roster_member members[2];
    struct jwk *signer = fresh_key("Ed25519"), *enc = fresh_key("X25519");
    struct buf text = BUF_INIT;
    struct roster r;

    memset(members, 0, sizeof members);
    strcpy(members[0].account, "b@example.com");
    strcpy(members[1].account, "a@example.com");
    empty_roster(&r);
    r.members = members;
    r.count = 2;
    CU_ASSERT_EQUAL(roster_sign(&r, signer, &text, NULL), ERR_SYNTAX);
    strcpy(members[1].account, "b@example.com");
    CU_ASSERT_EQUAL(roster_sign(&r, signer, &text, NULL), ERR_SYNTAX);
    r.count = 1;
    CU_ASSERT_EQUAL(roster_sign(&r, enc, &text, NULL), ERR_KEY);
    r.serial = 0;
    CU_ASSERT_EQUAL(roster_sign(&r, signer, &text, NULL), ERR_USAGE);
    CU_ASSERT_EQUAL(text.len, 0);
    buf_free(&text);
    jwk_free(&signer);
    jwk_free(&enc);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"profiles are read as they were signed", test_profile},
        {"profiles that are not signed", test_profile_not_signed},
        {"profiles that are refused", test_profile_refused},
        {"profiles with a flipped bit or cut off", test_profile_flipped},
        {"rosters", test_roster},
        {"rosters that are refused", test_roster_refused},
        {"rosters that are not signed", test_roster_not_signed},
    };
    return unit_main("statement", tests, sizeof tests / sizeof *tests);
}
