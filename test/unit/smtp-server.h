/* smtp-server.h - a stand-in for an SMTP or LMTP server in tests of their clients: answers each step with what the test
 * says. */
#ifndef RECRYPT_SMTP_SERVER_H
#define RECRYPT_SMTP_SERVER_H

#include <pthread.h>

#include "common/buf.h"

enum smtp_step {
    STEP_GREETING,
    STEP_EHLO,
    STEP_LHLO,
    STEP_HELO,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_MESSAGE, /* its last dot has come */
    STEP_RSET,
    STEP_QUIT,
    STEP_OTHER
};

struct smtp_server {
    /* The answer to a step, its line's end with it; "" = none; NULL = the connection ends. rcpt: the last recipient. */
    const char *(*answer)(enum smtp_step step, const char *rcpt);
    int pause_ms; /* after each octet of an answer */
    char path[64];
    struct buf commands; /* the lines that came, with LF */
    struct buf taken;    /* "local part:message" of each that was answered with 2xx, the dots taken off */
    int data_for_nobody; /* messages that had no recipient, and nothing in them */
    int listening;
    pthread_t thread;
};

/* Serves one connection on a Unix socket; answer is set before. 0 or -1. */
int smtp_server_start(struct smtp_server *s);
/* When the connection has ended. What came stays until the next start, or smtp_server_clear. */
void smtp_server_stop(struct smtp_server *s);
void smtp_server_clear(struct smtp_server *s);

#endif
