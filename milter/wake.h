/* wake.h - sees to it that libmilter's threads leave no connection waiting for another one.
 *
 * libmilter with a pool of threads (Debian's) leaves a packet to an idle thread, if there is one, and a thread counts
 * as idle until it is awake: two packets of one moment are left to the same thread. It takes up one. The other waits
 * until any thread has ended a task, and if that thread waits itself, for recryptd or for the rest of half a packet,
 * that can be an hour.
 *
 * So the milter has two connections to itself, and on one of them a packet every so often. Where no thread is idle
 * libmilter makes one for it, and that thread looks for what was left behind.
 *
 * For one thread, but for wake_on_helo.
 */
#ifndef RECRYPT_MILTER_WAKE_H
#define RECRYPT_MILTER_WAKE_H

#include <libmilter/mfapi.h>
#include <poll.h>
#include <stdint.h>

#include "common/conf-socket.h"
#include "common/err.h"

enum { WAKE_CONNECTIONS = 2 };

struct wake {
    struct conf_address listener;
    struct {
        int fd; /* -1 = none */
        int asked;
    } connection[WAKE_CONNECTIONS];
    int last;    /* the one that was asked last */
    int64_t due; /* when the next packet is */
};

/* Connects to the socket that libmilter listens on, as soon as it does: no mail server's connection comes before these.
 * Without them wake_turn does nothing. Errors of conf_connect. */
int wake_open(const struct conf_address *listener, struct wake *w, struct err *e);

/* Connects once more and hangs up: libmilter's listener looks whether it is to stop every five seconds, and at every
 * connection. The sandbox lets a Unix socket through and no other. */
void wake_listener(const struct wake *w);

/* Takes the answers that came and sends what is due. Returns the milliseconds after which it wants to be called again,
 * or as soon as one of p is ready; -1 = never. */
int wake_turn(struct wake *w, struct pollfd p[WAKE_CONNECTIONS]);

void wake_close(struct wake *w);

/* The filter's callback for HELO, which mail servers need not send us. */
sfsistat wake_on_helo(SMFICTX *ctx, char *name);

#endif
