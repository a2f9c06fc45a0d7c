/* algorithms.h - has OpenSSL look for its algorithms at once, before a program serves.
 *
 * OpenSSL makes all algorithms of a kind (digests, ciphers, key derivations...) when the first of the kind is wanted,
 * and never again: one that got no memory then is missing until the process ends. The random generators' first use is
 * of that sort, too. A process that is for one request finds out for itself, and is followed by another; one that
 * serves would refuse everything from then on.
 */
#ifndef RECRYPT_ALGORITHMS_H
#define RECRYPT_ALGORITHMS_H

#include "err.h"

/* Looks for every algorithm that the suites, JWE, JWS, JWK, documents and the service's records use, and draws random
 * numbers. From here on an allocation that fails in OpenSSL fails what asked for it, and nothing after it. Behind
 * program_start, in a program that serves, before it says that it is ready; a few milliseconds. 0, or ERR_SYSTEM naming
 * what is missing: the program should end. */
int algorithms_prepare(struct err *e);

/* The same for what TLS (1.2 and 1.3, either side, certificates with RSA, P-256, P-384 and Ed25519 keys) uses: for a
 * program that does TLS. */
int algorithms_prepare_tls(struct err *e);

#endif
