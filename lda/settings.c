#include "settings.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf-take.h"
#include "common/conf.h"
#include "template.h"

static int copy(const char *from, char **to, struct err *e)
{
    return (*to = strdup(from)) ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

static int read_seconds(cfg_t *cfg, const char *name, int *out, struct err *e)
{
    int64_t n;
    int r = conf_take_seconds(cfg, name, 1, 3600, &n, e);

    *out = (int)n;
    return r;
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

static int read_archive(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *group = cfg_getstr(cfg, "archive_group");
    struct group *gr;
    int r;

    if ((r = conf_take_text(cfg, "archive_maildir", &s->archive_maildir, e)) < 0)
        return r;
    if (s->archive_maildir[0] == '/' || s->archive_maildir[0] == 0)
        return err_set(e, ERR_USAGE, "archive_maildir: a path below mail_root");
    if ((r = template_check(s->archive_maildir, TEMPLATE_ADDRESS, e)) < 0)
        return err_prefix(e, "archive_maildir");
    if ((r = conf_take_mode(cfg, "archive_dir_mode", 0002, &s->archive.dir, e)) < 0 ||
        (r = conf_take_mode(cfg, "archive_file_mode", 0002, &s->archive.file, e)) < 0)
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

    if ((r = conf_take_text(cfg, "mail_root", &s->mail_root, e)) < 0 ||
        (r = conf_take_text(cfg, "maildir", &s->maildir, e)) < 0)
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
    long n;
    int r;

    if ((r = conf_take_text(cfg, "lmtp_listen", &s->lmtp_listen, e)) < 0 ||
        (r = conf_take_mode(cfg, "lmtp_mode", 0, &s->lmtp_mode, e)) < 0 ||
        (r = read_seconds(cfg, "lmtp_timeout", &s->lmtp_timeout, e)) < 0 ||
        (r = conf_take_number(cfg, "lmtp_connections", 1, 1000, &n, e)) < 0)
        return r;
    s->lmtp_connections = (int)n;
    return 0;
}

static int read_fanout(cfg_t *cfg, struct settings *s, struct err *e)
{
    long batch;
    int r;

    if (read_address(cfg_getstr(cfg, "fanout_server"), &s->fanout_server, e) < 0)
        return err_prefix(e, "fanout_server");
    if ((r = conf_take_number(cfg, "fanout_batch", 1, SETTINGS_BATCH_MAX, &batch, e)) < 0)
        return r;
    s->fanout_batch = (size_t)batch;
    return 0;
}

static int read_words(cfg_t *cfg, struct settings *s, struct err *e)
{
    static const char *const logs[] = {"syslog", "stderr", NULL}, *const grants[] = {"on-fetch", "embed", NULL},
                             *const fields[] = {"never", "lmtp", "always", NULL};
    int grants_at, fields_at, r;

    if ((r = conf_take_word(cfg, "log", logs, &s->log_stderr, e)) < 0 ||
        (r = conf_take_word(cfg, "grants", grants, &grants_at, e)) < 0 ||
        (r = conf_take_word(cfg, "delivery_fields", fields, &fields_at, e)) < 0)
        return r;
    s->grants = grants_at ? GRANTS_EMBED : GRANTS_ON_FETCH;
    s->fields = (enum delivery_fields)fields_at;
    return 0;
}

static int read_rest(cfg_t *cfg, struct settings *s, struct err *e)
{
    int r;

    s->sandbox = cfg_getbool(cfg, "sandbox");
    /* Rewriting keeps a second copy, each below what a buffer may hold. */
    if ((r = conf_take_text(cfg, "recryptd", &s->recryptd, e)) < 0 ||
        (r = conf_take_text(cfg, "user", &s->user, e)) < 0 || (r = read_seconds(cfg, "timeout", &s->timeout, e)) < 0 ||
        (r = read_route(cfg_getstr(cfg, "deliver"), &s->route, e)) < 0 ||
        (r = conf_take_size(cfg, "max_message", 1024, BUF_MAX_DEFAULT / 2, &s->max_message, e)) < 0)
        return r;
    if (*s->user && (r = conf_user(s->user, &s->uid, &s->gid, e)) < 0)
        return err_prefix(e, "user");
    if (*s->user && (s->uid == 0 || s->gid == 0))
        return err_set(e, ERR_USAGE, "user: refusing to deliver as root");
    return read_words(cfg, s, e);
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
