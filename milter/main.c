#include <getopt.h>
#include <libmilter/mfapi.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "callbacks.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "run.h"
#include "settings.h"
#include "socket.h"

static const char usage_text[] =
    "Usage: recrypt-milter [-fnv] [-c FILE] [-p SOCKET]\n"
    "Gives mail for confidential lists its grants, and encrypts mail for people at the door.\n"
    "\n"
    "  -c FILE    configuration (default " SETTINGS_PATH ")\n"
    "  -f         stay in the foreground, log to standard error\n"
    "  -n         check the configuration and exit\n"
    "  -p SOCKET  where the mail server connects: unix:PATH or inet:PORT@HOST\n"
    "  -v         log more\n"
    "  --help, --version\n";

struct options {
    const char *config, *socket;
    int check, foreground, verbose;
};

/* 0, or an exit status plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option lng[] = {{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "c:fnp:v", lng, NULL)) != -1) {
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
        case 'p':
            o->socket = optarg;
            break;
        case 'v':
            o->verbose = 1;
            break;
        case 'h':
            fputs(usage_text, stdout);
            return EX_OK + 1;
        case 'V':
            puts("recrypt-milter " PACKAGE_VERSION);
            return EX_OK + 1;
        default:
            fputs("Try recrypt-milter --help\n", stderr);
            return EX_USAGE + 1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "recrypt-milter: what is \"%s\" for? Try recrypt-milter --help\n", argv[optind]);
        return EX_USAGE + 1;
    }
    return 0;
}

static int load(const struct options *o, struct settings **s, struct err *e)
{
    int r = settings_load(o->config, s, e);
    char *copy;

    if (r || !o->socket)
        return r;
    if (!(copy = strdup(o->socket))) {
        settings_release(s);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    free((*s)->socket);
    (*s)->socket = copy;
    return 0;
}

/* Messages get memory of their own, which goes back to the system with them: left to itself the C library keeps tens of
 * megabytes for the next one, once for each thread. */
enum { OWN_MEMORY = 256 << 10 };

/* Socket, then user: as root the one may lie where the other may not write. */
static int start(const struct settings *s, struct err *e)
{
    uid_t uid;
    gid_t gid;
    int r;

    if (s->user && (r = conf_user(s->user, &uid, &gid, e)) < 0)
        return r;
    if (geteuid() == 0 && !s->user)
        return err_set(e, ERR_USAGE, "not as root: set user in the configuration");
    if (smfi_register(callbacks_describe()) != MI_SUCCESS)
        return err_set(e, ERR_SYSTEM, "libmilter does not take the filter");
    if ((r = milter_socket_open(s, e)) < 0)
        return r;
    return s->user ? conf_drop_privileges(uid, gid, e) : 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct settings *s;
    struct err e;
    int r, sandbox;

    if ((r = read_options(argc, argv, &o)))
        return r - 1;
    log_open("recrypt-milter", 1, o.verbose);
    mallopt(M_MMAP_THRESHOLD, OWN_MEMORY);
    if (load(&o, &s, &e) < 0) {
        log_error("%s", e.text);
        return EX_CONFIG;
    }
    if (o.check) {
        puts("configuration is good");
        settings_release(&s);
        return EX_OK;
    }
    if ((r = start(s, &e)) < 0) {
        log_error("%s", e.text);
        settings_release(&s);
        return r == ERR_USAGE ? EX_CONFIG : EX_UNAVAILABLE;
    }
    sandbox = s->sandbox;
    settings_replace(s);
    if (!o.foreground) {
        if (daemon(0, 0) < 0) {
            log_error("cannot detach");
            return EX_OSERR;
        }
        log_open("recrypt-milter", 0, o.verbose);
    }
    if (sandbox && sandbox_milter(&e) < 0) {
        log_error("%s", e.text);
        return EX_OSERR;
    }
    return milter_run(o.config);
}
