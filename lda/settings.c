#include "settings.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "template.h"

static int copy(const char *from, char **to, struct err *e)
{
    return (*to = strdup(from)) ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

/* "lmtp:" and "smtp:" take host:port, or anything that conf_connect takes. */
static int read_address(const char *text, char **out, struct err *e)
{
    size_t n = strlen(text) + 6;

    if (text[0] == '/' || strncmp(text, "unix:", 5) == 0 || strncmp(text, "inet:", 5) == 0)
        return copy(text, out, e);
    if (!strrchr(text, ':') || text[0] == ':')
        return err_set(e, ERR_USAGE, "'%s' is not host:port or a socket's path", text);
    if (!(*out = malloc(n)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    strcpy(*out, "inet:");
    strcat(*out, text);
    return 0;
}

static int read_route(const char *text, struct route *out, struct err *e)
{
    out->address = NULL;
    if (strcmp(text, "maildir") == 0) {
        out->kind = ROUTE_MAILDIR;
        return 0;
    }
    if (strncmp(text, "lmtp:", 5) == 0)
        out->kind = ROUTE_LMTP;
    else if (strncmp(text, "smtp:", 5) == 0)
        out->kind = ROUTE_SMTP;
    else
        return err_set(e, ERR_USAGE, "deliver: '%s' is not \"maildir\", \"lmtp:ADDRESS\" or \"smtp:HOST:PORT\"", text);
    return read_address(text + 5, &out->address, e);
}

static int read_domains(cfg_t *cfg, struct settings *s, struct err *e)
{
    size_t n = cfg_size(cfg, "domain");
    int r;

    if (!(s->domains = calloc(n ? n : 1, sizeof *s->domains)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "domain", (unsigned)i);
        struct domain_route *d = &s->domains[i];

        s->domain_count = i + 1;
        if ((r = copy(cfg_title(sec), &d->domain, e)) < 0 ||
            (r = read_route(cfg_getstr(sec, "deliver"), &d->route, e)) < 0)
            return r;
        for (char *p = d->domain; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 'a' - 'A');
    }
    return 0;
}

static int read_mode(const char *name, const char *text, mode_t refused, mode_t *out, struct err *e)
{
    char *end;
    unsigned long n = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end || n > 02777 || (n & refused))
        return err_set(e, ERR_USAGE, "%s: '%s' is not a mode in octal%s", name, text,
                       refused ? ", or lets everyone write" : "");
    *out = (mode_t)n;
    return 0;
}

static int read_seconds(cfg_t *cfg, const char *name, int *out, struct err *e)
{
    int64_t n;

    if (conf_seconds(cfg_getstr(cfg, name), &n, e) < 0)
        return err_prefix(e, "%s", name);
    if (n < 1 || n > 3600)
        return err_set(e, ERR_USAGE, "%s: between 1s and 1h", name);
    *out = (int)n;
    return 0;
}

static int read_archive(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *group = cfg_getstr(cfg, "archive_group");
    struct group *gr;
    int r;

    if ((r = copy(cfg_getstr(cfg, "archive_maildir"), &s->archive_maildir, e)) < 0)
        return r;
    if (s->archive_maildir[0] == '/' || s->archive_maildir[0] == 0)
        return err_set(e, ERR_USAGE, "archive_maildir: a path below mail_root");
    if ((r = template_check(s->archive_maildir, TEMPLATE_ADDRESS, e)) < 0)
        return err_prefix(e, "archive_maildir");
    if ((r = read_mode("archive_dir_mode", cfg_getstr(cfg, "archive_dir_mode"), 0002, &s->archive.dir, e)) < 0 ||
        (r = read_mode("archive_file_mode", cfg_getstr(cfg, "archive_file_mode"), 0002, &s->archive.file, e)) < 0)
        return r;
    s->archive.group = (gid_t)-1;
    if (!*group)
        return 0;
    if (!(gr = getgrnam(group)))
        return err_set(e, ERR_USAGE, "archive_group: no group '%s'", group);
    s->archive.group = gr->gr_gid;
    return 0;
}

static int read_mailboxes(cfg_t *cfg, struct settings *s, struct err *e)
{
    size_t n;
    int r;

    if ((r = copy(cfg_getstr(cfg, "mail_root"), &s->mail_root, e)) < 0 ||
        (r = copy(cfg_getstr(cfg, "maildir"), &s->maildir, e)) < 0)
        return r;
    if (s->mail_root[0] != '/')
        return err_set(e, ERR_USAGE, "mail_root: an absolute path");
    for (n = strlen(s->mail_root); n > 1 && s->mail_root[n - 1] == '/'; n--)
        s->mail_root[n - 1] = 0;
    if (s->maildir[0] == '/')
        return err_set(e, ERR_USAGE, "maildir: a path below mail_root, or one that begins with %%h");
    if ((r = template_check(s->maildir, TEMPLATE_ADDRESS | TEMPLATE_HOME, e)) < 0)
        return err_prefix(e, "maildir");
    return read_archive(cfg, s, e);
}

static int read_lmtp(cfg_t *cfg, struct settings *s, struct err *e)
{
    long n = cfg_getint(cfg, "lmtp_connections");
    int r;

    if ((r = copy(cfg_getstr(cfg, "lmtp_listen"), &s->lmtp_listen, e)) < 0 ||
        (r = read_mode("lmtp_mode", cfg_getstr(cfg, "lmtp_mode"), 0, &s->lmtp_mode, e)) < 0 ||
        (r = read_seconds(cfg, "lmtp_timeout", &s->lmtp_timeout, e)) < 0)
        return r;
    if (n < 1 || n > 1000)
        return err_set(e, ERR_USAGE, "lmtp_connections: between 1 and 1000");
    s->lmtp_connections = (int)n;
    return 0;
}

static int read_fanout(cfg_t *cfg, struct settings *s, struct err *e)
{
    long batch = cfg_getint(cfg, "fanout_batch");

    if (read_address(cfg_getstr(cfg, "fanout_server"), &s->fanout_server, e) < 0)
        return err_prefix(e, "fanout_server");
    if (batch < 1 || batch > SETTINGS_BATCH_MAX)
        return err_set(e, ERR_USAGE, "fanout_batch: between 1 and %d", (int)SETTINGS_BATCH_MAX);
    s->fanout_batch = (size_t)batch;
    return 0;
}

static int read_rest(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *fields = cfg_getstr(cfg, "delivery_fields"), *log = cfg_getstr(cfg, "log");
    const char *grants = cfg_getstr(cfg, "grants");
    int r;

    if ((r = copy(cfg_getstr(cfg, "recryptd"), &s->recryptd, e)) < 0 ||
        (r = copy(cfg_getstr(cfg, "user"), &s->user, e)) < 0 ||
        (r = read_seconds(cfg, "timeout", &s->timeout, e)) < 0 ||
        (r = read_route(cfg_getstr(cfg, "deliver"), &s->route, e)) < 0)
        return r;
    if (conf_size(cfg_getstr(cfg, "max_message"), &s->max_message, e) < 0)
        return err_prefix(e, "max_message");
    /* Rewriting keeps a second copy, each below what a buffer may hold. */
    if (s->max_message < 1024 || s->max_message > BUF_MAX_DEFAULT / 2)
        return err_set(e, ERR_USAGE, "max_message: between 1k and %zuM", (BUF_MAX_DEFAULT / 2) >> 20);
    if (*s->user && (r = conf_user(s->user, &s->uid, &s->gid, e)) < 0)
        return err_prefix(e, "user");
    if (strcmp(log, "syslog") != 0 && strcmp(log, "stderr") != 0)
        return err_set(e, ERR_USAGE, "log: \"syslog\" or \"stderr\"");
    s->log_stderr = strcmp(log, "stderr") == 0;
    s->sandbox = cfg_getbool(cfg, "sandbox");
    if (strcmp(grants, "on-fetch") != 0 && strcmp(grants, "embed") != 0)
        return err_set(e, ERR_USAGE, "grants: \"on-fetch\" or \"embed\"");
    s->grants = strcmp(grants, "embed") == 0 ? GRANTS_EMBED : GRANTS_ON_FETCH;
    if (strcmp(fields, "never") == 0)
        s->fields = FIELDS_NEVER;
    else if (strcmp(fields, "lmtp") == 0)
        s->fields = FIELDS_LMTP;
    else if (strcmp(fields, "always") == 0)
        s->fields = FIELDS_ALWAYS;
    else
        return err_set(e, ERR_USAGE, "delivery_fields: \"never\", \"lmtp\" or \"always\"");
    return 0;
}

int settings_load(const char *path, struct settings *out, struct err *e)
{
    cfg_opt_t domain[] = {CFG_STR("deliver", "maildir", CFGF_NONE), CFG_END()};
    cfg_opt_t opts[] = {
        CFG_STR("recryptd", "unix:" RUNSTATEDIR "/recryptd/recryptd.sock", CFGF_NONE),
        CFG_STR("timeout", "30s", CFGF_NONE),
        CFG_STR("mail_root", "/var/mail/recrypt", CFGF_NONE),
        CFG_STR("maildir", "%d/%n/Maildir", CFGF_NONE),
        CFG_STR("archive_maildir", "archives/%u", CFGF_NONE),
        CFG_STR("archive_dir_mode", "0750", CFGF_NONE),
        CFG_STR("archive_file_mode", "0640", CFGF_NONE),
        CFG_STR("archive_group", "", CFGF_NONE),
        CFG_STR("deliver", "maildir", CFGF_NONE),
        CFG_SEC("domain", domain, CFGF_MULTI | CFGF_TITLE),
        CFG_STR("fanout_server", "127.0.0.1:10026", CFGF_NONE),
        CFG_INT("fanout_batch", 1, CFGF_NONE),
        CFG_STR("max_message", "60M", CFGF_NONE),
        CFG_STR("grants", "on-fetch", CFGF_NONE),
        CFG_STR("delivery_fields", "lmtp", CFGF_NONE),
        CFG_STR("user", "", CFGF_NONE),
        CFG_STR("lmtp_listen", "", CFGF_NONE),
        CFG_STR("lmtp_mode", "0660", CFGF_NONE),
        CFG_INT("lmtp_connections", 20, CFGF_NONE),
        CFG_STR("lmtp_timeout", "5m", CFGF_NONE),
        CFG_STR("log", "syslog", CFGF_NONE),
        CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
        CFG_END(),
    };
    cfg_t *cfg;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = conf_load(path, opts, &cfg, e)) < 0)
        return r;
    if ((r = read_rest(cfg, out, e)) == 0 && (r = read_mailboxes(cfg, out, e)) == 0 &&
        (r = read_lmtp(cfg, out, e)) == 0 && (r = read_fanout(cfg, out, e)) == 0)
        r = read_domains(cfg, out, e);
    if (r < 0) {
        settings_clear(out);
        err_prefix(e, "%s", path);
    }
    cfg_free(cfg);
    return r;
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < s->domain_count; i++) {
        free(s->domains[i].domain);
        free(s->domains[i].route.address);
    }
    free(s->domains);
    free(s->recryptd);
    free(s->mail_root);
    free(s->maildir);
    free(s->archive_maildir);
    free(s->route.address);
    free(s->user);
    free(s->fanout_server);
    free(s->lmtp_listen);
    memset(s, 0, sizeof *s);
}

static const struct domain_route *find(const struct settings *s, const char *domain)
{
    for (size_t i = 0; i < s->domain_count; i++)
        if (strcmp(s->domains[i].domain, domain) == 0)
            return &s->domains[i];
    return NULL;
}

const struct route *settings_route(const struct settings *s, const char *domain)
{
    const struct domain_route *d = find(s, domain);

    return d ? &d->route : &s->route;
}

int settings_knows(const struct settings *s, const char *domain)
{
    return find(s, domain) != NULL;
}
