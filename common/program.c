#include "program.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "buf.h"

enum { HELP = 256, VERSION_, OPTIONS_MAX = 32, SHORTS_MAX = 32 };

static void on_end(int status, void *arg)
{
    (void)arg;
    if (status != EX_OK && (status < EX__BASE || status > EX__MAX))
        _exit(EX_TEMPFAIL);
}

int program_start(struct err *e)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none))
        return err_errno(e, "core files");
    if (on_exit(on_end, NULL) || secret_openssl() < 0 || !OSSL_LIB_CTX_get0_global_default())
        return err_set(e, ERR_SYSTEM, "out of memory");
    return 0;
}

int program_holds_keys(struct err *e)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? err_errno(e, "cannot keep other processes out") : 0;
}

unsigned long program_descriptors(unsigned long wanted)
{
    struct rlimit have, more;

    if (getrlimit(RLIMIT_NOFILE, &have))
        return 0;
    if (have.rlim_cur < wanted) {
        more.rlim_cur = wanted;
        more.rlim_max = have.rlim_max < wanted ? wanted : have.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &more)) {
            more.rlim_cur = more.rlim_max = have.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &more);
        }
        if (getrlimit(RLIMIT_NOFILE, &have))
            return 0;
    }
    return have.rlim_cur;
}

/* The common ones and the program's own, NULL-ended. */
static void join(const struct program *p, struct option *longs, char *shorts)
{
    static const struct option common[] = {
        {"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
        {"test", no_argument, NULL, 'n'},         {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, HELP},        {"version", no_argument, NULL, VERSION_},
    };
    size_t n = sizeof common / sizeof *common;

    memcpy(longs, common, sizeof common);
    for (const struct option *own = p->longs; own && own->name && n < OPTIONS_MAX - 1; own++)
        longs[n++] = *own;
    memset(&longs[n], 0, sizeof longs[n]);
    snprintf(shorts, SHORTS_MAX, "c:fnv%s", p->shorts);
}

int program_read_options(const struct program *p, int argc, char **argv, struct program_options *o)
{
    struct option longs[OPTIONS_MAX];
    char shorts[SHORTS_MAX];
    int c, status;

    join(p, longs, shorts);
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case 'f':
            o->foreground = 1;
            break;
        case 'n':
            o->check = 1;
            break;
        case 'v':
            o->verbose = 1;
            break;
        case HELP:
            fputs(p->usage, stdout);
            return EX_OK + 1;
        case VERSION_:
            printf("%s %s\n", p->name, PACKAGE_VERSION);
            return EX_OK + 1;
        case '?':
            fprintf(stderr, "Try %s --help\n", p->name);
            return EX_USAGE + 1;
        default:
            if ((status = p->take(c, optarg, p->arg)))
                return status;
        }
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "%s: what is \"%s\" for? Try %s --help\n", p->name, argv[optind], p->name);
    return EX_USAGE + 1;
}
