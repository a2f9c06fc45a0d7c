/* fetch-xrecrypt.h - teaches libetpan's parser the data item XRECRYPT of FETCH answers (doc/xrecrypt.md). */
#ifndef RECRYPT_FETCH_XRECRYPT_H
#define RECRYPT_FETCH_XRECRYPT_H

#include <libetpan/libetpan.h>

#include "common/mime.h"

/* Once in a process, before the first session. 0 or ERR_SYSTEM. */
int fetch_xrecrypt_register(void);

/* The JSON in an item of an answer; data NULL when it is another item, or NIL. */
struct span fetch_xrecrypt_item(const struct mailimap_msg_att_item *item);

#endif
