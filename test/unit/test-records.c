/* Typed records over a real keystore, and the cache of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/cache.h"
#include "service/devices.h"
#include "service/jobs.h"
#include "service/records.h"
#include "service/servicekey.h"
#include "unit.h"

static char dir[] = "/tmp/records-test.XXXXXX", store[64], keyfile[64];
static struct service_keys *keys;
static struct keystore *ks;
static struct records r;
static struct err e;

#define LIST "list@example.com"
#define KEYID "list@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa"

static void test_binding(void)
{
    CU_ASSERT_EQUAL_FATAL(servicekey_create(keyfile, &keys, &e), 0);
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", store, 1, 0, &ks, &e), 0);
    CU_ASSERT_EQUAL(records_open(&r, ks, keys->udf, keys->storage, 0, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(records_open(&r, ks, keys->udf, keys->storage, 1, &e), 0);
    CU_ASSERT_EQUAL(records_open(&r, ks, "AAAAA-AAAAA", keys->storage, 1, &e), ERR_KEY);
    CU_ASSERT_EQUAL_FATAL(records_open(&r, ks, keys->udf, keys->storage, 0, &e), 0);
    CU_ASSERT_STRING_EQUAL(r.restored, "");
}

static void test_account(void)
{
    struct account a = {.kind = PROFILE_LIST,
                        .epoch = 3,
                        .created = 4,
                        .serial = 5,
                        .policy = {PLAINTEXT_ENCRYPT, 1, 6}},
                   b;
    struct buf text = BUF_INIT;

    strcpy(a.address, LIST);
    strcpy(a.owner, "alice@example.com");
    strcpy(a.signer, "SIGNE-RRRRR");
    strcpy(a.current, KEYID);
    CU_ASSERT_EQUAL(account_add_key(&a, "first", &e), 0);
    CU_ASSERT_EQUAL(account_add_key(&a, KEYID, &e), 0);
    CU_ASSERT(account_put(&r, &a, &e) != 0); /* outside a transaction */
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(account_put(&r, &a, &e), 0);
    CU_ASSERT_EQUAL(roster_put(&r, LIST, "x.y.z", &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL_FATAL(account_get(&r, LIST, &b, &e), 0);
    CU_ASSERT_EQUAL(b.kind, PROFILE_LIST);
    CU_ASSERT_STRING_EQUAL(b.owner, a.owner);
    CU_ASSERT_STRING_EQUAL(b.signer, a.signer);
    CU_ASSERT_STRING_EQUAL(b.current, KEYID);
    CU_ASSERT(b.epoch == 3 && b.created == 4 && b.serial == 5);
    CU_ASSERT(b.policy.plaintext == PLAINTEXT_ENCRYPT && b.policy.archive == 1 && b.policy.max_size == 6);
    CU_ASSERT_EQUAL_FATAL(b.key_count, 2);
    CU_ASSERT_STRING_EQUAL(b.keys[0], "first");
    CU_ASSERT_EQUAL(account_quarantined(&r, &b), 0);
    strcpy(r.restored, "some restore");
    CU_ASSERT_EQUAL(account_quarantined(&r, &b), 1);
    strcpy(b.confirmed, "some restore");
    CU_ASSERT_EQUAL(account_quarantined(&r, &b), 0);
    r.restored[0] = '\0';
    CU_ASSERT_EQUAL(roster_get(&r, LIST, &text, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&text), "x.y.z");
    account_clear(&a);
    account_clear(&b);
    CU_ASSERT_EQUAL(account_get(&r, "nobody@example.com", &b, &e), ERR_ABSENT);
    buf_free(&text);
}

static int count_accounts(void *arg, struct account *a, struct err *err)
{
    (void)err;
    CU_ASSERT_STRING_EQUAL(a->address, LIST);
    ++*(int *)arg;
    return 0;
}

static void test_scan_skips_rosters(void)
{
    int n = 0;

    CU_ASSERT_EQUAL(account_scan(&r, count_accounts, &n, &e), 0);
    CU_ASSERT_EQUAL(n, 1);
}

static void fill_entry(struct entry_record *en, const char *member, const char *suite)
{
    memset(en, 0, sizeof *en);
    en->active = 1;
    en->serial = 7;
    strcpy(en->member, member);
    strcpy(en->key_udf, "MEMBE-RKEYY");
    strcpy(en->signer, "SIGNE-RRRRR");
    memset(en->tagkey, 0x5a, sizeof en->tagkey);
    en->statement = strdup("a.b.c");
    CU_ASSERT_EQUAL_FATAL(suite_generate(suite_by_name(suite), &en->r, &e), 0);
}

static int holds(const struct buf *b, const void *what, size_t len)
{
    return memmem(b->data, b->len, what, len) != NULL;
}

static void test_entry(void)
{
    static const char *const suites[] = {"X25519", "X448", "P-256", "ffdhe2048"};

    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        struct entry_record en, got;
        struct buf raw = BUF_INIT;
        size_t len;

        fill_entry(&en, "bob@example.com", suites[i]);
        len = suite_priv_len(suite_key_suite(en.r));
        CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
        CU_ASSERT_EQUAL(entry_put(&r, KEYID, &en, &e), 0);
        CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
        CU_ASSERT_EQUAL_FATAL(entry_get(&r, KEYID, "bob@example.com", &got, &e), 0);
        CU_ASSERT_EQUAL(memcmp(suite_key_private(got.r), suite_key_private(en.r), len), 0);
        CU_ASSERT_EQUAL(memcmp(suite_key_public(got.r), suite_key_public(en.r), suite_pub_len(suite_key_suite(en.r))),
                        0);
        CU_ASSERT_EQUAL(memcmp(got.tagkey, en.tagkey, 32), 0);
        CU_ASSERT_STRING_EQUAL(got.statement, "a.b.c");
        CU_ASSERT_STRING_EQUAL(got.key_udf, en.key_udf);
        entry_record_clear(&got);

        /* nothing of the secrets is in what is stored, and it opens under this name only */
        CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, KEYID "\0bob@example.com", sizeof KEYID + 15, &raw, &e), 0);
        CU_ASSERT(!holds(&raw, suite_key_private(en.r), len) && !holds(&raw, en.tagkey, 32));
        CU_ASSERT_EQUAL(entry_decode(&r, KEYID, "bob@example.com", raw.data, raw.len, &got, &e), 0);
        entry_record_clear(&got);
        CU_ASSERT_EQUAL(entry_decode(&r, KEYID, "eve@example.com", raw.data, raw.len, &got, &e), ERR_CRYPTO);
        CU_ASSERT_EQUAL(entry_decode(&r, "other", "bob@example.com", raw.data, raw.len, &got, &e), ERR_CRYPTO);
        r.storage[0] ^= 1;
        CU_ASSERT_EQUAL(entry_get(&r, KEYID, "bob@example.com", &got, &e), ERR_CRYPTO);
        r.storage[0] ^= 1;
        CU_ASSERT_EQUAL(entry_decode(&r, KEYID, "bob@example.com", raw.data, raw.len / 2, &got, &e), ERR_SYNTAX);
        entry_record_clear(&en);
        buf_free(&raw);
    }
}

static void test_revoke(void)
{
    struct entry_record got;
    struct buf raw = BUF_INIT;

    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(entry_revoke(&r, KEYID, "eve@example.com", 9, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(entry_revoke(&r, KEYID, "bob@example.com", 9, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL(entry_get(&r, KEYID, "bob@example.com", &got, &e), 0);
    CU_ASSERT_EQUAL(got.active, 0);
    CU_ASSERT_EQUAL(got.serial, 9);
    CU_ASSERT_PTR_NULL(got.r);
    CU_ASSERT_PTR_NULL(got.statement);
    entry_record_clear(&got);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, KEYID "\0bob@example.com", sizeof KEYID + 15, &raw, &e), 0);
    CU_ASSERT(!holds(&raw, "secret", 6));
    buf_free(&raw);
}

static void test_members(void)
{
    static const char *const names[] = {"zoe@example.com", "bob@example.com", "carol@example.net"};
    struct members m;

    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    for (int i = 0; i < 3; i++) {
        struct member one = {.active = i != 2, .serial = i};

        strcpy(one.account, names[i]);
        strcpy(one.key_udf, "K");
        CU_ASSERT_EQUAL(member_put(&r, LIST, &one, &e), 0);
        CU_ASSERT_EQUAL(member_put(&r, "list@example.co", &one, &e), 0); /* a neighbour whose name begins alike */
    }
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL_FATAL(members_get(&r, LIST, &m, &e), 0);
    CU_ASSERT_EQUAL(m.count, 3);
    CU_ASSERT_EQUAL(members_present(&m), 2);
    CU_ASSERT_PTR_NOT_NULL(members_find(&m, "zoe@example.com"));
    CU_ASSERT_PTR_NOT_NULL(members_find(&m, "bob@example.com"));
    CU_ASSERT_PTR_NULL(members_find(&m, "eve@example.com"));
    members_clear(&m);
    {
        struct member parked = {.account = "bob@example.com", .parked = "AAAAAAAAAAAAAAAAAAAAAA", .serial = 4};

        CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
        CU_ASSERT_EQUAL(member_put(&r, LIST, &parked, &e), 0);
        CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
        CU_ASSERT_EQUAL_FATAL(members_get(&r, LIST, &m, &e), 0);
        CU_ASSERT(!members_find(&m, "bob@example.com")->active && members_present(&m) == 2);
        CU_ASSERT_STRING_EQUAL(members_find(&m, "bob@example.com")->parked, parked.parked);
        members_clear(&m);
    }
    CU_ASSERT_EQUAL(members_get(&r, "list", &m, &e), 0);
    CU_ASSERT_EQUAL(m.count, 0);
    CU_ASSERT_PTR_NULL(members_find(&m, "bob@example.com"));
    members_clear(&m);
}

static void test_signer(void)
{
    struct signer s = {0}, got;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &s.key, &e), 0);
    CU_ASSERT_EQUAL(signer_join(&s, LIST, "bob@example.com", "K1", &e), 0);
    CU_ASSERT_EQUAL(signer_join(&s, LIST, "bob@example.com", "K2", &e), 0); /* replaces */
    CU_ASSERT_EQUAL(signer_join(&s, "b@example.com", "bob@example.com", "K1", &e), 0);
    CU_ASSERT_EQUAL(s.count, 2);
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(signer_put(&r, "S1", &s, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL_FATAL(signer_get(&r, "S1", &got, &e), 0);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(jwk_equal(got.key, s.key), 1);
    CU_ASSERT_EQUAL(jwk_is_private(got.key), 0);
    signer_leave(&got, LIST, "bob@example.com");
    signer_leave(&got, LIST, "nobody@example.com");
    CU_ASSERT_EQUAL(got.count, 1);
    signer_leave(&got, "b@example.com", "bob@example.com");
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(signer_put(&r, "S1", &got, &e), 0); /* nothing any more: gone */
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    signer_clear(&got);
    CU_ASSERT_EQUAL(signer_get(&r, "S1", &got, &e), ERR_ABSENT);
    signer_clear(&s);
}

static void put_key(const char *keyid, const char *account)
{
    struct key_record k = {.state = KEY_CURRENT, .epoch = 1, .profile = (char[]){"p"}};
    struct account a = {.kind = PROFILE_LIST};

    strcpy(k.account, account);
    strcpy(a.address, account);
    strcpy(a.current, keyid);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &k.key, &e), 0);
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(key_put(&r, keyid, &k, &e), 0);
    CU_ASSERT_EQUAL(account_put(&r, &a, &e), 0);
    for (int i = 0; i < 5; i++) {
        struct entry_record en;
        char name[64];

        snprintf(name, sizeof name, "m%d@example.com", i);
        fill_entry(&en, name, "X25519");
        CU_ASSERT_EQUAL(entry_put(&r, keyid, &en, &e), 0);
        if (i == 4)
            CU_ASSERT_EQUAL(entry_revoke(&r, keyid, name, 8, &e), 0);
        entry_record_clear(&en);
    }
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    jwk_free(&k.key);
}

static void test_cache(void)
{
    const struct hot_key *one, *again, *two;
    struct cache *c;

    put_key("k1", "l1@example.com");
    put_key("k2", "l2@example.com");
    CU_ASSERT_EQUAL_FATAL(cache_new(8, 1000, &c, &e), 0);
    CU_ASSERT_EQUAL(cache_get(c, &r, "k0", &one, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL_FATAL(cache_get(c, &r, "k1", &one, &e), 0);
    CU_ASSERT_EQUAL(one->count, 4); /* not the revoked one */
    CU_ASSERT_EQUAL(cache_get(c, &r, "k1", &again, &e), 0);
    CU_ASSERT_PTR_EQUAL(one, again);
    CU_ASSERT_EQUAL_FATAL(cache_get(c, &r, "k2", &two, &e), 0); /* k1 is out: 8 do not hold both */
    CU_ASSERT_STRING_EQUAL(two->account.address, "l2@example.com");
    cache_drop(c, "l1@example.com");
    CU_ASSERT_EQUAL(cache_get(c, &r, "k2", &again, &e), 0);
    CU_ASSERT_PTR_EQUAL(two, again);
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(entry_revoke(&r, "k2", "m0@example.com", 9, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    cache_drop(c, "l2@example.com");
    CU_ASSERT_EQUAL(cache_get(c, &r, "k2", &two, &e), 0);
    CU_ASSERT_EQUAL(two->count, 3);
    cache_resize(c, 0, 1000);
    CU_ASSERT_EQUAL(cache_get(c, &r, "k1", &one, &e), 0);
    CU_ASSERT_EQUAL(one->count, 4);
    cache_free(&c);
}

/* ---- devices ---- */

static struct jwk *device_sign_key;

/* A request of bob's device of that name, with a key of its own unless one is given. */
static void request(const char *name, struct jwk *key, struct device *out, struct buf *text)
{
    struct device d = {.owner = "MAAAA-BBBBB-CCCCC-DDDDD-EEEEE-22222", .issued = 1};
    struct jwk *made = NULL;

    strcpy(d.account, "bob@example.com");
    strcpy(d.name, name);
    if (!key)
        CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &made, &e), 0);
    d.key = key ? key : made;
    buf_reset(text);
    CU_ASSERT_EQUAL_FATAL(device_sign(&d, device_sign_key, text, &e), 0);
    CU_ASSERT_EQUAL_FATAL(device_read(text->data, text->len, out, &e), 0);
    jwk_free(&made);
}

static int count_text(void *arg, const char *name, const struct device_note *note, struct err *err)
{
    (void)name, (void)err;
    CU_ASSERT_STRING_EQUAL(note->from, note->when == 100 ? "" : "192.0.2.1");
    ++*(int *)arg;
    return 0;
}

static int waiting(const char *account)
{
    int n = 0;

    CU_ASSERT_EQUAL(device_scan(&r, DEVICE_WAITING, account, count_text, &n, &e), 0);
    return n;
}

static void put_waiting(const struct device *d, const struct buf *text, int64_t when)
{
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(device_text_put(&r, DEVICE_WAITING, d->account, d->key_udf,
                                    &(struct device_note){buf_str(text), when, when == 100 ? "" : "192.0.2.1"}, &e),
                    0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
}

static void test_devices(void)
{
    struct buf text = BUF_INIT, got = BUF_INIT;
    struct jwk *other;
    struct device d[3];
    int64_t when;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &device_sign_key, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &other, &e), 0);
    for (int i = 0; i < 3; i++) { /* two of one name, one of another */
        request(i < 2 ? "phone" : "tablet", NULL, &d[i], &text);
        put_waiting(&d[i], &text, 100 + i);
    }
    CU_ASSERT(waiting("bob@example.com") == 3 && waiting("bob@example.co") == 0);
    CU_ASSERT_EQUAL(device_text_get(&r, DEVICE_WAITING, "bob@example.com", d[2].key_udf, &got, &when, &e), 0);
    CU_ASSERT(!strcmp(buf_str(&got), buf_str(&text)) && when == 102);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[0].member, d[0].key_udf, d[0].signer, &e), 0);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[2].member, d[0].key_udf, d[0].signer, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[0].member, "K", d[0].signer, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[0].member, d[0].key_udf, other, &e), ERR_ABSENT);
    /* one is let in: nobody waits any more under its name */
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(device_admit(&r, d[0].account, d[0].member, d[0].key_udf, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL(waiting("bob@example.com"), 1);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[0].member, d[0].key_udf, d[0].signer, &e), 0);
    CU_ASSERT_EQUAL(device_find(&r, d[1].account, d[1].member, d[1].key_udf, d[1].signer, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(device_admit(&r, d[0].account, d[0].member, d[0].key_udf, &e), 0); /* again */
    CU_ASSERT_EQUAL(device_forget(&r, d[0].account, d[0].member, &e), 0);
    CU_ASSERT_EQUAL(device_forget(&r, d[0].account, d[0].member, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL(device_find(&r, d[0].account, d[0].member, d[0].key_udf, d[0].signer, &e), ERR_ABSENT);
    /* a day later */
    CU_ASSERT_EQUAL(devices_expire(&r, "bob@example.com", 102, &e), 0);
    CU_ASSERT_EQUAL(waiting("bob@example.com"), 1);
    CU_ASSERT_EQUAL(devices_expire(&r, "bob@example.com", 103, &e), 0);
    CU_ASSERT_EQUAL(waiting("bob@example.com"), 0);
    for (int i = 0; i < 3; i++)
        device_clear(&d[i]);
    jwk_free(&other);
    buf_free(&text);
    buf_free(&got);
}

static int name_fault(void *arg, const char *account, enum device_text kind, const char *name, const char *text,
                      struct err *err)
{
    char *out = arg;

    (void)err;
    snprintf(out + strlen(out), 512 - strlen(out), "%s/%d/%s/%d ", account, kind, name, text != NULL);
    return 0;
}

static void put_raw(const char *key, size_t len, const char *value)
{
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_DEVICES, key, len, value, strlen(value), &e), 0);
}

/* What is in that table and no record is told from what is one. */
static void test_devices_damage(void)
{
    char seen[512] = "";

    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    put_raw("a\0device\0b", 10, "{\"v\":1,\"text\":\"x\",\"at\":1}");
    put_raw("a\0share\0c", 9, "{\"v\":1}");
    put_raw("a\0thing\0d", 9, "{\"v\":1,\"text\":\"x\",\"at\":1}");
    put_raw("b", 1, "{\"v\":1,\"text\":\"x\",\"at\":1}");
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL(devices_check(&r, name_fault, seen, &e), 0);
    CU_ASSERT_STRING_EQUAL(seen, "a/1/b/1 /0//0 /0//0 /0//0 ");
    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(device_text_delete(&r, DEVICE_ADMITTED, "a", "b", &e), 0);
    CU_ASSERT_EQUAL(device_text_delete(&r, DEVICE_ADMITTED, "a", "b", &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
}

enum { LARGE = 100000 }; /* list_max */

static void put_job(const struct job *j)
{
    struct job_page page;
    int rc = records_begin(&r, &e);

    for (size_t n = 0; !rc && n < job_pages(j->total); n++) {
        page.count = 0;
        for (size_t i = n * JOB_PAGE; i < j->total && page.count < JOB_PAGE; i++) {
            snprintf(page.member[page.count], ADDRESS_SIZE, "member-%zu@a-domain-of-some-length.example.com", i);
            page.state[page.count++] = JOB_WAITING;
        }
        rc = job_page_put(&r, j->id, n, &page, &e);
    }
    rc = rc ? rc : job_put(&r, j, &e);
    rc = rc ? rc : records_commit(&r, &e);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

/* The largest list's: made, ended and cleared away in a transaction each. One that goes on is not touched. */
static void test_large_job(void)
{
    struct job j = {.list = LIST, .keyid = KEYID, .created = 100, .total = LARGE}, back;
    struct job_page page;
    const size_t last = job_pages(LARGE) - 1;

    strcpy(j.id, "00000000000000000000000000000001");
    put_job(&j);
    strcpy(j.id, "00000000000000000000000000000002");
    put_job(&j);
    strcpy(j.id, "00000000000000000000000000000003");
    j.created = 101;
    put_job(&j);
    CU_ASSERT_EQUAL(job_page_get(&r, j.id, last, &page, &e), 0);
    CU_ASSERT_EQUAL(page.count, LARGE - last * JOB_PAGE);
    CU_ASSERT_EQUAL(jobs_expire(&r, 101, &e), 0);
    for (int i = 1; i <= 3; i++) {
        j.id[JOB_ID_SIZE - 2] = (char)('0' + i);
        CU_ASSERT_EQUAL(job_get(&r, j.id, &back, &e), i < 3 ? ERR_ABSENT : 0);
        CU_ASSERT_EQUAL(job_page_get(&r, j.id, last, &page, &e), i < 3 ? ERR_ABSENT : 0);
        job_clear(&back);
    }
    CU_ASSERT_EQUAL(jobs_expire(&r, 102, &e), 0);
    CU_ASSERT_EQUAL(job_page_get(&r, j.id, 0, &page, &e), ERR_ABSENT);
}

static void test_damage(void)
{
    struct account a;
    struct members m;

    CU_ASSERT_EQUAL(records_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_ACCOUNTS, "x@example.com", 13, "{\"v\":2}", 7, &e), 0);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_ACCOUNTS, "y@example.com", 13, "{", 1, &e), 0);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_MEMBERS, "l\0z@example.com", 15, "{\"v\":1}", 7, &e), 0);
    CU_ASSERT_EQUAL(records_commit(&r, &e), 0);
    CU_ASSERT_EQUAL(account_get(&r, "x@example.com", &a, &e), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(account_get(&r, "y@example.com", &a, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(members_get(&r, "l", &m, &e), ERR_SYNTAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "z@example.com"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a store belongs to one service key", test_binding},
        {"accounts and rosters", test_account},
        {"a scan of accounts skips rosters", test_scan_skips_rosters},
        {"entries: secrets encrypted, bound to their place", test_entry},
        {"a revoked entry has no secret left", test_revoke},
        {"members of one list", test_members},
        {"signers", test_signer},
        {"cache: bounded, dropped on change", test_cache},
        {"devices that wait, are let in, and are not", test_devices},
        {"what is no device's record is told", test_devices_damage},
        {"the fan-out of the largest list", test_large_job},
        {"damaged records are named", test_damage},
    };
    int status;

    if (!mkdtemp(dir))
        return 1;
    snprintf(store, sizeof store, "%s/store", dir);
    snprintf(keyfile, sizeof keyfile, "%s/service.key", dir);
    status = unit_main("records", tests, sizeof tests / sizeof *tests);
    if (ks)
        keystore_close(&ks);
    records_close(&r);
    jwk_free(&device_sign_key);
    servicekey_free(&keys);
    return unit_remove(dir) == 0 ? status : 1;
}
