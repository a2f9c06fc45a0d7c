#include "verdict.h"

#include <stdio.h>
#include <sysexits.h>

void verdict_set(struct verdict *v, int status, const char *enhanced, const char *text)
{
    v->status = status;
    snprintf(v->enhanced, sizeof v->enhanced, "%s", enhanced);
    snprintf(v->text, sizeof v->text, "%s", text);
}

void verdict_error(struct verdict *v, const struct err *e)
{
    switch (e->code) {
    case ERR_LIMIT:
        verdict_set(v, EX_UNAVAILABLE, "5.3.4", "the message is too large");
        break;
    case ERR_SYNTAX:
        verdict_set(v, EX_NOUSER, "5.1.3", "this address has no mailbox here");
        break;
    default:
        verdict_set(v, EX_TEMPFAIL, "4.3.0", "cannot deliver now, try again later");
    }
}
