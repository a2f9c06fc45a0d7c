/* server.h - listens, and serves until a signal says stop. */
#ifndef RECRYPT_IMAPFILTER_SERVER_H
#define RECRYPT_IMAPFILTER_SERVER_H

#include "settings.h"

struct listeners {
    int fd[2 * SETTINGS_LISTEN_MAX]; /* -1 = another has it */
    int tls[2 * SETTINGS_LISTEN_MAX];
    size_t count;
};
/* All or none. ERR_USAGE, ERR_EXISTS, ERR_SYSTEM. */
int server_listen(const struct settings *s, struct listeners *out, struct err *e);
void server_unlisten(struct listeners *l);

/* Raises the limit of open files as far as it goes, and lowers max_connections to what is possible then. Before root's
 * rights are dropped. */
void server_raise_limit(struct settings *s);

/* Takes settings and listeners. Confines the process when settings say so. 0 after a signal, ERR_SYSTEM. */
int server_run(struct settings *settings, const char *config, struct listeners *l, struct err *e);

#endif
