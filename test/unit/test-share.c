/* Shares: kept as JSON, opening messages, behind a device's grant; statements that are only passed on. */
#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "entry-world.h"
#include "unit.h"

static void test_share_json(void)
{
    static const struct change changes[] = {
        {"group", "\"list\"", ERR_SYNTAX}, {"serial", "0", ERR_SYNTAX},   {"suite", "\"RSA\"", ERR_UNSUPPORTED},
        {"suite", "\"X448\"", ERR_SYNTAX}, {"b", "\"AAAA\"", ERR_SYNTAX}, {"tagkey", NULL, ERR_SYNTAX},
        {"member", "\"bob\"", ERR_SYNTAX},
    };
    struct json_object *obj;
    struct share s;
    struct world w;

    setup(&w, "P-256", "X25519");
    CU_ASSERT_EQUAL_FATAL(share_to_json(&w.share, &obj, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(share_from_json(obj, &s, NULL), 0);
    CU_ASSERT_STRING_EQUAL(s.keyid, w.share.keyid);
    CU_ASSERT_STRING_EQUAL(s.member, w.share.member);
    CU_ASSERT_EQUAL(s.serial, w.share.serial);
    CU_ASSERT_EQUAL(s.epoch, w.share.epoch);
    CU_ASSERT_EQUAL(memcmp(s.tagkey, w.share.tagkey, sizeof s.tagkey), 0);
    CU_ASSERT_EQUAL(memcmp(suite_key_private(s.b), suite_key_private(w.share.b), 32), 0);
    share_clear(&s);
    sjson_free_secret(&obj);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        CU_ASSERT_EQUAL_FATAL(share_to_json(&w.share, &obj, NULL), 0);
        changed(obj, changes[i].name, changes[i].text);
        changed_as(&changes[i], share_from_json(obj, &s, NULL));
        CU_ASSERT_PTR_NULL(s.b);
        sjson_free_secret(&obj);
    }
    teardown(&w);
}

static void test_message_refused(void)
{
    struct buf ciphertext = BUF_INIT, other_text = BUF_INIT, second = BUF_INIT, plain = BUF_INIT;
    struct err first = {0, ""}, e = {0, ""};
    struct jwe *j, *other;
    struct grant g, bad;
    struct jwe_recipient rec;
    struct suite_peer *peer;
    struct entry carol;
    struct world w;

    setup(&w, "X25519", "X25519");
    CU_ASSERT_EQUAL_FATAL(entry_make(w.group, &w.carol_profile, 6, 2, w.owner, w.service, &second, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(second.data, second.len, w.service, w.owner, &carol, NULL), 0);
    encrypt(w.group, NULL, &j, &ciphertext);
    make_grant(&w.en, j, &g);

    /* Another member's grant; this member's own value sent back; zero; a wrong length; a stranger's. */
    make_grant(&carol, j, &bad);
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &bad, j, 0, &ciphertext, &plain, &first), ERR_CRYPTO);
    CU_ASSERT_EQUAL_FATAL(jwe_recipient(j, 0, &rec, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_peer_new(rec.suite, rec.epk, rec.epk_len, &peer, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(w.share.b, peer, bad.value, NULL), 0);
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &bad, j, 0, &ciphertext, &plain, &e), ERR_CRYPTO);
    CU_ASSERT_STRING_EQUAL(e.text, first.text);
    memset(bad.value, 0, sizeof bad.value);
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &bad, j, 0, &ciphertext, &plain, &e), ERR_CRYPTO);
    CU_ASSERT_STRING_EQUAL(e.text, first.text);
    bad = g;
    bad.value_len--;
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &bad, j, 0, &ciphertext, &plain, &e), ERR_CRYPTO);
    CU_ASSERT_STRING_EQUAL(e.text, first.text);
    CU_ASSERT_EQUAL_FATAL(suite_dummy_value(peer, bad.value, NULL), 0);
    bad.value_len = g.value_len;
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &bad, j, 0, &ciphertext, &plain, &e), ERR_CRYPTO);
    CU_ASSERT_STRING_EQUAL(e.text, first.text);

    /* A message to somebody else; a flipped bit of the ciphertext. */
    encrypt(w.carol, NULL, &other, &other_text);
    CU_ASSERT_EQUAL(opens(&w.share, &g, other, &other_text), ERR_KEY);
    ciphertext.data[3] ^= 1;
    CU_ASSERT_EQUAL(share_decrypt(&w.share, &g, j, 0, &ciphertext, &plain, &e), ERR_CRYPTO);
    CU_ASSERT_STRING_EQUAL(e.text, first.text);
    ciphertext.data[3] ^= 1;
    CU_ASSERT_EQUAL(opens(&w.share, &g, j, &ciphertext), 0);
    CU_ASSERT_EQUAL(plain.len, 0);
    suite_peer_free(&peer);
    entry_clear(&carol);
    jwe_free(&j);
    jwe_free(&other);
    buf_free(&ciphertext);
    buf_free(&other_text);
    buf_free(&second);
    buf_free(&plain);
    teardown(&w);
}

/* A device of bob's: a member of bob's own key, with a key that only it has. */
struct phone {
    struct jwk *key;
    struct entry en;
    struct share share;
};

static void make_phone(const struct world *w, const char *member, struct phone *out)
{
    struct buf entry = BUF_INIT;
    struct profile p;

    memset(out, 0, sizeof *out);
    out->key = fresh_key("X25519");
    name_key(out->key, member);
    make_profile(member, out->key, w->bob_signer, &p);
    CU_ASSERT_EQUAL_FATAL(entry_make(w->bob, &p, 1, 1, w->bob_signer, w->service, &entry, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(entry.data, entry.len, w->service, w->bob_signer, &out->en, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(share_read(out->en.statement, jwk_kid(w->bob), w->bob_signer, out->key, &out->share, NULL),
                          0);
    profile_clear(&p);
    buf_free(&entry);
}

static void free_phone(struct phone *p)
{
    jwk_free(&p->key);
    entry_clear(&p->en);
    share_clear(&p->share);
}

static void chain(const char *list_suite, const char *bob_suite)
{
    struct buf ciphertext = BUF_INIT;
    struct phone phone, tablet;
    struct grant list, own, other;
    struct share_lock lock;
    struct jwe *j = NULL;
    struct share half;
    struct world w;

    setup(&w, list_suite, bob_suite);
    make_phone(&w, "bob+phone@example.com", &phone);
    make_phone(&w, "bob+tablet@example.com", &tablet);
    encrypt(w.group, NULL, &j, &ciphertext);
    make_grant(&w.en, j, &list);
    CU_ASSERT_EQUAL_FATAL(share_lock_read(w.en.statement, jwk_kid(w.group), w.owner, &lock, NULL), 0);
    CU_ASSERT_STRING_EQUAL(lock.member, "bob@example.com");
    CU_ASSERT_STRING_EQUAL(lock.member_keyid, jwk_kid(w.bob));
    make_grant(&phone.en, lock.j, &own);
    make_grant(&tablet.en, lock.j, &other);
    CU_ASSERT_EQUAL_FATAL(share_unlock(&lock, &phone.share, &own, &half, NULL), 0);
    CU_ASSERT_STRING_EQUAL(half.keyid, jwk_kid(w.group));
    CU_ASSERT_EQUAL(half.serial, 5);
    CU_ASSERT_EQUAL(opens(&half, &list, j, &ciphertext), 0);
    share_clear(&half);
    /* One device's grant is of no use to another, nor the list's grant in the place of the second. */
    CU_ASSERT_EQUAL(share_unlock(&lock, &tablet.share, &own, &half, NULL), ERR_CRYPTO);
    CU_ASSERT_PTR_NULL(half.b);
    CU_ASSERT_NOT_EQUAL(share_unlock(&lock, &phone.share, &list, &half, NULL), 0);
    CU_ASSERT_EQUAL(share_unlock(&lock, &w.share, &own, &half, NULL), ERR_KEY);
    CU_ASSERT_NOT_EQUAL(opens(&phone.share, &list, j, &ciphertext), 0);
    share_lock_clear(&lock);
    CU_ASSERT_PTR_NULL(lock.j);
    free_phone(&phone);
    free_phone(&tablet);
    jwe_free(&j);
    buf_free(&ciphertext);
    teardown(&w);
}

static void test_chain(void)
{
    chain("X25519", "X448");
    chain("X448", "X25519");
    chain("X25519", "X25519");
    chain("P-256", "X448");
    chain("X25519", "P-256");
    chain("ffdhe2048", "X25519");
}

static void test_lock_refused(void)
{
    struct buf dk = BUF_INIT, text = BUF_INIT;
    struct jwe_options opt = {0};
    struct share_lock lock;
    struct json_object *obj;
    struct world w;

    setup(&w, "X25519", "X25519");
    CU_ASSERT_EQUAL(share_lock_read(w.en.statement, jwk_kid(w.bob), w.owner, &lock, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(share_lock_read("", jwk_kid(w.group), w.owner, &lock, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(share_lock_read(w.en.statement, jwk_kid(w.group), w.bob_signer, &lock, NULL), ERR_UNSUPPORTED);
    jwk_free(&w.carol);
    w.carol = fresh_key("Ed25519");
    CU_ASSERT_EQUAL(share_lock_read(w.en.statement, jwk_kid(w.group), w.carol, &lock, NULL), ERR_CRYPTO);
    CU_ASSERT_PTR_NULL(lock.j);
    /* A half that is sealed to another key than the statement says. */
    obj = payload(&w);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w.group, &opt, "{}", 2, &dk, NULL), 0);
    sjson_set_string(obj, "dk", buf_str(&dk));
    CU_ASSERT_EQUAL_FATAL(jws_sign_json(w.owner, "recrypt-entry", obj, &text, NULL), 0);
    CU_ASSERT_EQUAL(share_lock_read(buf_str(&text), jwk_kid(w.group), w.owner, &lock, NULL), ERR_KEY);
    CU_ASSERT_PTR_NULL(lock.j);
    json_object_put(obj);
    buf_free(&dk);
    buf_free(&text);
    teardown(&w);
}

/* bob's grant, sealed to his key: the phone opens it with a grant of bob's own service's. */
static void test_sealed_grant(void)
{
    struct buf ciphertext = BUF_INIT, text = BUF_INIT, other = BUF_INIT;
    struct jwe_options opt = {.cty = "recrypt-grant"};
    struct phone phone, tablet;
    struct sealed_grant sealed;
    struct grant list, own, out;
    struct jwe *j;
    struct world w;

    setup(&w, "X448", "X25519");
    make_phone(&w, "bob+phone@example.com", &phone);
    make_phone(&w, "bob+tablet@example.com", &tablet);
    encrypt(w.group, NULL, &j, &ciphertext);
    make_grant(&w.en, j, &list);
    CU_ASSERT_EQUAL_FATAL(sealed_grant_make(&list, w.bob, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sealed_grant_read(text.data, text.len, jwk_kid(w.bob), &sealed, NULL), 0);
    make_grant(&phone.en, sealed.j, &own);
    CU_ASSERT_EQUAL_FATAL(sealed_grant_open(&sealed, &phone.share, &own, &out, NULL), 0);
    CU_ASSERT_EQUAL(opens(&w.share, &out, j, &ciphertext), 0);
    CU_ASSERT_EQUAL(memcmp(out.tag, list.tag, sizeof out.tag), 0);
    grant_clear(&out);
    CU_ASSERT_EQUAL(sealed_grant_open(&sealed, &tablet.share, &own, &out, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(sealed_grant_open(&sealed, &w.share, &own, &out, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(out.value_len, 0);
    sealed_grant_clear(&sealed);
    CU_ASSERT_EQUAL(sealed_grant_read(text.data, text.len, jwk_kid(w.group), &sealed, NULL), ERR_KEY);
    CU_ASSERT_PTR_NULL(sealed.j);
    CU_ASSERT_EQUAL(sealed_grant_read("x", 1, jwk_kid(w.bob), &sealed, NULL), ERR_SYNTAX);
    /* Sealed to the same key for another purpose; and what is inside is no grant. */
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w.bob, &(struct jwe_options){0}, "{}", 2, &other, NULL), 0);
    CU_ASSERT_EQUAL(sealed_grant_read(other.data, other.len, jwk_kid(w.bob), &sealed, NULL), ERR_SYNTAX);
    buf_reset(&other);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w.bob, &opt, "{}", 2, &other, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sealed_grant_read(other.data, other.len, jwk_kid(w.bob), &sealed, NULL), 0);
    make_grant(&phone.en, sealed.j, &own);
    CU_ASSERT_EQUAL(sealed_grant_open(&sealed, &phone.share, &own, &out, NULL), ERR_SYNTAX);
    sealed_grant_clear(&sealed);
    free_phone(&phone);
    free_phone(&tablet);
    jwe_free(&j);
    buf_free(&ciphertext);
    buf_free(&text);
    buf_free(&other);
    teardown(&w);
}

/* What a service reads of a statement that it only passes on: the form, and nothing verified. */
static void test_claim(void)
{
    static const struct change changes[] = {
        {"v", "2", ERR_UNSUPPORTED},
        {"group", "\"list@example.com\"", ERR_SYNTAX},
        {"member", "\"Bob@example.com\"", ERR_SYNTAX},
        {"member", NULL, ERR_SYNTAX},
        {"dk", "\"a.b.c.d.e\"", ERR_SYNTAX},
        {"dk", NULL, ERR_SYNTAX},
    };
    struct buf text = BUF_INIT;
    struct statement_claim c;
    struct json_object *obj;
    struct world w;

    setup(&w, "X25519", "X448");
    CU_ASSERT_EQUAL_FATAL(statement_claim(w.en.statement, strlen(w.en.statement), &c, NULL), 0);
    CU_ASSERT_STRING_EQUAL(c.keyid, jwk_kid(w.group));
    CU_ASSERT_STRING_EQUAL(c.member, w.en.member);
    CU_ASSERT_STRING_EQUAL(c.to.kid, jwk_kid(w.bob));
    CU_ASSERT_PTR_EQUAL(c.to.suite, suite_by_name("X448"));
    statement_claim_clear(&c);
    CU_ASSERT_PTR_NULL(c.dk);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        obj = changed(payload(&w), changes[i].name, changes[i].text);
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(jws_sign_json(w.owner, "recrypt-entry", obj, &text, NULL), 0);
        changed_as(&changes[i], statement_claim(buf_str(&text), text.len, &c, NULL));
        CU_ASSERT_PTR_NULL(c.dk);
        json_object_put(obj);
    }
    obj = payload(&w);
    buf_reset(&text);
    CU_ASSERT_EQUAL_FATAL(jws_sign_json(w.owner, "recrypt-profile", obj, &text, NULL), 0);
    CU_ASSERT_EQUAL(statement_claim(buf_str(&text), text.len, &c, NULL), ERR_SYNTAX);
    CU_ASSERT_EQUAL(statement_claim("", 0, &c, NULL), ERR_SYNTAX);
    json_object_put(obj);
    buf_free(&text);
    teardown(&w);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"shares kept as JSON", test_share_json},
        {"messages that do not open", test_message_refused},
        {"a member's device reads through two grants, whatever the suites", test_chain},
        {"statements that a device refuses", test_lock_refused},
        {"a grant that is sealed to a member opens on her device", test_sealed_grant},
        {"statements that are passed on", test_claim},
    };
    return unit_main("share", tests, sizeof tests / sizeof *tests);
}
