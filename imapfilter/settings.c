#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "tls.h"

enum { CONNECTIONS_MAX = 200000, MESSAGES_MAX = 1000000 };

static void settings_free(struct settings *s)
{
    for (size_t i = 0; i < s->listen_count; i++)
        free(s->listen[i]);
    for (size_t i = 0; i < s->listen_tls_count; i++)
        free(s->listen_tls[i]);
    free(s->user);
    free(s->recryptd);
    conf_tls_clear(&s->tls);
    SSL_CTX_free(s->front);
    free(s->backend);
    free(s->backend_name);
    free(s->backend_ca);
    SSL_CTX_free(s->back);
    free(s->user_domain);
    free(s);
}

struct settings *settings_hold(struct settings *s)
{
    s->refs++;
    return s;
}

void settings_release(struct settings **s)
{
    if (*s && --(*s)->refs == 0)
        settings_free(*s);
    *s = NULL;
}

static int read_listen(cfg_t *cfg, const char *name, char **list, size_t *count, struct err *e)
{
    unsigned n = cfg_size(cfg, name);

    if (n > SETTINGS_LISTEN_MAX)
        return err_set(e, ERR_USAGE, "%s: at most %d", name, SETTINGS_LISTEN_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (!(list[i] = strdup(cfg_getnstr(cfg, name, i))))
            return err_set(e, ERR_SYSTEM, "out of memory");
        ++*count;
    }
    return 0;
}

static int read_front_tls(cfg_t *cfg, struct settings *s, const struct settings *former, struct err *e)
{
    int r = conf_take_tls(cfg, 1, former ? &former->tls : NULL, &s->tls, e);

    if (r)
        return r;
    if (!*s->tls.key)
        return s->listen_tls_count ? err_set(e, ERR_USAGE, "listen_tls needs tls_certificate and tls_key") : 0;
    return tls_front(&s->tls.certificate_pem, &s->tls.key_pem, &s->front, e);
}

static int all_local(const struct settings *s)
{
    for (size_t i = 0; i < s->backend_count; i++)
        if (!conf_is_local((const struct sockaddr *)&s->backends[i].sa))
            return 0;
    return 1;
}

static int read_backend(cfg_t *cfg, struct settings *s, struct err *e)
{
    static const char *const words[] = {"plain", "starttls", "tls", "", NULL};
    char host[CONF_HOST_SIZE];
    int r = conf_take_text(cfg, "backend", &s->backend, e), kind = 0;

    r = r ? r : conf_take_text(cfg, "backend_name", &s->backend_name, e);
    r = r ? r : conf_take_text(cfg, "backend_ca", &s->backend_ca, e);
    r = r ? r : conf_take_word(cfg, "backend_tls", words, &kind, e);
    if (r)
        return r;
    if ((r = conf_resolve(s->backend, s->backends, SETTINGS_BACKENDS_MAX, &s->backend_count, host, e)) < 0)
        return err_prefix(e, "backend");
    if (kind == BACKEND_TLS + 1 && !all_local(s))
        return err_set(e, ERR_USAGE,
                       "backend_tls: passwords and mail would go to %s in the clear: say starttls, tls, or plain",
                       s->backend);
    s->backend_tls = kind == BACKEND_TLS + 1 ? BACKEND_PLAIN : (enum backend_tls)kind;
    s->backend_id = cfg_getbool(cfg, "backend_id") == cfg_true;
    if (s->backend_tls == BACKEND_PLAIN)
        return 0;
    if (!*s->backend_name) {
        free(s->backend_name);
        if (!(s->backend_name = strdup(host)))
            return err_set(e, ERR_SYSTEM, "out of memory");
    }
    if (!*s->backend_name)
        return err_set(e, ERR_USAGE, "backend_name: whose certificate has the server behind %s?", s->backend);
    return tls_back(s->backend_ca, &s->back, e);
}

static int read_user_domain(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *domain = cfg_getstr(cfg, "user_domain");

    return *domain ? conf_canonical("user_domain", domain, 1, &s->user_domain, e)
                   : conf_take_text(cfg, "user_domain", &s->user_domain, e);
}

static int read_limits(cfg_t *cfg, struct settings *s, struct err *e)
{
    long messages = 0;
    int r = conf_take_seconds(cfg, "login_timeout", 1, 3600, &s->login_timeout, e);

    r = r ? r : conf_take_seconds(cfg, "idle_timeout", 1800, 86400, &s->idle_timeout, e);
    r = r ? r : conf_take_seconds(cfg, "timeout", 1, 300, &s->timeout, e);
    r = r ? r : conf_take_number(cfg, "max_connections", 1, CONNECTIONS_MAX, &s->max_connections, e);
    r = r ? r : conf_take_number(cfg, "max_per_address", 0, CONNECTIONS_MAX, &s->max_per_address, e);
    r = r ? r : conf_take_number(cfg, "max_messages", 1, MESSAGES_MAX, &messages, e);
    s->max_messages = (size_t)messages;
    return r;
}

static int fill(cfg_t *cfg, struct settings *s, const struct settings *former, struct err *e)
{
    static const char *const plaintext[] = {"no", "loopback", "yes", NULL};
    int n = 0, r = read_listen(cfg, "listen", s->listen, &s->listen_count, e);

    r = r ? r : read_listen(cfg, "listen_tls", s->listen_tls, &s->listen_tls_count, e);
    if (!r && !s->listen_count && !s->listen_tls_count)
        r = err_set(e, ERR_USAGE, "listen and listen_tls are both empty");
    r = r ? r : conf_take_text(cfg, "user", &s->user, e);
    r = r ? r : conf_take_text(cfg, "recryptd", &s->recryptd, e);
    if (!r && !*s->recryptd)
        r = err_set(e, ERR_USAGE, "recryptd: empty");
    r = r ? r : conf_take_word(cfg, "plaintext_login", plaintext, &n, e);
    s->plaintext_login = (enum plaintext_login)n;
    s->sandbox = cfg_getbool(cfg, "sandbox") == cfg_true;
    r = r ? r : read_limits(cfg, s, e);
    r = r ? r : read_user_domain(cfg, s, e);
    r = r ? r : read_front_tls(cfg, s, former, e);
    return r ? r : read_backend(cfg, s, e);
}

int settings_load(const char *path, const struct settings *former, struct settings **out, struct err *e)
{
    char none[] = "{}";
    cfg_opt_t opts[] = {
        CFG_STR_LIST("listen", none, CFGF_NONE),
        CFG_STR_LIST("listen_tls", none, CFGF_NONE),
        CFG_STR("tls_certificate", "", CFGF_NONE),
        CFG_STR("tls_key", "", CFGF_NONE),
        CFG_STR("plaintext_login", "loopback", CFGF_NONE),
        CFG_STR("backend", "inet:127.0.0.1:1143", CFGF_NONE),
        CFG_STR("backend_tls", "", CFGF_NONE),
        CFG_STR("backend_name", "", CFGF_NONE),
        CFG_STR("backend_ca", "", CFGF_NONE),
        CFG_BOOL("backend_id", cfg_false, CFGF_NONE),
        CFG_STR("recryptd", "unix:" RUNSTATEDIR "/recryptd/recryptd.sock", CFGF_NONE),
        CFG_STR("timeout", "10s", CFGF_NONE),
        CFG_STR("user", "", CFGF_NONE),
        CFG_STR("user_domain", "", CFGF_NONE),
        CFG_STR("login_timeout", "60s", CFGF_NONE),
        CFG_STR("idle_timeout", "35m", CFGF_NONE),
        CFG_INT("max_connections", 8000, CFGF_NONE),
        CFG_INT("max_per_address", 100, CFGF_NONE),
        CFG_INT("max_messages", 20000, CFGF_NONE),
        CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
        CFG_END(),
    };
    struct settings *s = NULL;
    cfg_t *cfg = NULL;
    int r;

    *out = NULL;
    if ((r = conf_load(path, opts, &cfg, e)) < 0)
        return r;
    if (!(s = calloc(1, sizeof *s))) {
        r = err_set(e, ERR_SYSTEM, "out of memory");
        goto out;
    }
    s->refs = 1;
    if ((r = fill(cfg, s, former, e)) < 0) {
        err_prefix(e, "%s", path);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    settings_release(&s);
    cfg_free(cfg);
    return r;
}

static int lists_differ(char *const *a, size_t n, char *const *b, size_t m)
{
    int differ = n != m;

    for (size_t i = 0; !differ && i < n; i++)
        differ = strcmp(a[i], b[i]) != 0;
    return differ;
}

const char *settings_fixed(const struct settings *old, const struct settings *s)
{
    if (lists_differ(old->listen, old->listen_count, s->listen, s->listen_count))
        return "listen";
    if (lists_differ(old->listen_tls, old->listen_tls_count, s->listen_tls, s->listen_tls_count))
        return "listen_tls";
    if (strcmp(old->user, s->user) != 0)
        return "user";
    if (strcmp(old->recryptd, s->recryptd) != 0)
        return "recryptd";
    if (old->max_connections != s->max_connections)
        return "max_connections";
    return old->sandbox != s->sandbox ? "sandbox" : NULL;
}
