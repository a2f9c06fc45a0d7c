/* grants.h - making recryption grants: one member's, and a whole list's. */
#ifndef RECRYPT_GRANTS_H
#define RECRYPT_GRANTS_H

#include <json-c/json.h>
#include <stddef.h>

#include "cache.h"
#include "common/err.h"
#include "records.h"

struct epk;

enum { GRANTS_PAD = 8 }; /* least number of grants in a list's set */

struct grants; /* stand-ins for entries that are not there */
int grants_new(struct grants **out, struct err *e);
void grants_free(struct grants **g);

/* An entry statement that is nobody's, of the common form and size. *out is g's. */
int grants_stand_in(struct grants *g, const char **out, struct err *e);

/* One member's grant for the key: {"t","u","dk"}. allowed 0 means that it is already known that there will be none; the
 * same work is done. key_udf, signer: the entry must be for that key of the member's and under that signature key; NULL
 * = any. ERR_ABSENT with one text for every reason. */
int grant_one(struct grants *g, struct records *r, const char *keyid, const char *member, const char *key_udf,
              const char *signer, const struct epk *epk, int allowed, struct json_object **out, struct err *e);

/* The member's grant, sealed (statement.h) to her own key, which the caller brings: the entry must be for the key of
 * that UDF. */
struct grants_sealed {
    const struct epk *epk;
    const struct jwk *to;
    const char *to_udf;
    struct buf text; /* the answer; the caller's */
};

/* The statement of a member's entry for the key, and with it, unless also is NULL, a grant that is sealed: the entry
 * must be under that signature key. allowed and the work done as above; suite is the key's, and also->epk's. *out is
 * the caller's. ERR_ABSENT with one text for every reason. */
int grants_statement(struct grants *g, struct records *r, const char *keyid, const struct suite *suite,
                     const char *member, const char *signer, int allowed, struct grants_sealed *also, char **out,
                     struct err *e);

/* The grant of a half and its tag key, of the ephemeral key's suite: {"t","u","dk"}. */
int grant_make(struct entry_tagger *t, const struct suite_key *r, const unsigned char tagkey[32], const struct epk *epk,
               const char *statement, struct json_object **out, struct err *e);

/* The grant of an active entry of the key's suite: {"t","u","dk"}. */
int grant_member(const struct entry_record *en, const struct epk *epk, struct json_object **out, struct err *e);

/* The grants of all entries, padded with dummies to the next power of two (GRANTS_PAD at least), in random order. */
int grants_all(const struct hot_key *k, const struct epk *epk, struct json_object **out, struct err *e);

/* Puts count pointers into random order. */
int shuffle(void **list, size_t count, struct err *e);

#endif
