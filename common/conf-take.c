#include "conf-take.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "udf.h"

enum { PEM_MAX = 1 << 20, MODE_MAX = 02777 };

static int copy(const char *text, char **out, struct err *e)
{
    return (*out = strdup(text)) ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

int conf_take_text(cfg_t *cfg, const char *name, char **out, struct err *e)
{
    const char *text = cfg_getstr(cfg, name);

    return copy(text ? text : "", out, e);
}

int conf_take_number(cfg_t *cfg, const char *name, long low, long high, long *out, struct err *e)
{
    long n = cfg_getint(cfg, name);

    *out = 0;
    if (n < low || n > high)
        return err_set(e, ERR_USAGE, "%s: %ld is not between %ld and %ld", name, n, low, high);
    *out = n;
    return 0;
}

/* What conf_size and conf_seconds take behind a number; each unit is so many of the one before it. */
struct units {
    const char *letters;
    uint64_t factors[4];
};

/* In the largest unit that it is a whole number of. */
static const char *scaled(uint64_t n, const struct units *u, char out[24])
{
    size_t i = 0;

    while (u->letters[i] && n > 0 && n % u->factors[i] == 0)
        n /= u->factors[i++];
    snprintf(out, 24, "%llu%.1s", (unsigned long long)n, i > 0 ? u->letters + i - 1 : "");
    return out;
}

static int not_between(cfg_t *cfg, const char *name, uint64_t low, uint64_t high, const struct units *u, struct err *e)
{
    char from[24], to[24];

    return err_set(e, ERR_USAGE, "%s: %s is not between %s and %s", name, cfg_getstr(cfg, name), scaled(low, u, from),
                   scaled(high, u, to));
}

int conf_take_size(cfg_t *cfg, const char *name, size_t low, size_t high, size_t *out, struct err *e)
{
    static const struct units units = {"kMG", {1024, 1024, 1024}};
    size_t n;

    *out = 0;
    if (conf_size(cfg_getstr(cfg, name), &n, e) < 0)
        return err_prefix(e, "%s", name), ERR_USAGE;
    if (n < low || n > high)
        return not_between(cfg, name, low, high, &units, e);
    *out = n;
    return 0;
}

int conf_take_seconds(cfg_t *cfg, const char *name, int64_t low, int64_t high, int64_t *out, struct err *e)
{
    static const struct units units = {"smhd", {1, 60, 60, 24}};
    int64_t n;

    *out = 0;
    if (conf_seconds(cfg_getstr(cfg, name), &n, e) < 0)
        return err_prefix(e, "%s", name), ERR_USAGE;
    if (n < low || n > high)
        return not_between(cfg, name, (uint64_t)low, (uint64_t)high, &units, e);
    *out = n;
    return 0;
}

int conf_take_mode(cfg_t *cfg, const char *name, mode_t refused, mode_t *out, struct err *e)
{
    const char *text = cfg_getstr(cfg, name);
    char *end;
    unsigned long n = strtoul(text, &end, 8);

    *out = 0;
    if (*text < '0' || *text > '7' || *end || n > MODE_MAX)
        return err_set(e, ERR_USAGE, "%s: \"%s\" is not a mode in octal, such as 0660", name, text);
    if (n & refused)
        return err_set(e, ERR_USAGE, "%s: %s has bits of %04o, which it may not", name, text, (unsigned)refused);
    *out = (mode_t)n;
    return 0;
}

int conf_take_word(cfg_t *cfg, const char *name, const char *const *words, int *out, struct err *e)
{
    const char *text = cfg_getstr(cfg, name);
    char list[128] = "";
    size_t used = 0;

    *out = 0;
    for (int i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", i > 0 ? ", " : "", words[i]);
    }
    return err_set(e, ERR_USAGE, "%s: \"%s\" is none of %s", name, text, list);
}

int conf_canonical(const char *name, const char *text, int domain, char **out, struct err *e)
{
    char address[ADDRESS_SIZE], whole[ADDRESS_SIZE + 2];

    *out = NULL;
    snprintf(whole, sizeof whole, "%s%s", domain ? "x@" : "", text);
    if (address_canonical(whole, strlen(whole), address, NULL) < 0)
        return err_set(e, ERR_USAGE, "%s: \"%s\" is not a %s", name, text, domain ? "domain" : "mail address");
    return copy(domain ? address_domain(address) : address, out, e);
}

static int keep(const struct conf_tls *former, struct conf_tls *out, struct err *e)
{
    log_warn("tls_key: %s is not readable any more: certificate and key stay as they are", out->key);
    if (buf_append(&out->certificate_pem, former->certificate_pem.data, former->certificate_pem.len) < 0 ||
        buf_append(&out->key_pem, former->key_pem.data, former->key_pem.len) < 0)
        return err_set(e, ERR_SYSTEM, "out of memory");
    return 0;
}

int conf_take_tls(cfg_t *cfg, int read, const struct conf_tls *former, struct conf_tls *out, struct err *e)
{
    int r;

    memset(out, 0, sizeof *out);
    if ((r = conf_take_text(cfg, "tls_certificate", &out->certificate, e)) < 0 ||
        (r = conf_take_text(cfg, "tls_key", &out->key, e)) < 0)
        return r;
    if (!*out->certificate != !*out->key)
        return err_set(e, ERR_USAGE, "tls_certificate and tls_key: one is there without the other");
    if (!read || !*out->key)
        return 0;
    if (former && former->key_pem.len > 0 && strcmp(former->key, out->key) == 0 && access(out->key, R_OK) < 0 &&
        errno == EACCES)
        return keep(former, out, e);
    if ((r = file_read(out->certificate, PEM_MAX, &out->certificate_pem, e)) < 0)
        return err_prefix(e, "tls_certificate"), r;
    if ((r = file_read(out->key, PEM_MAX, &out->key_pem, e)) < 0)
        return err_prefix(e, "tls_key"), r;
    return 0;
}

void conf_tls_clear(struct conf_tls *t)
{
    free(t->certificate);
    free(t->key);
    buf_free(&t->certificate_pem);
    buf_free(&t->key_pem);
    memset(t, 0, sizeof *t);
}
