/* imap-read.h - takes a stream of IMAP (RFC 3501, 9051) apart into lines and literals, in whatever pieces it arrives.
 *
 * Copies nothing: the caller keeps what was not used and comes back with it and more behind it. Literals are counted,
 * never searched. That a literal follows is for the caller to say, who knows whose line it is.
 */
#ifndef RECRYPT_IMAP_READ_H
#define RECRYPT_IMAP_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/mime.h"

enum {
    IMAP_LINE_MAX = 64 << 10, /* octets of a client's command, literals aside; of an answer that has to be read whole */
    IMAP_TAIL_MAX = 24        /* the longest announcement of a literal and a line end */
};

struct imap_reader {
    int in_pieces;    /* what is longer than IMAP_LINE_MAX is handed out in pieces; otherwise it is ERR_LIMIT */
    uint64_t literal; /* octets of a literal that are still to come */
    size_t scanned;   /* octets at the start of the data that hold no line end */
    int inside;       /* the beginning of the line was handed out */
    unsigned char tail[IMAP_TAIL_MAX]; /* its last octets so far */
    size_t tail_len;
};

enum imap_piece {
    IMAP_MORE,    /* more data is needed */
    IMAP_LINE,    /* a line with its line end (LF, mostly with CR) */
    IMAP_LITERAL, /* some of a literal's octets, at least one */
    IMAP_PART,    /* the beginning, or some more, of a long line */
    IMAP_LAST     /* the end of a long line, with its line end; its last octets are in tail */
};

/* What data begins with, and its length. ERR_LIMIT: a line that is too long. */
int imap_read(struct imap_reader *r, const unsigned char *data, size_t len, size_t *used);
/* The line that was handed out last announced a literal of so many octets. */
void imap_read_literal(struct imap_reader *r, uint64_t octets);

/* A line without its line end. */
struct span imap_text(const unsigned char *line, size_t len);

struct imap_literal {
    uint64_t octets;
    int waits; /* the sender waits for a continuation request before it sends them ({n}); {n+} does not */
};
/* Does a server's line (its text, or the last octets of it) end in a literal's announcement? Status responses have a
 * literal in their response code only. 1, 0. */
int imap_server_literal(struct span text, struct imap_literal *out);
int imap_status_literal(struct span text, struct imap_literal *out);
/* Does a client's line? Strict: 1, 0, or ERR_SYNTAX where one reader would see a literal and another one none (inside
 * quotes, behind an atom, a number out of range): nobody may act on such a line. */
int imap_client_literal(struct span text, struct imap_literal *out);
/* ERR_SYNTAX: CR or NUL inside the text. */
int imap_client_check(struct span text);

#endif
