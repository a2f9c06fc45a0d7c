/* Both ways with python3-jwcrypto: it opens what we write, we open what it writes. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/jwe.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "unit.h"

static const char text[] = "The Moon is a harsh mistress.";
static const char python[] = "/usr/bin/python3"; /* the system's: packages of Debian are not in any other */
static const char *const types[] = {"X25519", "X448", "P-256", "Ed25519", "ES256"};
enum { TYPES = 5, FIRST_SIGNER = 3 };

static int run(char *const argv[])
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void store(const char *dir, const char *type, const char *name, const struct buf *content)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s%s%s", dir, strcmp(name, "json") == 0 ? "key-" : "ours-", type,
             strcmp(name, "json") == 0 ? ".json" : name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = fopen(path, "w"));
    CU_ASSERT_EQUAL(fwrite(buf_str(content), 1, content->len, f), content->len);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static void load(const char *dir, const char *name, struct buf *out)
{
    char path[1024], block[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = fopen(path, "r"));
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        CU_ASSERT_EQUAL(buf_append(out, block, n), 0);
    fclose(f);
}

static void write_ours(const char *dir, const char *type, const struct jwk *k, int sign)
{
    struct buf out = BUF_INIT, ciphertext = BUF_INIT;
    struct json_object *obj;
    struct jwe *j;

    CU_ASSERT_EQUAL(jwk_to_json(k, 1, &obj, NULL), 0);
    CU_ASSERT_EQUAL(sjson_write(obj, &out), 0);
    store(dir, type, "json", &out);
    sjson_free_secret(&obj);
    buf_reset(&out);
    if (sign) {
        CU_ASSERT_EQUAL(jws_sign(k, NULL, text, strlen(text), 0, &out, NULL), 0);
        store(dir, type, "-compact.jws", &out);
        buf_reset(&out);
        CU_ASSERT_EQUAL(jws_sign_flattened(k, NULL, text, strlen(text), &out, NULL), 0);
        store(dir, type, "-flattened.jws", &out);
    } else {
        CU_ASSERT_EQUAL_FATAL(jwe_encrypt(&k, 1, NULL, text, strlen(text), &j, &ciphertext, NULL), 0);
        CU_ASSERT_EQUAL(jwe_write_compact(j, &ciphertext, &out, NULL), 0);
        store(dir, type, "-compact.jwe", &out);
        buf_reset(&out);
        CU_ASSERT_EQUAL(jwe_write(j, &ciphertext, &out, NULL), 0);
        store(dir, type, "-general.jwe", &out);
        jwe_free(&j);
    }
    buf_free(&out);
    buf_free(&ciphertext);
}

static int open_theirs(const char *content, size_t len, const struct jwk *k, int sign, struct buf *plain)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j;
    struct jws s;
    int r;

    if (sign) {
        if ((r = jws_parse(content, len, &s, NULL)) == 0 && (r = jws_verify(&s, k, NULL, 0, NULL)) == 0)
            r = buf_append(plain, buf_str(&s.payload), s.payload.len);
        jws_clear(&s);
        return r;
    }
    if ((r = jwe_parse(content, len, 0, &j, &ciphertext, NULL)) == 0)
        r = jwe_decrypt(j, k, &ciphertext, plain, NULL);
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}

/* Opens every file that the other side wrote for this type, and removes it. Returns how many there were. */
static size_t read_theirs(const char *dir, const char *type, const struct jwk *k, int sign)
{
    char prefix[64];
    struct dirent *entry;
    size_t count = 0;
    DIR *d = opendir(dir);

    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    snprintf(prefix, sizeof prefix, "theirs-%s-", type);
    while ((entry = readdir(d))) {
        struct buf content = BUF_INIT, plain = BUF_INIT;
        int r;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        load(dir, entry->d_name, &content);
        r = open_theirs(buf_str(&content), content.len, k, sign, &plain);
        if (r < 0)
            printf("# %s: %d\n", buf_str(&content), r);
        CU_ASSERT_EQUAL(r, 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&plain), text);
        count++;
        buf_free(&content);
        buf_free(&plain);
    }
    closedir(d);
    return count;
}

static void clean(const char *dir)
{
    char path[1024];
    struct dirent *entry;
    DIR *d = opendir(dir);

    while (d && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static void test_jwcrypto(void)
{
    char dir[] = "/tmp/jose-interop-XXXXXX", script[1024];
    char *probe[] = {
        (char *)(uintptr_t)python, (char *)(uintptr_t) "-c",
        (char *)(uintptr_t) "import importlib.util, sys; sys.exit(importlib.util.find_spec('jwcrypto') is None)", NULL};
    char *both[] = {(char *)(uintptr_t)python, script, dir, NULL};
    const char *src = getenv("srcdir");
    struct jwk *keys[TYPES];

    if (access(python, X_OK) != 0 || run(probe) != 0) {
        unit_skip("python3-jwcrypto is not installed");
        return;
    }
    snprintf(script, sizeof script, "%s/test/unit/jose-interop.py", src ? src : ".");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    for (size_t i = 0; i < TYPES; i++) {
        CU_ASSERT_EQUAL_FATAL(jwk_generate(types[i], &keys[i], NULL), 0);
        CU_ASSERT_EQUAL(jwk_set_kid(keys[i], "list@example.com.mm--x"), 0);
        write_ours(dir, types[i], keys[i], i >= FIRST_SIGNER);
    }
    CU_ASSERT_EQUAL(run(both), 0);
    for (size_t i = 0; i < TYPES; i++) {
        size_t count = read_theirs(dir, types[i], keys[i], i >= FIRST_SIGNER);

        printf("# %s: %zu of python3-jwcrypto opened\n", types[i], count);
        CU_ASSERT_EQUAL(count, i >= FIRST_SIGNER ? 2 : 28);
        jwk_free(&keys[i]);
    }
    clean(dir);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"python3-jwcrypto, both ways", test_jwcrypto},
    };
    return unit_main("jose-interop", tests, sizeof tests / sizeof *tests);
}
