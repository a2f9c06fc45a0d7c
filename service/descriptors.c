#include "descriptors.h"

#include <sys/resource.h>

#include "common/log.h"

/* For the key store, logs, certificates that are read anew, and events; two dozen are in use. */
enum { OWN = 64 };

static rlim_t needed(const struct settings *s)
{
    return (rlim_t)OWN + s->max_clients + s->max_connections;
}

void descriptors_raise(const struct settings *s)
{
    struct rlimit have, more;

    if (getrlimit(RLIMIT_NOFILE, &have) || have.rlim_cur >= needed(s))
        return;
    /* Past the hard limit with root's rights only. */
    more.rlim_cur = needed(s);
    more.rlim_max = have.rlim_max < more.rlim_cur ? more.rlim_cur : have.rlim_max;
    if (!setrlimit(RLIMIT_NOFILE, &more))
        return;
    have.rlim_cur = have.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &have))
        log_warn("the number of descriptors cannot be raised");
}

int descriptors_fit(struct settings *s, struct err *e)
{
    struct rlimit have;
    rlim_t room, all = needed(s) - OWN;

    if (getrlimit(RLIMIT_NOFILE, &have))
        return err_errno(e, "RLIMIT_NOFILE");
    if (have.rlim_cur >= needed(s))
        return 0;
    if (have.rlim_cur < OWN + 2)
        return err_set(e, ERR_SYSTEM, "%lu descriptors are too few: raise the limit (LimitNOFILE, ulimit -n)",
                       (unsigned long)have.rlim_cur);
    room = have.rlim_cur - OWN;
    s->max_clients = (unsigned)(room * s->max_clients / all);
    s->max_clients = s->max_clients ? s->max_clients : 1;
    s->max_connections = (unsigned)(room - s->max_clients);
    if (!s->max_connections) {
        s->max_connections = 1;
        s->max_clients--;
    }
    log_warn("only %lu descriptors may be open, %lu are needed (LimitNOFILE, ulimit -n): max_clients is lowered to %u, "
             "max_connections to %u",
             (unsigned long)have.rlim_cur, (unsigned long)(all + OWN), s->max_clients, s->max_connections);
    return 0;
}
