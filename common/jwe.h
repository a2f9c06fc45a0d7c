/* jwe.h - JSON Web Encryption (RFC 7516) as this project uses it.
 *
 * Reads general, flattened and compact serialisation, and the detached form (general without "ciphertext": part 1 of a
 * mail, doc/formats.md). Accepted: alg ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A256KW (kty OKP and EC) and the same with kty
 * DH; PBES2-HS512+A256KW only for local files; enc A256GCM, A128GCM, A256CBC-HS512, A128CBC-HS256. Refused: zip, any
 * crit, none, RSA1_5, dir, a parameter in two headers, header-borne keys (jwk, jku, x5u, x5c are ignored, never used).
 */
#ifndef RECRYPT_JWE_H
#define RECRYPT_JWE_H

#include <json-c/json.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "jwk.h"

struct jwe; /* everything but the ciphertext */

enum {
    JWE_TEXT_MAX = 4 << 20, /* octets of JSON without ciphertext */
    JWE_RECIPIENTS_MAX = 16,
    JWE_GRANTS_MAX = 1024, /* of one recipient */
    GRANT_TAG_LEN = 16
};

/* One recryption grant (doc/formats.md section 3). dk is the administrator's statement (compact JWS) or NULL. */
struct grant {
    unsigned char tag[GRANT_TAG_LEN];
    unsigned char value[SUITE_VALUE_MAX];
    size_t value_len;
    char *dk; /* owned */
};
void grant_clear(struct grant *g);
/* {"t":..,"u":..[,"dk":..]} both ways. */
int grant_to_json(const struct grant *g, struct json_object **out, struct err *e);
int grant_from_json(struct json_object *obj, struct grant *out, struct err *e);

/* What one recipient of a JWE says; all pointers are owned by the jwe. */
struct jwe_recipient {
    const char *alg, *enc;
    const char *kid;            /* NULL when absent */
    const struct suite *suite;  /* of the epk */
    const unsigned char *epk;   /* raw public value as in suite.h; syntax checked only, see suite_peer_new */
    size_t epk_len;
    const char *apv;            /* decoded, NUL-ended; NULL when absent or not text */
    const unsigned char *encrypted_key;
    size_t encrypted_key_len;   /* 0 for ECDH-ES direct */
};

/* Parses. With detached, "ciphertext" must be absent; otherwise it is required and *ciphertext (may be NULL only with
 * detached) gets it decoded, appended. Of several recipients those with a foreign algorithm are passed over; when there
 * is no other, ERR_UNSUPPORTED. ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED, ERR_SYSTEM. */
int jwe_parse(const void *text, size_t len, int detached, struct jwe **out, struct buf *ciphertext, struct err *e);

/* The same for a whole JWE in JSON whose text nobody needs afterwards, without a second copy of a long ciphertext:
 * *ciphertext gets it in place of what it has; text is empty or spoilt. */
int jwe_parse_take(struct buf *text, struct jwe **out, struct buf *ciphertext, struct err *e);

/* A whole JWE of which only the beginning is there, up to somewhere in its ciphertext: for jwe_recipient and jwe_grant.
 * In JSON what these need has to stand before "ciphertext"; where it does not, or the text ends elsewhere, ERR_SYNTAX
 * or ERR_UNSUPPORTED. Other errors as jwe_parse. */
int jwe_peek(const void *text, size_t len, struct jwe **out, struct err *e);

/* Parses general or flattened JSON that carries keys only: no "iv", "tag" and "ciphertext" (a .jcd file's header). For
 * jwe_unwrap_key and jwe_unwrap_candidates; jwe_write writes it so again. Errors as jwe_parse. */
int jwe_parse_keys(const void *text, size_t len, struct jwe **out, struct err *e);

size_t jwe_recipients(const struct jwe *j);
/* ERR_UNSUPPORTED when the algorithm or curve of this one of several recipients is not accepted; ERR_ABSENT. */
int jwe_recipient(const struct jwe *j, size_t i, struct jwe_recipient *out, struct err *e);
size_t jwe_grants(const struct jwe *j, size_t i);
int jwe_grant(const struct jwe *j, size_t i, size_t n, struct grant *out, struct err *e);
const char *jwe_cty(const struct jwe *j); /* protected "cty" or NULL */
/* A member of the protected header, or NULL; owned by j. */
struct json_object *jwe_protected(const struct jwe *j, const char *name);

/* Replaces recipient i's grants ("header"."grants", RFC 7516: not part of the AAD). n 0 strips them. */
int jwe_set_grants(struct jwe *j, size_t i, const struct grant *g, size_t n, struct err *e);

/* Takes recipient i out (RFC 7516: "recipients" is not part of the AAD either); those behind it move up. ERR_ABSENT;
 * ERR_LIMIT: it is the only one. */
int jwe_drop_recipient(struct jwe *j, size_t i, struct err *e);

/* Appends general serialisation; with ciphertext NULL the detached form. The protected header's octets are the ones
 * that were parsed. parse -> write -> parse is the identity. */
int jwe_write(const struct jwe *j, const struct buf *ciphertext, struct buf *out, struct err *e);
/* Compact serialisation (one recipient, no grants, all in protected). ERR_UNSUPPORTED otherwise. */
int jwe_write_compact(const struct jwe *j, const struct buf *ciphertext, struct buf *out, struct err *e);

/* What to encrypt with. One recipient: alg, epk, kid and apv = kid go into the protected header. */
struct jwe_options {
    const char *enc;   /* NULL = A256GCM */
    const char *cty;   /* NULL = none */
    const char *typ;   /* NULL = none */
    struct json_object *extra; /* further protected members, borrowed; NULL = none */
};
/* Encrypts to the keys (1 to JWE_RECIPIENTS_MAX; each jwk_kid becomes "kid", thumbprint when it has none).
 * *out and ciphertext (appended) are the result. */
int jwe_encrypt(const struct jwk *const *to, size_t n, const struct jwe_options *opt, const void *plain, size_t len,
                struct jwe **out, struct buf *ciphertext, struct err *e);
/* To one key, compact serialisation appended: for dk, entries in transit, key files. */
int jwe_seal_compact(const struct jwk *to, const struct jwe_options *opt, const void *plain, size_t len,
                     struct buf *out, struct err *e);
int jwe_open_compact(const void *text, size_t len, const struct jwk *key, struct buf *plain, struct err *e);

/* Opens with a whole private key: tries the recipients that name its kid or none. apv, when there, must be the kid of
 * the recipient. Nothing is appended to plain unless the tag verified. ERR_CRYPTO for every failure to open;
 * ERR_KEY when no recipient is for this key. */
int jwe_decrypt(const struct jwe *j, const struct jwk *key, const struct buf *ciphertext, struct buf *plain,
                struct err *e);
/* Opens recipient i with shared-secret candidates (suite_combine's output): all are tried, always, and the outcome
 * tells nothing of which. */
int jwe_decrypt_candidates(const struct jwe *j, size_t i, const unsigned char *candidates, size_t count,
                           const struct buf *ciphertext, struct buf *plain, struct err *e);

/* The content key alone, for content that is encrypted elsewhere under it (.jcd). Its integrity is that of the AES key
 * wrap, so these take ECDH-ES+A256KW only (ERR_UNSUPPORTED), and enc is A256GCM, cek 32 octets.
 * jwe_wrap_key: as jwe_encrypt, for a key that the caller made at random. jwe_unwrap_*: as jwe_decrypt and
 * jwe_decrypt_candidates; the key is appended to cek only on success. */
int jwe_wrap_key(const struct jwk *const *to, size_t n, const struct jwe_options *opt, const unsigned char *cek,
                 size_t cek_len, struct jwe **out, struct err *e);
int jwe_unwrap_key(const struct jwe *j, const struct jwk *key, struct buf *cek, struct err *e);
int jwe_unwrap_candidates(const struct jwe *j, size_t i, const unsigned char *candidates, size_t count,
                          struct buf *cek, struct err *e);

/* PBES2-HS512+A256KW compact, for key files at rest only. iterations accepted on opening: 1000 to 10,000,000. */
int jwe_seal_passphrase(const char *pass, const void *plain, size_t len, struct buf *out, struct err *e);
int jwe_open_passphrase(const char *pass, const void *text, size_t len, struct buf *plain, struct err *e);

void jwe_free(struct jwe **j);

#endif
