#include "home-private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "web.h"

static cfg_opt_t service_opts[] = {
    CFG_STR("url", NULL, CFGF_NONE),
    CFG_STR("ca", NULL, CFGF_NONE),
    CFG_END(),
};
static cfg_opt_t imap_opts[] = {
    CFG_STR("url", NULL, CFGF_NONE),
    CFG_STR("ca", NULL, CFGF_NONE),
    CFG_STR("user", NULL, CFGF_NONE),
    CFG_STR("password_command", NULL, CFGF_NONE),
    CFG_STR("password_file", NULL, CFGF_NONE),
    CFG_STR("mailbox", "INBOX", CFGF_NONE),
    CFG_STR("maildir", NULL, CFGF_NONE),
    CFG_STR("max_size", "200M", CFGF_NONE),
    CFG_STR("timeout", "60s", CFGF_NONE),
    CFG_BOOL("cleartext", cfg_false, CFGF_NONE),
    CFG_END(),
};
static cfg_opt_t conf_opts[] = {
    CFG_STR("account", NULL, CFGF_NONE),
    CFG_SEC("service", service_opts, CFGF_TITLE | CFGF_MULTI),
    CFG_SEC("imap", imap_opts, CFGF_TITLE | CFGF_MULTI),
    CFG_END(),
};

static int check_dir(const char *dir, struct err *e)
{
    struct stat st;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_errno(e, "cannot make %s", dir);
    if (stat(dir, &st) < 0)
        return err_errno(e, "%s", dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_USAGE, "%s is no directory", dir);
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(e, ERR_DENIED, "%s: must be yours, and only you may write to it (chmod 700)", dir);
    return 0;
}

int home_open(struct home **out, struct err *e)
{
    const char *set = getenv("RECRYPT_HOME"), *user = getenv("HOME");
    struct home *h;
    char path[PATH_MAX];
    int n, r;

    *out = NULL;
    if (!(set && *set) && !(user && *user))
        return err_set(e, ERR_USAGE, "neither RECRYPT_HOME nor HOME is set");
    if (!(h = calloc(1, sizeof *h)))
        return err_errno(e, "out of memory");
    h->lock = -1;
    n = set && *set ? snprintf(h->dir, sizeof h->dir, "%s", set) : snprintf(h->dir, sizeof h->dir, "%s/.recrypt", user);
    if (n < 0 || (size_t)n >= sizeof h->dir - 1024) {
        r = err_set(e, ERR_USAGE, "the path of the home directory is too long");
        goto fail;
    }
    if ((r = check_dir(h->dir, e)) < 0)
        goto fail;
    if (snprintf(path, sizeof path, "%s/recrypt.conf", h->dir) >= (int)sizeof path)
        r = err_set(e, ERR_USAGE, "the path of the home directory is too long");
    else if ((r = conf_load(path, conf_opts, &h->conf, e)) == ERR_ABSENT)
        r = 0;
    if (r < 0)
        goto fail;
    *out = h;
    return 0;
fail:
    home_close(&h);
    return r;
}

void home_close(struct home **h)
{
    if (!*h)
        return;
    if ((*h)->conf)
        cfg_free((*h)->conf);
    if ((*h)->lock >= 0)
        close((*h)->lock);
    buf_free(&(*h)->pass);
    buf_free(&(*h)->new_pass);
    free(*h);
    *h = NULL;
}

const char *home_dir(const struct home *h)
{
    return h->dir;
}

int home_lock(struct home *h, struct err *e)
{
    char path[PATH_MAX];

    if (h->lock >= 0)
        return 0;
    if (snprintf(path, sizeof path, "%s/lock", h->dir) >= (int)sizeof path)
        return err_set(e, ERR_USAGE, "the path of the home directory is too long");
    if ((h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return err_errno(e, "%s", path);
    while (flock(h->lock, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_errno(e, "%s", path);
    return 0;
}

void home_unlock(struct home *h)
{
    if (h->lock >= 0)
        close(h->lock);
    h->lock = -1;
}

void home_name(const char *address, char out[HOME_NAME_SIZE])
{
    char udf[64];
    size_t used = 0;

    if (strncmp(address, "%-", 2) == 0 && !strchr(address, '@')) { /* a name that home_each gave back as it is */
        snprintf(out, HOME_NAME_SIZE, "%s", address);
        return;
    }
    for (const char *s = address; *s && used < 200; s++) {
        if (isalnum((unsigned char)*s) || (strchr("@._+=-!#$&'*?^`{|}~", *s) && !(used == 0 && *s == '.')))
            out[used++] = *s;
        else
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned)(unsigned char)*s);
    }
    out[used] = 0;
    /* No address has "%-" in its name, so this cannot be another one's. */
    if (used >= 200 && udf_text("text/plain", address, strlen(address), UDF_BITS_DEFAULT, udf) == 0)
        snprintf(out, HOME_NAME_SIZE, "%%-%s", udf);
}

/* Undoes home_name in place, but for the fingerprint of a very long address. */
static void undo_name(char *name)
{
    char *to = name, hex[3] = "";

    if (strncmp(name, "%-", 2) == 0)
        return;
    for (const char *from = name; *from; to++) {
        if (*from == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            memcpy(hex, from + 1, 2);
            *to = (char)strtol(hex, NULL, 16);
            from += 3;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

int home_path(const struct home *h, int make, char out[PATH_MAX], struct err *e, const char *kind, const char *suffix,
              const char *a, const char *b, const char *c)
{
    const char *const parts[] = {a, b, c};
    char name[HOME_NAME_SIZE];
    struct buf path = BUF_INIT;
    int r = 0;

    if (buf_printf(&path, "%s/%s", h->dir, kind) < 0)
        goto memory;
    for (size_t i = 0; i < 3 && parts[i]; i++) {
        if (make && (r = check_dir(buf_str(&path), e)) < 0)
            goto out;
        home_name(parts[i], name);
        if (buf_printf(&path, "/%s", name) < 0)
            goto memory;
    }
    if (suffix && buf_puts(&path, suffix) < 0)
        goto memory;
    if (path.len >= PATH_MAX) {
        r = err_set(e, ERR_LIMIT, "the path of a file in %s is too long", h->dir);
        goto out;
    }
    memcpy(out, buf_str(&path), path.len + 1);
out:
    buf_free(&path);
    return r;
memory:
    r = err_errno(e, "out of memory");
    goto out;
}

static int ends_in(const struct dirent *d, const char *suffix)
{
    size_t len = strlen(d->d_name), tail = strlen(suffix);

    return d->d_name[0] != '.' && len > tail && strcmp(d->d_name + len - tail, suffix) == 0;
}

int home_each(const struct home *h, const char *kind, const char *a, const char *suffix, home_visit *visit, void *arg,
              struct err *e)
{
    struct dirent **list = NULL;
    char path[PATH_MAX];
    int n, r;

    if ((r = home_path(h, 0, path, e, kind, NULL, a, NULL, NULL)) < 0)
        return r;
    if ((n = scandir(path, &list, NULL, alphasort)) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", path);
    for (int i = 0; i < n; i++) {
        if (r == 0 && ends_in(list[i], suffix)) {
            list[i]->d_name[strlen(list[i]->d_name) - strlen(suffix)] = 0;
            undo_name(list[i]->d_name);
            r = visit(arg, list[i]->d_name, e);
        }
        free(list[i]);
    }
    free(list);
    return r;
}

struct only {
    char name[HOME_NAME_SIZE];
    int count;
};

static int see_person(void *arg, const char *name, struct err *e)
{
    struct only *o = arg;

    (void)e;
    o->count++;
    snprintf(o->name, sizeof o->name, "%s", name);
    return 0;
}

/* The only one of that kind, "persons" or "devices". ERR_ABSENT: none, without a text; ERR_USAGE: several. */
static int only_one(const struct home *h, const char *kind, char out[ADDRESS_SIZE], struct err *e)
{
    struct only o = {"", 0};
    int r = home_each(h, kind, NULL, "", see_person, &o, e);

    if (r < 0 || o.count == 0)
        return r < 0 ? r : ERR_ABSENT;
    if (o.count > 1)
        return err_set(e, ERR_USAGE, "you have several accounts here; say which: %s, or account = in %s/recrypt.conf",
                       strcmp(kind, "persons") == 0 ? "--account ADDRESS" : "its address", h->dir);
    if (!strchr(o.name, '@')) /* the fingerprint of a very long address */
        return err_set(e, ERR_USAGE, "say which account you mean: --account ADDRESS");
    return address_canonical(o.name, strlen(o.name), out, e);
}

int home_no_account(const struct home *h, const char *account, struct err *e)
{
    char path[PATH_MAX];

    if (home_path(h, 0, path, NULL, "devices", "/request.jws", account, NULL, NULL) == 0 && access(path, F_OK) == 0)
        return err_set(e, ERR_ABSENT, "this machine is only a device of %s; do that where the account's own key is",
                       account);
    if (home_path(h, 0, path, NULL, "persons", "/sign.jwk", account, NULL, NULL) == 0 && access(path, F_OK) == 0)
        return err_set(e, ERR_ABSENT, "%s is not registered yet; finish it: recrypt personal %s", account, account);
    return err_set(e, ERR_ABSENT, "you have no account %s here; make it: recrypt personal %s", account, account);
}

int home_account(const struct home *h, const char *wanted, char out[ADDRESS_SIZE], struct err *e)
{
    int r;

    if (!wanted && h->conf)
        wanted = cfg_getstr(h->conf, "account");
    if (wanted && *wanted)
        return address_canonical(wanted, strlen(wanted), out, e);
    if ((r = only_one(h, "persons", out, e)) != ERR_ABSENT)
        return r;
    if ((r = only_one(h, "devices", out, NULL)) == 0)
        return home_no_account(h, out, e);
    if (r == ERR_USAGE)
        return err_set(e, ERR_ABSENT, "this machine is only a device, of several accounts; do that where the account's "
                                      "own key is");
    return err_set(e, ERR_ABSENT,
                   "you have no account here yet; make one: recrypt personal YOUR-ADDRESS; or, when its key is on "
                   "another machine of yours: recrypt device connect YOUR-ADDRESS");
}

int home_reader(const struct home *h, char out[ADDRESS_SIZE], struct err *e)
{
    int r = home_account(h, NULL, out, e), device;

    if (r != ERR_ABSENT || (device = only_one(h, "devices", out, e)) == ERR_ABSENT)
        return r;
    return device;
}

int home_has_service(const struct home *h, const char *domain)
{
    cfg_t *section = h->conf ? cfg_gettsec(h->conf, "service", domain) : NULL;

    return section && cfg_getstr(section, "url");
}

int home_service(const struct home *h, const char *domain, struct buf *url, const char **ca, struct err *e)
{
    cfg_t *section = h->conf ? cfg_gettsec(h->conf, "service", domain) : NULL;
    const char *set = section ? cfg_getstr(section, "url") : NULL;
    struct buf text = BUF_INIT;
    int r;

    *ca = section ? cfg_getstr(section, "ca") : NULL;
    if (buf_printf(&text, set ? "%s" : "https://%s", set ? set : domain) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = web_url(buf_str(&text), url, e)) < 0)
        err_prefix(e, "%s/recrypt.conf, service \"%s\"", h->dir, domain);
    buf_free(&text);
    return r;
}

int home_imap(const struct home *h, const char *account, struct home_imap *out)
{
    cfg_t *section = NULL;

    if (h->conf && account)
        section = cfg_gettsec(h->conf, "imap", account);
    else if (h->conf && cfg_size(h->conf, "imap") == 1)
        section = cfg_getnsec(h->conf, "imap", 0);
    if (!section)
        return ERR_ABSENT;
    *out = (struct home_imap){
        .account = cfg_title(section),
        .url = cfg_getstr(section, "url"),
        .ca = cfg_getstr(section, "ca"),
        .user = cfg_getstr(section, "user"),
        .password_command = cfg_getstr(section, "password_command"),
        .password_file = cfg_getstr(section, "password_file"),
        .mailbox = cfg_getstr(section, "mailbox"),
        .maildir = cfg_getstr(section, "maildir"),
        .max_size = cfg_getstr(section, "max_size"),
        .timeout = cfg_getstr(section, "timeout"),
        .cleartext = cfg_getbool(section, "cleartext") == cfg_true,
    };
    return 0;
}
