/* Keys read from JSON and written to it. */
#include <string.h>

#include "b64.h"
#include "buf.h"
#include "jwk-private.h"
#include "sjson.h"

static const struct sjson_limits jwk_limits = {16384, 8, 256};

struct use_name {
    const char *name;
    unsigned uses;
};

static const struct use_name by_use[] = {{"enc", JWK_ENC}, {"sig", JWK_SIG}, {NULL, 0}};
static const struct use_name by_alg[] = {{"EdDSA", JWK_SIG},          {"ES256", JWK_SIG},          {"ECDH-ES", JWK_ENC},
                                         {"ECDH-ES+A128KW", JWK_ENC}, {"ECDH-ES+A256KW", JWK_ENC}, {NULL, 0}};
static const struct use_name by_ops[] = {
    {"sign", JWK_SIG}, {"verify", JWK_SIG}, {"deriveKey", JWK_ENC}, {"deriveBits", JWK_ENC}, {NULL, 0}};

static unsigned uses_of(const struct use_name *table, const char *name)
{
    while (table->name && strcmp(table->name, name) != 0)
        table++;
    return table->uses;
}

/* Narrows *uses to what a string member permits. */
static int narrow(struct json_object *obj, const char *member, const struct use_name *table, unsigned *uses,
                  struct err *e)
{
    const char *name;
    int r;

    if (!sjson_has(obj, member))
        return 0;
    if ((r = sjson_string(obj, member, &name, e)) < 0)
        return r;
    if (!uses_of(table, name))
        return err_set(e, ERR_UNSUPPORTED, "key with \"%s\" %.40s", member, name);
    *uses &= uses_of(table, name);
    return 0;
}

/* What a key may do: what its curve can, narrowed by "use", "alg" and "key_ops". */
static int permitted(struct json_object *obj, unsigned *uses, struct err *e)
{
    struct json_object *ops;
    unsigned listed = 0;
    int r;

    if ((r = narrow(obj, "use", by_use, uses, e)) < 0 || (r = narrow(obj, "alg", by_alg, uses, e)) < 0)
        return r;
    if (sjson_has(obj, "key_ops")) {
        if ((r = sjson_array(obj, "key_ops", &ops, e)) < 0)
            return r;
        for (size_t i = 0; i < json_object_array_length(ops); i++) {
            struct json_object *op = json_object_array_get_idx(ops, i);

            if (!json_object_is_type(op, json_type_string))
                return err_set(e, ERR_SYNTAX, "\"key_ops\" is not an array of strings");
            listed |= uses_of(by_ops, json_object_get_string(op));
        }
        *uses &= listed;
    }
    return *uses ? 0 : err_set(e, ERR_KEY, "key is not for what its type is good for");
}

/* A base64url member of exactly len octets. */
static int fixed(struct json_object *obj, const char *name, size_t len, struct buf *out, struct err *e)
{
    size_t before = out->len;
    int r = sjson_b64(obj, name, out, e);

    if (r == 0 && out->len - before != len)
        r = err_set(e, ERR_KEY, "key member \"%s\" has %zu octets instead of %zu", name, out->len - before, len);
    return r;
}

static int identify(struct json_object *obj, const struct suite **suite, unsigned *uses, struct err *e)
{
    const char *kty, *crv;
    int r;

    if ((r = sjson_string(obj, "kty", &kty, e)) < 0)
        return r;
    if (strcmp(kty, "OKP") != 0 && strcmp(kty, "EC") != 0 && strcmp(kty, "DH") != 0)
        return err_set(e, ERR_UNSUPPORTED, "key type %.40s", kty);
    if ((r = sjson_string(obj, "crv", &crv, e)) < 0)
        return r;
    *suite = suite_by_name(crv);
    *uses = JWK_ENC;
    if (strcmp(crv, "Ed25519") == 0 && strcmp(kty, "OKP") == 0)
        *uses = JWK_SIG;
    else if (!*suite || strcmp(suite_kty(*suite), kty) != 0)
        return err_set(e, ERR_UNSUPPORTED, "key type %.40s with curve %.40s", kty, crv);
    else if (strcmp(kty, "EC") == 0)
        *uses |= JWK_SIG;
    return permitted(obj, uses, e);
}

static int read_public(struct json_object *obj, const struct suite *suite, struct buf *out, struct err *e)
{
    int r;

    if (!suite || strcmp(suite_kty(suite), "EC") != 0)
        return fixed(obj, "x", suite ? suite_pub_len(suite) : ED25519_LEN, out, e);
    r = fixed(obj, "x", P256_COORD, out, e);
    return r < 0 ? r : fixed(obj, "y", P256_COORD, out, e);
}

int jwk_read_public(struct json_object *obj, const struct suite **suite, unsigned char out[SUITE_PUB_MAX], size_t *len,
                    struct err *e)
{
    struct buf pub = BUF_INIT;
    unsigned uses;
    int r;

    *suite = NULL;
    *len = 0;
    if ((r = identify(obj, suite, &uses, e)) < 0)
        return r;
    if (!*suite || !(uses & JWK_ENC))
        return err_set(e, ERR_KEY, "not a key to encrypt to");
    if (sjson_has(obj, "d"))
        return err_set(e, ERR_KEY, "a private key");
    if ((r = read_public(obj, *suite, &pub, e)) == 0) {
        memcpy(out, pub.data, pub.len);
        *len = pub.len;
    }
    buf_free(&pub);
    return r;
}

int jwk_from_json(struct json_object *obj, struct jwk **out, struct err *e)
{
    struct buf pub = BUF_INIT, priv = BUF_INIT;
    const struct suite *suite = NULL;
    const char *kid = NULL;
    unsigned uses;
    int r;

    *out = NULL;
    if ((r = identify(obj, &suite, &uses, e)) < 0)
        return r;
    if ((r = read_public(obj, suite, &pub, e)) < 0)
        goto out;
    if (sjson_has(obj, "d") && (r = fixed(obj, "d", suite ? suite_priv_len(suite) : ED25519_LEN, &priv, e)) < 0)
        goto out;
    if (sjson_has(obj, "kid") && (r = sjson_string(obj, "kid", &kid, e)) < 0)
        goto out;
    if ((r = jwk_build(suite, uses, pub.data, priv.data, out, e)) < 0)
        goto out;
    if ((r = jwk_set_kid(*out, kid)) < 0) {
        jwk_free(out);
        r = err_set(e, r, "key: no memory");
    }
out:
    buf_free(&pub);
    buf_free(&priv);
    return r;
}

int jwk_parse(const void *text, size_t len, struct jwk **out, struct err *e)
{
    struct json_object *obj;
    int r;

    *out = NULL;
    if ((r = sjson_parse(text, len, &jwk_limits, &obj, e)) < 0)
        return r;
    r = jwk_from_json(obj, out, e);
    sjson_free_secret(&obj);
    return r;
}

int jwk_to_json(const struct jwk *k, int with_private, struct json_object **out, struct err *e)
{
    int ec = strcmp(jwk_kty(k), "EC") == 0;
    struct json_object *obj = json_object_new_object();
    int r = sjson_set_string(obj, "kty", jwk_kty(k));

    *out = NULL;
    if (r == 0)
        r = sjson_set_string(obj, "crv", jwk_crv(k));
    if (r == 0)
        r = sjson_set_b64(obj, "x", k->pub, ec ? P256_COORD : k->pub_len);
    if (r == 0 && ec)
        r = sjson_set_b64(obj, "y", k->pub + P256_COORD, P256_COORD);
    if (r == 0 && with_private && k->seed)
        r = sjson_set_b64(obj, "d", k->seed, ED25519_LEN);
    if (r == 0 && with_private && k->key)
        r = sjson_set_b64(obj, "d", suite_key_private(k->key), suite_priv_len(k->suite));
    if (r == 0 && ec && k->uses != (JWK_ENC | JWK_SIG))
        r = sjson_set_string(obj, "use", k->uses == JWK_SIG ? "sig" : "enc");
    if (r == 0 && k->kid)
        r = sjson_set_string(obj, "kid", k->kid);
    if (r < 0) {
        sjson_free_secret(&obj);
        return err_set(e, r, "key: no memory");
    }
    *out = obj;
    return 0;
}
