/* xrecrypt-world.h - what stands around UID XRECRYPT in its test: a recryptd, messages as a server has them, and what
 * both ends of a session say about them. */
#ifndef RECRYPT_TEST_XRECRYPT_WORLD_H
#define RECRYPT_TEST_XRECRYPT_WORLD_H

#include <stdatomic.h>

#include "common/udf.h"
#include "frame-server.h"
#include "imapfilter-world.h"

#define DEVICE "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345"
#define FIELDS                                                                                                         \
    "(UID BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE CONTENT-TRANSFER-ENCODING)]<0.16384> BODY.PEEK[1.MIME]<0.16384> "

/* recryptd, which knows bob@example.com and DEVICE; run anew it behaves and has seen nothing. */
void recryptd_run(int on);
extern enum frame_action behaviour;
extern atomic_int items_seen, largest; /* items, and the most in one request */

/* What the server has of a message: header fields, part 1's header, part 1. */
struct mail {
    struct buf header, mime, part;
    char keys[3][KEYID_SIZE];
};

enum { TWO_PART, WHOLE, WHOLE_LAST }; /* LAST: the recipients */

/* Encrypted to keys of these addresses. WHOLE: one part, application/jose+json; base64 as its transfer encoding. */
void compose(struct mail *m, const char *const *to, size_t n, int whole, size_t plain_len);
void mail_clear(struct mail *m);

/* The server's answer about a message; more: items between. */
void send_mail(struct pair *p, unsigned number, unsigned uid, const struct mail *m, size_t limit, const char *more);
/* The filter's command to the server: what follows its tag must be this; the tag is put into the answer. */
int asked(struct pair *p, const char *command, char *tag);
int asked_fetch(struct pair *p, const char *set, size_t limit, char *tag);
void done(struct pair *p, const char *tag, const char *how);
/* The client's answer about a message: with a list's grant (kind 0), one elsewhere's (1), the person's own (2), or NIL
 * (-1). */
int told(struct pair *p, unsigned number, unsigned uid, const struct mail *m, int kind, const char *others);

#endif
