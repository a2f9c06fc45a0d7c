#include "hot.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/buf.h"

enum { BUCKETS = 4096 };

struct item {
    struct hot_grant *grant;
    LIST_ENTRY(item) in_bucket;
    TAILQ_ENTRY(item) in_order;
};

struct hot {
    size_t max, count;
    LIST_HEAD(, item) buckets[BUCKETS];
    TAILQ_HEAD(order, item) order; /* most recently used first */
};

void hot_grant_free(struct hot_grant **gp)
{
    struct hot_grant *g = *gp;

    if (!g)
        return;
    suite_key_free(&g->r);
    free(g->statement);
    json_object_put(g->device);
    secret_free(g, sizeof *g);
    *gp = NULL;
}

/* FNV-1a */
static unsigned bucket_of(const char *keyid, const char *reader)
{
    uint32_t h = 2166136261u;

    for (const char *p = keyid; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    for (const char *p = reader; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return h % BUCKETS;
}

static void drop(struct hot *h, struct item *i)
{
    LIST_REMOVE(i, in_bucket);
    TAILQ_REMOVE(&h->order, i, in_order);
    hot_grant_free(&i->grant);
    free(i);
    h->count--;
}

int hot_new(size_t max, struct hot **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_errno(e, "cache");
    (*out)->max = max;
    TAILQ_INIT(&(*out)->order);
    return 0;
}

/* The newest one stays, whatever the limit. */
void hot_resize(struct hot *h, size_t max)
{
    h->max = max;
    while (h->count > max && h->count > 1)
        drop(h, TAILQ_LAST(&h->order, order));
}

static struct item *find(struct hot *h, const char *keyid, const char *reader)
{
    struct item *i;

    LIST_FOREACH(i, &h->buckets[bucket_of(keyid, reader)], in_bucket)
    if (!strcmp(i->grant->keyid, keyid) && !strcmp(i->grant->reader, reader))
        return i;
    return NULL;
}

const struct hot_grant *hot_get(struct hot *h, const char *keyid, const char *reader)
{
    struct item *i = find(h, keyid, reader);

    if (!i)
        return NULL;
    TAILQ_REMOVE(&h->order, i, in_order);
    TAILQ_INSERT_HEAD(&h->order, i, in_order);
    return i->grant;
}

int hot_put(struct hot *h, struct hot_grant *g, struct err *e)
{
    struct item *i = find(h, g->keyid, g->reader);

    if (i)
        drop(h, i);
    i = calloc(1, sizeof *i);
    if (!i) {
        hot_grant_free(&g);
        return err_errno(e, "cache");
    }
    i->grant = g;
    LIST_INSERT_HEAD(&h->buckets[bucket_of(g->keyid, g->reader)], i, in_bucket);
    TAILQ_INSERT_HEAD(&h->order, i, in_order);
    h->count++;
    hot_resize(h, h->max);
    return 0;
}

void hot_drop(struct hot *h, const char *group)
{
    struct item *next;

    for (struct item *i = TAILQ_FIRST(&h->order); i; i = next) {
        next = TAILQ_NEXT(i, in_order);
        if (!strcmp(i->grant->groups[0], group) || !strcmp(i->grant->groups[1], group))
            drop(h, i);
    }
}

void hot_free(struct hot **h)
{
    if (!*h)
        return;
    while (!TAILQ_EMPTY(&(*h)->order))
        drop(*h, TAILQ_FIRST(&(*h)->order));
    free(*h);
    *h = NULL;
}
