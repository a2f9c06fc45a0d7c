/* A large list's message: whom a copy is sent to, who is recorded as what, and whose fault a fault is. */
#include "lda/fanout.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/mailcrypt.h"
#include "common/rclient.h"
#include "lda/deliver.h"
#include "smtp-server.h"
#include "unit.h"

#define LIST "list@example.com"
enum { MEMBERS_MAX = 8 };

/* The service, as this test has it: one job, its members on one page. */
static struct {
    const char *members[MEMBERS_MAX];
    size_t count;
    char state[MEMBERS_MAX]; /* 'w'aits, 'd'one, 'r'efused */
    const char *sender;
    atomic_int removed; /* this one is no member any more; -1 = all are */
    int pages;
    int64_t away_until; /* takes no record until then */
} service;
static char keyid[KEYID_SIZE];

static int waits(size_t i)
{
    return service.state[i] == 'w' && (int)i != atomic_load(&service.removed);
}

static int64_t serial(void)
{
    return atomic_load(&service.removed) < 0 ? 1 : 2;
}

int rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e)
{
    (void)c;
    (void)e;
    memset(out, 0, sizeof *out);
    out->kind = strstr(address, "+fanout")   ? ADDRESS_FANOUT
                : strstr(address, "+bounce") ? ADDRESS_OWNER
                                             : ADDRESS_PERSON;
    strcpy(out->account, out->kind == ADDRESS_PERSON ? address : LIST);
    return 0;
}

static void tell(struct fanout_result *out)
{
    memset(out, 0, sizeof *out);
    out->total = service.count;
    for (size_t i = 0; i < service.count; i++) {
        out->done += service.state[i] == 'd';
        out->refused += service.state[i] == 'r';
        out->waiting += (size_t)waits(i);
    }
}

int rclient_fanout_begin(struct frame_client *c, const char *account, const char *key, const char *job,
                         struct fanout_result *out, struct err *e)
{
    (void)c;
    (void)e;
    CU_ASSERT_STRING_EQUAL(account, LIST);
    CU_ASSERT_STRING_EQUAL(key, keyid);
    CU_ASSERT_EQUAL(strlen(job), 32);
    tell(out);
    return 0;
}

int rclient_fanout_next(struct frame_client *c, const char *job, const struct suite *s, const unsigned char *epk,
                        size_t epk_len, int64_t from, struct fanout_page *out, struct err *e)
{
    (void)c, (void)job, (void)epk, (void)epk_len, (void)e;
    memset(out, 0, sizeof *out);
    out->list = calloc(service.count + 1, sizeof *out->list);
    out->next = -1;
    out->serial = serial();
    service.pages++;
    for (size_t i = (size_t)from; i < service.count; i++) {
        struct fanout_member *m = &out->list[out->count];

        if (!waits(i))
            continue;
        out->count++;
        m->index = (int64_t)i;
        snprintf(m->account, sizeof m->account, "%s", service.members[i]);
        snprintf(m->sender, sizeof m->sender, "%s", service.sender);
        snprintf(m->copy, sizeof m->copy, "copy-of-%zu", i);
        memset(m->grant.tag, (int)i, sizeof m->grant.tag);
        m->grant.value_len = suite_value_len(s);
        memset(m->grant.value, (int)i, m->grant.value_len);
        m->grant.dk = strdup("statement");
    }
    return 0;
}

static void mark(const int64_t *list, size_t n, char state)
{
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(service.state[list[i]], 'w');
        service.state[list[i]] = state;
    }
}

int rclient_fanout_done(struct frame_client *c, const char *job, const int64_t *done, size_t done_count,
                        const int64_t *refused, size_t refused_count, int64_t *now, struct err *e)
{
    (void)c, (void)job;
    if (time(NULL) < service.away_until)
        return err_set(e, ERR_RETRY, "as told");
    mark(done, done_count, 'd');
    mark(refused, refused_count, 'r');
    *now = serial();
    return 0;
}

int rclient_fanout_end(struct frame_client *c, const char *job, struct fanout_result *out, struct err *e)
{
    (void)c, (void)job, (void)e;
    tell(out);
    out->ended = out->waiting == 0;
    return 0;
}

void fanout_result_clear(struct fanout_result *r)
{
    memset(r, 0, sizeof *r);
}

void fanout_page_clear(struct fanout_page *p)
{
    for (size_t i = 0; i < p->count; i++)
        grant_clear(&p->list[i].grant);
    free(p->list);
    memset(p, 0, sizeof *p);
}

void deliver_message(const struct settings *s, struct frame_client *c, const struct envelope *env, struct span msg,
                     struct verdict *out)
{
    (void)s, (void)c, (void)env, (void)msg;
    verdict_set(out, EX_SOFTWARE, "5.3.0", "not for this test");
}

/* Part 1 of that copy cannot be written, with this error. */
static int part1_fails_at, part1_error;

int __real_mailcrypt_part1(const struct mailcrypt *m, struct buf *out, struct err *e);
int __wrap_mailcrypt_part1(const struct mailcrypt *m, struct buf *out, struct err *e);
int __wrap_mailcrypt_part1(const struct mailcrypt *m, struct buf *out, struct err *e)
{
    if (part1_fails_at > 0 && --part1_fails_at == 0)
        return err_set(e, part1_error, "as told");
    return __real_mailcrypt_part1(m, out, e);
}

/* There is no memory for one field. */
int __real_mime_unfold(struct span value, struct buf *out, struct err *e);
int __wrap_mime_unfold(struct span value, struct buf *out, struct err *e);
int __wrap_mime_unfold(struct span value, struct buf *out, struct err *e)
{
    static const char which[] = " (not read)";

    if (value.len > strlen(which) && memcmp(value.data, which, strlen(which)) == 0)
        return err_set(e, ERR_SYSTEM, "as told");
    return __real_mime_unfold(value, out, e);
}

/* ---- the mail server ---- */

static struct smtp_server server;
static int pipelined, removes; /* the member who is removed while temp2@ is deferred; -1 = nobody */

static const char *answer(enum smtp_step step, const char *rcpt)
{
    switch (step) {
    case STEP_GREETING:
        return "220 hello\r\n";
    case STEP_EHLO:
        return pipelined ? "250-me\r\n250 PIPELINING\r\n" : "250 me\r\n";
    case STEP_RCPT:
        if (strncmp(rcpt, "temp", 4) != 0)
            return strncmp(rcpt, "none", 4) ? "250 ok\r\n" : "550 5.1.1 nobody\r\n";
        if (removes >= 0 && strncmp(rcpt, "temp2", 5) == 0)
            atomic_store(&service.removed, removes);
        return "450 4.2.0 later\r\n";
    case STEP_DATA:
        return strncmp(rcpt, "temp", 4) && strncmp(rcpt, "none", 4) ? "354 go\r\n" : "554 5.5.1 nobody\r\n";
    default:
        return "250 ok\r\n";
    }
}

/* ---- the message ---- */

static struct buf message;

static void compose(void)
{
    static const char trace[] = "Return-Path: <list+bounce@example.com>\r\nDelivered-To: LIST+fanout-a@example.com\r\n"
                                "X-Original-To:\r\n list+fanout-a@example.com\r\nDelivered-To: (not read) +fanout\r\n"
                                "X-Recrypt-Copy: another\r\nDelivered-To: dave@example.net\r\n";
    struct buf type = BUF_INIT, body = BUF_INIT, ciphertext = BUF_INIT;
    char udf[JWK_UDF_SIZE];
    struct jwk *key = NULL;
    struct jwe *jwe = NULL;

    if (jwk_generate("X25519", &key, NULL) < 0 || jwk_udf(key, udf) < 0 || keyid_make(LIST, udf, keyid, NULL) < 0 ||
        jwk_set_kid(key, keyid) < 0 ||
        jwe_encrypt((const struct jwk *const *)&key, 1, NULL, "hello", 5, &jwe, &ciphertext, NULL) < 0 ||
        mailcrypt_build(jwe, &ciphertext, &type, &body, NULL) < 0 ||
        buf_append(&message, trace, sizeof trace - 1) < 0 ||
        buf_printf(&message, "From: dave@example.net\r\nSubject: [...]\r\nContent-Type: %s\r\n\r\n%s", buf_str(&type),
                   buf_str(&body)) < 0)
        abort();
    jwe_free(&jwe);
    jwk_free(&key);
    buf_free(&ciphertext);
    buf_free(&type);
    buf_free(&body);
}

static void people(const char *const *members, size_t n)
{
    memset(&service, 0, sizeof service);
    for (size_t i = 0; i < n; i++) {
        service.members[i] = members[i];
        service.state[i] = 'w';
    }
    service.count = n;
    service.sender = "list+bounce-a@example.com";
    atomic_store(&service.removed, -1);
    removes = -1;
    part1_fails_at = 0;
}

static int timeout = 5;

/* One run; its exit status. */
static int run(void)
{
    struct settings s = {.timeout = timeout, .fanout_server = server.path, .fanout_batch = 1};
    struct envelope env = {"list+bounce@example.com", "list+fanout-a@example.com", "", "4TESTID", 0};
    struct buf said = BUF_INIT;
    struct verdict v;

    server.answer = answer;
    CU_ASSERT_EQUAL_FATAL(smtp_server_start(&server), 0);
    fanout_message(&s, NULL, &env, (struct span){message.data, message.len}, &v, &said);
    smtp_server_stop(&server);
    buf_free(&said);
    return v.status;
}

/* How many copies were taken for whom the name begins. */
static int copies(const char *name)
{
    char wanted[64];
    int n = 0;

    snprintf(wanted, sizeof wanted, "%s:X-Recrypt-Copy: copy-of-", name);
    for (const char *p = buf_str(&server.taken); (p = strstr(p, wanted)); p++)
        n++;
    return n;
}

/* No copy tells the address that the message came to, nor any other mark than its own. */
static void test_fields(void)
{
    static const char *const members[] = {"a@x"};

    people(members, 1);
    CU_ASSERT_EQUAL(run(), EX_OK);
    CU_ASSERT_EQUAL(copies("a"), 1);
    CU_ASSERT_PTR_NULL(strstr(buf_str(&server.taken), "fanout"));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&server.taken), "bounce"));
    CU_ASSERT_PTR_NULL(strstr(buf_str(&server.taken), "another"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&server.taken), "Delivered-To: dave@example.net"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&server.taken), "From: dave@example.net"));
}

static void test_all(void)
{
    static const char *const members[] = {"a@x", "none@x", "b@x"};

    for (pipelined = 0; pipelined < 2; pipelined++) {
        people(members, 3);
        CU_ASSERT_EQUAL(run(), EX_UNAVAILABLE);
        CU_ASSERT_EQUAL(memcmp(service.state, "drd", 3), 0);
        CU_ASSERT(copies("a") == 1 && copies("b") == 1 && copies("none") == 0);
        CU_ASSERT_EQUAL(service.pages, 1);
    }
}

/* A copy that cannot be written is nobody's refusal: she waits with those behind her, and the next run goes on. */
static void test_own_fault(void)
{
    static const char *const members[] = {"a@x", "b@x", "c@x"};
    static const int faults[] = {ERR_SYNTAX, ERR_LIMIT, ERR_SYSTEM};

    for (pipelined = 0; pipelined < 2; pipelined++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            people(members, 3);
            part1_fails_at = 2;
            part1_error = faults[i];
            CU_ASSERT_EQUAL(run(), EX_TEMPFAIL);
            CU_ASSERT_EQUAL(memcmp(service.state, "dww", 3), 0);
            CU_ASSERT(copies("a") == 1 && copies("b") == 0 && copies("c") == 0);
            CU_ASSERT_EQUAL(run(), EX_OK);
            CU_ASSERT_EQUAL(memcmp(service.state, "ddd", 3), 0);
            CU_ASSERT(copies("a") == 0 && copies("b") == 1 && copies("c") == 1);
        }
}

/* A member's address is hers, the copies' sender is not. */
static void test_addresses(void)
{
    static const char *const members[] = {"a@x", "b c@x", "d@x"};

    for (pipelined = 0; pipelined < 2; pipelined++) {
        people(members, 3);
        CU_ASSERT_EQUAL(run(), EX_UNAVAILABLE);
        CU_ASSERT_EQUAL(memcmp(service.state, "drd", 3), 0);
        people(members, 3);
        service.sender = "list bounce@example.com";
        CU_ASSERT_EQUAL(run(), EX_TEMPFAIL);
        CU_ASSERT_EQUAL(memcmp(service.state, "www", 3), 0);
        CU_ASSERT_EQUAL(server.taken.len, 0);
    }
}

/* One who is removed while another one is put off gets nothing of the page that still had her. (The one whose envelope
 * goes ahead with a copy would be answered before that copy is recorded.) */
static void test_removed(void)
{
    static const char *const members[] = {"a@x", "temp1@x", "temp2@x", "gone@x", "b@x"};

    for (pipelined = 0; pipelined < 2; pipelined++) {
        people(members, 5);
        removes = 3;
        CU_ASSERT_EQUAL(run(), EX_TEMPFAIL);
        CU_ASSERT_EQUAL(memcmp(service.state, "dwwwd", 5), 0);
        CU_ASSERT(copies("a") == 1 && copies("gone") == 0 && copies("b") == 1);
        CU_ASSERT_EQUAL(service.pages, 2);
    }
}

/* recryptd is away for longer than for one answer, with a copy sent and not recorded. */
static void test_away(void)
{
    static const char *const members[] = {"a@x", "b@x"};

    pipelined = 1;
    timeout = 1;
    people(members, 2);
    service.away_until = time(NULL) + 4;
    CU_ASSERT_EQUAL(run(), EX_OK);
    CU_ASSERT_EQUAL(memcmp(service.state, "dd", 2), 0);
    CU_ASSERT(copies("a") == 1 && copies("b") == 1);
    timeout = 5;
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"what a copy tells", test_fields},
        {"each a copy, whoever is refused", test_all},
        {"a copy that cannot be written", test_own_fault},
        {"addresses that must not be sent", test_addresses},
        {"recryptd away with a copy not recorded", test_away},
        {"removed while another one is deferred", test_removed},
    };
    int status;

    compose();
    status = unit_main("lda-fanout", tests, sizeof tests / sizeof *tests);
    smtp_server_clear(&server);
    buf_free(&message);
    return status;
}
