/* fetch-stream.h - the connection to a mail server, as a stream for libetpan: TCP, TLS whose certificate is checked, a
 * guard before what comes in, and an end to every wait. */
#ifndef RECRYPT_FETCH_STREAM_H
#define RECRYPT_FETCH_STREAM_H

#include <libetpan/libetpan.h>

#include "fetch-conf.h"

struct fetch_stream;

/* Connects, with TLS when the configuration says so. *stream is libetpan's, closed with mailstream_close; *out lives as
 * long. ERR_RETRY: not reached, or not the server that its certificate should name. ERR_USAGE: no such host, no such ca
 * file. */
int fetch_stream_open(const struct fetch_conf *c, struct fetch_stream **out, mailstream **stream, struct err *e);

/* For the next command: octets of one literal and of the whole answer. Its time is the configured timeout for each
 * wait, and for the whole a minute beside what a slow line takes. */
void fetch_stream_expect(struct fetch_stream *s, size_t literal, size_t total);

/* After the server took STARTTLS. ERR_DENIED: it sent more in the clear, which somebody may have put there. */
int fetch_stream_starttls(struct fetch_stream *s, struct err *e);

/* Why the last read or write failed. Returns the code; ERR_RETRY when nothing did. */
int fetch_stream_error(const struct fetch_stream *s, struct err *e);

#endif
