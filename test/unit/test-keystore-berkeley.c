/* What is about Berkeley DB's files: copies put back, damage, remains of what was deleted, a full disk, modes, log
 * size. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "keystore/keystore-dump.h"
#include "keystore/keystore.h"
#include "unit.h"

/* The library does not free the memory of an environment that it gave up (damaged page, full disk). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdb-5.3";
}

static char dir[] = "/tmp/recrypt-berkeley-XXXXXX";

/* As many more calls until one reports an error, as the kernel does: the descriptor is gone all the same. 0: none
 * does. */
static int close_fails;

int close(int fd)
{
    int r = (int)syscall(SYS_close, fd);

    if (r == 0 && close_fails && --close_fails == 0) {
        errno = EIO;
        return -1;
    }
    return r;
}

/* As many more calls until one reports an error. */
static int read_fails;

struct dirent *readdir(DIR *d)
{
    static struct dirent *(*real)(DIR *);

    if (!real && !(real = (struct dirent *(*)(DIR *))dlsym(RTLD_NEXT, "readdir")))
        abort();
    if (read_fails && --read_fails == 0) {
        errno = EIO;
        return NULL;
    }
    return real(d);
}

static const char *at(const char *name)
{
    return unit_path(dir, name);
}

static void shell(const char *fmt, const char *a, const char *b)
{
    char cmd[700];

    snprintf(cmd, sizeof cmd, fmt, a, b);
    CU_ASSERT_EQUAL_FATAL(system(cmd), 0);
}

static int open_result(const char *name, int read_only, struct err *e)
{
    struct keystore *ks = NULL;
    int r = keystore_open("berkeley", at(name), 0, read_only, &ks, e);

    keystore_close(&ks);
    return r;
}

static struct keystore *open_store(const char *name, int create)
{
    struct keystore *ks = NULL;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", at(name), create, 0, &ks, &e), 0);
    return ks;
}

static int put_one(struct keystore *ks, enum keystore_table t, const char *key, const void *value, size_t len,
                   struct err *e)
{
    int r;

    if ((r = keystore_begin(ks, e)) < 0)
        return r;
    if ((r = keystore_put(ks, t, key, strlen(key), value, len, e)) == 0)
        return keystore_commit(ks, e);
    keystore_abort(ks);
    return r;
}

static int has(struct keystore *ks, const char *key)
{
    struct buf b = BUF_INIT;
    int r = keystore_get(ks, KEYSTORE_ENTRIES, key, strlen(key), &b, NULL);

    buf_free(&b);
    return r;
}

static void test_modes(void)
{
    struct keystore *ks;
    struct stat st;
    struct err e;
    mode_t before = umask(0);

    ks = open_store("modes", 1);
    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_KEYS, "a", "1", 1, &e), 0);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    keystore_close(&ks);
    umask(before);
    CU_ASSERT_EQUAL(stat(at("modes"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0700);
    shell("test -z \"$(find '%s' -type f ! -perm 600 -o -type d ! -perm 700)\" # %s", at("modes"), "");
    CU_ASSERT_EQUAL(chmod(at("modes"), 0750), 0);
    CU_ASSERT_EQUAL(open_result("modes", 0, &e), ERR_DENIED);
    CU_ASSERT_EQUAL(chmod(at("modes"), 0700), 0);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(chown(at("modes"), 65534, 65534), 0);
        CU_ASSERT_EQUAL(open_result("modes", 0, &e), ERR_DENIED);
    }
}

/* Copies put back in the ways that people do it. */
static void test_restored(void)
{
    struct keystore *ks = open_store("live", 1);
    struct err e;

    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, "carol", "1", 1, &e), 0);
    keystore_close(&ks);
    shell("cp -a '%s' '%s'", at("live"), at("copy"));
    shell("tar -C '%s' -cf '%s' live", dir, at("live.tar"));
    ks = open_store("live", 0);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_delete(ks, KEYSTORE_ENTRIES, "carol", 5, &e), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), 0);
    keystore_close(&ks);
    /* The copy, in another place. */
    CU_ASSERT_EQUAL(open_result("copy", 0, &e), ERR_STALE);
    /* The environment alone, under the newer watermark. */
    shell("cp -a '%s' '%s'", at("live"), at("env-only"));
    shell("mv '%s' '%s'", at("live/env"), at("newer"));
    shell("cp -a '%s' '%s'", at("copy/env"), at("live/env"));
    CU_ASSERT_EQUAL(open_result("live", 0, &e), ERR_STALE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "generation 1, but was at 2"));
    CU_ASSERT_EQUAL(open_result("live", 1, &e), 0);
    /* All of it, in the old place. (Moved, not removed: where files have no time of birth a freed inode number that is
     * used again would deceive.) */
    shell("mv '%s' '%s'", at("live"), at("away"));
    shell("tar -C '%s' -xf '%s'", dir, at("live.tar"));
    CU_ASSERT_EQUAL(open_result("live", 0, &e), ERR_STALE);
    /* Without a watermark. */
    CU_ASSERT_EQUAL(unlink(at("copy/watermark")), 0);
    CU_ASSERT_EQUAL(open_result("copy", 0, &e), ERR_STALE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt-keystore dump"));
    CU_ASSERT_EQUAL(open_result("copy", 1, &e), 0);
    ks = open_store("other", 1);
    keystore_close(&ks);
    shell("printf 'x' > '%s/watermark' # %s", at("other"), "");
    CU_ASSERT_EQUAL(open_result("other", 0, &e), ERR_SYNTAX);
}

/* Overwrites octets in the middle of a page of a file. */
static void damage(const char *file, off_t where)
{
    int fd = open(file, O_WRONLY);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, "damage", 6, where), 6);
    close(fd);
}

static void test_damage(void)
{
    struct keystore *ks = open_store("damaged", 1);
    struct buf b = BUF_INIT;
    struct err e;
    char value[3000];

    memset(value, 'v', sizeof value);
    for (int i = 0; i < 40; i++) {
        char key[16];

        snprintf(key, sizeof key, "key-%02d", i);
        CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, key, value, sizeof value, &e), 0);
    }
    keystore_close(&ks);
    CU_ASSERT_EQUAL(keystore_verify("berkeley", at("damaged"), &e), 0);
    for (int page = 1; page < 40; page++)
        damage(at("damaged/env/entries.db"), page * 4096 + 2000);
    CU_ASSERT_EQUAL(keystore_verify("berkeley", at("damaged"), &e), ERR_SYNTAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "entries.db"));
    /* The service: an error that says "later", never a wrong record or "absent"; then nothing more. */
    ks = open_store("damaged", 0);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, "key-07", 6, &b, &e), ERR_SYSTEM);
    CU_ASSERT_EQUAL(b.len, 0);
    CU_ASSERT(keystore_broken(ks));
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_META, "a", 1, &b, &e), ERR_SYSTEM);
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), ERR_SYSTEM);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), ERR_SYSTEM);
    keystore_close(&ks);
    CU_ASSERT_EQUAL(unlink(at("damaged/env/keys.db")), 0);
    CU_ASSERT(open_result("damaged", 0, &e) < 0); /* and not an empty table */
    CU_ASSERT(keystore_verify("berkeley", at("damaged"), &e) < 0);
    buf_free(&b);
}

/* How many files under the store hold the text. */
static int found_in_files(const char *name, const char *text)
{
    char cmd[700];

    snprintf(cmd, sizeof cmd, "test -z \"$(grep -rl '%s' '%s')\"", text, at(name));
    return system(cmd) != 0;
}

static void test_scrub_leaves_nothing(void)
{
    struct keystore *ks = open_store("scrub", 1);
    struct err e;
    char key[16], value[6000];

    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key-%03d", i);
        memset(value, 'v', sizeof value);
        snprintf(value, sizeof value, "%s-%03d", i % 3 ? "marker-kept" : "marker-gone", i);
        CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, key, value, i % 2 ? 60 : sizeof value, &e), 0);
    }
    CU_ASSERT_EQUAL(keystore_begin(ks, &e), 0);
    for (int i = 0; i < 300; i += 3) {
        snprintf(key, sizeof key, "key-%03d", i);
        CU_ASSERT_EQUAL(i % 2 ? keystore_delete(ks, KEYSTORE_ENTRIES, key, strlen(key), &e)
                              : keystore_put(ks, KEYSTORE_ENTRIES, key, strlen(key), "revoked", 7, &e), 0);
    }
    CU_ASSERT_EQUAL(keystore_commit(ks, &e), 0);
    CU_ASSERT(found_in_files("scrub", "marker-gone"));
    CU_ASSERT(keystore_needs_scrub(ks));
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    CU_ASSERT(!found_in_files("scrub", "marker-gone"));
    CU_ASSERT(found_in_files("scrub", "marker-kept"));
    keystore_close(&ks);
    CU_ASSERT(!found_in_files("scrub", "marker-gone"));
    CU_ASSERT_EQUAL(keystore_verify("berkeley", at("scrub"), &e), 0);
    ks = open_store("scrub", 0);
    CU_ASSERT_EQUAL(has(ks, "key-001"), 0);
    CU_ASSERT_EQUAL(has(ks, "key-003"), ERR_ABSENT);
    CU_ASSERT_EQUAL(has(ks, "key-006"), 0);
    keystore_close(&ks);
}

/* The three states in which a scrub can be interrupted. */
static void test_scrub_interrupted(void)
{
    struct keystore *ks = open_store("cut", 1);
    struct err e;

    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, "a", "1", 1, &e), 0);
    keystore_close(&ks);
    shell("mkdir -m 700 '%s' && echo half > '%s'", at("cut/env.new"), at("cut/env.new/entries.db"));
    CU_ASSERT_EQUAL(open_result("cut", 0, &e), 0);
    CU_ASSERT_NOT_EQUAL(access(at("cut/env.new"), F_OK), 0);
    shell("mv '%s' '%s'", at("cut/env"), at("cut/env.old")); /* between the two renames */
    shell("mkdir -m 700 '%s' # %s", at("cut/env.new"), "");
    ks = open_store("cut", 0);
    CU_ASSERT_EQUAL(has(ks, "a"), 0);
    keystore_close(&ks);
    shell("cp -a '%s' '%s'", at("cut/env"), at("cut/env.old")); /* before the wiping was done */
    ks = open_store("cut", 0);
    CU_ASSERT_EQUAL(has(ks, "a"), 0);
    CU_ASSERT_NOT_EQUAL(access(at("cut/env.old"), F_OK), 0);
    keystore_close(&ks);
}

/* Killed at a hundred moments while it commits and scrubs: opens, and has what was acknowledged. */
static void test_killed_while_scrubbing(void)
{
    struct keystore *ks;
    struct err e;
    char key[16];
    int last = -1;

    for (int round = 0; round < 25; round++) {
        int fds[2], n;
        pid_t pid;

        CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
        CU_ASSERT_FATAL((pid = fork()) >= 0);
        if (pid == 0) {
            if (keystore_open("berkeley", at("killed"), 1, 0, &ks, NULL) < 0)
                _exit(1);
            for (n = last + 1;; n++) {
                snprintf(key, sizeof key, "k%d", n);
                if (put_one(ks, KEYSTORE_ENTRIES, key, key, strlen(key), NULL) < 0 ||
                    write(fds[1], &n, sizeof n) != sizeof n || (n % 2 && keystore_scrub(ks, NULL) < 0))
                    _exit(2);
            }
        }
        close(fds[1]);
        usleep((useconds_t)(5000 + round * 3000));
        kill(pid, SIGKILL);
        while (read(fds[0], &n, sizeof n) == sizeof n)
            last = n;
        close(fds[0]);
        CU_ASSERT_EQUAL(waitpid(pid, &n, 0), pid);
        CU_ASSERT(WIFSIGNALED(n));
        ks = open_store("killed", 1);
        for (n = 0; n <= last; n++) {
            snprintf(key, sizeof key, "k%d", n);
            CU_ASSERT_EQUAL_FATAL(has(ks, key), 0);
        }
        /* A commit may have been done and not told. */
        snprintf(key, sizeof key, "k%d", last + 1);
        last += has(ks, key) == 0;
        keystore_close(&ks);
    }
    CU_ASSERT(last > 0);
    CU_ASSERT_EQUAL(keystore_verify("berkeley", at("killed"), &e), 0);
}

static void test_log_stays_short(void)
{
    struct keystore *ks = open_store("log", 1);
    struct err e;
    char *value = calloc(1, 256 << 10);

    for (int i = 0; i < 120; i++) /* 30 MB through a log of 4 MB files */
        CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, "one", value, 256 << 10, &e), 0);
    shell("test \"$(ls '%s' | grep -c '^log\\.')\" -le 3 # %s", at("log/env"), "");
    keystore_close(&ks);
    free(value);
}

/* Commits until the disk is full: a clean error, what was acknowledged is there, and with room again it goes on. */
static void fill_disk(void)
{
    struct keystore *ks = open_store("full/store", 1);
    struct err e;
    char key[16], value[5000];
    int n = 0, r;

    memset(value, 'v', sizeof value);
    do {
        snprintf(key, sizeof key, "k%d", n);
        r = put_one(ks, KEYSTORE_ENTRIES, key, value, sizeof value, &e);
        n += r == 0;
    } while (r == 0 && n < 10000);
    CU_ASSERT_EQUAL(r, ERR_SYSTEM);
    CU_ASSERT(n > 0 && n < 10000);
    CU_ASSERT(keystore_scrub(ks, NULL) < 0 || n > 0);
    if (!keystore_broken(ks))
        for (int i = 0; i < n; i++) {
            snprintf(key, sizeof key, "k%d", i);
            CU_ASSERT_EQUAL_FATAL(has(ks, key), 0);
        }
    keystore_close(&ks);
    CU_ASSERT_EQUAL(mount("tmpfs", at("full"), "tmpfs", MS_REMOUNT, "size=64m,mode=700"), 0);
    ks = open_store("full/store", 0);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT_EQUAL_FATAL(has(ks, key), 0);
    }
    snprintf(key, sizeof key, "k%d", n);
    CU_ASSERT_EQUAL(has(ks, key), ERR_ABSENT);
    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, key, value, sizeof value, &e), 0);
    CU_ASSERT_EQUAL(keystore_scrub(ks, &e), 0);
    keystore_close(&ks);
    CU_ASSERT_EQUAL(keystore_verify("berkeley", at("full/store"), &e), 0);
}

/* A store that was made before there were the tables that came later. */
static void test_older(void)
{
    struct keystore *ks = open_store("older", 1);
    struct err e;

    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_ENTRIES, "k", "v", 1, &e), 0);
    keystore_close(&ks);
    shell("find '%s' -name %s -delete", at("older"), "devices.db");
    shell("find '%s' -name %s -delete", at("older"), "jobs.db");
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", at("older"), 0, 0, &ks, &e), 0);
    CU_ASSERT_EQUAL(has(ks, "k"), 0);
    CU_ASSERT_EQUAL(put_one(ks, KEYSTORE_DEVICES, "d", "v", 1, &e), 0);
    keystore_close(&ks);
    CU_ASSERT_EQUAL_FATAL(keystore_open("berkeley", at("older"), 0, 1, &ks, &e), 0);
    keystore_close(&ks);
}

static void test_full_disk(void)
{
    struct err e;
    struct keystore *ks;

    CU_ASSERT_EQUAL(mkdir(at("full"), 0700), 0);
    if (mount("tmpfs", at("full"), "tmpfs", 0, "size=40k,mode=700") < 0)
        return unit_skip("full disk: cannot mount a tmpfs here");
    /* Too small even for an empty store: an error, and no store. */
    CU_ASSERT_EQUAL(keystore_open("berkeley", at("full/store"), 1, 0, &ks, &e), ERR_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "full/store/env: the file system is full"));
    keystore_close(&ks);
    shell("rm -rf '%s' # %s", at("full/store"), "");
    for (int size = 5; size <= 9; size += 2) {
        char options[40];

        snprintf(options, sizeof options, "size=%dm,mode=700", size);
        CU_ASSERT_EQUAL(mount("tmpfs", at("full"), "tmpfs", MS_REMOUNT, options), 0);
        fill_disk();
        shell("rm -rf '%s' # %s", at("full/store"), "");
    }
    CU_ASSERT_EQUAL(umount(at("full")), 0);
}

/* Opening fails and says so; nothing in the files has changed, and there are no more of them. */
static void refused(const char *store, const char *why)
{
    struct err e = {0, ""};
    char env[300];

    snprintf(env, sizeof env, "%s/env", store);
    shell("ls -ls '%s' >'%s'", at(env), at("before"));
    CU_ASSERT_EQUAL(open_result(store, 0, &e), ERR_SYSTEM);
    CU_ASSERT(err_temporary(e.code));
    if (!strstr(e.text, why))
        fprintf(stderr, "%s\n", e.text);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, at(store)));
    shell("ls -ls '%s' | cmp - '%s'", at(env), at("before"));
}

/* A process has the store and ends: orderly, or not. */
static void held_and_left(const char *store, int create, const char *key, int orderly)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct keystore *ks = open_store(store, create);
        struct err e;

        if (put_one(ks, KEYSTORE_ENTRIES, key, "v", 1, &e) < 0)
            _exit(1);
        if (orderly)
            keystore_close(&ks);
        _exit(0);
    }
    CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define FILL "dd if=/dev/zero of='%s' bs=4k 2>/dev/null; test $(df --output=avail '%s' | tail -n 1) = 0"

static void start_without_room(int orderly)
{
    struct keystore *ks;

    held_and_left("start/store", 1, "a", orderly);
    shell(FILL, at("start/junk"), at("start"));
    refused("start/store", "/env: the file system is full");
    unlink(at("start/junk"));
    ks = open_store("start/store", 0);
    CU_ASSERT_EQUAL(has(ks, "a"), 0);
    keystore_close(&ks);
    /* From its first recovery on the log has its whole room; what a scrub left behind is wiped without more, too. */
    held_and_left("start/store", 0, "b", orderly);
    shell("mkdir '%s' && truncate -s 4M '%s'", at("start/store/env.new"), at("start/store/env.new/log.0000000001"));
    shell(FILL, at("start/junk"), at("start"));
    ks = open_store("start/store", 0);
    CU_ASSERT_EQUAL(has(ks, "b"), 0);
    keystore_close(&ks);
    CU_ASSERT_NOT_EQUAL(access(at("start/store/env.new"), F_OK), 0);
    shell("rm -rf '%s' '%s'", at("start/junk"), at("start/store"));
}

static void test_start_without_room(void)
{
    CU_ASSERT_EQUAL(mkdir(at("start"), 0700), 0);
    if (mount("tmpfs", at("start"), "tmpfs", 0, "size=9m,mode=700") < 0)
        return unit_skip("start without room: cannot mount a tmpfs here");
    start_without_room(1);
    start_without_room(0);
    held_and_left("start/store", 1, "a", 1);
    CU_ASSERT_EQUAL(mount("tmpfs", at("start"), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=9m,mode=700"), 0);
    refused("start/store", "Read-only file system");
    CU_ASSERT_EQUAL(umount(at("start")), 0);
}

static int change_and_scrub(int n)
{
    struct keystore *ks = NULL;
    struct err e;
    int r, spared;

    close_fails = n;
    if ((r = keystore_open("berkeley", at("close"), 0, 0, &ks, &e)) == 0 &&
        (r = put_one(ks, KEYSTORE_ENTRIES, "a", &n, sizeof n, &e)) == 0)
        r = keystore_scrub(ks, &e);
    keystore_close(&ks);
    spared = close_fails > 0;
    close_fails = 0;
    return spared ? EX_SOFTWARE : r == 0 ? EX_OK : r == ERR_SYSTEM ? EX_TEMPFAIL : EX_DATAERR;
}

/* Files of the library's that cannot be closed are no reason to end, and none to lose anything. */
static void test_close(void)
{
    struct keystore *ks = open_store("close", 1);
    int n, status = EX_OK;

    keystore_close(&ks);
    for (n = 1; status != EX_SOFTWARE && n < 1000; n += 3) {
        status = unit_apart(change_and_scrub, n);
        CU_ASSERT(status == EX_OK || status == EX_TEMPFAIL || status == EX_SOFTWARE);
        if (status < 0)
            printf("# close %d: signal %d\n", n, -status);
        ks = open_store("close", 0);
        CU_ASSERT_EQUAL(has(ks, "a"), 0);
        keystore_close(&ks);
    }
    CU_ASSERT(n > 20);
    CU_ASSERT_EQUAL(status, EX_SOFTWARE);
}

static int change_and_die(int n)
{
    struct keystore *ks = open_store("unread", 0);
    struct err e;

    if (put_one(ks, KEYSTORE_ENTRIES, "a", &n, sizeof n, &e) < 0)
        _exit(EX_DATAERR);
    _exit(EX_OK);
}

static int open_unread(int n)
{
    struct err e;
    int r;

    read_fails = n;
    r = open_result("unread", 0, &e);
    if (read_fails)
        return EX_SOFTWARE;
    return r == 0 ? EX_OK : r == ERR_SYSTEM ? EX_TEMPFAIL : EX_DATAERR;
}

/* A directory that cannot be read is not taken for one without log. */
static void test_unread(void)
{
    struct keystore *ks = open_store("unread", 1);
    struct buf value = BUF_INIT;
    int n, refused = 0, status = EX_OK;

    keystore_close(&ks);
    for (n = 1; status != EX_SOFTWARE && n < 1000; n++) {
        CU_ASSERT_EQUAL(unit_apart(change_and_die, n), EX_OK);
        status = unit_apart(open_unread, n);
        CU_ASSERT(status == EX_OK || status == EX_TEMPFAIL || status == EX_SOFTWARE);
        refused += status == EX_TEMPFAIL;
        ks = open_store("unread", 0);
        buf_reset(&value);
        CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_ENTRIES, "a", 1, &value, NULL), 0);
        CU_ASSERT(value.len == sizeof n && memcmp(value.data, &n, sizeof n) == 0);
        keystore_close(&ks);
    }
    buf_free(&value);
    CU_ASSERT(refused > 10);
    CU_ASSERT_EQUAL(status, EX_SOFTWARE);
}

/* No directory to make the store in, or none that may be written to. */
static void test_no_directory(void)
{
    struct keystore *ks;
    struct err e;

    CU_ASSERT_EQUAL(keystore_open("berkeley", at("nowhere/store"), 1, 0, &ks, &e), ERR_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "nowhere/store: No such file or directory"));
    CU_ASSERT_EQUAL(mkdir(at("denied"), 0500), 0);
    CU_ASSERT_FATAL(geteuid() != 0 || seteuid(65534) == 0);
    CU_ASSERT_EQUAL(keystore_open("berkeley", at("denied/store"), 1, 0, &ks, &e), ERR_SYSTEM);
    CU_ASSERT_FATAL(getuid() != 0 || seteuid(0) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "denied/store: Permission denied"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"nobody else may read", test_modes},
        {"restored copies are not opened", test_restored},
        {"damaged pages", test_damage},
        {"scrub leaves nothing of what was deleted", test_scrub_leaves_nothing},
        {"interrupted scrubs are finished or undone", test_scrub_interrupted},
        {"killed while it commits and scrubs", test_killed_while_scrubbing},
        {"the log stays short", test_log_stays_short},
        {"an older store gets the tables it lacks", test_older},
        {"full disk", test_full_disk},
        {"start without room", test_start_without_room},
        {"a file that cannot be closed", test_close},
        {"a directory that cannot be read", test_unread},
        {"no directory", test_no_directory},
    };
    int r;

    if (!mkdtemp(dir))
        return 99;
    r = unit_main("keystore-berkeley", tests, sizeof tests / sizeof *tests);
    umount(at("full"));
    return unit_remove(dir) == 0 ? r : 99;
}
