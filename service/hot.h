/* hot.h - what one reader gets from one key, decoded: so that a mailbox's many messages cost a key agreement each.
 * Bounded, least recently used out first; whoever changes a group drops it. */
#ifndef RECRYPT_HOT_H
#define RECRYPT_HOT_H

#include <json-c/json.h>
#include <stddef.h>

#include "common/err.h"
#include "common/suite.h"
#include "common/udf.h"

struct hot_grant {
    char keyid[KEYID_SIZE];
    char reader[ADDRESS_SIZE];    /* a device's member address, or the person's own */
    char groups[2][ADDRESS_SIZE]; /* on whose members this depends; "" = none */
    struct suite_key *r;          /* NULL: only the statement is known here */
    unsigned char tagkey[32];
    char *statement;
    struct json_object
        *device; /* the device's grant for what is in the statement; NULL = not by way of a device group */
};
void hot_grant_free(struct hot_grant **g);

struct hot;
int hot_new(size_t max, struct hot **out, struct err *e);
void hot_resize(struct hot *h, size_t max);
/* Valid until the next call; NULL = not here. */
const struct hot_grant *hot_get(struct hot *h, const char *keyid, const char *reader);
/* Takes g over, on failure too; one of the same key and reader goes. */
int hot_put(struct hot *h, struct hot_grant *g, struct err *e);
/* Everything that depends on that group's members. */
void hot_drop(struct hot *h, const char *group);
void hot_free(struct hot **h);

#endif
