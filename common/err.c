#include "err.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The character at s, UTF-8 of two to four octets, and its length; 0 when it is none. */
static size_t character(const unsigned char *s, uint32_t *out)
{
    size_t len = *s >= 0xf0 && *s <= 0xf4 ? 4 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xc2 && *s < 0xe0 ? 2 : 0;

    *out = *s & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *out = *out << 6 | (s[i] & 0x3f);
    }
    return len;
}

/* C1 controls, of which U+009B begins what U+001B begins, and what turns the direction of text. */
static int obeyed(uint32_t c)
{
    return c < 0xa0 || c == 0x61c || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void err_printable(char *text)
{
    unsigned char *s = (unsigned char *)text;
    size_t len;
    uint32_t c;

    for (; *s; s += len) {
        len = 1;
        if (*s < 0x20 || *s == 0x7f) {
            *s = '?';
        } else if (*s >= 0x80) {
            if (!(len = character(s, &c))) {
                *s = '?';
                len = 1;
            } else if (obeyed(c)) {
                memset(s, '?', len);
            }
        }
    }
}

static void fill(struct err *e, int code, const char *fmt, va_list ap)
{
    if (!e)
        return;
    e->code = code;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    err_printable(e->text);
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
    err_printable(text);
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
