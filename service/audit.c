#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct audit {
    int fd;
};

static int open_file(const char *path, int *fd, struct err *e)
{
    *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd < 0 ? err_errno(e, "access_log: %s", path) : 0;
}

int audit_open(const char *path, struct audit **out, struct err *e)
{
    struct audit *a = calloc(1, sizeof *a);
    int rc = a ? open_file(path, &a->fd, e) : err_errno(e, "access_log");

    if (rc) {
        free(a);
        a = NULL;
    }
    *out = a;
    return rc;
}

int audit_reopen(struct audit *a, const char *path, struct err *e)
{
    int fd, rc = open_file(path, &fd, e);

    if (rc)
        return rc;
    close(a->fd);
    a->fd = fd;
    return 0;
}

/* What came from outside keeps to its column: no octet that could start another column or line. */
static const char *column(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++)
        out[n++] = *text > ' ' && *text < 0x7f ? *text : '_';
    if (!n)
        out[n++] = '-';
    out[n] = '\0';
    return out;
}

int audit_write(struct audit *a, const char *who, const char *request, const char *about, int status,
                const char *detail, struct err *e)
{
    char when[32], line[1600], c1[200], c2[64], c3[400], c4[ERR_TEXT_MAX];
    time_t now = time(NULL);
    struct tm tm;
    ssize_t done;
    int len;

    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    len = snprintf(line, sizeof line, "%s %s %s %s %d %s\n", when, column(who, c1, sizeof c1),
                   column(request, c2, sizeof c2), column(about, c3, sizeof c3), status, column(detail, c4, sizeof c4));
    do
        done = write(a->fd, line, (size_t)len);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return err_errno(e, "access log");
    return done == len ? 0 : err_set(e, ERR_SYSTEM, "access log: written in part only");
}

void audit_close(struct audit **a)
{
    if (!*a)
        return;
    close((*a)->fd);
    free(*a);
    *a = NULL;
}
