/* keystore-private.h - for the files of keystore/ only. */
#ifndef RECRYPT_KEYSTORE_PRIVATE_H
#define RECRYPT_KEYSTORE_PRIVATE_H

#include "keystore.h"

struct keystore {
    const struct keystore_backend *backend;
    void *state;
    int read_only;
    int in_txn, changed, erased, failed; /* of the running transaction */
    int progressed;                      /* changed in JOBS */
    uint64_t generation;
};

/* As keystore_open, but one that is made starts unfinished: nothing else opens it until keystore_loaded was called.
 * ERR_EXISTS when it holds a record already. */
int keystore_open_to_load(const char *type, const char *location, struct keystore **out, struct err *e);
/* Inside the transaction that loads: finished with its commit, with a generation over the one given. */
int keystore_loaded(struct keystore *ks, uint64_t generation, struct err *e);

/* True for the META keys that are the store's own. */
int keystore_own_key(enum keystore_table t, const void *key, size_t len);

/* "meta", "accounts", ... NULL past the end. */
const char *keystore_table_name(enum keystore_table t);

#endif
