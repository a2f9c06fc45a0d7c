/* nonces.h - what a signed request must repeat: random, single use, 300 seconds (doc/protocol.md section 1).
 *
 * A nonce carries its own proof and a number under encryption with a key of this process. One bit tells whether it was
 * used: no client's requests take memory or another's place. One that NONCES_KEPT others were given out behind is as
 * good as expired.
 */
#ifndef RECRYPT_NONCES_H
#define RECRYPT_NONCES_H

#include <stdint.h>

#include "common/err.h"

enum { NONCE_SIZE = 44, NONCE_SECONDS = 300, NONCES_KEPT = 1 << 24 };

struct nonces;
int nonces_new(uint64_t kept, struct nonces **out, struct err *e);
int nonces_issue(struct nonces *n, int64_t now, char out[NONCE_SIZE], struct err *e);
/* 0, or ERR_STALE: not from here, expired, or used. */
int nonces_check(const struct nonces *n, const char *nonce, int64_t now, struct err *e);
/* As check, and uses it up. */
int nonces_use(struct nonces *n, const char *nonce, int64_t now, struct err *e);
void nonces_free(struct nonces **n);

#endif
