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

/* A statement that brings the key that it is signed with. */
struct self_signed {
    const char *typ, *other_typ;
    /* The JSON of a good one; k with its private half when with_private is set. */
    struct json_object *(*json)(const struct jwk *k, const struct jwk *signer, int with_private);
    int (*read)(const void *text, size_t len);
};
/* Signs obj (taken) with signer, as typ, and says how it is read. */
int signed_and_read(const struct self_signed *s, struct json_object *obj, const struct jwk *signer, const char *typ);
/* A good one is read with each of the changes as it says; refused when it is signed by another key than it names, is of
 * another type, has a private key inside, or a signature key to encrypt to. */
void self_signed_refused(const struct self_signed *s, const struct change *changes, size_t count);

#endif
