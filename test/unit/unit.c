#include "unit.h"

#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *skipped;

void unit_skip(const char *why)
{
    skipped = why;
}

int unit_apart(int (*what)(int arg), int arg)
{
    int status;
    pid_t pid;

    fflush(stdout);
    if ((pid = fork()) == 0)
        exit(what(arg));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

const char *unit_vectors(void)
{
    static char path[4096];
    const char *set = getenv("RECRYPT_VECTORS"), *src = getenv("srcdir");

    snprintf(path, sizeof path, "%s", set ? set : "");
    if (!set)
        snprintf(path, sizeof path, "%s/../shared/vectors", src ? src : ".");
    return access(path, R_OK) == 0 ? path : NULL;
}

int unit_main(const char *module, const struct unit_test *tests, size_t count)
{
    CU_pSuite suite;
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite(module, NULL, NULL)))
        return 99;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        CU_pTest t = CU_add_test(suite, tests[i].name, tests[i].run);

        skipped = NULL;
        if (!t || CU_run_test(suite, t) != CUE_SUCCESS || CU_get_number_of_failures() > 0) {
            failed++;
            printf("not ok %zu - %s: %s\n", i + 1, module, tests[i].name);
            for (CU_pFailureRecord f = CU_get_failure_list(); f; f = f->pNext)
                printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
        } else {
            printf("ok %zu - %s: %s%s%s\n", i + 1, module, tests[i].name, skipped ? " # SKIP " : "",
                   skipped ? skipped : "");
        }
    }
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

const char *unit_path(const char *dir, const char *name)
{
    static char path[4][256];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

int unit_remove(const char *dir)
{
    char command[256];

    return snprintf(command, sizeof command, "rm -rf '%s'", dir) < (int)sizeof command && system(command) == 0 ? 0 : -1;
}

int unit_main_in(char *dir, const char *module, const struct unit_test *tests, size_t count)
{
    int status;

    if (!mkdtemp(dir))
        return 99;
    status = unit_main(module, tests, count);
    return unit_remove(dir) == 0 ? status : 99;
}

int unit_main_skipped(const char *module, const char *why)
{
    printf("1..1\nok 1 - %s # SKIP %s\n", module, why);
    return 0;
}
