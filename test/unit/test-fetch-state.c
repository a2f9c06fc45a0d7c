#include "recrypt/fetch-state.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char dir[] = "/tmp/recrypt-fetch-state.XXXXXX";

#define D(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c

static struct fetch_state *reopen(struct fetch_state *st, int want)
{
    struct err e = {0, ""};
    int r;

    fetch_state_close(&st);
    r = fetch_state_open(dir, "bob@example.com", "INBOX", &st, &e);
    if (r != want) {
        CU_FAIL("open");
        fprintf(stderr, "# %d, wanted %d: %s\n", r, want, e.text);
    }
    return st;
}

/* The file's path; the text is put into it when there is one. */
static const char *file(const char *text)
{
    static char path[400];
    struct dirent *de;
    DIR *d = opendir(dir);
    FILE *f;

    path[0] = 0;
    while (d && (de = readdir(d)))
        if (strncmp(de->d_name, "recrypt-fetch.", 14) == 0)
            snprintf(path, sizeof path, "%s/%s", dir, de->d_name);
    closedir(d);
    if (text && (f = fopen(path, "w"))) {
        fputs(text, f);
        fclose(f);
    }
    return path;
}

static void fresh(void)
{
    const char *path = file(NULL);

    if (*path)
        unlink(path);
}

static void test_remembers(void)
{
    struct fetch_state *st = reopen(NULL, 0);
    char kept[MAILDIR_ID_SIZE];
    struct stat info;

    CU_ASSERT(stat(file(NULL), &info) == 0 && (info.st_mode & 07777) == 0600);
    CU_ASSERT(fetch_state_validity(st, 7, NULL) == 0 && fetch_state_validity(st, 7, NULL) == 0);
    CU_ASSERT(fetch_state_find(st, 3, NULL) == FETCH_NEW);
    CU_ASSERT(fetch_state_add(st, 3, D("a"), NULL, NULL) == 0);
    CU_ASSERT(fetch_state_add(st, 9, D("b"), D("1"), NULL) == 0);
    CU_ASSERT(fetch_state_add(st, 5, D("c"), NULL, NULL) == 0);
    for (int round = 0; round < 2; round++) {
        CU_ASSERT(fetch_state_find(st, 3, kept) == FETCH_BROUGHT && kept[0] == 0);
        CU_ASSERT(fetch_state_find(st, 5, NULL) == FETCH_BROUGHT);
        CU_ASSERT(fetch_state_find(st, 9, kept) == FETCH_KEPT && strcmp(kept, D("1")) == 0);
        CU_ASSERT(fetch_state_find(st, 4, NULL) == FETCH_NEW && fetch_state_find(st, 10, NULL) == FETCH_NEW);
        CU_ASSERT(fetch_state_sync(st, NULL) == 0);
        st = reopen(st, 0);
    }
    CU_ASSERT(fetch_state_add(st, 9, D("b"), NULL, NULL) == 0);
    st = reopen(st, 0);
    CU_ASSERT(fetch_state_find(st, 9, NULL) == FETCH_BROUGHT);
    fetch_state_close(&st);
}

static int count_kept(void *arg, uint32_t uid, const char *digest, const char *kept, struct err *e)
{
    char *line = arg;

    (void)e;
    sprintf(line + strlen(line), "%u%c%c ", uid, digest[0], kept[0]);
    return 0;
}

/* The server gives new numbers: what was brought is found by digest, as often as it was there. */
static void test_new_numbers(void)
{
    struct fetch_state *st;
    char kept[MAILDIR_ID_SIZE], line[100] = "";

    fresh();
    st = reopen(NULL, 0);
    CU_ASSERT(fetch_state_validity(st, 7, NULL) == 0);
    CU_ASSERT(fetch_state_add(st, 1, D("a"), NULL, NULL) == 0 && fetch_state_add(st, 2, D("a"), NULL, NULL) == 0);
    CU_ASSERT(fetch_state_add(st, 3, D("b"), D("1"), NULL) == 0 && fetch_state_add(st, 4, D("c"), D("2"), NULL) == 0);
    CU_ASSERT(fetch_state_validity(st, 8, NULL) == 1);
    CU_ASSERT(fetch_state_find(st, 1, NULL) == FETCH_NEW);
    for (int round = 0; round < 2; round++) {
        line[0] = 0;
        CU_ASSERT(fetch_state_each_kept(st, count_kept, line, NULL) == 0);
        CU_ASSERT_STRING_EQUAL(line, "0b1 0c2 ");
        st = reopen(st, 0);
    }
    CU_ASSERT(fetch_state_validity(st, 8, NULL) == 0);
    CU_ASSERT(fetch_state_take_old(st, D("a"), kept) == FETCH_BROUGHT &&
              fetch_state_add(st, 11, D("a"), NULL, NULL) == 0);
    st = reopen(st, 0); /* killed here */
    CU_ASSERT(fetch_state_take_old(st, D("a"), kept) == FETCH_BROUGHT &&
              fetch_state_add(st, 12, D("a"), NULL, NULL) == 0);
    CU_ASSERT(fetch_state_take_old(st, D("a"), kept) == FETCH_NEW);
    CU_ASSERT(fetch_state_take_old(st, D("b"), kept) == FETCH_KEPT && strcmp(kept, D("1")) == 0);
    CU_ASSERT(fetch_state_add(st, 13, D("b"), kept, NULL) == 0);
    CU_ASSERT(fetch_state_add(st, 0, D("c"), NULL, NULL) == 0); /* opened while its number is unknown */
    st = reopen(st, 0);
    line[0] = 0;
    CU_ASSERT(fetch_state_each_kept(st, count_kept, line, NULL) == 0);
    CU_ASSERT_STRING_EQUAL(line, "13b1 ");
    CU_ASSERT(fetch_state_take_old(st, D("c"), kept) == FETCH_BROUGHT);
    CU_ASSERT(fetch_state_take_old(st, D("a"), kept) == FETCH_NEW);
    CU_ASSERT(fetch_state_validity(st, 9, NULL) == 1);
    CU_ASSERT(fetch_state_take_old(st, D("a"), kept) == FETCH_BROUGHT);
    fetch_state_close(&st);
}

#define HEAD "recrypt-fetch 1 bob@example.com INBOX\nvalidity 7\n"

static void test_killed_while_writing(void)
{
    struct fetch_state *st;

    fresh();
    st = reopen(NULL, 0);
    fetch_state_close(&st);
    file(HEAD "m 1 " D("a") "\nm 2 " D("b"));
    st = reopen(NULL, 0);
    CU_ASSERT(fetch_state_find(st, 1, NULL) == FETCH_BROUGHT && fetch_state_find(st, 2, NULL) == FETCH_NEW);
    CU_ASSERT(fetch_state_add(st, 2, D("c"), NULL, NULL) == 0);
    st = reopen(st, 0);
    CU_ASSERT(fetch_state_find(st, 2, NULL) == FETCH_BROUGHT);
    fetch_state_close(&st);
}

static void test_damaged(void)
{
    static const char *const bad[] = {"",
                                      "recrypt-fetch 1 bob@example.com INBOX",
                                      "recrypt-fetch 1 carol@example.com INBOX\n",
                                      "recrypt-fetch 2 bob@example.com INBOX\n",
                                      "recrypt-fetch 1 bob@example.com INBOX\nm 1 " D("a") "\n",
                                      HEAD "validity 0\n",
                                      HEAD "validity 4294967296\n",
                                      HEAD "validity 8 \n",
                                      HEAD "\n",
                                      HEAD "m 1\n",
                                      HEAD "m 1 abc\n",
                                      HEAD "m 1 " D("a") "a\n",
                                      HEAD "m 1 " D("a") " " D("1") "\n",
                                      HEAD "m 4294967296 " D("a") "\n",
                                      HEAD "m -1 " D("a") "\n",
                                      HEAD "k 1 " D("a") "\n",
                                      HEAD "k 1 " D("a") " 12\n",
                                      HEAD "x 1 " D("a") "\n",
                                      HEAD "m 1 " D("A") "\n"};
    struct fetch_state *st = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fresh();
        st = reopen(st, 0);
        fetch_state_close(&st);
        file(bad[i]);
        st = reopen(st, ERR_SYNTAX);
        CU_ASSERT_PTR_NULL(st);
    }
    fresh();
}

static void test_alone(void)
{
    struct fetch_state *st, *other = NULL;

    st = reopen(NULL, 0);
    CU_ASSERT(fetch_state_open(dir, "bob@example.com", "INBOX", &other, NULL) == ERR_RETRY && !other);
    CU_ASSERT(fetch_state_open(dir, "bob@example.com", "Archive", &other, NULL) == 0);
    fetch_state_close(&other);
    fetch_state_close(&st);
    CU_ASSERT(fetch_state_open("/nonexistent", "bob@example.com", "INBOX", &st, NULL) == ERR_SYSTEM);
}

int main(void)
{
    static const struct unit_test tests[] = {{"remembers", test_remembers},
                                             {"the server gives new numbers", test_new_numbers},
                                             {"killed while writing a line", test_killed_while_writing},
                                             {"damaged files are refused", test_damaged},
                                             {"one process at a time", test_alone}};

    return unit_main_in(dir, "fetch-state", tests, sizeof tests / sizeof *tests);
}
