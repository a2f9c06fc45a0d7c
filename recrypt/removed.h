/* removed.h - the devices that a person took off, by their keys: one that was lost can ask again, under the same name
 * and code, and it is not she who asks. */
#ifndef RECRYPT_REMOVED_H
#define RECRYPT_REMOVED_H

#include <time.h>

#include "home.h"

/* From now on it counts as removed; before the service is asked, since an answer may be lost: one that is still a
 * device has no request waiting. */
int removed_note(const struct home *h, const char *account, const char *key_udf, struct err *e);
/* 1 = it was removed, and when; 0 = not. */
int removed_find(const struct home *h, const char *account, const char *key_udf, time_t *when, struct err *e);
/* She let it in again. */
int removed_forget(const struct home *h, const char *account, const char *key_udf, struct err *e);

#endif
