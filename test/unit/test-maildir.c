#include "common/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char root[] = "/tmp/recrypt-maildir.XXXXXX";
static char box[64];
static const char text[] = "Subject: x\n\nbody\n";

static struct span message(void)
{
    return (struct span){(const unsigned char *)text, sizeof text - 1};
}

static int deliver(const char *id, int *again)
{
    struct span s = message();

    return maildir_deliver(root, box, &maildir_private, id, &s, 1, again, NULL);
}

/* How many files the subdirectory has; the last one's path to name. */
static int count(const char *sub, char *name, size_t size)
{
    char dir[128];
    struct dirent *de;
    int n = 0;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/%s", box, sub);
    if (!(d = opendir(dir)))
        return -1;
    while ((de = readdir(d)))
        if (de->d_name[0] != '.') {
            n++;
            if (name)
                snprintf(name, size, "%s/%s", dir, de->d_name);
        }
    closedir(d);
    return n;
}

static void fresh(const char *name)
{
    snprintf(box, sizeof box, "%s/%s/Maildir", root, name);
}

static void test_plain(void)
{
    char name[512], got[64] = "";
    struct stat st;
    FILE *f;

    fresh("plain");
    CU_ASSERT(deliver(NULL, NULL) == 0 && deliver(NULL, NULL) == 0);
    CU_ASSERT(count("new", name, sizeof name) == 2 && count("tmp", NULL, 0) == 0 && count("cur", NULL, 0) == 0);
    CU_ASSERT(strstr(name, ",S=17,W=20") != NULL && strchr(strrchr(name, '/'), ':') == NULL);
    CU_ASSERT(stat(name, &st) == 0 && (st.st_mode & 07777) == 0600);
    CU_ASSERT(stat(box, &st) == 0 && (st.st_mode & 07777) == 0700);
    CU_ASSERT_FATAL((f = fopen(name, "r")) != NULL);
    CU_ASSERT(fread(got, 1, sizeof got, f) == sizeof text - 1 && strcmp(got, text) == 0);
    fclose(f);
}

static void test_pieces_and_modes(void)
{
    static const struct maildir_modes archive = {0750, 0640, (gid_t)-1};
    struct span pieces[] = {{(const unsigned char *)"A: b\n", 5}, message()};
    char name[512];
    struct stat st;

    fresh("modes");
    CU_ASSERT(maildir_deliver(root, box, &archive, NULL, pieces, 2, NULL, NULL) == 0);
    CU_ASSERT(count("new", name, sizeof name) == 1);
    CU_ASSERT(stat(name, &st) == 0 && (st.st_mode & 07777) == 0640 && st.st_size == 22);
    CU_ASSERT(stat(box, &st) == 0 && (st.st_mode & 07777) == 0750);
}

static void test_twice(void)
{
    char id[MAILDIR_ID_SIZE], name[512], moved[600];
    int again;

    fresh("twice");
    CU_ASSERT(maildir_id("Q1", "bob@x", "", message(), id, NULL) == 0 && strlen(id) == 32);
    CU_ASSERT(deliver(id, &again) == 0 && again == 0);
    CU_ASSERT(deliver(id, &again) == 0 && again == 1);
    CU_ASSERT(count("new", name, sizeof name) == 1 && count("tmp", NULL, 0) == 0);
    /* As a reader does. */
    snprintf(moved, sizeof moved, "%s/cur/%s:2,S", box, strrchr(name, '/') + 1);
    CU_ASSERT(rename(name, moved) == 0);
    CU_ASSERT(deliver(id, &again) == 0 && again == 1);
    CU_ASSERT(count("new", NULL, 0) == 0 && count("cur", NULL, 0) == 1);
}

static void test_id(void)
{
    char id[4][MAILDIR_ID_SIZE];

    maildir_id("Q1", "bob@x", "", message(), id[0], NULL);
    maildir_id("Q2", "bob@x", "", message(), id[1], NULL);
    maildir_id("Q1", "ann@x", "", message(), id[2], NULL);
    maildir_id("Q1b", "ob@x", "", message(), id[3], NULL);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(id[i], id[j]);
}

static void test_stale(void)
{
    char id[MAILDIR_ID_SIZE], host[128] = "", tmp[400], name[512];
    struct stat st;
    int fd;

    fresh("stale");
    CU_ASSERT(deliver(NULL, NULL) == 0);
    CU_ASSERT(maildir_id("Q9", "bob@x", "", message(), id, NULL) == 0);
    gethostname(host, sizeof host - 1);
    snprintf(tmp, sizeof tmp, "%s/tmp/R%s.%s", box, id, host);
    CU_ASSERT_FATAL((fd = open(tmp, O_CREAT | O_WRONLY, 0600)) >= 0);
    CU_ASSERT(write(fd, "half a message that is longer than the whole one", 48) == 48);
    /* Held by a living process: wait; left by a dead one: used up. */
    CU_ASSERT(flock(fd, LOCK_EX) == 0 && deliver(id, NULL) == ERR_RETRY);
    CU_ASSERT(count("new", NULL, 0) == 1);
    close(fd);
    CU_ASSERT(deliver(id, NULL) == 0);
    CU_ASSERT(count("new", NULL, 0) == 2 && count("tmp", NULL, 0) == 0);
    count("new", name, sizeof name);
    CU_ASSERT(stat(name, &st) == 0 && st.st_size == (off_t)sizeof text - 1);
}

static void test_full(void)
{
    struct rlimit old, small = {8, 8};

    fresh("full");
    CU_ASSERT(deliver(NULL, NULL) == 0);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    CU_ASSERT(deliver(NULL, NULL) == ERR_SYSTEM);
    setrlimit(RLIMIT_FSIZE, &old);
    CU_ASSERT(count("new", NULL, 0) == 1 && count("tmp", NULL, 0) == 0);
}

static void test_no_root(void)
{
    struct span s = message();
    struct err e;

    CU_ASSERT(maildir_deliver("/nonexistent/mail", "/nonexistent/mail/bob", &maildir_private, NULL, &s, 1, NULL, &e) ==
              ERR_SYSTEM);
    CU_ASSERT(strstr(e.text, "/nonexistent/mail") != NULL);
}

static void test_link(void)
{
    char id[MAILDIR_ID_SIZE], host[128] = "", tmp[400];

    fresh("link");
    CU_ASSERT(deliver(NULL, NULL) == 0);
    CU_ASSERT(maildir_id("Q7", "bob@x", "", message(), id, NULL) == 0);
    gethostname(host, sizeof host - 1);
    snprintf(tmp, sizeof tmp, "%s/tmp/R%s.%s", box, id, host);
    CU_ASSERT(symlink("/dev/null", tmp) == 0);
    CU_ASSERT(deliver(id, NULL) == ERR_SYSTEM);
    CU_ASSERT(count("new", NULL, 0) == 1);
}

struct seen {
    char id[8][MAILDIR_ID_SIZE], name[8][300];
    int count;
};

static int see(void *arg, const char *id, const char *name, struct err *e)
{
    struct seen *s = arg;

    (void)e;
    if (s->count == 8)
        return ERR_LIMIT;
    snprintf(s->id[s->count], sizeof *s->id, "%s", id);
    snprintf(s->name[s->count++], sizeof *s->name, "%s", name);
    return 0;
}

static void test_each(void)
{
    char id[2][MAILDIR_ID_SIZE], from[512], to[600];
    struct span s = message();
    struct seen seen = {0};

    fresh("each");
    CU_ASSERT(maildir_each(box, see, &seen, NULL) == 0 && seen.count == 0);
    maildir_id("1", "bob@x", "", message(), id[0], NULL);
    maildir_id("2", "bob@x", "", message(), id[1], NULL);
    CU_ASSERT(maildir_deliver_fresh(root, box, &maildir_private, id[0], &s, 1, NULL) == 0);
    CU_ASSERT(count("new", from, sizeof from) == 1);
    snprintf(to, sizeof to, "%s/cur%s:2,RS", box, strrchr(from, '/'));
    CU_ASSERT(rename(from, to) == 0);
    CU_ASSERT(maildir_deliver_fresh(root, box, &maildir_private, id[1], &s, 1, NULL) == 0 && deliver(NULL, NULL) == 0);
    CU_ASSERT(maildir_each(box, see, &seen, NULL) == 0 && seen.count == 2);
    CU_ASSERT_STRING_EQUAL(seen.id[0], id[1]);
    CU_ASSERT(strncmp(seen.name[0], "new/", 4) == 0);
    CU_ASSERT_STRING_EQUAL(seen.id[1], id[0]);
    CU_ASSERT_STRING_EQUAL(seen.name[1], to + strlen(box) + 1);
    seen.count = 8;
    CU_ASSERT(maildir_each(box, see, &seen, NULL) == ERR_LIMIT);
    CU_ASSERT(maildir_remove(box, id[0], NULL) == 0 && maildir_remove(box, id[0], NULL) == 0);
    seen.count = 0;
    CU_ASSERT(maildir_each(box, see, &seen, NULL) == 0 && seen.count == 1);
    CU_ASSERT(count("new", NULL, 0) == 2 && count("cur", NULL, 0) == 0);
}

int main(void)
{
    static const struct unit_test tests[] = {{"delivers, private, named with its sizes", test_plain},
                                             {"pieces; an archive's modes", test_pieces_and_modes},
                                             {"a delivery tried again is made once", test_twice},
                                             {"ids differ when the delivery does", test_id},
                                             {"a dead process's file in tmp is used up", test_stale},
                                             {"no room: nothing is left", test_full},
                                             {"no mail_root", test_no_root},
                                             {"a symbolic link in tmp is not followed", test_link},
                                             {"what is there under ids is listed and removed", test_each}};

    return unit_main_in(root, "maildir", tests, sizeof tests / sizeof *tests);
}
