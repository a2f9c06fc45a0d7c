#include "entry-world.h"

#include <string.h>

#include "common/jws.h"
#include "unit.h"

#define PLAIN "Nobody but the members reads this."

void make_profile(const char *account, struct jwk *k, const struct jwk *signer, struct profile *out)
{
    struct profile p = {.kind = PROFILE_PERSON, .key = k, .epoch = 1, .issued = 1700000000};
    struct buf text = BUF_INIT;

    strcpy(p.account, account);
    strcpy(p.owner, account);
    CU_ASSERT_EQUAL_FATAL(profile_sign(&p, signer, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(profile_read(text.data, text.len, out, NULL), 0);
    buf_free(&text);
}

void setup(struct world *w, const char *group_suite, const char *member_suite)
{
    struct err e = {0, ""};

    memset(w, 0, sizeof *w);
    w->group = fresh_key(group_suite);
    w->owner = fresh_key("Ed25519");
    w->service = fresh_key("X25519");
    w->bob = fresh_key(member_suite);
    w->bob_signer = fresh_key("ES256");
    w->carol = fresh_key("X25519");
    name_key(w->group, "list@example.com");
    name_key(w->service, "service@example.com");
    name_key(w->bob, "bob@example.com");
    name_key(w->carol, "carol@example.net");
    make_profile("bob@example.com", w->bob, w->bob_signer, &w->bob_profile);
    make_profile("carol@example.net", w->carol, w->owner, &w->carol_profile);
    CU_ASSERT_EQUAL_FATAL(entry_make(w->group, &w->bob_profile, 5, 2, w->owner, w->service, &w->entry, &e), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(w->entry.data, w->entry.len, w->service, w->owner, &w->en, &e), 0);
    CU_ASSERT_EQUAL_FATAL(share_read(w->en.statement, jwk_kid(w->group), w->owner, w->bob, &w->share, &e), 0);
}

void teardown(struct world *w)
{
    jwk_free(&w->group);
    jwk_free(&w->owner);
    jwk_free(&w->service);
    jwk_free(&w->bob);
    jwk_free(&w->bob_signer);
    jwk_free(&w->carol);
    profile_clear(&w->bob_profile);
    profile_clear(&w->carol_profile);
    buf_free(&w->entry);
    entry_clear(&w->en);
    share_clear(&w->share);
}

void make_grant(const struct entry *en, const struct jwe *j, struct grant *out)
{
    struct jwe_recipient rec;
    struct suite_peer *peer;

    memset(out, 0, sizeof *out);
    CU_ASSERT_EQUAL_FATAL(jwe_recipient(j, 0, &rec, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_peer_new(rec.suite, rec.epk, rec.epk_len, &peer, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(en->r, peer, out->value, NULL), 0);
    out->value_len = suite_value_len(rec.suite);
    CU_ASSERT_EQUAL(entry_tag(en->tagkey, rec.epk, rec.epk_len, out->tag, NULL), 0);
    suite_peer_free(&peer);
}

void encrypt(const struct jwk *to, const char *enc, struct jwe **j, struct buf *ciphertext)
{
    struct jwe_options opt = {.enc = enc};
    const struct jwk *keys[1] = {to};

    CU_ASSERT_EQUAL_FATAL(jwe_encrypt(keys, 1, &opt, PLAIN, strlen(PLAIN), j, ciphertext, NULL), 0);
}

int opens(const struct share *s, const struct grant *g, const struct jwe *j, const struct buf *ciphertext)
{
    struct buf plain = BUF_INIT;
    int r = share_decrypt(s, g, j, 0, ciphertext, &plain, NULL);

    if (r == 0)
        CU_ASSERT(plain.len == strlen(PLAIN) && !memcmp(plain.data, PLAIN, plain.len));
    CU_ASSERT(r == 0 || !plain.len);
    buf_free(&plain);
    return r;
}

struct json_object *payload(const struct world *w)
{
    struct json_object *obj;

    CU_ASSERT_EQUAL_FATAL(
        jws_open_json(w->en.statement, strlen(w->en.statement), w->owner, "recrypt-entry", &obj, NULL), 0);
    return obj;
}
