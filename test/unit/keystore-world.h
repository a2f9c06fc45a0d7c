/* keystore-world.h - stores for tests that every backend passes; the n-th store of the backend under test. */
#ifndef RECRYPT_TEST_KEYSTORE_WORLD_H
#define RECRYPT_TEST_KEYSTORE_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "keystore/keystore.h"
#include "unit.h"

/* One row a backend: where its n-th store is, and how it is thrown away. */
struct place {
    const struct keystore_backend *backend;
    const char *(*location)(int n);
    void (*discard)(int n);
};

/* The backend under test. */
extern const struct place *p;

/* Runs the tests for each. Returns main's exit status. */
int keystore_tests(const struct unit_test *tests, size_t count);

struct keystore *open_at(int n, int create);
int open_result(int n, int create, int read_only, struct err *e);
/* In the running transaction; in one of its own. */
int put(struct keystore *ks, enum keystore_table t, const char *key, const char *value);
void put_one(struct keystore *ks, enum keystore_table t, const char *key, const char *value);
/* The value is this; NULL = absent. */
int holds(struct keystore *ks, enum keystore_table t, const char *key, const char *value);
uint64_t generation(struct keystore *ks);

#endif
