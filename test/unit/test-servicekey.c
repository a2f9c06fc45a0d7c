/* The service key's file, and what is derived from it: invitation tokens, archive addresses. */
#include "service/servicekey.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/conf.h"
#include "common/statement.h"
#include "unit.h"

static char dir[] = "/tmp/servicekey-test.XXXXXX", keyfile[64];
static struct service_keys *keys;
static struct err e;

static void test_service_key(void)
{
    struct service_keys *again, *other;
    struct stat st;
    struct buf text = BUF_INIT;

    snprintf(keyfile, sizeof keyfile, "%s/service.key", dir);
    CU_ASSERT_EQUAL(servicekey_load(keyfile, &keys, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL_FATAL(servicekey_create(keyfile, &keys, &e), 0);
    CU_ASSERT_EQUAL(stat(keyfile, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(servicekey_create(keyfile, &other, &e), ERR_EXISTS);
    CU_ASSERT_PTR_NULL(other);
    CU_ASSERT_EQUAL_FATAL(servicekey_load(keyfile, &again, &e), 0);
    CU_ASSERT_STRING_EQUAL(again->udf, keys->udf);
    CU_ASSERT_STRING_EQUAL(jwk_kid(again->key), keys->udf);
    CU_ASSERT_EQUAL(memcmp(again->storage, keys->storage, 32), 0);
    CU_ASSERT_EQUAL(memcmp(again->invite, keys->invite, 32), 0);
    CU_ASSERT_EQUAL(memcmp(again->archive, keys->archive, 32), 0);
    CU_ASSERT(memcmp(keys->storage, keys->invite, 32) != 0);
    servicekey_free(&again);
    CU_ASSERT_EQUAL(chmod(keyfile, 0604), 0);
    CU_ASSERT_EQUAL(servicekey_load(keyfile, &again, &e), ERR_DENIED);
    CU_ASSERT_EQUAL(chmod(keyfile, 0600), 0);

    /* cut short: no key at all, rather than half of one */
    CU_ASSERT_EQUAL(file_read(keyfile, 1 << 16, &text, &e), 0);
    CU_ASSERT_EQUAL(file_write(keyfile, text.data, text.len - 40, 0600, &e), 0);
    CU_ASSERT_EQUAL(servicekey_load(keyfile, &again, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(file_write(keyfile, text.data, text.len, 0600, &e), 0);
    buf_free(&text);
}

static void test_token(void)
{
    struct buf t = BUF_INIT;

    CU_ASSERT_EQUAL(servicekey_token(keys, "bob@example.com", 1000, &t, &e), 0);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", buf_str(&t), 999, &e), 0);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", buf_str(&t), 1000, &e), 0);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", buf_str(&t), 1001, &e), ERR_DENIED);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.co", buf_str(&t), 999, &e), ERR_DENIED);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", "", 999, &e), ERR_DENIED);
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", "not base64!", 999, &e), ERR_DENIED);
    t.data[9] = t.data[9] == 'A' ? 'B' : 'A'; /* a later end of validity */
    CU_ASSERT_EQUAL(servicekey_token_check(keys, "bob@example.com", buf_str(&t), 999, &e), ERR_DENIED);
    buf_free(&t);
}

static void test_archive_address(void)
{
    char a[ADDRESS_SIZE], b[ADDRESS_SIZE], lower[ADDRESS_SIZE];

    CU_ASSERT_EQUAL(servicekey_archive(keys, "list@example.com", a, &e), 0);
    CU_ASSERT_EQUAL(strlen(a), strlen("list+archive-") + 22 + strlen("@example.com"));
    CU_ASSERT_EQUAL(strncmp(a, "list+archive-", 13), 0);
    CU_ASSERT_EQUAL(address_canonical(a, strlen(a), lower, &e), 0);
    CU_ASSERT_STRING_EQUAL(lower, a);
    CU_ASSERT_EQUAL(servicekey_archive(keys, "lisp@example.com", b, &e), 0);
    CU_ASSERT(strncmp(a + 13, b + 13, 22) != 0);
    memset(lower, 'x', sizeof lower);
    strcpy(lower + 235, "@example.com");
    CU_ASSERT_EQUAL(servicekey_archive(keys, lower, b, &e), ERR_LIMIT);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"made once, read back, private", test_service_key},
        {"tokens open for one address, for a time", test_token},
        {"archive addresses", test_archive_address},
    };
    int status = unit_main_in(dir, "servicekey", tests, sizeof tests / sizeof *tests);

    servicekey_free(&keys);
    return status;
}
