/* The primitives of RFC 7518 sections 4 and 5 over OpenSSL's. */
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

#include "jwe-private.h"

enum { GCM_TAG = 16, BLOCK = 16 };

static const struct jwe_enc encs[] = {
    {"A256GCM", 32, 12, GCM_TAG, "AES-256-GCM", NULL},
    {"A128GCM", 16, 12, GCM_TAG, "AES-128-GCM", NULL},
    {"A256CBC-HS512", 64, 16, 32, "AES-256-CBC", "SHA512"},
    {"A128CBC-HS256", 32, 16, 16, "AES-128-CBC", "SHA256"},
};

static const struct jwe_alg algs[] = {
    {"ECDH-ES+A256KW", 32, 0},
    {"ECDH-ES+A128KW", 16, 0},
    {"ECDH-ES", 0, 0},
    {"PBES2-HS512+A256KW", 32, 1},
};

const struct jwe_enc *jwe_enc_find(const char *name)
{
    for (size_t i = 0; i < sizeof encs / sizeof *encs; i++)
        if (strcmp(encs[i].name, name) == 0)
            return &encs[i];
    return NULL;
}

const struct jwe_alg *jwe_alg_find(const char *name)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
        if (strcmp(algs[i].name, name) == 0)
            return &algs[i];
    return NULL;
}

static void put32(unsigned char *to, size_t v)
{
    to[0] = (unsigned char)(v >> 24);
    to[1] = (unsigned char)(v >> 16);
    to[2] = (unsigned char)(v >> 8);
    to[3] = (unsigned char)v;
}

static int append_counted(struct buf *b, const void *data, size_t len)
{
    unsigned char n[4];
    int r;

    put32(n, len);
    if ((r = buf_append(b, n, sizeof n)) < 0)
        return r;
    return len ? buf_append(b, data, len) : 0;
}

int jwe_derive(const struct jwe_alg *alg, const struct jwe_enc *enc, const unsigned char *z, size_t z_len,
               const struct buf *apu, const struct buf *apv, unsigned char *key)
{
    const char *id = alg->kek_len ? alg->name : enc->name;
    size_t key_len = alg->kek_len ? alg->kek_len : enc->cek_len;
    struct buf info = BUF_INIT;
    unsigned char bits[4];
    OSSL_PARAM params[4];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    int r = ERR_SYSTEM;

    put32(bits, key_len * 8);
    if (!ctx || append_counted(&info, id, strlen(id)) < 0 || append_counted(&info, apu->data, apu->len) < 0 ||
        append_counted(&info, apv->data, apv->len) < 0 || buf_append(&info, bits, sizeof bits) < 0)
        goto out;
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)z, z_len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data, info.len);
    params[3] = OSSL_PARAM_construct_end();
    if (EVP_KDF_derive(ctx, key, key_len, params) == 1)
        r = 0;
out:
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    buf_free(&info);
    return r;
}

int jwe_passphrase_kek(const char *pass, const struct buf *salt, int64_t iterations, unsigned char *kek)
{
    if (strlen(pass) > INT_MAX || salt->len > INT_MAX || iterations > INT_MAX)
        return ERR_LIMIT;
    return PKCS5_PBKDF2_HMAC(pass, (int)strlen(pass), salt->data, (int)salt->len, (int)iterations, EVP_sha512(),
                             JWE_KEK_MAX, kek) == 1
               ? 0
               : ERR_SYSTEM;
}

static int wrap(int encrypt, const unsigned char *kek, size_t kek_len, const unsigned char *in, size_t len,
                unsigned char *out, size_t out_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char room[JWE_CEK_MAX + 2 * JWE_WRAP_EXTRA];
    int n = 0, last = 0, ok = 0;

    if (ctx && len <= JWE_CEK_MAX + JWE_WRAP_EXTRA) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        ok = EVP_CipherInit_ex(ctx, kek_len == 32 ? EVP_aes_256_wrap() : EVP_aes_128_wrap(), NULL, kek, NULL,
                               encrypt) == 1 &&
             EVP_CipherUpdate(ctx, room, &n, in, (int)len) == 1 && EVP_CipherFinal_ex(ctx, room + n, &last) == 1 &&
             (size_t)(n + last) == out_len;
    }
    if (ok)
        memcpy(out, room, out_len);
    secret_wipe(room, sizeof room);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int jwe_key_wrap(const unsigned char *kek, size_t kek_len, const unsigned char *key, size_t len, unsigned char *out)
{
    return wrap(1, kek, kek_len, key, len, out, len + JWE_WRAP_EXTRA);
}

int jwe_key_unwrap(const unsigned char *kek, size_t kek_len, const unsigned char *wrapped, size_t len,
                   unsigned char *out)
{
    return len > JWE_WRAP_EXTRA && wrap(0, kek, kek_len, wrapped, len, out, len - JWE_WRAP_EXTRA);
}

/* The tag of CBC-HS (RFC 7518 section 5.2.2.1): the first half of HMAC over AAD, IV, ciphertext and AAD's bits. */
static int cbc_tag(const struct jwe_enc *enc, const unsigned char *cek, const struct buf *aad, const struct buf *iv,
                   const unsigned char *ciphertext, size_t len, unsigned char tag[JWE_TAG_MAX])
{
    unsigned char full[2 * JWE_TAG_MAX], bits[8];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    OSSL_PARAM params[2];
    char digest[16];
    size_t n = 0;
    int ok;

    memset(bits, 0, 4);
    put32(bits, aad->len >> 29);
    put32(bits + 4, aad->len << 3);
    memcpy(digest, enc->digest, strlen(enc->digest) + 1);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    ok = ctx && EVP_MAC_init(ctx, cek, enc->cek_len / 2, params) == 1 &&
         EVP_MAC_update(ctx, (const unsigned char *)buf_str(aad), aad->len) == 1 &&
         EVP_MAC_update(ctx, iv->data, iv->len) == 1 && EVP_MAC_update(ctx, ciphertext, len) == 1 &&
         EVP_MAC_update(ctx, bits, sizeof bits) == 1 && EVP_MAC_final(ctx, full, &n, sizeof full) == 1 &&
         n >= enc->tag_len;
    if (ok)
        memcpy(tag, full, enc->tag_len);
    secret_wipe(full, sizeof full);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok;
}

/* One pass of the cipher. to has room for len and a block. tag: GCM's, made or checked; NULL with CBC. */
static int cipher(int encrypt, const struct jwe_enc *enc, const unsigned char *key, const struct buf *iv,
                  const struct buf *aad, const unsigned char *in, size_t len, unsigned char *to, size_t *to_len,
                  unsigned char *tag)
{
    EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, enc->cipher, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0, skip, ok;

    ok = type && ctx && EVP_CipherInit_ex2(ctx, type, key, iv->data, encrypt, NULL) == 1;
    if (ok && tag && aad->len)
        ok = EVP_CipherUpdate(ctx, NULL, &skip, aad->data, (int)aad->len) == 1;
    if (ok && len)
        ok = EVP_CipherUpdate(ctx, to, &n, in, (int)len) == 1;
    if (ok && tag && !encrypt)
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1;
    if (ok)
        ok = EVP_CipherFinal_ex(ctx, to + n, &last) == 1;
    if (ok && tag && encrypt)
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) == 1;
    *to_len = (size_t)n + (size_t)last;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(type);
    return ok;
}

int jwe_content_seal(const struct jwe_enc *enc, const unsigned char *cek, const struct buf *aad, const void *plain,
                     size_t len, struct buf *iv, struct buf *ciphertext, struct buf *tag)
{
    const unsigned char *key = enc->digest ? cek + enc->cek_len / 2 : cek;
    unsigned char random[JWE_IV_MAX], made[JWE_TAG_MAX];
    size_t n = 0, room = enc->digest ? len + BLOCK : len;
    int r;

    if (len > INT_MAX - BLOCK || aad->len > INT_MAX)
        return ERR_LIMIT;
    if (RAND_bytes(random, (int)enc->iv_len) != 1)
        return ERR_SYSTEM;
    buf_reset(iv);
    buf_reset(tag);
    if ((r = buf_append(iv, random, enc->iv_len)) < 0 || (r = buf_reserve(ciphertext, room)) < 0)
        return r;
    if (!cipher(1, enc, key, iv, aad, plain, len, ciphertext->data + ciphertext->len, &n, enc->digest ? NULL : made) ||
        (enc->digest && !cbc_tag(enc, cek, aad, iv, ciphertext->data + ciphertext->len, n, made)) ||
        buf_append(tag, made, enc->tag_len) < 0)
        return ERR_SYSTEM;
    ciphertext->len += n;
    ciphertext->data[ciphertext->len] = 0;
    return 0;
}

int jwe_content_open(const struct jwe_enc *enc, const unsigned char *cek, const struct buf *iv, const struct buf *aad,
                     const struct buf *ciphertext, const struct buf *tag, struct buf *plain)
{
    const unsigned char *key = enc->digest ? cek + enc->cek_len / 2 : cek;
    const unsigned char *in = (const unsigned char *)buf_str(ciphertext);
    unsigned char expect[JWE_TAG_MAX];
    size_t n = 0, room = enc->digest ? ciphertext->len + BLOCK : ciphertext->len;
    int r;

    if (ciphertext->len > INT_MAX - BLOCK || aad->len > INT_MAX)
        return ERR_LIMIT;
    if (iv->len != enc->iv_len || tag->len != enc->tag_len)
        return ERR_CRYPTO;
    if ((r = buf_reserve(plain, room)) < 0)
        return r;
    if (enc->digest) { /* nothing is decrypted before the tag is known to be good */
        if (!cbc_tag(enc, cek, aad, iv, in, ciphertext->len, expect))
            return ERR_SYSTEM;
        if (CRYPTO_memcmp(expect, tag->data, enc->tag_len) != 0)
            return ERR_CRYPTO;
    } else {
        memcpy(expect, tag->data, enc->tag_len);
    }
    if (!cipher(0, enc, key, iv, aad, in, ciphertext->len, plain->data + plain->len, &n, enc->digest ? NULL : expect)) {
        plain->data[plain->len] = 0; /* what was decrypted for nothing is wiped with the buffer, as what was not */
        return ERR_CRYPTO;
    }
    plain->len += n;
    plain->data[plain->len] = 0;
    return 0;
}
