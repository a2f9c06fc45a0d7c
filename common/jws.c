/* Making and verifying signatures; jws-parse.c takes texts apart. */
#include "jws.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "b64.h"
#include "jwk-private.h"
#include "sjson.h"

enum { SIGNATURE_LEN = 64, COORD = 32, DER_MAX = 80 };

static const struct sjson_limits payload_limits = {(size_t)16 << 20, 16, 1 << 20};

/* The one algorithm a signature key is for. OpenSSL is not asked: out of memory it would say that it is another. */
static const char *key_alg(const struct jwk *k)
{
    return strcmp(jwk_kty(k), "OKP") == 0 ? "EdDSA" : "ES256";
}

/* ECDSA signatures are r||s in JWS and a DER structure in OpenSSL. */
static int raw_to_der(const unsigned char *raw, unsigned char der[DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, COORD, NULL), *s = BN_bin2bn(raw + COORD, COORD, NULL);
    unsigned char *end = der;
    int len = -1;

    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL;
        len = i2d_ECDSA_SIG(sig, &end);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len;
}

static int der_to_raw(const unsigned char *der, size_t len, unsigned char raw[SIGNATURE_LEN])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    int ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, COORD) == COORD &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + COORD, COORD) == COORD;

    ECDSA_SIG_free(sig);
    return ok;
}

static int sign_octets(const struct jwk *key, const struct buf *input, unsigned char raw[SIGNATURE_LEN], struct err *e)
{
    int eddsa = strcmp(key_alg(key), "EdDSA") == 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[DER_MAX];
    size_t len = eddsa ? SIGNATURE_LEN : sizeof der;
    int ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, eddsa ? NULL : "SHA256", NULL, NULL, jwk_evp(key), NULL) == 1 &&
             EVP_DigestSign(ctx, eddsa ? raw : der, &len, input->data, input->len) == 1 &&
             (eddsa ? len == SIGNATURE_LEN : der_to_raw(der, len, raw));

    EVP_MD_CTX_free(ctx);
    return ok ? 0 : err_set(e, ERR_SYSTEM, "JWS: signing failed");
}

/* The protected header: alg of the key, kid, then what the caller wants. */
static int make_header(const struct jwk *key, struct json_object *extra, struct json_object **out, struct err *e)
{
    struct json_object *h = json_object_new_object();
    char udf[JWK_UDF_SIZE];
    int r = sjson_set_string(h, "alg", key_alg(key));

    *out = NULL;
    if (r == 0 && !sjson_has(extra, "kid")) {
        if (jwk_kid(key))
            r = sjson_set_string(h, "kid", jwk_kid(key));
        else if ((r = jwk_udf(key, udf)) == 0)
            r = sjson_set_string(h, "kid", udf);
    }
    if (r == 0 && extra) {
        json_object_object_foreach(extra, name, value)
        {
            if (r == 0 && strcmp(name, "alg") != 0)
                r = sjson_set_object(h, name, json_object_get(value));
        }
    }
    if (r < 0) {
        json_object_put(h);
        return err_set(e, r, "JWS: no memory for the header");
    }
    *out = h;
    return 0;
}

/* Signs; input gets "header.payload" in base64url, *payload_at the place of the payload in it. */
static int sign_input(const struct jwk *key, struct json_object *extra, const void *payload, size_t len,
                      struct buf *input, size_t *payload_at, unsigned char raw[SIGNATURE_LEN], struct err *e)
{
    struct json_object *header = NULL;
    struct buf text = BUF_INIT;
    int r;

    if (!jwk_is_signature(key) || !jwk_is_private(key))
        return err_set(e, ERR_KEY, "JWS: not a private signature key");
    if ((r = make_header(key, extra, &header, e)) < 0)
        return r;
    if ((r = sjson_write(header, &text)) < 0 || (r = b64url_encode(text.data, text.len, input)) < 0 ||
        (r = buf_puts(input, ".")) < 0)
        err_set(e, r, "JWS: no memory");
    *payload_at = input->len;
    if (r == 0 && (r = b64url_encode(payload, len, input)) < 0)
        err_set(e, r, "JWS: payload of %zu octets", len);
    if (r == 0)
        r = sign_octets(key, input, raw, e);
    json_object_put(header);
    buf_free(&text);
    return r;
}

int jws_sign(const struct jwk *key, struct json_object *header, const void *payload, size_t len, int detached,
             struct buf *out, struct err *e)
{
    unsigned char raw[SIGNATURE_LEN];
    struct buf input = BUF_INIT;
    size_t payload_at;
    int r;

    if ((r = sign_input(key, header, payload, len, &input, &payload_at, raw, e)) < 0)
        goto out;
    if (detached)
        input.len = payload_at;
    if ((r = buf_puts(&input, ".")) < 0 || (r = b64url_encode(raw, sizeof raw, &input)) < 0 ||
        (r = buf_append(out, input.data, input.len)) < 0)
        err_set(e, r, "JWS: no room for the result");
out:
    buf_free(&input);
    return r;
}

int jws_sign_flattened(const struct jwk *key, struct json_object *header, const void *payload, size_t len,
                       struct buf *out, struct err *e)
{
    unsigned char raw[SIGNATURE_LEN];
    struct buf text = BUF_INIT, input = BUF_INIT;
    size_t payload_at;
    int r;

    if ((r = sign_input(key, header, payload, len, &input, &payload_at, raw, e)) < 0)
        goto out;
    if ((r = buf_puts(&text, "{\"payload\":\"")) < 0 ||
        (r = buf_append(&text, input.data + payload_at, input.len - payload_at)) < 0 ||
        (r = buf_puts(&text, "\",\"protected\":\"")) < 0 || (r = buf_append(&text, input.data, payload_at - 1)) < 0 ||
        (r = buf_puts(&text, "\",\"signature\":\"")) < 0 || (r = b64url_encode(raw, sizeof raw, &text)) < 0 ||
        (r = buf_puts(&text, "\"}")) < 0 || (r = buf_append(out, text.data, text.len)) < 0)
        err_set(e, r, "JWS: no room for the result");
out:
    buf_free(&text);
    buf_free(&input);
    return r;
}

/* 1 = verifies, 0 = does not, ERR_SYSTEM = no memory to find out. */
static int verify_octets(const struct jwk *key, const struct buf *signature, const struct buf *input)
{
    int eddsa = strcmp(key_alg(key), "EdDSA") == 0, ok;
    unsigned long denied = secret_openssl_denied();
    unsigned char der[DER_MAX];
    int der_len = eddsa ? SIGNATURE_LEN : raw_to_der(signature->data, der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    ERR_clear_error();
    if (der_len <= 0 || !ctx || /* any numbers fit */
        EVP_DigestVerifyInit_ex(ctx, NULL, eddsa ? NULL : "SHA256", NULL, NULL, jwk_evp(key), NULL) != 1)
        ok = ERR_SYSTEM;
    else
        ok = EVP_DigestVerify(ctx, eddsa ? signature->data : der, (size_t)der_len, input->data, input->len) == 1;
    if (ok == 0 && secret_openssl_denied() != denied)
        ok = ERR_SYSTEM;
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    return ok;
}

static int verify(const struct jwk *key, const struct buf *signature, const struct buf *input, struct err *e)
{
    int ok = verify_octets(key, signature, input);

    if (ok < 0)
        return err_set(e, ok, "JWS: no memory to verify");
    return ok ? 0 : err_set(e, ERR_CRYPTO, "JWS: signature does not verify");
}

int jws_verify(const struct jws *j, const struct jwk *key, const void *content, size_t len, struct err *e)
{
    struct buf input = BUF_INIT;
    const char *alg;
    int r;

    if (!jwk_is_signature(key))
        return err_set(e, ERR_KEY, "JWS: not a signature key");
    if ((r = sjson_string(j->header, "alg", &alg, e)) < 0)
        return r;
    if (strcmp(alg, key_alg(key)) != 0)
        return err_set(e, ERR_UNSUPPORTED, "JWS: algorithm %.40s is not the key's", alg);
    if (j->signature.len != SIGNATURE_LEN || (content && j->payload.len))
        return err_set(e, ERR_CRYPTO, "JWS: signature does not verify");
    if (!content)
        return verify(key, &j->signature, &j->signing_input, e);
    if ((r = buf_append(&input, j->signing_input.data, j->signing_input.len)) < 0 ||
        (r = b64url_encode(content, len, &input)) < 0)
        err_set(e, r, "JWS: no memory for the payload");
    else
        r = verify(key, &j->signature, &input, e);
    buf_free(&input);
    return r;
}

int jws_open_json(const void *text, size_t len, const struct jwk *key, const char *typ, struct json_object **payload,
                  struct err *e)
{
    const char *found;
    struct jws j;
    int r;

    *payload = NULL;
    if ((r = jws_parse(text, len, &j, e)) < 0)
        return r;
    if (typ && ((r = sjson_string(j.header, "typ", &found, e)) < 0 ||
                (strcmp(found, typ) != 0 &&
                 (r = err_set(e, ERR_SYNTAX, "JWS: type %.40s where %s was expected", found, typ)))))
        goto out;
    if ((r = jws_verify(&j, key, NULL, 0, e)) == 0)
        r = sjson_parse(buf_str(&j.payload), j.payload.len, &payload_limits, payload, e);
out:
    jws_clear(&j);
    return r;
}

int jws_sign_json(const struct jwk *key, const char *typ, struct json_object *payload, struct buf *out, struct err *e)
{
    struct json_object *header = json_object_new_object();
    struct buf text = BUF_INIT;
    int r = sjson_set_string(header, "typ", typ);

    if (r < 0 || (r = sjson_write(payload, &text)) < 0)
        err_set(e, r, "JWS: no memory");
    else
        r = jws_sign(key, header, text.data, text.len, 0, out, e);
    json_object_put(header);
    buf_free(&text);
    return r;
}
