/* Opening a message takes the same work whichever candidate is the right one, when none is, and whether the content's
 * tag is valid: whoever measures a reader learns neither the root nor what failed. The program runs itself under
 * valgrind's callgrind, which counts instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/jwe.h"
#include "unit.h"

#if defined __has_include && !defined __SANITIZE_ADDRESS__
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define CAN_RUN 1
#endif
#endif

#ifdef CAN_RUN

#define COUNTS "RECRYPT_TEST_COUNTS" /* the folder of callgrind's files, for the program under valgrind */

enum { CONTENT = 20000, ROUNDS = 3 };

enum message { RIGHT_FIRST, RIGHT_LAST, NONE_RIGHT, BAD_TAG, BAD_CIPHERTEXT, KINDS };
static const char *const kinds[KINDS] = {"the first candidate", "the last candidate", "no candidate", "a damaged tag",
                                         "damaged content"};

static unsigned char content[CONTENT];

/* The instructions between ZERO_STATS and DUMP_STATS, from the newest of the numbered files. */
static double dumped(void)
{
    static unsigned n;
    struct buf text = BUF_INIT;
    char path[300];
    const char *at;
    double count = -1;

    snprintf(path, sizeof path, "%s/counts.%u", getenv(COUNTS), ++n);
    if (!file_read(path, 64 << 20, &text, NULL) &&
        ((at = strstr(buf_str(&text), "\nsummary: ")) || (at = strstr(buf_str(&text), "\ntotals: "))))
        count = atof(strchr(at, ':') + 1);
    unlink(path);
    buf_free(&text);
    return count;
}

struct sealed {
    struct jwk *key;
    struct buf ciphertext, text; /* text: the JWE without its ciphertext */
    unsigned char candidates[2 * SUITE_VALUE_MAX];
    const struct suite *suite;
};

static void seal(const struct suite *s, const char *enc, struct sealed *m)
{
    unsigned char from_service[SUITE_VALUE_MAX], from_member[SUITE_VALUE_MAX];
    const struct jwe_options opt = {.enc = enc};
    const struct jwk *keys[1];
    struct suite_key *r, *b;
    struct suite_peer *epk;
    struct jwe_recipient to;
    struct jwe *j;

    memset(m, 0, sizeof *m);
    m->suite = s;
    CU_ASSERT_FATAL(!jwk_generate(suite_name(s), &m->key, NULL) && !jwk_set_kid(m->key, "g"));
    keys[0] = m->key;
    CU_ASSERT_FATAL(!jwe_encrypt(keys, 1, &opt, content, sizeof content, &j, &m->ciphertext, NULL) &&
                    !jwe_write(j, NULL, &m->text, NULL) && !jwe_recipient(j, 0, &to, NULL) &&
                    !suite_peer_new(s, to.epk, to.epk_len, &epk, NULL) &&
                    !suite_split(jwk_suite_key(m->key), &r, &b, NULL));
    CU_ASSERT_FATAL(!suite_agree(r, epk, from_service, NULL) && !suite_agree(b, epk, from_member, NULL) &&
                    !suite_combine(s, from_service, from_member, m->candidates, NULL));
    suite_key_free(&r);
    suite_key_free(&b);
    suite_peer_free(&epk);
    jwe_free(&j);
}

static void sealed_clear(struct sealed *m)
{
    jwk_free(&m->key);
    buf_free(&m->ciphertext);
    buf_free(&m->text);
}

/* Whether the first of the two candidates opens it. */
static int first_opens(const struct sealed *m, const struct jwe *j)
{
    struct buf plain = BUF_INIT;
    int r = jwe_decrypt_candidates(j, 0, m->candidates, 1, &m->ciphertext, &plain, NULL);

    buf_free(&plain);
    return r == 0;
}

/* One message, opened once; the count. */
static double open_one(const struct suite *s, const char *enc, enum message kind)
{
    unsigned char swap[SUITE_VALUE_MAX];
    size_t len = suite_value_len(s), count = suite_candidates(s);
    struct buf plain = BUF_INIT;
    struct sealed m;
    struct jwe *j;
    char *tag;
    int r, right, nothing;

    seal(s, enc, &m);
    CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&m.text), m.text.len, 1, &j, NULL, NULL), 0);
    if (count == 2 && (kind == RIGHT_LAST) == first_opens(&m, j)) {
        memcpy(swap, m.candidates, len);
        memcpy(m.candidates, m.candidates + len, len);
        memcpy(m.candidates + len, swap, len);
    }
    if (kind == NONE_RIGHT)
        for (size_t i = 0; i < count; i++)
            m.candidates[i * len + len / 2] ^= 1;
    if (kind == BAD_CIPHERTEXT)
        m.ciphertext.data[CONTENT / 2] ^= 1;
    if (kind == BAD_TAG) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(tag = strstr(buf_str(&m.text), "\"tag\":\""));
        tag[7] = tag[7] == 'A' ? 'B' : 'A';
        jwe_free(&j);
        CU_ASSERT_EQUAL_FATAL(jwe_parse(buf_str(&m.text), m.text.len, 1, &j, NULL, NULL), 0);
    }
    CALLGRIND_ZERO_STATS;
    r = jwe_decrypt_candidates(j, 0, m.candidates, count, &m.ciphertext, &plain, NULL);
    right = r == 0 && plain.len == CONTENT && !memcmp(plain.data, content, CONTENT);
    nothing = r == ERR_CRYPTO && plain.len == 0;
    buf_free(&plain); /* its wiping is a part of the work: so is that of what did not open */
    CALLGRIND_DUMP_STATS;
    CU_ASSERT(kind == RIGHT_FIRST || kind == RIGHT_LAST ? right : nothing);
    jwe_free(&j);
    sealed_clear(&m);
    return dumped();
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median: now and then the random number generator is seeded anew. */
static double median(const struct suite *s, const char *enc, enum message kind)
{
    double n[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        n[i] = open_one(s, enc, kind);
    qsort(n, ROUNDS, sizeof *n, compare);
    printf("# %s, %s: %.0f instructions, %s\n", suite_name(s), enc, n[ROUNDS / 2], kinds[kind]);
    return n[ROUNDS / 2];
}

/* All kinds up to last are within the bound of each other. */
static void check_equal(const char *suite, const char *enc, enum message last, double bound)
{
    const struct suite *s = suite_by_name(suite);
    double n, least = 0, most = 0;

    (void)open_one(s, enc, RIGHT_FIRST); /* what is made once in a process */
    for (int kind = 0; kind <= (int)last; kind++) {
        n = median(s, enc, (enum message)kind);
        least = kind == 0 || n < least ? n : least;
        most = n > most ? n : most;
    }
    printf("# %s, %s: they differ by %.2f %%\n", suite, enc, 100 * (most - least) / least);
    CU_ASSERT(least > 20000 && most - least < bound * least);
}

/* The bound: one candidate less would be half of it; a copy or a wiping of the content, 1 % and more. */
static void test_gcm(void)
{
    check_equal("X25519", "A256GCM", BAD_CIPHERTEXT, 0.03);
    check_equal("P-256", "A256GCM", BAD_CIPHERTEXT, 0.03);
    check_equal("ffdhe2048", "A256GCM", BAD_CIPHERTEXT, 0.03);
}

/* With CBC nothing is decrypted before its tag is known to be good: there is padding that must not tell anything. So
 * what is not opened costs less, and equal is which candidate is right, and among themselves what does not open. */
static void test_cbc(void)
{
    double bad, none, ciphertext;

    check_equal("X25519", "A256CBC-HS512", RIGHT_LAST, 0.03);
    bad = median(suite_by_name("X25519"), "A256CBC-HS512", BAD_TAG);
    none = median(suite_by_name("X25519"), "A256CBC-HS512", NONE_RIGHT);
    ciphertext = median(suite_by_name("X25519"), "A256CBC-HS512", BAD_CIPHERTEXT);
    CU_ASSERT(bad < none * 1.03 && none < bad * 1.03 && bad < ciphertext * 1.03 && ciphertext < bad * 1.03);
}

static int run_under_valgrind(const char *program)
{
    char folder[200], out[300], command[1000];
    const char *tmp = getenv("TMPDIR");
    int status;

    snprintf(folder, sizeof folder, "%s/recrypt-test.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder) || setenv(COUNTS, folder, 1))
        return 99;
    snprintf(out, sizeof out, "%s/counts", folder);
    snprintf(command, sizeof command,
             "valgrind -q --tool=callgrind --callgrind-out-file='%s' '%s'; s=$?; rm -rf '%s'; exit $s", out, program,
             folder);
    status = system(command);
    return status == -1 ? 99 : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        {"GCM: candidates, none of them, a bad tag", test_gcm},
        {"CBC with HMAC: candidates", test_cbc},
    };

    (void)argc;
    if (RUNNING_ON_VALGRIND)
        return unit_main("equal-open", tests, sizeof tests / sizeof *tests);
    if (system("valgrind --version >/dev/null 2>&1") != 0)
        return unit_main_skipped("equal-open", "valgrind is not there");
    return run_under_valgrind(argv[0]);
}

#else

int main(void)
{
    return unit_main_skipped("equal-open", "built without valgrind's header, or with sanitizers");
}

#endif
