#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "recrypt/web.h"
#include "unit.h"

static void test_url(void)
{
    static const struct {
        const char *text, *url; /* NULL = refused */
    } cases[] = {
        {"https://mail.example.com", "https://mail.example.com" WEB_PATH},
        {"https://mail.example.com/", "https://mail.example.com" WEB_PATH},
        {"https://mail.example.com:8443/x", "https://mail.example.com:8443/x"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080" WEB_PATH},
        {"http://127.0.0.2/y", "http://127.0.0.2/y"},
        {"http://[::1]:80", "http://[::1]:80" WEB_PATH},
        {"http://localhost:1", "http://localhost:1" WEB_PATH},
        {"http://mail.example.com", NULL},
        {"http://127.0.0.1.example.com", NULL},
        {"http://127.evil.example", NULL},
        {"http://localhost.example.com", NULL},
        {"http://localhost@example.com", NULL},
        {"http://127.0.0.1@example.com/", NULL},
        {"https://user@example.com/", NULL},
        {"https://example.com/?a", NULL},
        {"https://example.com/#a", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"http://[::1", NULL},
        {"ftp://example.com", NULL},
        {"file:///etc/passwd", NULL},
        {"https://exa mple.com", NULL},
        {"https://example.com/\n", NULL},
        {"", NULL},
    };
    struct buf out = BUF_INIT;
    int r;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        r = web_url(cases[i].text, &out, NULL);
        CU_ASSERT_EQUAL(r, cases[i].url ? 0 : ERR_USAGE);
        if (cases[i].url && strcmp(buf_str(&out), cases[i].url) != 0) {
            printf("# %s -> %s\n", cases[i].text, buf_str(&out));
            CU_FAIL("another URL");
        }
    }
    buf_free(&out);
}

static void test_reply(void)
{
    static const struct {
        const char *text;
        int expected;
    } cases[] = {
        {"{\"SetResponse\":{\"Status\":201,\"StatusDescription\":\"done\",\"x\":1}}", 0},
        {"{\"SetResponse\":{\"Status\":202,\"StatusDescription\":\"done\"}}", 0},
        {"{\"SetResponse\":{\"Status\":400,\"StatusDescription\":\"bad\"}}", ERR_SYNTAX},
        {"{\"SetResponse\":{\"Status\":401,\"StatusDescription\":\"nonce\"}}", ERR_DENIED},
        {"{\"SetResponse\":{\"Status\":404,\"StatusDescription\":\"no\"}}", ERR_ABSENT},
        {"{\"SetResponse\":{\"Status\":409,\"StatusDescription\":\"is there\"}}", ERR_EXISTS},
        {"{\"SetResponse\":{\"Status\":503,\"StatusDescription\":\"busy\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":200,\"StatusDescription\":\"not ours\"}}", ERR_RETRY},
        {"{\"GetResponse\":{\"Status\":201,\"StatusDescription\":\"other\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":\"201\",\"StatusDescription\":\"text\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":201}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":404,\"Status\":201,\"StatusDescription\":\"twice\"}}", ERR_RETRY},
        {"<html>301 Moved</html>", ERR_RETRY},
        {"", ERR_RETRY},
    };
    struct json_object *reply;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(web_reply("Set", cases[i].text, strlen(cases[i].text), &reply, NULL), cases[i].expected);
        CU_ASSERT_EQUAL(reply != NULL, cases[i].expected == 0);
        json_object_put(reply);
    }
}

static void test_signed(void)
{
    struct json_object *body = json_object_new_object(), *payload = NULL;
    struct jwk *key = NULL, *other = NULL;
    struct buf text = BUF_INIT;
    const char *value;
    struct jws j;
    int64_t iat;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &key, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &other, NULL), 0);
    CU_ASSERT_EQUAL(web_request("https://a.example/x", "Get", body, key, "N0nce", &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jws_parse(text.data, text.len, &j, NULL), 0);
    CU_ASSERT_EQUAL(jws_verify(&j, key, NULL, 0, NULL), 0);
    CU_ASSERT_EQUAL(jws_verify(&j, other, NULL, 0, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(sjson_string(j.header, "nonce", &value, NULL), 0);
    CU_ASSERT_STRING_EQUAL(value, "N0nce");
    CU_ASSERT_EQUAL(sjson_string(j.header, "url", &value, NULL), 0);
    CU_ASSERT_STRING_EQUAL(value, "https://a.example/x");
    CU_ASSERT_EQUAL(sjson_int(j.header, "iat", &iat, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&j.payload), "{\"GetRequest\":{}}");
    jws_clear(&j);
    buf_reset(&text);
    CU_ASSERT_EQUAL(web_request("https://a.example/x", "Get", body, NULL, NULL, &text, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(text.data, "{\"GetRequest\":{}}", text.len), 0);
    json_object_put(body);
    json_object_put(payload);
    jwk_free(&key);
    jwk_free(&other);
    buf_free(&text);
}

static void test_nobody_there(void)
{
    struct json_object *body = json_object_new_object(), *reply;
    struct web *w = NULL;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(web_new("http://127.0.0.1:1", NULL, &w, NULL), 0);
    CU_ASSERT_EQUAL(web_call(w, "Hello", body, NULL, &reply, &e), ERR_RETRY);
    CU_ASSERT_PTR_NULL(reply);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "127.0.0.1:1"));
    web_free(&w);
    json_object_put(body);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"only https, or http to this machine", test_url},
        {"replies and their status", test_reply},
        {"a signed request says where to and when", test_signed},
        {"no service: try again later", test_nobody_there},
    };
    return unit_main("recrypt-web", tests, sizeof tests / sizeof *tests);
}
