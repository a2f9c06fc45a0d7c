/* Secrets are wiped before their memory is given back: private keys, both halves, agreed values, content keys by what
 * they open, passphrases. free() of this program keeps what it is given, so that it can be searched afterwards; so is
 * the part of the stack that the work had used. */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"
#include "service/cache.h"
#include "service/servicekey.h"
#include "unit.h"

#if !defined __SANITIZE_ADDRESS__
#define CAN_RUN 1
#endif

#ifdef CAN_RUN

/* glibc's own, under the names that are left when a program brings functions of the usual ones. */
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *p);

enum { KEPT_MAX = 1 << 18, PATTERNS = 96, PATTERN_MAX = 64, STACK = 256 << 10 };

static void *kept[KEPT_MAX];
static size_t kept_count, found_at_once;
static int keeping;

static size_t search(const char *where, const void *data, size_t len);

/* What is more than can be kept is searched at once, for what is known by then. */
void free(void *p)
{
    if (keeping && p && kept_count < KEPT_MAX) {
        kept[kept_count++] = p;
        return;
    }
    if (keeping && p)
        found_at_once += search("freed memory", p, malloc_usable_size(p));
    __libc_free(p);
}

/* Always moves: whether it has to is the allocator's secret. */
void *realloc(void *p, size_t size)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    void *to = __libc_malloc(size);

    if (to && p) {
        memcpy(to, p, had < size ? had : size);
        free(p);
    }
    return to;
}

/* What must not be found, each with the name that a failure gives it. */
static struct pattern {
    const char *name;
    size_t len;
    unsigned char octets[PATTERN_MAX];
} patterns[PATTERNS];
static size_t pattern_count;

static void put_pattern(const char *name, const void *data, size_t len)
{
    struct pattern *p = &patterns[pattern_count];

    CU_ASSERT_FATAL(pattern_count < PATTERNS && len <= PATTERN_MAX);
    pattern_count++;
    p->name = name;
    p->len = len;
    memcpy(p->octets, data, len);
}

/* Its middle, as it is, backwards (as numbers are kept) and as base64url. */
static void secret(const char *name, const unsigned char *data, size_t len)
{
    enum { MIDDLE = 12 };
    unsigned char turned[MIDDLE];
    struct buf text = BUF_INIT;
    const unsigned char *from = data + (len - MIDDLE) / 2;

    CU_ASSERT_FATAL(len >= MIDDLE);
    put_pattern(name, from, MIDDLE);
    for (size_t i = 0; i < MIDDLE; i++)
        turned[i] = from[MIDDLE - 1 - i];
    put_pattern(name, turned, MIDDLE);
    CU_ASSERT_EQUAL_FATAL(b64url_encode(data, len, &text), 0);
    put_pattern(name, text.data + (text.len - MIDDLE) / 2, MIDDLE);
    buf_free(&text);
    secret_wipe(turned, sizeof turned);
}

static void secret_key(const char *name, const struct suite_key *k)
{
    secret(name, suite_key_private(k), suite_priv_len(suite_key_suite(k)));
}

static size_t search(const char *where, const void *data, size_t len)
{
    size_t found = 0;

    for (size_t i = 0; i < pattern_count; i++)
        if (memmem(data, len, patterns[i].octets, patterns[i].len)) {
            printf("# %s is left in %s of %zu octets\n", patterns[i].name, where, len);
            found++;
        }
    return found;
}

static __attribute__((noinline)) void clean_stack(void)
{
    unsigned char room[STACK];

    secret_wipe(room, sizeof room);
}

/* Copied first, by a function that hardly has a frame: whatever is called writes over some of it. */
static __attribute__((noinline)) size_t search_stack(void)
{
    static unsigned char copy[STACK];
    const volatile unsigned char *from = (const volatile unsigned char *)__builtin_frame_address(0) - STACK;

    for (size_t i = 0; i < STACK; i++)
        copy[i] = from[i];
    return search("the stack", copy, STACK);
}

/* For the work itself, behind a call whose secrets are known by then: what the next call writes over may lie there for
 * long. */
static void look(void)
{
    found_at_once += search_stack();
}

/* Runs the work and returns how many secrets it left behind. */
static size_t left_by(void (*work)(const void *arg), const void *arg)
{
    size_t found;

    pattern_count = kept_count = found_at_once = 0;
    clean_stack();
    keeping = 1;
    work(arg);
    keeping = 0;
    found = search_stack() + found_at_once;
    for (size_t i = 0; i < kept_count; i++) {
        found += search("freed memory", kept[i], malloc_usable_size(kept[i]));
        __libc_free(kept[i]);
    }
    CU_ASSERT(pattern_count > 0 && kept_count > 0);
    memset(patterns, 0, sizeof patterns);
    return found;
}

/* ---- that the method finds what there is to find ---- */

static const unsigned char known[] = "a secret that everybody may know";

static void put_known(unsigned char *to)
{
    secret("a known secret", known, sizeof known);
    memcpy(to, known, sizeof known);
}

static void work_wiped(const void *arg)
{
    unsigned char *p = secret_alloc(100);

    (void)arg;
    put_known(p + 7);
    secret_free(p, 100);
}

static void work_freed(const void *arg)
{
    unsigned char *p = malloc(100);

    (void)arg;
    put_known(p + 7);
    __asm__ volatile("" : : "r"(p) : "memory"); /* or else nobody reads it and it is not written */
    free(p);
}

static void work_grown(const void *arg)
{
    unsigned char *p = malloc(100);

    (void)arg;
    put_known(p + 7);
    p = realloc(p, 200);
    secret_free(p, 200);
}

static void work_stack(const void *arg)
{
    unsigned char room[9000];

    (void)arg;
    put_known(room);
    CU_ASSERT_EQUAL(strlen((const char *)room), strlen((const char *)known));
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void work_openssl(const void *arg)
{
    unsigned char *p = OPENSSL_malloc(100);

    (void)arg;
    put_known(p + 7);
    p = OPENSSL_realloc(p, 200);
    OPENSSL_free(p);
}

static void test_method(void)
{
    CU_ASSERT_EQUAL(left_by(work_wiped, NULL), 0);
    CU_ASSERT_EQUAL(left_by(work_freed, NULL), 1);
    CU_ASSERT_EQUAL(left_by(work_grown, NULL), 1);
    CU_ASSERT_EQUAL(left_by(work_stack, NULL), 1);
    CU_ASSERT_EQUAL(left_by(work_openssl, NULL), 0);
}

/* ---- the work ---- */

static void work_split(const void *arg)
{
    static unsigned char from_service[SUITE_VALUE_MAX], from_member[SUITE_VALUE_MAX], whole[SUITE_VALUE_MAX],
        out[2 * SUITE_VALUE_MAX];
    const struct suite *s = arg;
    struct suite_key *a, *t, *r, *b, *again, *other;
    struct suite_peer *epk;
    size_t len = suite_value_len(s);

    CU_ASSERT_FATAL(!suite_generate(s, &a, NULL) && !suite_generate(s, &t, NULL) && !suite_split(a, &r, &b, NULL));
    secret_key("the whole key", a);
    secret_key("the service's half", r);
    secret_key("the member's half", b);
    secret_key("the ephemeral key", t);
    CU_ASSERT_EQUAL_FATAL(suite_peer_new(s, suite_key_public(t), suite_pub_len(s), &epk, NULL), 0);
    CU_ASSERT(!suite_agree(a, epk, whole, NULL) && !suite_agree(r, epk, from_service, NULL) &&
              !suite_agree(b, epk, from_member, NULL) && !suite_combine(s, from_service, from_member, out, NULL));
    secret("the agreed value", whole, len);
    secret("the service's value", from_service, len);
    secret("the member's value", from_member, len);
    clean_stack();
    CU_ASSERT(!suite_agree(a, epk, whole, NULL) && !suite_agree(b, epk, from_member, NULL));
    look();
    CU_ASSERT_EQUAL(suite_combine(s, from_service, from_member, out, NULL), 0);
    look();
    CU_ASSERT_EQUAL(
        suite_key_from_private(s, suite_key_private(b), suite_priv_len(s), suite_key_public(b), &again, NULL), 0);
    look();
    suite_key_free(&again);
    CU_ASSERT_EQUAL_FATAL(suite_split(a, &again, &other, NULL), 0);
    look();
    suite_key_free(&again);
    suite_key_free(&other);
    suite_key_free(&a);
    suite_key_free(&t);
    suite_key_free(&r);
    suite_key_free(&b);
    suite_peer_free(&epk);
}

static void test_split(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        size_t n = left_by(work_split, s);

        if (n)
            printf("# %s\n", suite_name(s));
        CU_ASSERT_EQUAL(n, 0);
    }
}

/* The private half as the JSON has it. */
static void secret_of_json(struct json_object *obj)
{
    static unsigned char raw[SUITE_PRIV_MAX];
    struct buf d = BUF_INIT;

    CU_ASSERT_FATAL(!sjson_b64(obj, "d", &d, NULL) && d.len <= sizeof raw);
    memcpy(raw, d.data, d.len);
    secret("the private key", raw, d.len);
    buf_free(&d);
}

static void work_jwk(const void *arg)
{
    struct json_object *obj;
    struct buf text = BUF_INIT, signature = BUF_INIT;
    struct jwk *k, *back;

    CU_ASSERT_FATAL(!jwk_generate(arg, &k, NULL) && !jwk_to_json(k, 1, &obj, NULL) && !sjson_write(obj, &text));
    secret_of_json(obj);
    sjson_free_secret(&obj);
    clean_stack();
    CU_ASSERT_EQUAL_FATAL(jwk_parse(text.data, text.len, &back, NULL), 0);
    look();
    if (jwk_is_signature(back))
        CU_ASSERT_EQUAL(jws_sign(back, NULL, "x", 1, 0, &signature, NULL), 0);
    look();
    buf_free(&text);
    buf_free(&signature);
    jwk_free(&back);
    jwk_free(&k);
}

static void test_jwk(void)
{
    static const char *const types[] = {"X25519", "X448", "P-256", "ffdhe2048", "Ed25519", "ES256"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = left_by(work_jwk, types[i]);

        if (n)
            printf("# %s\n", types[i]);
        CU_ASSERT_EQUAL(n, 0);
    }
}

static const unsigned char plaintext[] = "Nobody but the members may read this.";
static const char passphrase[] = "correct horse battery staple";

/* A message by a whole key: sealed, opened, and not opened with a damaged tag. arg: enc. */
static void work_message(const void *arg)
{
    static unsigned char z[SUITE_VALUE_MAX];
    const struct jwe_options opt = {.enc = arg};
    struct buf ciphertext = BUF_INIT, plain = BUF_INIT;
    struct suite_peer *epk;
    struct jwe_recipient to;
    const struct jwk *keys[1];
    struct jwk *k;
    struct jwe *j;

    CU_ASSERT_FATAL(!jwk_generate("X25519", &k, NULL) && !jwk_set_kid(k, "g"));
    keys[0] = k;
    CU_ASSERT_EQUAL_FATAL(jwe_encrypt(keys, 1, &opt, plaintext, sizeof plaintext, &j, &ciphertext, NULL), 0);
    CU_ASSERT_FATAL(!jwe_recipient(j, 0, &to, NULL) && !suite_peer_new(to.suite, to.epk, to.epk_len, &epk, NULL) &&
                    !suite_agree(jwk_suite_key(k), epk, z, NULL));
    secret("the plaintext", plaintext, sizeof plaintext);
    secret("the agreed value", z, suite_value_len(to.suite));
    secret_key("the private key", jwk_suite_key(k));
    clean_stack();
    CU_ASSERT(!jwe_decrypt(j, k, &ciphertext, &plain, NULL) && plain.len == sizeof plaintext);
    look();
    buf_free(&plain);
    ciphertext.data[ciphertext.len - 1] ^= 1;
    CU_ASSERT_EQUAL(jwe_decrypt(j, k, &ciphertext, &plain, NULL), ERR_CRYPTO);
    look();
    buf_free(&plain);
    buf_free(&ciphertext);
    suite_peer_free(&epk);
    jwe_free(&j);
    jwk_free(&k);
}

static void work_passphrase(const void *arg)
{
    struct buf text = BUF_INIT, plain = BUF_INIT;

    (void)arg;
    secret("the plaintext", plaintext, sizeof plaintext);
    secret("the passphrase", (const unsigned char *)passphrase, strlen(passphrase));
    CU_ASSERT_EQUAL_FATAL(jwe_seal_passphrase(passphrase, plaintext, sizeof plaintext, &text, NULL), 0);
    look();
    CU_ASSERT_EQUAL(jwe_open_passphrase(passphrase, text.data, text.len, &plain, NULL), 0);
    look();
    CU_ASSERT_EQUAL(plain.len, sizeof plaintext);
    buf_free(&plain);
    CU_ASSERT_EQUAL(jwe_open_passphrase("another", text.data, text.len, &plain, NULL), ERR_CRYPTO);
    buf_free(&plain);
    buf_free(&text);
}

static void test_message(void)
{
    CU_ASSERT_EQUAL(left_by(work_message, "A256GCM"), 0);
    CU_ASSERT_EQUAL(left_by(work_message, "A256CBC-HS512"), 0);
    CU_ASSERT_EQUAL(left_by(work_passphrase, NULL), 0);
}

static struct jwk *named_key(const char *type, const char *account)
{
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];
    struct jwk *k;

    CU_ASSERT_FATAL(!jwk_generate(type, &k, NULL) && !jwk_udf(k, udf) && !keyid_make(account, udf, keyid, NULL) &&
                    !jwk_set_kid(k, keyid));
    return k;
}

static void make_profile(const char *account, struct jwk *k, const struct jwk *signer, struct profile *out)
{
    struct profile p = {.kind = PROFILE_PERSON, .key = k, .epoch = 1, .issued = 1700000000};
    struct buf text = BUF_INIT;

    strcpy(p.account, account);
    strcpy(p.owner, account);
    CU_ASSERT_FATAL(!profile_sign(&p, signer, &text, NULL) && !profile_read(text.data, text.len, out, NULL));
    buf_free(&text);
}

/* The administrator splits, the service takes its half, the member hers and keeps it as JSON. arg: the list's suite. */
static void work_entry(const void *arg)
{
    struct jwk *group = named_key(arg, "list@example.com"), *service = named_key("X25519", "service@example.com"),
               *bob = named_key("X25519", "bob@example.com"), *owner = named_key("Ed25519", "alice@example.com");
    struct buf text = BUF_INIT, kept_text = BUF_INIT;
    struct json_object *obj;
    struct share share, back;
    struct profile p;
    struct entry en;

    make_profile("bob@example.com", bob, owner, &p);
    CU_ASSERT_EQUAL_FATAL(entry_make(group, &p, 1, 1, owner, service, &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(entry_read(text.data, text.len, service, owner, &en, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(share_read(en.statement, jwk_kid(group), owner, bob, &share, NULL), 0);
    secret_key("the whole key", jwk_suite_key(group));
    secret_key("the service's half", en.r);
    secret_key("the member's half", share.b);
    secret("the tag key", share.tagkey, sizeof share.tagkey);
    clean_stack();
    entry_clear(&en);
    share_clear(&share);
    CU_ASSERT_EQUAL_FATAL(entry_read(text.data, text.len, service, owner, &en, NULL), 0);
    look();
    CU_ASSERT_EQUAL_FATAL(share_read(en.statement, jwk_kid(group), owner, bob, &share, NULL), 0);
    look();
    CU_ASSERT_FATAL(!share_to_json(&share, &obj, NULL) && !sjson_write(obj, &kept_text));
    CU_ASSERT_EQUAL(share_from_json(obj, &back, NULL), 0);
    look();
    sjson_free_secret(&obj);
    share_clear(&back);
    share_clear(&share);
    entry_clear(&en);
    profile_clear(&p);
    buf_free(&text);
    buf_free(&kept_text);
    jwk_free(&group);
    jwk_free(&service);
    jwk_free(&bob);
    jwk_free(&owner);
}

static void test_entry(void)
{
    static const char *const suites[] = {"X25519", "X448", "P-256", "ffdhe2048"};

    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        size_t n = left_by(work_entry, suites[i]);

        if (n)
            printf("# %s\n", suites[i]);
        CU_ASSERT_EQUAL(n, 0);
    }
}

/* The service's keys, made, written and read again. arg: the file. */
static void work_service_key(const void *arg)
{
    struct service_keys *made, *k;

    CU_ASSERT_EQUAL_FATAL(servicekey_create(arg, &made, NULL), 0);
    secret_key("the service's key", jwk_suite_key(made->key));
    secret("the storage key", made->storage, sizeof made->storage);
    secret("the key of invitations", made->invite, sizeof made->invite);
    secret("the key of marks", made->archive, sizeof made->archive);
    servicekey_free(&made);
    look();
    CU_ASSERT_EQUAL_FATAL(servicekey_load(arg, &k, NULL), 0);
    look();
    servicekey_free(&k);
}

static char dir[] = "/tmp/wiped-test.XXXXXX";
enum { MEMBERS = 5, TAGKEY = sizeof ((struct entry_record *)0)->tagkey };

static struct {
    char keys[64], store[64], keyid[KEYID_SIZE];
    struct service_keys *own;
    struct keystore *ks;
    struct records records;
    unsigned char tagkeys[MEMBERS][TAGKEY];
} service;

/* A list of a few members, as recryptd has it on disk. */
static void make_list(struct err *e)
{
    struct account a = {.kind = PROFILE_LIST, .epoch = 1, .serial = 1};
    char profile[] = "x";
    struct key_record k = {.account = "list@example.com", .state = KEY_CURRENT, .epoch = 1, .profile = profile};

    k.key = named_key("X25519", "list@example.com");
    strcpy(service.keyid, jwk_kid(k.key));
    strcpy(a.address, k.account);
    strcpy(a.current, service.keyid);
    CU_ASSERT_FATAL(!account_add_key(&a, service.keyid, e) && !records_begin(&service.records, e));
    CU_ASSERT_FATAL(!account_put(&service.records, &a, e) && !key_put(&service.records, service.keyid, &k, e));
    for (int i = 0; i < MEMBERS; i++) {
        struct entry_record en = {.active = 1, .serial = 1, .epoch = 1};

        snprintf(en.member, sizeof en.member, "m%d@example.com", i);
        en.statement = strdup("a statement");
        for (size_t n = 0; n < TAGKEY; n++)
            service.tagkeys[i][n] = (unsigned char)((size_t)i * 37 + n * 11 + 5);
        memcpy(en.tagkey, service.tagkeys[i], TAGKEY);
        CU_ASSERT_FATAL(!suite_generate(suite_by_name("X25519"), &en.r, e) &&
                        !entry_put(&service.records, service.keyid, &en, e));
        entry_record_clear(&en);
    }
    CU_ASSERT_EQUAL_FATAL(records_commit(&service.records, e), 0);
    account_clear(&a);
    jwk_free(&k.key);
}

/* What of the list is kept in memory, and given back. */
static void work_cache(const void *arg)
{
    const struct hot_key *k;
    struct cache *c;

    (void)arg;
    CU_ASSERT_EQUAL_FATAL(cache_new(100, 100, &c, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(cache_get(c, &service.records, service.keyid, &k, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(k->count, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        secret("a member's tag key", service.tagkeys[i], TAGKEY);
        secret_key("the service's half", k->entries[i].r);
    }
    look();
    cache_free(&c);
}

static void test_service(void)
{
    const struct hot_key *k;
    struct cache *c;
    struct err e;

    snprintf(service.keys, sizeof service.keys, "%s/service.key", dir);
    snprintf(service.store, sizeof service.store, "%s/keystore", dir);
    CU_ASSERT_EQUAL(left_by(work_service_key, service.keys), 0);
    CU_ASSERT_EQUAL_FATAL(servicekey_load(service.keys, &service.own, &e), 0);
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", service.store, 1, 0, &service.ks, &e), 0);
    CU_ASSERT_EQUAL_FATAL(records_open(&service.records, service.ks, service.own->udf, service.own->storage, 1, &e), 0);
    make_list(&e);
    /* Once before: while the dynamic linker looks for a function, it keeps registers on the stack. */
    CU_ASSERT_FATAL(!cache_new(1, MEMBERS, &c, &e) && !cache_get(c, &service.records, service.keyid, &k, &e));
    cache_free(&c);
    CU_ASSERT_EQUAL(left_by(work_cache, NULL), 0);
    records_close(&service.records);
    keystore_close(&service.ks);
    servicekey_free(&service.own);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"the method finds what is left", test_method},
        {"split, agreement, combination", test_split},
        {"keys read and written", test_jwk},
        {"messages, and texts under a passphrase", test_message},
        {"entries and shares", test_entry},
        {"the service's keys and what it keeps of a list", test_service},
    };

    if (secret_openssl() < 0)
        return 99;
    return unit_main_in(dir, "wiped", tests, sizeof tests / sizeof *tests);
}

#else

int main(void)
{
    return unit_main_skipped("wiped", "sanitizers have memory of their own");
}

#endif
