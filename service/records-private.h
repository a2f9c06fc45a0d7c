/* records-private.h - what the files of records.h share. */
#ifndef RECRYPT_RECORDS_PRIVATE_H
#define RECRYPT_RECORDS_PRIVATE_H

#include <json-c/json.h>

#include "common/sjson.h"
#include "records.h"

/* Notes a broken store; returns rc. */
int records_result(struct records *r, int rc);
/* first NUL second, appended. */
int records_key(const char *first, const char *second, struct buf *out);
/* One record's JSON; checks its version. */
int records_parse(const void *value, size_t len, struct json_object **out, struct err *e);
int records_get(struct records *r, enum keystore_table t, const void *key, size_t len, struct json_object **out,
                struct err *e);
int records_put(struct records *r, enum keystore_table t, const void *key, size_t len, struct json_object *obj,
                struct err *e);
/* A required string into an array of that size. */
int records_text(struct json_object *obj, const char *name, char *out, size_t size, struct err *e);
/* A new record with its version; NULL without memory. */
struct json_object *records_object(void);

/* AES-256-GCM under the storage key: nonce, ciphertext, tag; table and key are authenticated. Appended. */
int records_seal(const struct records *r, enum keystore_table t, const struct buf *key, const void *secret, size_t len,
                 struct buf *out, struct err *e);
int records_unseal(const struct records *r, enum keystore_table t, const struct buf *key, const struct buf *sealed,
                   struct buf *out, struct err *e);

#endif
