#include <libmilter/mfapi.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "callbacks.h"
#include "common/algorithms.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "run.h"
#include "settings.h"
#include "socket.h"

static const char usage_text[] =
    "Usage: recrypt-milter [-fnv] [-c FILE] [-p SOCKET]\n"
    "Gives mail for confidential lists its grants, and encrypts mail for people at the door.\n"
    "\n"
    "  -c, --config FILE    configuration (" SETTINGS_PATH ")\n"
    "  -f, --foreground     stay in the foreground, log to standard error\n"
    "  -n, --test           check the configuration and exit\n"
    "  -p, --socket SOCKET  where the mail server connects: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST\n"
    "  -v, --verbose        log more\n"
    "      --help, --version\n";

/* -p SOCKET */
static int take(int option, const char *value, void *arg)
{
    const char **socket = arg;

    (void)option;
    *socket = value;
    return 0;
}

static int fail(const struct err *e, int status)
{
    log_error("%s", e->text);
    return status;
}

static int load(const char *config, const char *socket, struct settings **s, struct err *e)
{
    int r = settings_load(config, s, e);
    char *copy;

    if (r || !socket)
        return r;
    if (!(copy = strdup(socket))) {
        settings_release(s);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    free((*s)->socket);
    (*s)->socket = copy;
    return 0;
}

/* -n: what start would refuse once it is too late to mend. */
static int check(const struct settings *s, struct err *e)
{
    uid_t uid;
    gid_t gid;
    int r = conf_daemon_user(s->user, &uid, &gid, e);

    return r < 0 ? r : milter_socket_group(s, &gid, e);
}

/* Messages get memory of their own, which goes back to the system with them: left to itself the C library keeps tens of
 * megabytes for the next one, once for each thread. */
enum { OWN_MEMORY = 256 << 10 };

/* Two for each mail server's process, its connection and ours to recryptd; large ones have thousands. Where they run
 * out, whoever comes waits. */
enum { DESCRIPTORS = 8192 };

/* Socket, then user: as root the one may lie where the other may not write. */
static int start(const struct settings *s, struct wake *w, struct err *e)
{
    struct smfiDesc filter = callbacks_describe();
    uid_t uid;
    gid_t gid;
    int r;

    if ((r = conf_daemon_user(s->user, &uid, &gid, e)) < 0)
        return r;
    (void)program_descriptors(DESCRIPTORS);
    filter.xxfi_helo = wake_on_helo;
    if (smfi_register(filter) != MI_SUCCESS || smfi_settimeout(s->idle_timeout) != MI_SUCCESS)
        return err_set(e, ERR_SYSTEM, "libmilter does not take the filter");
    if ((r = milter_socket_open(s, w, e)) < 0)
        return r;
    if (s->user && (r = conf_drop_privileges(uid, gid, e)) < 0)
        return r;
    return algorithms_prepare(e);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"socket", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    struct program_options o = {0};
    const char *socket = NULL;
    const struct program p = {"recrypt-milter", usage_text, "p:", longs, take, &socket};
    struct settings *s;
    struct wake w;
    char *config = NULL;
    struct err e;
    int started = program_start(&e), r, sandbox;

    if ((r = program_read_options(&p, argc, argv, &o)))
        return r - 1;
    log_open("recrypt-milter", 1, o.verbose);
    if (started < 0)
        return fail(&e, EX_TEMPFAIL);
    mallopt(M_MMAP_THRESHOLD, OWN_MEMORY);
    if (load(o.config, socket, &s, &e) < 0)
        return fail(&e, EX_CONFIG);
    if (o.check) {
        if ((r = check(s, &e)) == 0)
            puts("configuration is good");
        settings_release(&s);
        return r < 0 ? fail(&e, EX_CONFIG) : EX_OK;
    }
    if ((r = start(s, &w, &e)) < 0) {
        settings_release(&s);
        return fail(&e, r == ERR_USAGE ? EX_CONFIG : EX_UNAVAILABLE);
    }
    if (o.config && !(config = realpath(o.config, NULL))) /* detached, the folder is another one */
        return fail((err_errno(&e, "%s", o.config), &e), EX_CONFIG);
    sandbox = s->sandbox;
    settings_replace(s);
    if (!o.foreground) {
        if (daemon(0, 0) < 0)
            return fail((err_errno(&e, "cannot detach"), &e), EX_OSERR);
        log_open("recrypt-milter", 0, o.verbose);
    }
    if (sandbox && sandbox_milter(&e) < 0)
        return fail(&e, EX_OSERR);
    r = milter_run(config, &w);
    free(config);
    return r;
}
