/* recryptd-device.h - what the files of test-recryptd-device share: people, their devices, and requests about them. */
#ifndef RECRYPT_TEST_RECRYPTD_DEVICE_H
#define RECRYPT_TEST_RECRYPTD_DEVICE_H

#include "common/device.h"
#include "recryptd-world.h"
#include "unit.h"

/* A device with its keys. */
struct gadget {
    struct device is;       /* as its request says */
    struct jwk *sign, *key; /* private */
    struct buf request;
};

#define DEVICE_SETTINGS "registration = \"open\"\ndevices_max = 3\ndevice_requests = 3\nshares_max = 2"

extern struct world w;
extern struct who alice, bob, carol, list; /* alice owns the list, bob is on it */
extern struct gadget phone, tablet;        /* bob's */
extern struct roster devices;              /* bob's own, as last sent */

void gadget_make(struct gadget *g, const struct who *person, const char *name, const char *suite);
void gadget_ask(struct gadget *g, const char *name); /* a request of now, with its keys */
void gadget_clear(struct gadget *g);

/* Requests; the answer's status. */
int set_person(const struct who *p);
int make_list(const struct who *l);
int list_add(const struct who *l, const struct who *member);
int list_remove(const struct who *l, const struct who *member);
int join(const char *account, const char *request);
int leave(const struct who *p, const char *account, const char *code);
int pending(const struct who *p); /* how many wait; -1 = refused */
/* Get of bob's group: is there such a member of the answer; does it show that device in that state? */
int gets(const char *group, const char *name);
int shown(const char *member, const char *state);

/* The roster of a person who has no device yet; devices goes into it and out of it. */
void begin_roster(struct roster *r, const struct who *person);
int put_device(const struct gadget *g);
int drop_device(const struct gadget *g);
/* The roster as it is with that serial, signed by the person; with the current key's name and epoch. */
void sign_devices(const struct who *by, int64_t serial, struct buf *out);
/* Set Members with an entry of the device for each of the n keys; by bob, or another. */
int let_in(const struct gadget *g, const struct who *const *keys, size_t n, int64_t serial);
int let_in_by(const struct who *by, const struct gadget *g, const struct who *const *keys, size_t n, int64_t serial);
int take_out(const struct gadget *g, int64_t serial, int64_t epoch);
/* Set Rekey by bob, with an entry for each of the n. */
int rekey(const struct who *next, int64_t epoch, int64_t serial, const struct gadget *const *those, size_t n);
/* The key of a person that has a newer one: freed at the end. */
void keep_old_key(const struct who *p);
size_t bobs_keys(const struct who *const **out); /* those and bob, oldest first; out may be NULL */
void old_keys_clear(void);

/* RecryptData for the message. */
void ask(const struct jwk *signer, const char *key_udf, const char *keyid, const struct sealed *m, struct answer *out);
int grant_status(const struct gadget *g, const struct who *to);
/* Does it open a message to its person's key? One to a list that its person, whose key that is, is on? */
int reads_own(const struct gadget *g, const struct who *person);
int reads_chain(const struct gadget *g, const struct who *person, const struct who *l);
/* The same with what was granted already: {"Grant","Device"}. */
int opens_chain(const struct gadget *g, const struct who *person, const struct who *l, struct json_object *granted,
                const struct sealed *m, const char *text);
/* The same for a list elsewhere, whose own service's half is in the entry: "Grant" has the statement alone. */
int opens_far(const struct gadget *g, const struct who *person, const struct who *l, const struct entry *en,
              struct json_object *granted, const struct sealed *m, const char *text);
/* Does it open with the grant's own statement, as a member of the person's group? */
int opens_own(const struct gadget *g, const struct who *person, struct json_object *grant, const struct sealed *m,
              const char *text);

/* The tests of other files than test-recryptd-device.c. */
void test_share(void), test_grants(void), test_grants_end(void), test_grants_quota(void), test_grants_many(void),
    test_grants_long(void), test_device_grants(void), test_parking(void), test_restore(void), test_statement(void),
    test_statement_quota(void), test_sealed(void), test_no_devices_left(void);
void far_clear(void);

#endif
