/* rclient-private.h - what the files of rclient.h share. */
#ifndef RECRYPT_RCLIENT_PRIVATE_H
#define RECRYPT_RCLIENT_PRIVATE_H

#include <json-c/json.h>

#include "rclient.h"

/* ERR_RETRY: an answer of recryptd's that does not fit. */
int rclient_rubbish(const char *what, struct err *e);
/* A string member without spaces and control characters, shorter than size; absent and not required: "". */
int rclient_word(struct json_object *obj, const char *name, int required, char *out, size_t size, struct err *e);
/* A request with the ephemeral key and, when not NULL, GroupKeyID and Account. */
int rclient_epk_request(const char *account, const char *keyid, const struct suite *s, const unsigned char *epk,
                        size_t epk_len, struct json_object **out, struct err *e);

#endif
