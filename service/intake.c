#include "intake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { IPV6_PREFIX = 56 / 8 /* what one household gets */ };
_Static_assert(INTAKE_NETWORK_SIZE >= INET6_ADDRSTRLEN, "a network's name");

void intake_network(const char *address, char out[INTAKE_NETWORK_SIZE])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned char a[16] = {0};

    *out = '\0';
    if (inet_pton(AF_INET, address, a + 12) == 1)
        memcpy(a, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, address, a) != 1)
        return;
    if (!memcmp(a, mapped, sizeof mapped)) {
        if (a[12] != 127)
            inet_ntop(AF_INET, a + 12, out, INTAKE_NETWORK_SIZE);
    } else if (memcmp(a, &in6addr_loopback, sizeof a)) {
        memset(a + IPV6_PREFIX, 0, sizeof a - IPV6_PREFIX);
        inet_ntop(AF_INET6, a, out, INTAKE_NETWORK_SIZE);
    }
}

int intake_take(struct quota *q, const char *address, const char *account, const char *key_udf, int64_t now,
                struct err *e)
{
    char network[INTAKE_NETWORK_SIZE];
    int rc = 0;

    intake_network(address, network);
    if (*network) {
        rc = quota_take(q, network, "", INTAKE_NETWORK, now, e);
        rc = rc ? rc : quota_take(q, network, account, INTAKE_NETWORK_ACCOUNT, now, e);
    }
    rc = rc ? rc : quota_take(q, account, key_udf, INTAKE_KEY, now, e);
    return rc == ERR_RETRY ? err_set(e, rc, "too many requests of devices today: try again tomorrow") : rc;
}

static size_t places_of(const struct intake_place *places, size_t count, const char *network)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += !strcmp(places[i].network, network);
    return n;
}

const struct intake_place *intake_yields(const struct intake_place *places, size_t count, const char *network)
{
    const struct intake_place *out = NULL;
    size_t most = places_of(places, count, network) + 1;

    for (size_t i = 0; i < count; i++) {
        size_t n = places_of(places, count, places[i].network);

        if (n > most || (out && n == most && places[i].when < out->when)) {
            out = &places[i];
            most = n;
        }
    }
    return out;
}
