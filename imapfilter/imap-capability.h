/* imap-capability.h - what a server can do, as the filter tells its client: what it cannot pass is taken out, and what
 * it has itself is put in. */
#ifndef RECRYPT_IMAP_CAPABILITY_H
#define RECRYPT_IMAP_CAPABILITY_H

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"

/* The client's side of the session. */
struct imap_front {
    int logged_in;
    int starttls;  /* STARTTLS is on offer now */
    int may_login; /* passwords may be sent: TLS, or a connection that is let off */
};

/* What of a backend's list concerns us. */
enum { IMAP_CAP_STARTTLS = 1, IMAP_CAP_LOGINDISABLED = 2, IMAP_CAP_ID = 4, IMAP_CAP_LITERAL = 8 };
unsigned imap_capabilities(struct span list);

/* Appends the client's list for the backend's: words separated by single spaces, none at the ends. Taken out: STARTTLS
 * (put in when front says so), COMPRESS, UNAUTHENTICATE, XRECRYPT (put in after login), and all SASL mechanisms but
 * those of imap_mechanism; LOGINDISABLED in place of these when nobody may log in. ERR_LIMIT, ERR_SYSTEM. */
int imap_capability_list(struct span list, const struct imap_front *front, struct buf *out);

/* Finds a list in a server's line: "* CAPABILITY list", or the response code of any status response. 1 and *list
 * (points into text), 0 = none. */
int imap_capability_find(struct span text, struct span *list);

/* Can this SASL mechanism pass a filter that reads along? Those that bind to the TLS connection (-PLUS, EXTERNAL) or
 * encrypt what follows by themselves (GSSAPI, DIGEST-MD5) cannot, nor can unknown ones. */
int imap_mechanism(struct span name);

#endif
