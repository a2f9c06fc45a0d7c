/* imap-line.h - the words of IMAP commands and answers (RFC 9051 section 9). */
#ifndef RECRYPT_IMAP_LINE_H
#define RECRYPT_IMAP_LINE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/mime.h"

enum { IMAP_TAG_MAX = 128 };

/* Where one reads. Functions that return 0 have moved on; a negative code (ERR_SYNTAX unless said otherwise) leaves the
 * place as it was. */
struct imap_cursor {
    const unsigned char *at, *end;
};
struct imap_cursor imap_cursor(struct span text);

int imap_atom(struct imap_cursor *c, struct span *out); /* one octet at least */
int imap_octet(struct imap_cursor *c, int octet);       /* exactly this one */
int imap_end(const struct imap_cursor *c);              /* 0 = nothing is left */
/* The next run of octets other than space and the octets of stop; may be empty. */
struct span imap_run(struct imap_cursor *c, const char *stop);
/* Up to nine digits and what fits into 32 bits. */
int imap_number(struct imap_cursor *c, uint32_t *out);

/* An atom (of ASTRING-CHARs), a quoted string or a literal ("{n}" or "{n+}", CRLF, n octets, all in one text); its
 * octets appended. ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM. imap_string: not an atom. */
int imap_astring(struct imap_cursor *c, struct buf *out);
int imap_string(struct imap_cursor *c, struct buf *out);

/* Appends octets as a quoted string, or as "{n}", CRLF, octets when that cannot hold them. ERR_LIMIT, ERR_SYSTEM. */
int imap_put_string(struct buf *out, const void *data, size_t len);

/* Is it that word? Letters' case does not count. */
int imap_is(struct span s, const char *word);
int imap_begins(struct span s, const char *word);

/* "tag SP name [SP uid_name] rest": name is a command's, and when that is UID, also_name the word behind it. rest
 * begins behind the last name, so with its space. ERR_SYNTAX: no tag or no name. tag is filled when there is one. */
struct imap_command {
    struct span tag, name, uid_name, rest;
};
int imap_command(struct span text, struct imap_command *out);

/* What a server's line begins with. */
enum imap_answer {
    IMAP_UNTAGGED,     /* "* " and data */
    IMAP_STATUS,       /* "* " and OK, NO, BAD, BYE or PREAUTH */
    IMAP_CONTINUATION, /* "+" */
    IMAP_TAGGED        /* everything else */
};
/* word: OK, CAPABILITY, a tagged answer's status ...; number: of "* 12 FETCH", whose word is FETCH; rest: what follows
 * the word and its space. A text that is no answer is IMAP_TAGGED with empty spans. */
struct imap_reply {
    enum imap_answer kind;
    struct span tag, word, rest;
    uint32_t number;
};
void imap_reply(struct span text, struct imap_reply *out);

#endif
