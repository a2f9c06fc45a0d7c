#include "keystore-world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/recrypt-keystore-XXXXXX";

static const char *berkeley_location(int n)
{
    static char path[2][64];

    snprintf(path[n % 2], sizeof path[0], "%s/%d", dir, n);
    return path[n % 2];
}

static void berkeley_discard(int n)
{
    if (unit_remove(berkeley_location(n)) < 0)
        printf("# %s: not removed\n", berkeley_location(n));
}

static const struct place places[] = {{&keystore_berkeley, berkeley_location, berkeley_discard}};
const struct place *p = places;

struct keystore *open_at(int n, int create)
{
    struct keystore *ks = NULL;
    struct err e = {0, ""};
    int r = keystore_open(p->backend->type, p->location(n), create, 0, &ks, &e);

    if (r < 0)
        fprintf(stderr, "# %s\n", e.text);
    CU_ASSERT_EQUAL_FATAL(r, 0);
    return ks;
}

int open_result(int n, int create, int read_only, struct err *e)
{
    struct keystore *ks = NULL;
    int r = keystore_open(p->backend->type, p->location(n), create, read_only, &ks, e);

    CU_ASSERT((r == 0) == (ks != NULL));
    keystore_close(&ks);
    return r;
}

int put(struct keystore *ks, enum keystore_table t, const char *key, const char *value)
{
    return keystore_put(ks, t, key, strlen(key), value, strlen(value), NULL);
}

void put_one(struct keystore *ks, enum keystore_table t, const char *key, const char *value)
{
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, t, key, value), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
}

int holds(struct keystore *ks, enum keystore_table t, const char *key, const char *value)
{
    struct buf b = BUF_INIT;
    int r = keystore_get(ks, t, key, strlen(key), &b, NULL), same;

    same = value ? r == 0 && strcmp(buf_str(&b), value) == 0 : r == ERR_ABSENT && b.len == 0;
    buf_free(&b);
    return same;
}

uint64_t generation(struct keystore *ks)
{
    uint64_t g = 0;

    CU_ASSERT_EQUAL(keystore_generation(ks, &g, NULL), 0);
    return g;
}

int keystore_tests(const struct unit_test *tests, size_t count)
{
    int r = 0;

    if (!mkdtemp(dir))
        return 99;
    for (p = places; p < places + sizeof places / sizeof *places; p++)
        r |= unit_main(p->backend->type, tests, count);
    rmdir(dir);
    return r;
}
