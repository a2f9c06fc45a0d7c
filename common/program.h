/* program.h - what the main functions of the programs have in common. */
#ifndef RECRYPT_PROGRAM_H
#define RECRYPT_PROGRAM_H

#include <getopt.h>

#include "err.h"

/* To be called first in main. From here on:
 * - a crash leaves no file with what was in memory: message text, keys;
 * - an end that nobody chose has status EX_TEMPFAIL: some libraries call exit() when memory runs out, with a status
 * that a mail server takes for "bounce it" (it was chosen when it is 0 or one of sysexits.h);
 * - OpenSSL has its context, which it makes once in a process and would not try to make again (algorithms.h has the
 * rest);
 * - OpenSSL wipes what it frees (secret_openssl).
 * 0, or ERR_SYSTEM: the program should end. */
int program_start(struct err *e);

/* For programs that hold private keys, behind program_start: no other process of the same user may look into this one
 * (ptrace, /proc/PID/mem), nor does a dump go to a program. conf_drop_privileges does the same. ERR_SYSTEM. */
int program_holds_keys(struct err *e);

/* Raises the limit of open descriptors, at most to what is wanted; past the hard limit with root's rights only. Returns
 * what the limit is then. */
unsigned long program_descriptors(unsigned long wanted);

/* The options of a daemon: -c FILE, -f, -n, -v (--config, --foreground, --test, --verbose), --help, --version, and
 * those of its own. Nothing may stand behind the options. */
struct program_options {
    const char *config;
    int foreground, check, verbose;
};

struct program {
    const char *name, *usage;
    const char *shorts;         /* own ones in getopt's form; may be "" */
    const struct option *longs; /* own ones, NULL-ended; val over 1000, or a letter of shorts. May be NULL */
    /* One of those. 0, or an exit status + 1 after a message. May be NULL when there are none. */
    int (*take)(int option, const char *value, void *arg);
    void *arg;
};

/* 0, or an exit status + 1 when there is nothing more to do. */
int program_read_options(const struct program *p, int argc, char **argv, struct program_options *o);

#endif
