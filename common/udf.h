/* udf.h - Uniform Data Fingerprints, 2016-2018 form, the prose rule; and the group key identifier.
 *
 * F = 0x60 || SHA-512(content type || ":" || SHA-512(data)); text = base32 of the leading bits, upper case, groups of
 * five. (The reference code of 2017 put the wrong bits into the last characters; the text of the draft is followed.)
 */
#ifndef RECRYPT_UDF_H
#define RECRYPT_UDF_H

#include <stddef.h>

#include "err.h"

enum { UDF_BITS_DEFAULT = 150, KEYID_SIZE = 320, ADDRESS_SIZE = 255 };

/* bits: a multiple of 25 from 50 to 250; out has room for bits/5 + bits/25 characters (hyphens and NUL included).
 * Returns 0, ERR_USAGE or ERR_SYSTEM. */
int udf_text(const char *content_type, const void *data, size_t len, unsigned bits, char *out);

/* Same fingerprint? Case and hyphens do not count; a shorter text matches as a prefix, from 50 bits up. */
int udf_equal(const char *a, const char *b);

/* A mail address in the one form under which everything is looked up: exactly one address, dot-atom local part, ASCII,
 * lower case, one '@', domain of LDH labels or an address literal refused; at most 254 octets. <> around it are taken
 * off. Writes ADDRESS_SIZE octets at most. ERR_SYNTAX, ERR_LIMIT. */
int address_canonical(const char *text, size_t len, char out[ADDRESS_SIZE], struct err *e);
/* The domain of a canonical address (points into it). */
const char *address_domain(const char *address);
/* Cuts a "+extension" off the local part of a canonical address: base gets the address without it, *ext points to the
 * extension in address (length *ext_len) or is NULL. */
void address_split(const char *address, char base[ADDRESS_SIZE], const char **ext, size_t *ext_len);

/* Group key id, a strong name: "list@example.com.mm--<udf in lower case>". */
int keyid_make(const char *address, const char *udf, char out[KEYID_SIZE], struct err *e);
/* Takes one apart: the canonical address and the fingerprint (upper case, with hyphens; JWK_UDF_SIZE fits 150 bits, up
 * to 64 octets). ERR_SYNTAX. */
int keyid_parse(const char *keyid, char address[ADDRESS_SIZE], char udf[64], struct err *e);

#endif
