/* lines.h - the line ends of a message in memory. */
#ifndef RECRYPT_LINES_H
#define RECRYPT_LINES_H

#include "buf.h"
#include "err.h"
#include "mime.h"

/* 1 when text's first line ends with CRLF, 0 when with LF or not at all. */
int lines_have_crlf(struct span text);

/* Appends text with every CRLF as LF. ERR_LIMIT, ERR_SYSTEM (so below). */
int lines_to_lf(struct span text, struct buf *out, struct err *e);

/* Appends text with every line ended by CRLF: a bare LF and a bare CR become CRLF too, so that nobody downstream can
 * see an end of the message where there is none; the last line gets one when it has none. */
int lines_to_crlf(struct span text, struct buf *out, struct err *e);

#endif
