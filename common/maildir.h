/* maildir.h - writes one message into a Maildir: complete in new/ and on disk, or not there at all. */
#ifndef RECRYPT_MAILDIR_H
#define RECRYPT_MAILDIR_H

#include <sys/types.h>

#include "err.h"
#include "mime.h"

struct maildir_modes {
    mode_t dir, file;
    gid_t group; /* for what is made; (gid_t)-1 = leave it */
};
extern const struct maildir_modes maildir_private; /* 0700, 0600 */

enum { MAILDIR_ID_SIZE = 33 };

/* A delivery's identity, in hexadecimal: cut SHA-256 over queue id, recipient and the message as it came. The same
 * delivery tried again has the same. queue_id may be "". 0 or ERR_SYSTEM. */
int maildir_id(const char *queue_id, const char *recipient, const char *original, struct span msg,
               char id[MAILDIR_ID_SIZE], struct err *e);

/* Delivers the pieces, laid end to end, into the Maildir at path, which is made when it is not there (everything below
 * root, which must exist). id NULL: always a new message. With id: a message that was delivered under the same id and
 * still is in new/ or cur/ is not delivered again; that is success as well, and *again (may be NULL) is 1.
 *
 * On success the message, its name and the directories are synced. On failure nothing of it is in new/; tmp/ may keep a
 * file of this id only when the process is killed, and the next try uses that up. ERR_SYSTEM; ERR_RETRY when another
 * process is delivering the same id right now. */
int maildir_deliver(const char *root, const char *path, const struct maildir_modes *modes, const char *id,
                    const struct span *pieces, size_t count, int *again, struct err *e);

/* Makes the Maildir as maildir_deliver would. ERR_SYSTEM. */
int maildir_make(const char *root, const char *path, const struct maildir_modes *modes, struct err *e);

/* As maildir_deliver, for an id that the caller did not find with maildir_each and that only she delivers here: without
 * a look through new/ and cur/, which a large mailbox makes long. */
int maildir_deliver_fresh(const char *root, const char *path, const struct maildir_modes *modes, const char *id,
                          const struct span *pieces, size_t count, struct err *e);

/* Calls back for each message in new/ and cur/ that was delivered under an id: its id and its name from path on. One
 * that a reader moves in the meantime may come twice, never not at all. A non-zero result of the callback stops and is
 * returned. No such Maildir: nothing, 0. ERR_SYSTEM. */
typedef int maildir_visit(void *arg, const char *id, const char *name, struct err *e);
int maildir_each(const char *path, maildir_visit *visit, void *arg, struct err *e);

/* Removes what was delivered under that id from new/ and cur/, for good when it returns 0; nothing there is 0, too.
 * ERR_SYSTEM. */
int maildir_remove(const char *path, const char *id, struct err *e);

#endif
