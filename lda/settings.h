/* settings.h - recrypt-lda.conf as a checked, constant structure. */
#ifndef RECRYPT_LDA_SETTINGS_H
#define RECRYPT_LDA_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/maildir.h"
#include "grants.h"

enum { SETTINGS_BATCH_MAX = 64 };

enum route_kind { ROUTE_MAILDIR, ROUTE_LMTP, ROUTE_SMTP };

struct route {
    enum route_kind kind;
    char *address; /* as conf_connect takes it; NULL for ROUTE_MAILDIR */
};

struct domain_route {
    char *domain; /* lower case */
    struct route route;
};

/* When Return-Path and Delivered-To are put on by us. */
enum delivery_fields { FIELDS_NEVER, FIELDS_LMTP, FIELDS_ALWAYS };

struct settings {
    char *recryptd;
    int timeout;           /* seconds, for recryptd and for the next server */
    char *mail_root;       /* absolute */
    char *maildir;         /* template, below mail_root unless it begins with %h */
    char *archive_maildir; /* template, below mail_root */
    struct maildir_modes archive;
    struct route route;
    struct domain_route *domains;
    size_t domain_count;
    char *fanout_server;   /* as conf_connect takes it: the re-injection port */
    size_t fanout_batch;   /* copies that may have been sent and not been recorded */
    size_t max_message;    /* octets */
    enum grants_mode grants; /* for who is registered at this service */
    enum delivery_fields fields;
    char *user;            /* "" = whoever runs the program, but root */
    uid_t uid;
    gid_t gid;
    char *lmtp_listen;     /* "" = nowhere */
    mode_t lmtp_mode;      /* of a Unix socket */
    int lmtp_connections;  /* at one time */
    int lmtp_timeout;      /* seconds of silence */
    int log_stderr;
    int sandbox;
};

/* Reads and checks path. ERR_USAGE names the line or the option; ERR_ABSENT; ERR_SYSTEM. */
int settings_load(const char *path, struct settings *out, struct err *e);
void settings_clear(struct settings *s);

/* Where mail for a (canonical) domain goes. */
const struct route *settings_route(const struct settings *s, const char *domain);

/* True when the table names the domain. */
int settings_knows(const struct settings *s, const char *domain);

#endif
