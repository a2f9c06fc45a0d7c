#include "intake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { NETWORK_SIZE = INET6_ADDRSTRLEN, IPV6_PREFIX = 56 / 8 /* what one household gets */ };

/* The network that address is in; "" for this machine, and for what is no address. */
static void network_of(const char *address, char out[NETWORK_SIZE])
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
            inet_ntop(AF_INET, a + 12, out, NETWORK_SIZE);
    } else if (memcmp(a, &in6addr_loopback, sizeof a)) {
        memset(a + IPV6_PREFIX, 0, sizeof a - IPV6_PREFIX);
        inet_ntop(AF_INET6, a, out, NETWORK_SIZE);
    }
}

int intake_take(struct quota *q, const char *address, const char *account, const char *key_udf, int64_t now,
                struct err *e)
{
    char network[NETWORK_SIZE];
    int rc = 0;

    network_of(address, network);
    if (*network) {
        rc = quota_take(q, network, "", INTAKE_NETWORK, now, e);
        rc = rc ? rc : quota_take(q, network, account, INTAKE_NETWORK_ACCOUNT, now, e);
    }
    rc = rc ? rc : quota_take(q, account, key_udf, INTAKE_KEY, now, e);
    return rc == ERR_RETRY ? err_set(e, rc, "too many requests of devices today: try again tomorrow") : rc;
}
