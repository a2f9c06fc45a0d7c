/* devices.h - this machine as a device of an account whose own key is elsewhere: keys that never leave it, and the
 * request by which it asked to be accepted. */
#ifndef RECRYPT_DEVICES_H
#define RECRYPT_DEVICES_H

#include "common/device.h"
#include "tool.h"

struct own_device {
    struct device is; /* what was asked for last */
    struct buf text;  /* that request's JWS */
    struct jwk *sign; /* private */
};

/* Is this machine one, accepted or not? */
int devices_exists(const struct home *h, const char *account);
/* ERR_ABSENT: it is none of account's; the text says which command makes it one. */
int devices_open(struct home *h, const char *account, struct own_device *out, struct err *e);
void devices_close(struct own_device *d);
/* Its private encryption key, named as this device's. */
int devices_key(struct home *h, const struct own_device *d, struct jwk **out, struct err *e);

/* Opens something that is sealed to the account's current key, as mail is. 0; ERR_DENIED: the service lets this device
 * read nothing (not accepted yet, parked, removed); ERR_RETRY; others as opener_run. */
int devices_prove(struct tool *t, const char *account, struct err *e);

/* The UDF by which this machine asks for grants of an account's mail (XRECRYPT's device-key-id): of the device's key,
 * or where the account's own key is, of that. ERR_ABSENT: this machine has nothing to do with the account; the text
 * says which command changes that. */
int devices_key_udf(struct home *h, const char *account, char udf[JWK_UDF_SIZE], struct err *e);

#endif
