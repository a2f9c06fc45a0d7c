/* fetch.h - brings new mail of an IMAP mailbox into a Maildir, opened.
 *
 * What holds, also when the process is killed at any moment:
 *   - a message is recorded (fetch-state.h) after it is on disk in the Maildir, and brought again when it is not
 *     recorded;
 *   - its name there follows from the mailbox, UIDVALIDITY and UID, so that one which is there and not recorded is
 *     found;
 *   - one that cannot be opened is kept as it came, tried again by every run, and removed after the opened one is on
 *     disk.
 * A message that its reader moved away or deleted after it was recorded is not brought again. After a change of
 * UIDVALIDITY all messages are asked for once more, and those brought before are known by their digest.
 */
#ifndef RECRYPT_FETCH_H
#define RECRYPT_FETCH_H

#include "fetch-conf.h"
#include "tool.h"

struct fetch_counts {
    size_t brought;  /* new in the Maildir, those kept encrypted among them */
    size_t opened;   /* of those that an earlier run kept encrypted */
    size_t kept;     /* encrypted: of this run */
    size_t waiting;  /* encrypted: of earlier runs */
    size_t left_out; /* still on the server: larger than max_size, or not sent */
};

/* One run. 0: everything is there and open. Otherwise what stopped it, or, when nothing did, the gravest of what is
 * not: ERR_RETRY before the first other. counts is always filled. */
int fetch_run(struct tool *t, const struct fetch_conf *c, struct fetch_counts *counts, struct err *e);

#endif
