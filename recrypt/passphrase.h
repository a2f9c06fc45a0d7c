/* passphrase.h - asks for a passphrase: $RECRYPT_PASSPHRASE_FILE for scripts, else the terminal, without echo. */
#ifndef RECRYPT_PASSPHRASE_H
#define RECRYPT_PASSPHRASE_H

#include "common/buf.h"
#include "common/err.h"

enum { PASSPHRASE_MAX = 1024 };

/* twice: asks again and compares. The first line of the file or of what is typed, without its line end; empty is
 * refused. ERR_USAGE: no terminal and no file, empty, or the two differ. ERR_DENIED: others may read the file. */
int passphrase_ask(const char *prompt, int twice, struct buf *out, struct err *e);

/* The pieces of that, for other secrets; what is the secret's name in errors ("password"). out is empty before.
 * A file that nobody else may read (ERR_DENIED otherwise); ERR_SYSTEM when it is not there. */
int passphrase_file(const char *path, const char *what, struct buf *out, struct err *e);
/* The terminal. ERR_USAGE: there is none (the text then says what to do instead), nothing was typed, the two differ. */
int passphrase_terminal(const char *prompt, int twice, const char *what, const char *instead, struct buf *out,
                        struct err *e);
/* Cuts b to its first line. ERR_USAGE: that is empty or has a NUL octet. */
int passphrase_first_line(struct buf *b, const char *what, struct err *e);

#endif
