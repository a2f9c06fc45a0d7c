/* vectors.h - reads files of external test vectors. */
#ifndef RECRYPT_TEST_VECTORS_H
#define RECRYPT_TEST_VECTORS_H

#include <json-c/json.h>

#include "common/buf.h"

/* The JSON file at path below unit_vectors(); NULL when it is not there. The caller releases it. */
struct json_object *vectors_load(const char *path);

/* Appends the octets of a hexadecimal string; NULL counts as empty. */
void vectors_hex(const char *hex, struct buf *out);

#endif
