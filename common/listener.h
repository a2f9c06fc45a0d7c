/* listener.h - a listening socket on the event loop: takes connections as long as there is room for them.
 *
 * Out of descriptors or memory, a connection can neither be taken nor refused: it waits in the backlog, the socket is
 * left alone for a moment and tried again, until it succeeds. The log says so once a minute.
 */
#ifndef RECRYPT_LISTENER_H
#define RECRYPT_LISTENER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "err.h"

struct listener_use {
    const char *name; /* for the log */
    /* True: one more may be taken now. NULL: always. */
    int (*room)(void *arg);
    /* A connection, non-blocking and close-on-exec; fd is the callee's. */
    void (*take)(void *arg, int fd, const struct sockaddr *from, socklen_t from_len);
};

struct listener;
/* fd: listening; non-blocking after this, closed by listener_free, also when this fails. use and arg outlive the
 * listener. */
int listener_new(struct event_base *base, int fd, const struct listener_use *use, void *arg, struct listener **out,
                 struct err *e);
/* To be called when a connection has ended: there may be room again. */
void listener_watch(struct listener *l);
void listener_free(struct listener **l);

#endif
