/* sjson.h - strict JSON (RFC 8259) from outside, read and written by ourselves; json-c's objects hold it.
 *
 * json-c's own parser accepts much that is no JSON, takes the last of two equal names and cuts names at NUL; out of
 * memory, it and its writer leave out a value or a part of one and report success.
 */
#ifndef RECRYPT_SJSON_H
#define RECRYPT_SJSON_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct sjson_limits {
    size_t octets; /* whole text */
    size_t depth;  /* nested arrays and objects */
    size_t values; /* members and elements in all */
};
extern const struct sjson_limits sjson_default; /* 1 MiB, 16, 65536 */

/* Checks one JSON text: RFC 8259 grammar, UTF-8 without overlong forms or surrogates, escapes paired, no NUL in any
 * string or name (also as an escape), no two equal names in one object (compared after escapes are resolved), numbers
 * finite in double and integers within int64, no octet but white space after the value. Not recursive; time is
 * O(n log n) at most. lim NULL = sjson_default. Returns 0, ERR_SYNTAX, ERR_LIMIT or ERR_SYSTEM. */
int sjson_validate(const void *data, size_t len, const struct sjson_limits *lim, struct err *e);
/* The same walk, and what it passes as a tree. *out belongs to the caller (json_object_put); null is NULL, as in
 * json-c. */
int sjson_parse(const void *data, size_t len, const struct sjson_limits *lim, struct json_object **out, struct err *e);

/* In a text that sjson_validate has passed: where the string value of the outermost object's member of that name
 * stands, without its quotes. For a value so long that json-c's copies of it would hurt. 1 = found, 0 = no such member,
 * or its value is no string or has escapes, or the name is written with escapes. */
int sjson_find_string(const char *text, size_t len, const char *name, const char **value, size_t *value_len);

/* Required members of an object, exactly of the type named; nothing is coerced. Strings and objects stay owned by obj;
 * sjson_b64 appends what the base64url string decodes to. Return 0, ERR_SYNTAX (absent, other type, not base64url). */
int sjson_string(struct json_object *obj, const char *name, const char **out, struct err *e);
int sjson_int(struct json_object *obj, const char *name, int64_t *out, struct err *e);
int sjson_bool(struct json_object *obj, const char *name, int *out, struct err *e);
int sjson_object(struct json_object *obj, const char *name, struct json_object **out, struct err *e);
int sjson_array(struct json_object *obj, const char *name, struct json_object **out, struct err *e);
int sjson_b64(struct json_object *obj, const char *name, struct buf *out, struct err *e);

/* True when obj is an object with a member of that name. */
int sjson_has(struct json_object *obj, const char *name);

/* Refuses (ERR_SYNTAX, naming it) any member whose name is not in the NULL-ended list. */
int sjson_only(struct json_object *obj, const char *const *names, struct err *e);

/* Building. Each returns 0 or ERR_SYSTEM; on failure of set_object the value is freed. */
int sjson_set_string(struct json_object *obj, const char *name, const char *value);
int sjson_set_int(struct json_object *obj, const char *name, int64_t value);
int sjson_set_b64(struct json_object *obj, const char *name, const void *data, size_t len);
int sjson_set_object(struct json_object *obj, const char *name, struct json_object *value); /* takes value */

/* Appends the compact text without white space, members in the order they have. '/' is not escaped. A number with point
 * or exponent must come from sjson_parse: it is written as it was read. */
int sjson_write(struct json_object *obj, struct buf *out);

/* Wipes every string in it and gives up the caller's reference: for objects that hold secrets. Nobody else may still
 * hold a reference. *obj becomes NULL. */
void sjson_free_secret(struct json_object **obj);

#endif
