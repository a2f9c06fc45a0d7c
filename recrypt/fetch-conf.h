/* fetch-conf.h - what recrypt fetch is told: recrypt.conf's section "imap", a word and two options, checked. */
#ifndef RECRYPT_FETCH_CONF_H
#define RECRYPT_FETCH_CONF_H

#include <limits.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/udf.h"
#include "tool.h"

enum { FETCH_HOST_SIZE = 256, FETCH_MAILBOX_SIZE = 1024 };

enum fetch_tls { FETCH_TLS, FETCH_STARTTLS, FETCH_CLEAR };

/* Strings are owned by the home. */
struct fetch_conf {
    char account[ADDRESS_SIZE];
    enum fetch_tls tls;
    char host[FETCH_HOST_SIZE], port[8]; /* an IPv6 address is without its brackets */
    char ca[PATH_MAX];                   /* "" = the system's certificates */
    const char *user, *password_command;
    char password_file[PATH_MAX];     /* "" = none */
    char mailbox[FETCH_MAILBOX_SIZE]; /* as IMAP writes it: modified UTF-7 */
    char maildir[PATH_MAX];           /* absolute, without a slash at the end */
    size_t max_size;                  /* octets of a message */
    int timeout;                      /* seconds */
};

/* For the account that word names; NULL: the only one that has such a section, else home_account's. mailbox and into:
 * from the command line, NULL = the section's. ERR_USAGE with a text that says what to write where. */
int fetch_conf_read(const struct home *h, const char *word, const char *mailbox, const char *into,
                    struct fetch_conf *out, struct err *e);

/* "imaps://host[:port]", "imap+starttls://host[:port]", "imap://host[:port]"; a bare host is imaps. The last only for
 * this machine, unless cleartext says that the password may be read on the way. ERR_USAGE. */
int fetch_conf_url(const char *text, int cleartext, struct fetch_conf *out, struct err *e);

/* A mailbox name in UTF-8 as modified UTF-7 (RFC 3501 section 5.1.3). ERR_USAGE: empty, too long, not UTF-8, control
 * characters. */
int fetch_conf_mailbox(const char *name, char out[FETCH_MAILBOX_SIZE], struct err *e);

/* From password_command, else the file, else the terminal. Appended to out. ERR_USAGE,
 * ERR_DENIED, ERR_RETRY (the command failed), ERR_SYSTEM. */
int fetch_password(const struct fetch_conf *c, struct buf *out, struct err *e);

#endif
