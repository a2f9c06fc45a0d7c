/* device.h - devices of a person's account: what a device signs to be let in, and what its owner signs to let a parked
 * one in again (doc/formats.md sections 4 and 7).
 *
 * A person's account is a group, its members are her devices: device NAME of bob@example.com is the member
 * bob+NAME@example.com, with an encryption key and a signature key of its own.
 */
#ifndef RECRYPT_DEVICE_H
#define RECRYPT_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "jwk.h"
#include "statement.h"
#include "udf.h"

enum {
    DEVICE_NAME_SIZE = 33, /* 1 to 32 of a-z, 0-9 and '-', no '-' at either end */
    DEVICE_CODE_SIZE = 24, /* abcde-fghij-klmno-pqrst */
    RECOVERY_ID_LEN = 16,
    RECOVERY_ENTRIES_MAX = 256
};

/* A device's request. Compact JWS, typ "recrypt-device", signed by the device's own signature key:
 *   {"v":1,"account","name","key":JWK,"signer":JWK,"owner":UDF,"iat"} */
struct device {
    char account[ADDRESS_SIZE]; /* the person */
    char name[DEVICE_NAME_SIZE];
    char member[ADDRESS_SIZE];  /* account+name */
    char key_udf[JWK_UDF_SIZE]; /* of key */
    char owner[JWK_UDF_SIZE];   /* of the account's signature key as the device was given it: the owner compares it with
                                   hers */
    struct jwk *key;            /* encryption, public; its kid is the strong name under member */
    struct jwk *signer;         /* signature, public */
    int64_t issued;             /* seconds since 1970 */
    char code[DEVICE_CODE_SIZE]; /* for two people's eyes: 100 bits of the UDF (application/recrypt-device) of the
                                  * payload's octets, so of account, name, both keys and owner */
};
/* Signs with signer_private (whose public half goes in as signer); account, name, key (may be private), owner and
 * issued count, the rest is ignored. Appends the JWS. ERR_SYNTAX (name), ERR_KEY, ERR_SYSTEM. */
int device_sign(const struct device *d, const struct jwk *signer_private, struct buf *out, struct err *e);
/* Verifies under the signer that the payload itself names: self-consistency, not trust. ERR_SYNTAX, ERR_UNSUPPORTED
 * (another version), ERR_KEY (key of a wrong kind), ERR_CRYPTO. */
int device_read(const void *text, size_t len, struct device *out, struct err *e);
void device_clear(struct device *d);
/* The address under which the device is a member. ERR_SYNTAX: not a device's name, account with an extension;
 * ERR_LIMIT. */
int device_member(const char *account, const char *name, char out[ADDRESS_SIZE], struct err *e);
/* The device as entry_make wants its member; points into d. */
struct profile device_profile(const struct device *d);

/* What lets a parked device in again. Compact JWS, typ "recrypt-recovery", by the account's signature key:
 *   {"v":1,"account","member","id":b64(16 random octets),"entries":[JWE...],"iat"}
 * It leaves the owner as a compact JWE (cty "recrypt-recovery") to the device's encryption key. */
struct recovery {
    char account[ADDRESS_SIZE];
    char member[ADDRESS_SIZE];
    unsigned char id[RECOVERY_ID_LEN];
    char **entries; /* as entry_make makes them */
    size_t count;   /* 1 to RECOVERY_ENTRIES_MAX */
    int64_t issued;
};
int recovery_sign(const struct recovery *r, const struct jwk *signer, struct buf *out, struct err *e);
/* Verifies under signer. Errors as device_read; ERR_LIMIT. */
int recovery_read(const void *text, size_t len, const struct jwk *signer, struct recovery *out, struct err *e);
void recovery_clear(struct recovery *r);

/* The JWE in which a recovery leaves its owner, to the device's key; and the device's end: the JWS that is inside.
 * open: ERR_UNSUPPORTED when it is something else, ERR_CRYPTO or ERR_KEY when it is for another key. Both append. */
int recovery_seal(const struct jwk *to, const void *text, size_t len, struct buf *out, struct err *e);
int recovery_open(const void *text, size_t len, const struct jwk *key, struct buf *out, struct err *e);

#endif
