/* reply.h - the SMTP answers of the milter, in one place: what a sender is told and what she can do about it. */
#ifndef RECRYPT_MILTER_REPLY_H
#define RECRYPT_MILTER_REPLY_H

#include "session.h"

/* Sets the reply and logs it. SMFIS_REJECT for a 5xx code, SMFIS_TEMPFAIL for any other, and SMFIS_TEMPFAIL when the
 * reply could not be set. The text is for people, ASCII, no line break. */
sfsistat reply(const struct session *s, const char *code, const char *status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* "Try again later" for every error that is the sender's fault in nothing. e is for the log only. */
sfsistat reply_later(const struct session *s, const struct err *e);

/* 550 5.7.1: what, the current key of info's account and how to send to it. */
sfsistat reply_use_key(const struct session *s, const struct address_info *info, const char *what);

/* 550 5.2.1: the list delivers to nobody, and whom to ask. */
sfsistat reply_nobody(const struct session *s, const char *account);

/* For m->fault. */
sfsistat reply_fault(const struct session *s, enum fault f);

/* For an error in what the sender sent: 550 5.6.0, 5.6.1, 5.7.1; later when it is none of hers. */
sfsistat reply_content(const struct session *s, const struct err *e);

#endif
