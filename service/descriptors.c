#include "descriptors.h"

#include "common/log.h"
#include "common/program.h"

/* For the key store, logs, certificates that are read anew, and events; two dozen are in use. */
enum { OWN = 64 };

static unsigned long needed(const struct settings *s)
{
    return (unsigned long)OWN + s->max_clients + s->max_connections;
}

void descriptors_raise(const struct settings *s)
{
    (void)program_descriptors(needed(s));
}

int descriptors_fit(struct settings *s, struct err *e)
{
    unsigned long have = program_descriptors(0), room, all = needed(s) - OWN;

    if (have >= needed(s))
        return 0;
    if (have < OWN + 2)
        return err_set(e, ERR_SYSTEM, "%lu descriptors are too few: raise the limit (LimitNOFILE, ulimit -n)", have);
    room = have - OWN;
    s->max_clients = (unsigned)(room * s->max_clients / all);
    s->max_clients = s->max_clients ? s->max_clients : 1;
    s->max_connections = (unsigned)(room - s->max_clients);
    if (!s->max_connections) {
        s->max_connections = 1;
        s->max_clients--;
    }
    log_warn("only %lu descriptors may be open, %lu are needed (LimitNOFILE, ulimit -n): max_clients is lowered to %u, "
             "max_connections to %u",
             have, all + OWN, s->max_clients, s->max_connections);
    return 0;
}
