/* bench-grants.c - grants as recryptd makes them for a list, beside OpenSSL's bare key agreement with prebuilt keys.
 *
 *   bench-grants [ROUNDS [SUITE]]    prints "recrypt_SUITE value recryptions/s ratio", the medians of the rounds
 *
 * One of ours: a message's ephemeral key is read from its JSON and checked, a grant is made for each of MEMBERS members
 * of a list that recryptd has in its cache, and the answer is written. All of that is counted. The list is as large as
 * its padding, so that each key agreement is a member's. Times are of the processor, not of the clock. */
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/jwk.h"
#include "common/sjson.h"
#include "service/grants.h"
#include "service/service.h"

enum { MEMBERS = 64, ROUNDS = 15, ROUNDS_MAX = 101 };

struct list {
    struct hot_key key;
    struct buf epk; /* request's body, as it comes from a client */
};

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench-grants: %s failed\n", what);
    exit(1);
}

static void list_make(const char *suite, struct list *l)
{
    struct json_object *body = json_object_new_object(), *jwk;
    struct jwk *epk;

    memset(l, 0, sizeof *l);
    l->key.entries = calloc(MEMBERS, sizeof *l->key.entries);
    l->key.count = MEMBERS;
    check(body && l->key.entries != NULL, "memory");
    for (size_t i = 0; i < MEMBERS; i++) {
        struct hot_entry *en = &l->key.entries[i];

        check(!suite_generate(suite_by_name(suite), &en->r, NULL) && RAND_bytes(en->tagkey, sizeof en->tagkey) == 1,
              "a member's entry");
    }
    check(!jwk_generate(suite, &epk, NULL) && !jwk_to_json(epk, 0, &jwk, NULL) &&
              !sjson_set_object(body, "EphemeralKey", jwk) && !sjson_write(body, &l->epk),
          "an ephemeral key");
    jwk_free(&epk);
    json_object_put(body);
}

static void list_free(struct list *l)
{
    for (size_t i = 0; i < MEMBERS; i++)
        suite_key_free(&l->key.entries[i].r);
    free(l->key.entries);
    buf_free(&l->epk);
}

/* One message's. */
static void ours(const struct list *l)
{
    struct json_object *body, *grants, *reply = json_object_new_object();
    struct request rq = {0};
    struct buf out = BUF_INIT;
    struct epk epk;

    check(!sjson_parse(l->epk.data, l->epk.len, NULL, &body, NULL), "reading");
    rq.body = body;
    check(!request_epk(&rq, &epk, NULL) && !grants_all(&l->key, &epk, &grants, NULL) &&
              !sjson_set_object(reply, "Grants", grants) && !sjson_write(reply, &out),
          "making grants");
    epk_clear(&epk);
    buf_free(&out);
    json_object_put(reply);
    json_object_put(body);
}

static EVP_PKEY *key_make(const char *suite)
{
    const char *type = !strncmp(suite, "ff", 2) ? "DH" : !strcmp(suite, "P-256") ? "EC" : suite;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *k = NULL;

    check(ctx && EVP_PKEY_keygen_init(ctx) > 0, "OpenSSL");
    if (type != suite)
        check(EVP_PKEY_CTX_set_group_name(ctx, suite) > 0, suite);
    check(EVP_PKEY_generate(ctx, &k) > 0, "a key pair");
    EVP_PKEY_CTX_free(ctx);
    return k;
}

static void theirs(EVP_PKEY *own, EVP_PKEY *peer)
{
    unsigned char value[SUITE_VALUE_MAX];

    for (int i = 0; i < MEMBERS; i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
        size_t len = sizeof value;

        check(ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) > 0 &&
                  EVP_PKEY_derive(ctx, value, &len) > 0,
              "key agreement");
        EVP_PKEY_CTX_free(ctx);
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct pair {
    struct list list;
    EVP_PKEY *own, *peer;
};

/* Recryptions a second, from lists' worth of them that take at least 40 ms. */
static double rate(const struct pair *p, int which)
{
    double start = now(), spent;
    int n = 0;

    do {
        if (which)
            theirs(p->own, p->peer);
        else
            ours(&p->list);
        n += MEMBERS;
        spent = now() - start;
    } while (spent < 0.04);
    return n / spent;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void compare(const char *suite, const char *name, int rounds)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX], ratio[ROUNDS_MAX];
    struct pair p;

    list_make(suite, &p.list);
    p.own = key_make(suite);
    p.peer = key_make(suite);
    rate(&p, 0);
    for (int i = 0; i < rounds; i++) {
        if (i % 2) {
            b[i] = rate(&p, 1);
            a[i] = rate(&p, 0);
        } else {
            a[i] = rate(&p, 0);
            b[i] = rate(&p, 1);
        }
        ratio[i] = a[i] / b[i];
    }
    printf("recrypt_%s %.0f recryptions/s %.3f\n", name, median(a, rounds), median(ratio, rounds));
    printf("#   peer: EVP_PKEY_derive, %.0f/s; ratio's quartiles %.3f %.3f\n", median(b, rounds), ratio[rounds / 4],
           ratio[3 * rounds / 4]);
    fflush(stdout);
    EVP_PKEY_free(p.own);
    EVP_PKEY_free(p.peer);
    list_free(&p.list);
}

int main(int argc, char **argv)
{
    static const char *const suites[][2] = {
        {"X25519", "x25519"}, {"X448", "x448"}, {"P-256", "p256"}, {"ffdhe2048", "ffdhe2048"}};
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;

    check(rounds > 0 && rounds <= ROUNDS_MAX, "number of rounds");
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (argc < 3 || !strcmp(argv[2], suites[i][0]))
            compare(suites[i][0], suites[i][1], rounds);
    return 0;
}
