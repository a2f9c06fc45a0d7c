#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rclient.h"
#include "common/sjson.h"
#include "frame-server.h"
#include "grants-call.h"
#include "unit.h"

static char dir[] = "/tmp/recrypt-rclient-XXXXXX";
static char path[64];

/* What the stand-in answers, and what it was asked last. */
struct canned {
    const char *answer;
    char asked[2048];
};

static enum frame_action give(void *arg, struct json_object *request, struct buf *answer)
{
    struct canned *c = arg;

    snprintf(c->asked, sizeof c->asked, "%s", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
    frame_of(answer, c->answer);
    return FRAME_REPLY;
}

static struct canned canned;
static struct frame_server server;
static struct frame_client *client;

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(frame_server_start(&server, path, give, &canned), 0);
    CU_ASSERT_EQUAL_FATAL(frame_client_new(path, 5000, &client, NULL), 0);
}

static void stop(void)
{
    frame_client_free(&client);
    frame_server_stop(&server);
}

static int resolve(const char *answer, struct address_info *out)
{
    struct err e;

    canned.answer = answer;
    return rclient_resolve(client, "List@example.com", out, &e);
}

#define RESOLVED(fields) "{\"ResolveResponse\":{\"Status\":201,\"StatusDescription\":\"\"," fields "}}"
#define LIST                                                                                                           \
    "\"Kind\":\"list\",\"Account\":\"list@example.com\",\"Owner\":\"alice@example.com\",\"KeyID\":\"list@example.com." \
    "mm--x\","

static void test_resolve(void)
{
    struct address_info i;

    start();
    CU_ASSERT_EQUAL(resolve(RESOLVED(LIST "\"Plaintext\":\"encrypt\",\"Archive\":true,\"MaxSize\":1000"), &i), 0);
    CU_ASSERT_STRING_EQUAL(canned.asked, "{\"ResolveRequest\":{\"Address\":\"List@example.com\"}}");
    CU_ASSERT_EQUAL(i.kind, ADDRESS_LIST);
    CU_ASSERT_STRING_EQUAL(i.account, "list@example.com");
    CU_ASSERT_STRING_EQUAL(i.owner, "alice@example.com");
    CU_ASSERT_STRING_EQUAL(i.keyid, "list@example.com.mm--x");
    CU_ASSERT_EQUAL(i.plaintext, PLAINTEXT_ENCRYPT);
    CU_ASSERT_EQUAL(i.archive, 1);
    CU_ASSERT_EQUAL(i.max_size, 1000);
    CU_ASSERT_EQUAL(resolve(RESOLVED("\"Kind\":\"none\""), &i), 0);
    CU_ASSERT_EQUAL(i.kind, ADDRESS_NONE);
    CU_ASSERT_STRING_EQUAL(i.account, "");
    CU_ASSERT_EQUAL(resolve(RESOLVED("\"Kind\":\"reserved\""), &i), 0);
    CU_ASSERT_EQUAL(i.kind, ADDRESS_RESERVED);
    CU_ASSERT_EQUAL(resolve(RESOLVED("\"Kind\":\"owner\",\"Account\":\"l@e.c\",\"Owner\":\"a@e.c\""), &i), 0);
    CU_ASSERT_EQUAL(i.kind, ADDRESS_OWNER);
    CU_ASSERT_EQUAL(resolve(RESOLVED("\"Kind\":\"archive\",\"Account\":\"l@e.c\""), &i), 0);
    CU_ASSERT_EQUAL(i.kind, ADDRESS_ARCHIVE);
    CU_ASSERT_EQUAL(
        resolve(RESOLVED("\"Kind\":\"person\",\"Account\":\"b@e.c\",\"KeyID\":\"k\",\"Plaintext\":\"pass\""), &i), 0);
    CU_ASSERT_EQUAL(i.kind, ADDRESS_PERSON);
    CU_ASSERT_EQUAL(i.plaintext, PLAINTEXT_PASS);
    CU_ASSERT_EQUAL(i.max_size, 0);
    stop();
}

static void test_resolve_rubbish(void)
{
    static const char *const bad[] = {
        RESOLVED("\"Kind\":\"thing\""),
        RESOLVED("\"Kind\":3"),
        RESOLVED("\"Account\":\"a@e.c\""),
        RESOLVED("\"Kind\":\"list\",\"Plaintext\":\"reject\",\"KeyID\":\"k\""),
        RESOLVED("\"Kind\":\"list\",\"Account\":\"l@e.c\",\"Plaintext\":\"reject\""),
        RESOLVED(LIST "\"Plaintext\":\"maybe\""),
        RESOLVED("\"Kind\":\"list\",\"Account\":\"l@e.c\",\"KeyID\":\"k\""),
        RESOLVED(LIST "\"Plaintext\":\"reject\",\"Archive\":1"),
        RESOLVED(LIST "\"Plaintext\":\"reject\",\"MaxSize\":-1"),
        RESOLVED(LIST "\"Plaintext\":\"reject\",\"MaxSize\":\"1\""),
        RESOLVED("\"Kind\":\"archive\",\"Account\":\"l@e.c\\r\\nRCPT\""),
        RESOLVED("\"Kind\":\"archive\",\"Account\":\"l@\xc3\xa9.c\""),
        RESOLVED("\"Kind\":\"owner\",\"Account\":\"l@e.c\""),
    };
    struct address_info i;

    start();
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        CU_ASSERT_EQUAL(resolve(bad[n], &i), ERR_RETRY);
        CU_ASSERT_STRING_EQUAL(i.account, ""); /* nothing of it is left */
    }
    CU_ASSERT_EQUAL(resolve("{\"ResolveResponse\":{\"Status\":503,\"StatusDescription\":\"busy\"}}", &i), ERR_RETRY);
    stop();
}

/* A grant with a value of len octets. */
static void add_grant(struct json_object *list, size_t len, const char *dk)
{
    struct grant g;
    struct json_object *obj;

    memset(&g, 0, sizeof g);
    memset(g.tag, (int)json_object_array_length(list), sizeof g.tag);
    memset(g.value, 7, len);
    g.value_len = len;
    g.dk = dk ? strdup(dk) : NULL;
    CU_ASSERT_EQUAL_FATAL(grant_to_json(&g, &obj, NULL), 0);
    json_object_array_add(list, obj);
    grant_clear(&g);
}

static const char *expanded(const char *state, const char *recipients, struct json_object *grants)
{
    static char text[8192];

    snprintf(text, sizeof text,
             "{\"ExpandResponse\":{\"Status\":201,\"State\":\"%s\",\"Account\":\"l@e.c\",\"Current\":\"l@e.c.mm--x\","
             "\"Sender\":\"l+bounce@e.c\",\"Recipients\":%s,\"Grants\":%s}}",
             state, recipients, json_object_to_json_string(grants));
    return text;
}

static void test_expand(void)
{
    const struct suite *s = suite_by_name("X25519");
    struct json_object *grants = json_object_new_array();
    unsigned char epk[32] = {9};
    struct expansion x;
    struct err e;

    start();
    for (int i = 0; i < 8; i++)
        add_grant(grants, 32, NULL);
    canned.answer = expanded("archived", "[\"b@e.c\",\"l+archive-AbC@e.c\"]", grants);
    CU_ASSERT_EQUAL_FATAL(rclient_expand(client, "l@e.c.mm--y", s, epk, sizeof epk, &x, &e), 0);
    CU_ASSERT_STRING_EQUAL(canned.asked,
                           "{\"ExpandRequest\":{\"EphemeralKey\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
                           "\"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},\"GroupKeyID\":\"l@e.c.mm--y\"}}");
    CU_ASSERT_EQUAL(x.state, KEY_ARCHIVED);
    CU_ASSERT_STRING_EQUAL(x.account, "l@e.c");
    CU_ASSERT_STRING_EQUAL(x.sender, "l+bounce@e.c");
    CU_ASSERT_EQUAL(x.recipient_count, 2);
    CU_ASSERT_STRING_EQUAL(x.recipients[1], "l+archive-AbC@e.c");
    CU_ASSERT_EQUAL(x.grant_count, 8);
    CU_ASSERT_EQUAL(x.grants[3].tag[0], 3);
    expansion_clear(&x);
    expansion_clear(&x);
    canned.answer =
        "{\"ExpandResponse\":{\"Status\":201,\"State\":\"retired\",\"Account\":\"l@e.c\",\"Current\":\"l@e.c.mm--x\"}}";
    CU_ASSERT_EQUAL(rclient_expand(client, "l@e.c.mm--y", s, epk, sizeof epk, &x, &e), 0);
    CU_ASSERT_EQUAL(x.state, KEY_RETIRED);
    CU_ASSERT_STRING_EQUAL(x.current, "l@e.c.mm--x");
    CU_ASSERT_STRING_EQUAL(x.account, "l@e.c");
    CU_ASSERT_EQUAL(x.recipient_count, 0);
    expansion_clear(&x);
    canned.answer = "{\"ExpandResponse\":{\"Status\":400,\"StatusDescription\":\"bad ephemeral key\"}}";
    CU_ASSERT_EQUAL(rclient_expand(client, "l@e.c.mm--y", s, epk, sizeof epk, &x, &e), ERR_SYNTAX);
    CU_ASSERT_STRING_EQUAL(e.text, "bad ephemeral key");
    CU_ASSERT_EQUAL(rclient_expand(client, "l@e.c.mm--y", s, epk, 31, &x, &e), ERR_SYNTAX);
    stop();
    json_object_put(grants);
}

static void test_expand_rubbish(void)
{
    static const char *const recipients[] = {"{}",  "[7]", "[\"\"]", "[\"a b@e.c\"]", "[\"a@e.c\\n\"]", "[\"<a@e.c>\"]",
                                             "null"};
    const struct suite *s = suite_by_name("X25519");
    struct json_object *none = json_object_new_array(), *list;
    unsigned char epk[32] = {9};
    struct expansion x;
    struct err e;

    start();
    for (size_t i = 0; i < sizeof recipients / sizeof *recipients; i++) {
        canned.answer = expanded("current", recipients[i], none);
        CU_ASSERT_EQUAL(rclient_expand(client, "k", s, epk, sizeof epk, &x, &e), ERR_RETRY);
        CU_ASSERT_PTR_NULL(x.recipients);
    }
    canned.answer = expanded("lost", "[]", none);
    CU_ASSERT_EQUAL(rclient_expand(client, "k", s, epk, sizeof epk, &x, &e), ERR_RETRY);
    list = json_object_new_array();
    add_grant(list, 32, NULL);
    add_grant(list, 32, "statement.for.one"); /* would tell a member's name to all */
    canned.answer = expanded("current", "[\"b@e.c\"]", list);
    CU_ASSERT_EQUAL(rclient_expand(client, "k", s, epk, sizeof epk, &x, &e), ERR_RETRY);
    CU_ASSERT_PTR_NULL(x.grants);
    json_object_put(list);
    list = json_object_new_array();
    add_grant(list, 56, NULL); /* another suite's value */
    canned.answer = expanded("current", "[\"b@e.c\"]", list);
    CU_ASSERT_EQUAL(rclient_expand(client, "k", s, epk, sizeof epk, &x, &e), ERR_RETRY);
    json_object_put(list);
    list = json_object_new_object();
    canned.answer = expanded("current", "[\"b@e.c\"]", list);
    CU_ASSERT_EQUAL(rclient_expand(client, "k", s, epk, sizeof epk, &x, &e), ERR_RETRY);
    json_object_put(list);
    stop();
    json_object_put(none);
}

static int ask_grant(size_t value_len, const char *dk, struct grant *out)
{
    struct json_object *list = json_object_new_array();
    unsigned char epk[64] = {1};
    char text[2048];
    struct err e;

    add_grant(list, value_len, dk);
    snprintf(text, sizeof text, "{\"GrantResponse\":{\"Status\":201,\"Grant\":%s}}",
             json_object_to_json_string(json_object_array_get_idx(list, 0)));
    json_object_put(list);
    canned.answer = text;
    return rclient_grant(client, "b@e.c", "k", suite_by_name("P-256"), epk, sizeof epk, out, &e);
}

static void test_grant(void)
{
    unsigned char epk[64] = {1};
    struct grant g;
    struct err e;

    start();
    CU_ASSERT_EQUAL_FATAL(ask_grant(32, "a.b.c", &g), 0);
    CU_ASSERT_STRING_EQUAL(g.dk, "a.b.c");
    CU_ASSERT_EQUAL(g.value_len, 32);
    grant_clear(&g);
    CU_ASSERT_PTR_NOT_NULL(strstr(canned.asked, "\"y\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(canned.asked, "\"Account\":\"b@e.c\""));
    CU_ASSERT_EQUAL(ask_grant(32, NULL, &g), ERR_RETRY);
    CU_ASSERT_EQUAL(ask_grant(56, "a.b.c", &g), ERR_RETRY);
    CU_ASSERT_PTR_NULL(g.dk);
    canned.answer = "{\"GrantResponse\":{\"Status\":404,\"StatusDescription\":\"no grant\"}}";
    CU_ASSERT_EQUAL(rclient_grant(client, "b@e.c", "k", suite_by_name("P-256"), epk, 64, &g, &e), ERR_ABSENT);
    canned.answer = "{\"GrantResponse\":{\"Status\":201,\"Grant\":{\"t\":\"AA\",\"u\":\"AA\"}}}";
    CU_ASSERT_EQUAL(rclient_grant(client, "b@e.c", "k", suite_by_name("P-256"), epk, 64, &g, &e), ERR_RETRY);
    stop();
}

enum { MANY = 300 };

/* Three items, or many: as they are sent, and what comes back for the three. */
static int ask_grants(const char *grants, struct device_grants out[3])
{
    static const unsigned char epk[64] = {1};
    const struct grants_item items[3] = {{"k1", suite_by_name("X25519"), epk, 32},
                                         {"k2", suite_by_name("P-256"), epk, 64},
                                         {"k3", suite_by_name("X448"), epk, 56}};
    char text[4096];
    struct err e;

    snprintf(text, sizeof text, "{\"GrantsResponse\":{\"Status\":201,\"Grants\":%s}}", grants);
    canned.answer = text;
    return grants_call(client, "b@e.c", "MAAAA", items, 3, out, &e);
}

#define TAG "\"t\":\"AAAAAAAAAAAAAAAAAAAAAA\""
#define U32 "\"u\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define WHOLE "{" TAG "," U32 ",\"dk\":\"a.b.c\"}"

static void test_grants(void)
{
    static const char *const bad[] = {
        "[null,null]",
        "[null,null,null,null]",
        "{}",
        "[{},null,null]",
        "[{\"Grant\":{}},null,null]",
        "[{\"Grant\":{" TAG ",\"dk\":\"a.b.c\"}},null,null]",
        "[{\"Grant\":{" TAG "," U32 "}},null,null]",
        "[null,null,{\"Grant\":" WHOLE "}]", /* another suite's value */
        "[{\"Grant\":" WHOLE ",\"Device\":{}},null,null]",
        "[{\"Grant\":" WHOLE ",\"Device\":{\"KeyID\":\"b k\",\"Grant\":" WHOLE "}},null,null]",
        "[{\"Grant\":" WHOLE ",\"Device\":{\"KeyID\":\"bk\",\"Grant\":{\"dk\":\"a.b.c\"}}},null,null]",
        "[7,null,null]",
    };
    struct device_grants out[3];

    start();
    CU_ASSERT_EQUAL_FATAL(ask_grants("[{\"Grant\":" WHOLE "},null,{\"Grant\":{\"dk\":\"d.e.f\"},\"Device\":{\"KeyID\":"
                                     "\"bk\",\"Grant\":" WHOLE "}}]",
                                     out),
                          0);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(canned.asked, "\"Account\":\"b@e.c\",\"Device\":\"MAAAA\",\"Items\":[{\"EphemeralKey\""));
    CU_ASSERT(out[0].found && out[0].grant.value_len == 32 && !strcmp(out[0].grant.dk, "a.b.c"));
    CU_ASSERT_STRING_EQUAL(out[0].device_keyid, "");
    CU_ASSERT(!out[1].found && !out[1].grant.dk);
    CU_ASSERT(out[2].found && !out[2].grant.value_len && !strcmp(out[2].grant.dk, "d.e.f"));
    CU_ASSERT_STRING_EQUAL(out[2].device_keyid, "bk");
    CU_ASSERT_STRING_EQUAL(out[2].device.dk, "a.b.c");
    device_grants_clear(out, 3);
    CU_ASSERT_PTR_NULL(out[2].device.dk);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(ask_grants(bad[i], out), ERR_RETRY);
        CU_ASSERT(!out[0].found && !out[0].grant.dk && !out[0].device.dk);
    }
    canned.answer = "{\"GrantsResponse\":{\"Status\":404,\"StatusDescription\":\"no grant\"}}";
    CU_ASSERT_EQUAL(grants_call(client, "b@e.c", "MAAAA",
                                &(struct grants_item){"k", suite_by_name("X25519"), (const unsigned char[32]){1}, 32},
                                1, out, NULL),
                    ERR_ABSENT);
    stop();
}

/* No request is too large for a frame, and none has more items than recryptd takes. */
static void test_grants_split(void)
{
    static const char *const suites[] = {"X25519", "P-256", "ffdhe3072"};
    static const unsigned char epk[SUITE_PUB_MAX] = {1};
    static struct grants_item items[MANY];
    char keyid[KEYID_SIZE];

    memset(keyid, 'k', sizeof keyid - 1);
    keyid[sizeof keyid - 1] = 0;
    for (int s = 0; s < 3; s++) {
        const struct suite *suite = suite_by_name(suites[s]);
        size_t sent = 0, taken;

        for (int i = 0; i < MANY; i++)
            items[i] = (struct grants_item){keyid, suite, epk, suite_pub_len(suite)};
        for (; sent < MANY; sent += taken) {
            struct json_object *body;
            struct buf frame = BUF_INIT;

            CU_ASSERT_EQUAL_FATAL(
                rclient_grants_request("b@e.c", "MAAAA", items + sent, MANY - sent, &taken, &body, NULL), 0);
            CU_ASSERT_FATAL(taken >= 1 && taken <= 128);
            CU_ASSERT_EQUAL(frame_put(body, FRAME_REQUEST_MAX, &frame, NULL), 0);
            json_object_put(body);
            buf_free(&frame);
        }
        CU_ASSERT_EQUAL(sent, MANY);
    }
}

static int ask_devices(const char *grants, struct grant **out, size_t *n)
{
    unsigned char epk[32] = {1};
    char text[2048];

    snprintf(text, sizeof text, "{\"DeviceGrantsResponse\":{\"Status\":201,\"Grants\":%s}}", grants);
    canned.answer = text;
    return rclient_device_grants(client, "b@e.c", "k", suite_by_name("X25519"), epk, sizeof epk, out, n, NULL);
}

static void test_device_grants(void)
{
    static const char *const bad[] = {"{}", "[null]", "[{" TAG "," U32 "}]", "[{\"dk\":\"a.b.c\"}]",
                                      "[" WHOLE ",{" TAG ",\"u\":\"AA\",\"dk\":\"a.b.c\"}]"};
    struct grant *list;
    size_t n;

    start();
    CU_ASSERT_EQUAL_FATAL(ask_devices("[" WHOLE "," WHOLE "]", &list, &n), 0);
    CU_ASSERT(n == 2 && !strcmp(list[1].dk, "a.b.c"));
    grant_list_free(list, n);
    CU_ASSERT_EQUAL_FATAL(ask_devices("[]", &list, &n), 0);
    CU_ASSERT_EQUAL(n, 0);
    grant_list_free(list, n);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(ask_devices(bad[i], &list, &n), ERR_RETRY);
        CU_ASSERT(!list && !n);
    }
    stop();
}

static int ask_key(struct json_object *key, const char *keyid, struct jwk **out, char account[ADDRESS_SIZE])
{
    enum key_state state;
    char text[2048];
    struct err e;
    int r;

    snprintf(text, sizeof text,
             "{\"KeyResponse\":{\"Status\":201,\"State\":\"current\",\"Account\":\"b@e.c\",%s%s%s\"Key\":%s}}",
             keyid ? "\"KeyID\":\"" : "", keyid ? keyid : "", keyid ? "\"," : "", json_object_to_json_string(key));
    canned.answer = text;
    r = rclient_key(client, "b@e.c", out, &state, account, &e);
    CU_ASSERT(r < 0 || state == KEY_CURRENT);
    return r;
}

static void test_key(void)
{
    struct jwk *k, *got;
    struct json_object *public, *private;
    char account[ADDRESS_SIZE];
    enum key_state state;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &k, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, 0, &public, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, 1, &private, &e), 0);
    start();
    CU_ASSERT_EQUAL_FATAL(ask_key(public, "b@e.c.mm--x", &got, account), 0);
    CU_ASSERT(jwk_equal(k, got));
    CU_ASSERT_STRING_EQUAL(jwk_kid(got), "b@e.c.mm--x");
    CU_ASSERT_STRING_EQUAL(account, "b@e.c");
    jwk_free(&got);
    CU_ASSERT_EQUAL(ask_key(public, NULL, &got, account), ERR_RETRY);
    CU_ASSERT_EQUAL(ask_key(private, "b@e.c.mm--x", &got, account), ERR_RETRY);
    CU_ASSERT_PTR_NULL(got);
    canned.answer = "{\"KeyResponse\":{\"Status\":404,\"StatusDescription\":\"no such key\"}}";
    CU_ASSERT_EQUAL(rclient_key(client, "x@e.c", &got, &state, account, &e), ERR_ABSENT);
    CU_ASSERT_STRING_EQUAL(account, "");
    stop();
    jwk_free(&k);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &k, &e), 0);
    json_object_put(public);
    CU_ASSERT_EQUAL_FATAL(jwk_to_json(k, 0, &public, &e), 0);
    start();
    CU_ASSERT_EQUAL(ask_key(public, "b@e.c.mm--x", &got, account), ERR_RETRY); /* no key to encrypt to */
    stop();
    json_object_put(public);
    json_object_put(private);
    jwk_free(&k);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"resolve: every kind of address", test_resolve},
        {"resolve: rubbish is 'later'", test_resolve_rubbish},
        {"expand", test_expand},
        {"expand: rubbish is 'later'", test_expand_rubbish},
        {"grant", test_grant},
        {"grants for a mailbox", test_grants},
        {"grants for a mailbox: in requests that fit", test_grants_split},
        {"grants for a person's devices", test_device_grants},
        {"key", test_key},
    };
    int r;

    if (!mkdtemp(dir))
        return 99;
    snprintf(path, sizeof path, "%s/socket", dir);
    r = unit_main("rclient", tests, sizeof tests / sizeof *tests);
    unlink(path);
    rmdir(dir);
    return r;
}
