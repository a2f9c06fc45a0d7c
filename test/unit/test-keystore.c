/* Every backend passes the same tests; what is about one backend's files is in test-keystore-berkeley.c, dumps are in
 * test-keystore-dump.c. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keystore-world.h"
#include "keystore/keystore.h"
#include "unit.h"

static void test_answers(void)
{
    struct keystore *ks;
    struct buf b = BUF_INIT;
    struct err e;

    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(open_result(0, 1, 1, &e), ERR_ABSENT); /* reading makes nothing */
    ks = open_at(0, 1);
    CU_ASSERT(holds(ks, KEYSTORE_ACCOUNTS, "a", NULL));
    put_one(ks, KEYSTORE_ACCOUNTS, "a", "1");
    CU_ASSERT(holds(ks, KEYSTORE_ACCOUNTS, "a", "1"));
    CU_ASSERT(holds(ks, KEYSTORE_KEYS, "a", NULL));
    CU_ASSERT_EQUAL(buf_puts(&b, "<"), 0);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ACCOUNTS, "a", 1, &b, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "<1");
    put_one(ks, KEYSTORE_ACCOUNTS, "a", "");
    CU_ASSERT(holds(ks, KEYSTORE_ACCOUNTS, "a", ""));
    /* Not put or deleted: outside a transaction, without a key, the store's own. */
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_ACCOUNTS, "b", "2"), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_ACCOUNTS, "a", 1, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ACCOUNTS, "", 0, &b, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_TABLES, "a", 1, &b, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_META, "generation", "9"), ERR_DENIED);
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), ERR_USAGE); /* after a failure */
    CU_ASSERT(!keystore_broken(ks));
    buf_free(&b);
    keystore_close(&ks);
    CU_ASSERT_PTR_NULL(ks);
    CU_ASSERT_EQUAL(keystore_open("nosuch", "x", 1, 0, &ks, &e), ERR_USAGE);
    p->discard(0);
}

static void test_transactions(void)
{
    struct keystore *ks = open_at(0, 1);
    uint64_t g = generation(ks);

    put_one(ks, KEYSTORE_MEMBERS, "kept", "1");
    CU_ASSERT_EQUAL(generation(ks), g + 1);
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_MEMBERS, "new", "1"), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_MEMBERS, "kept", "2"), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_MEMBERS, "kept", 4, NULL), 0);
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "new", "1")); /* seen from inside */
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "kept", NULL));
    keystore_abort(ks);
    keystore_abort(ks);
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "new", NULL));
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "kept", "1"));
    CU_ASSERT_EQUAL(generation(ks), g + 1);
    /* Nothing changed: nothing counts. Deleting what is not there harms nothing. */
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_MEMBERS, "no", 2, NULL), ERR_ABSENT);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    CU_ASSERT_EQUAL(generation(ks), g + 1);
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    for (int i = 0; i < 5000; i++) { /* far more than any lock or cache limit */
        char key[32];

        snprintf(key, sizeof key, "many-%05d", i);
        CU_ASSERT_EQUAL_FATAL(put(ks, KEYSTORE_ENTRIES, key, key), 0);
    }
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "kept", "1"));
    CU_ASSERT(holds(ks, KEYSTORE_ENTRIES, "many-04999", "many-04999"));
    CU_ASSERT_EQUAL(generation(ks), g + 2);
    /* Closed inside a transaction: as if it never was. */
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_MEMBERS, "kept", "3"), 0);
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(holds(ks, KEYSTORE_MEMBERS, "kept", "1"));
    keystore_close(&ks);
    p->discard(0);
}

/* The child commits, tells so, and is killed inside the next transaction. */
static int killed_child(int rounds)
{
    int fds[2], last = -1, n, status;
    char key[16], big[8000];
    pid_t pid;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        struct keystore *ks;

        memset(big, 'x', sizeof big);
        if (keystore_open(p->backend->type, p->location(0), 1, 0, &ks, NULL) < 0)
            _exit(1);
        for (n = 0; n <= rounds; n++) {
            snprintf(key, sizeof key, "round-%d", n);
            if (keystore_begin(ks, NULL) < 0 || put(ks, KEYSTORE_ENTRIES, key, "1") < 0 ||
                keystore_put(ks, KEYSTORE_ENTRIES, "big", 3, big, sizeof big, NULL) < 0)
                _exit(2);
            if (n == rounds)
                kill(getpid(), SIGKILL);
            if (keystore_commit(ks, NULL) < 0 || write(fds[1], &n, sizeof n) != sizeof n)
                _exit(3);
        }
        _exit(4);
    }
    close(fds[1]);
    while (read(fds[0], &n, sizeof n) == sizeof n)
        last = n;
    close(fds[0]);
    waitpid(pid, &status, 0);
    CU_ASSERT(WIFSIGNALED(status));
    return last;
}

static void test_killed(void)
{
    struct keystore *ks;
    char key[16];
    int last = killed_child(20);

    CU_ASSERT_EQUAL(last, 19);
    ks = open_at(0, 0);
    for (int i = 0; i <= last; i++) {
        snprintf(key, sizeof key, "round-%d", i);
        CU_ASSERT(holds(ks, KEYSTORE_ENTRIES, key, "1"));
    }
    CU_ASSERT(holds(ks, KEYSTORE_ENTRIES, "round-20", NULL));
    CU_ASSERT_EQUAL(generation(ks), 20);
    keystore_close(&ks);
    p->discard(0);
}

static void test_one_opener(void)
{
    struct keystore *ks = open_at(0, 1);
    char pid[32];
    struct err e;

    CU_ASSERT_EQUAL(open_result(0, 1, 0, &e), ERR_EXISTS);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, pid));
    CU_ASSERT_EQUAL(open_result(0, 0, 1, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(keystore_verify(p->backend->type, p->location(0), &e), ERR_EXISTS);
    put_one(ks, KEYSTORE_KEYS, "a", "1"); /* the first is not disturbed */
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(holds(ks, KEYSTORE_KEYS, "a", "1"));
    keystore_close(&ks);
    p->discard(0);
}

/* Behind the front's back. */
static void set_meta(const char *key, const char *value)
{
    void *state;

    CU_ASSERT_EQUAL_FATAL(p->backend->open(p->location(0), 0, 0, &state, NULL), 0);
    CU_ASSERT_EQUAL(p->backend->begin(state, NULL), 0);
    CU_ASSERT_EQUAL(p->backend->put(state, KEYSTORE_META, key, strlen(key), value, strlen(value), NULL), 0);
    CU_ASSERT_EQUAL(p->backend->commit(state, NULL), 0);
    p->backend->close(state);
}

static void test_format(void)
{
    struct keystore *ks = open_at(0, 1);
    struct err e;

    put_one(ks, KEYSTORE_KEYS, "a", "1");
    keystore_close(&ks);
    set_meta("format", "2");
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(open_result(0, 1, 0, &e), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(open_result(0, 0, 1, &e), ERR_UNSUPPORTED);
    set_meta("format", "one");
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_SYNTAX);
    set_meta("format", "1");
    set_meta("generation", "-1");
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_SYNTAX);
    set_meta("generation", "0"); /* it was at 1 */
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_STALE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt-keystore load"));
    CU_ASSERT_EQUAL(open_result(0, 0, 1, &e), 0); /* to write it out */
    set_meta("generation", "7");                 /* ended before the watermark was written */
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), 0);
    set_meta("generation", "6"); /* it is written now */
    CU_ASSERT_EQUAL(open_result(0, 0, 0, &e), ERR_STALE);
    p->discard(0);
}

static void test_read_only(void)
{
    struct keystore *ks = open_at(0, 1);
    struct err e;

    put_one(ks, KEYSTORE_KEYS, "a", "1");
    keystore_close(&ks);
    CU_ASSERT_EQUAL_FATAL(keystore_open(p->backend->type, p->location(0), 0, 1, &ks, &e), 0);
    CU_ASSERT(holds(ks, KEYSTORE_KEYS, "a", "1"));
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_KEYS, "a", "2"), ERR_DENIED);
    keystore_abort(ks);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), ERR_USAGE);
    keystore_close(&ks);
    p->discard(0);
}

struct seen {
    struct keystore *ks;
    struct buf keys;
    int stop_after;
};

static int visit(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct seen *s = arg;
    const char *octets = key;

    CU_ASSERT(holds(s->ks, KEYSTORE_MEMBERS, "other", "x")); /* reading meanwhile is fine */
    CU_ASSERT_EQUAL(len, 1);
    CU_ASSERT_EQUAL(*(const char *)value, 'v');
    for (size_t i = 0; i < key_len; i++)
        if (buf_append(&s->keys, octets[i] ? &octets[i] : "0", 1) < 0)
            return ERR_SYSTEM;
    if (buf_puts(&s->keys, " ") < 0)
        return ERR_SYSTEM;
    return --s->stop_after == 0 ? err_set(e, ERR_LIMIT, "enough") : 0;
}

static void scan(struct keystore *ks, const void *prefix, size_t len, int stop_after, int result, const char *keys)
{
    struct seen s = {ks, BUF_INIT, stop_after};

    CU_ASSERT_EQUAL(keystore_scan(ks, KEYSTORE_MEMBERS, prefix, len, visit, &s, NULL), result);
    CU_ASSERT_STRING_EQUAL(buf_str(&s.keys), keys);
    buf_free(&s.keys);
}

static void test_scan(void)
{
    struct keystore *ks = open_at(0, 1);
    static const struct {
        const char *key;
        size_t len;
    } keys[] = {{"list\0zoe", 8},  {"list\0amy", 8}, {"list2\0bob", 9}, {"lis\0x", 5},
                {"list\0amy2", 9}, {"\xff", 1},      {"\xff\xff", 2}};

    scan(ks, NULL, 0, 0, 0, "");
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_MEMBERS, keys[i].key, keys[i].len, "v", 1, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_MEMBERS, "other", "x"), 0);
    scan(ks, "list\0", 5, 0, 0, "list0amy list0amy2 list0zoe "); /* inside the transaction */
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    scan(ks, "list\0", 5, 0, 0, "list0amy list0amy2 list0zoe ");
    scan(ks, "list", 4, 0, 0, "list0amy list0amy2 list0zoe list20bob ");
    scan(ks, "list\0", 5, 2, ERR_LIMIT, "list0amy list0amy2 ");
    scan(ks, "lisu", 4, 0, 0, "");
    scan(ks, "\xff\xff", 2, 0, 0, "\xff\xff ");
    scan(ks, "\xff\xff\xff", 3, 0, 0, "");
    keystore_close(&ks);
    p->discard(0);
}

static void test_big(void)
{
    struct keystore *ks = open_at(0, 1);
    struct buf b = BUF_INIT;
    char key[KEYSTORE_KEY_MAX + 1];
    char *big = malloc(KEYSTORE_VALUE_MAX + 1);
    struct err e;

    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    for (size_t i = 0; i < KEYSTORE_VALUE_MAX; i++)
        big[i] = (char)(i * 7 + i / 4096);
    memset(key, 'k', sizeof key);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_ENTRIES, key, KEYSTORE_KEY_MAX, big, KEYSTORE_VALUE_MAX, &e), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, key, KEYSTORE_KEY_MAX, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(b.len, KEYSTORE_VALUE_MAX);
    CU_ASSERT_EQUAL(memcmp(b.data, big, b.len), 0);
    b.len = 0;
    b.max = 1000;
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, key, KEYSTORE_KEY_MAX, &b, &e), ERR_LIMIT);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_ENTRIES, "a", 1, big, KEYSTORE_VALUE_MAX + 1, &e), ERR_LIMIT);
    CU_ASSERT_EQUAL(keystore_put(ks, KEYSTORE_ENTRIES, key, KEYSTORE_KEY_MAX + 1, "", 0, &e), ERR_LIMIT);
    keystore_abort(ks);
    keystore_close(&ks);
    CU_ASSERT_EQUAL(keystore_verify(p->backend->type, p->location(0), &e), 0);
    buf_free(&b);
    free(big);
    p->discard(0);
}

/* What is said about devices counts as state, but has no secret to wipe. */
static void test_devices(void)
{
    struct keystore *ks = open_at(0, 1);
    uint64_t g = generation(ks);

    put_one(ks, KEYSTORE_DEVICES, "d", "1");
    put_one(ks, KEYSTORE_DEVICES, "d", "2");
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_DEVICES, "d", 1, NULL), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    CU_ASSERT_EQUAL(generation(ks), g + 3);
    CU_ASSERT(!keystore_needs_scrub(ks));
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_ENTRIES, "e", "1"), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_ENTRIES, "e", 1, NULL), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    CU_ASSERT(keystore_needs_scrub(ks));
    keystore_close(&ks);
    p->discard(0);
}

/* A fan-out's progress is on disk like all else, but counts for nothing: no generation, no secret to wipe. */
static void test_progress(void)
{
    struct keystore *ks = open_at(0, 1);
    uint64_t g = generation(ks);

    put_one(ks, KEYSTORE_JOBS, "job", "1");
    put_one(ks, KEYSTORE_JOBS, "job", "2");
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_JOBS, "other", "1"), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_JOBS, "other", 5, NULL), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_JOBS, "job", "3"), 0);
    keystore_abort(ks);
    CU_ASSERT_EQUAL(generation(ks), g);
    CU_ASSERT(!keystore_needs_scrub(ks));
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(holds(ks, KEYSTORE_JOBS, "job", "2"));
    CU_ASSERT(holds(ks, KEYSTORE_JOBS, "other", NULL));
    /* with another change in the same transaction both count */
    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_JOBS, "job", "4"), 0);
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_MEMBERS, "m", "1"), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
    CU_ASSERT_EQUAL(generation(ks), g + 1);
    keystore_close(&ks);
    p->discard(0);
}

static void test_scrub(void)
{
    struct keystore *ks = open_at(0, 1);
    struct err e;
    uint64_t g;

    CU_ASSERT(!keystore_needs_scrub(ks));
    put_one(ks, KEYSTORE_ENTRIES, "a", "1");
    put_one(ks, KEYSTORE_ACCOUNTS, "a", "1");
    put_one(ks, KEYSTORE_ACCOUNTS, "a", "2");
    CU_ASSERT(!keystore_needs_scrub(ks));
    put_one(ks, KEYSTORE_ENTRIES, "a", "2");
    CU_ASSERT(keystore_needs_scrub(ks));
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(keystore_needs_scrub(ks)); /* known over a restart */
    g = generation(ks);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    CU_ASSERT(!keystore_needs_scrub(ks));
    CU_ASSERT_EQUAL(generation(ks), g);
    CU_ASSERT(holds(ks, KEYSTORE_ENTRIES, "a", "2"));
    CU_ASSERT(holds(ks, KEYSTORE_ACCOUNTS, "a", "2"));
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_ACCOUNTS, "a", 1, &e), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), 0);
    CU_ASSERT(keystore_needs_scrub(ks));
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    keystore_close(&ks);
    ks = open_at(0, 0);
    CU_ASSERT(holds(ks, KEYSTORE_ENTRIES, "a", "2"));
    CU_ASSERT(holds(ks, KEYSTORE_ACCOUNTS, "a", NULL));
    keystore_close(&ks);
    p->discard(0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"found, absent, refused", test_answers},
        {"transactions: all or nothing", test_transactions},
        {"killed inside a transaction: what was acknowledged stays, the rest is not there", test_killed},
        {"one opener at a time", test_one_opener},
        {"format, generation and watermark", test_format},
        {"opened for reading", test_read_only},
        {"prefix scans in order", test_scan},
        {"big values and keys", test_big},
        {"what is said about devices is no secret", test_devices},
        {"progress of fan-outs", test_progress},
        {"scrub keeps what is there", test_scrub},
    };

    return keystore_tests(tests, sizeof tests / sizeof *tests);
}
