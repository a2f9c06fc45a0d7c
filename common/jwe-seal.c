/* Making a JWE: headers, keys for each recipient, content. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "jwe-private.h"
#include "sjson.h"

static const char key_alg[] = "ECDH-ES+A256KW";
static const char default_enc[] = "A256GCM";

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "JWE: no memory");
}

/* typ, cty and what the caller adds. */
static int common_header(const struct jwe_options *opt, const char *enc, struct json_object *h, struct err *e)
{
    static const char *const ours[] = {"alg", "enc", "epk", "kid", "apu", "apv", "typ", "cty", "crit", "zip", "grants"};

    if (sjson_set_string(h, "enc", enc) < 0 || (opt && opt->typ && sjson_set_string(h, "typ", opt->typ) < 0) ||
        (opt && opt->cty && sjson_set_string(h, "cty", opt->cty) < 0))
        return no_memory(e);
    if (!opt || !opt->extra)
        return 0;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (sjson_has(opt->extra, ours[i]))
            return err_set(e, ERR_USAGE, "JWE: \"%s\" is not the caller's to set", ours[i]);
    json_object_object_foreach(opt->extra, name, value)
    {
        if (sjson_set_object(h, name, json_object_get(value)) < 0)
            return no_memory(e);
    }
    return 0;
}

/* alg, epk, kid and apv of one recipient. */
static int key_header(const struct jwk *to, const struct suite_key *ephemeral, struct json_object *h, struct err *e)
{
    const struct suite *s = suite_key_suite(ephemeral);
    const unsigned char *pub = suite_key_public(ephemeral);
    struct json_object *epk = json_object_new_object();
    char thumbprint[JWK_THUMBPRINT_SIZE];
    const char *kid = jwk_kid(to);
    int ec = strcmp(suite_kty(s), "EC") == 0;
    size_t len = ec ? suite_pub_len(s) / 2 : suite_pub_len(s);

    if (!kid && jwk_thumbprint(to, thumbprint) == 0)
        kid = thumbprint;
    if (!kid || sjson_set_string(epk, "kty", suite_kty(s)) < 0 || sjson_set_string(epk, "crv", suite_name(s)) < 0 ||
        sjson_set_b64(epk, "x", pub, len) < 0 || (ec && sjson_set_b64(epk, "y", pub + len, len) < 0)) {
        json_object_put(epk);
        return no_memory(e);
    }
    if (sjson_set_object(h, "epk", epk) < 0 || sjson_set_string(h, "alg", key_alg) < 0 ||
        sjson_set_string(h, "kid", kid) < 0 || sjson_set_b64(h, "apv", kid, strlen(kid)) < 0)
        return no_memory(e);
    return 0;
}

/* A fresh ephemeral key for to, its header parameters, and the value agreed on. */
static int agree_with(const struct jwk *to, struct json_object *h, unsigned char *z, struct err *e)
{
    struct suite_key *ephemeral = NULL;
    struct suite_peer *peer = NULL;
    const unsigned char *pub;
    size_t len;
    int r;

    if (!jwk_suite(to))
        return err_set(e, ERR_KEY, "JWE: not a key to encrypt to");
    pub = jwk_public(to, &len);
    if ((r = suite_peer_new(jwk_suite(to), pub, len, &peer, e)) == 0 &&
        (r = suite_generate(jwk_suite(to), &ephemeral, e)) == 0 && (r = suite_agree(ephemeral, peer, z, e)) == 0)
        r = key_header(to, ephemeral, h, e);
    suite_key_free(&ephemeral);
    suite_peer_free(&peer);
    return r;
}

/* The content key under what was agreed with recipient i, whose headers were read. */
static int wrap_for(struct jwe *j, size_t i, const unsigned char *z, const unsigned char *cek, struct err *e)
{
    unsigned char kek[JWE_CEK_MAX], wrapped[JWE_CEK_MAX + JWE_WRAP_EXTRA];
    struct jwe_to *to = &j->to[i];
    int ok = jwe_derive(to->alg, j->enc, z, suite_value_len(to->suite), &to->apu, &to->apv, kek) == 0 &&
             jwe_key_wrap(kek, to->alg->kek_len, cek, j->enc->cek_len, wrapped);

    buf_reset(&to->encrypted_key);
    if (ok)
        ok = buf_append(&to->encrypted_key, wrapped, j->enc->cek_len + JWE_WRAP_EXTRA) == 0;
    secret_wipe(kek, sizeof kek);
    return ok ? 0 : err_set(e, ERR_SYSTEM, "JWE: key wrap failed");
}

/* The protected header as text: from here on its octets are fixed. */
static int fix_protected(struct jwe *j, struct err *e)
{
    struct buf json = BUF_INIT;
    int r = sjson_write(j->prot, &json);

    if (r == 0)
        r = b64url_encode(json.data, json.len, &j->protected_text);
    buf_free(&json);
    return r < 0 ? no_memory(e) : 0;
}

static int new_jwe(size_t n, struct jwe **out, struct err *e)
{
    struct jwe *j = calloc(1, sizeof *j);

    *out = j;
    if (!j || !(j->to = calloc(n, sizeof *j->to)) || !(j->prot = json_object_new_object())) {
        if (j)
            jwe_free(out);
        return no_memory(e);
    }
    j->count = n;
    return 0;
}

/* Headers and wrapped keys; the content key is the caller's. */
static int make_keys(const struct jwk *const *to, size_t n, const struct jwe_options *opt, const struct jwe_enc *enc,
                     const unsigned char *cek, struct jwe **out, struct err *e)
{
    unsigned char(*z)[SUITE_VALUE_MAX] = NULL;
    struct jwe *j = NULL;
    int r;

    *out = NULL;
    if (n == 0 || n > JWE_RECIPIENTS_MAX)
        return err_set(e, n ? ERR_LIMIT : ERR_USAGE, "JWE: %zu recipients", n);
    if ((r = new_jwe(n, &j, e)) < 0)
        return r;
    if (!(z = secret_alloc(n * sizeof *z))) {
        r = no_memory(e);
        goto out;
    }
    if ((r = common_header(opt, enc->name, j->prot, e)) < 0)
        goto out;
    for (size_t i = 0; i < n; i++) {
        struct json_object *h = j->prot;

        /* placeholder of the right length, since the headers are read before the keys can be wrapped */
        if ((r = buf_append(&j->to[i].encrypted_key, z[i], enc->cek_len + JWE_WRAP_EXTRA)) < 0 ||
            (n > 1 && !(h = j->to[i].header = json_object_new_object()))) {
            r = no_memory(e);
            goto out;
        }
        if ((r = agree_with(to[i], h, z[i], e)) < 0)
            goto out;
    }
    if ((r = fix_protected(j, e)) < 0 || (r = jwe_read_headers(j, 0, e)) < 0)
        goto out;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = wrap_for(j, i, z[i], cek, e);
out:
    secret_free(z, n * sizeof *z);
    if (r < 0)
        jwe_free(&j);
    *out = j;
    return r;
}

static int seal_content(struct jwe *j, const unsigned char *cek, const void *plain, size_t len, struct buf *ciphertext,
                        struct err *e)
{
    struct buf aad = BUF_INIT;
    int r = jwe_aad(j, &aad);

    if (r == 0)
        r = jwe_content_seal(j->enc, cek, &aad, plain, len, &j->iv, ciphertext, &j->tag);
    buf_free(&aad);
    return r < 0 ? err_set(e, r, "JWE: content of %zu octets", len) : 0;
}

int jwe_encrypt(const struct jwk *const *to, size_t n, const struct jwe_options *opt, const void *plain, size_t len,
                struct jwe **out, struct buf *ciphertext, struct err *e)
{
    const struct jwe_enc *enc = jwe_enc_find(opt && opt->enc ? opt->enc : default_enc);
    unsigned char cek[JWE_CEK_MAX];
    int r;

    *out = NULL;
    if (!enc)
        return err_set(e, ERR_UNSUPPORTED, "JWE: content encryption %.40s", opt->enc);
    if (RAND_priv_bytes(cek, (int)enc->cek_len) != 1)
        return err_set(e, ERR_SYSTEM, "JWE: no random octets");
    if ((r = make_keys(to, n, opt, enc, cek, out, e)) == 0 &&
        (r = seal_content(*out, cek, plain, len, ciphertext, e)) < 0)
        jwe_free(out);
    secret_wipe(cek, sizeof cek);
    return r;
}

int jwe_wrap_key(const struct jwk *const *to, size_t n, const struct jwe_options *opt, const unsigned char *cek,
                 size_t cek_len, struct jwe **out, struct err *e)
{
    const struct jwe_enc *enc = jwe_enc_find(default_enc);

    *out = NULL;
    if ((opt && opt->enc && strcmp(opt->enc, default_enc) != 0) || cek_len != enc->cek_len)
        return err_set(e, ERR_UNSUPPORTED, "JWE: a key alone is for %s", default_enc);
    return make_keys(to, n, opt, enc, cek, out, e);
}

int jwe_seal_compact(const struct jwk *to, const struct jwe_options *opt, const void *plain, size_t len,
                     struct buf *out, struct err *e)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j;
    int r = jwe_encrypt(&to, 1, opt, plain, len, &j, &ciphertext, e);

    if (r == 0)
        r = jwe_write_compact(j, &ciphertext, out, e);
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}
