/* Requests of devices and recoveries of parked ones. */
#include <stdio.h>
#include <string.h>

#include "common/device.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "statements.h"
#include "unit.h"

#define OWNER "MAAAA-BBBBB-CCCCC-DDDDD-EEEEE-22222"

static struct device phone(struct jwk *k)
{
    struct device d = {.name = "phone", .owner = OWNER, .key = k, .issued = 1700000000};

    strcpy(d.account, "bob@example.com");
    return d;
}

static void test_member(void)
{
    static const struct {
        const char *account, *name;
        int code;
    } cases[] = {
        {"bob@example.com", "phone", 0},
        {"bob@example.com", "a", 0},
        {"bob@example.com", "old-phone-2", 0},
        {"bob@example.com", "abcdefghijklmnopqrstuvwxyz012345", 0},
        {"bob@example.com", "abcdefghijklmnopqrstuvwxyz0123456", ERR_SYNTAX},
        {"bob@example.com", "", ERR_SYNTAX},
        {"bob@example.com", "Phone", ERR_SYNTAX},
        {"bob@example.com", "my phone", ERR_SYNTAX},
        {"bob@example.com", "a.b", ERR_SYNTAX},
        {"bob@example.com", "a+b", ERR_SYNTAX},
        {"bob@example.com", "-phone", ERR_SYNTAX},
        {"bob@example.com", "phone-", ERR_SYNTAX},
        {"bob@example.com", "t\303\251l", ERR_SYNTAX},
        {"bob+x@example.com", "phone", ERR_SYNTAX},
        {"bob", "phone", ERR_SYNTAX},
    };
    char member[ADDRESS_SIZE], account[ADDRESS_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = device_member(cases[i].account, cases[i].name, member, NULL);

        CU_ASSERT_EQUAL(r, cases[i].code);
        CU_ASSERT(r == 0 || !*member);
        if (r != cases[i].code)
            printf("# %s %s: %d\n", cases[i].account, cases[i].name, r);
    }
    CU_ASSERT_EQUAL(device_member("Bob@Example.COM", "phone", member, NULL), 0);
    CU_ASSERT_STRING_EQUAL(member, "bob+phone@example.com");
    /* An address that has no room for the name. */
    memset(account, 'a', sizeof account);
    memcpy(account + sizeof account - 5, "@b.c", 5);
    CU_ASSERT_EQUAL(device_member(account, "x", member, NULL), ERR_LIMIT);
}

static void test_request(void)
{
    static const char *const types[] = {"X25519", "X448", "P-256", "ffdhe2048"};
    static const char *const signers[] = {"Ed25519", "ES256"};

    for (int i = 0; i < 4; i++) {
        struct jwk *k = fresh_key(types[i]), *signer = fresh_key(signers[i % 2]);
        struct device d = phone(k), got;
        struct profile p;
        struct buf text = BUF_INIT;
        struct err e = {0, ""};
        char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];

        CU_ASSERT_EQUAL_FATAL(device_sign(&d, signer, &text, &e), 0);
        CU_ASSERT_EQUAL_FATAL(device_read(text.data, text.len, &got, &e), 0);
        CU_ASSERT_STRING_EQUAL(got.account, "bob@example.com");
        CU_ASSERT_STRING_EQUAL(got.name, "phone");
        CU_ASSERT_STRING_EQUAL(got.member, "bob+phone@example.com");
        CU_ASSERT_STRING_EQUAL(got.owner, OWNER);
        CU_ASSERT_EQUAL(got.issued, 1700000000);
        CU_ASSERT(jwk_equal(got.key, k) && jwk_equal(got.signer, signer));
        CU_ASSERT(!jwk_is_private(got.key) && !jwk_is_private(got.signer));
        CU_ASSERT_EQUAL(jwk_udf(k, udf), 0);
        CU_ASSERT_STRING_EQUAL(got.key_udf, udf);
        CU_ASSERT_EQUAL(keyid_make("bob+phone@example.com", udf, keyid, NULL), 0);
        CU_ASSERT_STRING_EQUAL(jwk_kid(got.key), keyid);
        p = device_profile(&got);
        CU_ASSERT_STRING_EQUAL(p.account, "bob+phone@example.com");
        CU_ASSERT_STRING_EQUAL(p.keyid, keyid);
        CU_ASSERT(p.key == got.key && p.signer == got.signer);
        device_clear(&got);
        CU_ASSERT_PTR_NULL(got.key);
        buf_free(&text);
        jwk_free(&k);
        jwk_free(&signer);
    }
}

static void code_of(const struct device *d, const struct jwk *signer, char out[DEVICE_CODE_SIZE])
{
    struct buf text = BUF_INIT;
    struct device got;

    CU_ASSERT_EQUAL_FATAL(device_sign(d, signer, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(device_read(text.data, text.len, &got, NULL), 0);
    memcpy(out, got.code, DEVICE_CODE_SIZE);
    device_clear(&got);
    buf_free(&text);
}

/* The code is the same for the same request, and another when anything in it is another. */
static void test_code(void)
{
    struct jwk *k = fresh_key("X25519"), *other = fresh_key("X25519"), *signer = fresh_key("Ed25519"),
               *other_signer = fresh_key("Ed25519");
    char code[DEVICE_CODE_SIZE], again[DEVICE_CODE_SIZE];
    struct device d = phone(k), changed;

    code_of(&d, signer, code);
    CU_ASSERT_EQUAL(strlen(code), 23);
    CU_ASSERT(code[5] == '-' && code[11] == '-' && code[17] == '-');
    CU_ASSERT_EQUAL(strspn(code, "abcdefghijklmnopqrstuvwxyz234567-"), 23);
    code_of(&d, signer, again);
    CU_ASSERT_STRING_EQUAL(code, again);
    code_of(&d, other_signer, again);
    CU_ASSERT_STRING_NOT_EQUAL(code, again);
    for (int i = 0; i < 4; i++) {
        changed = d;
        if (i == 0)
            changed.key = other;
        else if (i == 1)
            strcpy(changed.name, "tablet");
        else if (i == 2)
            strcpy(changed.account, "rob@example.com");
        else
            changed.owner[0] = 'N';
        code_of(&changed, signer, again);
        CU_ASSERT_STRING_NOT_EQUAL(code, again);
    }
    jwk_free(&k);
    jwk_free(&other);
    jwk_free(&signer);
    jwk_free(&other_signer);
}

static struct json_object *request_json(const struct jwk *k, const struct jwk *signer, int with_private)
{
    struct json_object *obj = json_object_new_object(), *jkey, *jsigner;

    CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, with_private, &jkey, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(signer, 0, &jsigner, NULL), 0);
    sjson_set_int(obj, "v", 1);
    sjson_set_string(obj, "account", "bob@example.com");
    sjson_set_string(obj, "name", "phone");
    sjson_set_string(obj, "owner", OWNER);
    sjson_set_int(obj, "iat", 1);
    sjson_set_object(obj, "key", jkey);
    sjson_set_object(obj, "signer", jsigner);
    return obj;
}

static int read_request(const void *text, size_t len)
{
    struct device got;
    int r = device_read(text, len, &got, NULL);

    CU_ASSERT(r == 0 || !got.key);
    device_clear(&got);
    return r;
}

static const struct self_signed requests = {"recrypt-device", "recrypt-profile", request_json, read_request};

static void test_request_refused(void)
{
    static const struct change changes[] = {
        {"iat", "0", 0},
        {"v", "2", ERR_UNSUPPORTED},
        {"v", NULL, ERR_SYNTAX},
        {"account", "\"Bob@example.com\"", ERR_SYNTAX},
        {"account", "\"bob+x@example.com\"", ERR_SYNTAX},
        {"account", "1", ERR_SYNTAX},
        {"name", "\"Phone\"", ERR_SYNTAX},
        {"name", "\"\"", ERR_SYNTAX},
        {"name", NULL, ERR_SYNTAX},
        {"owner", "\"MAAAA\"", ERR_SYNTAX},
        {"owner", NULL, ERR_SYNTAX},
        {"iat", "-1", ERR_SYNTAX},
        {"key", "{}", ERR_SYNTAX},
        {"signer", NULL, ERR_SYNTAX},
        {"extra", "1", ERR_SYNTAX},
    };
    struct jwk *both = fresh_key("ES256");
    struct json_object *obj;

    self_signed_refused(&requests, changes, sizeof changes / sizeof *changes);
    /* One P-256 key for both, as a JWK without "use" could be. */
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(both, 1, &obj, NULL), 0);
    json_object_object_del(obj, "use");
    json_object_object_del(obj, "alg");
    jwk_free(&both);
    CU_ASSERT_EQUAL_FATAL(jwk_from_json(obj, &both, NULL), 0);
    json_object_put(obj);
    CU_ASSERT_EQUAL(signed_and_read(&requests, request_json(both, both, 0), both, requests.typ), ERR_KEY);
    jwk_free(&both);
}

static void test_request_not_signed(void)
{
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519");
    struct device d = phone(k);
    struct buf text = BUF_INIT;

    strcpy(d.name, "my phone");
    CU_ASSERT_EQUAL(device_sign(&d, signer, &text, NULL), ERR_SYNTAX);
    d = phone(k);
    CU_ASSERT_EQUAL(device_sign(&d, k, &text, NULL), ERR_KEY);
    d.key = signer;
    CU_ASSERT_EQUAL(device_sign(&d, signer, &text, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(text.len, 0);
    buf_free(&text);
    jwk_free(&k);
    jwk_free(&signer);
}

static void test_request_flipped(void)
{
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519");
    struct device d = phone(k);
    struct buf text = BUF_INIT;

    CU_ASSERT_EQUAL_FATAL(device_sign(&d, signer, &text, NULL), 0);
    all_octets_count(&text, read_request);
    buf_free(&text);
    jwk_free(&k);
    jwk_free(&signer);
}

static struct recovery parked(char **entries, size_t count)
{
    struct recovery r = {.entries = entries, .count = count, .issued = 1700000000};

    strcpy(r.account, "bob@example.com");
    strcpy(r.member, "bob+phone@example.com");
    memcpy(r.id, "0123456789abcdef", sizeof r.id);
    return r;
}

static void test_recovery(void)
{
    char one[] = "first", two[] = "second", *entries[] = {one, two};
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519"), *other = fresh_key("X25519");
    struct buf text = BUF_INIT, sealed = BUF_INIT, opened = BUF_INIT;
    struct recovery r = parked(entries, 2), got;
    struct err e = {0, ""};

    CU_ASSERT_EQUAL_FATAL(recovery_sign(&r, signer, &text, &e), 0);
    CU_ASSERT_EQUAL_FATAL(recovery_seal(k, text.data, text.len, &sealed, &e), 0);
    CU_ASSERT_EQUAL(recovery_open(sealed.data, sealed.len, other, &opened, &e), ERR_CRYPTO);
    CU_ASSERT_EQUAL(opened.len, 0);
    CU_ASSERT_EQUAL_FATAL(recovery_open(sealed.data, sealed.len, k, &opened, &e), 0);
    CU_ASSERT_EQUAL_FATAL(recovery_read(opened.data, opened.len, signer, &got, &e), 0);
    CU_ASSERT_STRING_EQUAL(got.account, r.account);
    CU_ASSERT_STRING_EQUAL(got.member, r.member);
    CU_ASSERT_EQUAL(memcmp(got.id, r.id, sizeof r.id), 0);
    CU_ASSERT_EQUAL(got.issued, r.issued);
    CU_ASSERT_EQUAL_FATAL(got.count, 2);
    CU_ASSERT_STRING_EQUAL(got.entries[0], "first");
    CU_ASSERT_STRING_EQUAL(got.entries[1], "second");
    recovery_clear(&got);
    CU_ASSERT_PTR_NULL(got.entries);
    /* Something else that is encrypted to the device. */
    buf_reset(&sealed);
    buf_reset(&opened);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(k, &(struct jwe_options){0}, text.data, text.len, &sealed, NULL), 0);
    CU_ASSERT_EQUAL(recovery_open(sealed.data, sealed.len, k, &opened, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(recovery_open("x", 1, k, &opened, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(opened.len, 0);
    buf_free(&text);
    buf_free(&sealed);
    buf_free(&opened);
    jwk_free(&k);
    jwk_free(&other);
    jwk_free(&signer);
}

static void test_recovery_refused(void)
{
    static const struct change changes[] = {
        {"iat", "0", 0},
        {"v", "2", ERR_UNSUPPORTED},
        {"account", "\"rob@example.com\"", ERR_SYNTAX},
        {"member", "\"bob@example.com\"", ERR_SYNTAX},
        {"member", "\"bob+@example.com\"", ERR_SYNTAX},
        {"member", "\"bob+a+b@example.com\"", ERR_SYNTAX},
        {"member", "\"bob+phone@example.net\"", ERR_SYNTAX},
        {"member", "\"bob+abcdefghijklmnopqrstuvwxyz0123456@example.com\"", ERR_SYNTAX},
        {"id", "\"AAAA\"", ERR_SYNTAX},
        {"id", NULL, ERR_SYNTAX},
        {"entries", "[]", ERR_LIMIT},
        {"entries", "[1]", ERR_SYNTAX},
        {"entries", "{}", ERR_SYNTAX},
        {"iat", "-1", ERR_SYNTAX},
        {"extra", "1", ERR_SYNTAX},
    };
    static const char good[] = "{\"v\":1,\"account\":\"bob@example.com\",\"member\":\"bob+phone@example.com\","
                               "\"id\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"entries\":[\"x\"],\"iat\":1}";
    struct jwk *signer = fresh_key("Ed25519"), *other = fresh_key("Ed25519");
    struct buf text = BUF_INIT;
    struct recovery got;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct json_object *obj;
        int r;

        CU_ASSERT_EQUAL_FATAL(sjson_parse(good, strlen(good), NULL, &obj, NULL), 0);
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(
            jws_sign_json(signer, "recrypt-recovery", changed(obj, changes[i].name, changes[i].text), &text, NULL), 0);
        r = recovery_read(text.data, text.len, signer, &got, NULL);
        changed_as(&changes[i], r);
        CU_ASSERT(r == 0 || !got.entries);
        recovery_clear(&got);
        CU_ASSERT_EQUAL(recovery_read(text.data, text.len, other, &got, NULL), ERR_CRYPTO);
        json_object_put(obj);
    }
    buf_free(&text);
    jwk_free(&signer);
    jwk_free(&other);
}

static void test_recovery_not_signed(void)
{
    char one[] = "first", *entries[] = {one};
    struct jwk *signer = fresh_key("Ed25519");
    struct recovery r = parked(entries, 0);
    struct buf text = BUF_INIT;

    CU_ASSERT_EQUAL(recovery_sign(&r, signer, &text, NULL), ERR_LIMIT);
    r.count = RECOVERY_ENTRIES_MAX + 1;
    CU_ASSERT_EQUAL(recovery_sign(&r, signer, &text, NULL), ERR_LIMIT);
    r.count = 1;
    strcpy(r.member, "carol+phone@example.com");
    CU_ASSERT_EQUAL(recovery_sign(&r, signer, &text, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(text.len, 0);
    buf_free(&text);
    jwk_free(&signer);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"addresses of devices", test_member},
        {"requests are read as they were signed", test_request},
        {"the code tells requests apart", test_code},
        {"requests that are refused", test_request_refused},
        {"requests that are not signed", test_request_not_signed},
        {"requests with a flipped bit or cut off", test_request_flipped},
        {"recoveries", test_recovery},
        {"recoveries that are refused", test_recovery_refused},
        {"recoveries that are not signed", test_recovery_not_signed},
    };
    return unit_main("device", tests, sizeof tests / sizeof *tests);
}
