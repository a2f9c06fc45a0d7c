/* verdict.h - what a delivery is given and what becomes of it. */
#ifndef RECRYPT_LDA_VERDICT_H
#define RECRYPT_LDA_VERDICT_H

#include "common/err.h"

struct envelope {
    const char *sender;    /* without brackets; "" is the null sender */
    const char *recipient;
    const char *original;  /* as the client first named her; "" when not known */
    const char *queue_id;  /* "" when not known */
    int lmtp;              /* came by LMTP */
};

/* text is for bounces and LMTP answers: it names no member, no path and nothing of the message; the log has the
 * rest. */
struct verdict {
    int status;        /* sysexits.h; 0 = delivered */
    char enhanced[12]; /* RFC 3463; "5.1.1" */
    char text[128];
};

void verdict_set(struct verdict *v, int status, const char *enhanced, const char *text);

/* The verdict for an error of ours; EX_TEMPFAIL unless the code says that trying again is of no use. */
void verdict_error(struct verdict *v, const struct err *e);

#endif
