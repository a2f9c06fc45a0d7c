/* recrypt-imapfilter - stands before an IMAP server and offers UID XRECRYPT. doc/recrypt-imapfilter.8 is the manual. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "server.h"
#include "settings.h"

static const char usage_text[] =
    "Usage: recrypt-imapfilter [-fnv] [-c FILE]\n"
    "Stands before an IMAP server, passes everything on, and offers UID XRECRYPT: grants for encrypted mail.\n"
    "\n"
    "  -c, --config FILE  configuration (default " SETTINGS_PATH ")\n"
    "  -f, --foreground   stay in the foreground, log to standard error\n"
    "  -n, --test         check the configuration and exit\n"
    "  -v, --verbose      log more\n"
    "      --help, --version\n";

struct options {
    const char *config;
    int check, foreground, verbose;
};

/* 0, or an exit status plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
    enum { HELP = 256, VERSION_ };
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
        {"test", no_argument, NULL, 'n'},         {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, HELP},        {"version", no_argument, NULL, VERSION_},
        {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "c:fnv", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case 'f':
            o->foreground = 1;
            break;
        case 'n':
            o->check = 1;
            break;
        case 'v':
            o->verbose = 1;
            break;
        case HELP:
            fputs(usage_text, stdout);
            return EX_OK + 1;
        case VERSION_:
            puts("recrypt-imapfilter " PACKAGE_VERSION);
            return EX_OK + 1;
        default:
            fputs("Try recrypt-imapfilter --help\n", stderr);
            return EX_USAGE + 1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "recrypt-imapfilter: what is \"%s\" for? Try recrypt-imapfilter --help\n", argv[optind]);
        return EX_USAGE + 1;
    }
    return 0;
}

/* Ports and keys, then the user. */
static int start(struct settings *s, struct listeners *l, struct err *e)
{
    uid_t uid;
    gid_t gid;
    int r;

    if (*s->user && (r = conf_user(s->user, &uid, &gid, e)) < 0)
        return r;
    if (geteuid() == 0 && !*s->user)
        return err_set(e, ERR_USAGE, "not as root: set user in the configuration");
    server_raise_limit(s);
    if ((r = server_listen(s, l, e)) == 0 && *s->user && (r = conf_drop_privileges(uid, gid, e)) < 0)
        server_unlisten(l);
    return r;
}

static int fail(const struct err *e, int status)
{
    log_error("%s", e->text);
    return status;
}

int main(int argc, char **argv)
{
    struct options o = {.config = SETTINGS_PATH};
    struct listeners l = {.count = 0};
    struct settings *s;
    char *config;
    struct err e;
    int r;

    if ((r = read_options(argc, argv, &o)))
        return r - 1;
    log_open("recrypt-imapfilter", 1, o.verbose);
    if (settings_load(o.config, NULL, &s, &e) < 0)
        return fail(&e, EX_CONFIG);
    if (o.check) {
        puts("configuration is good");
        settings_release(&s);
        return EX_OK;
    }
    if ((r = start(s, &l, &e)) < 0) {
        settings_release(&s);
        return fail(&e, r == ERR_USAGE ? EX_CONFIG : EX_UNAVAILABLE);
    }
    if (!(config = realpath(o.config, NULL))) /* detached, the folder is another one */
        return fail((err_errno(&e, "%s", o.config), &e), EX_CONFIG);
    if (!o.foreground) {
        if (daemon(0, 0) < 0)
            return fail((err_errno(&e, "cannot detach"), &e), EX_OSERR);
        log_open("recrypt-imapfilter", 0, o.verbose);
    }
    r = server_run(s, config, &l, &e);
    free(config);
    return r < 0 ? fail(&e, EX_OSERR) : EX_OK;
}
