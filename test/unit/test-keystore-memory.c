/* A key store that is opened while memory runs out. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "keystore/keystore.h"
#include "starve.h"
#include "unit.h"

static char dir[] = "/tmp/recrypt-memory-XXXXXX";
static long failing; /* which allocation; 0 = none */

static int change(struct keystore *ks, int value)
{
    int r = keystore_begin(ks, NULL);

    r = r ? r : keystore_put(ks, KEYSTORE_ENTRIES, "a", 1, &value, sizeof value, NULL);
    return r ? r : keystore_commit(ks, NULL);
}

/* Opens the store and changes it; ends without closing it, as who is killed does. */
static int open_and_change(int value)
{
    struct keystore *ks = NULL;
    int r, spared;

    if (failing)
        close(2); /* each of them says so */
    starve(failing);
    r = keystore_open("berkeley", unit_path(dir, "store"), 0, 0, &ks, NULL);
    spared = starve_spared();
    if (r == 0)
        r = change(ks, value);
    return r < 0 ? EX_TEMPFAIL : failing && spared ? EX_SOFTWARE : EX_OK;
}

static int value_now(void)
{
    struct keystore *ks = NULL;
    struct buf b = BUF_INIT;
    struct err e = {0, ""};
    int value = -1;

    if (keystore_open("berkeley", unit_path(dir, "store"), 0, 0, &ks, &e))
        printf("# %s\n", e.text);
    else if (keystore_get(ks, KEYSTORE_ENTRIES, "a", 1, &b, NULL) == 0 && b.len == sizeof value)
        memcpy(&value, b.data, b.len);
    keystore_close(&ks);
    buf_free(&b);
    return value;
}

/* Whatever fails while the log of a killed process is recovered: nothing is lost, not even when that process is killed
 * in its turn. */
static void test_recovery(void)
{
    const long every = getenv("LONG") ? 1 : 7;
    struct keystore *ks = NULL;
    int value = 0, status = EX_OK, ended = 0;

    if (!starve_works())
        return unit_skip("out of memory: sanitizers have allocations of their own");
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", unit_path(dir, "store"), 1, 0, &ks, NULL), 0);
    keystore_close(&ks);
    for (long n = 3; status != EX_SOFTWARE && n < 20000; n += every) {
        failing = 0;
        CU_ASSERT_EQUAL(unit_apart(open_and_change, ++value), EX_OK);
        failing = n;
        status = unit_apart(open_and_change, value + 1);
        CU_ASSERT(status == EX_OK || status == EX_TEMPFAIL || status == EX_SOFTWARE);
        if (status == EX_OK || status == EX_SOFTWARE)
            value++;
        else
            ended++;
        if (value_now() != value) {
            printf("# allocation %ld: status %d, then not %d\n", n, status, value);
            CU_FAIL_FATAL("an acknowledged change is lost");
        }
    }
    printf("# %d openings refused\n", ended);
    CU_ASSERT_EQUAL(status, EX_SOFTWARE);
    CU_ASSERT(ended > 10);
}

int main(void)
{
    static const struct unit_test tests[] = {{"an allocation fails while it is recovered", test_recovery}};

    return unit_main_in(dir, "keystore-memory", tests, sizeof tests / sizeof *tests);
}
