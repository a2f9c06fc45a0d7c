/* statement-private.h - what profile.c, roster.c, entry.c, share.c, device.c and recovery.c have in common: members of
 * signed payloads.
 *
 * The readers refuse with ERR_SYNTAX whatever is not in the one form in which we write it, so that two texts never mean
 * the same account, key or moment.
 */
#ifndef RECRYPT_STATEMENT_PRIVATE_H
#define RECRYPT_STATEMENT_PRIVATE_H

#include <json-c/json.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "jwk.h"
#include "suite.h"
#include "udf.h"

#define PROFILE_TYP "recrypt-profile"
#define ROSTER_TYP "recrypt-roster"
#define ENTRY_TYP "recrypt-entry"
#define DEVICE_TYP "recrypt-device"
#define RECOVERY_TYP "recrypt-recovery"

enum { TAGKEY_LEN = 32 };

int statement_address(struct json_object *obj, const char *name, char out[ADDRESS_SIZE], struct err *e);
/* A key id; address (may be NULL) gets the account that it names, udf its fingerprint. */
int statement_keyid(struct json_object *obj, const char *name, char out[KEYID_SIZE], char address[ADDRESS_SIZE],
                    char udf[JWK_UDF_SIZE], struct err *e);
int statement_udf(struct json_object *obj, const char *name, char out[JWK_UDF_SIZE], struct err *e);
/* at_least is 1 for serials and epochs, 0 for times. */
int statement_number(struct json_object *obj, const char *name, int64_t at_least, int64_t *out, struct err *e);
/* A public key; one with a private half is refused. */
int statement_key(struct json_object *obj, const char *name, struct jwk **out, struct err *e);
/* "v" is expected; ERR_UNSUPPORTED, naming what it is the version of. */
int statement_version(struct json_object *obj, const char *what, int64_t expected, struct err *e);
/* Of a JWS that brings its own key: what its payload, not verified yet, claims as "signer". payload (may be NULL) gets
 * the octets. */
int statement_claimed_signer(const void *text, size_t len, struct jwk **out, struct buf *payload, struct err *e);
/* Exactly len octets of base64url. */
int statement_octets(struct json_object *obj, const char *name, unsigned char *out, size_t len, struct err *e);

/* Adds k without its private half. */
int statement_set_key(struct json_object *obj, const char *name, const struct jwk *k, struct err *e);
/* The key id of account's key k; k may be private. */
int statement_make_keyid(const char *account, const struct jwk *k, char out[KEYID_SIZE], struct err *e);
int statement_no_memory(struct err *e); /* ERR_SYSTEM */

/* A verified entry statement. payload is the caller's to put; dk is its. */
struct entry_statement {
    struct json_object *payload;
    char keyid[KEYID_SIZE], member[ADDRESS_SIZE], key_udf[JWK_UDF_SIZE];
    const struct suite *suite;
    const char *dk;
    unsigned char rhash[32];
    int64_t serial, epoch, issued;
};
/* Nothing is filled on failure. */
int statement_read_entry(const char *text, const struct jwk *owner, struct entry_statement *out, struct err *e);

#endif
