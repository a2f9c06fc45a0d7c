/* statement.h - what administrators and persons sign: profiles, rosters, member entries (doc/formats.md section 4).
 *
 * Reading functions verify first and check every member's type; a struct that was filled belongs to the caller and is
 * released by its _clear function.
 */
#ifndef RECRYPT_STATEMENT_H
#define RECRYPT_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "jwe.h"
#include "jwk.h"
#include "suite.h"
#include "udf.h"

enum profile_kind { PROFILE_PERSON, PROFILE_LIST };

/* A person's or list's public key, signed. typ "recrypt-profile". */
struct profile {
    enum profile_kind kind;
    char account[ADDRESS_SIZE];
    char owner[ADDRESS_SIZE]; /* list: the administrator's account; person: same as account */
    char keyid[KEYID_SIZE];   /* strong name of key */
    struct jwk *key;          /* encryption, public */
    struct jwk *signer;       /* signature, public: the person's, or the list's owner's */
    int64_t epoch;            /* counts the keys of this account, from 1 */
    int64_t issued;           /* seconds since 1970 */
};
/* Signs with signer_private (whose public half goes in as signer); p->keyid is made, p->signer is ignored. Appends
 * compact JWS. */
int profile_sign(const struct profile *p, const struct jwk *signer_private, struct buf *out, struct err *e);
/* Verifies under the signer that the payload itself names, and that keyid is the key's: self-consistency, not trust.
 * The caller compares p->signer with what it expects. out->key's kid is the keyid. */
int profile_read(const void *text, size_t len, struct profile *out, struct err *e);
void profile_clear(struct profile *p);

/* The membership of a list at one moment, signed by its owner. typ "recrypt-roster". */
struct roster_member {
    char account[ADDRESS_SIZE];
    char key_udf[JWK_UDF_SIZE]; /* of the member's encryption key */
    int64_t since;              /* serial of the roster that added it */
};
struct roster {
    char group[ADDRESS_SIZE];
    char keyid[KEYID_SIZE]; /* current group key */
    int64_t serial;         /* grows by at least one with every change, from 1 */
    int64_t epoch;
    int64_t issued;
    struct roster_member *members; /* sorted by account, no two equal */
    size_t count;
};
int roster_sign(const struct roster *r, const struct jwk *signer, struct buf *out, struct err *e);
int roster_read(const void *text, size_t len, const struct jwk *signer, struct roster *out, struct err *e);
const struct roster_member *roster_find(const struct roster *r, const char *account); /* NULL = not a member */
/* since becomes r->serial: raise that first. ERR_EXISTS. */
int roster_add(struct roster *r, const char *account, const char *key_udf, struct err *e);
int roster_remove(struct roster *r, const char *account, struct err *e);                  /* ERR_ABSENT */
/* Its since becomes r->serial (raise that first): the member's state is another one from now on. ERR_ABSENT. */
int roster_touch(struct roster *r, const char *account, struct err *e);
void roster_clear(struct roster *r);

/* One member's share of one group key.
 * Statement (typ "recrypt-entry", compact JWS by the owner, given to the member as grant "dk"):
 *   {"v":1,"group":keyid,"member":account,"mkid":UDF of B,"suite":name,"dk":JWE to B,"rhash":b64(SHA-256(r)),
 *    "serial":n,"epoch":n,"iat":t}
 * dk's plaintext: {"b":b64,"tagkey":b64(32)}.
 * In transit to the service: JWE to the service's key of
 *   {"r":b64,"rpub":b64,"tagkey":b64,"signer":JWK of the member's signature key,"key":JWK of B,"statement":JWS}. */
struct entry {
    char keyid[KEYID_SIZE];
    char member[ADDRESS_SIZE];
    char key_udf[JWK_UDF_SIZE]; /* UDF of B */
    int64_t serial, epoch, issued;
    struct suite_key *r;        /* the service's half */
    unsigned char tagkey[32];
    struct jwk *member_key;     /* B, public */
    struct jwk *member_signer;  /* the member's signature key, public */
    char *statement;            /* compact JWS */
};
/* The administrator's side: splits group_key (private, kid set to its keyid) for member (a profile that was accepted),
 * signs with owner, and appends the JWE to service_key. */
int entry_make(const struct jwk *group_key, const struct profile *member, int64_t serial, int64_t epoch,
               const struct jwk *owner, const struct jwk *service_key, struct buf *out, struct err *e);
/* The service's side: opens with its key, verifies the statement under owner, checks that rhash, suite, mkid and keys
 * agree (ERR_KEY). member_key's kid is her key id. */
int entry_read(const void *text, size_t len, const struct jwk *service_key, const struct jwk *owner, struct entry *out,
               struct err *e);
void entry_clear(struct entry *en);

/* An entry's statement as a service reads it that only passes it on: nothing of it is verified, its form is checked.
 * ERR_SYNTAX, ERR_UNSUPPORTED. */
struct statement_claim {
    char keyid[KEYID_SIZE], member[ADDRESS_SIZE];
    struct jwe *dk;          /* to one key, whose name is there */
    struct jwe_recipient to; /* dk's one recipient; points into dk */
};
int statement_claim(const char *text, size_t len, struct statement_claim *out, struct err *e);
void statement_claim_clear(struct statement_claim *c);

/* The tag by which a member finds her grant: HMAC-SHA-256(tagkey, epk) cut to GRANT_TAG_LEN. */
int entry_tag(const unsigned char tagkey[32], const unsigned char *epk, size_t epk_len,
              unsigned char tag[GRANT_TAG_LEN], struct err *e);
/* The same for many: what all of them need is looked up once. entry_tagger_free wipes; *t becomes NULL. */
struct entry_tagger;
int entry_tagger_new(struct entry_tagger **out, struct err *e);
int entry_tagger_tag(struct entry_tagger *t, const unsigned char tagkey[32], const unsigned char *epk, size_t epk_len,
                     unsigned char tag[GRANT_TAG_LEN], struct err *e);
void entry_tagger_free(struct entry_tagger **t);

/* What a member keeps of one group key after the first grant with dk. */
struct share {
    char keyid[KEYID_SIZE];
    char member[ADDRESS_SIZE];
    int64_t serial, epoch;
    struct suite_key *b;
    unsigned char tagkey[32];
};
/* The member's side: verifies the statement under owner and that it is for keyid and for her key (ERR_KEY), opens
 * dk. */
int share_read(const char *statement, const char *keyid, const struct jwk *owner, const struct jwk *member_private,
               struct share *out, struct err *e);
/* The same where her key is not: she is a group herself, and the reader one of her devices. Verifies as share_read does
 * and takes the JWE apart that holds her half; its one recipient (jwe_recipient of j) is one of her keys. */
struct share_lock {
    char keyid[KEYID_SIZE]; /* the group's */
    char member[ADDRESS_SIZE];
    char member_keyid[KEYID_SIZE]; /* of her key */
    int64_t serial, epoch;
    const struct suite *suite;
    struct jwe *j;
    struct buf ciphertext;
};
int share_lock_read(const char *statement, const char *keyid, const struct jwk *owner, struct share_lock *out,
                    struct err *e);
/* Opens it with the device's share of her key and a grant for it. Errors as share_decrypt. */
int share_unlock(const struct share_lock *l, const struct share *device, const struct grant *g, struct share *out,
                 struct err *e);
void share_lock_clear(struct share_lock *l);
/* To and from JSON for the member's own key directory (contains secrets). */
int share_to_json(const struct share *s, struct json_object **out, struct err *e);
int share_from_json(struct json_object *obj, struct share *out, struct err *e);
void share_clear(struct share *s);

/* Opens recipient i of j with a grant and the member's share: agree, combine, try every candidate. ERR_KEY: not for
 * this group key, or an ephemeral key that must not be used; ERR_CRYPTO, with one text, when it does not open. */
int share_decrypt(const struct share *s, const struct grant *g, const struct jwe *j, size_t i,
                  const struct buf *ciphertext, struct buf *plain, struct err *e);

/* A member's grant on its way through others: {"t","u"} as a compact JWE (cty "recrypt-grant") to her key, whose kid it
 * names; appended. g's dk is NULL. */
int sealed_grant_make(const struct grant *g, const struct jwk *to, struct buf *out, struct err *e);
/* As her device reads it: takes it apart; it must be to the key keyid (ERR_KEY). ERR_SYNTAX, ERR_UNSUPPORTED. */
struct sealed_grant {
    struct jwe *j;
    struct jwe_recipient to; /* points into j */
    struct buf ciphertext;
};
int sealed_grant_read(const void *text, size_t len, const char *keyid, struct sealed_grant *out, struct err *e);
/* Opens it with the device's share of her key and a grant for it. Errors as share_decrypt, and ERR_SYNTAX. */
int sealed_grant_open(const struct sealed_grant *s, const struct share *device, const struct grant *own,
                      struct grant *out, struct err *e);
void sealed_grant_clear(struct sealed_grant *s);

#endif
