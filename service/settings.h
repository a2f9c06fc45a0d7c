/* settings.h - recryptd's configuration as an immutable snapshot; a reload makes a new one and swaps it in whole. */
#ifndef RECRYPT_SETTINGS_H
#define RECRYPT_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf-take.h"
#include "common/err.h"
#include "common/rclient.h"

#define SETTINGS_PATH SYSCONFDIR "/recrypt/recryptd.conf"
#define WEB_PATH "/.well-known/meshrecrypt"

struct policy {
    enum plaintext_policy plaintext; /* lists: REJECT or ENCRYPT */
    int archive;
    size_t max_size; /* octets, 0 = none */
};

struct names {
    char **list;
    size_t count;
};
struct uids {
    uid_t *list;
    size_t count;
};

struct settings {
    struct names domains;        /* canonical */
    struct names administrators; /* canonical addresses */
    char *url;                   /* complete, with WEB_PATH; "" without a web service */
    char *listen_local;
    mode_t listen_local_mode;
    char *listen_web; /* "host:port", "" = none */
    struct conf_tls tls; /* without a certificate plain HTTP */
    char *state_directory;
    char *keystore_type, *keystore_location;
    int has_user;
    uid_t uid;
    gid_t gid;
    struct uids milter, delivery;
    char *user_domain; /* a user of this host may ask as NAME@user_domain; "" = no */
    int registration_open;
    struct policy list_policy;
    enum plaintext_policy person_plaintext;
    size_t inline_max;   /* members up to whom a message goes out as one, with everybody's grants */
    size_t list_max;     /* members of the largest list */
    size_t devices_max;     /* of one person */
    size_t device_requests; /* that wait for one person */
    size_t shares_max;      /* of other services' lists, that one person may leave here for her devices */
    int64_t fanout_keep; /* seconds for which a message's fan-out is remembered */
    int64_t quota; /* RecryptData for a member and day; 0 = no limit */
    char *access_log;
    size_t max_body;
    unsigned max_connections, max_clients;
    int64_t timeout; /* seconds */
    size_t cache_entries;
    int sandbox;
};

/* Reads and checks the file, and the certificate and key when named. Text of an error names the file and the option.
 * former (NULL at the start): when the same key file may no longer be read, since root's rights are gone, its
 * certificate and key stay. */
int settings_load(const char *path, const struct settings *former, struct settings **out, struct err *e);
void settings_free(struct settings **s);

/* Is the domain of this canonical address one of ours? */
int settings_serves(const struct settings *s, const char *address);
int settings_administrator(const struct settings *s, const char *address);
int uids_have(const struct uids *u, uid_t uid);
/* The address of a user of this host; 0 when she has none. */
int settings_user_address(const struct settings *s, uid_t uid, char out[ADDRESS_SIZE]);

/* Root is not who serves: ERR_USAGE when the process is root's and no user is named, or one of root's. */
int settings_user_named(const struct settings *s, struct err *e);

/* What differs from old and takes a restart to come into effect; NULL when nothing. Static text. */
const char *settings_fixed(const struct settings *old, const struct settings *s);

const char *policy_plaintext_name(enum plaintext_policy p);
/* "reject", "encrypt", and with pass allowed "pass". ERR_SYNTAX. */
int policy_plaintext(const char *text, int pass, enum plaintext_policy *out, struct err *e);

#endif
