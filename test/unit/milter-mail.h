/* milter-mail.h - messages through the milter's callbacks, and encrypted messages to send. */
#ifndef RECRYPT_MILTER_MAIL_H
#define RECRYPT_MILTER_MAIL_H

#include "milter-world.h"
#include "milter/settings.h"

struct mail {
    const char *sender;        /* NULL = <dave@example.org> */
    const char *rcpt[4];
    const char *header[24][2]; /* name and value; a first field "From" is added unless no_from */
    int no_from;
    const char *body;
    size_t len;                /* 0 = strlen(body) */
    size_t piece;              /* octets handed over at once; 0 = all */
};

/* A connection: negotiated at the first call of mail_send after mail_close; configuration with the given extra
 * lines. */
void mail_config(const char *lines);
struct settings *mail_settings(const char *lines); /* only read */
void mail_close(void);
void mail_fresh(void); /* closes, and the world forgets what it was told and what happened */

/* To one recipient; the rest is for the caller to add. */
struct mail mail_to(const char *rcpt, const char *body);

/* One message as a mail server would hand it over. The result of the last callback that had a say. */
sfsistat mail_send(const struct mail *m);
/* Only the envelope; the result of the last recipient. */
sfsistat mail_envelope(const struct mail *m);

/* A text encrypted to an account's current (or old) key, of a number of forged grants: Content-Type and body of the
 * two-part form, or one whole JWE. Released by the next call of either. */
const char *mail_sealed(const char *account, int old, size_t forged, const char **type);
const char *mail_whole(const char *account, const char **type);
/* The JWE in part 1 of what the body is now; NULL when there is none. jwe_free. */
struct jwe *mail_result(void);
/* That JWE opened with the world's current key: 1 when it holds text. */
int mail_opens(const char *text);

#endif
