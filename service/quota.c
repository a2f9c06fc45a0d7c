#include "quota.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct counted {
    int64_t n;
    char name[]; /* group NUL member */
};

struct quota {
    void *counts; /* tsearch tree */
    int64_t day;
};

int quota_new(struct quota **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_errno(e, "quota");
}

static int compare(const void *a, const void *b)
{
    const char *x = ((const struct counted *)a)->name, *y = ((const struct counted *)b)->name;
    int c = strcmp(x, y);

    return c ? c : strcmp(x + strlen(x) + 1, y + strlen(y) + 1);
}

int quota_take(struct quota *q, const char *group, const char *member, int64_t limit, int64_t now, struct err *e)
{
    size_t first = strlen(group) + 1, second = strlen(member) + 1;
    struct counted *c, **found;

    if (!limit)
        return 0;
    if (now / 86400 != q->day) {
        tdestroy(q->counts, free);
        q->counts = NULL;
        q->day = now / 86400;
    }
    c = malloc(sizeof *c + first + second);
    if (!c)
        return err_errno(e, "quota");
    c->n = 0;
    memcpy(c->name, group, first);
    memcpy(c->name + first, member, second);
    found = tsearch(c, &q->counts, compare);
    if (!found || *found != c)
        free(c);
    if (!found)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if ((*found)->n >= limit)
        return err_set(e, ERR_RETRY, "over today's quota of %lld", (long long)limit);
    (*found)->n++;
    return 0;
}

void quota_free(struct quota **q)
{
    if (!*q)
        return;
    tdestroy((*q)->counts, free);
    free(*q);
    *q = NULL;
}
