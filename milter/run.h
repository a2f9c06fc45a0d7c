/* run.h - the running filter: libmilter on its threads, signals on the first one. */
#ifndef RECRYPT_MILTER_RUN_H
#define RECRYPT_MILTER_RUN_H

#include "wake.h"

/* After the socket is open, and w with it. SIGHUP reads the configuration (NULL = the usual one) again; connections
 * under way keep theirs, and a faulty file changes nothing. SIGTERM and SIGINT stop. Returns the exit status. */
int milter_run(const char *config, struct wake *w);

#endif
