/* web.h - the front over HTTP: libmicrohttpd on the same event loop, one thread (doc/protocol.md section 1). */
#ifndef RECRYPT_WEB_H
#define RECRYPT_WEB_H

#include <event2/event.h>

#include "common/err.h"
#include "service.h"

struct web;
/* fd: listening; closed by web_free, also when this fails. TLS when the settings have a certificate. */
int web_new(struct service *s, struct event_base *base, int fd, struct web **out, struct err *e);
/* Takes a changed certificate, key or limit of the new settings into use, on the same socket. On failure the old go on.
 */
int web_reload(struct web *w, const struct settings *old, const struct settings *now, struct err *e);
void web_free(struct web **w);

#endif
