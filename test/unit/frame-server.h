/* frame-server.h - a stand-in for recryptd in tests of its clients: answers each request with what the test says. */
#ifndef RECRYPT_FRAME_SERVER_H
#define RECRYPT_FRAME_SERVER_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/buf.h"

enum frame_action {
    FRAME_REPLY,       /* the answer */
    FRAME_REPLY_CLOSE, /* the answer, then the connection ends */
    FRAME_REPLY_SLOW,  /* the answer octet by octet in small pieces */
    FRAME_CLOSE,       /* the connection ends without an answer */
    FRAME_CUT,         /* half of the answer, then the end */
    FRAME_TWICE,       /* the answer two times */
    FRAME_EXTRA,       /* the answer, and a little later again */
    FRAME_SILENT       /* nothing, the connection stays */
};

/* Called in the server's thread for each request; puts whole octets to send (length and all) into answer. */
typedef enum frame_action frame_handler(void *arg, struct json_object *request, struct buf *answer);

struct frame_server {
    char address[108];
    frame_handler *handler;
    void *arg;
    atomic_int connections, requests;
    int listener;
    atomic_int stop;
    pthread_t thread;
};

/* Listens on path (a Unix socket) and serves one connection after another. 0 or -1. */
int frame_server_start(struct frame_server *s, const char *path, frame_handler *handler, void *arg);
void frame_server_stop(struct frame_server *s);

/* A frame around a text, right or not. */
void frame_of(struct buf *out, const char *text);

#endif
