/* recryptd-tests.h - what the files of test-recryptd share: the service, the people, and where the list stands. */
#ifndef RECRYPT_RECRYPTD_TESTS_H
#define RECRYPT_RECRYPTD_TESTS_H

#include "recryptd-world.h"
#include "unit.h"

extern struct world w;
extern struct who alice, bob, carol, dave, erin, list, list2;
extern struct roster roster; /* the owner's own, as last sent */

/* Starts the service, or ends the test program: each test builds on those before it. */
void must_start(void);
/* Requests; the answer's status. register_person fetches an invitation first. */
int set_person(const struct who *p, const char *token);
void invite(const char *address, char token[128]);
int register_person(const struct who *p);
/* The roster with this serial, signed by alice; an entry for the member under a list's key; into {"<name>": {...}}. */
void sign_roster(struct roster *r, int64_t serial, struct buf *out);
struct json_object *entry_for(const struct who *l, const struct who *member, int64_t serial, int64_t epoch);
extern struct buf last_entry; /* as entry_for made it */
struct json_object *with_entries(struct json_object *kind, const char *name, struct json_object *entries);
/* Set Members to list with the roster as it is and an entry of the member for each of n keys; the member into the
 * roster. */
int add_member(const struct who *member, const struct who *const *keys, size_t n, int64_t serial);
void put_member(const struct who *member);
/* RecryptData: the whole answer, its status, and whether the member then reads a message to l. */
void ask_grant(const struct who *p, const char *keyid, const struct sealed *m, struct answer *out);
int grant_status(const struct who *p, const struct who *l);
int reads(const struct who *p, const struct who *l);
struct frame_client *client(void);
/* GetKey: the key's state and the account's current one. */
void check_key(const char *what, const char *state, const struct who *current);
/* How often the address is among the recipients. */
int recipient(const struct expansion *x, const char *address);
int set_group(const struct who *l, const struct jwk *signer, const struct roster *r, const char *policy);
void first_roster(const struct who *l, struct roster *r);
/* Delete from list, with the roster as it is. */
int delete_member(const char *member, int64_t serial);

/* The tests, in the order of test-recryptd.c. */
void test_configuration(void), test_start(void), test_http(void), test_registration(void), test_new_person_key(void),
    test_signatures(void), test_new_list(void), test_get_and_select(void), test_add(void), test_inline_max(void),
    test_bad_epk(void), test_refusals_are_one(void), test_resolve(void), test_expand(void),
    test_local_grant_and_key(void), test_local_misuse(void), test_roles(void), test_mutated_requests(void),
    test_remove(void), test_rekey(void), test_reload(void), test_log_rotation(void), test_second(void),
    test_restart(void), test_quota(void), test_log_full(void), test_restore(void), test_missing(void),
    test_fanout(void), test_over_limit(void), test_store_faults(void), test_descriptors_low(void),
    test_descriptors_out(void);

#endif
