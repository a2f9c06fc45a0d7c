/* Dumps: what is loaded is what was written; what is not whole is refused. Every backend passes the same tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore-world.h"
#include "keystore/keystore-dump.h"
#include "keystore/keystore.h"
#include "unit.h"

static FILE *text_file(const char *text, size_t len)
{
    FILE *f = tmpfile();

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(text, 1, len, f), len);
    rewind(f);
    return f;
}

static int load_text(int n, const char *text, size_t len, struct err *e)
{
    FILE *f = text_file(text, len);
    uint64_t records;
    int r = keystore_load(p->backend->type, p->location(n), f, &records, e);

    fclose(f);
    return r;
}

/* The dump of store n, in memory. */
static char *dump_text(int n, const char *table, size_t *len)
{
    struct keystore *ks;
    struct err e;
    uint64_t records;
    char *text = NULL;
    FILE *f = open_memstream(&text, len);

    CU_ASSERT_EQUAL_FATAL(keystore_open(p->backend->type, p->location(n), 0, 1, &ks, &e), 0);
    CU_ASSERT_EQUAL(keystore_dump(ks, table, f, &records, &e), 0);
    keystore_close(&ks);
    fclose(f);
    return text;
}

static void fill(struct keystore *ks)
{
    char key[32];

    CU_ASSERT_EQUAL(keystore_begin(ks, NULL), 0);
    for (int t = 0; t < KEYSTORE_TABLES; t++)
        for (int i = 0; i < 5; i++) {
            snprintf(key, sizeof key, "key-%d-%d", t, i);
            CU_ASSERT_EQUAL(
                keystore_put(ks, (enum keystore_table)t, key, strlen(key) + 1, "v\0\n\xff", (size_t)i, NULL), 0);
        }
    CU_ASSERT_EQUAL(put(ks, KEYSTORE_META, "restored", "earlier"), 0);
    CU_ASSERT_EQUAL(keystore_commit(ks, NULL), 0);
}

static void test_dump_load(void)
{
    struct keystore *ks = open_at(0, 1);
    struct buf b = BUF_INIT;
    struct err e;
    char *text, *again, *line, *line2;
    size_t len, len2;

    fill(ks);
    keystore_close(&ks);
    text = dump_text(0, NULL, &len);
    CU_ASSERT_EQUAL_FATAL(load_text(1, text, len, &e), 0);
    again = dump_text(1, NULL, &len2);
    /* Equal but for the header, META's own records and the trailer. */
    line = strstr(text, "{\"t\":\"accounts\"");
    line2 = strstr(again, "{\"t\":\"accounts\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line2);
    *strstr(line, "{\"records\"") = *strstr(line2, "{\"records\"") = 0;
    CU_ASSERT_STRING_EQUAL(line, line2);
    free(again);
    free(text);
    ks = open_at(1, 0);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_KEYS, "key-2-4", 8, &b, &e), 0);
    CU_ASSERT_EQUAL(b.len, 4);
    CU_ASSERT_EQUAL(memcmp(b.data, "v\0\n\xff", 4), 0);
    CU_ASSERT(generation(ks) > 1);
    buf_reset(&b);
    CU_ASSERT_EQUAL(keystore_get(ks, KEYSTORE_META, "restored", 8, &b, &e), 0);
    CU_ASSERT_EQUAL(b.len, 22);
    CU_ASSERT(!holds(ks, KEYSTORE_META, "restored", "earlier"));
    put_one(ks, KEYSTORE_KEYS, "a", "1"); /* an ordinary store from now on */
    keystore_close(&ks);
    text = dump_text(0, NULL, &len);
    CU_ASSERT_EQUAL(load_text(1, text, len, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(load_text(0, text, len, &e), ERR_EXISTS);
    free(text);
    buf_free(&b);
    p->discard(0);
    p->discard(1);
}

static void test_dump_damaged(void)
{
    struct keystore *ks = open_at(0, 1);
    struct err e;
    size_t len, at = 0;
    char *text, *one;

    fill(ks);
    keystore_close(&ks);
    text = dump_text(0, NULL, &len);
    /* Cut at every line's end and inside every line: refused, and the store is of no use to anybody but a load. */
    while (at < len) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t end = (size_t)(nl + 1 - text);

        CU_ASSERT_EQUAL(load_text(1, text, at, &e), ERR_SYNTAX);
        CU_ASSERT_EQUAL(load_text(1, text, (at + end) / 2, &e), ERR_SYNTAX);
        CU_ASSERT_EQUAL(load_text(1, text, end - 1, &e), ERR_SYNTAX);
        if (at > 0)
            CU_ASSERT_EQUAL(open_result(1, 1, 0, &e), ERR_SYNTAX);
        at = end;
    }
    /* One value changed; something added. */
    text[len / 2] ^= 1;
    CU_ASSERT_EQUAL(load_text(1, text, len, &e), ERR_SYNTAX);
    text[len / 2] ^= 1;
    one = malloc(len + 3);
    memcpy(one, text, len);
    memcpy(one + len, "{}\n", 3);
    CU_ASSERT_EQUAL(load_text(1, one, len + 3, &e), ERR_SYNTAX);
    free(one);
    CU_ASSERT_EQUAL(load_text(1, "{}\n", 3, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(load_text(1, "{\"recrypt-keystore\":2}\n", 23, &e), ERR_UNSUPPORTED);
    one = dump_text(0, "accounts", &at);
    CU_ASSERT_EQUAL(load_text(1, one, at, &e), ERR_USAGE);
    free(one);
    /* After all that the right one still loads. */
    CU_ASSERT_EQUAL(load_text(1, text, len, &e), 0);
    CU_ASSERT_EQUAL(open_result(1, 0, 0, &e), 0);
    free(text);
    p->discard(0);
    p->discard(1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"dump and load", test_dump_load},
        {"damaged dumps are refused", test_dump_damaged},
    };

    return keystore_tests(tests, sizeof tests / sizeof *tests);
}
