#include "records.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records-private.h"

/* The store is read in one piece, and only what recryptd wrote is in it: the caps are against damage. */
static const struct sjson_limits limits = {KEYSTORE_VALUE_MAX, 16, 1 << 20};

int records_result(struct records *r, int rc)
{
    if (rc == ERR_SYSTEM && keystore_broken(r->ks))
        r->broken = 1;
    return rc;
}

int records_key(const char *first, const char *second, struct buf *out)
{
    int rc = buf_append(out, first, strlen(first) + 1);

    return rc ? rc : buf_puts(out, second);
}

int records_parse(const void *value, size_t len, struct json_object **out, struct err *e)
{
    int64_t version;
    int rc = sjson_parse(value, len, &limits, out, e);

    rc = rc ? rc : sjson_int(*out, "v", &version, e);
    if (!rc && version != 1)
        rc = err_set(e, ERR_UNSUPPORTED, "a record of version %lld", (long long)version);
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

int records_get(struct records *r, enum keystore_table t, const void *key, size_t len, struct json_object **out,
                struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = records_result(r, keystore_get(r->ks, t, key, len, &value, e));

    *out = NULL;
    rc = rc ? rc : records_parse(value.data, value.len, out, e);
    buf_free(&value);
    return rc;
}

int records_put(struct records *r, enum keystore_table t, const void *key, size_t len, struct json_object *obj,
                struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = sjson_write(obj, &value);

    if (rc)
        err_set(e, rc, "cannot write a record");
    rc = rc ? rc : records_result(r, keystore_put(r->ks, t, key, len, value.data, value.len, e));
    buf_free(&value);
    return rc;
}

int records_text(struct json_object *obj, const char *name, char *out, size_t size, struct err *e)
{
    const char *text;
    int rc = sjson_string(obj, name, &text, e);

    if (!rc && strlen(text) >= size)
        rc = err_set(e, ERR_SYNTAX, "%s: too long", name);
    if (!rc)
        memcpy(out, text, strlen(text) + 1);
    return rc;
}

struct json_object *records_object(void)
{
    struct json_object *obj = json_object_new_object();

    if (obj && sjson_set_int(obj, "v", 1)) {
        json_object_put(obj);
        obj = NULL;
    }
    return obj;
}

/* ---- opening ---- */

static int meta_get(struct records *r, const char *name, struct buf *out, struct err *e)
{
    return records_result(r, keystore_get(r->ks, KEYSTORE_META, name, strlen(name), out, e));
}

static int bind_service(struct records *r, const char *udf, struct err *e)
{
    int rc = records_begin(r, e);

    if (rc)
        return rc;
    rc = records_result(r, keystore_put(r->ks, KEYSTORE_META, "service", 7, udf, strlen(udf), e));
    if (rc) {
        records_abort(r);
        return rc;
    }
    return records_commit(r, e);
}

int records_open(struct records *r, struct keystore *ks, const char *service_udf, const unsigned char storage[32],
                 int bind, struct err *e)
{
    struct buf value = BUF_INIT;
    int rc;

    memset(r, 0, sizeof *r);
    r->ks = ks;
    memcpy(r->storage, storage, sizeof r->storage);
    rc = meta_get(r, "service", &value, e);
    if (rc == ERR_ABSENT && bind)
        rc = bind_service(r, service_udf, e);
    else if (!rc && strcmp(buf_str(&value), service_udf))
        rc = err_set(e, ERR_KEY, "the keystore was written under service key %s, this one is %s", buf_str(&value),
                     service_udf);
    if (rc)
        goto out;
    buf_reset(&value);
    rc = meta_get(r, "restored", &value, e);
    if (rc == ERR_ABSENT)
        rc = 0;
    else if (!rc && (value.len >= sizeof r->restored || strlen(buf_str(&value)) != value.len))
        rc = err_set(e, ERR_SYNTAX, "META \"restored\" is not a short text");
    else if (!rc)
        memcpy(r->restored, buf_str(&value), value.len + 1);
out:
    buf_free(&value);
    return rc;
}

void records_close(struct records *r)
{
    secret_wipe(r->storage, sizeof r->storage);
    r->ks = NULL;
}

int records_begin(struct records *r, struct err *e)
{
    return records_result(r, keystore_begin(r->ks, e));
}

int records_commit(struct records *r, struct err *e)
{
    return records_result(r, keystore_commit(r->ks, e));
}

void records_abort(struct records *r)
{
    keystore_abort(r->ks);
}

/* ---- secrets at rest ---- */

enum { NONCE_LEN = 12, TAG_LEN = 16 };

static int cipher(const struct records *r, int encrypt, const unsigned char *nonce, const struct buf *aad,
                  const unsigned char *in, size_t len, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n, ok;

    ok = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, r->storage, nonce, encrypt) &&
         EVP_CipherUpdate(ctx, NULL, &n, aad->data, (int)aad->len) && EVP_CipherUpdate(ctx, out, &n, in, (int)len) &&
         (encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag)) &&
         EVP_CipherFinal_ex(ctx, out + len, &n) &&
         (!encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag));
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : ERR_CRYPTO;
}

static int make_aad(enum keystore_table t, const struct buf *key, struct buf *out)
{
    unsigned char table = (unsigned char)t;
    int rc = buf_append(out, &table, 1);

    return rc ? rc : buf_append(out, key->data, key->len);
}

int records_seal(const struct records *r, enum keystore_table t, const struct buf *key, const void *secret, size_t len,
                 struct buf *out, struct err *e)
{
    unsigned char nonce[NONCE_LEN];
    struct buf aad = BUF_INIT;
    int rc = make_aad(t, key, &aad);

    if (RAND_bytes(nonce, sizeof nonce) != 1)
        rc = ERR_SYSTEM;
    rc = rc ? rc : buf_append(out, nonce, sizeof nonce);
    rc = rc ? rc : buf_reserve(out, len + TAG_LEN);
    if (!rc) {
        unsigned char *to = out->data + out->len;

        rc = cipher(r, 1, nonce, &aad, secret, len, to, to + len);
        out->len += rc ? 0 : len + TAG_LEN;
    }
    buf_free(&aad);
    return rc ? err_set(e, ERR_SYSTEM, "cannot encrypt a record's secrets") : 0;
}

int records_unseal(const struct records *r, enum keystore_table t, const struct buf *key, const struct buf *sealed,
                   struct buf *out, struct err *e)
{
    unsigned char tag[TAG_LEN];
    struct buf aad = BUF_INIT;
    size_t len;
    int rc;

    if (sealed->len < NONCE_LEN + TAG_LEN)
        return err_set(e, ERR_SYNTAX, "a record's secrets are cut short");
    len = sealed->len - NONCE_LEN - TAG_LEN;
    memcpy(tag, sealed->data + NONCE_LEN + len, TAG_LEN);
    rc = make_aad(t, key, &aad);
    rc = rc ? rc : buf_reserve(out, len + 1);
    if (rc)
        rc = err_set(e, ERR_SYSTEM, "out of memory");
    else if (cipher(r, 0, sealed->data, &aad, sealed->data + NONCE_LEN, len, out->data + out->len, tag))
        rc = err_set(e, ERR_CRYPTO, "a record's secrets do not open under this service's storage key");
    else
        out->len += len;
    buf_free(&aad);
    return rc;
}
