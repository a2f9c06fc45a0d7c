/* recryptd - the recryption service: options and what each asks for. doc/recryptd.8 is the manual. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/program.h"
#include "server.h"

enum { DAYS_DEFAULT = 7, DAYS_MAX = 3650 };

struct options {
    struct program_options common;
    const char *invite;
    int check;
    long days;
};

static int fail(const struct err *e, int status)
{
    log_error("%s", e->text);
    return status;
}

static const char usage[] =
    "usage: recryptd [-fnv] [-c FILE]\n"
    "       recryptd [-c FILE] --check\n"
    "       recryptd [-c FILE] --invite ADDRESS [--days N]\n"
    "\n"
    "The recryption service for encrypted mail to lists; see recryptd(8).\n"
    "\n"
    "  -c, --config FILE    configuration (" SETTINGS_PATH ")\n"
    "  -f, --foreground     stay in the foreground, log to standard error\n"
    "  -n, --test           check the configuration and exit\n"
    "  -v, --verbose        log more\n"
    "      --check          verify the keystore's files and every record (recryptd must not run)\n"
    "      --invite ADDRESS print a token with which that person may register once\n"
    "      --days N         days for which the token is good (7)\n"
    "      --help, --version\n";

enum { CHECK = 1001, INVITE, DAYS };

static int take(int option, const char *value, void *arg)
{
    struct options *o = arg;
    char *end;

    switch (option) {
    case CHECK:
        o->check = 1;
        return 0;
    case INVITE:
        o->invite = value;
        return 0;
    default:
        o->days = strtol(value, &end, 10);
        if (*value && !*end && o->days >= 1 && o->days <= DAYS_MAX)
            return 0;
        fprintf(stderr, "recryptd: --days: \"%s\" is not between 1 and %d\n", value, DAYS_MAX);
        return EX_USAGE + 1;
    }
}

/* 0, or an exit status + 1 when there is nothing more to do. */
static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"check", no_argument, NULL, CHECK},
                                          {"invite", required_argument, NULL, INVITE},
                                          {"days", required_argument, NULL, DAYS},
                                          {NULL, 0, NULL, 0}};
    const struct program p = {"recryptd", usage, "", longs, take, o};
    int status = program_read_options(&p, argc, argv, &o->common);

    if (status || !o->check || !o->invite)
        return status;
    fputs("recryptd: --check and --invite are two things\n", stderr);
    return EX_USAGE + 1;
}

/* A fault of the configuration is named as such, also when it shows late. */
static int end_status(int rc)
{
    return rc == ERR_USAGE ? EX_CONFIG : err_sysexit(rc);
}

/* What root looks at or makes must stay the service's own. */
static int become_user(const struct settings *s, struct err *e)
{
    int rc = settings_user_named(s, e);

    return !rc && geteuid() == 0 ? conf_drop_privileges(s->uid, s->gid, e) : rc;
}

/* ---- -n ---- */

static int test(const struct settings *s)
{
    struct err e;

    if (settings_user_named(s, &e) < 0)
        return fail(&e, EX_CONFIG);
    puts("configuration is good");
    return EX_OK;
}

/* ---- --invite ---- */

static int invite(const struct settings *s, const struct options *o)
{
    struct service_keys *keys = NULL;
    struct buf token = BUF_INIT;
    char address[ADDRESS_SIZE], *path = NULL;
    struct err e;
    int rc = address_canonical(o->invite, strlen(o->invite), address, &e);
    if (!rc && !settings_serves(s, address))
        rc = err_set(&e, ERR_USAGE, "%s is not a domain of this service", address_domain(address));
    if (!rc && asprintf(&path, "%s/service.key", s->state_directory) < 0)
        rc = err_errno(&e, "service key");
    rc = rc ? rc : servicekey_load(path, &keys, &e);
    if (rc == ERR_ABSENT)
        err_prefix(&e, "start recryptd once first");
    rc = rc ? rc : servicekey_token(keys, address, time(NULL) + o->days * 86400, &token, &e);
    if (!rc)
        puts(buf_str(&token));
    servicekey_free(&keys);
    buf_free(&token);
    free(path);
    return rc ? fail(&e, err_sysexit(rc)) : EX_OK;
}

/* ---- --check ---- */

static int check(const struct settings *s)
{
    struct service_keys *keys;
    struct keystore *ks;
    struct records records;
    size_t count = 0, faults = 0;
    struct err e;
    int rc = keystore_verify(s->keystore_type, s->keystore_location, &e);
    if (rc)
        return fail(&e, err_sysexit(rc));
    rc = server_open_store(s, 0, 1, &keys, &ks, &records, &e);
    if (rc)
        return fail(&e, err_sysexit(rc));
    rc = records_check(&records, &count, &faults, &e);
    server_close_store(&keys, &ks, &records);
    if (rc)
        return fail(&e, err_sysexit(rc));
    printf("keystore %s: %zu records, no fault\n", s->keystore_location, count);
    return EX_OK;
}

/* ---- serving ---- */

struct start {
    int fd; /* to the process that waits for us to be ready; -1 = none */
    int verbose;
};

static void on_ready(void *arg)
{
    struct start *st = arg;
    int null;

    if (st->fd < 0)
        return;
    log_open("recryptd", 0, st->verbose);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    if (write(st->fd, "", 1) != 1)
        log_warn("nobody waited for the start");
    close(st->fd);
    st->fd = -1;
}

/* The first process stays until the one that serves is ready or has failed, and ends with that outcome. */
static void detach(struct start *st)
{
    int ends[2], status;
    char byte;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) || (pid = fork()) < 0) {
        log_error("cannot detach: %s", strerror(errno));
        exit(EX_OSERR);
    }
    if (!pid) {
        close(ends[0]);
        st->fd = ends[1];
        setsid();
        if (chdir("/"))
            log_warn("chdir /: %s", strerror(errno));
        return;
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) == 1)
        _exit(EX_OK);
    _exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

static int serve(struct settings *s, const char *config_path, const struct options *o)
{
    struct start st = {-1, o->common.verbose};
    struct err e;
    int rc;

    if (!o->common.foreground)
        detach(&st);
    rc = server_run(s, config_path, on_ready, &st, &e);
    return rc ? fail(&e, end_status(rc)) : EX_OK;
}

int main(int argc, char **argv)
{
    struct options o = {.common.config = SETTINGS_PATH, .days = DAYS_DEFAULT};
    struct settings *s = NULL;
    char *config_path;
    struct err e;
    int started = program_start(&e), status = parse(argc, argv, &o);

    if (status)
        return status - 1;
    log_open("recryptd", 1, o.common.verbose);
    if (started || program_holds_keys(&e))
        return fail(&e, EX_TEMPFAIL);
    if (settings_load(o.common.config, NULL, &s, &e))
        return fail(&e, EX_CONFIG);
    if (o.common.check || o.invite || o.check) {
        if (o.common.check)
            status = test(s);
        else if ((status = become_user(s, &e)))
            status = fail(&e, end_status(status));
        else
            status = o.invite ? invite(s, &o) : check(s);
        settings_free(&s);
        return status;
    }
    config_path = realpath(o.common.config, NULL);
    status = config_path ? serve(s, config_path, &o) : fail((err_errno(&e, "%s", o.common.config), &e), EX_CONFIG);
    free(config_path);
    return status;
}
