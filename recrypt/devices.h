/* devices.h - this machine as a device of an account whose own key is elsewhere: keys that never leave it, and the
 * request by which it asked to be accepted. */
#ifndef RECRYPT_DEVICES_H
#define RECRYPT_DEVICES_H

#include "common/jwk.h"
#include "common/udf.h"
#include "tool.h"

/* The UDF by which this machine asks for grants of an account's mail (XRECRYPT's device-key-id): of the device's key, or
 * where the account's own key is, of that. ERR_ABSENT: this machine has nothing to do with the account; the text says
 * which command changes that. */
int devices_key_udf(struct tool *t, const char *account, char udf[JWK_UDF_SIZE], struct err *e);

#endif
