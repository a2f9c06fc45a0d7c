#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "recrypt/home.h"
#include "recrypt/known.h"
#include "unit.h"

static char dir[256];
static struct home *h;
static struct err e;

static void write_file(const char *path, const char *text, mode_t mode)
{
    CU_ASSERT_EQUAL_FATAL(file_write(path, text, strlen(text), mode, &e), 0);
}

static void write_conf(const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s/recrypt.conf", dir);
    write_file(path, text, 0600);
}

/* Opens the home again, so that it reads what is there now. */
static int again(void)
{
    home_close(&h);
    return home_open(&h, &e);
}

static void test_directory(void)
{
    struct stat st;

    CU_ASSERT_EQUAL_FATAL(again(), 0);
    CU_ASSERT_EQUAL(stat(dir, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
    CU_ASSERT_EQUAL(home_lock(h, &e), 0);
    CU_ASSERT_EQUAL(home_lock(h, &e), 0);
    CU_ASSERT_EQUAL(chmod(dir, 0770), 0);
    CU_ASSERT_EQUAL(again(), ERR_DENIED);
    CU_ASSERT_PTR_NULL(h);
    CU_ASSERT_EQUAL(chmod(dir, 0700), 0);
    CU_ASSERT_EQUAL(again(), 0);
}

static void test_names(void)
{
    static const struct {
        const char *address, *name;
    } cases[] = {
        {"a.b+c@example.com", "a.b+c@example.com"},
        {"a/../b@example.com", "a%2F..%2Fb@example.com"},
        {"50%@example.com", "50%25@example.com"},
        {"..", "%2E."},
        {"next.jws", "next.jws"},
    };
    char name[HOME_NAME_SIZE], other[HOME_NAME_SIZE], address[300], path[PATH_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        home_name(cases[i].address, name);
        CU_ASSERT_STRING_EQUAL(name, cases[i].name);
    }
    memset(address, 'a', 253);
    strcpy(address + 240, "@b.example");
    home_name(address, name);
    address[0] = 'b';
    home_name(address, other);
    CU_ASSERT(strlen(name) < 100 && strncmp(name, "%-", 2) == 0);
    CU_ASSERT_STRING_NOT_EQUAL(name, other);
    CU_ASSERT_EQUAL(home_path(h, 0, path, &e, "known", ".jws", "x/y@z.a", NULL, NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(path, "/known/x%2Fy@z.a.jws"));
}

static void test_conf(void)
{
    struct buf url = BUF_INIT;
    const char *ca;

    write_conf("service \"example.com\" { url = \"http://127.0.0.1:8080\" ca = \"/x/ca.pem\" }\n"
               "service \"bad.example\" { url = \"http://elsewhere.example\" }\n");
    CU_ASSERT_EQUAL_FATAL(again(), 0);
    CU_ASSERT_EQUAL(home_service(h, "example.com", &url, &ca, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&url), "http://127.0.0.1:8080/.well-known/meshrecrypt");
    CU_ASSERT_STRING_EQUAL(ca, "/x/ca.pem");
    buf_reset(&url);
    CU_ASSERT_EQUAL(home_service(h, "other.example", &url, &ca, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&url), "https://other.example/.well-known/meshrecrypt");
    CU_ASSERT_PTR_NULL(ca);
    CU_ASSERT_EQUAL(home_service(h, "bad.example", &url, &ca, &e), ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "bad.example"));
    write_conf("no such = option\n");
    CU_ASSERT_EQUAL(again(), ERR_USAGE);
    write_conf("");
    CU_ASSERT_EQUAL(again(), 0);
    buf_free(&url);
}

static void test_account(void)
{
    char account[ADDRESS_SIZE], path[PATH_MAX];

    CU_ASSERT_EQUAL(home_account(h, NULL, account, &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt personal"));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt device connect"));
    CU_ASSERT_EQUAL(home_reader(h, account, &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt device connect"));
    /* a machine that is only a device reads, and does nothing else */
    CU_ASSERT_EQUAL(home_path(h, 1, path, &e, "devices", NULL, "eve@example.com", "request.jws", NULL), 0);
    write_file(path, "x", 0600);
    CU_ASSERT_EQUAL(home_account(h, NULL, account, &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "only a device of eve@example.com"));
    CU_ASSERT_EQUAL(home_no_account(h, "eve@example.com", &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "only a device of eve@example.com"));
    CU_ASSERT_EQUAL(home_no_account(h, "eva@example.com", &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "recrypt personal eva@example.com"));
    CU_ASSERT_EQUAL(home_reader(h, account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "eve@example.com");
    CU_ASSERT_EQUAL(home_path(h, 1, path, &e, "devices", NULL, "ann@example.com", "request.jws", NULL), 0);
    CU_ASSERT_EQUAL(home_reader(h, account, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(home_path(h, 1, path, &e, "persons", NULL, "ann/o@example.com", "profile.jws", NULL), 0);
    CU_ASSERT_EQUAL(home_account(h, NULL, account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "ann/o@example.com");
    CU_ASSERT_EQUAL(home_reader(h, account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "ann/o@example.com");
    CU_ASSERT_EQUAL(home_path(h, 1, path, &e, "persons", NULL, "bob@example.com", "profile.jws", NULL), 0);
    CU_ASSERT_EQUAL(home_account(h, NULL, account, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(home_account(h, "Bob@Example.COM", account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "bob@example.com");
    write_conf("account = \"bob@example.com\"\n");
    CU_ASSERT_EQUAL_FATAL(again(), 0);
    CU_ASSERT_EQUAL(home_account(h, NULL, account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "bob@example.com");
    CU_ASSERT_EQUAL(home_account(h, "not an address", account, &e), ERR_SYNTAX);
    write_conf("");
    CU_ASSERT_EQUAL_FATAL(again(), 0);
}

static void test_keys(void)
{
    struct jwk *key = NULL, *read = NULL, *public = NULL;
    char path[PATH_MAX], pass_file[512];
    const struct buf *pass;
    struct stat st;
    int under;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &key, &e), 0);
    CU_ASSERT_EQUAL_FATAL(home_path(h, 1, path, &e, "lists", ".jwk", "l@example.com", "K", NULL), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(home_key_create(path, key, NULL, &e), 0);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
    CU_ASSERT_EQUAL(home_key_create(path, key, NULL, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, &under, &e), 0);
    CU_ASSERT_FALSE(under);
    CU_ASSERT_TRUE(jwk_equal(key, read) && jwk_is_private(read));
    jwk_free(&read);
    CU_ASSERT_EQUAL(chmod(path, 0640), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod 600"));
    CU_ASSERT_EQUAL_FATAL(jwk_public_copy(key, &public, &e), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(home_key_create(path, public, NULL, &e), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_KEY);
    CU_ASSERT_PTR_NULL(read);
    CU_ASSERT_EQUAL(unlink(path), 0);
    write_file(path, "{\"kty\":\"OKP\"", 0600);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(unlink(path), 0);

    snprintf(pass_file, sizeof pass_file, "%s/pass", dir);
    CU_ASSERT_EQUAL(setenv("RECRYPT_PASSPHRASE_FILE", pass_file, 1), 0);
    write_file(pass_file, "correct horse\nnot this\n", 0600);
    CU_ASSERT_EQUAL_FATAL(home_passphrase(h, 1, &pass, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(pass), "correct horse");
    CU_ASSERT_EQUAL(home_key_create(path, key, pass, &e), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, &under, &e), 0);
    CU_ASSERT_TRUE(under && jwk_equal(key, read));
    jwk_free(&read);
    write_file(pass_file, "wrong\n", 0600);
    CU_ASSERT_EQUAL_FATAL(again(), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_KEY);
    CU_ASSERT_EQUAL(chmod(pass_file, 0644), 0);
    CU_ASSERT_EQUAL_FATAL(again(), 0);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_DENIED);
    write_file(pass_file, "\n", 0600);
    CU_ASSERT_EQUAL(home_key_load(h, path, &read, NULL, &e), ERR_USAGE);
    unsetenv("RECRYPT_PASSPHRASE_FILE");
    jwk_free(&key);
    jwk_free(&public);
}

/* A profile of carol, or of account, with these keys. */
static void profile_text(const char *account, const struct jwk *key, const struct jwk *signer, int64_t epoch,
                         struct buf *text)
{
    struct profile p;

    memset(&p, 0, sizeof p);
    p.kind = PROFILE_PERSON;
    strcpy(p.account, account);
    strcpy(p.owner, account);
    p.key = (struct jwk *)(uintptr_t)key;
    p.epoch = epoch;
    p.issued = 1700000000;
    buf_reset(text);
    CU_ASSERT_EQUAL_FATAL(profile_sign(&p, signer, text, &e), 0);
}

static int accept(const struct buf *text, int accept_new)
{
    struct profile p;
    int r;

    memset(&p, 0, sizeof p);
    r = known_accept(h, "carol@example.net", text, accept_new, &p, &e);
    if (r == 0)
        profile_clear(&p);
    return r;
}

static void test_pinning(void)
{
    struct jwk *signer = NULL, *impostor = NULL, *key1 = NULL, *key2 = NULL;
    struct buf text = BUF_INIT;
    struct profile p;
    char old[KEYID_SIZE];

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &signer, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &impostor, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &key1, &e), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &key2, &e), 0);
    CU_ASSERT_EQUAL(known_load(h, "carol@example.net", &p, &e), ERR_ABSENT);
    profile_text("mallory@example.net", key1, signer, 1, &text);
    CU_ASSERT_EQUAL(accept(&text, 1), ERR_KEY); /* somebody else's, whatever is accepted */
    profile_text("carol@example.net", key1, signer, 1, &text);
    CU_ASSERT_EQUAL(accept(&text, 0), 0);
    CU_ASSERT_EQUAL(accept(&text, 0), 0);
    CU_ASSERT_EQUAL_FATAL(known_load(h, "carol@example.net", &p, &e), 0);
    CU_ASSERT_TRUE(jwk_equal(p.key, key1) && jwk_equal(p.signer, signer));
    strcpy(old, p.keyid);
    profile_clear(&p);
    profile_text("carol@example.net", key2, signer, 1, &text);
    CU_ASSERT_EQUAL(accept(&text, 0), ERR_KEY); /* two keys of one number */
    profile_text("carol@example.net", key2, impostor, 2, &text);
    CU_ASSERT_EQUAL(accept(&text, 0), ERR_KEY);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "--accept-new carol@example.net"));
    profile_text("carol@example.net", key2, signer, 2, &text);
    CU_ASSERT_EQUAL(accept(&text, 0), 0);
    profile_text("carol@example.net", key1, signer, 1, &text);
    CU_ASSERT_EQUAL(accept(&text, 0), ERR_STALE);
    CU_ASSERT_EQUAL(known_accept_older(h, old, &text, &p, &e), 0); /* asked for by its name it is right */
    profile_clear(&p);
    profile_text("carol@example.net", key1, impostor, 1, &text);
    CU_ASSERT_EQUAL(known_accept_older(h, old, &text, &p, &e), ERR_KEY);
    profile_text("carol@example.net", key2, impostor, 2, &text);
    CU_ASSERT_EQUAL(accept(&text, 1), 0);
    CU_ASSERT_EQUAL_FATAL(known_load(h, "carol@example.net", &p, &e), 0);
    CU_ASSERT_TRUE(jwk_equal(p.signer, impostor));
    profile_clear(&p);
    text.data[text.len / 2] ^= 1;
    CU_ASSERT_NOT_EQUAL(accept(&text, 1), 0);
    jwk_free(&signer);
    jwk_free(&impostor);
    jwk_free(&key1);
    jwk_free(&key2);
    buf_free(&text);
}

static void remove_all(const char *path)
{
    struct dirent *d;
    char below[PATH_MAX];
    DIR *all = opendir(path);

    while (all && (d = readdir(all))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, d->d_name) < (int)sizeof below && unlink(below) < 0)
            remove_all(below);
    }
    if (all)
        closedir(all);
    rmdir(path);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"the directory is made, and refused when others may write", test_directory},
        {"file names of addresses", test_names},
        {"services from recrypt.conf", test_conf},
        {"which account acts", test_account},
        {"key files: modes, passphrases, nothing replaced", test_keys},
        {"profiles are pinned: signer, epoch, key", test_pinning},
    };
    const char *tmp = getenv("TMPDIR");
    int status;

    snprintf(dir, sizeof dir, "%.200s/recrypt-home.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir) || setenv("RECRYPT_HOME", dir, 1) < 0)
        return 99;
    status = unit_main("recrypt-home", tests, sizeof tests / sizeof *tests);
    home_close(&h);
    remove_all(dir);
    return status;
}
