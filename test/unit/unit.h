/* unit.h - runs a module's tests with CUnit and prints TAP. */
#ifndef RECRYPT_UNIT_H
#define RECRYPT_UNIT_H

#include <CUnit/CUnit.h>
#include <stddef.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* Runs each and prints "ok N - module: name". Returns main's exit status: 0 when none failed. */
int unit_main(const char *module, const struct unit_test *tests, size_t count);

/* The same with a new directory, of the template dir (as mkdtemp has it), which is removed afterwards. 99 when it
 * cannot be made or removed. */
int unit_main_in(char *dir, const char *module, const struct unit_test *tests, size_t count);

/* The path of name in dir; good until the fourth call after. */
const char *unit_path(const char *dir, const char *name);

/* Removes a directory and what is in it. 0, or -1. */
int unit_remove(const char *dir);

/* A program of which no test can run here, with the reason. Returns main's exit status. */
int unit_main_skipped(const char *module, const char *why);

/* Marks the running test as skipped, with the reason; the test then returns. Nothing is skipped silently. */
void unit_skip(const char *why);

/* Does it in a process of its own: its exit status, which is what it returns; minus the signal that ended it; -1000
 * when there is no process. */
int unit_apart(int (*what)(int arg), int arg);

/* $RECRYPT_VECTORS or ../shared/vectors beside the source tree; NULL when not there. */
const char *unit_vectors(void);

#endif
