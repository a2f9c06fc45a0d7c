#include "settings.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/conf-take.h"
#include "common/conf.h"
#include "mta.h"

enum { SUBJECT_MAX = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct settings *current;

static void settings_free(struct settings *s)
{
    free(s->socket);
    free(s->socket_group);
    free(s->user);
    free(s->recryptd);
    free(s->outer_subject);
    for (size_t i = 0; i < SETTINGS_HELP_LINES; i++)
        free(s->help[i]);
    free(s);
}

struct settings *settings_acquire(void)
{
    struct settings *s;

    pthread_mutex_lock(&lock);
    s = current;
    if (s)
        s->refs++;
    pthread_mutex_unlock(&lock);
    return s;
}

void settings_release(struct settings **s)
{
    unsigned left;

    if (!*s)
        return;
    pthread_mutex_lock(&lock);
    left = --(*s)->refs;
    pthread_mutex_unlock(&lock);
    if (!left)
        settings_free(*s);
    *s = NULL;
}

void settings_replace(struct settings *s)
{
    struct settings *old;

    pthread_mutex_lock(&lock);
    old = current;
    current = s;
    pthread_mutex_unlock(&lock);
    settings_release(&old);
}

/* A copy of a text option; "" becomes NULL. */
static int take(cfg_t *cfg, const char *name, char **out, struct err *e)
{
    const char *text = cfg_getstr(cfg, name);

    *out = NULL;
    if (!text || !*text)
        return 0;
    if (strpbrk(text, "\r\n"))
        return err_set(e, ERR_USAGE, "%s: one line only", name);
    return (*out = strdup(text)) ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

static int take_help(cfg_t *cfg, struct settings *s, struct err *e)
{
    if (cfg_size(cfg, "help") > SETTINGS_HELP_LINES)
        return err_set(e, ERR_USAGE, "help: at most %d lines", SETTINGS_HELP_LINES);
    for (unsigned i = 0; i < cfg_size(cfg, "help"); i++) {
        const char *line = cfg_getnstr(cfg, "help", i);

        if (strlen(line) >= MTA_LINE_MAX || strpbrk(line, "\r\n"))
            return err_set(e, ERR_USAGE, "help: a line of at most %d characters", MTA_LINE_MAX - 1);
        if (!(s->help[i] = strdup(line)))
            return err_set(e, ERR_SYSTEM, "out of memory");
    }
    return 0;
}

/* It goes into a header field as it is. */
static int take_subject(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *text = cfg_getstr(cfg, "outer_subject");

    if (!*text || strlen(text) > SUBJECT_MAX)
        return err_set(e, ERR_USAGE, "outer_subject: from 1 to %d characters", SUBJECT_MAX);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            return err_set(e, ERR_USAGE, "outer_subject: printable ASCII only");
    return take(cfg, "outer_subject", &s->outer_subject, e);
}

static int fill(cfg_t *cfg, struct settings *s, struct err *e)
{
    int64_t seconds, idle;
    int r;

    if ((r = take(cfg, "socket", &s->socket, e)) < 0 || (r = take(cfg, "socket_group", &s->socket_group, e)) < 0 ||
        (r = take(cfg, "user", &s->user, e)) < 0 || (r = take(cfg, "recryptd", &s->recryptd, e)) < 0 ||
        (r = conf_take_mode(cfg, "socket_mode", 07000, &s->socket_mode, e)) < 0 || (r = take_help(cfg, s, e)) < 0 ||
        (r = conf_take_seconds(cfg, "timeout", 1, 300, &seconds, e)) < 0 ||
        (r = conf_take_seconds(cfg, "idle_timeout", 1, 86400, &idle, e)) < 0 ||
        (r = conf_take_size(cfg, "max_message", 1024, BUF_MAX_DEFAULT / 2, &s->max_message, e)) < 0)
        return r;
    if (!s->socket || !s->recryptd)
        return err_set(e, ERR_USAGE, "socket and recryptd must not be empty");
    s->timeout_ms = (int)seconds * 1000;
    s->idle_timeout = (int)idle;
    return take_subject(cfg, s, e);
}

int settings_load(const char *path, struct settings **out, struct err *e)
{
    char no_lines[] = "{}";
    cfg_opt_t opts[] = {CFG_STR("socket", "unix:" RUNSTATEDIR "/recrypt-milter/milter.sock", CFGF_NONE),
                        CFG_STR("socket_mode", "0660", CFGF_NONE),
                        CFG_STR("socket_group", "", CFGF_NONE),
                        CFG_STR("user", "", CFGF_NONE),
                        CFG_STR("recryptd", "unix:" RUNSTATEDIR "/recryptd/recryptd.sock", CFGF_NONE),
                        CFG_STR("timeout", "10s", CFGF_NONE),
                        /* Above the hour that Sendmail gives its client for the next command or piece of a message
                         * (Postfix: 5 minutes), and enough for 25M at 64 kbit/s: they come in between two packets. */
                        CFG_STR("idle_timeout", "65m", CFGF_NONE),
                        CFG_STR("max_message", "50M", CFGF_NONE),
                        CFG_STR("outer_subject", "[...]", CFGF_NONE),
                        CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
                        CFG_STR_LIST("help", no_lines, CFGF_NONE),
                        CFG_END()};
    struct settings *s = NULL;
    cfg_t *cfg = NULL;
    int r;

    *out = NULL;
    if ((r = conf_load(path ? path : SETTINGS_PATH, opts, &cfg, e)) < 0) {
        if (r != ERR_ABSENT || path)
            return r;
        if (!(cfg = cfg_init(opts, CFGF_NONE)))
            return err_set(e, ERR_SYSTEM, "out of memory");
    }
    if (!(s = calloc(1, sizeof *s))) {
        r = err_set(e, ERR_SYSTEM, "out of memory");
        goto out;
    }
    s->refs = 1;
    s->sandbox = cfg_getbool(cfg, "sandbox");
    if ((r = fill(cfg, s, e)) < 0) {
        err_prefix(e, "%s", path ? path : SETTINGS_PATH);
        settings_free(s);
        goto out;
    }
    *out = s;
    r = 0;
out:
    cfg_free(cfg);
    return r;
}
