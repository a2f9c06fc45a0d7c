/* deposit.h - what the person's service needs so that her devices can read lists of other services: the statement that
 * holds her half of the list's key. It is given to it only when she has devices. */
#ifndef RECRYPT_DEPOSIT_H
#define RECRYPT_DEPOSIT_H

#include "common/statement.h"
#include "tool.h"

/* Keeps the statement that a share came in, when the list's service is another than the member's. */
int deposit_note(struct tool *t, const struct share *share, const char *statement, struct err *e);

/* Gives account's service what is kept and it does not have yet; with again, which is for a service that was restored
 * from a backup, all of it. What fails waits for the next time, with a note. With --offline and for an account without
 * devices: nothing. */
void deposit_send(struct tool *t, const char *account, int again);

#endif
