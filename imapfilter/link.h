/* link.h - recryptd, asked without waiting: one connection to its local socket for all sessions, opened at need. */
#ifndef RECRYPT_IMAPFILTER_LINK_H
#define RECRYPT_IMAPFILTER_LINK_H

#include <event2/event.h>
#include <json-c/json.h>

#include "common/err.h"

enum { LINK_CALLS_MAX = 512 }; /* that wait for an answer */

struct link;
struct link_call;

/* code 0: reply is the answer's object, borrowed. Otherwise code and e say why there is none: ERR_ABSENT and the like
 * are recryptd's answer, ERR_RETRY that it is away, slow, or confused. */
typedef void link_answer(void *arg, struct json_object *reply, int code, const struct err *e);

/* address as in conf_connect: a Unix socket. Nothing is connected yet. ERR_USAGE, ERR_RETRY, ERR_SYSTEM. */
int link_new(struct event_base *base, const char *address, struct link **out, struct err *e);

/* Sends {"<name>Request": body} (body borrowed); answer is called once, within seconds, and never from inside of this.
 * The call is gone then. ERR_RETRY: recryptd is away, or too many calls wait. ERR_LIMIT, ERR_SYSTEM. */
int link_call(struct link *l, const char *name, struct json_object *body, int64_t seconds, link_answer *answer,
              void *arg, struct link_call **out, struct err *e);
/* Nobody wants the answer any more. *c becomes NULL. */
void link_cancel(struct link_call **c);

/* Calls that still wait are forgotten without an answer. */
void link_free(struct link **l);

#endif
