/* rclient.h - the one client stub for recryptd's local socket: milter, delivery agent and IMAP filter ask through
 * it. */
#ifndef RECRYPT_RCLIENT_H
#define RECRYPT_RCLIENT_H

#include <stddef.h>

#include "err.h"
#include "frame.h"
#include "jwe.h"
#include "jwk.h"
#include "udf.h"

enum address_kind {
    ADDRESS_NONE,     /* nothing of ours */
    ADDRESS_LIST,
    ADDRESS_PERSON,
    ADDRESS_OWNER,    /* list+bounce, list+bounce-<mark>, list+owner, list+request: goes to the owner */
    ADDRESS_ARCHIVE,  /* the archive address only recryptd knows; also LIST's own */
    ADDRESS_RESERVED, /* looks like an archive address and is not: refuse */
    /* where a large list's messages go, one copy a member; only recryptd knows it: refuse from outside */
    ADDRESS_FANOUT
};
enum plaintext_policy { PLAINTEXT_REJECT, PLAINTEXT_ENCRYPT, PLAINTEXT_PASS };

struct address_info {
    enum address_kind kind;
    char account[ADDRESS_SIZE]; /* canonical account of the list or person */
    char owner[ADDRESS_SIZE];   /* LIST and OWNER */
    char keyid[KEYID_SIZE];     /* current key */
    enum plaintext_policy plaintext;
    int archive;                /* LIST keeps an archive */
    size_t max_size;            /* octets of a message, 0 = no limit of its own */
};

/* All return 0 or: ERR_RETRY (recryptd away: tempfail), ERR_ABSENT, ERR_DENIED, ERR_KEY or ERR_SYNTAX (bad epk),
 * ERR_SYSTEM. */

/* What is this address? kind NONE is an answer, not an error. */
int rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e);

enum key_state { KEY_CURRENT, KEY_ARCHIVED, KEY_RETIRED };
struct expansion {
    enum key_state state;       /* RETIRED: only account and current are filled */
    char account[ADDRESS_SIZE];
    char current[KEYID_SIZE];
    char sender[ADDRESS_SIZE];  /* envelope sender to use */
    char **recipients;          /* random order; members and, when the list keeps one, the archive address */
    size_t recipient_count;
    struct grant *grants;       /* random order, padded */
    size_t grant_count;
};
/* Everything the milter needs for one list message: checks the epk, makes the grants. epk raw as in suite.h. */
int rclient_expand(struct frame_client *c, const char *keyid, const struct suite *s, const unsigned char *epk,
                   size_t epk_len, struct expansion *out, struct err *e);
void expansion_clear(struct expansion *x);

/* One recipient's grant with dk, for a message to keyid. ERR_ABSENT: not a key of this service's, or not a member (the
 * same answer). */
int rclient_grant(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                  const unsigned char *epk, size_t epk_len, struct grant *out, struct err *e);

/* What a reader of a person's mailbox is granted for its messages (doc/protocol.md section 5, Grants). */
struct grants_item {
    const char *keyid; /* of one recipient of a message */
    const struct suite *suite;
    const unsigned char *epk;
    size_t epk_len;
};
struct device_grants {
    int found;          /* 0: no grant for this one, and the rest is empty */
    struct grant grant; /* dk is there; value_len 0: no tag and value, which are in the message (a list elsewhere) */
    char device_keyid[KEYID_SIZE]; /* "" unless dk is to be opened by way of the person's device group: her key */
    struct grant device;           /* then the device's grant for that */
};
/* For who does not wait for the answer: the body of one request for as many items as fit, *taken (1 at least, when
 * there are any), and what its reply's object says about them; out has room for n = taken. device: the UDF of the
 * device's key. A reply of Status 404: none of that person's devices (any more), nor one of her own keys. */
int rclient_grants_request(const char *account, const char *device, const struct grants_item *items, size_t n,
                           size_t *taken, struct json_object **out, struct err *e);
int rclient_grants_reply(struct json_object *reply, const struct grants_item *items, size_t n,
                         struct device_grants *out, struct err *e);
void device_grants_clear(struct device_grants *g, size_t n);

/* For a message to the person's own key: a grant with dk for each of her devices, in random order. *n may be 0.
 * ERR_ABSENT: not a key of hers. */
int rclient_device_grants(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                          const unsigned char *epk, size_t epk_len, struct grant **out, size_t *n, struct err *e);
void grant_list_free(struct grant *list, size_t n);

/* The fan-out of a large list's message: to each member a copy of her own (doc/protocol.md section 5). All four may be
 * repeated: what was recorded stays recorded. */
struct fanout_result {
    int ended;      /* nobody is left to be sent a copy */
    size_t total, done, refused, waiting;
    char **names;   /* of those refused, the first ones */
    size_t name_count;
};
struct fanout_member {
    int64_t index;  /* her place in the job */
    char account[ADDRESS_SIZE];
    char sender[ADDRESS_SIZE]; /* envelope sender of her copy */
    char copy[24];  /* marks her copy */
    struct grant grant;
};
struct fanout_page {
    struct fanout_member *list;
    size_t count;
    int64_t next;   /* from where to go on; -1 = this was the last */
    int64_t serial; /* of the membership: another one in a later answer means that this page is out of date */
};
/* job: 32 hexadecimal digits, the same for the same message. keyid: the message's. ERR_ABSENT: not a key of that
 * list. */
int rclient_fanout_begin(struct frame_client *c, const char *account, const char *keyid, const char *job,
                         struct fanout_result *out, struct err *e);
int rclient_fanout_next(struct frame_client *c, const char *job, const struct suite *s, const unsigned char *epk,
                        size_t epk_len, int64_t from, struct fanout_page *out, struct err *e);
/* Records members by their indices; on disk when it returns 0. */
int rclient_fanout_done(struct frame_client *c, const char *job, const int64_t *done, size_t done_count,
                        const int64_t *refused, size_t refused_count, int64_t *serial, struct err *e);
/* Ends the job when nobody waits; otherwise out->waiting tells how many. */
int rclient_fanout_end(struct frame_client *c, const char *job, struct fanout_result *out, struct err *e);
void fanout_result_clear(struct fanout_result *r);
void fanout_page_clear(struct fanout_page *p);

/* Is it an account or key id that this service serves (of a list or person)? *key is the public key, its jwk_kid the
 * key id; account gets the canonical account. ERR_ABSENT. */
int rclient_key(struct frame_client *c, const char *account_or_keyid, struct jwk **key, enum key_state *state,
                char account[ADDRESS_SIZE], struct err *e);

#endif
