/* protect.h - a message's inside: header protection (RFC 9788), the sender's signature, sealing and opening.
 *
 * What was sealed is what opens, octet for octet, line ends included.
 */
#ifndef RECRYPT_PROTECT_H
#define RECRYPT_PROTECT_H

#include "buf.h"
#include "err.h"
#include "jwe.h"
#include "jwk.h"
#include "mime.h"

/* The Cryptographic Payload for a complete message: HP-Outer fields for the outer header that protect_seal writes,
 * hp="cipher" on its Content-Type. Always at least one HP-Outer. Reversible exactly, whatever the octets. ERR_LIMIT
 * when the header with its protection is over MIME_HEADER_MAX; ERR_USAGE when outer_subject is not printable ASCII. */
int protect_wrap(struct span msg, const char *outer_subject, struct buf *payload, struct err *e);
/* Undoes it; a payload that was not made by protect_wrap comes back as it is less its HP-Outer fields. */
int protect_unwrap(struct span payload, struct buf *msg, struct err *e);

/* When a server encrypts a message that came in the clear: does a field of that name stay outside? What protect_seal
 * puts there, and what servers wrote or act on. Content fields and Subject do, with other values. */
int protect_stays_outside(struct span name);

/* multipart/signed; protocol="application/jose": payload and a detached JWS over its exact octets whose protected
 * header has "from" (canonical address of the signer) and "to" (array of key ids the message is encrypted to). */
int protect_sign(const struct buf *payload, const struct jwk *signer, const char *from, const char *const *to, size_t n,
                 struct buf *entity, struct err *e);

enum protect_status {
    PROTECT_UNSIGNED, /* nobody signed */
    PROTECT_SIGNED,   /* verified, signer equals the From inside, and it names the key it came under */
    PROTECT_UNKNOWN,  /* signed by a key that the lookup does not know */
    PROTECT_BAD       /* signature does not verify, signer is not From, or it was made for another group */
};
struct protect_verdict {
    enum protect_status status;
    char from[255]; /* the address the signature claims; "" when unsigned */
    char kid[64];   /* the signing key's UDF as claimed */
    char why[256];  /* for people */
};
/* Finds the public signature key of account whose UDF is kid: 0 (*out owned by the caller), ERR_ABSENT, or another
 * error that is returned as it is. */
typedef int protect_lookup(void *arg, const char *account, const char *kid, struct jwk **out, struct err *e);

/* The whole of sealing: wraps, signs (signer may be NULL), encrypts to the keys, builds the outer message. The outer
 * header has From, To, Cc, Date, Message-ID, In-Reply-To and References of msg (Bcc never), Subject replaced by
 * outer_subject (NULL = "[...]"), MIME-Version and Content-Type. Refuses a message with no From or two, or
 * to be signed and with a header line that is no field (ERR_SYNTAX), with a From outside ASCII (ERR_UNSUPPORTED), or
 * whose signer is not its From (ERR_USAGE). What goes outside of odd octets: doc/formats.md section 1. CRLF. */
int protect_seal(struct span msg, const struct jwk *const *to, size_t n, const struct jwk *signer, const char *from,
                 const char *outer_subject, struct buf *out, struct err *e);

/* The plaintext of a JWE brought back to the message that was sealed, with the verdict. keyid: the key it was opened
 * under. Plaintext from a foreign writer (any MIME entity) comes back as it is, and so does one whose signature frame
 * is broken, as PROTECT_BAD. Errors: the lookup's, ERR_LIMIT, ERR_SYSTEM; then nothing is appended. */
int protect_open(struct span plain, const char *keyid, protect_lookup *lookup, void *arg, struct buf *msg,
                 struct protect_verdict *verdict, struct err *e);

#endif
