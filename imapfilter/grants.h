/* grants.h - some messages of one UID XRECRYPT: whose keys each is encrypted to, what recryptd grants, and the answers
 * about it. */
#ifndef RECRYPT_IMAPFILTER_GRANTS_H
#define RECRYPT_IMAPFILTER_GRANTS_H

#include "common/buf.h"
#include "common/rclient.h"
#include "imap-fetch.h"

enum { GRANTS_MESSAGES_MAX = 64 };

struct grants_message {
    uint32_t number, uid;
    size_t first, count; /* of the keys */
    struct buf others;   /* what else the backend said about it, each with a space before it */
};

struct grants {
    struct grants_message messages[GRANTS_MESSAGES_MAX];
    size_t message_count;
    struct grants_item *keys;    /* with their octets owned */
    struct device_grants *found; /* one for each key */
    size_t key_count, asked, answered;
};

/* Adds a message. others is copied. CUT: its part may go on; CUT_MORE: and more of it can be had. 1 = added and
 * encrypted (for somebody), 0 = added, and there is nothing to ask for; ERR_LIMIT: not added, since more of it is
 * needed to tell. ERR_SYSTEM. f belongs to the caller. */
enum grants_cut { GRANTS_WHOLE, GRANTS_CUT_MORE, GRANTS_CUT };
int grants_add(struct grants *g, const struct imap_fetch *f, const struct buf *others, enum grants_cut cut,
               struct err *e);

/* The body of the next request to recryptd; NULL with 0: everything has been asked for. ERR_SYSTEM. */
int grants_request(struct grants *g, const char *account, const char *device, struct json_object **out, struct err *e);
/* Takes its answer. ERR_RETRY, ERR_SYSTEM. */
int grants_reply(struct grants *g, struct json_object *reply, struct err *e);
/* Everything has been asked for and answered. */
int grants_complete(const struct grants *g);

/* Appends "* n FETCH (UID u XRECRYPT ...)" for each message. ERR_SYSTEM. */
int grants_answers(const struct grants *g, struct buf *out, struct err *e);

void grants_free(struct grants **g);

#endif
