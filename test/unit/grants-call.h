/* grants-call.h - Grants over recryptd's socket for who waits for the answer, as the IMAP filter does not. */
#ifndef RECRYPT_TEST_GRANTS_CALL_H
#define RECRYPT_TEST_GRANTS_CALL_H

#include "common/rclient.h"

/* out has room for n. Sends as many requests as that takes. ERR_ABSENT: none of that person's devices (any more), nor
 * one of her own keys. */
int grants_call(struct frame_client *c, const char *account, const char *device, const struct grants_item *items,
                size_t n, struct device_grants *out, struct err *e);

#endif
