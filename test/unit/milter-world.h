/* milter-world.h - a mail server and a recryptd for the milter's unit tests: both in this process, both scripted. */
#ifndef RECRYPT_MILTER_WORLD_H
#define RECRYPT_MILTER_WORLD_H

#include "common/buf.h"
#include "common/jwe.h"
#include "common/rclient.h"
#include "milter/callbacks.h"

/* The mail server's side: what the milter did since world_reset, as lines "add Name: value", "change Name 1 value",
 * "delete Name 2", "sender a", "recipient+ a", "recipient- a", "reply 550 5.7.1 first|second". */
struct world {
    struct buf did, body;
    const char *rcpt_addr;  /* the macro; NULL = absent */
    int changes, fail_at;   /* the fail_at'th change is refused; 0 = none */
    unsigned long actions, steps; /* what the mail server offers */
    void *priv;
    /* recryptd's side. Lists: list@ (reject), door@ (encrypt). Persons, all example.com: seal@, seal2@, refuse@,
     * refuse2@, pass@. */
    int away;               /* 1 = every call, 2 = all but resolve */
    int expand_error;       /* what rclient_expand returns when not 0 */
    enum key_state state;   /* of list@'s old key */
    size_t members, resolved, expanded;
    struct jwk *key, *old;  /* current private key of every account here; the old one */
    char keyid[KEYID_SIZE]; /* last one made by world_keyid */
};
extern struct world world;

void world_reset(void);
void world_free(void);
const char *world_keyid(const char *account, int old);
/* How many lines of world.did begin with text. */
size_t world_count(const char *text);
int world_did(const char *line);
SMFICTX *world_ctx(void);

#endif
