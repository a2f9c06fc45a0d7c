/* message.h - one message in memory: read, and the fields that a delivery agent looks at or adds. */
#ifndef RECRYPT_LDA_MESSAGE_H
#define RECRYPT_LDA_MESSAGE_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mime.h"

/* Reads fd to its end, at most max octets; appended. ERR_LIMIT past max, ERR_SYSTEM. */
int message_read(int fd, size_t max, struct buf *out, struct err *e);

/* msg without the "From " line that mailbox_command and pipe(8)'s flag F put before the header. */
struct span message_without_from_line(struct span msg);

/* msg without the trace fields of the delivery to us (Return-Path, Delivered-To, X-Original-To) that it begins with: in
 * a message that goes on to the same recipient, the next server would take the second for a loop. */
struct span message_without_delivery_fields(struct span msg);

/* True when the header has a field of that name (the message is looked at as far as its header goes). */
int message_has_field(struct span msg, const char *name);

/* Appends "Return-Path: <sender>" and "Delivered-To: recipient" with msg's own line ends; each only when msg does not
 * begin with such a field for the same address already (Postfix' flags D and R). Either may be NULL. */
int message_delivery_fields(struct span msg, const char *sender, const char *recipient, struct buf *out,
                            struct err *e);

#endif
