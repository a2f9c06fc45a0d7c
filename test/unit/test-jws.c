#include "common/jws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/algorithms.h"
#include "common/b64.h"
#include "common/sjson.h"
#include "starve.h"
#include "unit.h"
#include "vectors.h"

/* RFC 8037 appendix A.1 and A.4 */
#define ED "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
#define ED_PRIVATE ED "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"
#define ED_HEAD "eyJhbGciOiJFZERTQSJ9"
#define ED_PAYLOAD "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define ED_SIGNATURE "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
/* RFC 7515 appendix A.3 */
#define EC                                                                                                             \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                         \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define EC_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static struct jwk *key(const char *text)
{
    struct jwk *k;

    CU_ASSERT_EQUAL_FATAL(jwk_parse(text, strlen(text), &k, NULL), 0);
    return k;
}

/* What parsing, then verifying, says. */
static int verify(const char *text, const struct jwk *k, const char *content)
{
    struct jws j;
    int r = jws_parse(text, strlen(text), &j, NULL);

    if (r == 0)
        r = jws_verify(&j, k, content, content ? strlen(content) : 0, NULL);
    jws_clear(&j);
    return r;
}

static void test_rfc_vectors(void)
{
    struct jwk *ed = key(ED_PRIVATE), *ec = key(EC);
    struct json_object *header = json_object_new_object();
    struct buf out = BUF_INIT;

    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD "." ED_SIGNATURE, ed, NULL), 0);
    CU_ASSERT_EQUAL(verify("eyJhbGciOiJFUzI1NiJ9." EC_PAYLOAD "." EC_SIGNATURE, ec, NULL), 0);
    CU_ASSERT_EQUAL(verify("{\"payload\":\"" EC_PAYLOAD "\",\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"header\":{\"kid\":"
                           "\"e9bc097a-ce51-4036-9562-d2ade882db0d\"},\"signature\":\"" EC_SIGNATURE "\"}",
                           ec, NULL),
                    0);
    /* detached, appendix F */
    CU_ASSERT_EQUAL(verify(ED_HEAD ".." ED_SIGNATURE, ed, "Example of Ed25519 signing"), 0);
    /* the same signature comes out: EdDSA is deterministic, and the header is alg and kid as we write it */
    CU_ASSERT_EQUAL(sjson_set_string(header, "kid", "k"), 0);
    CU_ASSERT_EQUAL(jws_sign(ed, header, "x", 1, 0, &out, NULL), 0);
    CU_ASSERT_EQUAL(verify(buf_str(&out), ed, NULL), 0);
    CU_ASSERT(strncmp(buf_str(&out), "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eA.", 38) == 0);
    json_object_put(header);
    jwk_free(&ed);
    jwk_free(&ec);
    buf_free(&out);
}

static void test_round_trip(void)
{
    static const char *const types[] = {"Ed25519", "ES256"};

    for (size_t i = 0; i < 2; i++) {
        struct jwk *k, *other, *pub;
        struct buf text = BUF_INIT;
        char udf[JWK_UDF_SIZE];
        struct jws j;

        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &k, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &other, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(jwk_public_copy(k, &pub, NULL), 0);
        for (int n = 0; n < 20; n++) { /* ES256: r or s with leading zeros now and then */
            buf_reset(&text);
            CU_ASSERT_EQUAL(jws_sign(k, NULL, "payload", 7, 0, &text, NULL), 0);
            CU_ASSERT_EQUAL(verify(buf_str(&text), pub, NULL), 0);
        }
        CU_ASSERT_EQUAL(verify(buf_str(&text), other, NULL), ERR_CRYPTO);
        CU_ASSERT_EQUAL(verify(buf_str(&text), pub, "payload"), ERR_CRYPTO); /* it has one of its own */
        CU_ASSERT_EQUAL(jws_parse(buf_str(&text), text.len, &j, NULL), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&j.payload), "payload");
        CU_ASSERT_EQUAL(jwk_udf(k, udf), 0);
        CU_ASSERT_STRING_EQUAL(jws_kid(&j), udf);
        jws_clear(&j);
        buf_reset(&text);
        CU_ASSERT_EQUAL(jws_sign_flattened(k, NULL, "payload", 7, &text, NULL), 0);
        CU_ASSERT_EQUAL(verify(buf_str(&text), pub, NULL), 0);
        buf_reset(&text);
        CU_ASSERT_EQUAL(jws_sign(k, NULL, "payload", 7, 1, &text, NULL), 0);
        CU_ASSERT_EQUAL(verify(buf_str(&text), pub, "payload"), 0);
        CU_ASSERT_EQUAL(verify(buf_str(&text), pub, "payloae"), ERR_CRYPTO);
        CU_ASSERT_EQUAL(verify(buf_str(&text), pub, NULL), ERR_CRYPTO);
        CU_ASSERT_EQUAL(jws_sign(pub, NULL, "payload", 7, 1, &text, NULL), ERR_KEY);
        jwk_free(&k);
        jwk_free(&other);
        jwk_free(&pub);
        buf_free(&text);
    }
}

static void test_json(void)
{
    struct json_object *in, *out;
    struct buf text = BUF_INIT;
    struct jwk *k;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &k, NULL), 0);
    CU_ASSERT_EQUAL(sjson_parse("{\"serial\":7}", 12, NULL, &in, NULL), 0);
    CU_ASSERT_EQUAL(jws_sign_json(k, "recrypt-roster", in, &text, NULL), 0);
    CU_ASSERT_EQUAL(jws_open_json(buf_str(&text), text.len, k, "recrypt-roster", &out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(json_object_to_json_string_ext(out, 0), "{\"serial\":7}");
    json_object_put(out);
    CU_ASSERT_EQUAL(jws_open_json(buf_str(&text), text.len, k, "recrypt-profile", &out, NULL), ERR_SYNTAX);
    CU_ASSERT_PTR_NULL(out);
    buf_reset(&text);
    CU_ASSERT_EQUAL(jws_sign(k, NULL, "{\"a\":1,\"a\":2}", 13, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(jws_open_json(buf_str(&text), text.len, k, NULL, &out, NULL), ERR_SYNTAX); /* equal names */
    CU_ASSERT_EQUAL(jws_open_json(buf_str(&text), text.len, k, "recrypt-roster", &out, NULL), ERR_SYNTAX); /* no typ */
    json_object_put(in);
    jwk_free(&k);
    buf_free(&text);
}

/* A text with this JSON as protected header and some payload and signature. */
static int with_header(const char *json, const struct jwk *k)
{
    struct buf text = BUF_INIT;
    int r;

    CU_ASSERT_EQUAL(b64url_encode(json, strlen(json), &text), 0);
    CU_ASSERT_EQUAL(buf_puts(&text, "." ED_PAYLOAD "." ED_SIGNATURE), 0);
    r = verify(buf_str(&text), k, NULL);
    buf_free(&text);
    return r;
}

static void test_refused(void)
{
    struct jwk *ed = key(ED_PRIVATE), *x;
    char *long_text = malloc(JWS_TEXT_MAX + 2);
    struct jws j;

    CU_ASSERT_EQUAL(verify("", ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(".", ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify("..", ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD, ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD "." ED_SIGNATURE ".", ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD "." ED_SIGNATURE "\n", ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD "=." ED_SIGNATURE, ed, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD ".", ed, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD ".AAAA", ed, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(verify(ED_HEAD "." ED_PAYLOAD "." ED_SIGNATURE "AA", ed, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(verify(ED_HEAD ".RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmg." ED_SIGNATURE, ed, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\"}", ed), 0);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\" }", ed), ERR_CRYPTO); /* the octets as sent are signed */
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"none\"}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"HS256\"}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"RS256\"}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"ES256\"}", ed), ERR_UNSUPPORTED); /* not this key's */
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"eddsa\"}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\":1}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("[]", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"kid\":1}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"alg\":\"none\"}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"\\u0061lg\":\"none\"}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\\u0000x\":\"none\",\"alg\":\"EdDSA\"}", ed), ERR_SYNTAX);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"crit\":[\"exp\"],\"exp\":1}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"crit\":[]}", ed), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"b64\":false}", ed), ERR_UNSUPPORTED);
    /* a key in the header is not used: still the signature under ed that fails */
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\",\"jwk\":" ED "\"kid\":\"x\"},\"jku\":\"http://localhost/\"}", ed),
                    ERR_CRYPTO);
    CU_ASSERT_EQUAL(verify("{\"payload\":\"" ED_PAYLOAD "\",\"protected\":\"" ED_HEAD
                           "\",\"header\":{\"alg\":\"EdDSA\"},\"signature\":\"" ED_SIGNATURE "\"}",
                           ed, NULL),
                    ERR_SYNTAX); /* alg in both */
    CU_ASSERT_EQUAL(verify("{\"payload\":\"" ED_PAYLOAD
                           "\",\"header\":{\"alg\":\"EdDSA\"},\"signature\":\"" ED_SIGNATURE "\"}",
                           ed, NULL),
                    ERR_SYNTAX); /* nothing protected */
    CU_ASSERT_EQUAL(verify("{\"payload\":\"" ED_PAYLOAD "\",\"signatures\":[]}", ed, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &x, NULL), 0);
    CU_ASSERT_EQUAL(with_header("{\"alg\":\"EdDSA\"}", x), ERR_KEY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(long_text);
    memset(long_text, 'A', JWS_TEXT_MAX + 1);
    CU_ASSERT_EQUAL(jws_parse(long_text, JWS_TEXT_MAX + 1, &j, NULL), ERR_LIMIT);
    free(long_text);
    jwk_free(&ed);
    jwk_free(&x);
}

static void test_bit_flips(void)
{
    static const char good[] = ED_HEAD "." ED_PAYLOAD "." ED_SIGNATURE;
    struct jwk *ed = key(ED_PRIVATE);
    char text[sizeof good];

    for (size_t i = 0; i + 1 < sizeof good; i++) {
        memcpy(text, good, sizeof text);
        text[i] ^= 2;
        CU_ASSERT(verify(text, ed, NULL) < 0);
    }
    jwk_free(&ed);
}

/* With a key of ours: as it says. Without one: the JWS verifies under no key that we take, whatever its header
 * names. */
static void check_signature(struct json_object *t, const struct jwk *k, const struct jwk *const own[2], size_t seen[3])
{
    const char *jws = json_object_get_string(json_object_object_get(t, "jws"));
    int valid = strcmp(json_object_get_string(json_object_object_get(t, "result")), "valid") == 0;

    if (!k) {
        CU_ASSERT(verify(jws, own[0], NULL) < 0 && verify(jws, own[1], NULL) < 0);
        seen[2] += (size_t)valid;
        return;
    }
    if ((verify(jws, k, NULL) == 0) != valid) {
        printf("# %s\n", json_object_to_json_string(t));
        CU_FAIL("not decided as it says");
    }
    seen[!valid]++;
}

static void test_wycheproof(void)
{
    struct json_object *file = vectors_load("wycheproof/json_web_signature_test.json"), *groups;
    const struct jwk *own[2];
    struct jwk *ed, *ec;
    size_t seen[3] = {0}, total = 0; /* verified, refused; valid, but of a key that is not ours */

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    own[0] = ed = key(ED_PRIVATE);
    own[1] = ec = key(EC);
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *group = json_object_array_get_idx(groups, g), *tests, *public;
        struct jwk *k = NULL;
        int r;

        tests = json_object_object_get(group, "tests");
        public = json_object_object_get(group, "public");
        r = jwk_from_json(public ? public : json_object_object_get(group, "private"), &k, NULL);
        /* HMAC, RSA and P-521; a P-256 key for another alg */
        CU_ASSERT(r == 0 || r == ERR_UNSUPPORTED || r == ERR_KEY);
        total += json_object_array_length(tests);
        for (size_t i = 0; i < json_object_array_length(tests); i++)
            check_signature(json_object_array_get_idx(tests, i), k, own, seen);
        jwk_free(&k);
    }
    printf("# Wycheproof JWS: of %zu, %zu verified, %zu invalid refused with our keys; of the others' %zu are valid\n",
           total, seen[0], seen[1], seen[2]);
    CU_ASSERT(total >= 401 && seen[0] >= 2 && seen[1] >= 38 && seen[2] < 46);
    json_object_put(file);
    jwk_free(&ed);
    jwk_free(&ec);
}

/* A group's public key: as JWK, or where there is none as the point (the cases where r is near a modulus). */
static struct jwk *group_key(struct json_object *group)
{
    struct json_object *jwk, *made = NULL;
    struct buf point = BUF_INIT;
    struct jwk *k;

    if (!json_object_object_get_ex(group, "publicKeyJwk", &jwk)) {
        jwk = made = json_object_new_object();
        vectors_hex(
            json_object_get_string(json_object_object_get(json_object_object_get(group, "publicKey"), "uncompressed")),
            &point);
        CU_ASSERT_FATAL(point.len == 65 && point.data[0] == 4 && !sjson_set_string(made, "kty", "EC") &&
                        !sjson_set_string(made, "crv", "P-256") && !sjson_set_b64(made, "x", point.data + 1, 32) &&
                        !sjson_set_b64(made, "y", point.data + 33, 32));
    }
    CU_ASSERT_EQUAL_FATAL(jwk_from_json(jwk, &k, NULL), 0);
    json_object_put(made);
    buf_free(&point);
    return k;
}

/* Bare signatures. A JWS that says nothing but alg, over the message. */
static void run_signatures(const char *path, const char *alg, size_t valid_at_least, size_t invalid_at_least)
{
    struct json_object *file = vectors_load(path), *groups, *tests, *group;
    struct jws j = {json_object_new_object(), BUF_INIT, BUF_INIT, BUF_INIT};
    size_t valid = 0, invalid = 0;
    struct jwk *k;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(sjson_set_string(j.header, "alg", alg), 0);
    groups = json_object_object_get(file, "testGroups");
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        group = json_object_array_get_idx(groups, g);
        k = group_key(group);
        tests = json_object_object_get(group, "tests");
        for (size_t i = 0; i < json_object_array_length(tests); i++) {
            struct json_object *t = json_object_array_get_idx(tests, i);
            int good = strcmp(json_object_get_string(json_object_object_get(t, "result")), "valid") == 0, r;

            buf_reset(&j.signing_input);
            buf_reset(&j.signature);
            vectors_hex(json_object_get_string(json_object_object_get(t, "msg")), &j.signing_input);
            vectors_hex(json_object_get_string(json_object_object_get(t, "sig")), &j.signature);
            r = jws_verify(&j, k, NULL, 0, NULL);
            if (r != (good ? 0 : ERR_CRYPTO))
                printf("# %d: %s\n", r, json_object_to_json_string(t));
            CU_ASSERT_EQUAL(r, good ? 0 : ERR_CRYPTO);
            valid += (size_t)good;
            invalid += (size_t)!good;
        }
        jwk_free(&k);
    }
    printf("# %s: %zu verified, %zu refused\n", path, valid, invalid);
    CU_ASSERT(valid >= valid_at_least && invalid >= invalid_at_least);
    jws_clear(&j);
    json_object_put(file);
}

static void test_signatures(void)
{
    if (!unit_vectors()) {
        unit_skip("no external vectors");
        return;
    }
    run_signatures("wycheproof/ed25519_test.json", "EdDSA", 88, 63);
    run_signatures("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", "ES256", 173, 89);
}

static void test_cookbook(void)
{
    /* RFC 7520 section 4: 4.3 is P-521; 4.1, 4.2 RSA; 4.4 to 4.8 HMAC (4.8: and RSA, P-521). Refused, all of them. */
    static const char *const unsupported[] = {
        "jose-cookbook/jws/4_1.rsa_v15_signature.json", "jose-cookbook/jws/4_2.rsa-pss_signature.json",
        "jose-cookbook/jws/4_3.ecdsa_signature.json", "jose-cookbook/jws/4_4.hmac-sha2_integrity_protection.json",
        "jose-cookbook/jws/4_5.signature_with_detached_content.json"};
    struct json_object *file = vectors_load("jose-cookbook/curve25519/jws.json"), *in, *out;
    struct jwk *k;
    struct jws j;

    if (!file) {
        unit_skip("no external vectors");
        return;
    }
    in = json_object_object_get(file, "input");
    out = json_object_object_get(file, "output");
    CU_ASSERT_EQUAL_FATAL(jwk_from_json(json_object_object_get(in, "key"), &k, NULL), 0);
    CU_ASSERT_EQUAL(verify(json_object_get_string(json_object_object_get(out, "compact")), k, NULL), 0);
    CU_ASSERT_EQUAL(verify(json_object_to_json_string(json_object_object_get(out, "json_flat")), k, NULL), 0);
    jwk_free(&k);
    json_object_put(file);
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        const char *text;

        CU_ASSERT_PTR_NOT_NULL_FATAL(file = vectors_load(unsupported[i]));
        text = json_object_get_string(json_object_object_get(json_object_object_get(file, "output"), "compact"));
        CU_ASSERT_EQUAL(jws_parse(text, strlen(text), &j, NULL), ERR_UNSUPPORTED);
        jws_clear(&j);
        json_object_put(file);
    }
}

/* The nth allocation fails in signing: there is no signature, or one that verifies. The same in verifying: it does, or
 * there is no telling. False when there are fewer. */
static int starved(const struct jwk *k, long n)
{
    struct buf text = BUF_INIT;
    struct jws j = {.header = NULL};
    int r, signed_whole, verified_whole;

    starve(n);
    r = jws_sign(k, NULL, "text", 4, 0, &text, NULL);
    signed_whole = starve_spared();
    CU_ASSERT(r == 0 || r == ERR_SYSTEM);
    if (r) {
        buf_free(&text);
        return 1;
    }
    CU_ASSERT_EQUAL(jws_parse(text.data, text.len, &j, NULL), 0);
    CU_ASSERT_EQUAL(jws_verify(&j, k, NULL, 0, NULL), 0);
    starve(n);
    r = jws_verify(&j, k, NULL, 0, NULL);
    verified_whole = starve_spared();
    CU_ASSERT(r == 0 || r == ERR_SYSTEM);
    jws_clear(&j);
    buf_free(&text);
    return !signed_whole || !verified_whole;
}

static void test_starved(void)
{
    static const char *const types[] = {"Ed25519", "ES256"};

    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(algorithms_prepare(NULL), 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct jwk *k;
        long n = 1;

        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &k, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(jwk_set_kid(k, "k"), 0);
        while (n < 100000 && starved(k, n))
            n++;
        CU_ASSERT(n > 10 && n < 100000);
        jwk_free(&k);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"RFC 7515 A.3, RFC 8037 A.4, detached", test_rfc_vectors},
        {"Ed25519 and ES256 sign and verify", test_round_trip},
        {"signed JSON objects", test_json},
        {"bad input by name", test_refused},
        {"no character may change", test_bit_flips},
        {"Wycheproof json_web_signature", test_wycheproof},
        {"Wycheproof Ed25519 and ECDSA", test_signatures},
        {"RFC 7520 and curve25519 cookbook", test_cookbook},
        {"out of memory: no signature that is none, no judgement", test_starved},
    };
    if (secret_openssl() < 0)
        return 99;
    return unit_main("jws", tests, sizeof tests / sizeof *tests);
}
