#include "algorithms.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <stddef.h>

/* has_TYPE(name): there is one of that name. */
#define HAS(TYPE, PREFIX, PROPERTIES)                                         \
    static int has_##TYPE(const char *name)                                   \
    {                                                                         \
        PREFIX##_##TYPE *a = PREFIX##_##TYPE##_fetch(NULL, name, PROPERTIES); \
        int there = a != NULL;                                                \
                                                                              \
        PREFIX##_##TYPE##_free(a);                                            \
        return there;                                                         \
    }

HAS(MD, EVP, NULL)
HAS(CIPHER, EVP, NULL)
HAS(MAC, EVP, NULL)
HAS(KDF, EVP, NULL)
HAS(RAND, EVP, NULL)
HAS(KEYMGMT, EVP, NULL)
HAS(KEYEXCH, EVP, NULL)
HAS(SIGNATURE, EVP, NULL)
HAS(ASYM_CIPHER, EVP, NULL)
HAS(ENCODER, OSSL, "output=der,structure=SubjectPublicKeyInfo")
HAS(DECODER, OSSL, "input=der,structure=SubjectPublicKeyInfo")

struct algorithm {
    int (*is_there)(const char *name);
    const char *kind, *name;
};

/* What both uses have need of. */
static const struct algorithm shared[] = {
    {has_MD, "digest", "SHA2-256"},
    {has_MD, "digest", "SHA2-512"},
    {has_CIPHER, "cipher", "AES-256-GCM"},
    {has_CIPHER, "cipher", "AES-128-GCM"},
    {has_CIPHER, "cipher", "AES-256-CBC"},
    {has_CIPHER, "cipher", "AES-128-CBC"},
    {has_CIPHER, "cipher", "AES-256-CTR"}, /* the random generators' */
    {has_MAC, "MAC", "HMAC"},
    {has_RAND, "random generator", "CTR-DRBG"},
    {has_RAND, "random generator", "SEED-SRC"},
    {has_KEYMGMT, "kind of key", "X25519"},
    {has_KEYMGMT, "kind of key", "X448"},
    {has_KEYMGMT, "kind of key", "EC"},
    {has_KEYMGMT, "kind of key", "DH"},
    {has_KEYMGMT, "kind of key", "ED25519"},
    {has_KEYEXCH, "key agreement", "X25519"},
    {has_KEYEXCH, "key agreement", "X448"},
    {has_KEYEXCH, "key agreement", "ECDH"},
    {has_KEYEXCH, "key agreement", "DH"},
    {has_SIGNATURE, "signature", "ED25519"},
    {has_SIGNATURE, "signature", "ECDSA"},
    {NULL, NULL, NULL},
};

static const struct algorithm own[] = {
    {has_CIPHER, "cipher", "AES-256-WRAP"},
    {has_CIPHER, "cipher", "AES-128-WRAP"},
    {has_CIPHER, "cipher", "AES-256-ECB"},
    {has_KDF, "key derivation", "SSKDF"},
    {has_KDF, "key derivation", "HKDF"},
    {has_KDF, "key derivation", "PBKDF2"},
    {has_ENCODER, "encoder of keys", "X25519"},
    {has_ENCODER, "encoder of keys", "X448"},
    {has_ENCODER, "encoder of keys", "EC"},
    {has_ENCODER, "encoder of keys", "ED25519"},
    {NULL, NULL, NULL},
};

static const struct algorithm tls[] = {
    {has_MD, "digest", "SHA2-384"},
    {has_CIPHER, "cipher", "CHACHA20-POLY1305"},
    {has_KDF, "key derivation", "TLS13-KDF"},
    {has_KDF, "key derivation", "TLS1-PRF"},
    {has_KEYMGMT, "kind of key", "RSA"},
    {has_KEYMGMT, "kind of key", "RSA-PSS"},
    {has_SIGNATURE, "signature", "RSA"},
    {has_ASYM_CIPHER, "encryption", "RSA"},
    {has_DECODER, "decoder of keys", "RSA"},
    {has_DECODER, "decoder of keys", "EC"},
    {has_DECODER, "decoder of keys", "ED25519"},
    {NULL, NULL, NULL},
};

static int missing(struct err *e, const char *kind, const char *name)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    err_set(e, ERR_SYSTEM, "OpenSSL has no %s %s: %s", kind, name, reason ? reason : "it does not say why");
    ERR_clear_error();
    return ERR_SYSTEM;
}

static int look(const struct algorithm *a, struct err *e)
{
    for (; a->is_there; a++)
        if (!a->is_there(a->name))
            return missing(e, a->kind, a->name);
    return 0;
}

static int prepare(const struct algorithm *more, struct err *e)
{
    unsigned char octet;
    int r;

    /* Its configuration is read once, too. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
        return missing(e, "configuration", "of its own");
    if ((r = look(shared, e)) < 0 || (r = look(more, e)) < 0)
        return r;
    if (RAND_bytes(&octet, 1) != 1 || RAND_priv_bytes(&octet, 1) != 1)
        return missing(e, "random", "numbers");
    return 0;
}

int algorithms_prepare(struct err *e)
{
    return prepare(own, e);
}

int algorithms_prepare_tls(struct err *e)
{
    return prepare(tls, e);
}
