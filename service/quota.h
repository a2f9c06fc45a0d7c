/* quota.h - how many grants each member had today (UTC). In memory: a restart begins anew. */
#ifndef RECRYPT_QUOTA_H
#define RECRYPT_QUOTA_H

#include <stdint.h>

#include "common/err.h"

struct quota;
int quota_new(struct quota **out, struct err *e);
/* Counts one. ERR_RETRY past limit; limit 0 = none, nothing is counted. */
int quota_take(struct quota *q, const char *group, const char *member, int64_t limit, int64_t now, struct err *e);
void quota_free(struct quota **q);

#endif
