/* Entries: from the administrator by way of the service to a member; the statements and shares in them that are
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "entry-world.h"
#include "unit.h"

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

static void test_statement_refused(void)
{
    static const struct {
        const char *name, *text; /* as struct change */
        int service, member;
    } changes[] = {
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
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        read_both(&w, changed(payload(&w), changes[i].name, changes[i].text), w.owner, "recrypt-entry",
                  changes[i].service, changes[i].member);
    read_both(&w, payload(&w), w.owner, "recrypt-roster", ERR_SYNTAX, ERR_SYNTAX);
    jwk_free(&w.carol);
    w.carol = fresh_key("Ed25519");
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

int main(void)
{
    static const struct unit_test tests[] = {
        {"from administrator to reader", test_story},
        {"every split is fresh", test_fresh},
        {"entries that are not made", test_not_made},
        {"entries that the service refuses", test_entry_refused},
        {"statements that service and member refuse", test_statement_refused},
        {"shares that the member refuses", test_share_refused},
    };
    return unit_main("entry", tests, sizeof tests / sizeof *tests);
}
