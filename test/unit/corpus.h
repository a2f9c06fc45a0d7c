/* corpus.h - the mail corpus of unit_vectors(), one message at a time. */
#ifndef RECRYPT_TEST_CORPUS_H
#define RECRYPT_TEST_CORPUS_H

#include "common/mime.h"

/* Calls back with every file under mail/emails; the callback says whether all is well. 0 when there is no corpus. */
int corpus_each(int (*check)(void *arg, const char *path, struct span msg), void *arg);

/* How many the last run's callback was not content with. */
int corpus_failed(void);

#endif
