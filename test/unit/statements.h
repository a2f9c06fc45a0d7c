/* statements.h - what the tests of signed statements share: keys, and payloads with one member changed. */
#ifndef RECRYPT_TEST_STATEMENTS_H
#define RECRYPT_TEST_STATEMENTS_H

#include <json-c/json.h>

#include "common/buf.h"
#include "common/jwk.h"

/* A new one; the caller's to free. */
struct jwk *fresh_key(const char *type);
/* Sets its kid to that of account's key. */
void name_key(struct jwk *k, const char *account);

struct change {
    const char *name, *text; /* a member and the JSON put in its place; NULL removes it */
    int code;                /* how the payload is read then */
};

/* obj, with the member changed. */
struct json_object *changed(struct json_object *obj, const char *name, const char *text);
/* Fails unless r is the change's code. */
void changed_as(const struct change *c, int r);
/* Every octet of a text counts: with a bit flipped or cut off, and only then, read refuses it. */
void all_octets_count(struct buf *text, int (*read)(const void *text, size_t len));

#endif
