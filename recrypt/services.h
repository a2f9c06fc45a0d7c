/* services.h - the recryption services of the domains in play, and the requests that need no list (doc/protocol.md). */
#ifndef RECRYPT_SERVICES_H
#define RECRYPT_SERVICES_H

#include "common/buf.h"
#include "common/err.h"
#include "common/jwe.h"
#include "common/jwk.h"
#include "common/statement.h"
#include "common/udf.h"
#include "granted.h"
#include "home.h"
#include "web.h"

struct services; /* connections made so far, one a URL */

/* only: the URL that --service gave, for that domain, or for all when domain is ""; NULL = each domain its own. home
 * and URL are borrowed. */
int services_new(const struct home *h, const char *only, const char *domain, struct services **out, struct err *e);
void services_free(struct services **s);

/* From now on, as for mail that anybody may have sent: a service that is not reached is not asked again (of one's own
 * accounts' domains, and those that recrypt.conf names: not after the third time), and of domains of which no key is
 * known here only a few are waited for in all. What is not asked then is ERR_RETRY. */
void services_limit(struct services *s);

/* The service of an address's domain; owned by s. */
int services_for(struct services *s, const char *address, struct web **out, struct err *e);

/* The key that entries for this address's service are encrypted to; owned by s. */
int services_encryption_key(struct services *s, const char *address, const struct jwk **out, struct err *e);

/* GetKey for an account or key id: profile gets the JWS (nothing is verified), state "current", "archived" or
 * "retired". */
int services_get_key(struct services *s, const char *account_or_keyid, struct buf *profile, char state[16],
                     struct err *e);

/* Whether the service has this very profile already, as after an answer that was lost: 1; 0 = none for that account;
 * ERR_EXISTS = one with another key or signer. */
int services_has(struct services *s, const struct profile *p, struct err *e);

/* RecryptData: what is granted for one message to keyid, asked for with the signature key of the member or her device,
 * whose encryption key has that UDF. The service asked is the one of at's domain. */
int services_granted(struct services *s, const char *at, const char *keyid, const struct jwe_recipient *to,
                     const char *member_udf, const struct jwk *signer, struct granted *out, struct err *e);

/* Statement: what the service of keyid's domain has for a device's person, appended as it came; device is the device's
 * own statement, by which it asks. With to also a grant for that message, sealed to the person's key, appended to
 * sealed; to and key NULL = none. ERR_ABSENT; ERR_RETRY. */
int services_statement(struct services *s, const char *keyid, const char *device, const struct jwe_recipient *to,
                       const struct jwk *key, struct buf *out, struct buf *sealed, struct err *e);

#endif
