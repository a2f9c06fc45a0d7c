/* devices.h - what the store keeps of a person's devices beside their membership in her account's group: texts that
 * others signed, each under a name, with a time. Nothing in them is secret. */
#ifndef RECRYPT_DEVICES_H
#define RECRYPT_DEVICES_H

#include "common/device.h"
#include "records.h"

enum device_text {
    DEVICE_WAITING,  /* a request; under the UDF of the device's key */
    DEVICE_ADMITTED, /* the request of one that was let in; under its member address */
    DEVICE_SHARE     /* an entry statement of another service's list; under the group key id */
};
/* Appends. when may be NULL. ERR_ABSENT. */
int device_text_get(struct records *r, enum device_text kind, const char *account, const char *name, struct buf *out,
                    int64_t *when, struct err *e);
/* Putting and deleting need a transaction. */
struct device_note {
    const char *text;
    int64_t when;
    const char *from; /* of one that waits: the network that it was asked from (intake.h); "" = none known */
};
int device_text_put(struct records *r, enum device_text kind, const char *account, const char *name,
                    const struct device_note *note, struct err *e);
int device_text_delete(struct records *r, enum device_text kind, const char *account, const char *name,
                       struct err *e); /* ERR_ABSENT */
/* All of one kind and account, in the order of names. */
typedef int device_visit(void *arg, const char *name, const struct device_note *note, struct err *e);
int device_scan(struct records *r, enum device_text kind, const char *account, device_visit *visit, void *arg,
                struct err *e);

/* The request by which the device may be a member: its own of before, or one that waits, with that key and signature
 * key. ERR_ABSENT. */
int device_find(struct records *r, const char *account, const char *member, const char *key_udf,
                const struct jwk *signer, struct err *e);
/* The waiting request for that key becomes the member's own; other requests for that name are gone. */
int device_admit(struct records *r, const char *account, const char *member, const char *key_udf, struct err *e);
/* The member's own request is gone, if there was any. */
int device_forget(struct records *r, const char *account, const char *member, struct err *e);
/* Deletes what has waited since before that time. Its own transaction, if there is anything. */
int devices_expire(struct records *r, const char *account, int64_t before, struct err *e);

/* For records_check: every record, account by account. text NULL: it does not parse, and the rest says nothing. */
typedef int device_check(void *arg, const char *account, enum device_text kind, const char *name, const char *text,
                         struct err *e);
int devices_check(struct records *r, device_check *check, void *arg, struct err *e);

#endif
