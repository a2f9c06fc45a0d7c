/* recrypt-keystore - writes a keystore out, reads it in, checks it, scrubs it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/program.h"
#include "keystore-dump.h"
#include "keystore-private.h"

static const char usage_text[] =
    "Usage: recrypt-keystore dump  [--type=TYPE] [--table=TABLE] DIRECTORY > FILE\n"
    "       recrypt-keystore load  [--type=TYPE] DIRECTORY < FILE\n"
    "       recrypt-keystore check [--type=TYPE] DIRECTORY\n"
    "       recrypt-keystore scrub [--type=TYPE] DIRECTORY\n"
    "\n"
    "  dump    write the keystore to standard output as text, for backup\n"
    "  load    make a new keystore from such a text; every list is then in quarantine\n"
    "          until its owner ran 'recrypt members --confirm'\n"
    "  check   verify the files and say what is in them\n"
    "  scrub   rewrite the files without what was deleted\n"
    "\n"
    "  --type=TYPE    berkeley (default)\n"
    "  --table=TABLE  only meta, accounts, keys, members, entries, signers, jobs or devices\n"
    "  --help, --version\n"
    "\n"
    "recryptd must not be running on that keystore.\n";

struct options {
    const char *command, *type, *table, *location;
};

/* The store's files must belong to recryptd's user: root becomes the owner of the directory, or for one that is to be
 * made the owner of the directory that it will be in. */
static int become_owner(const char *location, struct err *e)
{
    char *copy = strdup(location);
    struct stat st;
    int r = 0;

    if (!copy)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if (geteuid() == 0 && (stat(location, &st) == 0 || stat(dirname(copy), &st) == 0) && st.st_uid != 0)
        r = conf_drop_privileges(st.st_uid, st.st_gid, e);
    free(copy);
    return r;
}

static int dump(const struct options *o, struct err *e)
{
    struct keystore *ks;
    uint64_t records;
    int r;

    if ((r = keystore_open(o->type, o->location, 0, 1, &ks, e)) < 0)
        return r;
    if ((r = keystore_dump(ks, o->table, stdout, &records, e)) == 0)
        fprintf(stderr, "recrypt-keystore: %" PRIu64 " records written\n", records);
    keystore_close(&ks);
    return r;
}

static int load(const struct options *o, struct err *e)
{
    uint64_t records;
    int r = keystore_load(o->type, o->location, stdin, &records, e);

    if (r == 0)
        fprintf(stderr, "recrypt-keystore: %" PRIu64 " records read; all lists are in quarantine until their owners "
                        "run 'recrypt members --confirm'\n", records);
    return r;
}

static int count_one(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    (void)key, (void)key_len, (void)value, (void)len, (void)e;
    (*(uint64_t *)arg)++;
    return 0;
}

static int check(const struct options *o, struct err *e)
{
    struct keystore *ks;
    uint64_t generation, counts[KEYSTORE_TABLES] = {0};
    int r;

    if ((r = keystore_verify(o->type, o->location, e)) < 0 ||
        (r = keystore_open(o->type, o->location, 0, 0, &ks, e)) < 0)
        return r;
    r = keystore_generation(ks, &generation, e);
    for (int t = 0; t < KEYSTORE_TABLES && r == 0; t++)
        r = keystore_scan(ks, (enum keystore_table)t, NULL, 0, count_one, &counts[t], e);
    if (r == 0) {
        printf("%s: good, generation %" PRIu64, o->location, generation);
        for (int t = KEYSTORE_ACCOUNTS; t < KEYSTORE_TABLES; t++)
            printf(", %" PRIu64 " %s", counts[t], keystore_table_name((enum keystore_table)t));
        printf("%s\n", keystore_needs_scrub(ks) ? "; to be scrubbed" : "");
    }
    keystore_close(&ks);
    return r;
}

static int scrub(const struct options *o, struct err *e)
{
    struct keystore *ks;
    int r;

    if ((r = keystore_open(o->type, o->location, 0, 0, &ks, e)) < 0)
        return r;
    r = keystore_scrub(ks, e);
    keystore_close(&ks);
    return r;
}

static const struct {
    const char *name;
    int (*run)(const struct options *o, struct err *e);
} commands[] = {{"dump", dump}, {"load", load}, {"check", check}, {"scrub", scrub}};

static int run(const struct options *o, struct err *e)
{
    int r;

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(o->command, commands[i].name) != 0)
            continue;
        if (o->table && commands[i].run != dump)
            return err_set(e, ERR_USAGE, "--table is for dump");
        r = become_owner(o->location, e);
        return r < 0 ? r : commands[i].run(o, e);
    }
    return err_set(e, ERR_USAGE, "no command '%s'; see recrypt-keystore --help", o->command);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"type", required_argument, NULL, 't'},
                                          {"table", required_argument, NULL, 'T'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
    struct options o = {NULL, "berkeley", NULL, NULL};
    struct err e = {0, ""};
    int c, r;

    while ((c = getopt_long(argc, argv, "t:hV", longs, NULL)) != -1) {
        if (c == 't') {
            o.type = optarg;
        } else if (c == 'T') {
            o.table = optarg;
        } else if (c == 'h') {
            return fputs(usage_text, stdout) < 0 ? EX_IOERR : EX_OK;
        } else if (c == 'V') {
            return printf("recrypt-keystore %s\n", PACKAGE_VERSION) < 0 ? EX_IOERR : EX_OK;
        } else {
            return EX_USAGE;
        }
    }
    if (argc - optind != 2) {
        fputs(usage_text, stderr);
        return EX_USAGE;
    }
    o.command = argv[optind];
    o.location = argv[optind + 1];
    if ((r = program_start(&e)) == 0)
        r = run(&o, &e);
    if (r == 0 && fflush(stdout) != 0)
        r = err_errno(&e, "standard output");
    if (r < 0)
        fprintf(stderr, "recrypt-keystore: %s\n", e.text);
    return err_sysexit(r);
}
