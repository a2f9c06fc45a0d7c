/* records.h - what the keystore's values mean: typed records, as JSON.
 *
 * The secrets of an entry (the service's half r, its public value, the tag key) are AES-256-GCM under the storage key,
 * bound to table and key. Getting returns 0, ERR_ABSENT, or an error; a record that does not parse is ERR_SYNTAX.
 * Putting needs a transaction (keystore.h). Filled structs are released by their _clear function.
 */
#ifndef RECRYPT_RECORDS_H
#define RECRYPT_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jwk.h"
#include "common/rclient.h"
#include "common/statement.h"
#include "common/suite.h"
#include "common/udf.h"
#include "keystore/keystore.h"
#include "settings.h"

enum { RESTORED_SIZE = 128 };

struct records {
    struct keystore *ks;
    unsigned char storage[32];
    char restored[RESTORED_SIZE]; /* META "restored": names the last restore; "" = never */
    int broken;                   /* keystore_broken: only a restart, which runs recovery, mends it */
};

/* Checks that the store belongs to the service key (META "service"), or with bind writes that it does from now on. ks
 * and the storage key are borrowed and copied. ERR_KEY: it is another service's. ERR_ABSENT: bound to none yet. */
int records_open(struct records *r, struct keystore *ks, const char *service_udf, const unsigned char storage[32],
                 int bind, struct err *e);
void records_close(struct records *r);

int records_begin(struct records *r, struct err *e);
int records_commit(struct records *r, struct err *e);
void records_abort(struct records *r);

/* ---- accounts: persons and lists ---- */
struct account {
    enum profile_kind kind;
    char address[ADDRESS_SIZE];
    char owner[ADDRESS_SIZE];
    char signer[JWK_UDF_SIZE]; /* whose signature key speaks for it */
    char current[KEYID_SIZE];
    char **keys; /* all key ids, oldest first */
    size_t key_count;
    int64_t epoch, created;
    int64_t serial; /* of the roster; of a person 0 until she has had a device */
    char confirmed[RESTORED_SIZE]; /* the restore after which the owner confirmed the roster */
    struct policy policy;          /* lists only */
};
int account_get(struct records *r, const char *address, struct account *out, struct err *e);
int account_put(struct records *r, const struct account *a, struct err *e);
int account_add_key(struct account *a, const char *keyid, struct err *e);
void account_clear(struct account *a);
/* A list, or person with devices, whose roster the owner has not confirmed since the store was restored. */
int account_quarantined(const struct records *r, const struct account *a);
/* Calls back for each account. */
typedef int account_visit(void *arg, struct account *a, struct err *e);
int account_scan(struct records *r, account_visit *visit, void *arg, struct err *e);

/* The list's roster as signed, appended. */
int roster_get(struct records *r, const char *list, struct buf *out, struct err *e);
int roster_put(struct records *r, const char *list, const char *text, struct err *e);

/* ---- keys of accounts ---- */
struct key_record {
    char account[ADDRESS_SIZE];
    enum key_state state;
    int64_t epoch;
    struct jwk *key; /* public */
    char *profile;   /* compact JWS */
};
int key_get(struct records *r, const char *keyid, struct key_record *out, struct err *e);
int key_put(struct records *r, const char *keyid, const struct key_record *k, struct err *e);
void key_clear(struct key_record *k);
const char *key_state_name(enum key_state s);

/* ---- members: of lists, and persons' devices ---- */
enum { PARK_ID_SIZE = 23 }; /* base64url of 16 octets */
struct member {
    char account[ADDRESS_SIZE];
    int active;                /* 0 = revoked, or parked */
    char parked[PARK_ID_SIZE]; /* of a device that is parked: the id of what brings it back; "" = is not */
    char key_udf[JWK_UDF_SIZE];
    char signer[JWK_UDF_SIZE];
    int64_t serial; /* of the roster that brought it into this state */
};
struct members {
    struct member *list; /* sorted by account */
    size_t count;
};
int member_put(struct records *r, const char *group, const struct member *m, struct err *e);
/* All of a list, revoked ones too. */
int members_get(struct records *r, const char *group, struct members *out, struct err *e);
const struct member *members_find(const struct members *m, const char *account); /* NULL = none */
size_t members_present(const struct members *m); /* active or parked */
void members_clear(struct members *m);

/* ---- entries: one member's share of one key, the service's side ---- */
struct entry_record {
    char member[ADDRESS_SIZE];
    int active;
    char key_udf[JWK_UDF_SIZE];
    char signer[JWK_UDF_SIZE];
    int64_t serial, epoch, issued;
    struct suite_key *r; /* NULL when revoked */
    unsigned char tagkey[32];
    char *statement; /* NULL when revoked */
};
int entry_get(struct records *r, const char *keyid, const char *member, struct entry_record *out, struct err *e);
int entry_put(struct records *r, const char *keyid, const struct entry_record *en, struct err *e);
/* Marks it revoked, under that serial, and drops secrets and statement. */
int entry_revoke(struct records *r, const char *keyid, const char *member, int64_t serial, struct err *e);
void entry_record_clear(struct entry_record *en);
typedef int entry_visit(void *arg, struct entry_record *en, struct err *e);
int entry_scan(struct records *r, const char *keyid, entry_visit *visit, void *arg, struct err *e);
/* The stored form of an entry, and back: for the stand-in that a refusal works on (grants.h). */
int entry_encode(const struct records *r, const char *keyid, const struct entry_record *en, struct buf *out,
                 struct err *e);
int entry_decode(const struct records *r, const char *keyid, const char *member, const void *value, size_t len,
                 struct entry_record *out, struct err *e);

/* ---- signers: signature keys that may ask ---- */
struct signer_membership {
    char group[ADDRESS_SIZE], member[ADDRESS_SIZE];
    char key_udf[JWK_UDF_SIZE];
};
struct signer {
    struct jwk *key;           /* public */
    char person[ADDRESS_SIZE]; /* the account registered under it; "" = a member only */
    struct signer_membership *memberships;
    size_t count;
};
int signer_get(struct records *r, const char *udf, struct signer *out, struct err *e);
/* In two steps: key and person, whose record is of one length but for the address; then the lists, however many, which
 * are for who has proved to hold the key: reading them takes longer the more there are. */
int signer_get_key(struct records *r, const char *udf, struct signer *out, struct err *e);
int signer_get_lists(struct records *r, const char *udf, struct signer *s, struct err *e);
/* A signer that is nothing any more (no person, no membership) is deleted. */
int signer_put(struct records *r, const char *udf, const struct signer *s, struct err *e);
int signer_join(struct signer *s, const char *group, const char *member, const char *key_udf, struct err *e);
void signer_leave(struct signer *s, const char *group, const char *member);
void signer_clear(struct signer *s);
/* The stored form, without the lists. */
int signer_encode(const struct signer *s, struct buf *out, struct err *e);
int signer_decode(const void *value, size_t len, struct signer *out, struct err *e);

/* A pass over everything: each record parses, each reference leads somewhere, each secret opens. Logs every fault
 * (log_error) and counts; returns the first fault's code or 0. */
int records_check(struct records *r, size_t *records, size_t *faults, struct err *e);

#endif
