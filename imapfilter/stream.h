/* stream.h - one end of a session: a socket that never blocks, plain or TLS, what was read of it and not used yet, and
 * what waits to be written.
 *
 * libevent waits; reading and writing is done here and not by its bufferevents, which read 4 KB at a time, keep a
 * buffer each, and write a turn of the loop later: that is most of what a filter can add to a round trip. An idle
 * stream holds no buffer.
 */
#ifndef RECRYPT_IMAPFILTER_STREAM_H
#define RECRYPT_IMAPFILTER_STREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "common/buf.h"
#include "common/err.h"

enum stream_event {
    STREAM_CONNECTED, /* what stream_connect began */
    STREAM_SECURE,    /* what stream_secure began */
    STREAM_READABLE,
    STREAM_DRAINED, /* nothing waits to be written any more */
    STREAM_FAILED   /* connection or handshake failed, or the peer does not take anything any more; error tells */
};

struct stream;
/* May call any function here but stream_close and stream_open. */
typedef void stream_handler(void *arg, struct stream *s, enum stream_event what);

struct stream {
    int fd;         /* -1 = closed */
    SSL *ssl;       /* NULL = plain */
    struct buf in;  /* the owner's: read and not used yet */
    struct buf out; /* waits to be written, from done on */
    size_t done;
    struct event readable, writable;
    stream_handler *handler;
    void *arg;
    unsigned connecting : 1, securing : 1, reading : 1, read_waits_to_write : 1, eof : 1, failed : 1;
    char error[128];
};

/* fd is non-blocking and belongs to the stream from here on; it is not read before stream_read_on. ERR_SYSTEM: fd is
 * still the caller's. */
int stream_open(struct stream *s, struct event_base *base, int fd, stream_handler *handler, void *arg, struct err *e);
/* Makes a socket and begins to connect it. ERR_RETRY, ERR_SYSTEM. */
int stream_connect(struct stream *s, struct event_base *base, const struct sockaddr *to, socklen_t len,
                   stream_handler *handler, void *arg, struct err *e);
/* Begins the handshake; takes ssl. What was written before must have gone out. */
int stream_secure(struct stream *s, SSL *ssl, int server, struct err *e);

void stream_read_on(struct stream *s, int on);
/* Octets read, 0 = none there now; -1 = no more will come (eof, or failed). */
ssize_t stream_read(struct stream *s, void *data, size_t size);
/* Writes now what can be, and keeps the rest. After a failure it takes everything and does nothing. */
void stream_write(struct stream *s, const void *data, size_t len);
size_t stream_waiting(const struct stream *s);
/* Tells the peer that nothing more comes. */
void stream_finish(struct stream *s);

/* Forgets the first octets of in. */
void stream_used(struct stream *s, size_t octets);

void stream_close(struct stream *s);

#endif
