/* web.h - the web service's client: one POST a request, signed where the request asks for it (doc/protocol.md section
 * 1). */
#ifndef RECRYPT_WEB_H
#define RECRYPT_WEB_H

#include <json-c/json.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jwk.h"

enum { WEB_REPLY_MAX = 32 << 20, WEB_CONNECT_SECONDS = 10, WEB_SECONDS = 60, WEB_SLOW_SECONDS = 10 };

#define WEB_PATH "/.well-known/meshrecrypt"

/* Brings the text of a service's address to the URL that requests name: https, or http to this machine (127.x.x.x,
 * [::1], localhost); no user, query or fragment; the well-known path is put behind a bare host. ERR_USAGE. */
int web_url(const char *text, struct buf *out, struct err *e);

/* Is that host of a URL this machine: 127.x.x.x, [::1] or localhost? */
int web_this_machine(const char *host, size_t len);

struct web; /* one service: its URL, connection and newest nonce; one thread */

/* url as for web_url; ca: file with the certificates to trust, NULL = the system's. Nothing is sent yet. */
int web_new(const char *url, const char *ca, struct web **out, struct err *e);
void web_free(struct web **w);
const char *web_where(const struct web *w); /* the URL, for messages */
void web_guessed(struct web *w);            /* nobody said that the service is there: a failure to reach it says so */

/* How it went so far. */
struct web_record {
    unsigned answers, failures; /* failures: since the last answer */
    int slow;                   /* one took WEB_SLOW_SECONDS */
};
const struct web_record *web_record(const struct web *w);

/* Sends {"<name>Request": body} (borrowed), signed when signer is not NULL, and waits for {"<name>Response": ...}.
 * *reply belongs to the caller. Redirects are not followed. Requests that only read go over one connection as long as
 * the service keeps it; one that changes something has a connection of its own, and is sent once. ERR_RETRY: not
 * reached, slow, busy, or no answer of ours; 400 ERR_SYNTAX, 401 ERR_DENIED, 404 ERR_ABSENT, 409 ERR_EXISTS with
 * StatusDescription as text. A stale nonce is answered by one repetition. */
int web_call(struct web *w, const char *name, struct json_object *body, const struct jwk *signer,
             struct json_object **reply, struct err *e);

/* The two halves of a call that need no network; for web_call and the tests. */
int web_request(const char *url, const char *name, struct json_object *body, const struct jwk *signer,
                const char *nonce, struct buf *out, struct err *e);
int web_reply(const char *name, const void *text, size_t len, struct json_object **reply, struct err *e);

#endif
