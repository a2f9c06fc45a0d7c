/* Opening: from an agreed value to the content key to the content. */
#include "jwe.h"

#include <openssl/rand.h>
#include <string.h>

#include "b64.h"
#include "jwe-private.h"
#include "sjson.h"

static int failed(struct err *e)
{
    return err_set(e, ERR_CRYPTO, "JWE: does not open with this key");
}

/* The content key that an agreed value gives. *good says whether the key wrap's own check passed; when not, the key is
 * random, so that what follows takes the same way. */
static int content_key(const struct jwe *j, const struct jwe_to *to, const unsigned char *z, unsigned char *cek,
                       int *good, struct err *e)
{
    unsigned char kek[JWE_CEK_MAX];
    int r = jwe_derive(to->alg, j->enc, z, suite_value_len(to->suite), &to->apu, &to->apv, kek);

    *good = 1;
    if (r < 0 || RAND_bytes(cek, (int)j->enc->cek_len) != 1)
        r = err_set(e, ERR_SYSTEM, "JWE: key derivation failed");
    else if (to->alg->kek_len)
        *good = jwe_key_unwrap(kek, to->alg->kek_len, to->encrypted_key.data, to->encrypted_key.len, cek);
    else
        memcpy(cek, kek, j->enc->cek_len);
    secret_wipe(kek, sizeof kek);
    return r;
}

/* Opens the content under one key; *result gets the first that succeeds. */
static int try_content(const struct jwe *j, const unsigned char *cek, const struct buf *aad,
                       const struct buf *ciphertext, struct buf *result, int *found, struct err *e)
{
    struct buf one = {NULL, 0, 0, result->max};
    int r = jwe_content_open(j->enc, cek, &j->iv, aad, ciphertext, &j->tag, &one);

    if (r == 0 && !*found) {
        struct buf spare = *result;

        *result = one;
        one = spare;
        *found = 1;
    }
    buf_free(&one);
    if (r < 0 && r != ERR_CRYPTO)
        return err_set(e, r, "JWE: content of %zu octets", ciphertext->len);
    return 0;
}

/* All candidates in full, whatever the first ones gave. */
static int open_candidates(const struct jwe *j, const struct jwe_to *to, const unsigned char *candidates, size_t count,
                           const struct buf *ciphertext, struct buf *plain, struct err *e)
{
    struct buf aad = BUF_INIT, result = {NULL, 0, 0, plain->max};
    unsigned long denied = secret_openssl_denied();
    unsigned char cek[JWE_CEK_MAX];
    int r, found = 0, good;

    if ((r = jwe_aad(j, &aad)) < 0)
        err_set(e, r, "JWE: no memory");
    for (size_t c = 0; r == 0 && c < count; c++)
        if ((r = content_key(j, to, candidates + c * suite_value_len(to->suite), cek, &good, e)) == 0)
            r = try_content(j, cek, &aad, ciphertext, &result, &found, e);
    if (r == 0 && !found)
        r = secret_openssl_judged(failed(e), denied, "JWE", e);
    if (r == 0 && plain->len == 0) { /* the usual case: no second copy of a large message */
        buf_free(plain);
        plain->data = result.data;
        plain->len = result.len;
        plain->size = result.size;
        result.data = NULL;
        result.len = result.size = 0;
    } else if (r == 0 && (r = buf_append(plain, buf_str(&result), result.len)) < 0) {
        err_set(e, r, "JWE: no room for the content");
    }
    secret_wipe(cek, sizeof cek);
    buf_free(&aad);
    buf_free(&result);
    return r;
}

/* The recipient's name is bound into the derived key: another one there means another key was meant. */
static int names_agree(const struct jwe_to *to, const char *kid)
{
    const char *want = to->kid ? to->kid : kid;

    return !to->has_apv || !want || (to->apv.len == strlen(want) && memcmp(buf_str(&to->apv), want, to->apv.len) == 0);
}

static const struct jwe_to *usable(const struct jwe *j, size_t i, struct err *e)
{
    struct jwe_recipient r;

    if (jwe_recipient(j, i, &r, e) < 0)
        return NULL;
    if (!r.suite) {
        err_set(e, ERR_UNSUPPORTED, "JWE: under a passphrase");
        return NULL;
    }
    return &j->to[i];
}

int jwe_decrypt_candidates(const struct jwe *j, size_t i, const unsigned char *candidates, size_t count,
                           const struct buf *ciphertext, struct buf *plain, struct err *e)
{
    struct err local;
    const struct jwe_to *to = usable(j, i, &local);

    if (!to) {
        if (e)
            *e = local;
        return local.code;
    }
    return names_agree(to, NULL) ? open_candidates(j, to, candidates, count, ciphertext, plain, e) : failed(e);
}

/* Whether recipient to may be meant for key: same suite, and its kid the key's or not given. A key that was given no
 * kid goes by its thumbprint, and by any name. */
static int meant_for(const struct jwe_to *to, const struct jwk *key)
{
    char thumbprint[JWK_THUMBPRINT_SIZE];

    if (!to->alg || !to->suite || to->suite != jwk_suite(key))
        return 0;
    if (!to->kid || !jwk_kid(key) || strcmp(to->kid, jwk_kid(key)) == 0)
        return 1;
    return jwk_thumbprint(key, thumbprint) == 0 && strcmp(to->kid, thumbprint) == 0;
}

/* The agreed value of key and recipient's epk. */
static int agree(const struct jwe_to *to, const struct jwk *key, unsigned char *z)
{
    struct suite_peer *peer = NULL;
    int r = suite_peer_new(to->suite, to->epk.data, to->epk.len, &peer, NULL);

    if (r == 0)
        r = suite_agree(jwk_suite_key(key), peer, z, NULL);
    suite_peer_free(&peer);
    return r;
}

/* Runs step for each recipient that key may open, until one succeeds or fails for another reason than the key. */
typedef int open_step(const struct jwe *j, const struct jwe_to *to, const unsigned char *z,
                      const struct buf *ciphertext, struct buf *out, struct err *e);

static int with_key(const struct jwe *j, const struct jwk *key, open_step *step, const struct buf *ciphertext,
                    struct buf *out, struct err *e)
{
    unsigned long denied = secret_openssl_denied();
    unsigned char z[SUITE_VALUE_MAX];
    int r = ERR_KEY;

    if (!jwk_suite_key(key))
        return err_set(e, ERR_KEY, "JWE: not a private key for decryption");
    for (size_t i = 0; i < j->count && (r == ERR_KEY || r == ERR_CRYPTO); i++) {
        const struct jwe_to *to = &j->to[i];

        if (!meant_for(to, key))
            continue;
        if (!names_agree(to, jwk_kid(key)) || (r = agree(to, key, z)) == ERR_KEY)
            r = failed(e);
        else if (r < 0)
            r = err_set(e, r, "JWE: key agreement failed");
        else
            r = step(j, to, z, ciphertext, out, e);
    }
    secret_wipe(z, sizeof z);
    if (r == ERR_KEY)
        err_set(e, r, "JWE: no recipient is for this key");
    return secret_openssl_judged(r, denied, "JWE", e);
}

static int decrypt_step(const struct jwe *j, const struct jwe_to *to, const unsigned char *z,
                        const struct buf *ciphertext, struct buf *out, struct err *e)
{
    return open_candidates(j, to, z, 1, ciphertext, out, e);
}

int jwe_decrypt(const struct jwe *j, const struct jwk *key, const struct buf *ciphertext, struct buf *plain,
                struct err *e)
{
    return with_key(j, key, decrypt_step, ciphertext, plain, e);
}

/* to becomes from when take is 1, stays when it is 0; the same work for both. */
static void select_key(unsigned char *to, const unsigned char *from, size_t len, int take)
{
    unsigned char mask = (unsigned char)(0U - (unsigned)take);

    for (size_t i = 0; i < len; i++)
        to[i] = (unsigned char)((to[i] & ~mask) | (from[i] & mask));
}

/* The content key when exactly one candidate passes the key wrap's check. */
static int unwrap(const struct jwe *j, const struct jwe_to *to, const unsigned char *candidates, size_t count,
                  struct buf *cek, struct err *e)
{
    unsigned char one[JWE_CEK_MAX], chosen[JWE_CEK_MAX] = {0};
    unsigned long denied = secret_openssl_denied();
    int r = 0, good, found = 0;

    if (strcmp(to->alg->name, "ECDH-ES+A256KW") != 0 || strcmp(j->enc->name, "A256GCM") != 0)
        return err_set(e, ERR_UNSUPPORTED, "JWE: key wrapped with %s for %s", to->alg->name, j->enc->name);
    for (size_t c = 0; r == 0 && c < count; c++) {
        r = content_key(j, to, candidates + c * suite_value_len(to->suite), one, &good, e);
        if (r == 0) {
            select_key(chosen, one, j->enc->cek_len, good);
            found += good;
        }
    }
    if (r == 0 && found != 1)
        r = secret_openssl_judged(failed(e), denied, "JWE", e);
    if (r == 0 && (r = buf_append(cek, chosen, j->enc->cek_len)) < 0)
        err_set(e, r, "JWE: no room for the key");
    secret_wipe(one, sizeof one);
    secret_wipe(chosen, sizeof chosen);
    return r;
}

static int unwrap_step(const struct jwe *j, const struct jwe_to *to, const unsigned char *z,
                       const struct buf *ciphertext, struct buf *out, struct err *e)
{
    (void)ciphertext;
    return unwrap(j, to, z, 1, out, e);
}

int jwe_unwrap_key(const struct jwe *j, const struct jwk *key, struct buf *cek, struct err *e)
{
    return with_key(j, key, unwrap_step, NULL, cek, e);
}

int jwe_unwrap_candidates(const struct jwe *j, size_t i, const unsigned char *candidates, size_t count, struct buf *cek,
                          struct err *e)
{
    struct err local;
    const struct jwe_to *to = usable(j, i, &local);

    if (!to) {
        if (e)
            *e = local;
        return local.code;
    }
    return names_agree(to, NULL) ? unwrap(j, to, candidates, count, cek, e) : failed(e);
}

int jwe_open_compact(const void *text, size_t len, const struct jwk *key, struct buf *plain, struct err *e)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j;
    int r;

    if (len == 0 || memchr("{ \t\r\n", *(const char *)text, 5))
        return err_set(e, ERR_SYNTAX, "JWE: not in compact form");
    if ((r = jwe_parse(text, len, 0, &j, &ciphertext, e)) == 0)
        r = jwe_decrypt(j, key, &ciphertext, plain, e);
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}
