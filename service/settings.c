#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/udf.h"

enum { KEEP_LIMIT = 3650 * 86400, INLINE_LIMIT = 1024, LIST_LIMIT = 100000, DEVICES_LIMIT = 1024, SHARES_LIMIT = 4096 };

static const char *const plaintext_names[] = {"reject", "encrypt", "pass"};

const char *policy_plaintext_name(enum plaintext_policy p)
{
    return plaintext_names[p];
}

int policy_plaintext(const char *text, int pass, enum plaintext_policy *out, struct err *e)
{
    for (int i = 0; i < (pass ? 3 : 2); i++)
        if (!strcmp(text, plaintext_names[i])) {
            *out = (enum plaintext_policy)i;
            return 0;
        }
    return err_set(e, ERR_SYNTAX, "\"%s\" is none of reject, encrypt%s", text, pass ? ", pass" : "");
}

static int read_names(cfg_t *cfg, const char *name, int domain, struct names *out, struct err *e)
{
    unsigned n = cfg_size(cfg, name);
    int rc;

    out->list = calloc(n ? n : 1, sizeof *out->list);
    if (!out->list)
        return err_errno(e, "%s", name);
    for (unsigned i = 0; i < n; i++) {
        rc = conf_canonical(name, cfg_getnstr(cfg, name, i), domain, &out->list[i], e);
        if (rc)
            return rc;
        out->count++;
    }
    return 0;
}

static int read_uids(cfg_t *cfg, const char *name, struct uids *out, struct err *e)
{
    unsigned n = cfg_size(cfg, name);

    out->list = calloc(n ? n : 1, sizeof *out->list);
    if (!out->list)
        return err_errno(e, "%s", name);
    for (unsigned i = 0; i < n; i++) {
        int rc = conf_user(cfg_getnstr(cfg, name, i), &out->list[i], NULL, e);

        if (rc) {
            err_prefix(e, "%s", name);
            return rc;
        }
        out->count++;
    }
    return 0;
}

static int read_plaintext(cfg_t *cfg, const char *name, int pass, enum plaintext_policy *out, struct err *e)
{
    if (policy_plaintext(cfg_getstr(cfg, name), pass, out, e)) {
        err_prefix(e, "%s", name);
        return e ? (e->code = ERR_USAGE) : ERR_USAGE;
    }
    return 0;
}

/* The whole URL under which clients sign. */
static int read_url(cfg_t *cfg, char **out, struct err *e)
{
    const char *text = cfg_getstr(cfg, "url");
    size_t len = strlen(text), path = strlen(WEB_PATH);
    struct buf b = BUF_INIT;
    int rc;

    if (!len) {
        *out = strdup("");
        return *out ? 0 : err_errno(e, "url");
    }
    if (strncmp(text, "https://", 8) && strncmp(text, "http://", 7))
        return err_set(e, ERR_USAGE, "url: \"%s\" begins with neither https:// nor http://", text);
    if (len >= path && !strcmp(text + len - path, WEB_PATH)) {
        rc = buf_puts(&b, text);
    } else {
        while (len && text[len - 1] == '/')
            len--;
        rc = buf_append(&b, text, len);
        rc = rc ? rc : buf_puts(&b, WEB_PATH);
    }
    if (!rc) {
        *out = strdup(buf_str(&b));
        rc = *out ? 0 : ERR_SYSTEM;
    }
    buf_free(&b);
    return rc ? err_set(e, rc, "url: out of memory") : 0;
}

static int is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24) == 127;
    return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

/* Every address that "host:port" stands for must be this machine's own. */
static int loopback_only(const char *listen, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char host[256];
    const char *colon = strrchr(listen, ':'), *from = listen;
    size_t len = colon ? (size_t)(colon - listen) : 0;
    int yes = 1;

    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    if (!len || len >= sizeof host)
        return err_set(e, ERR_USAGE, "listen_web: \"%s\" is not host:port", listen);
    memcpy(host, from, len);
    host[len] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found))
        return err_set(e, ERR_USAGE, "listen_web: \"%s\": no such host or port", listen);
    for (struct addrinfo *a = found; a; a = a->ai_next)
        yes = yes && is_loopback(a->ai_addr);
    freeaddrinfo(found);
    return yes ? 0
               : err_set(e, ERR_USAGE, "listen_web: %s is not a loopback address, and there is no tls_certificate",
                         listen);
}

static int read_tls(cfg_t *cfg, struct settings *s, const struct settings *former, struct err *e)
{
    int rc = conf_take_tls(cfg, *s->listen_web != '\0', former ? &former->tls : NULL, &s->tls, e);

    if (rc || !*s->listen_web)
        return rc;
    if (!*s->url)
        return err_set(e, ERR_USAGE, "listen_web needs url: what clients ask for");
    return *s->tls.certificate ? 0 : loopback_only(s->listen_web, e);
}

static int read_paths(cfg_t *cfg, struct settings *s, struct err *e)
{
    int rc = conf_take_text(cfg, "listen_local", &s->listen_local, e);

    rc = rc ? rc : conf_take_text(cfg, "listen_web", &s->listen_web, e);
    rc = rc ? rc : conf_take_text(cfg, "state_directory", &s->state_directory, e);
    rc = rc ? rc : conf_take_text(cfg, "keystore_type", &s->keystore_type, e);
    rc = rc ? rc : conf_take_text(cfg, "keystore_location", &s->keystore_location, e);
    rc = rc ? rc : conf_take_text(cfg, "access_log", &s->access_log, e);
    if (!rc && !*s->keystore_location) {
        free(s->keystore_location);
        if (asprintf(&s->keystore_location, "%s/keystore", s->state_directory) < 0) {
            s->keystore_location = NULL;
            rc = err_errno(e, "keystore_location");
        }
    }
    if (!rc && !*s->access_log) {
        free(s->access_log);
        if (asprintf(&s->access_log, "%s/access.log", s->state_directory) < 0) {
            s->access_log = NULL;
            rc = err_errno(e, "access_log");
        }
    }
    return rc;
}

static int read_device_limits(cfg_t *cfg, struct settings *s, struct err *e)
{
    long devices = 0, requests = 0, shares = 0;
    int rc = conf_take_number(cfg, "devices_max", 0, DEVICES_LIMIT, &devices, e);

    rc = rc ? rc : conf_take_number(cfg, "device_requests", 0, DEVICES_LIMIT, &requests, e);
    rc = rc ? rc : conf_take_number(cfg, "shares_max", 0, SHARES_LIMIT, &shares, e);
    s->devices_max = (size_t)devices;
    s->device_requests = (size_t)requests;
    s->shares_max = (size_t)shares;
    return rc;
}

static int read_limits(cfg_t *cfg, struct settings *s, struct err *e)
{
    long inline_max = 0, list_max = 0, quota = 0, connections = 0, clients = 0, entries = 0;
    int rc = conf_take_number(cfg, "inline_max", 1, INLINE_LIMIT, &inline_max, e);

    rc = rc ? rc : conf_take_number(cfg, "list_max", 1, LIST_LIMIT, &list_max, e);
    rc = rc ? rc : conf_take_number(cfg, "quota", 0, 100000000, &quota, e);
    rc = rc ? rc : conf_take_number(cfg, "max_connections", 1, 100000, &connections, e);
    rc = rc ? rc : conf_take_number(cfg, "max_clients", 1, 100000, &clients, e);
    rc = rc ? rc : conf_take_number(cfg, "cache_entries", 0, 10000000, &entries, e);
    rc = rc ? rc : conf_take_size(cfg, "max_body", 64 << 10, 64 << 20, &s->max_body, e);
    rc = rc ? rc : conf_take_size(cfg, "list_max_size", 0, SIZE_MAX, &s->list_policy.max_size, e);
    rc = rc ? rc : conf_take_seconds(cfg, "timeout", 1, 3600, &s->timeout, e);
    rc = rc ? rc : conf_take_seconds(cfg, "fanout_keep", 3600, KEEP_LIMIT, &s->fanout_keep, e);
    s->inline_max = (size_t)inline_max;
    s->list_max = (size_t)list_max;
    s->quota = quota;
    s->max_connections = (unsigned)connections;
    s->max_clients = (unsigned)clients;
    s->cache_entries = (size_t)entries;
    s->sandbox = cfg_getbool(cfg, "sandbox");
    return rc;
}

static int read_user_domain(cfg_t *cfg, struct settings *s, struct err *e)
{
    const char *text = cfg_getstr(cfg, "user_domain");

    if (*text)
        return conf_canonical("user_domain", text, 1, &s->user_domain, e);
    return conf_take_text(cfg, "user_domain", &s->user_domain, e);
}

static int read_people(cfg_t *cfg, struct settings *s, struct err *e)
{
    static const char *const registration[] = {"token", "open", NULL};
    const char *user = cfg_getstr(cfg, "user");
    int rc = read_names(cfg, "domains", 1, &s->domains, e);

    rc = rc ? rc : read_names(cfg, "administrators", 0, &s->administrators, e);
    rc = rc ? rc : read_uids(cfg, "milter_users", &s->milter, e);
    rc = rc ? rc : read_uids(cfg, "delivery_users", &s->delivery, e);
    rc = rc ? rc : read_user_domain(cfg, s, e);
    if (rc)
        return rc;
    if (!s->domains.count)
        return err_set(e, ERR_USAGE, "domains: at least one is needed");
    if (user && *user) {
        rc = conf_user(user, &s->uid, &s->gid, e);
        if (rc)
            return err_prefix(e, "user");
        s->has_user = 1;
    }
    return conf_take_word(cfg, "registration", registration, &s->registration_open, e);
}

static int fill(cfg_t *cfg, struct settings *s, const struct settings *former, struct err *e)
{
    int rc = read_people(cfg, s, e);

    rc = rc ? rc : read_paths(cfg, s, e);
    rc = rc ? rc : read_url(cfg, &s->url, e);
    rc = rc ? rc : conf_take_mode(cfg, "listen_local_mode", 07000, &s->listen_local_mode, e);
    rc = rc ? rc : read_limits(cfg, s, e);
    rc = rc ? rc : read_device_limits(cfg, s, e);
    rc = rc ? rc : read_plaintext(cfg, "list_plaintext", 0, &s->list_policy.plaintext, e);
    rc = rc ? rc : read_plaintext(cfg, "person_plaintext", 1, &s->person_plaintext, e);
    s->list_policy.archive = cfg_getbool(cfg, "list_archive") == cfg_true;
    if (!rc && !*s->listen_local)
        rc = err_set(e, ERR_USAGE, "listen_local: empty");
    return rc ? rc : read_tls(cfg, s, former, e);
}

static int load(const char *path, cfg_opt_t *opts, const struct settings *former, struct settings **out, struct err *e)
{
    struct settings *s = NULL;
    cfg_t *cfg = NULL;
    int rc;

    *out = NULL;
    rc = conf_load(path, opts, &cfg, e);
    if (rc)
        return rc;
    s = calloc(1, sizeof *s);
    if (!s) {
        rc = err_errno(e, "settings");
        goto out;
    }
    rc = fill(cfg, s, former, e);
    if (rc) {
        err_prefix(e, "%s", path);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    settings_free(&s);
    cfg_free(cfg);
    return rc;
}

int settings_load(const char *path, const struct settings *former, struct settings **out, struct err *e)
{
    char none[] = "{}";
    cfg_opt_t opts[] = {
        CFG_STR_LIST("domains", none, CFGF_NONE),
        CFG_STR_LIST("administrators", none, CFGF_NONE),
        CFG_STR("url", "", CFGF_NONE),
        CFG_STR("listen_local", RUNSTATEDIR "/recryptd/recryptd.sock", CFGF_NONE),
        CFG_STR("listen_local_mode", "0666", CFGF_NONE),
        CFG_STR("listen_web", "", CFGF_NONE),
        CFG_STR("tls_certificate", "", CFGF_NONE),
        CFG_STR("tls_key", "", CFGF_NONE),
        CFG_STR("state_directory", LOCALSTATEDIR "/lib/recryptd", CFGF_NONE),
        CFG_STR("keystore_type", "berkeley", CFGF_NONE),
        CFG_STR("keystore_location", "", CFGF_NONE),
        CFG_STR("user", "", CFGF_NONE),
        CFG_STR_LIST("milter_users", none, CFGF_NONE),
        CFG_STR_LIST("delivery_users", none, CFGF_NONE),
        CFG_STR("user_domain", "", CFGF_NONE),
        CFG_STR("registration", "token", CFGF_NONE),
        CFG_STR("list_plaintext", "reject", CFGF_NONE),
        CFG_BOOL("list_archive", cfg_false, CFGF_NONE),
        CFG_STR("list_max_size", "25M", CFGF_NONE),
        CFG_STR("person_plaintext", "encrypt", CFGF_NONE),
        CFG_INT("inline_max", 128, CFGF_NONE),
        CFG_INT("list_max", LIST_LIMIT, CFGF_NONE),
        CFG_INT("devices_max", 32, CFGF_NONE),
        CFG_INT("device_requests", 16, CFGF_NONE),
        CFG_INT("shares_max", 256, CFGF_NONE),
        CFG_STR("fanout_keep", "10d", CFGF_NONE),
        CFG_INT("quota", 0, CFGF_NONE),
        CFG_STR("access_log", "", CFGF_NONE),
        CFG_STR("max_body", "16M", CFGF_NONE),
        CFG_INT("max_connections", 256, CFGF_NONE),
        CFG_INT("max_clients", 1024, CFGF_NONE),
        CFG_STR("timeout", "30s", CFGF_NONE),
        CFG_INT("cache_entries", 20000, CFGF_NONE),
        CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
        CFG_END(),
    };

    return load(path, opts, former, out, e);
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
}

void settings_free(struct settings **sp)
{
    struct settings *s = *sp;

    if (!s)
        return;
    free_names(&s->domains);
    free_names(&s->administrators);
    free(s->url);
    free(s->listen_local);
    free(s->listen_web);
    conf_tls_clear(&s->tls);
    free(s->state_directory);
    free(s->keystore_type);
    free(s->keystore_location);
    free(s->milter.list);
    free(s->delivery.list);
    free(s->user_domain);
    free(s->access_log);
    free(s);
    *sp = NULL;
}

static int names_have(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->list[i], name))
            return 1;
    return 0;
}

int settings_serves(const struct settings *s, const char *address)
{
    return names_have(&s->domains, address_domain(address));
}

int settings_administrator(const struct settings *s, const char *address)
{
    return names_have(&s->administrators, address);
}

int settings_user_address(const struct settings *s, uid_t uid, char out[ADDRESS_SIZE])
{
    const struct passwd *pw = *s->user_domain ? getpwuid(uid) : NULL;
    char text[ADDRESS_SIZE];
    int n = pw ? snprintf(text, sizeof text, "%s@%s", pw->pw_name, s->user_domain) : 0;

    return n > 0 && n < ADDRESS_SIZE && !address_canonical(text, (size_t)n, out, NULL);
}

int uids_have(const struct uids *u, uid_t uid)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->list[i] == uid)
            return 1;
    return 0;
}

int settings_user_named(const struct settings *s, struct err *e)
{
    if (s->has_user ? s->uid == 0 || s->gid == 0 : geteuid() == 0)
        return err_set(e, ERR_USAGE, "not as root: set user in the configuration");
    return 0;
}

const char *settings_fixed(const struct settings *old, const struct settings *s)
{
    if (strcmp(old->listen_local, s->listen_local) || old->listen_local_mode != s->listen_local_mode)
        return "listen_local";
    if (strcmp(old->listen_web, s->listen_web))
        return "listen_web";
    if (strcmp(old->state_directory, s->state_directory))
        return "state_directory";
    if (strcmp(old->keystore_type, s->keystore_type) || strcmp(old->keystore_location, s->keystore_location))
        return "keystore_type or keystore_location";
    if (old->has_user != s->has_user || old->uid != s->uid)
        return "user";
    if (old->max_connections != s->max_connections || old->max_body != s->max_body || old->timeout != s->timeout)
        return "max_connections, max_body or timeout";
    if (old->sandbox != s->sandbox)
        return "sandbox";
    return NULL;
}
