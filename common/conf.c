#include "conf.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "buf.h"

enum { CONF_FILE_MAX = 1 << 20 };

/* libconfuse's callbacks take no argument of ours. */
static _Thread_local struct {
    const char *path;
    struct err *e;
    int failed;
} loading;

/* Put behind the text: libconfuse takes a file for whole that ends inside a section or a comment. */
#define LAST_OPTION "end-of-file"

/* The first error counts: those after it follow from it. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX];

    if (loading.failed)
        return;
    loading.failed = 1;
    vsnprintf(text, sizeof text, fmt, ap);
    err_set(loading.e, ERR_USAGE, "%s:%d: %s", loading.path, cfg->line,
            strstr(text, LAST_OPTION) ? "the file ends inside a section or an option" : text);
}

/* An option of ours that libconfuse has no use for: this one was given already. */
enum { SEEN = 1 << 28 };

static int refuse_second(cfg_t *cfg, cfg_opt_t *opt)
{
    if (opt->flags & SEEN) {
        cfg_error(cfg, "section '%s' given twice", opt->name);
        return -1;
    }
    opt->flags |= SEEN;
    return 0;
}

/* Without this libconfuse merges a section that is given twice. */
static void refuse_duplicates(cfg_opt_t *opts)
{
    for (; opts && opts->name; opts++) {
        if (opts->type != CFGT_SEC)
            continue;
        if (opts->flags & CFGF_TITLE)
            opts->flags |= CFGF_NO_TITLE_DUPES;
        else if (!(opts->flags & CFGF_MULTI) && !opts->validcb)
            opts->validcb = refuse_second;
        refuse_duplicates(opts->subopts);
    }
}

static int parse(cfg_t *cfg, FILE *fp, const char *path, struct err *e)
{
    int r;

    if (!(cfg->filename = strdup(path)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    cfg_set_error_function(cfg, on_error);
    refuse_duplicates(cfg->opts);
    loading.path = path;
    loading.e = e;
    loading.failed = 0;
    r = cfg_parse_fp(cfg, fp);
    if (loading.failed)
        return ERR_USAGE;
    if (r != CFG_SUCCESS || !cfg_getbool(cfg, LAST_OPTION))
        return err_set(e, ERR_USAGE, "%s: the file ends inside a comment or an option", path);
    return 0;
}

/* Out of memory, libconfuse goes on without a default: a text would be NULL, a number 0, "yes" no. */
static int has_defaults(cfg_t *cfg)
{
    for (cfg_opt_t *o = cfg->opts; o->name; o++) {
        int list = (o->flags & CFGF_LIST) != 0;

        if (o->type == CFGT_STR && !list && o->def.string && (!cfg_opt_size(o) || !cfg_opt_getnstr(o, 0)))
            return 0;
        if ((o->type == CFGT_INT || o->type == CFGT_BOOL || o->type == CFGT_FLOAT) && !list && !cfg_opt_size(o))
            return 0;
        if (list && o->def.parsed && strcmp(o->def.parsed, "{}") != 0 && !cfg_opt_size(o))
            return 0;
    }
    return 1;
}

/* opts and the last option; libconfuse copies the array. */
static cfg_t *init(const cfg_opt_t *opts)
{
    static const cfg_opt_t last[] = {CFG_BOOL(LAST_OPTION, cfg_false, CFGF_NONE), CFG_END()};
    cfg_opt_t *all;
    cfg_t *cfg;
    size_t n = 0;

    while (opts[n].name)
        n++;
    if (!(all = calloc(n + 2, sizeof *all)))
        return NULL;
    memcpy(all, opts, n * sizeof *all);
    memcpy(all + n, last, sizeof last);
    cfg = cfg_init(all, CFGF_NONE);
    free(all);
    if (cfg && !has_defaults(cfg)) {
        cfg_free(cfg);
        cfg = NULL;
    }
    return cfg;
}

int conf_load(const char *path, cfg_opt_t *opts, cfg_t **out, struct err *e)
{
    struct buf text = BUF_INIT;
    cfg_t *cfg = NULL;
    FILE *fp = NULL;
    int r;

    *out = NULL;
    /* Read first: libconfuse's scanner ends the program when it cannot read. */
    if ((r = file_read(path, CONF_FILE_MAX, &text, e)) == ERR_LIMIT)
        r = err_set(e, ERR_USAGE, "%s: too large for a configuration file", path);
    if (r < 0)
        goto out;
    if (text.len > 0 && memchr(text.data, 0, text.len)) {
        r = err_set(e, ERR_USAGE, "%s: NUL octet", path);
        goto out;
    }
    if (buf_puts(&text, "\n" LAST_OPTION " = true\n") < 0 || !(fp = fmemopen(text.data, text.len, "r")) ||
        !(cfg = init(opts))) {
        r = err_set(e, ERR_SYSTEM, "out of memory");
        goto out;
    }
    if ((r = parse(cfg, fp, path, e)) == 0) {
        *out = cfg;
        cfg = NULL;
    }
out:
    if (cfg)
        cfg_free(cfg);
    if (fp)
        fclose(fp);
    buf_free(&text);
    return r;
}

/* Digits and at most one unit; the factors stand in the order of the units. */
static int scaled(const char *text, const char *units, const int64_t *factors, int64_t *out)
{
    const char *p = text, *unit;
    int64_t n = 0, factor = 1;

    if (!text || *p < '0' || *p > '9')
        return -1;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return -1;
    if (*p) {
        if (!(unit = strchr(units, *p)) || p[1])
            return -1;
        factor = factors[unit - units];
    }
    return __builtin_mul_overflow(n, factor, out) ? -1 : 0;
}

int conf_size(const char *text, size_t *out, struct err *e)
{
    static const int64_t factors[] = {1 << 10, 1 << 10, 1 << 20, 1 << 20, 1 << 30, 1 << 30};
    int64_t n;

    *out = 0;
    if (scaled(text, "kKmMgG", factors, &n) < 0 || (uint64_t)n > SIZE_MAX)
        return err_set(e, ERR_USAGE, "'%s' is not a size (as 1048576, 512k, 25M)", text ? text : "");
    *out = (size_t)n;
    return 0;
}

int conf_seconds(const char *text, int64_t *out, struct err *e)
{
    static const int64_t factors[] = {1, 60, 3600, 86400};

    *out = 0;
    if (scaled(text, "smhd", factors, out) < 0)
        return err_set(e, ERR_USAGE, "'%s' is not a time (as 90s, 10m, 2h, 7d)", text ? text : "");
    return 0;
}

int conf_user(const char *text, uid_t *uid, gid_t *gid, struct err *e)
{
    int64_t n;
    struct passwd pw, *found = NULL;
    char mem[4096];
    int numeric = scaled(text, "", NULL, &n) == 0 && n >= 0 && n < (uid_t)-1, r;

    if (numeric)
        r = getpwuid_r((uid_t)n, &pw, mem, sizeof mem, &found);
    else
        r = getpwnam_r(text ? text : "", &pw, mem, sizeof mem, &found);
    if (!found && numeric && !gid) {
        *uid = (uid_t)n;
        return 0;
    }
    if (!found)
        return err_set(e, ERR_USAGE, "no user '%s'%s%s", text ? text : "", r ? ": " : "", r ? strerror(r) : "");
    *uid = found->pw_uid;
    if (gid)
        *gid = found->pw_gid;
    return 0;
}

static int set_groups(uid_t uid, gid_t gid)
{
    struct passwd pw, *found = NULL;
    char mem[4096];

    if (getpwuid_r(uid, &pw, mem, sizeof mem, &found) == 0 && found)
        return initgroups(found->pw_name, gid);
    return setgroups(1, &gid);
}

int conf_daemon_user(const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
    int named = name && *name, r;

    *uid = geteuid();
    *gid = getegid();
    if (named && (r = conf_user(name, uid, gid, e)) < 0) {
        err_prefix(e, "user");
        return r;
    }
    return *uid == 0 || (named && *gid == 0) ? err_set(e, ERR_USAGE, "not as root: set user in the configuration") : 0;
}

int conf_drop_privileges(uid_t uid, gid_t gid, struct err *e)
{
    uid_t ru, eu, su;
    gid_t rg, eg, sg;

    if (uid == 0 || gid == 0)
        return err_set(e, ERR_USAGE, "refusing to run as root");
    if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0)
        return err_errno(e, "cannot tell who we are");
    if (ru == uid && eu == uid && su == uid)
        return 0;
    if (eu != 0)
        return err_set(e, ERR_DENIED, "only root can become uid %ld", (long)uid);
    if (set_groups(uid, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return err_errno(e, "cannot become uid %ld, gid %ld", (long)uid, (long)gid);
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || getuid() != uid || geteuid() != uid ||
        getgid() != gid || getegid() != gid)
        return err_set(e, ERR_SYSTEM, "root's rights did not go away");
    /* What root has read lies in memory. With fs.suid_dumpable set the kernel would write a core file of it all the
     * same. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? err_errno(e, "cannot keep other processes out") : 0;
}
