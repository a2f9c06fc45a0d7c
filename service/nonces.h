/* nonces.h - what a signed request must repeat: random, single use, 300 seconds (doc/protocol.md section 1).
 *
 * A nonce carries its own proof (HMAC under a key of this process), so that giving one out costs no memory; only those
 * that a verified request used up are kept, until they would have expired.
 */
#ifndef RECRYPT_NONCES_H
#define RECRYPT_NONCES_H

#include <stdint.h>

#include "common/err.h"

enum { NONCE_SIZE = 44, NONCE_SECONDS = 300, NONCES_KEPT = 65536 };

struct nonces;
int nonces_new(struct nonces **out, struct err *e);
int nonces_issue(const struct nonces *n, int64_t now, char out[NONCE_SIZE], struct err *e);
/* 0, or ERR_STALE: not from here, expired, or used. */
int nonces_check(const struct nonces *n, const char *nonce, int64_t now, struct err *e);
/* As check, and uses it up. ERR_RETRY when too many were used within the time. */
int nonces_use(struct nonces *n, const char *nonce, int64_t now, struct err *e);
void nonces_free(struct nonces **n);

#endif
