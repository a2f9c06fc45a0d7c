/* recrypt-imapfilter - stands before an IMAP server and offers UID XRECRYPT. doc/recrypt-imapfilter.8 is the manual. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/algorithms.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/program.h"
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

/* Ports and keys, then the user. */
static int start(struct settings *s, struct listeners *l, struct err *e)
{
    uid_t uid;
    gid_t gid;
    int r;

    if ((r = conf_daemon_user(s->user, &uid, &gid, e)) < 0)
        return r;
    server_raise_limit(s);
    if ((r = server_listen(s, l, e)) == 0 &&
        ((*s->user && (r = conf_drop_privileges(uid, gid, e)) < 0) || (r = algorithms_prepare_tls(e)) < 0))
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
    static const struct program p = {.name = "recrypt-imapfilter", .usage = usage_text, .shorts = ""};
    struct program_options o = {.config = SETTINGS_PATH};
    struct listeners l = {.count = 0};
    struct settings *s;
    char *config;
    struct err e;
    int started = program_start(&e), r;

    if ((r = program_read_options(&p, argc, argv, &o)))
        return r - 1;
    log_open("recrypt-imapfilter", 1, o.verbose);
    if (started < 0 || program_holds_keys(&e) < 0)
        return fail(&e, EX_TEMPFAIL);
    if (settings_load(o.config, NULL, &s, &e) < 0)
        return fail(&e, EX_CONFIG);
    if (o.check) {
        uid_t uid;
        gid_t gid;

        if ((r = conf_daemon_user(s->user, &uid, &gid, &e)) == 0)
            puts("configuration is good");
        settings_release(&s);
        return r < 0 ? fail(&e, EX_CONFIG) : EX_OK;
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
