/* intake.h - what strangers may have written here: a device's request to be let in is kept, and synced, for whoever
 * asks. Counted in memory by day (UTC); a restart begins anew. */
#ifndef RECRYPT_INTAKE_H
#define RECRYPT_INTAKE_H

#include <stddef.h>

#include "common/jwk.h"
#include "quota.h"

enum {
    INTAKE_NETWORK =
        256, /* writes for one network: an IPv4 address, which may be a whole company's, or a /56 of IPv6 */
    INTAKE_NETWORK_ACCOUNT = 8, /* of them for one account: fewer than may wait (device_requests) */
    INTAKE_KEY = 8,             /* for one key of one account, whoever sends it */
    INTAKE_NETWORK_SIZE = 46    /* a network's name, with NUL */
};

/* The network that address (as web.c tells it) is in; "" for this machine, and for what is no address. */
void intake_network(const char *address, char out[INTAKE_NETWORK_SIZE]);

/* One more write for that account and key, asked for by address (as web.c tells it). An address of this machine is that
 * of a reverse proxy, which has to count for itself: only the key counts. 0, ERR_RETRY: no more today, ERR_SYSTEM. */
int intake_take(struct quota *q, const char *address, const char *account, const char *key_udf, int64_t now,
                struct err *e);

/* When all places are taken: the request that gives its own to one from that network, so that a few networks cannot
 * keep all others out. It is the oldest from the network with the most, if that has at least two more than this one;
 * who has one place keeps it. NULL: nobody gives way. */
struct intake_place {
    char network[INTAKE_NETWORK_SIZE], key_udf[JWK_UDF_SIZE];
    int64_t when;
};
const struct intake_place *intake_yields(const struct intake_place *places, size_t count, const char *network);

#endif
