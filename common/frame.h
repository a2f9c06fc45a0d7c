/* frame.h - the local protocol: frames of JSON over a stream socket (doc/protocol.md section 5).
 *
 * A frame is a length (4 octets, network order) and that many octets of strict JSON.
 */
#ifndef RECRYPT_FRAME_H
#define RECRYPT_FRAME_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum { FRAME_REQUEST_MAX = 64 << 10, FRAME_REPLY_MAX = 4 << 20 };

/* Appends a frame for the object. ERR_LIMIT past max. */
int frame_put(struct json_object *obj, size_t max, struct buf *out, struct err *e);
/* Takes the first frame off data: 1 and *out, *used = octets consumed; 0 = more is needed; ERR_LIMIT as soon as the
 * length says so, ERR_SYNTAX. */
int frame_take(const void *data, size_t len, size_t max, struct json_object **out, size_t *used, struct err *e);

/* The error that a Status of the protocol stands for (doc/protocol.md), 0 for success; what is not known there is
 * ERR_RETRY. */
int frame_status_error(int64_t status);

/* Appends the frame of {"<name>Request": body} (body borrowed, NULL = {}). ERR_LIMIT past FRAME_REQUEST_MAX,
 * ERR_SYSTEM. */
int frame_put_request(const char *name, struct json_object *body, struct buf *out, struct err *e);
/* Takes {"<name>Response": {...}} apart: *reply is the inner object, a reference of the caller's. A Status other than
 * success is an error as in frame_call. */
int frame_unwrap(struct json_object *outer, const char *name, struct json_object **reply, struct err *e);

/* The client's end: one connection, opened at need, reopened once when the service was restarted between two calls. Not
 * for use by two threads at once. */
struct frame_client;
int frame_client_new(const char *address, int timeout_ms, struct frame_client **out, struct err *e);
/* Sends {"<name>Request": body} (body borrowed, NULL = {}) and waits for {"<name>Response": {...}}; *reply is that
 * inner object, owned by the caller. Takes at most timeout_ms, connecting included; no signal when the peer is gone.
 * ERR_RETRY when the service is away, slow or answers rubbish; a Status other than success becomes an error: 400
 * ERR_SYNTAX, 401 ERR_DENIED, 404 ERR_ABSENT, 409 ERR_EXISTS, all others ERR_RETRY; the text is StatusDescription. For
 * requests that only read: one may be carried out twice when the service is restarted. */
int frame_call(struct frame_client *c, const char *name, struct json_object *body, struct json_object **reply,
               struct err *e);
void frame_client_free(struct frame_client **c);

#endif
