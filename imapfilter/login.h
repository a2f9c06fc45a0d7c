/* login.h - what a session knows until somebody has logged in. Wiped then. */
#ifndef RECRYPT_IMAPFILTER_LOGIN_H
#define RECRYPT_IMAPFILTER_LOGIN_H

#include "session.h"

enum setup_step { SETUP_CONNECT, SETUP_GREETING, SETUP_STARTTLS, SETUP_HANDSHAKE, SETUP_CAPABILITY, SETUP_ID };

enum login_state {
    LOGIN_COMMAND, /* the client's next line belongs to a command */
    LOGIN_ANSWER,  /* a command is with the backend */
    LOGIN_SASL,    /* the client's next line is its response in AUTHENTICATE */
    LOGIN_STARTTLS /* the client has been told to begin */
};

enum login_what { WHAT_OTHER, WHAT_LOGIN, WHAT_PLAIN, WHAT_SASL_LOGIN, WHAT_SASL_OTHER };

struct login {
    /* setup.c */
    enum setup_step step;
    size_t backend; /* the next address to try */
    char own_tag[24];
    struct buf greeting, capabilities;
    /* login.c */
    enum login_state state;
    enum login_what what;
    struct buf command;        /* one command, literals in place */
    struct imap_reader sender; /* and how far the backend has it */
    size_t sent;
    char tag[IMAP_TAG_MAX + 1];
    struct buf user; /* who tries to log in */
    int unmapped;    /* and why that is nobody recryptd knows: see login_why */
    unsigned responses, faults;
};

#endif
