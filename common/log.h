/* log.h - log lines to syslog (facility mail) or standard error; queue id first. Thread-safe. Never logs plaintext. */
#ifndef RECRYPT_LOG_H
#define RECRYPT_LOG_H

/* ident is kept, not copied. to_stderr 0 = syslog. verbose 1 also logs log_debug. */
void log_open(const char *ident, int to_stderr, int verbose);

/* The id that this thread's lines begin with, as "id: "; NULL or "" = none. Copied, at most 63 octets. */
void log_set_id(const char *id);

/* Control characters and octets over 0x7e in the result are shown as '?'. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
