/* service.h - recryptd's state and its one table of requests (doc/protocol.md). Single-threaded: every handler runs to
 * its end before the next one begins. */
#ifndef RECRYPT_SERVICE_H
#define RECRYPT_SERVICE_H

#include <json-c/json.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit.h"
#include "auth.h"
#include "cache.h"
#include "claims.h"
#include "common/buf.h"
#include "common/err.h"
#include "grants.h"
#include "hot.h"
#include "nonces.h"
#include "quota.h"
#include "records.h"
#include "servicekey.h"
#include "settings.h"

enum { STATUS_OK = 201, STATUS_UPDATED = 202 };

struct service {
    const struct settings *settings;
    struct service_keys *keys;
    struct records records;
    struct cache *cache; /* what is in these two, a change drops: service_changed */
    struct hot *hot;
    struct nonces *nonces;
    struct auth *auth;
    struct grants *grants;
    struct quota *quota;
    struct quota *intake; /* intake.h */
    struct audit *audit;
    struct claims *claims;
    int64_t jobs_swept; /* when fan-outs that are over were last cleared away (fanout.c) */
};

/* Who asks. */
struct caller {
    int local;              /* over the socket */
    int milter, delivery;   /* local roles */
    char own[ADDRESS_SIZE]; /* of a local user without a role: what she may ask about; "" = nothing */
    uid_t uid;
    pid_t pid;
    uint64_t connection; /* over the socket; 0 = none */
    char signer[JWK_UDF_SIZE];   /* "" = not signed */
    const struct signer *record; /* of the signer, NULL when there is none yet */
    char address[64];            /* of a web client */
};

/* A request on its way through a handler. */
struct request {
    const struct caller *caller;
    const char *name; /* of the request */
    struct json_object *body;
    int64_t now;
    char about[KEYID_SIZE]; /* for the access log: the account or key */
    char detail[256];       /* for the access log: the member, or how many grants */
    int granted;            /* a grant is in the reply: no log line, no grant */
};

/* Fills reply's members. Returns STATUS_OK, STATUS_UPDATED or a negative err_code with e filled; what reply holds is
 * then dropped. */
typedef int handler(struct service *s, struct request *rq, struct json_object *reply, struct err *e);
handler hello_handle, resolve_handle, key_handle, get_key_handle, expand_handle, grant_handle, recrypt_data_handle,
    statement_handle, fanout_begin_handle, fanout_next_handle, fanout_done_handle, fanout_end_handle, set_handle,
    delete_handle, get_handle, select_handle, join_handle, leave_handle, grants_handle, device_grants_handle;
/* Set's kinds, each with the object that "Set" holds as body. */
handler set_person, set_group, set_members, set_rekey, set_roster, set_policy, set_park, set_share;
/* Select's Kind "pending". */
handler select_pending;

/* A request over HTTP: signed = flattened JWS, otherwise plain JSON. Appends the reply's JSON; returns HTTP's status.
 */
unsigned service_web(struct service *s, int is_signed, const void *text, size_t len, const char *address,
                     struct buf *out);
/* One over the local socket. 0 and *reply, or -1: the client is to be closed. */
int service_local(struct service *s, struct json_object *request, const struct caller *caller,
                  struct json_object **reply);

/* What handlers share. */

/* The canonical form of a required address member, also into rq->about when about is set. */
int request_address(struct request *rq, const char *name, int about, char out[ADDRESS_SIZE], struct err *e);
/* The required member GroupKeyID, lower case; also into rq->about. */
int request_keyid(struct request *rq, char out[KEYID_SIZE], struct err *e);
/* A line of its own in the access log for one of several grants in a reply. */
int request_log_grant(struct service *s, const struct request *rq, const char *member, struct err *e);
/* A required member that is a public key of key agreement, checked for use: ERR_KEY or ERR_SYNTAX when it must not be
 * used. */
struct epk {
    const struct suite *suite;
    struct suite_peer *peer;
    unsigned char raw[SUITE_PUB_MAX];
    size_t len;
};
int request_epk(struct request *rq, struct epk *out, struct err *e);
/* The same two of one of several in a request. */
int body_keyid(struct json_object *body, char out[KEYID_SIZE], struct err *e);
int body_epk(struct json_object *body, struct epk *out, struct err *e);
void epk_clear(struct epk *k);
/* The list or person that member "Group" names, and that the signer is its owner: ERR_ABSENT, ERR_DENIED. The second
 * one takes lists only. */
int request_owned_group(struct service *s, struct request *rq, struct account *out, struct err *e);
int request_owned_list(struct service *s, struct request *rq, struct account *out, struct err *e);
/* Forgets what was kept ready of that account. */
void service_changed(struct service *s, const char *account);
/* ERR_RETRY when the account is in quarantine. */
int service_not_quarantined(const struct service *s, const struct account *a, struct err *e);
/* Policy object over the values that are in out. NULL = nothing said. */
int request_policy(struct json_object *policy, struct policy *out, struct err *e);

/* "Devices" of a person into a reply: each with its state and its request. */
int devices_put(struct service *s, const struct account *a, struct json_object *reply, struct err *e);

/* The profile's key becomes the account's current one, the current one goes into state former: changes a, writes both
 * key records. ERR_EXISTS: a key of that name is there. */
int service_new_key(struct service *s, struct account *a, const struct profile *p, const char *text,
                    enum key_state former, struct err *e);

#endif
