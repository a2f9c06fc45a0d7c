/* opener.h - finds what opens a JWE: an own key, an own list's key, a share that is kept, a grant in the message, or a
 * grant that the list's service makes. */
#ifndef RECRYPT_OPENER_H
#define RECRYPT_OPENER_H

#include "common/statement.h"
#include "granted.h"
#include "tool.h"

/* One way of opening; called with key and share NULL but for one of them. 0 = opened, ERR_CRYPTO or ERR_KEY = try
 * another way, anything else ends the search. */
struct opener {
    int (*with_key)(void *arg, const struct jwe *j, const struct jwk *key, struct err *e);
    int (*with_share)(void *arg, const struct jwe *j, size_t recipient, const struct share *s, const struct grant *g,
                      struct err *e);
    void *arg;
    const struct granted_list *brought; /* grants that came along, borrowed; NULL = none */
};

/* Goes through the recipients and the ways, cheap ones first; the service is asked last, never with --offline. keyid
 * gets the key that opened it. ERR_KEY: it is for none of your keys or lists; ERR_DENIED: the service refuses ("no
 * grant"); ERR_CRYPTO: it is for you and damaged; ERR_RETRY. */
int opener_run(struct tool *t, const struct jwe *j, const struct opener *how, char keyid[KEYID_SIZE], struct err *e);

#endif
