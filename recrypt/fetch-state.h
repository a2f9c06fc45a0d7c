/* fetch-state.h - what was brought from one mailbox into one Maildir: a file in that Maildir that only grows.
 *
 *   recrypt-fetch 1 ADDRESS MAILBOX
 *   validity N           the UIDs that follow are of this UIDVALIDITY
 *   m UID DIGEST         that message was brought, or was there already
 *   k UID DIGEST ID      it is kept as it came, encrypted, under that id (common/maildir.h); an m line ends that
 *   m 0 DIGEST           so for one of an earlier UIDVALIDITY that was kept
 *
 * DIGEST is of the message as the server has it: it finds again what was brought when the server gives new numbers. A
 * last line without its end was being written when the process was killed: it is taken off.
 */
#ifndef RECRYPT_FETCH_STATE_H
#define RECRYPT_FETCH_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/maildir.h"

enum { FETCH_STATE_MAX = 256 << 20 };

struct fetch_state;

/* Opens or makes the file, alone: ERR_RETRY when another process has it. The Maildir must be there. ERR_SYNTAX:
 * damaged, or another mailbox's. */
int fetch_state_open(const char *maildir, const char *account, const char *mailbox, struct fetch_state **out,
                     struct err *e);
void fetch_state_close(struct fetch_state **st);

/* The server's UIDVALIDITY; when it is not the one before, all UIDs are forgotten and their digests stay. 1 = it
 * changed. */
int fetch_state_validity(struct fetch_state *st, uint32_t validity, struct err *e);

enum fetch_place { FETCH_NEW, FETCH_BROUGHT, FETCH_KEPT };
/* kept (may be NULL) gets the id of one that is kept. */
enum fetch_place fetch_state_find(const struct fetch_state *st, uint32_t uid, char kept[MAILDIR_ID_SIZE]);

/* A message of an earlier UIDVALIDITY with that digest, once: FETCH_NEW = there is none. */
enum fetch_place fetch_state_take_old(struct fetch_state *st, const char *digest, char kept[MAILDIR_ID_SIZE]);

/* Writes the line; kept NULL = brought; uid 0 as above. Outlives the process at once and the machine after
 * fetch_state_sync. */
int fetch_state_add(struct fetch_state *st, uint32_t uid, const char *digest, const char *kept, struct err *e);
int fetch_state_sync(struct fetch_state *st, struct err *e);

/* Calls back for each message that is kept, of this UIDVALIDITY (uid) or an earlier one (uid 0). A non-zero result
 * stops and is returned. The callback may add lines. */
typedef int fetch_state_visit(void *arg, uint32_t uid, const char *digest, const char *kept, struct err *e);
int fetch_state_each_kept(struct fetch_state *st, fetch_state_visit *visit, void *arg, struct err *e);

#endif
