/* settings.h - the configuration: an immutable, counted snapshot. A session keeps the one that it began with. */
#ifndef RECRYPT_IMAPFILTER_SETTINGS_H
#define RECRYPT_IMAPFILTER_SETTINGS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf-socket.h"
#include "common/conf-take.h"
#include "common/err.h"

#define SETTINGS_PATH SYSCONFDIR "/recrypt/recrypt-imapfilter.conf"
enum { SETTINGS_LISTEN_MAX = 16, SETTINGS_BACKENDS_MAX = 8 };

enum backend_tls { BACKEND_PLAIN, BACKEND_STARTTLS, BACKEND_TLS };
enum plaintext_login { PLAINTEXT_NO, PLAINTEXT_LOOPBACK, PLAINTEXT_YES };

struct settings {
    unsigned refs;
    /* Read once, at start. */
    char *listen[SETTINGS_LISTEN_MAX], *listen_tls[SETTINGS_LISTEN_MAX];
    size_t listen_count, listen_tls_count;
    char *user; /* "" = stay */
    int sandbox;
    long max_connections;
    char *recryptd;
    /* Reloaded. */
    struct conf_tls tls;
    SSL_CTX *front; /* NULL: no certificate */
    char *backend;
    struct conf_address backends[SETTINGS_BACKENDS_MAX];
    size_t backend_count;
    enum backend_tls backend_tls;
    char *backend_name, *backend_ca;
    SSL_CTX *back; /* NULL: plain */
    int backend_id;
    enum plaintext_login plaintext_login;
    char *user_domain;                            /* "" = none */
    int64_t login_timeout, idle_timeout, timeout; /* seconds */
    long max_per_address;                         /* 0 = no limit */
    size_t max_messages;                          /* of one UID XRECRYPT */
};

/* *out has one reference. former (may be NULL) gives certificate and key when the new ones cannot be read without
 * root's rights. ERR_USAGE, ERR_ABSENT, ERR_SYSTEM. */
int settings_load(const char *path, const struct settings *former, struct settings **out, struct err *e);
struct settings *settings_hold(struct settings *s);
void settings_release(struct settings **s);
/* A setting that differs and takes a restart; NULL = none. */
const char *settings_fixed(const struct settings *old, const struct settings *s);

#endif
