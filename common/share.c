/* Shares: what a member keeps of a group key, and opening messages with it (statement.h). */
#include <string.h>

#include "sjson.h"
#include "statement-private.h"
#include "statement.h"

/* dk's plaintext. */
static int read_half(const struct buf *plain, const struct suite *s, struct share *out, struct err *e)
{
    static const char *const names[] = {"b", "tagkey", NULL};
    struct json_object *obj = NULL;
    unsigned char priv[SUITE_PRIV_MAX];
    int r;

    if ((r = sjson_parse(plain->data, plain->len, NULL, &obj, e)) == 0 && (r = sjson_only(obj, names, e)) == 0 &&
        (r = statement_octets(obj, "b", priv, suite_priv_len(s), e)) == 0 &&
        (r = statement_octets(obj, "tagkey", out->tagkey, TAGKEY_LEN, e)) == 0)
        r = suite_key_from_private(s, priv, suite_priv_len(s), NULL, &out->b, e);
    secret_wipe(priv, sizeof priv);
    sjson_free_secret(&obj);
    return r;
}

/* The statement must be about that key of the group. st->payload is the caller's to put when this is 0. */
static int read_entry_of(const char *statement, const char *keyid, const struct jwk *owner, struct entry_statement *st,
                         struct err *e)
{
    int r = statement_read_entry(statement, owner, st, e);

    if (r == 0 && strcmp(st->keyid, keyid)) {
        r = err_set(e, ERR_KEY, "statement is for key %s, not for %s", st->keyid, keyid);
        json_object_put(st->payload);
    }
    return r;
}

int share_read(const char *statement, const char *keyid, const struct jwk *owner, const struct jwk *member_private,
               struct share *out, struct err *e)
{
    struct entry_statement st;
    struct buf plain = BUF_INIT;
    char udf[JWK_UDF_SIZE];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = read_entry_of(statement, keyid, owner, &st, e)) < 0)
        return r;
    if ((r = jwk_udf(member_private, udf)) < 0)
        err_set(e, r, "fingerprint of a key failed");
    else if (strcmp(st.key_udf, udf))
        r = err_set(e, ERR_KEY, "statement is for another key than %s", udf);
    else if ((r = jwe_open_compact(st.dk, strlen(st.dk), member_private, &plain, e)) == 0)
        r = read_half(&plain, st.suite, out, e);
    if (r == 0) {
        memcpy(out->keyid, st.keyid, sizeof out->keyid);
        memcpy(out->member, st.member, sizeof out->member);
        out->serial = st.serial;
        out->epoch = st.epoch;
    } else {
        share_clear(out);
    }
    json_object_put(st.payload);
    buf_free(&plain);
    return r;
}

int share_lock_read(const char *statement, const char *keyid, const struct jwk *owner, struct share_lock *out,
                    struct err *e)
{
    struct entry_statement st;
    struct jwe_recipient to;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = read_entry_of(statement, keyid, owner, &st, e)) < 0)
        return r;
    if ((r = jwe_parse(st.dk, strlen(st.dk), 0, &out->j, &out->ciphertext, e)) == 0 &&
        (r = keyid_make(st.member, st.key_udf, out->member_keyid, e)) == 0 &&
        (r = jwe_recipient(out->j, 0, &to, e)) == 0 &&
        (jwe_recipients(out->j) != 1 || !to.kid || strcmp(to.kid, out->member_keyid)))
        r = err_set(e, ERR_KEY, "statement holds a half for another key than %s", out->member_keyid);
    if (r == 0) {
        memcpy(out->keyid, st.keyid, sizeof out->keyid);
        memcpy(out->member, st.member, sizeof out->member);
        out->serial = st.serial;
        out->epoch = st.epoch;
        out->suite = st.suite;
    } else {
        share_lock_clear(out);
    }
    json_object_put(st.payload);
    return r;
}

int share_unlock(const struct share_lock *l, const struct share *device, const struct grant *g, struct share *out,
                 struct err *e)
{
    struct buf plain = BUF_INIT;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = share_decrypt(device, g, l->j, 0, &l->ciphertext, &plain, e)) == 0)
        r = read_half(&plain, l->suite, out, e);
    if (r == 0) {
        memcpy(out->keyid, l->keyid, sizeof out->keyid);
        memcpy(out->member, l->member, sizeof out->member);
        out->serial = l->serial;
        out->epoch = l->epoch;
    } else {
        share_clear(out);
    }
    buf_free(&plain);
    return r;
}

void share_lock_clear(struct share_lock *l)
{
    jwe_free(&l->j);
    buf_free(&l->ciphertext);
    memset(l, 0, sizeof *l);
}

int share_to_json(const struct share *s, struct json_object **out, struct err *e)
{
    const struct suite *suite = suite_key_suite(s->b);
    struct json_object *obj = json_object_new_object();

    *out = NULL;
    if (sjson_set_string(obj, "group", s->keyid) < 0 || sjson_set_string(obj, "member", s->member) < 0 ||
        sjson_set_int(obj, "serial", s->serial) < 0 || sjson_set_int(obj, "epoch", s->epoch) < 0 ||
        sjson_set_string(obj, "suite", suite_name(suite)) < 0 ||
        sjson_set_b64(obj, "b", suite_key_private(s->b), suite_priv_len(suite)) < 0 ||
        sjson_set_b64(obj, "tagkey", s->tagkey, TAGKEY_LEN) < 0) {
        sjson_free_secret(&obj);
        return statement_no_memory(e);
    }
    *out = obj;
    return 0;
}

int share_from_json(struct json_object *obj, struct share *out, struct err *e)
{
    unsigned char priv[SUITE_PRIV_MAX];
    const struct suite *suite;
    char udf[JWK_UDF_SIZE];
    const char *name;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = statement_keyid(obj, "group", out->keyid, NULL, udf, e)) < 0 ||
        (r = statement_address(obj, "member", out->member, e)) < 0 ||
        (r = statement_number(obj, "serial", 1, &out->serial, e)) < 0 ||
        (r = statement_number(obj, "epoch", 1, &out->epoch, e)) < 0 || (r = sjson_string(obj, "suite", &name, e)) < 0)
        goto out;
    if (!(suite = suite_by_name(name))) {
        r = err_set(e, ERR_UNSUPPORTED, "share of suite %s", name);
        goto out;
    }
    if ((r = statement_octets(obj, "b", priv, suite_priv_len(suite), e)) == 0 &&
        (r = statement_octets(obj, "tagkey", out->tagkey, TAGKEY_LEN, e)) == 0)
        r = suite_key_from_private(suite, priv, suite_priv_len(suite), NULL, &out->b, e);
out:
    if (r < 0)
        share_clear(out);
    secret_wipe(priv, sizeof priv);
    return r;
}

void share_clear(struct share *s)
{
    suite_key_free(&s->b);
    secret_wipe(s, sizeof *s);
}

/* Both candidates of the shared secret with this recipient's ephemeral key. */
static int candidates(const struct share *s, const struct grant *g, const struct jwe_recipient *rec, unsigned char *out,
                      struct err *e)
{
    const struct suite *suite = suite_key_suite(s->b);
    unsigned char mine[SUITE_VALUE_MAX];
    struct suite_peer *peer = NULL;
    int r;

    if (rec->suite != suite)
        return err_set(e, ERR_KEY, "message is encrypted with another suite than %s", suite_name(suite));
    if (g->value_len != suite_value_len(suite))
        return err_set(e, ERR_CRYPTO, "grant of %zu octets", g->value_len);
    if ((r = suite_peer_new(suite, rec->epk, rec->epk_len, &peer, e)) == 0 &&
        (r = suite_agree(s->b, peer, mine, e)) == 0)
        r = suite_combine(suite, g->value, mine, out, e);
    suite_peer_free(&peer);
    secret_wipe(mine, sizeof mine);
    return r;
}

int share_decrypt(const struct share *s, const struct grant *g, const struct jwe *j, size_t i,
                  const struct buf *ciphertext, struct buf *plain, struct err *e)
{
    unsigned char secrets[2 * SUITE_VALUE_MAX];
    struct jwe_recipient rec;
    int r;

    if ((r = jwe_recipient(j, i, &rec, e)) < 0)
        return r;
    if (rec.kid && strcmp(rec.kid, s->keyid))
        return err_set(e, ERR_KEY, "message is for key %s, the share for %s", rec.kid, s->keyid);
    if ((r = candidates(s, g, &rec, secrets, e)) == 0)
        r = jwe_decrypt_candidates(j, i, secrets, suite_candidates(rec.suite), ciphertext, plain, e);
    secret_wipe(secrets, sizeof secrets);
    /* One text for values that do not combine and for those that do not open. */
    return r == ERR_CRYPTO ? err_set(e, ERR_CRYPTO, "the message does not open with this grant") : r;
}
