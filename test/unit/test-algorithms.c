/* An allocation that fails inside OpenSSL fails what asked for it, and nothing after it. Each try in a process of its
 * own, since OpenSSL looks for its algorithms once in one. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>

#include "common/algorithms.h"
#include "common/jcd-private.h"
#include "common/jwe.h"
#include "common/jws.h"
#include "common/program.h"
#include "common/statement.h"
#include "starve.h"
#include "unit.h"

/* Statuses that program_start leaves as they are. */
enum { LOST = EX_DATAERR, SPARED = EX_SOFTWARE };

/* ---- what the programs do with OpenSSL: each 0, or negative ---- */

static int agree(const char *name)
{
    const struct suite *s = suite_by_name(name);
    struct suite_key *k = NULL, *half = NULL, *rest = NULL;
    struct suite_peer *peer = NULL;
    unsigned char value[SUITE_VALUE_MAX];
    int r = suite_generate(s, &k, NULL);

    r = r ? r : suite_split(k, &half, &rest, NULL);
    r = r ? r : suite_peer_new(s, suite_key_public(k), suite_pub_len(s), &peer, NULL);
    r = r ? r : suite_agree(half, peer, value, NULL);
    r = r ? r : suite_dummy_value(peer, value, NULL);
    suite_key_free(&k);
    suite_key_free(&half);
    suite_key_free(&rest);
    suite_peer_free(&peer);
    return r;
}

static int encrypt(const char *enc)
{
    const struct jwe_options options = {.enc = enc};
    struct buf text = BUF_INIT, plain = BUF_INIT;
    struct jwk *k;
    int r = jwk_generate("X25519", &k, NULL);

    r = r ? r : jwe_seal_compact(k, &options, "text", 4, &text, NULL);
    r = r ? r : jwe_open_compact(text.data, text.len, k, &plain, NULL);
    jwk_free(&k);
    buf_free(&text);
    buf_free(&plain);
    return r;
}

static int sign(const char *type)
{
    struct buf text = BUF_INIT;
    struct jws j = {.header = NULL};
    struct jwk *k;
    int r = jwk_generate(type, &k, NULL);

    r = r ? r : jws_sign(k, NULL, "text", 4, 0, &text, NULL);
    r = r ? r : jws_parse(text.data, text.len, &j, NULL);
    r = r ? r : jws_verify(&j, k, NULL, 0, NULL);
    jws_clear(&j);
    jwk_free(&k);
    buf_free(&text);
    return r;
}

static int name(const char *type)
{
    char udf[JWK_UDF_SIZE], thumbprint[JWK_THUMBPRINT_SIZE];
    struct jwk *k;
    int r = jwk_generate(type, &k, NULL);

    r = r ? r : jwk_udf(k, udf);
    r = r ? r : jwk_thumbprint(k, thumbprint);
    jwk_free(&k);
    return r;
}

static int tag(const char *epk)
{
    unsigned char out[GRANT_TAG_LEN];

    return entry_tag((unsigned char[32]){1}, (const unsigned char *)epk, strlen(epk), out, NULL);
}

static int document(const char *header)
{
    struct jcd_cipher c = {.chunk = JCD_CHUNK};
    unsigned char out[4 + JCD_TAG_LEN], mac[32];
    int r = buf_puts(&c.protected, header);

    r = r ? r : jcd_cipher_start(&c, (unsigned char[JCD_KEY_LEN]){1}, NULL);
    r = r ? r : jcd_chunk_seal(&c, (const unsigned char *)"text", 4, 1, out, NULL);
    r = r ? r : jcd_cipher_mac(&c, mac, NULL);
    jcd_cipher_clear(&c);
    return r;
}

static const struct work {
    int (*what)(const char *with);
    const char *with;
    int derives; /* a key from a shared secret or from another key */
    int step;    /* every so many of its allocations are tried */
} works[] = {
    {agree, "X25519", 0, 1},      {agree, "X448", 0, 3},      {agree, "P-256", 0, 17},
    {agree, "ffdhe2048", 0, 17},  {tag, "epk", 0, 1},         {sign, "Ed25519", 0, 5},
    {sign, "ES256", 0, 17},       {name, "X25519", 0, 5},     {name, "X448", 0, 7},
    {name, "P-256", 0, 17},       {name, "Ed25519", 0, 7},    {document, "e30", 1, 1},
    {encrypt, "A256GCM", 1, 1},   {encrypt, "A128GCM", 1, 5}, {encrypt, "A256CBC-HS512", 1, 3},
    {encrypt, "A128CBC-HS256", 1, 5},
};
enum { WORKS = sizeof works / sizeof *works };

static int do_work(int i)
{
    return works[i].what(works[i].with) == 0 ? EX_OK : LOST;
}

/* ---- one allocation fails in what is asked for, and the same is asked for again ---- */

static int work_at;

static int do_starved(int n)
{
    starve(n);
    (void)do_work(work_at);
    return starve_spared() ? SPARED : do_work(work_at);
}

/* OpenSSL 3.0 uses a key derivation's context that it did not get: a crash, which is not this test's affair. One for
 * each derivation. */
static int all_recover(int i)
{
    int crashed = 0, lost = 0, n = 1, status;

    work_at = i;
    while ((status = unit_apart(do_starved, n)) != SPARED && n < 100000) {
        if (status == -SIGSEGV && works[i].derives)
            crashed++;
        else if (status != EX_OK)
            lost++;
        n += works[i].step;
    }
    if (lost || crashed > 2 || n < 3)
        printf("# %s: of %d allocations %d lost it for good, %d crashed\n", works[i].with, n - 1, lost, crashed);
    return lost || crashed > 2 || n < 3 ? LOST : EX_OK;
}

static int prepared_recover(int i)
{
    if (program_start(NULL) || algorithms_prepare(NULL))
        return 99;
    return all_recover(i);
}

static void test_recover(void)
{
    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    for (int i = 0; i < WORKS; i++)
        CU_ASSERT_EQUAL(unit_apart(prepared_recover, i), EX_OK);
}

/* ---- one fails while a message is opened: it opens, or there is no telling, but it is not said to be foreign ---- */

static struct buf sealed;
static struct jwk *reader;

static int open_starved(int n)
{
    struct buf plain = BUF_INIT;
    int r;

    starve(n);
    r = jwe_open_compact(sealed.data, sealed.len, reader, &plain, NULL);
    return starve_spared() ? SPARED : r == 0 ? EX_OK : r == ERR_SYSTEM ? EX_TEMPFAIL : LOST;
}

/* Fails each allocation of what is done, once. At most one crashes, as above. */
static int each_starved(int (*what)(int n), const char *name, int at_least)
{
    int n = 1, crashed = 0, lost = 0, status;

    while ((status = unit_apart(what, n)) != SPARED && n < 100000) {
        crashed += status == -SIGSEGV;
        lost += status != -SIGSEGV && status != EX_OK && status != EX_TEMPFAIL;
        n++;
    }
    if (lost || crashed > 1)
        printf("# %s: of %d allocations %d were taken for an answer, %d crashed\n", name, n - 1, lost, crashed);
    return lost || crashed > 1 || n < at_least ? LOST : EX_OK;
}

static int open_each(int i)
{
    static const char *const suites[] = {"X25519", "P-256", "ffdhe2048"};

    if (program_start(NULL) || algorithms_prepare(NULL) || jwk_generate(suites[i], &reader, NULL) ||
        jwe_seal_compact(reader, &(struct jwe_options){.enc = "A256GCM"}, "text", 4, &sealed, NULL))
        return 99;
    return each_starved(open_starved, suites[i], 10);
}

static void test_open(void)
{
    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(unit_apart(open_each, i), EX_OK);
}

/* ---- one fails while a key is read: it is read, or there is no telling, but it is not said to be bad ---- */

static struct json_object *key_json;

static int read_starved(int n)
{
    struct jwk *key = NULL;
    int r;

    starve(n);
    r = jwk_from_json(key_json, &key, NULL);
    return starve_spared() ? SPARED : r == 0 ? EX_OK : r == ERR_SYSTEM ? EX_TEMPFAIL : LOST;
}

/* i: an algorithm, its public or its private half. */
static int read_each(int i)
{
    static const char *const algorithms[] = {"Ed25519", "X25519", "X448", "P-256", "ffdhe2048"};
    struct jwk *key;

    if (program_start(NULL) || algorithms_prepare(NULL) || jwk_generate(algorithms[i / 2], &key, NULL) ||
        jwk_to_json(key, i % 2, &key_json, NULL))
        return 99;
    return each_starved(read_starved, algorithms[i / 2], 3);
}

static void test_read(void)
{
    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(unit_apart(read_each, i), EX_OK);
}

/* ---- one fails while it looks: it says so, or nothing is missing ---- */

static int prepare_starved(int n)
{
    struct err e = {0};
    int r;

    if (program_start(NULL))
        return 99;
    starve(n);
    r = algorithms_prepare(&e);
    if (starve_spared())
        return SPARED;
    if (r < 0)
        return r == ERR_SYSTEM && e.code == r && strstr(e.text, "OpenSSL has no ") ? EX_TEMPFAIL : LOST;
    for (int i = 0; i < WORKS; i++)
        if (works[i].what != agree && do_work(i))
            return LOST;
    return EX_OK;
}

static void test_starved(void)
{
    enum { STEP = 19 };
    int told = 0, status = EX_OK;

    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    for (int n = 1; n < 100000 && status != SPARED; n += STEP) {
        status = unit_apart(prepare_starved, n);
        CU_ASSERT(status == EX_OK || status == EX_TEMPFAIL || status == SPARED);
        if (status != EX_OK && status != EX_TEMPFAIL && status != SPARED)
            printf("# allocation %d: %d\n", n, status);
        told += status == EX_TEMPFAIL;
    }
    CU_ASSERT_EQUAL(status, SPARED);
    CU_ASSERT(told > 5);
}

/* ---- what is missing is named ---- */

static int prepare_again(int tls)
{
    struct err e;

    return (tls ? algorithms_prepare_tls : algorithms_prepare)(&e) == 0 && algorithms_prepare(&e) == 0 ? EX_OK : LOST;
}

static int prepare_without(int tls)
{
    struct err e = {0};

    if (EVP_set_default_properties(NULL, "provider=nowhere") != 1)
        return 99;
    return (tls ? algorithms_prepare_tls : algorithms_prepare)(&e) == ERR_SYSTEM && e.code == ERR_SYSTEM &&
                   strstr(e.text, "OpenSSL has no digest SHA2-256: ")
               ? EX_OK
               : LOST;
}

static void test_missing(void)
{
    for (int tls = 0; tls < 2; tls++) {
        CU_ASSERT_EQUAL(unit_apart(prepare_again, tls), EX_OK);
        CU_ASSERT_EQUAL(unit_apart(prepare_without, tls), EX_OK);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"an allocation that fails fails nothing after it", test_recover},
        {"out of memory, a message is not said to be foreign", test_open},
        {"out of memory, a key is not said to be bad", test_read},
        {"one that fails while it looks is told, or nothing is missing", test_starved},
        {"what is missing is named", test_missing},
    };

    return unit_main("algorithms", tests, sizeof tests / sizeof *tests);
}
