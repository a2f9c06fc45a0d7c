/* granted.h - what a service granted for one message: its own answer, or what a mail server brought along with the
 * message (doc/xrecrypt.md). */
#ifndef RECRYPT_GRANTED_H
#define RECRYPT_GRANTED_H

#include "common/jwe.h"
#include "common/udf.h"

/* For one recipient. A member's grant; and where the reader is a device of that member, the grant for the JWE that
 * holds the member's half, made under one of the member's keys. */
struct granted {
    char keyid[KEYID_SIZE]; /* the recipient's */
    struct grant grant;
    int in_message;                /* grant has nothing but dk: tag and value are in the message */
    char device_keyid[KEYID_SIZE]; /* the member's key; "" = no second grant */
    struct grant device;
};
struct granted_list {
    struct granted *at;
    size_t count;
};

/* {"grants":[{"kid","grant":{"t","u","dk"},"device":{"kid","grant":{"t","u","dk"}}}...]}, at most JWE_RECIPIENTS_MAX of
 * them. ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM. */
int granted_read(const void *text, size_t len, struct granted_list *out, struct err *e);
void granted_list_clear(struct granted_list *l);

/* The two members of a service's answer: grant, and device (NULL = none), whose key id is the member named kid. */
int granted_from_json(const char *keyid, struct json_object *grant, struct json_object *device, const char *kid,
                      struct granted *out, struct err *e);
void granted_clear(struct granted *g);

#endif
