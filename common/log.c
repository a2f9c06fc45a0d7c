#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *log_ident = "recrypt";
static int log_stderr = 1, log_verbose;
static _Thread_local char log_id[64];

void log_open(const char *ident, int to_stderr, int verbose)
{
    log_ident = ident;
    log_stderr = to_stderr;
    log_verbose = verbose;
    if (!to_stderr)
        openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_set_id(const char *id)
{
    snprintf(log_id, sizeof log_id, "%s", id ? id : "");
}

static void write_line(int priority, const char *fmt, va_list ap)
{
    char text[1024], line[1200], when[32];
    struct tm tm;
    time_t now;
    int n;

    vsnprintf(text, sizeof text, fmt, ap);
    for (char *s = text; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            *s = '?';
    if (!log_stderr) {
        syslog(priority, "%s%s%s", log_id, log_id[0] ? ": " : "", text);
        return;
    }
    now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    n = snprintf(line, sizeof line, "%s %s[%d]: %s%s%s\n", when, log_ident, (int)getpid(), log_id,
                 log_id[0] ? ": " : "", text);
    /* One write, so that lines of several processes do not mix. A log that cannot be written has no one to tell. */
    if (write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
        return;
}

#define LOG_FUNCTION(name, priority, condition) \
    void name(const char *fmt, ...)             \
    {                                           \
        va_list ap;                             \
        if (!(condition))                       \
            return;                             \
        va_start(ap, fmt);                      \
        write_line(priority, fmt, ap);          \
        va_end(ap);                             \
    }
LOG_FUNCTION(log_debug, LOG_DEBUG, log_verbose)
LOG_FUNCTION(log_info, LOG_INFO, 1)
LOG_FUNCTION(log_warn, LOG_WARNING, 1)
LOG_FUNCTION(log_error, LOG_ERR, 1)
