/* chain.h - a device's grant for what is inside a grant of its person's: a list's statement holds the person's half
 * encrypted to her own group, and her devices are the members of that (doc/protocol.md section 3, RecryptData). */
#ifndef RECRYPT_CHAIN_H
#define RECRYPT_CHAIN_H

#include <json-c/json.h>

#include "service.h"

/* The membership by which the signer is a device, of those with this key; from: where to begin, 0 at first. NULL = none
 * (any more). *from is then the place behind it. */
const struct signer_membership *chain_device(const struct signer *s, const char *key_udf, size_t *from);

/* {"KeyID","Grant":{"t","u","dk"}}: the grant of person's device member for the JWE in the statement. key_udf, signer
 * as for grant_one. statement NULL: it is known already that there is none; the same work is done with a stand-in.
 * ERR_ABSENT with one text. */
int chain_grant(struct service *s, const char *statement, const char *member, const char *key_udf, const char *signer,
                struct json_object **out, struct err *e);

/* The statement that the person left here for a key that is not of this service; appended. ERR_ABSENT. */
int chain_share(struct service *s, const char *person, const char *keyid, struct buf *out, struct err *e);
/* {"dk":statement} */
int chain_share_grant(const char *statement, struct json_object **out, struct err *e);

#endif
