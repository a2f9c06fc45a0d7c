/* jwe-private.h - inside of a struct jwe, and the primitives of RFC 7518 sections 4 and 5; for jwe*.c only. */
#ifndef RECRYPT_JWE_PRIVATE_H
#define RECRYPT_JWE_PRIVATE_H

#include "jwe.h"

enum { JWE_CEK_MAX = 64, JWE_KEK_MAX = 32, JWE_IV_MAX = 16, JWE_TAG_MAX = 32, JWE_WRAP_EXTRA = 8 };

/* A content encryption algorithm. */
struct jwe_enc {
    const char *name;
    size_t cek_len, iv_len, tag_len;
    const char *cipher; /* OpenSSL's name */
    const char *digest; /* of CBC-HS; NULL for GCM */
};
const struct jwe_enc *jwe_enc_find(const char *name); /* NULL = not accepted */

/* A key management algorithm; kek_len 0 = the agreed key is the content key. */
struct jwe_alg {
    const char *name;
    size_t kek_len;
    int passphrase;
};
const struct jwe_alg *jwe_alg_find(const char *name);

struct jwe_to {
    struct json_object *header; /* per-recipient, NULL when none */
    struct buf encrypted_key;
    const struct jwe_alg *alg; /* NULL: not accepted, why says it */
    const struct suite *suite; /* of the epk; NULL for a passphrase */
    struct buf epk, apu, apv;
    int has_apv;
    const char *kid; /* owned by one of the headers */
    struct err why;
};

struct jwe {
    struct buf protected_text; /* base64url as received or made; empty when there is none */
    struct json_object *prot;  /* what it says */
    struct json_object *unprotected;
    struct buf aad_text; /* base64url of "aad" */
    int has_aad;
    const struct jwe_enc *enc;
    struct buf iv, tag; /* empty when only keys are carried */
    size_t count;
    struct jwe_to *to;
};

/* What jwe_parse_as expects beside keys and headers; BEGINNING is jwe_peek's, for which iv and tag may be missing. */
enum jwe_form { JWE_WHOLE, JWE_DETACHED, JWE_KEYS_ONLY, JWE_BEGINNING };
int jwe_parse_as(const void *text, size_t len, enum jwe_form form, int passphrase, struct jwe **out,
                 struct buf *ciphertext, struct err *e);
/* Reads the headers of a jwe whose parts were filled: everything that jwe_parse checks. */
int jwe_read_headers(struct jwe *j, int passphrase, struct err *e);

/* A header parameter of recipient i, wherever it stands; NULL when absent. */
struct json_object *jwe_param(const struct jwe *j, size_t i, const char *name);

/* AAD of RFC 7516 section 5.1 step 14. */
int jwe_aad(const struct jwe *j, struct buf *out);

/* Encrypts; ciphertext is appended, iv and tag are set. */
int jwe_content_seal(const struct jwe_enc *enc, const unsigned char *cek, const struct buf *aad, const void *plain,
                     size_t len, struct buf *iv, struct buf *ciphertext, struct buf *tag);
/* Appends the plaintext only when the tag verified. 0, ERR_CRYPTO, ERR_LIMIT, ERR_SYSTEM. */
int jwe_content_open(const struct jwe_enc *enc, const unsigned char *cek, const struct buf *iv, const struct buf *aad,
                     const struct buf *ciphertext, const struct buf *tag, struct buf *plain);

/* Concat KDF (RFC 7518 section 4.6): kek, or the content key for ECDH-ES. */
int jwe_derive(const struct jwe_alg *alg, const struct jwe_enc *enc, const unsigned char *z, size_t z_len,
               const struct buf *apu, const struct buf *apv, unsigned char *key);
/* AES key wrap (RFC 3394); out has len + 8 octets, or len - 8. Return 1 when it went well. */
int jwe_key_wrap(const unsigned char *kek, size_t kek_len, const unsigned char *key, size_t len, unsigned char *out);
int jwe_key_unwrap(const unsigned char *kek, size_t kek_len, const unsigned char *wrapped, size_t len,
                   unsigned char *out);

/* kek of PBES2-HS512+A256KW. */
int jwe_passphrase_kek(const char *pass, const struct buf *salt, int64_t iterations, unsigned char *kek);

#endif
