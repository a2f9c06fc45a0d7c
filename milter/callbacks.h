/* callbacks.h - what libmilter calls. */
#ifndef RECRYPT_MILTER_CALLBACKS_H
#define RECRYPT_MILTER_CALLBACKS_H

#include <libmilter/mfapi.h>

/* The filter's description, for smfi_register. */
struct smfiDesc callbacks_describe(void);

#endif
