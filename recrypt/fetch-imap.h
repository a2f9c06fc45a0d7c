/* fetch-imap.h - one session with an IMAP server (RFC 3501), read-only; and XRECRYPT (doc/xrecrypt.md). */
#ifndef RECRYPT_FETCH_IMAP_H
#define RECRYPT_FETCH_IMAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/mime.h"
#include "fetch-conf.h"

enum {
    FETCH_UIDS_MAX = 2000000, /* of a mailbox */
    FETCH_BATCH_MAX = 100,    /* of one command */
    FETCH_GRANTS_MAX = 256 << 10 /* octets that come with one message */
};

struct fetch_imap;

/* Connects and logs in; the password is asked for when the server is there. ERR_RETRY: away, or says nothing of use.
 * ERR_DENIED: wrong password, or a connection that must not be used for one. */
int fetch_imap_open(const struct fetch_conf *c, struct fetch_imap **out, struct err *e);
void fetch_imap_close(struct fetch_imap **im);

/* Does the server make grants (capability XRECRYPT)? */
int fetch_imap_has_grants(const struct fetch_imap *im);

/* Looks at the configured mailbox (EXAMINE) and lists it: distinct, ascending, owned by the caller. ERR_ABSENT: no such
 * mailbox. */
int fetch_imap_list(struct fetch_imap *im, uint32_t *validity, uint32_t **uids, size_t *count, struct err *e);

/* What came for one of the UIDs that were asked for. Data points into the answer; data.data NULL = nothing came. */
struct fetch_item {
    uint32_t uid;
    uint32_t size; /* fetch_imap_sizes: octets; 0 = nothing came */
    struct span data;
};
struct fetch_answer {
    struct fetch_item *at; /* the UIDs that were asked for, in order */
    size_t count;
    void *list; /* libetpan's */
};
void fetch_answer_clear(struct fetch_answer *a);

/* At most FETCH_BATCH_MAX UIDs, ascending. What the server sends of others is passed over. */
int fetch_imap_sizes(struct fetch_imap *im, const uint32_t *uids, size_t count, struct fetch_answer *out,
                     struct err *e);
/* Whole messages, without marking them as seen. octets: what their sizes add up to. */
int fetch_imap_messages(struct fetch_imap *im, const uint32_t *uids, size_t count, size_t octets,
                        struct fetch_answer *out, struct err *e);
/* The grants for a device, as JSON. A server that says NO: nothing came, 0, and its reason in why (256 octets; ""
 * otherwise). */
int fetch_imap_grants(struct fetch_imap *im, const uint32_t *uids, size_t count, const char *device,
                      struct fetch_answer *out, char why[256], struct err *e);

#endif
