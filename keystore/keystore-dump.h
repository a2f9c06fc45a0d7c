/* keystore-dump.h - a keystore as text, for backup and for moving to another machine or backend.
 *
 * JSON, one object a line: a header {"recrypt-keystore":1,...}, a line {"t":table,"k":key,"v":value} for each record
 * (base64url), and {"records":N,"sha256":hex over all lines before}. Values are as stored: private material in them is
 * encrypted under the service's key, which is not in the dump.
 */
#ifndef RECRYPT_KEYSTORE_DUMP_H
#define RECRYPT_KEYSTORE_DUMP_H

#include <stdio.h>

#include "keystore.h"

enum { KEYSTORE_DUMP_VERSION = 1 };

/* One table (its name) or, with NULL, all; a dump of one table cannot be loaded. *records counts. ERR_USAGE (no such
 * table), ERR_SYSTEM (also when out cannot be written). */
int keystore_dump(struct keystore *ks, const char *table, FILE *out, uint64_t *records, struct err *e);

/* Makes a store at location and reads a dump into it, all or nothing: until the dump's end was seen and agrees, nothing
 * opens the store but another load. Sets META "restored" to a fresh random id: every list is in quarantine until its
 * owner confirms its members (doc/protocol.md section 3). ERR_EXISTS: a store is there; ERR_SYNTAX: no dump, cut short
 * or changed; ERR_UNSUPPORTED: of a newer version. */
int keystore_load(const char *type, const char *location, FILE *in, uint64_t *records, struct err *e);

#endif
