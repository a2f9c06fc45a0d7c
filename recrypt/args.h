/* args.h - the command line: one table of commands, one of options; --help and the checks are made from them. */
#ifndef RECRYPT_ARGS_H
#define RECRYPT_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

enum option_id {
    OPT_HELP,
    OPT_SERVICE,
    OPT_ACCOUNT,
    OPT_PASSPHRASE,
    OPT_TOKEN,
    OPT_SUITE,
    OPT_PLAINTEXT,
    OPT_ARCHIVE,
    OPT_JSON,
    OPT_ACCEPT_NEW,
    OPT_REKEY,
    OPT_RETIRE,
    OPT_CONFIRM,
    OPT_TO,
    OPT_FROM,
    OPT_UNSIGNED,
    OPT_SUBJECT,
    OPT_OFFLINE,
    OPT_OUT,
    OPT_FORCE,
    OPT_VERDICT_FD,
    OPT_UNVERIFIED,
    OPT_NAME,
    OPT_WAIT,
    OPT_MAILBOX,
    OPT_INTO,
    OPT_MARK,
    OPT_ALL,
    OPTION_COUNT
};

struct tool;
typedef int command_run(struct tool *t, struct err *e);

struct command {
    const char *name;  /* one word, or two: of a group of commands, and the command's */
    const char *words; /* what follows the options, for --help */
    const char *help;  /* one sentence */
    size_t min, max;   /* how many words */
    uint64_t options;  /* bit 1 << enum option_id for each that it takes */
    command_run *run;
};

/* The result; strings point into argv. */
struct args {
    const struct command *command; /* NULL: --help or --version for the whole program or a group of commands */
    const char *group;             /* the group's name, or NULL */
    int help, version;
    const char *value[OPTION_COUNT]; /* "" for a given option without argument; NULL = not given */
    const char **to;                 /* every --to, owned */
    size_t to_count;
    char **words;
    size_t word_count;
};

/* commands ends with a NULL name. A leading '/' of the command's name is taken off (the draft's spelling). An option
 * that the command does not take, one given twice, a missing or extra word: ERR_USAGE, saying what to do. */
int args_parse(const struct command *commands, int argc, char **argv, struct args *out, struct err *e);
void args_clear(struct args *a);
#define args_given(a, option) ((a)->value[option] != NULL)

/* c NULL = the overview, of a group's commands when group is not NULL. */
void args_help(const struct command *commands, const struct command *c, const char *group, FILE *to);

#endif
