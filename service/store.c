/* Opening the keystore with the service's keys (server.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/keystore.h"
#include "server.h"

/* Is there a store that was bound to a service key before? */
static int bound(struct keystore *ks, struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = keystore_get(ks, KEYSTORE_META, "service", 7, &value, e);

    buf_free(&value);
    return rc;
}

static int first_start(const char *path, struct keystore *ks, struct service_keys **keys, struct err *e)
{
    int rc = bound(ks, e);

    if (!rc)
        return err_set(e, ERR_KEY, "%s is not there, and the keystore was written under it: restore it from a backup",
                       path);
    return rc == ERR_ABSENT ? servicekey_create(path, keys, e) : rc;
}

int server_open_store(const struct settings *s, int create, int read_only, struct service_keys **keys,
                      struct keystore **ks, struct records *records, struct err *e)
{
    char *path = NULL;
    int rc;

    *keys = NULL;
    *ks = NULL;
    memset(records, 0, sizeof *records);
    if (asprintf(&path, "%s/service.key", s->state_directory) < 0)
        return err_errno(e, "service key");
    rc = servicekey_load(path, keys, e);
    if (rc && !(rc == ERR_ABSENT && create))
        goto out;
    rc = keystore_open(s->keystore_type, s->keystore_location, create, read_only, ks, e);
    if (rc) {
        err_prefix(e, "keystore %s", s->keystore_location);
        goto out;
    }
    rc = *keys ? 0 : first_start(path, *ks, keys, e);
    rc = rc ? rc : records_open(records, *ks, (*keys)->udf, (*keys)->storage, create && !read_only, e);
    if (rc)
        server_close_store(keys, ks, records);
out:
    if (rc)
        servicekey_free(keys);
    free(path);
    return rc;
}

void server_close_store(struct service_keys **keys, struct keystore **ks, struct records *records)
{
    records_close(records);
    if (*ks)
        keystore_close(ks);
    servicekey_free(keys);
}
