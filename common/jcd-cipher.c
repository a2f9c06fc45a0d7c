#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "jcd-private.h"
#include "sjson.h"

int jcd_header_read(const struct buf *text, struct buf *protected, size_t *chunk, struct err *e)
{
    static const struct sjson_limits limits = {JCD_HEADER_MAX, 16, 65536};
    struct json_object *obj = NULL, *inner = NULL;
    struct buf decoded = BUF_INIT;
    const char *b64, *typ;
    int64_t size;
    int r;

    if ((r = sjson_parse(text->data, text->len, &limits, &obj, e)) < 0 ||
        (r = sjson_string(obj, "protected", &b64, e)) < 0 || (r = sjson_b64(obj, "protected", &decoded, e)) < 0 ||
        (r = sjson_parse(decoded.data, decoded.len, &limits, &inner, e)) < 0)
        goto out;
    if (sjson_string(inner, "typ", &typ, NULL) < 0 || strcmp(typ, "jcd") != 0 ||
        sjson_int(inner, "chunk", &size, NULL) < 0 || size < 1 || size > JCD_CHUNK_MAX) {
        r = err_set(e, ERR_UNSUPPORTED, "not a controlled document of a kind that is known here");
        goto out;
    }
    *chunk = (size_t)size;
    if (buf_puts(protected, b64) < 0)
        r = err_errno(e, "out of memory");
out:
    json_object_put(obj);
    json_object_put(inner);
    buf_free(&decoded);
    return r;
}

static int hkdf(const unsigned char *key, unsigned char out[32])
{
    static char digest[] = "SHA256", info[] = "jcd trailer";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, JCD_KEY_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info - 1),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int ok = ctx && EVP_KDF_derive(ctx, out, 32, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

int jcd_cipher_start(struct jcd_cipher *c, const unsigned char key[JCD_KEY_LEN], struct err *e)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    unsigned char mac_key[32];
    int ok;

    c->gcm = EVP_CIPHER_CTX_new();
    c->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    ok = c->gcm && c->mac && hkdf(key, mac_key) && EVP_MAC_init(c->mac, mac_key, sizeof mac_key, params) == 1 &&
         EVP_MAC_update(c->mac, c->protected.data, c->protected.len) == 1 &&
         EVP_CipherInit_ex2(c->gcm, EVP_aes_256_gcm(), key, NULL, 1, NULL) == 1;
    secret_wipe(mac_key, sizeof mac_key);
    EVP_MAC_free(hmac);
    return ok ? 0 : err_set(e, ERR_SYSTEM, "cannot prepare the document's cipher");
}

/* Nonce: the chunk's place, and whether it is the last. */
static int begin_chunk(struct jcd_cipher *c, int seal, int last)
{
    unsigned char nonce[12] = {0};
    int n;

    for (int i = 0; i < 8; i++)
        nonce[10 - i] = (unsigned char)(c->count >> (8 * i));
    nonce[11] = last ? 1 : 0;
    return EVP_CipherInit_ex2(c->gcm, NULL, NULL, nonce, seal, NULL) == 1 &&
           EVP_CipherUpdate(c->gcm, NULL, &n, c->protected.data, (int)c->protected.len) == 1;
}

static void chunk_done(struct jcd_cipher *c, size_t plain)
{
    c->count++;
    c->octets += plain;
}

int jcd_chunk_seal(struct jcd_cipher *c, const unsigned char *in, size_t len, int last, unsigned char *out,
                   struct err *e)
{
    unsigned char *tag = out + len;
    int n = 0;

    if (!begin_chunk(c, 1, last) || (len && EVP_CipherUpdate(c->gcm, out, &n, in, (int)len) != 1) ||
        EVP_CipherFinal_ex(c->gcm, out + n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_AEAD_GET_TAG, JCD_TAG_LEN, tag) != 1 ||
        EVP_MAC_update(c->mac, tag, JCD_TAG_LEN) != 1)
        return err_set(e, ERR_SYSTEM, "cannot encrypt a part of the document");
    chunk_done(c, len);
    return 0;
}

int jcd_chunk_open(struct jcd_cipher *c, const unsigned char *in, size_t len, int last, unsigned char *out,
                   struct err *e)
{
    unsigned char tag[JCD_TAG_LEN];
    size_t plain;
    int n = 0;

    if (len < JCD_TAG_LEN)
        return err_set(e, ERR_SYNTAX, "a part of the document is too short");
    plain = len - JCD_TAG_LEN;
    memcpy(tag, in + plain, sizeof tag);
    if (!begin_chunk(c, 0, last) || (plain && EVP_CipherUpdate(c->gcm, out, &n, in, (int)plain) != 1) ||
        EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_AEAD_SET_TAG, JCD_TAG_LEN, tag) != 1 ||
        EVP_MAC_update(c->mac, tag, JCD_TAG_LEN) != 1) {
        secret_wipe(out, plain);
        return err_set(e, ERR_SYSTEM, "cannot decrypt a part of the document");
    }
    if (EVP_CipherFinal_ex(c->gcm, out + n, &n) != 1) {
        secret_wipe(out, plain);
        return err_set(e, ERR_CRYPTO, "the document is damaged: part %llu does not verify",
                       (unsigned long long)c->count + 1);
    }
    chunk_done(c, plain);
    return 0;
}

int jcd_cipher_mac(struct jcd_cipher *c, unsigned char mac[32], struct err *e)
{
    size_t len;

    if (EVP_MAC_final(c->mac, mac, &len, 32) != 1 || len != 32)
        return err_set(e, ERR_SYSTEM, "cannot finish the document");
    return 0;
}

void jcd_cipher_clear(struct jcd_cipher *c)
{
    EVP_CIPHER_CTX_free(c->gcm);
    EVP_MAC_CTX_free(c->mac);
    buf_free(&c->protected);
    memset(c, 0, sizeof *c);
}
