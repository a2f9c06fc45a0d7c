/* Key files under a passphrase: PBES2-HS512+A256KW (RFC 7518 section 4.8), never from the network. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "jwe-private.h"
#include "sjson.h"

enum {
    ITERATIONS = 600000,
    ITERATIONS_MIN = 1000,
    ITERATIONS_MAX = 10000000,
    SALT_LEN = 16,
    SALT_MIN = 8,
    SALT_MAX = 256
};

static const char alg[] = "PBES2-HS512+A256KW";

static int make_header(struct jwe *j, const unsigned char *salt)
{
    struct buf json = BUF_INIT;
    int r;

    if (!(j->prot = json_object_new_object()) || (r = sjson_set_string(j->prot, "alg", alg)) < 0 ||
        (r = sjson_set_string(j->prot, "enc", "A256GCM")) < 0 ||
        (r = sjson_set_b64(j->prot, "p2s", salt, SALT_LEN)) < 0 ||
        (r = sjson_set_int(j->prot, "p2c", ITERATIONS)) < 0 || (r = sjson_set_string(j->prot, "cty", "jwk+json")) < 0 ||
        (r = sjson_write(j->prot, &json)) < 0 || (r = b64url_encode(json.data, json.len, &j->protected_text)) < 0)
        r = ERR_SYSTEM;
    buf_free(&json);
    return r;
}

/* The key encryption key for what the header says: PBKDF2 over "alg NUL p2s". */
static int header_kek(const struct jwe *j, const char *pass, unsigned char *kek, struct err *e)
{
    struct buf salt = BUF_INIT;
    int64_t iterations;
    size_t p2s;
    int r;

    if ((r = buf_append(&salt, alg, sizeof alg)) < 0) {
        err_set(e, r, "JWE: no memory");
    } else if ((r = sjson_b64(j->prot, "p2s", &salt, e)) == 0 && (r = sjson_int(j->prot, "p2c", &iterations, e)) == 0) {
        p2s = salt.len - sizeof alg;
        if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX)
            r = err_set(e, ERR_LIMIT, "JWE: \"p2c\" outside %d to %d", (int)ITERATIONS_MIN, (int)ITERATIONS_MAX);
        else if (p2s < SALT_MIN || p2s > SALT_MAX)
            r = err_set(e, ERR_LIMIT, "JWE: \"p2s\" of %zu octets", p2s);
        else if ((r = jwe_passphrase_kek(pass, &salt, iterations, kek)) < 0)
            err_set(e, r, "JWE: no key from the passphrase");
    }
    buf_free(&salt);
    return r;
}

static int seal(struct jwe *j, const char *pass, const void *plain, size_t len, struct buf *out, struct err *e)
{
    unsigned char salt[SALT_LEN], cek[JWE_CEK_MAX], kek[JWE_KEK_MAX], wrapped[JWE_CEK_MAX + JWE_WRAP_EXTRA];
    struct buf ciphertext = BUF_INIT, aad = BUF_INIT;
    size_t cek_len;
    int r;

    j->enc = jwe_enc_find("A256GCM");
    cek_len = j->enc->cek_len;
    if (!(j->to = calloc(1, sizeof *j->to)) || RAND_bytes(salt, sizeof salt) != 1 ||
        RAND_priv_bytes(cek, (int)cek_len) != 1 || make_header(j, salt) < 0) {
        r = err_set(e, ERR_SYSTEM, "JWE: no memory or no random octets");
        goto out;
    }
    j->count = 1;
    if ((r = header_kek(j, pass, kek, e)) < 0)
        goto out;
    if (!jwe_key_wrap(kek, sizeof kek, cek, cek_len, wrapped) ||
        buf_append(&j->to[0].encrypted_key, wrapped, cek_len + JWE_WRAP_EXTRA) < 0 || jwe_aad(j, &aad) < 0 ||
        jwe_content_seal(j->enc, cek, &aad, plain, len, &j->iv, &ciphertext, &j->tag) < 0)
        r = err_set(e, ERR_SYSTEM, "JWE: encryption failed");
    else
        r = jwe_write_compact(j, &ciphertext, out, e);
out:
    secret_wipe(cek, sizeof cek);
    secret_wipe(kek, sizeof kek);
    buf_free(&ciphertext);
    buf_free(&aad);
    return r;
}

int jwe_seal_passphrase(const char *pass, const void *plain, size_t len, struct buf *out, struct err *e)
{
    struct jwe *j = calloc(1, sizeof *j);
    int r;

    if (!j)
        return err_errno(e, "JWE");
    r = seal(j, pass, plain, len, out, e);
    jwe_free(&j);
    return r;
}

int jwe_open_passphrase(const char *pass, const void *text, size_t len, struct buf *plain, struct err *e)
{
    unsigned char kek[JWE_KEK_MAX] = {0}, cek[JWE_CEK_MAX];
    struct buf ciphertext = BUF_INIT, aad = BUF_INIT;
    struct jwe *j;
    int r;

    if ((r = jwe_parse_as(text, len, JWE_WHOLE, 1, &j, &ciphertext, e)) < 0)
        goto out;
    if ((r = header_kek(j, pass, kek, e)) < 0)
        goto out;
    if (!jwe_key_unwrap(kek, sizeof kek, j->to[0].encrypted_key.data, j->to[0].encrypted_key.len, cek))
        r = err_set(e, ERR_CRYPTO, "wrong passphrase, or the file is damaged");
    else if ((r = jwe_aad(j, &aad)) < 0)
        err_set(e, r, "JWE: no memory");
    else if ((r = jwe_content_open(j->enc, cek, &j->iv, &aad, &ciphertext, &j->tag, plain)) < 0)
        err_set(e, r, "wrong passphrase, or the file is damaged");
out:
    secret_wipe(kek, sizeof kek);
    secret_wipe(cek, sizeof cek);
    jwe_free(&j);
    buf_free(&ciphertext);
    buf_free(&aad);
    return r;
}
