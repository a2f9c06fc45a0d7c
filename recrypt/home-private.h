/* home-private.h - what home.c and home-secret.c share. */
#ifndef RECRYPT_HOME_PRIVATE_H
#define RECRYPT_HOME_PRIVATE_H

#include <confuse.h>

#include "home.h"

struct home {
    char dir[PATH_MAX];
    cfg_t *conf; /* NULL when there is no recrypt.conf */
    int lock;
    struct buf pass;     /* what opened this run's key files */
    struct buf new_pass; /* for the keys that this run makes */
};

#endif
