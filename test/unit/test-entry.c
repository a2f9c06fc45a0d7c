/* Entries and shares: from the administrator by way of the service to a member who reads. */
#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "unit.h"

#define PLAIN "Nobody but the members reads this."

struct world {
    struct jwk *group, *owner, *service, *bob, *bob_signer, *carol;
    struct profile bob_profile, carol_profile;
    struct buf entry; /* bob's, in transit */
    struct entry en;
    struct share share;
};

static struct jwk *key(const char *type)
{
    struct jwk *k;

    CU_ASSERT_EQUAL_FATAL(jwk_generate(type, &k, NULL), 0);
    return k;
}

static void name_key(struct jwk *k, const char *account)
{
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];

    CU_ASSERT_EQUAL_FATAL(jwk_udf(k, udf), 0);
    CU_ASSERT_EQUAL_FATAL(keyid_make(account, udf, keyid, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_set_kid(k, keyid), 0);
}

static void make_profile(const char *account, struct jwk *k, const struct jwk *signer, struct profile *out)
{
    struct profile p = {.kind = PROFILE_PERSON, .key = k, .epoch = 1, .issued = 1700000000};
    struct buf text = BUF_INIT;

    strcpy(p.account, account);
    strcpy(p.owner, account);
    CU_ASSERT_EQUAL_FATAL(profile_sign(&p, signer, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(profile_read(text.data, text.len, out, NULL), 0);
    buf_free(&text);
}

static void setup(struct world *w, const char *group_suite, const char *member_suite)
{
    struct err e = {0, ""};

    memset(w, 0, sizeof *w);
    w->group = key(group_suite);
    w->owner = key("Ed25519");
    w->service = key("X25519");
    w->bob = key(member_suite);
    w->bob_signer = key("ES256");
    w->carol = key("X25519");
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

static void teardown(struct world *w)
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

/* What the service does for one message and one entry. */
static void make_grant(const struct entry *en, const struct jwe *j, struct grant *out)
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

static void encrypt(const struct jwk *to, const char *enc, struct jwe **j, struct buf *ciphertext)
{
    struct jwe_options opt = {.enc = enc};
    const struct jwk *keys[1] = {to};

    CU_ASSERT_EQUAL_FATAL(jwe_encrypt(keys, 1, &opt, PLAIN, strlen(PLAIN), j, ciphertext, NULL), 0);
}

static int opens(const struct share *s, const struct grant *g, const struct jwe *j, const struct buf *ciphertext)
{
    struct buf plain = BUF_INIT;
    int r = share_decrypt(s, g, j, 0, ciphertext, &plain, NULL);

    if (r == 0)
        CU_ASSERT(plain.len == strlen(PLAIN) && !memcmp(plain.data, PLAIN, plain.len));
    CU_ASSERT(r == 0 || !plain.len);
    buf_free(&plain);
    return r;
}

static void test_story(void)
{
    static const char *const pairs[][2] = {
        {"X25519", "X25519"}, {"X448", "P-256"}, {"P-256", "X448"}, {"ffdhe2048", "X25519"}, {"modp2048", "ffdhe2048"}};
    static const char *const encs[] = {"A256GCM", "A256CBC-HS512", "A128GCM", NULL, "A256GCM"};

    for (int i = 0; i < 5; i++) {
        struct world w;
        struct buf ciphertext = BUF_INIT;
        unsigned char tag[GRANT_TAG_LEN];
        struct jwe_recipient rec;
        struct grant g;
        struct jwe *j;

        setup(&w, pairs[i][0], pairs[i][1]);
        CU_ASSERT_STRING_EQUAL(w.en.keyid, jwk_kid(w.group));
        CU_ASSERT_STRING_EQUAL(w.en.member, "bob@example.com");
        CU_ASSERT_EQUAL(w.en.serial, 5);
        CU_ASSERT_EQUAL(w.en.epoch, 2);
        CU_ASSERT(w.en.issued > 1700000000);
        CU_ASSERT(jwk_equal(w.en.member_key, w.bob) && !jwk_is_private(w.en.member_key));
        CU_ASSERT(jwk_equal(w.en.member_signer, w.bob_signer));
        CU_ASSERT_STRING_EQUAL(jwk_kid(w.en.member_key), jwk_kid(w.bob));
        CU_ASSERT_STRING_EQUAL(w.share.keyid, w.en.keyid);
        CU_ASSERT_STRING_EQUAL(w.share.member, "bob@example.com");
        CU_ASSERT_EQUAL(w.share.serial, 5);
        CU_ASSERT_EQUAL(w.share.epoch, 2);
        encrypt(w.group, encs[i], &j, &ciphertext);
        make_grant(&w.en, j, &g);
        CU_ASSERT_EQUAL(opens(&w.share, &g, j, &ciphertext), 0);
        CU_ASSERT_EQUAL_FATAL(jwe_recipient(j, 0, &rec, NULL), 0);
        CU_ASSERT_EQUAL(entry_tag(w.share.tagkey, rec.epk, rec.epk_len, tag, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(tag, g.tag, sizeof tag), 0);
        jwe_free(&j);
        buf_free(&ciphertext);
        teardown(&w);
    }
}

/* Entries of the same member are never the same twice. */
static void test_fresh(void)
{
    struct buf again = BUF_INIT;
    struct world w;
    struct entry en;
    size_t len;

    setup(&w, "X25519", "X25519");
    CU_ASSERT_EQUAL_FATAL(entry_make(w.group, &w.bob_profile, 5, 2, w.owner, w.service, &again, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(again.data, again.len, w.service, w.owner, &en, NULL), 0);
    len = suite_priv_len(suite_key_suite(en.r));
    CU_ASSERT_NOT_EQUAL(memcmp(suite_key_private(en.r), suite_key_private(w.en.r), len), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(en.tagkey, w.en.tagkey, sizeof en.tagkey), 0);
    entry_clear(&en);
    buf_free(&again);
    teardown(&w);
}

static void test_not_made(void)
{
    struct buf out = BUF_INIT;
    struct profile self;
    struct jwk *public_only;
    struct world w;

    setup(&w, "X25519", "X25519");
    make_profile("list@example.com", w.group, w.owner, &self);
    CU_ASSERT_EQUAL(entry_make(w.group, &self, 5, 2, w.owner, w.service, &out, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(entry_make(w.group, &w.bob_profile, 0, 2, w.owner, w.service, &out, NULL), ERR_USAGE);
    CU_ASSERT_EQUAL(entry_make(w.group, &w.bob_profile, 5, 0, w.owner, w.service, &out, NULL), ERR_USAGE);
    CU_ASSERT_EQUAL(entry_make(w.group, &w.bob_profile, 5, 2, w.bob, w.service, &out, NULL), ERR_KEY);
    CU_ASSERT_EQUAL_FATAL(jwk_public_copy(w.group, &public_only, NULL), 0);
    CU_ASSERT_EQUAL(entry_make(public_only, &w.bob_profile, 5, 2, w.owner, w.service, &out, NULL), ERR_USAGE);
    jwk_set_kid(w.group, NULL);
    CU_ASSERT_EQUAL(entry_make(w.group, &w.bob_profile, 5, 2, w.owner, w.service, &out, NULL), ERR_USAGE);
    jwk_set_kid(w.group, jwk_kid(w.carol));
    CU_ASSERT_EQUAL(entry_make(w.group, &w.bob_profile, 5, 2, w.owner, w.service, &out, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(out.len, 0);
    jwk_free(&public_only);
    profile_clear(&self);
    buf_free(&out);
    teardown(&w);
}

/* The JSON inside of an entry in transit. */
static struct json_object *transit_json(const struct world *w, const struct buf *entry)
{
    struct buf plain = BUF_INIT;
    struct json_object *obj;

    CU_ASSERT_EQUAL_FATAL(jwe_open_compact(entry->data, entry->len, w->service, &plain, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sjson_parse(plain.data, plain.len, NULL, &obj, NULL), 0);
    buf_free(&plain);
    return obj;
}

/* Seals obj (taken) to the service and says how it is read. */
static int read_transit(const struct world *w, struct json_object *obj)
{
    struct buf plain = BUF_INIT, text = BUF_INIT;
    struct jwe_options opt = {0};
    struct entry en;
    int r;

    CU_ASSERT_EQUAL_FATAL(sjson_write(obj, &plain), 0);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w->service, &opt, plain.data, plain.len, &text, NULL), 0);
    r = entry_read(text.data, text.len, w->service, w->owner, &en, NULL);
    CU_ASSERT(r == 0 || (!en.r && !en.statement && !en.member_key));
    entry_clear(&en);
    buf_free(&plain);
    buf_free(&text);
    json_object_put(obj);
    return r;
}

static void replace(struct json_object *obj, const char *name, struct json_object *from)
{
    json_object_object_del(obj, name);
    if (from)
        sjson_set_object(obj, name, json_object_get(json_object_object_get(from, name)));
}

static void test_entry_refused(void)
{
    struct json_object *obj, *other;
    struct buf second = BUF_INIT;
    struct entry en;
    struct world w;
    struct err e;

    setup(&w, "X25519", "X25519");
    CU_ASSERT_EQUAL_FATAL(entry_make(w.group, &w.carol_profile, 6, 2, w.owner, w.service, &second, NULL), 0);
    other = transit_json(&w, &second);
    CU_ASSERT_EQUAL(read_transit(&w, transit_json(&w, &w.entry)), 0);

    /* Wrong keys, cut off. */
    CU_ASSERT_NOT_EQUAL(entry_read(w.entry.data, w.entry.len, w.carol, w.owner, &en, &e), 0);
    CU_ASSERT(e.code == ERR_KEY || e.code == ERR_CRYPTO);
    CU_ASSERT_EQUAL(entry_read(w.entry.data, w.entry.len, w.service, w.bob_signer, &en, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_NOT_EQUAL(entry_read(w.entry.data, w.entry.len - 3, w.service, w.owner, &en, NULL), 0);

    /* Carol's half under bob's statement. */
    obj = transit_json(&w, &w.entry);
    replace(obj, "r", other);
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_KEY);
    obj = transit_json(&w, &w.entry);
    replace(obj, "r", other);
    replace(obj, "rpub", other);
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_KEY);
    obj = transit_json(&w, &w.entry);
    replace(obj, "statement", other);
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_KEY);
    obj = transit_json(&w, &w.entry);
    replace(obj, "key", other);
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_KEY);

    /* Keys of the wrong kind, members missing or unknown. */
    obj = transit_json(&w, &w.entry);
    json_object_object_del(obj, "signer");
    sjson_set_object(obj, "signer", json_object_get(json_object_object_get(obj, "key")));
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_KEY);
    obj = transit_json(&w, &w.entry);
    replace(obj, "tagkey", NULL);
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_SYNTAX);
    obj = transit_json(&w, &w.entry);
    sjson_set_string(obj, "tagkey", "AAAA");
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_SYNTAX);
    obj = transit_json(&w, &w.entry);
    sjson_set_string(obj, "note", "hello");
    CU_ASSERT_EQUAL(read_transit(&w, obj), ERR_SYNTAX);
    json_object_put(other);
    buf_free(&second);
    teardown(&w);
}

/* The payload of bob's statement. */
static struct json_object *payload(const struct world *w)
{
    struct json_object *obj;

    CU_ASSERT_EQUAL_FATAL(
        jws_open_json(w->en.statement, strlen(w->en.statement), w->owner, "recrypt-entry", &obj, NULL), 0);
    return obj;
}

/* Signs obj (taken) and says how the service reads it in place of the statement, and how bob does. */
static void read_both(const struct world *w, struct json_object *obj, const struct jwk *signer, const char *typ,
                      int service, int member)
{
    struct json_object *transit = transit_json(w, &w->entry);
    struct buf text = BUF_INIT;
    struct share s;
    int r;

    CU_ASSERT_EQUAL_FATAL(jws_sign_json(signer, typ, obj, &text, NULL), 0);
    sjson_set_string(transit, "statement", buf_str(&text));
    CU_ASSERT_EQUAL((r = read_transit(w, transit)), service);
    if (r != service)
        printf("# service: %d instead of %d for %s\n", r, service, json_object_to_json_string(obj));
    CU_ASSERT_EQUAL((r = share_read(buf_str(&text), jwk_kid(w->group), w->owner, w->bob, &s, NULL)), member);
    if (r != member)
        printf("# member: %d instead of %d for %s\n", r, member, json_object_to_json_string(obj));
    CU_ASSERT(r == 0 || !s.b);
    share_clear(&s);
    buf_free(&text);
    json_object_put(obj);
}

struct change {
    const char *name, *text; /* a member and the JSON put in its place; NULL removes it */
    int service, member;
};

static void test_statement_refused(void)
{
    static const struct change changes[] = {
        {"iat", "1", 0, 0},
        {"v", "2", ERR_UNSUPPORTED, ERR_UNSUPPORTED},
        {"v", NULL, ERR_SYNTAX, ERR_SYNTAX},
        {"suite", "\"X25519 \"", ERR_UNSUPPORTED, ERR_UNSUPPORTED},
        {"suite", "\"X448\"", ERR_SYNTAX, ERR_SYNTAX}, /* halves of another length */
        {"suite", "\"P-256\"", ERR_SYNTAX, 0},         /* as long: the service's public value is not */
        {"serial", "0", ERR_SYNTAX, ERR_SYNTAX},
        {"epoch", "-1", ERR_SYNTAX, ERR_SYNTAX},
        {"iat", "\"now\"", ERR_SYNTAX, ERR_SYNTAX},
        {"group", "\"list@example.com\"", ERR_SYNTAX, ERR_SYNTAX},
        {"group", "\"list@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa\"", 0, ERR_KEY},
        {"member", "\"Bob@example.com\"", ERR_SYNTAX, ERR_SYNTAX},
        {"mkid", "\"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA\"", ERR_KEY, ERR_KEY},
        {"mkid", "\"AAAAA\"", ERR_SYNTAX, ERR_SYNTAX},
        {"rhash", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", ERR_KEY, 0},
        {"rhash", "\"AAAA\"", ERR_SYNTAX, ERR_SYNTAX},
        {"dk", "\"\"", 0, ERR_SYNTAX},
        {"dk", "7", ERR_SYNTAX, ERR_SYNTAX},
        {"extra", "true", ERR_SYNTAX, ERR_SYNTAX},
    };
    struct world w;

    setup(&w, "X25519", "X25519");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct json_object *obj = payload(&w), *value;

        json_object_object_del(obj, changes[i].name);
        if (changes[i].text) {
            CU_ASSERT_EQUAL_FATAL(sjson_parse(changes[i].text, strlen(changes[i].text), NULL, &value, NULL), 0);
            sjson_set_object(obj, changes[i].name, value);
        }
        read_both(&w, obj, w.owner, "recrypt-entry", changes[i].service, changes[i].member);
    }
    read_both(&w, payload(&w), w.owner, "recrypt-roster", ERR_SYNTAX, ERR_SYNTAX);
    jwk_free(&w.carol);
    w.carol = key("Ed25519");
    read_both(&w, payload(&w), w.carol, "recrypt-entry", ERR_CRYPTO, ERR_CRYPTO);
    teardown(&w);
}

static void test_share_refused(void)
{
    struct json_object *obj;
    struct buf dk = BUF_INIT;
    struct jwe_options opt = {0};
    struct share s;
    struct world w;
    static const char half[] = "{\"b\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";

    setup(&w, "X25519", "X25519");
    /* Carol with bob's statement; bob, for a key that it is not about. */
    CU_ASSERT_EQUAL(share_read(w.en.statement, jwk_kid(w.group), w.owner, w.carol, &s, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(share_read(w.en.statement, jwk_kid(w.bob), w.owner, w.bob, &s, NULL), ERR_KEY);
    CU_ASSERT_EQUAL(share_read("", jwk_kid(w.group), w.owner, w.bob, &s, NULL), ERR_SYNTAX);
    CU_ASSERT_PTR_NULL(s.b);
    /* A dk for somebody else, and one whose inside is not all there. */
    obj = payload(&w);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w.carol, &opt, half, strlen(half), &dk, NULL), 0);
    sjson_set_string(obj, "dk", buf_str(&dk));
    read_both(&w, obj, w.owner, "recrypt-entry", 0, ERR_KEY);
    buf_reset(&dk);
    obj = payload(&w);
    CU_ASSERT_EQUAL_FATAL(jwe_seal_compact(w.bob, &opt, half, strlen(half), &dk, NULL), 0);
    sjson_set_string(obj, "dk", buf_str(&dk));
    read_both(&w, obj, w.owner, "recrypt-entry", 0, ERR_SYNTAX);
    buf_free(&dk);
    teardown(&w);
}

static void test_share_json(void)
{
    static const struct change changes[] = {
        {"group", "\"list\"", ERR_SYNTAX, 0},     {"serial", "0", ERR_SYNTAX, 0},
        {"suite", "\"RSA\"", ERR_UNSUPPORTED, 0}, {"suite", "\"X448\"", ERR_SYNTAX, 0},
        {"b", "\"AAAA\"", ERR_SYNTAX, 0},         {"tagkey", NULL, ERR_SYNTAX, 0},
        {"member", "\"bob\"", ERR_SYNTAX, 0},
    };
    struct json_object *obj, *value;
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
        json_object_object_del(obj, changes[i].name);
        if (changes[i].text) {
            CU_ASSERT_EQUAL_FATAL(sjson_parse(changes[i].text, strlen(changes[i].text), NULL, &value, NULL), 0);
            sjson_set_object(obj, changes[i].name, value);
        }
        CU_ASSERT_EQUAL(share_from_json(obj, &s, NULL), changes[i].service);
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
    out->key = key("X25519");
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
    w.carol = key("Ed25519");
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

/* What a service reads of a statement that it only passes on: the form, and nothing verified. */
static void test_claim(void)
{
    static const struct {
        const char *name, *text;
        int code;
    } changes[] = {
        {"v", "2", ERR_UNSUPPORTED},
        {"group", "\"list@example.com\"", ERR_SYNTAX},
        {"member", "\"Bob@example.com\"", ERR_SYNTAX},
        {"member", NULL, ERR_SYNTAX},
        {"dk", "\"a.b.c.d.e\"", ERR_SYNTAX},
        {"dk", NULL, ERR_SYNTAX},
    };
    struct buf text = BUF_INIT;
    struct statement_claim c;
    struct json_object *obj, *value;
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
        obj = payload(&w);
        json_object_object_del(obj, changes[i].name);
        if (changes[i].text) {
            CU_ASSERT_EQUAL_FATAL(sjson_parse(changes[i].text, strlen(changes[i].text), NULL, &value, NULL), 0);
            sjson_set_object(obj, changes[i].name, value);
        }
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(jws_sign_json(w.owner, "recrypt-entry", obj, &text, NULL), 0);
        CU_ASSERT_EQUAL(statement_claim(buf_str(&text), text.len, &c, NULL), changes[i].code);
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
        {"from administrator to reader", test_story},
        {"every split is fresh", test_fresh},
        {"entries that are not made", test_not_made},
        {"entries that the service refuses", test_entry_refused},
        {"statements that service and member refuse", test_statement_refused},
        {"shares that the member refuses", test_share_refused},
        {"shares kept as JSON", test_share_json},
        {"messages that do not open", test_message_refused},
        {"a member's device reads through two grants, whatever the suites", test_chain},
        {"statements that a device refuses", test_lock_refused},
        {"statements that are passed on", test_claim},
    };
    return unit_main("entry", tests, sizeof tests / sizeof *tests);
}
