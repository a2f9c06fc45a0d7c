/* session.h - one client, its connection to the backend, and where the two are.
 *
 * A session goes through its phases: TLS with the client, when its port begins with that (session.c); preparing the
 * backend, before the client is greeted (setup.c); commands before login, one at a time, read whole and sent on in the
 * form in which they were understood (login.c); after login everything passes as it comes (relay.c) but UID XRECRYPT
 * (xrecrypt.c).
 */
#ifndef RECRYPT_IMAPFILTER_SESSION_H
#define RECRYPT_IMAPFILTER_SESSION_H

#include <sys/queue.h>
#include <time.h>

#include "common/peers.h"
#include "common/udf.h"
#include "imap-capability.h"
#include "imap-line.h"
#include "imap-read.h"
#include "link.h"
#include "settings.h"
#include "stream.h"

enum { CHUNK = 64 << 10 };

/* What all sessions share. */
struct filter {
    struct event_base *base;
    struct settings *settings; /* for new sessions */
    struct link *recryptd;
    struct peers *peers;
    long count;
    unsigned large;    /* sessions that have a long message in memory */
    uint32_t tag_mark; /* random: in the tags of the filter's own commands */
    uint32_t tag_count;
    LIST_HEAD(, session) sessions;
    unsigned char chunk[CHUNK]; /* what one reading brought */
};

enum phase { PHASE_FRONT, PHASE_SETUP, PHASE_LOGIN, PHASE_RELAY, PHASE_ENDING };

/* Why the client's next octets wait for the backend. */
enum hold {
    HOLD_NONE,
    HOLD_LITERAL, /* a continuation request, for literal */
    HOLD_IDLE,    /* a continuation request, for what ends IDLE */
    HOLD_XRECRYPT /* the end of UID XRECRYPT */
};

struct session {
    struct filter *filter;
    struct settings *settings;
    LIST_ENTRY(session) link;
    struct stream client, backend;
    struct event timer;
    struct sockaddr_storage peer;
    time_t began, active;
    enum phase phase;
    unsigned dead : 1;         /* freed when the event that is being handled has been */
    unsigned counted : 1;      /* among its address's sessions */
    unsigned secure : 1;       /* TLS with the client */
    unsigned finished : 1;     /* the backend was told that the client will send nothing more */
    unsigned mid_answer : 1;   /* the backend has sent the beginning of an answer and not its end */
    unsigned mid_command : 1;  /* the backend has the beginning of a command */
    unsigned skip_command : 1; /* what is left of a command that does not go on */
    unsigned taking : 1;       /* an answer is xrecrypt's and not passed on */
    unsigned idling : 1;       /* the client's next line ends IDLE */
    unsigned backend_held : 1; /* what comes from the backend waits */
    unsigned said_bye : 1;     /* the client was told that nothing more comes */
    unsigned lingers : 1;      /* ends when the client does: closing earlier could destroy our last words */
    enum hold hold;
    struct imap_reader from_client, from_backend;
    uint64_t literal;          /* HOLD_LITERAL */
    size_t command_len;        /* octets of the command that is under way, without literals */
    size_t outstanding;        /* commands sent to the backend and not answered */
    unsigned backend_can;      /* IMAP_CAP_.. */
    struct buf replies;        /* of ours: wait until mid_answer is over */
    struct login *login;       /* before login */
    struct xrecrypt *xrecrypt; /* while one is under way */
    char *account;             /* recryptd's name for who is logged in; NULL = nobody that it knows */
};

/* Takes fd in any case. tls: the port begins with TLS. */
void session_new(struct filter *f, int fd, const struct sockaddr *peer, socklen_t len, int tls);
void session_free(struct session *s);
/* Does what follows from what has happened: goes on with what waited, turns reading on and off, ends what is over. To
 * be called last by who handles an event of this session: s may be gone. */
void session_settle(struct session *s);

/* "bob@example.com at 192.0.2.1": for the log. In memory of its own, until the next call. */
const char *session_name(const struct session *s);

/* To the client, between two answers. session_send: of any length. */
void session_reply(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_send(struct session *s, const struct buf *text);
/* The place between two answers has come. */
void session_flush_replies(struct session *s);
void session_to_backend(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the session: "* BYE why" when a line can be said, and a line in the log. */
void session_end(struct session *s, const char *why);
/* Ends it at once, without a word to the client. */
void session_drop(struct session *s, const char *why);

/* The backend's stream_handler. */
void session_on_backend(void *arg, struct stream *st, enum stream_event what);

/* A tag of the filter's own, at most 24 characters. */
void session_tag(struct session *s, char out[24]);
struct imap_front session_front(const struct session *s);

/* A phase's functions. Each takes data from the front and returns how many octets it used; the rest is offered again,
 * with more behind it, when something has happened. */
size_t setup_backend(struct session *s, const unsigned char *data, size_t len);
size_t login_client(struct session *s, const unsigned char *data, size_t len);
size_t relay_client(struct session *s, const unsigned char *data, size_t len);
size_t relay_backend(struct session *s, const unsigned char *data, size_t len); /* login's as well */

/* setup.c */
void setup_begin(struct session *s); /* connects */
void setup_event(struct session *s, enum stream_event what);

/* login.c. login_begin: 0 or ERR_SYSTEM. */
int login_begin(struct session *s);
void login_secured(struct session *s); /* TLS with the client is there */
void login_client_drained(struct session *s);
/* "+" and tagged answers; 1 = the line goes on to the client, 0 = it does not. */
int login_continuation(struct session *s);
int login_tagged(struct session *s, const struct imap_reply *reply);
void login_free(struct session *s);

#endif
