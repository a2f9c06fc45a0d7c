/* err.h - one error type for the whole tree.
 *
 * A library function that can fail returns 0 or a negative enum err_code and, when its struct err is not
 * NULL, fills it. Text is for the log and for people; code is for decisions. Only programs exit.
 */
#ifndef RECRYPT_ERR_H
#define RECRYPT_ERR_H

#include <stdarg.h>

enum err_code {
    ERR_SYNTAX = -1,      /* outside bytes that are not what they claim to be */
    ERR_LIMIT = -2,       /* a cap on size, depth or count was passed */
    ERR_UNSUPPORTED = -3, /* well formed, but an algorithm, version or option that is not accepted */
    ERR_KEY = -4,         /* a key of the wrong kind, or a public value that must not be used */
    ERR_CRYPTO = -5,      /* did not open or did not verify: never says why */
    ERR_ABSENT = -6,      /* no such thing */
    ERR_DENIED = -7,      /* not allowed */
    ERR_EXISTS = -8,      /* is there already */
    ERR_STALE = -9,       /* older than what is known already (serial, epoch, nonce) */
    ERR_RETRY = -10,      /* a service is away or busy: try again later */
    ERR_SYSTEM = -11,     /* memory, disk, system call: try again later */
    ERR_USAGE = -12       /* the caller's arguments or configuration */
};

enum { ERR_TEXT_MAX = 512 };

struct err {
    int code;
    char text[ERR_TEXT_MAX];
};

/* Puts '?' for what a terminal would obey (control characters, C1 ones in UTF-8 too, changes of direction) and for
 * octets that are not UTF-8. */
void err_printable(char *text);

/* Fills e (may be NULL) with code and the formatted text, cut to fit and put through err_printable, since much of it
 * quotes outside bytes. Returns code, so that "return err_set(...)" reads. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_SYSTEM, and ": " and strerror(errno) appended. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "what: " before the text that is there. Returns e's code (ERR_SYSTEM when e is NULL). */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True when trying the same thing again later may succeed: ERR_RETRY, ERR_SYSTEM. */
int err_temporary(int code);

/* The sysexits.h status for a code; anything not listed there, and every temporary error, is EX_TEMPFAIL. */
int err_sysexit(int code);

#endif
