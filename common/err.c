#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
            *s = '?';
}

static void fill(struct err *e, int code, const char *fmt, va_list ap)
{
    if (!e)
        return;
    e->code = code;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    printable(e->text);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fill(e, code, fmt, ap);
    va_end(ap);
    return code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char reason[128];
    size_t used;
    va_list ap;

    va_start(ap, fmt);
    fill(e, ERR_SYSTEM, fmt, ap);
    va_end(ap);
    if (e) {
        used = strlen(e->text);
        snprintf(e->text + used, sizeof e->text - used, ": %s", strerror_r(saved, reason, sizeof reason));
    }
    errno = saved;
    return ERR_SYSTEM;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    size_t used;
    va_list ap;

    if (!e)
        return ERR_SYSTEM;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    printable(text);
    used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", e->text);
    memcpy(e->text, text, sizeof text);
    return e->code;
}

int err_temporary(int code)
{
    return code == ERR_RETRY || code == ERR_SYSTEM;
}

int err_sysexit(int code)
{
    switch (code) {
    case 0:
        return EX_OK;
    case ERR_SYNTAX:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
    case ERR_KEY:
    case ERR_CRYPTO:
        return EX_DATAERR;
    case ERR_ABSENT:
        return EX_NOINPUT;
    case ERR_DENIED:
        return EX_NOPERM;
    case ERR_EXISTS:
    case ERR_STALE:
        return EX_CANTCREAT;
    case ERR_USAGE:
        return EX_USAGE;
    default:
        return EX_TEMPFAIL;
    }
}
