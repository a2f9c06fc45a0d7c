#include "claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "jobs.h"

struct claim {
    uint64_t connection;
    char job[JOB_ID_SIZE];
    LIST_ENTRY(claim) link;
};

struct claims {
    LIST_HEAD(, claim) list; /* as many as fan-outs run: a handful */
};

int claims_new(struct claims **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_errno(e, "claims");
}

int claims_take(struct claims *c, const char *job, uint64_t connection, struct err *e)
{
    struct claim *i, *mine = NULL;

    if (!connection)
        return 0;
    LIST_FOREACH(i, &c->list, link)
    {
        if (i->connection == connection)
            mine = i;
        else if (!strcmp(i->job, job))
            return err_set(e, ERR_RETRY, "another delivery agent is at this message");
    }
    if (!mine) {
        mine = calloc(1, sizeof *mine);
        if (!mine)
            return err_errno(e, "claims");
        mine->connection = connection;
        LIST_INSERT_HEAD(&c->list, mine, link);
    }
    snprintf(mine->job, sizeof mine->job, "%s", job);
    return 0;
}

void claims_drop(struct claims *c, uint64_t connection)
{
    struct claim *i;

    LIST_FOREACH(i, &c->list, link)
    if (i->connection == connection) {
        LIST_REMOVE(i, link);
        free(i);
        return;
    }
}

void claims_free(struct claims **cp)
{
    struct claim *i;

    if (!*cp)
        return;
    while ((i = LIST_FIRST(&(*cp)->list))) {
        LIST_REMOVE(i, link);
        free(i);
    }
    free(*cp);
    *cp = NULL;
}
