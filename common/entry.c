/* Entries: one member's share of one group key, from the administrator to the service (statement.h). */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jws.h"
#include "sjson.h"
#include "statement-private.h"
#include "statement.h"

enum { HASH_LEN = 32, ENTRY_VERSION = 1 };

/* What rhash holds: the member can tell by it which half the service was given. */
static int hash_half(const struct suite_key *r, unsigned char out[HASH_LEN], struct err *e)
{
    const struct suite *s = suite_key_suite(r);

    if (EVP_Digest(suite_key_private(r), suite_priv_len(s), out, NULL, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_SYSTEM, "SHA-256 failed");
    return 0;
}

/* JWE to the member of her half and the tag key. */
static int seal_half(const struct suite_key *b, const unsigned char *tagkey, const struct jwk *to, struct buf *out,
                     struct err *e)
{
    struct json_object *obj = json_object_new_object();
    struct jwe_options opt = {0};
    struct buf text = BUF_INIT;
    int r;

    if (sjson_set_b64(obj, "b", suite_key_private(b), suite_priv_len(suite_key_suite(b))) < 0 ||
        sjson_set_b64(obj, "tagkey", tagkey, TAGKEY_LEN) < 0 || sjson_write(obj, &text) < 0)
        r = statement_no_memory(e);
    else
        r = jwe_seal_compact(to, &opt, text.data, text.len, out, e);
    sjson_free_secret(&obj);
    buf_free(&text);
    return r;
}

/* en: everything but statement; dk: JWE. */
static int sign_statement(const struct entry *en, const struct buf *dk, const struct jwk *owner, struct buf *out,
                          struct err *e)
{
    struct json_object *obj = json_object_new_object();
    unsigned char hash[HASH_LEN];
    int r;

    if ((r = hash_half(en->r, hash, e)) < 0)
        goto out;
    if (sjson_set_int(obj, "v", ENTRY_VERSION) < 0 || sjson_set_string(obj, "group", en->keyid) < 0 ||
        sjson_set_string(obj, "member", en->member) < 0 || sjson_set_string(obj, "mkid", en->key_udf) < 0 ||
        sjson_set_string(obj, "suite", suite_name(suite_key_suite(en->r))) < 0 ||
        sjson_set_string(obj, "dk", buf_str(dk)) < 0 || sjson_set_b64(obj, "rhash", hash, sizeof hash) < 0 ||
        sjson_set_int(obj, "serial", en->serial) < 0 || sjson_set_int(obj, "epoch", en->epoch) < 0 ||
        sjson_set_int(obj, "iat", en->issued) < 0)
        r = statement_no_memory(e);
    else
        r = jws_sign_json(owner, ENTRY_TYP, obj, out, e);
out:
    json_object_put(obj);
    return r;
}

static int seal_entry(const struct entry *en, const struct buf *statement, const struct profile *member,
                      const struct jwk *service_key, struct buf *out, struct err *e)
{
    const struct suite *s = suite_key_suite(en->r);
    struct json_object *obj = json_object_new_object();
    struct jwe_options opt = {0};
    struct buf text = BUF_INIT;
    int r;

    if ((r = statement_set_key(obj, "signer", member->signer, e)) < 0 ||
        (r = statement_set_key(obj, "key", member->key, e)) < 0)
        goto out;
    if (sjson_set_b64(obj, "r", suite_key_private(en->r), suite_priv_len(s)) < 0 ||
        sjson_set_b64(obj, "rpub", suite_key_public(en->r), suite_pub_len(s)) < 0 ||
        sjson_set_b64(obj, "tagkey", en->tagkey, TAGKEY_LEN) < 0 ||
        sjson_set_string(obj, "statement", buf_str(statement)) < 0 || sjson_write(obj, &text) < 0)
        r = statement_no_memory(e);
    else
        r = jwe_seal_compact(service_key, &opt, text.data, text.len, out, e);
out:
    sjson_free_secret(&obj);
    buf_free(&text);
    return r;
}

/* The part of an entry that is known beforehand; refuses arguments that do not belong together. */
static int begin_entry(struct entry *en, const struct jwk *group_key, const struct profile *member, int64_t serial,
                       int64_t epoch, struct err *e)
{
    char address[ADDRESS_SIZE], named[64], udf[JWK_UDF_SIZE];
    const char *keyid = jwk_kid(group_key);
    int r;

    if (!jwk_suite_key(group_key) || !keyid || serial < 1 || epoch < 1)
        return err_set(e, ERR_USAGE, "entry without group key, its id, serial or epoch");
    if ((r = keyid_parse(keyid, address, named, e)) < 0)
        return r;
    if ((r = jwk_udf(group_key, udf)) < 0 || (r = jwk_udf(member->key, en->key_udf)) < 0)
        return err_set(e, r, "fingerprint of a key failed");
    if (strcmp(udf, named))
        return err_set(e, ERR_KEY, "%s is not this group key", keyid);
    if (!strcmp(udf, en->key_udf))
        return err_set(e, ERR_KEY, "a group cannot be a member of itself");
    if ((r = keyid_make(address, udf, en->keyid, e)) < 0)
        return r;
    memcpy(en->member, member->account, sizeof en->member);
    en->serial = serial;
    en->epoch = epoch;
    en->issued = (int64_t)time(NULL);
    return RAND_priv_bytes(en->tagkey, TAGKEY_LEN) == 1 ? 0 : err_set(e, ERR_SYSTEM, "no random numbers");
}

int entry_make(const struct jwk *group_key, const struct profile *member, int64_t serial, int64_t epoch,
               const struct jwk *owner, const struct jwk *service_key, struct buf *out, struct err *e)
{
    struct buf dk = BUF_INIT, statement = BUF_INIT;
    struct suite_key *b = NULL;
    struct entry en;
    int r;

    memset(&en, 0, sizeof en);
    if ((r = begin_entry(&en, group_key, member, serial, epoch, e)) == 0 &&
        (r = suite_split(jwk_suite_key(group_key), &en.r, &b, e)) == 0 &&
        (r = seal_half(b, en.tagkey, member->key, &dk, e)) == 0 &&
        (r = sign_statement(&en, &dk, owner, &statement, e)) == 0)
        r = seal_entry(&en, &statement, member, service_key, out, e);
    suite_key_free(&b);
    entry_clear(&en);
    buf_free(&dk);
    buf_free(&statement);
    return r;
}

int statement_read_entry(const char *text, const struct jwk *owner, struct entry_statement *out, struct err *e)
{
    static const char *const names[] = {"v",     "group",  "member", "mkid", "suite", "dk",
                                        "rhash", "serial", "epoch",  "iat",  NULL};
    char udf[JWK_UDF_SIZE];
    const char *suite;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jws_open_json(text, strlen(text), owner, ENTRY_TYP, &out->payload, e)) < 0)
        return r;
    if ((r = statement_version(out->payload, "entry", ENTRY_VERSION, e)) < 0 ||
        (r = sjson_only(out->payload, names, e)) < 0 ||
        (r = statement_keyid(out->payload, "group", out->keyid, NULL, udf, e)) < 0 ||
        (r = statement_address(out->payload, "member", out->member, e)) < 0 ||
        (r = statement_udf(out->payload, "mkid", out->key_udf, e)) < 0 ||
        (r = sjson_string(out->payload, "suite", &suite, e)) < 0 ||
        (r = sjson_string(out->payload, "dk", &out->dk, e)) < 0 ||
        (r = statement_octets(out->payload, "rhash", out->rhash, HASH_LEN, e)) < 0 ||
        (r = statement_number(out->payload, "serial", 1, &out->serial, e)) < 0 ||
        (r = statement_number(out->payload, "epoch", 1, &out->epoch, e)) < 0 ||
        (r = statement_number(out->payload, "iat", 0, &out->issued, e)) < 0)
        goto fail;
    if ((out->suite = suite_by_name(suite)))
        return 0;
    r = err_set(e, ERR_UNSUPPORTED, "entry of suite %s", suite);
fail:
    json_object_put(out->payload);
    memset(out, 0, sizeof *out);
    return r;
}

/* The half, under the suite that the statement names, and whether it is the one that was signed. */
static int read_half(struct json_object *obj, const struct entry_statement *st, struct suite_key **out, struct err *e)
{
    unsigned char priv[SUITE_PRIV_MAX], pub[SUITE_PUB_MAX], hash[HASH_LEN];
    size_t len = suite_priv_len(st->suite);
    int r;

    if ((r = statement_octets(obj, "r", priv, len, e)) == 0 &&
        (r = statement_octets(obj, "rpub", pub, suite_pub_len(st->suite), e)) == 0 &&
        (r = suite_key_from_private(st->suite, priv, len, pub, out, e)) == 0 && (r = hash_half(*out, hash, e)) == 0 &&
        CRYPTO_memcmp(hash, st->rhash, HASH_LEN))
        r = err_set(e, ERR_KEY, "entry of %s: the service's half is not the one that was signed", st->member);
    secret_wipe(priv, sizeof priv);
    return r;
}

/* Her keys, and whether they are the ones that the statement is about. */
static int read_member(struct json_object *obj, const struct entry_statement *st, struct entry *en, struct err *e)
{
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];
    int r;

    if ((r = statement_key(obj, "key", &en->member_key, e)) < 0 ||
        (r = statement_key(obj, "signer", &en->member_signer, e)) < 0)
        return r;
    if (!jwk_suite(en->member_key) || !jwk_is_signature(en->member_signer))
        return err_set(e, ERR_KEY, "entry of %s: keys of the wrong kind", st->member);
    if ((r = jwk_udf(en->member_key, udf)) < 0)
        return err_set(e, r, "fingerprint of a key failed");
    if (strcmp(udf, st->key_udf))
        return err_set(e, ERR_KEY, "entry of %s: key is not the one that was signed", st->member);
    if ((r = keyid_make(st->member, udf, keyid, e)) < 0)
        return r;
    return jwk_set_kid(en->member_key, keyid) < 0 ? statement_no_memory(e) : 0;
}

static int read_transit(struct json_object *obj, const struct jwk *owner, struct entry *en, struct err *e)
{
    static const char *const names[] = {"r", "rpub", "tagkey", "signer", "key", "statement", NULL};
    struct entry_statement st;
    const char *text;
    int r;

    if ((r = sjson_only(obj, names, e)) < 0 || (r = sjson_string(obj, "statement", &text, e)) < 0 ||
        (r = statement_read_entry(text, owner, &st, e)) < 0)
        return r;
    memcpy(en->keyid, st.keyid, sizeof en->keyid);
    memcpy(en->member, st.member, sizeof en->member);
    memcpy(en->key_udf, st.key_udf, sizeof en->key_udf);
    en->serial = st.serial;
    en->epoch = st.epoch;
    en->issued = st.issued;
    if ((r = statement_octets(obj, "tagkey", en->tagkey, TAGKEY_LEN, e)) == 0 &&
        (r = read_half(obj, &st, &en->r, e)) == 0 && (r = read_member(obj, &st, en, e)) == 0 &&
        !(en->statement = strdup(text)))
        r = statement_no_memory(e);
    json_object_put(st.payload);
    return r;
}

int entry_read(const void *text, size_t len, const struct jwk *service_key, const struct jwk *owner, struct entry *out,
               struct err *e)
{
    struct json_object *obj = NULL;
    struct buf plain = BUF_INIT;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jwe_open_compact(text, len, service_key, &plain, e)) == 0 &&
        (r = sjson_parse(plain.data, plain.len, NULL, &obj, e)) == 0)
        r = read_transit(obj, owner, out, e);
    if (r < 0)
        entry_clear(out);
    sjson_free_secret(&obj);
    buf_free(&plain);
    return r;
}

static int claim(struct json_object *payload, struct statement_claim *out, struct err *e)
{
    struct buf ciphertext = BUF_INIT;
    char udf[JWK_UDF_SIZE];
    const char *dk;
    int r;

    if ((r = statement_version(payload, "entry", ENTRY_VERSION, e)) == 0 &&
        (r = statement_keyid(payload, "group", out->keyid, NULL, udf, e)) == 0 &&
        (r = statement_address(payload, "member", out->member, e)) == 0 &&
        (r = sjson_string(payload, "dk", &dk, e)) == 0 &&
        (r = jwe_parse(dk, strlen(dk), 0, &out->dk, &ciphertext, e)) == 0)
        r = jwe_recipient(out->dk, 0, &out->to, e);
    if (r == 0 && (jwe_recipients(out->dk) != 1 || !out->to.kid))
        r = err_set(e, ERR_SYNTAX, "entry of %s: its half is not for one key that it names", out->member);
    buf_free(&ciphertext);
    return r;
}

int statement_claim(const char *text, size_t len, struct statement_claim *out, struct err *e)
{
    struct json_object *payload = NULL;
    struct jws j;
    const char *typ;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = jws_parse(text, len, &j, e)) < 0)
        return r;
    if ((r = sjson_string(j.header, "typ", &typ, e)) == 0 && strcmp(typ, ENTRY_TYP))
        r = err_set(e, ERR_SYNTAX, "not an entry's statement but \"%s\"", typ);
    if (r == 0 && (r = sjson_parse(buf_str(&j.payload), j.payload.len, NULL, &payload, e)) == 0)
        r = claim(payload, out, e);
    if (r < 0)
        statement_claim_clear(out);
    json_object_put(payload);
    jws_clear(&j);
    return r;
}

void statement_claim_clear(struct statement_claim *c)
{
    jwe_free(&c->dk);
    memset(c, 0, sizeof *c);
}

void entry_clear(struct entry *en)
{
    suite_key_free(&en->r);
    jwk_free(&en->member_key);
    jwk_free(&en->member_signer);
    free(en->statement);
    secret_wipe(en, sizeof *en);
}

struct entry_tagger {
    EVP_MAC_CTX *ctx;
};

int entry_tagger_new(struct entry_tagger **out, struct err *e)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA2-256"}, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct entry_tagger *t = calloc(1, sizeof *t);

    *out = NULL;
    if (t && mac)
        t->ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (!t || !t->ctx || EVP_MAC_CTX_set_params(t->ctx, params) != 1) {
        entry_tagger_free(&t);
        return err_set(e, ERR_SYSTEM, "HMAC failed");
    }
    *out = t;
    return 0;
}

int entry_tagger_tag(struct entry_tagger *t, const unsigned char tagkey[32], const unsigned char *epk, size_t epk_len,
                     unsigned char tag[GRANT_TAG_LEN], struct err *e)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len;

    if (EVP_MAC_init(t->ctx, tagkey, TAGKEY_LEN, NULL) != 1 || EVP_MAC_update(t->ctx, epk, epk_len) != 1 ||
        EVP_MAC_final(t->ctx, mac, &len, sizeof mac) != 1 || len < GRANT_TAG_LEN)
        return err_set(e, ERR_SYSTEM, "HMAC failed");
    memcpy(tag, mac, GRANT_TAG_LEN);
    return 0;
}

void entry_tagger_free(struct entry_tagger **t)
{
    if (!*t)
        return;
    EVP_MAC_CTX_free((*t)->ctx);
    free(*t);
    *t = NULL;
}

int entry_tag(const unsigned char tagkey[32], const unsigned char *epk, size_t epk_len,
              unsigned char tag[GRANT_TAG_LEN], struct err *e)
{
    struct entry_tagger *t;
    int r = entry_tagger_new(&t, e);

    r = r ? r : entry_tagger_tag(t, tagkey, epk, epk_len, tag, e);
    entry_tagger_free(&t);
    return r;
}
