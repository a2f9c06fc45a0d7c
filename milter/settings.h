/* settings.h - the configuration: an immutable, counted snapshot, replaced whole at reload. */
#ifndef RECRYPT_MILTER_SETTINGS_H
#define RECRYPT_MILTER_SETTINGS_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define SETTINGS_PATH SYSCONFDIR "/recrypt/recrypt-milter.conf"
enum { SETTINGS_HELP_LINES = 2 };

struct settings {
    unsigned refs;
    /* Read once, at start. */
    char *socket;       /* where the mail server finds us */
    mode_t socket_mode;
    char *socket_group; /* NULL = as it comes */
    char *user;         /* NULL = stay */
    int idle_timeout;   /* seconds that the mail server may be silent, also in the middle of a packet */
    int sandbox;
    /* Reloaded. */
    char *recryptd;     /* its local socket */
    int timeout_ms;     /* for one answer of recryptd */
    size_t max_message; /* octets, header and body */
    char *outer_subject;
    char *help[SETTINGS_HELP_LINES]; /* further lines of a refusal; NULL = none */
};

/* Reads path (NULL = SETTINGS_PATH, which may be absent). *out has one reference. ERR_USAGE, ERR_ABSENT, ERR_SYSTEM. */
int settings_load(const char *path, struct settings **out, struct err *e);

/* The snapshot that new connections get. Replacing takes over s's reference. */
struct settings *settings_acquire(void); /* NULL before the first one was put */
void settings_replace(struct settings *s);
void settings_release(struct settings **s);

#endif
