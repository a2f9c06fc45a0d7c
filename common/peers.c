#include "peers.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "err.h"

enum { BUCKETS = 4096 };

struct peer {
    uint64_t address[2];
    long sessions;
    SLIST_ENTRY(peer) link;
};

SLIST_HEAD(bucket, peer);

struct peers {
    uint64_t seed; /* nobody chooses who shares a bucket */
    struct bucket buckets[BUCKETS];
};

struct peers *peers_new(void)
{
    struct peers *p = calloc(1, sizeof *p);

    if (p && RAND_bytes((unsigned char *)&p->seed, sizeof p->seed) != 1) {
        free(p);
        return NULL;
    }
    return p;
}

static int key(const struct sockaddr *sa, uint64_t out[2])
{
    const struct in6_addr *six;
    uint32_t four = 0;

    out[0] = out[1] = 0;
    if (sa->sa_family == AF_INET) {
        four = ((const struct sockaddr_in *)sa)->sin_addr.s_addr;
    } else if (sa->sa_family == AF_INET6) {
        six = &((const struct sockaddr_in6 *)sa)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(six)) {
            memcpy(out, six->s6_addr, 8);
            return 1;
        }
        memcpy(&four, six->s6_addr + 12, sizeof four);
    } else {
        return 0;
    }
    out[1] = (uint64_t)1 << 32 | four;
    return 1;
}

static struct bucket *bucket_of(struct peers *p, const uint64_t address[2])
{
    uint64_t h = (address[0] ^ p->seed) * UINT64_C(0x9e3779b97f4a7c15) ^ address[1];

    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return &p->buckets[(h >> 40) % BUCKETS];
}

static struct peer *find(struct bucket *b, const uint64_t address[2])
{
    struct peer *one;

    SLIST_FOREACH(one, b, link)
    if (one->address[0] == address[0] && one->address[1] == address[1])
        return one;
    return NULL;
}

int peers_add(struct peers *p, const struct sockaddr *sa, long max)
{
    uint64_t address[2];
    struct bucket *b;
    struct peer *one;

    if (!key(sa, address))
        return 1;
    b = bucket_of(p, address);
    if (!(one = find(b, address))) {
        if (!(one = calloc(1, sizeof *one)))
            return ERR_SYSTEM;
        memcpy(one->address, address, sizeof address);
        SLIST_INSERT_HEAD(b, one, link);
    }
    if (max && one->sessions >= max)
        return 0;
    one->sessions++;
    return 1;
}

int peers_full(struct peers *p, const struct sockaddr *sa, long max)
{
    uint64_t address[2];
    const struct peer *one;

    return max && key(sa, address) && (one = find(bucket_of(p, address), address)) && one->sessions >= max;
}

void peers_remove(struct peers *p, const struct sockaddr *sa)
{
    uint64_t address[2];
    struct bucket *b;
    struct peer *one;

    if (!key(sa, address))
        return;
    b = bucket_of(p, address);
    if ((one = find(b, address)) && --one->sessions <= 0) {
        SLIST_REMOVE(b, one, peer, link);
        free(one);
    }
}

void peers_free(struct peers **pp)
{
    struct peers *p = *pp;
    struct peer *one;

    if (!p)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((one = SLIST_FIRST(&p->buckets[i]))) {
            SLIST_REMOVE_HEAD(&p->buckets[i], link);
            free(one);
        }
    free(p);
    *pp = NULL;
}
