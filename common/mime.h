/* mime.h - a linear, bounded walk over Internet messages (RFC 5322, RFC 2045, 2046). Never recursive, never copies a
 * body. */
#ifndef RECRYPT_MIME_H
#define RECRYPT_MIME_H

#include <stddef.h>

#include "buf.h"
#include "err.h"

enum {
    MIME_HEADER_MAX = 256 << 10, /* octets of one entity's header */
    MIME_FIELDS_MAX = 1000,
    MIME_DEPTH_MAX = 32,
    MIME_PARTS_MAX = 1000,
    MIME_PARAMS_MAX = 32,
    MIME_BOUNDARY_MAX = 70
};

struct span {
    const unsigned char *data;
    size_t len;
};

/* Splits a message at the first empty line (CRLF CRLF or LF LF, also mixed). body is what follows that line; without an
 * empty line everything is header and body is empty. */
void mime_split(struct span msg, struct span *header, struct span *body);

/* The next field from *at on (start with 0): name without colon, value raw with its folding and without its final line
 * end, whole with it. 1 = a field, 0 = end, ERR_SYNTAX = a line that is no field (*at is then behind that line, so that
 * a caller who wants to can go on), ERR_LIMIT = a header over MIME_HEADER_MAX. */
struct mime_field {
    struct span whole, name, value;
};
int mime_field_next(struct span header, size_t *at, struct mime_field *out, struct err *e);
int mime_field_is(const struct mime_field *f, const char *name); /* case-insensitive */

/* How many fields have that name (case-insensitive); the first one's into *out when not NULL. Negative on error. */
int mime_field_find(struct span header, const char *name, struct mime_field *out, struct err *e);

/* Field value unfolded, comments left, white space at both ends off; ERR_SYNTAX on NUL, bare CR or bare LF inside. */
int mime_unfold(struct span value, struct buf *out, struct err *e);

/* Content-Type: type "text/plain" in lower case and one parameter (RFC 2045 grammar with comments and quoted strings,
 * RFC 2231 refused for the names we ask for). param absent: *out stays empty and 0 is returned. A parameter given
 * twice: ERR_SYNTAX. */
int mime_type(struct span value, struct buf *type, struct err *e);
int mime_param(struct span value, const char *name, struct buf *out, struct err *e);
/* The offset in value behind "type/subtype". Depends on nothing that follows. 0 or ERR_SYNTAX. */
int mime_type_end(struct span value, size_t *end);

/* The address of a field that holds exactly one mailbox (RFC 5322 section 3.4), appended as written, without brackets,
 * name and comments; address_canonical judges it. ERR_SYNTAX: none, two, a group, a quoted local part, an address in
 * the place of the name, an encoded word (RFC 2047) in the address, and anywhere a control character, also one that an
 * encoded word stands for. */
int mime_mailbox(struct span value, struct buf *out, struct err *e);

/* The parts of one multipart body: at most max spans, each from after the delimiter line to before the line end that
 * precedes the next one. *count gets the number; more than max is ERR_LIMIT. A missing closing delimiter is ERR_SYNTAX.
 * A delimiter is a whole line, so one boundary may begin like another. Linear in the body. */
int mime_parts(struct span body, const char *boundary, struct span *parts, size_t max, size_t *count, struct err *e);

/* Walks a whole message with all nested parts (also of message/rfc822), for checks; calls back with depth (0 = the
 * message), header and body of each entity, in order. A non-zero result of the callback stops and is returned.
 * ERR_LIMIT past the caps above; ERR_SYNTAX where the structure is broken or can be read in two ways. Own stack; time
 * is octets times depth. */
typedef int mime_visit(void *arg, unsigned depth, struct span header, struct span body, struct err *e);
int mime_walk(struct span msg, mime_visit *visit, void *arg, struct err *e);

#endif
