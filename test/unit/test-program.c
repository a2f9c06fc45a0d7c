/* What all programs begin with: each case in a process of its own, since it is done once in one. */
#include "unit.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/program.h"
#include "starve.h"

static int end_with(int status)
{
    return program_start(NULL) == 0 ? status : 99;
}

static void test_end(void)
{
    static const int chosen[] = {EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG};
    static const int fallen[] = {1, 2, 63, 79, 127, 255};

    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++)
        CU_ASSERT_EQUAL(unit_apart(end_with, chosen[i]), chosen[i]);
    for (size_t i = 0; i < sizeof fallen / sizeof *fallen; i++)
        CU_ASSERT_EQUAL(unit_apart(end_with, fallen[i]), EX_TEMPFAIL);
}

/* 0: started and OpenSSL works or says that it does not; 75: refused; 70: fewer allocations than n. */
static int start_starved(int n)
{
    EVP_MD *md;
    int r;

    starve(n);
    r = program_start(NULL);
    if (starve_spared())
        return EX_SOFTWARE;
    if (r < 0)
        return EX_TEMPFAIL;
    md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    EVP_MD_free(md);
    return EX_OK;
}

static void test_starved(void)
{
    int refused = 0, status = EX_OK;

    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    for (int n = 1; n < 1000 && status != EX_SOFTWARE; n++) {
        status = unit_apart(start_starved, n);
        CU_ASSERT(status == EX_OK || status == EX_TEMPFAIL || status == EX_SOFTWARE);
        refused += status == EX_TEMPFAIL;
    }
    CU_ASSERT_EQUAL(status, EX_SOFTWARE);
    CU_ASSERT(refused > 10);
}

static int raise_to(int wanted)
{
    const struct rlimit low = {100, 200};

    /* As root the hard limit is none. */
    if (setrlimit(RLIMIT_NOFILE, &low) || (geteuid() == 0 && setuid(65534)))
        return 99;
    return program_descriptors((unsigned long)wanted) == (wanted <= 100   ? 100ul
                                                          : wanted <= 200 ? (unsigned long)wanted
                                                                          : 200ul)
               ? EX_OK
               : EX_SOFTWARE;
}

static void test_descriptors(void)
{
    CU_ASSERT_EQUAL(unit_apart(raise_to, 50), EX_OK);
    CU_ASSERT_EQUAL(unit_apart(raise_to, 150), EX_OK);
    CU_ASSERT_EQUAL(unit_apart(raise_to, 200), EX_OK);
    CU_ASSERT_EQUAL(unit_apart(raise_to, 250), EX_OK);
}

/* What becomes of a crash, and of another process that wants to look inside. */
static int is_private(int keys)
{
    struct rlimit core = {1, 1};

    if (program_start(NULL) || (keys && program_holds_keys(NULL)) || getrlimit(RLIMIT_CORE, &core))
        return 99;
    return core.rlim_cur || core.rlim_max || prctl(PR_GET_DUMPABLE) != !keys ? EX_SOFTWARE : EX_OK;
}

static void test_private(void)
{
    CU_ASSERT_EQUAL(unit_apart(is_private, 0), EX_OK);
    CU_ASSERT_EQUAL(unit_apart(is_private, 1), EX_OK);
}

static int take(int option, const char *value, void *arg)
{
    int *n = arg;

    *n = option == 'x' ? 1 : atoi(value);
    return *n < 0 ? EX_USAGE + 1 : 0;
}

static int read_words(int which)
{
    static const char *const words[][8] = {
        {"p", "-fc", "file", "-n", "--verbose", "--number", "7", NULL},
        {"p", "-x", NULL},
        {"p", "--number", "-1", NULL},
        {"p", "--help", NULL},
        {"p", "--version", NULL},
        {"p", "--nonsense", NULL},
        {"p", "behind", NULL},
    };
    static const struct option longs[] = {{"number", required_argument, NULL, 1001}, {NULL, 0, NULL, 0}};
    struct program_options o = {.config = "default"};
    int n = 0, argc = 0, status;
    const struct program p = {"p", "usage\n", "x", longs, take, &n};

    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        return 99;
    while (words[which][argc])
        argc++;
    status = program_read_options(&p, argc, (char **)(uintptr_t)words[which], &o);
    if (which == 0)
        return !status && o.foreground && o.check && o.verbose && *o.config == 'f' && n == 7 ? 0 : 98;
    if (which == 1)
        return !status && !o.foreground && !o.check && !o.verbose && *o.config == 'd' && n == 1 ? 0 : 98;
    return status;
}

static void test_options(void)
{
    static const int wanted[] = {0, 0, EX_USAGE + 1, EX_OK + 1, EX_OK + 1, EX_USAGE + 1, EX_USAGE + 1};

    for (int i = 0; i < (int)(sizeof wanted / sizeof *wanted); i++)
        CU_ASSERT_EQUAL(unit_apart(read_words, i), wanted[i]);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"an end that nobody chose is temporary", test_end},
        {"out of memory at the start: a refusal, or it works", test_starved},
        {"descriptors are raised as far as possible", test_descriptors},
        {"no core file; keys are out of other processes' sight", test_private},
        {"options", test_options},
    };

    return unit_main("program", tests, sizeof tests / sizeof *tests);
}
