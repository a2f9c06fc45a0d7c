/* fetch-private.h - what the parts of one run share. */
#ifndef RECRYPT_FETCH_PRIVATE_H
#define RECRYPT_FETCH_PRIVATE_H

#include "common/jwk.h"
#include "fetch-imap.h"
#include "fetch-progress.h"
#include "fetch-state.h"
#include "fetch.h"
#include "granted.h"

/* What was in the Maildir when the run began. */
struct fetch_there {
    char id[MAILDIR_ID_SIZE];
    char *name; /* from the Maildir on */
};

struct fetch {
    struct tool *t;
    const struct fetch_conf *c;
    struct fetch_counts *counts;
    struct err worst; /* of the messages that are not open; code 0 = none */
    char told[ERR_TEXT_MAX]; /* why the last of them is not */
    char root[PATH_MAX];

    struct fetch_state *state;
    struct fetch_there *there; /* by id */
    size_t there_count;

    struct fetch_imap *im;
    uint32_t validity;
    uint32_t *uids; /* on the server */
    size_t uid_count;
    uint32_t *missing; /* asked for and not sent */
    size_t missing_count;
    char device[JWK_UDF_SIZE]; /* for XRECRYPT; "" = not asked for */
    struct fetch_progress progress;
    size_t unsynced; /* lines of the state */
};

/* fetch-open.c: one message from its octets to the Maildir. */

/* A new one. Delivers it, opened or as it is, and records it. */
int fetch_new(struct fetch *f, uint32_t uid, struct span msg, const struct granted_list *brought, struct err *e);
/* One that is kept, from its file; another attempt. uid 0: of an earlier UIDVALIDITY. */
int fetch_kept(struct fetch *f, uint32_t uid, const char *digest, const char *kept, const struct granted_list *brought,
               struct err *e);
/* Looks as if it were encrypted in our format. */
int fetch_looks_sealed(struct span msg);

/* The name of what had that id when the run began, or NULL. */
const char *fetch_find_there(const struct fetch *f, const char *id);

#endif
