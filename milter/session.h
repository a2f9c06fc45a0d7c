/* session.h - what the milter knows of one SMTP connection and of the message under way on it. */
#ifndef RECRYPT_MILTER_SESSION_H
#define RECRYPT_MILTER_SESSION_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"
#include "common/rclient.h"
#include "mta.h"
#include "settings.h"

enum { MESSAGE_ADDRESSES_MAX = 100 };

/* What the recipients so far ask for. All recipients of one transaction share one body, so they share one of these. */
enum route {
    ROUTE_NEW,    /* no recipient yet */
    ROUTE_PASS,   /* nothing to do with the body */
    ROUTE_LIST,   /* a list's: grants */
    ROUTE_SEAL,   /* a person's who wants plaintext encrypted */
    ROUTE_REFUSE  /* people's who refuse plaintext */
};

/* What is wrong with the message as it came in; told at its end, since header fields have no answer of their own. */
enum fault {
    FAULT_NONE,
    FAULT_MEMORY,
    FAULT_SIZE,
    FAULT_HEADER, /* too much of it, or a line that is no field */
    FAULT_OCTETS  /* NUL, CR without LF or LF without CR */
};

/* A recipient that is taken off the envelope. */
struct taken {
    char *given;              /* as the mail server named it */
    char owner[ADDRESS_SIZE]; /* who gets the message instead; "" for a list */
};

struct message {
    int null_sender;
    enum route route;
    struct address_info info; /* of the list, or of the person first named */
    struct taken *taken;
    size_t taken_count;
    /* Collected only when the route asks for it. */
    struct buf header;   /* fields as given, CRLF */
    struct buf text;     /* header, empty line, body */
    size_t body_at;      /* where in text the body begins; 0 = no octet of it came yet */
    size_t fields;
    int cr;              /* the last octet of the body so far is a CR */
    enum fault fault;
};

struct session {
    struct mta mta;
    struct settings *conf;       /* this connection's snapshot */
    struct frame_client *client; /* to recryptd */
    int quiet_sender;            /* agreed: MAIL gets no answer */
    int quiet_headers;           /* agreed: header fields get no answer */
    int can_skip;                /* agreed: the rest of a body can be declined */
    struct message *msg;         /* NULL between messages */
};

/* NULL when there is no memory or no configuration. */
struct session *session_new(void);
void session_free(struct session **s);

/* A new message; one that was under way is forgotten. ERR_SYSTEM. */
int session_begin(struct session *s, const char *sender);
void session_end(struct session *s);

/* Whether the header and body are worth having, and whether there is anything to do at the end. */
int message_wants_text(const struct message *m);
int message_wants_end(const struct message *m);

/* Collect; what goes wrong is kept in m->fault. limit: octets of the whole message. */
void message_add_field(struct message *m, const char *name, const char *value, int leading_space, size_t limit);
void message_add_body(struct message *m, const void *data, size_t len, size_t limit);
/* After the last octet: puts the empty line in when there was no body, finds a CR at the very end. */
void message_complete(struct message *m);
struct span message_body(const struct message *m);

/* Remembers a recipient to take off; owner NULL for a list. ERR_LIMIT past MESSAGE_ADDRESSES_MAX, ERR_SYSTEM. */
int message_take(struct message *m, const char *given, const char *owner);

#endif
