/* Nonces and signed requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/b64.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "service/auth.h"
#include "unit.h"

#define URL "http://127.0.0.1:8080/.well-known/meshrecrypt"
enum { NOW = 1800000000 };

static char dir[] = "/tmp/auth-test.XXXXXX", store[64];
static struct keystore *ks;
static struct records r;
static struct nonces *nonces;
static struct auth *auth;
static struct jwk *known, *es256, *stranger;
static struct err e;

/* How much work a request made: the linker leads these calls here (service/local.mk). */
static unsigned keys_read, signatures_verified;

int __real_jwk_from_json(struct json_object *obj, struct jwk **out, struct err *err);
int __wrap_jwk_from_json(struct json_object *obj, struct jwk **out, struct err *err);
int __real_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t len, const unsigned char *text, size_t n);
int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t len, const unsigned char *text, size_t n);

int __wrap_jwk_from_json(struct json_object *obj, struct jwk **out, struct err *err)
{
    keys_read++;
    return __real_jwk_from_json(obj, out, err);
}

int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t len, const unsigned char *text, size_t n)
{
    signatures_verified++;
    return __real_EVP_DigestVerify(ctx, sig, len, text, n);
}

static void test_nonces(void)
{
    char a[NONCE_SIZE], b[NONCE_SIZE];
    struct nonces *other;

    CU_ASSERT_EQUAL_FATAL(nonces_new(NONCES_KEPT, &other, &e), 0);
    CU_ASSERT_EQUAL(nonces_issue(nonces, NOW, a, &e), 0);
    CU_ASSERT_EQUAL(nonces_issue(nonces, NOW, b, &e), 0);
    CU_ASSERT(strcmp(a, b) != 0);
    CU_ASSERT_EQUAL(strlen(a), NONCE_SIZE - 1);
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW, &e), 0);
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW + NONCE_SECONDS, &e), 0);
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW + NONCE_SECONDS + 1, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW - 1, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_check(other, a, NOW, &e), ERR_STALE); /* another process's */
    CU_ASSERT_EQUAL(nonces_use(nonces, a, NOW, &e), 0);
    CU_ASSERT_EQUAL(nonces_use(nonces, a, NOW, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW + NONCE_SECONDS, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_use(nonces, b, NOW + NONCE_SECONDS, &e), 0);
    CU_ASSERT_EQUAL(nonces_use(nonces, b, NOW + NONCE_SECONDS, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_check(nonces, "", NOW, &e), ERR_STALE);
    a[3] = a[3] == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(nonces_check(nonces, a, NOW, &e), ERR_STALE);
    nonces_free(&other);
}

/* However many requests one client makes, another's next one finds a place; and no nonce is good twice. */
static void test_nonces_bounded(void)
{
    char first[NONCE_SIZE], text[NONCE_SIZE], last[NONCE_SIZE];
    struct nonces *n;
    int rc = 0;

    CU_ASSERT_EQUAL_FATAL(nonces_new(1024, &n, &e), 0);
    CU_ASSERT_EQUAL_FATAL(nonces_issue(n, NOW, first, &e), 0);
    for (int i = 0; i < 5000 && !rc; i++) {
        CU_ASSERT_EQUAL_FATAL(nonces_issue(n, NOW, text, &e), 0);
        rc = nonces_use(n, text, NOW, &e);
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(nonces_use(n, text, NOW, &e), ERR_STALE);
    /* one that so many were given out behind is as good as expired, used or not */
    CU_ASSERT_EQUAL(nonces_use(n, first, NOW, &e), ERR_STALE);
    CU_ASSERT_EQUAL_FATAL(nonces_issue(n, NOW, last, &e), 0);
    for (int i = 0; i < 1023; i++)
        CU_ASSERT_EQUAL_FATAL(nonces_issue(n, NOW, text, &e), 0);
    CU_ASSERT_EQUAL(nonces_use(n, last, NOW, &e), 0);
    CU_ASSERT_EQUAL(nonces_use(n, last, NOW, &e), ERR_STALE);
    CU_ASSERT_EQUAL_FATAL(nonces_issue(n, NOW, text, &e), 0);
    CU_ASSERT_EQUAL(nonces_use(n, last, NOW, &e), ERR_STALE);
    CU_ASSERT_EQUAL(nonces_use(n, text, NOW, &e), 0);
    nonces_free(&n);
}

/* Nobody learns from two nonces how many were given out between: that is how many requests there were. */
static void test_nonces_opaque(void)
{
    unsigned char raw[2][64];
    char text[NONCE_SIZE];
    size_t same = 0;

    for (int i = 0; i < 2; i++) {
        struct buf b = BUF_INIT;

        CU_ASSERT_EQUAL_FATAL(nonces_issue(nonces, NOW, text, &e), 0);
        CU_ASSERT_EQUAL_FATAL(b64url_decode(text, strlen(text), &b), 0);
        memcpy(raw[i], b.data, 32);
        buf_free(&b);
    }
    for (size_t i = 0; i < 32; i++)
        same += raw[0][i] == raw[1][i];
    CU_ASSERT(same < 8);
}

/* A request: members of the protected header as JSON text ("" = the usual ones), payload, key. */
static void make(const struct jwk *key, const char *header_extra, const char *url, int64_t iat, const char *payload,
                 struct buf *out)
{
    struct json_object *header = NULL;
    struct buf text = BUF_INIT;
    char nonce[NONCE_SIZE];

    buf_reset(out);
    CU_ASSERT_EQUAL(nonces_issue(nonces, NOW, nonce, &e), 0);
    CU_ASSERT_EQUAL(
        buf_printf(&text, "{\"nonce\":\"%s\",\"url\":\"%s\",\"iat\":%lld%s}", nonce, url, (long long)iat, header_extra),
        0);
    CU_ASSERT_EQUAL_FATAL(sjson_parse(text.data, text.len, NULL, &header, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jws_sign_flattened(key, header, payload, strlen(payload), out, &e), 0);
    json_object_put(header);
    buf_free(&text);
}

static int verify(const struct buf *b)
{
    struct auth_result res;
    int rc = auth_verify(auth, &r, nonces, URL, NOW, b->data, b->len, &res, &e);

    auth_result_clear(&res);
    return rc;
}

static void test_good(void)
{
    struct auth_result res;
    struct buf b = BUF_INIT;
    char udf[JWK_UDF_SIZE];

    make(known, "", URL, NOW, "{\"GetRequest\":{}}", &b);
    CU_ASSERT_EQUAL(auth_verify(auth, &r, nonces, URL, NOW, b.data, b.len, &res, &e), 0);
    CU_ASSERT_EQUAL(jwk_udf(known, udf), 0);
    CU_ASSERT_STRING_EQUAL(res.udf, udf);
    CU_ASSERT_STRING_EQUAL(res.signer.person, "bob@example.com");
    CU_ASSERT(sjson_has(res.payload, "GetRequest"));
    auth_result_clear(&res);
    CU_ASSERT_EQUAL(verify(&b), ERR_STALE); /* replayed */
    make(es256, "", URL, NOW, "{\"GetRequest\":{}}", &b);
    CU_ASSERT_EQUAL(verify(&b), 0);
    make(known, "", URL, NOW - 300, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), 0);
    buf_free(&b);
}

static void test_bad(void)
{
    struct err unknown, wrong;
    struct buf b = BUF_INIT;
    char *sig;

    make(known, "", "http://elsewhere", NOW, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_DENIED);
    make(known, "", URL "/", NOW, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_DENIED);
    make(known, "", URL, NOW - 301, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_DENIED);
    make(known, "", URL, NOW + 301, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_DENIED);
    make(known, "", URL, NOW, "not json", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_SYNTAX);
    make(known, "", URL, NOW, "{\"a\":1,\"a\":2}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_SYNTAX);
    make(known, ",\"kid\":\"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA\"", URL, NOW, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_SYNTAX);

    make(stranger, "", URL, NOW, "{}", &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
    unknown = e;
    make(known, "", URL, NOW, "{}", &b);
    sig = strstr((char *)b.data, "\"signature\":\"");
    sig[16] = sig[16] == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
    wrong = e;
    CU_ASSERT_STRING_EQUAL(unknown.text, wrong.text);

    /* signed by one key in the name of another, of the same and of another algorithm */
    {
        char udf[JWK_UDF_SIZE], kid[64];

        CU_ASSERT_EQUAL(jwk_udf(known, udf), 0);
        snprintf(kid, sizeof kid, ",\"kid\":\"%s\"", udf);
        make(stranger, kid, URL, NOW, "{}", &b);
        CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
        make(es256, kid, URL, NOW, "{}", &b);
        CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
    }
    CU_ASSERT_STRING_EQUAL(e.text, wrong.text);
    CU_ASSERT_EQUAL(buf_puts(&b, "x"), 0);
    CU_ASSERT_EQUAL(verify(&b), ERR_SYNTAX);
    buf_reset(&b);
    CU_ASSERT_EQUAL(verify(&b), ERR_SYNTAX);
    buf_free(&b);
}

/* Whether a key is known here is not told by how long the refusal takes. */
static void test_equal_work(void)
{
    const struct jwk *const signers[] = {known, stranger, known, es256, stranger};
    char names[5][64] = {"", "", "", "", ""}, udf[JWK_UDF_SIZE];
    unsigned keys = 0, signatures = 0;
    struct buf b = BUF_INIT;

    CU_ASSERT_EQUAL(jwk_udf(known, udf), 0);
    for (int i = 3; i < 5; i++) /* in another's name, the algorithm hers or not */
        snprintf(names[i], sizeof names[i], ",\"kid\":\"%s\"", udf);
    for (int i = 0; i < 5; i++) {
        make(signers[i], names[i], URL, NOW, "{}", &b);
        if (i == 0 || i == 2) {
            char *sig = strstr((char *)b.data, "\"signature\":\"");

            sig[16] = sig[16] == 'A' ? 'B' : 'A';
        }
        keys_read = signatures_verified = 0;
        CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
        if (i == 0) {
            keys = keys_read;
            signatures = signatures_verified;
        }
        CU_ASSERT_EQUAL(keys_read, keys);
        CU_ASSERT_EQUAL(signatures_verified, signatures);
    }
    CU_ASSERT_EQUAL(signatures, 1);
    buf_free(&b);
}

/* A key that no record knows is good for its own registration, and for nothing else. */
static void test_first_registration(void)
{
    struct profile p = {.kind = PROFILE_PERSON, .epoch = 1, .issued = NOW};
    struct buf profile = BUF_INIT, payload = BUF_INIT, b = BUF_INIT;
    struct auth_result res;

    strcpy(p.account, "new@example.com");
    strcpy(p.owner, p.account);
    CU_ASSERT_EQUAL(jwk_generate("X25519", &p.key, &e), 0);
    CU_ASSERT_EQUAL(profile_sign(&p, stranger, &profile, &e), 0);
    CU_ASSERT_EQUAL(buf_printf(&payload, "{\"SetRequest\":{\"Person\":{\"Profile\":\"%s\"}}}", buf_str(&profile)), 0);
    make(stranger, "", URL, NOW, buf_str(&payload), &b);
    CU_ASSERT_EQUAL(auth_verify(auth, &r, nonces, URL, NOW, b.data, b.len, &res, &e), 0);
    CU_ASSERT_PTR_NULL(res.signer.key);
    auth_result_clear(&res);
    buf_reset(&payload);
    CU_ASSERT_EQUAL(buf_printf(&payload, "{\"SetRequest\":{\"Group\":{\"Profile\":\"%s\"}}}", buf_str(&profile)), 0);
    make(stranger, "", URL, NOW, buf_str(&payload), &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
    /* another's profile */
    buf_reset(&payload);
    buf_reset(&profile);
    CU_ASSERT_EQUAL(profile_sign(&p, known, &profile, &e), 0);
    CU_ASSERT_EQUAL(buf_printf(&payload, "{\"SetRequest\":{\"Person\":{\"Profile\":\"%s\"}}}", buf_str(&profile)), 0);
    make(stranger, "", URL, NOW, buf_str(&payload), &b);
    CU_ASSERT_EQUAL(verify(&b), ERR_CRYPTO);
    jwk_free(&p.key);
    buf_free(&profile);
    buf_free(&payload);
    buf_free(&b);
}

static void register_key(const struct jwk *key, const char *person)
{
    struct signer s = {0};
    char udf[JWK_UDF_SIZE];

    strcpy(s.person, person);
    CU_ASSERT_EQUAL(jwk_udf(key, udf), 0);
    CU_ASSERT_EQUAL(jwk_public_copy(key, &s.key, &e), 0);
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(signer_put(&r, udf, &s, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    signer_clear(&s);
}

static void test_setup(void)
{
    static const unsigned char storage[32];

    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", store, 1, 0, &ks, &e), 0);
    CU_ASSERT_EQUAL_FATAL(records_open(&r, ks, "X", storage, 1, &e), 0);
    CU_ASSERT_EQUAL_FATAL(nonces_new(NONCES_KEPT, &nonces, &e), 0);
    CU_ASSERT_EQUAL_FATAL(auth_new(&auth, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &known, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &stranger, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("ES256", &es256, &e), 0);
    register_key(known, "bob@example.com");
    register_key(es256, "eve@example.com");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"set up", test_setup},
        {"nonces: single use, for a time, of this process", test_nonces},
        {"nonces: bounded memory", test_nonces_bounded},
        {"nonces: tell nothing of each other", test_nonces_opaque},
        {"good requests, once each", test_good},
        {"bad requests, each with its error", test_bad},
        {"bad requests: known and unknown signers cost the same", test_equal_work},
        {"first registration", test_first_registration},
    };
    int status;

    if (!mkdtemp(dir))
        return 1;
    snprintf(store, sizeof store, "%s/store", dir);
    status = unit_main("auth", tests, sizeof tests / sizeof *tests);
    auth_free(&auth);
    nonces_free(&nonces);
    jwk_free(&known);
    jwk_free(&es256);
    jwk_free(&stranger);
    records_close(&r);
    if (ks)
        keystore_close(&ks);
    return unit_remove(dir) == 0 ? status : 1;
}
