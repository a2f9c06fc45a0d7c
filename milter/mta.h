/* mta.h - everything the milter asks of the mail server, and the only caller of smfi_*: tests link one of their own.
 *
 * Each function returns 0 or ERR_SYSTEM (the connection to the mail server failed, or it does not take the change).
 */
#ifndef RECRYPT_MTA_H
#define RECRYPT_MTA_H

#include <libmilter/mfapi.h>
#include <stddef.h>

enum { MTA_REPLY_LINES = 8, MTA_LINE_MAX = 400 };

/* One SMTP connection as libmilter knows it, and what was agreed on it. */
struct mta {
    SMFICTX *ctx;
    int leading_space; /* header values are exchanged with the white space behind the colon */
};

/* Our own pointer for the connection; NULL before it was set. */
void *mta_private(SMFICTX *ctx);
int mta_set_private(SMFICTX *ctx, void *p);

/* Negotiation only: the macros wanted at a stage. A mail server that does not do it sends what it is configured to. */
void mta_want_macros(SMFICTX *ctx, int stage, const char *names);

/* A macro's value, owned by libmilter until the next callback; NULL when absent. */
const char *mta_macro(const struct mta *m, const char *name);

/* The SMTP reply that the callback's result stands for; 1 to MTA_REPLY_LINES lines. */
int mta_reply(const struct mta *m, const char *code, const char *status, const char *const *lines, size_t count);

/* End of message only. Values are unfolded or folded with CRLF or LF, without white space in front. nth counts from 1
 * among the fields of that name. */
int mta_add_header(const struct mta *m, const char *name, const char *value);
int mta_change_header(const struct mta *m, const char *name, int nth, const char *value);
int mta_delete_header(const struct mta *m, const char *name, int nth);

/* The next octets of the new body; the first call puts aside the old one. Line ends are CRLF. */
int mta_replace_body(const struct mta *m, const void *data, size_t len);

int mta_change_sender(const struct mta *m, const char *address);
int mta_add_recipient(const struct mta *m, const char *address);
/* given: exactly as the recipient callback had it. */
int mta_delete_recipient(const struct mta *m, const char *given);

#endif
