/* A member's copy of a large list's message that comes twice: recognised by its mark, or put off. */
#include "lda/deliver.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/rclient.h"
#include "unit.h"

/* The service, as this test has it: it knows nobody, and no key. */
int __wrap_rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e);
int __wrap_rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e)
{
    (void)c, (void)address, (void)e;
    memset(out, 0, sizeof *out);
    out->kind = ADDRESS_NONE;
    return 0;
}

static int unfold_fails;

int __real_mime_unfold(struct span value, struct buf *out, struct err *e);
int __wrap_mime_unfold(struct span value, struct buf *out, struct err *e);
int __wrap_mime_unfold(struct span value, struct buf *out, struct err *e)
{
    static const char mark[] = " mark-of-";

    if (unfold_fails && value.len > strlen(mark) && memcmp(value.data, mark, strlen(mark)) == 0)
        return err_set(e, unfold_fails, "as told");
    return __real_mime_unfold(value, out, e);
}

static char root[] = "/tmp/test-lda-deliver.XXXXXX";

static int deliver(const char *recipient, const char *queue_id, const char *text)
{
    static char maildir[] = "%n", none[] = "";
    struct settings s = {.mail_root = root, .maildir = maildir, .user = none, .timeout = 1};
    const struct envelope env = {"list+bounce@example.com", recipient, "", queue_id, 0};
    struct verdict v;

    deliver_message(&s, NULL, &env, (struct span){(const unsigned char *)text, strlen(text)}, &v);
    return v.status;
}

/* How many messages a mailbox has. */
static int files(const char *mailbox)
{
    char folder[32];
    struct dirent *de;
    int n = 0;
    DIR *d;

    snprintf(folder, sizeof folder, "%s/new", mailbox);
    d = opendir(unit_path(root, folder));
    while (d && (de = readdir(d)))
        n += de->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

#define COPY "Received: from a by b; now\r\nX-Recrypt-Copy: mark-of-hers\r\nSubject: x\r\n\r\nbody\r\n"

static void test_mark(void)
{
    CU_ASSERT_EQUAL(deliver("bob@example.com", "4FIRST", COPY), EX_OK);
    CU_ASSERT_EQUAL(files("bob"), 1);
    CU_ASSERT_EQUAL(deliver("bob@example.com", "4SECOND", COPY), EX_OK);
    CU_ASSERT_EQUAL(files("bob"), 1);
    CU_ASSERT_EQUAL(deliver("bob@example.com", "4OTHER", COPY "another body\r\n"), EX_OK);
    CU_ASSERT_EQUAL(files("bob"), 2);
}

/* Without the mark it would be another message: it waits. */
static void test_not_read(void)
{
    CU_ASSERT_EQUAL(deliver("erin@example.com", "4FIRST", COPY), EX_OK);
    unfold_fails = ERR_SYSTEM;
    CU_ASSERT_EQUAL(deliver("erin@example.com", "4SECOND", COPY), EX_TEMPFAIL);
    CU_ASSERT_EQUAL(files("erin"), 1);
    unfold_fails = ERR_SYNTAX; /* will be the same tomorrow */
    CU_ASSERT_EQUAL(deliver("erin@example.com", "4SECOND", COPY), EX_OK);
    CU_ASSERT_EQUAL(files("erin"), 2);
    unfold_fails = 0;
}

int main(void)
{
    static const struct unit_test tests[] = {{"a copy that comes twice", test_mark},
                                             {"its mark cannot be read", test_not_read}};

    return unit_main_in(root, "lda-deliver", tests, sizeof tests / sizeof *tests);
}
