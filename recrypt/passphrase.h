/* passphrase.h - asks for a passphrase: $RECRYPT_PASSPHRASE_FILE for scripts, else the terminal, without echo. */
#ifndef RECRYPT_PASSPHRASE_H
#define RECRYPT_PASSPHRASE_H

#include "common/buf.h"
#include "common/err.h"

enum { PASSPHRASE_MAX = 1024 };

/* twice: asks again and compares. The first line of the file or of what is typed, without its line end; empty is
 * refused. ERR_USAGE: no terminal and no file, empty, or the two differ. ERR_DENIED: others may read the file. */
int passphrase_ask(const char *prompt, int twice, struct buf *out, struct err *e);

#endif
