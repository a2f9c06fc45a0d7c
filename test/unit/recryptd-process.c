/* Reload, restart, large lists, damage (recryptd-tests.h). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf.h"
#include "keystore/keystore.h"
#include "recryptd-tests.h"

/* ---- the process ---- */

void test_reload(void)
{
    struct frame_client *c = client();
    struct address_info info;

    world_configure(&w, "person_plaintext = \"reject\"");
    world_signal(&w, SIGHUP);
    for (int i = 0; i < 200; i++) {
        CU_ASSERT_EQUAL(rclient_resolve(c, "bob@example.com", &info, NULL), 0);
        if (info.plaintext == PLAINTEXT_REJECT)
            break;
        usleep(10000);
    }
    CU_ASSERT_EQUAL(info.plaintext, PLAINTEXT_REJECT);
    world_configure(&w, "person_plaintext = \"nonsense\"");
    world_signal(&w, SIGHUP);
    CU_ASSERT(world_logged(&w, "the former configuration stays in force"));
    CU_ASSERT_EQUAL(rclient_resolve(c, "bob@example.com", &info, NULL), 0);
    CU_ASSERT_EQUAL(info.plaintext, PLAINTEXT_REJECT);
    world_configure(&w, "");
    frame_client_free(&c);
}

void test_log_rotation(void)
{
    char path[256], rotated[256];
    struct buf b = BUF_INIT;

    world_path(&w, "state/access.log", path);
    world_path(&w, "state/access.log.1", rotated);
    CU_ASSERT_EQUAL(file_read(path, 1 << 24, &b, NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&b), " RecryptData list@example.com.mm--"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&b), " 201 grant:bob@example.com\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&b), " 201 grants:2\n"));
    CU_ASSERT_EQUAL(rename(path, rotated), 0);
    world_signal(&w, SIGHUP);
    for (int i = 0; i < 200 && access(path, F_OK); i++)
        usleep(10000);
    CU_ASSERT_EQUAL(world_status(&w, NULL, "Hello", J("{}")), 201);
    buf_reset(&b);
    CU_ASSERT_EQUAL(file_read(path, 1 << 24, &b, NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&b), " Hello "));
    buf_free(&b);
}

void test_second(void)
{
    struct buf out = BUF_INIT;
    struct world other = w;
    char socket[192];

    CU_ASSERT_EQUAL(world_run(&w, &out, "-f", NULL), 73);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "listens"));
    /* another socket, no web, the same store */
    world_path(&w, "second.conf", other.conf);
    snprintf(socket, sizeof socket, "%s/s2", w.dir);
    memcpy(other.socket, socket, sizeof socket);
    world_configure(&other, "listen_web = \"\"");
    CU_ASSERT_EQUAL(world_run(&other, &out, "-f", NULL), 73);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "keystore"));
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 73);
    CU_ASSERT_EQUAL(world_status(&w, NULL, "Hello", J("{}")), 201);
    buf_free(&out);
}

void test_restart(void)
{
    struct buf out = BUF_INIT;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    CU_ASSERT(access(w.socket, F_OK) != 0);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 0);
    if (!strstr(buf_str(&out), "no fault"))
        printf("# %s\n", buf_str(&out));
    world_configure(&w, "");
    must_start();
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    CU_ASSERT_EQUAL(grant_status(&carol, &list), 404);
    /* killed, not stopped: what was acknowledged is there */
    world_signal(&w, SIGKILL);
    world_stop(&w);
    must_start();
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    buf_free(&out);
}

void test_quota(void)
{
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "quota = 2");
    must_start();
    CU_ASSERT_EQUAL(grant_status(&bob, &list), 201);
    CU_ASSERT_EQUAL(grant_status(&bob, &list), 201);
    CU_ASSERT_EQUAL(grant_status(&bob, &list), 503);
    CU_ASSERT_EQUAL(grant_status(&erin, &list), 201);
    CU_ASSERT_EQUAL(grant_status(&dave, &list), 404);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "");
    must_start();
}

/* What cannot be logged is not given; what is no grant is answered all the same. */
void test_log_full(void)
{
    struct frame_client *c;
    struct expansion x;
    struct sealed m;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "access_log = \"/dev/full\"");
    must_start();
    CU_ASSERT_EQUAL(grant_status(&bob, &list), 503);
    CU_ASSERT_EQUAL(grant_status(&dave, &list), 404);
    c = client();
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    CU_ASSERT_EQUAL(rclient_expand(c, list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &x, NULL), ERR_RETRY);
    sealed_clear(&m);
    frame_client_free(&c);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "");
    must_start();
}

/* How many the first page has: nobody's addresses and marks are another's. */
static size_t take_page(struct frame_client *c, const char *job, const struct sealed *m, int64_t *serial)
{
    struct fanout_page p;
    size_t n;

    CU_ASSERT_EQUAL_FATAL(rclient_fanout_next(c, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, NULL), 0);
    n = p.count;
    *serial = p.serial;
    CU_ASSERT_EQUAL(p.next, -1);
    for (size_t i = 0; i < p.count; i++) {
        CU_ASSERT_EQUAL(strncmp(p.list[i].sender, "list+bounce-", 12), 0);
        CU_ASSERT_EQUAL(strlen(p.list[i].copy), 22);
        CU_ASSERT_PTR_NOT_NULL(p.list[i].grant.dk);
        for (size_t k = 0; k < i; k++) {
            CU_ASSERT(strcmp(p.list[i].sender, p.list[k].sender) != 0);
            CU_ASSERT(strcmp(p.list[i].copy, p.list[k].copy) != 0);
        }
    }
    fanout_page_clear(&p);
    return n;
}

/* A mail server may have two delivery agents at one message: the second waits until the first has ended. */
static void one_at_a_time(struct frame_client **first, const char *job, const struct sealed *m)
{
    struct frame_client *second = client();
    struct fanout_result res;
    struct fanout_page p;
    int64_t now, index = 0;
    struct err e;
    int rc = ERR_RETRY;

    CU_ASSERT_EQUAL(rclient_fanout_begin(second, "list@example.com", list.profile.keyid, job, &res, &e), ERR_RETRY);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another delivery agent"));
    CU_ASSERT_EQUAL(rclient_fanout_next(second, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(rclient_fanout_done(second, job, &index, 1, NULL, 0, &now, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(rclient_fanout_end(second, job, &res, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(rclient_fanout_next(*first, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, &e), 0);
    fanout_page_clear(&p);
    frame_client_free(first);
    for (int i = 0; i < 100 && rc == ERR_RETRY; i++) {
        rc = rclient_fanout_begin(second, "list@example.com", list.profile.keyid, job, &res, &e);
        fanout_result_clear(&res);
        usleep(10000);
    }
    CU_ASSERT_EQUAL(rc, 0);
    *first = second;
}

/* Whose FanoutEnd was answered holds up nobody, though its connection stays. */
static void free_at_the_end(struct frame_client **first, const char *job, const struct sealed *m, size_t waiting)
{
    struct frame_client *second = client();
    struct fanout_result res;
    int64_t serial;
    struct err e;

    CU_ASSERT_EQUAL(take_page(*first, job, m, &serial), waiting);
    CU_ASSERT_EQUAL(rclient_fanout_begin(second, "list@example.com", list.profile.keyid, job, &res, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(rclient_fanout_end(*first, job, &res, &e), 0);
    CU_ASSERT(!res.ended && res.waiting == waiting);
    fanout_result_clear(&res);
    CU_ASSERT_EQUAL(rclient_fanout_begin(second, "list@example.com", list.profile.keyid, job, &res, &e), 0);
    fanout_result_clear(&res);
    CU_ASSERT_EQUAL(take_page(second, job, m, &serial), waiting);
    CU_ASSERT_EQUAL(rclient_fanout_end(*first, job, &res, &e), ERR_RETRY);
    frame_client_free(first);
    *first = second;
}

/* One recipient, whom only the delivery agent may take apart. */
static void fanout_address(struct frame_client *c, const struct sealed *m)
{
    struct address_info info;
    struct expansion x;

    CU_ASSERT_EQUAL(rclient_expand(c, list.profile.keyid, m->to.suite, m->to.epk, m->to.epk_len, &x, NULL), 0);
    CU_ASSERT_EQUAL(x.grant_count, 0);
    CU_ASSERT(x.recipient_count >= 1 && x.recipient_count <= 2); /* and an archive */
    for (size_t i = 0; i < x.recipient_count; i++) {
        CU_ASSERT_EQUAL(rclient_resolve(c, x.recipients[i], &info, NULL), 0);
        CU_ASSERT(info.kind == ADDRESS_FANOUT || info.kind == ADDRESS_ARCHIVE);
        CU_ASSERT_STRING_EQUAL(info.account, "list@example.com");
    }
    expansion_clear(&x);
    CU_ASSERT_EQUAL(rclient_resolve(c, "list+fanout-aaaaaaaaaaaaaaaaaaaaaa@example.com", &info, NULL), 0);
    CU_ASSERT_EQUAL(info.kind, ADDRESS_RESERVED);
}

/* Begins the job, and what is no job is refused; how many members it has. */
static size_t fanout_begins(struct frame_client *c, const char *job, const struct sealed *m)
{
    struct fanout_result res;
    struct fanout_page p;
    struct err e;
    size_t members;

    CU_ASSERT_EQUAL(rclient_fanout_begin(c, "list@example.com", list.profile.keyid, "short", &res, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(rclient_fanout_begin(c, "bob@example.com", list.profile.keyid, job, &res, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_fanout_begin(c, "list@example.com", bob.profile.keyid, job, &res, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_fanout_next(c, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL_FATAL(rclient_fanout_begin(c, "list@example.com", list.profile.keyid, job, &res, &e), 0);
    members = res.total;
    CU_ASSERT(members >= 2 && !res.ended);
    fanout_result_clear(&res);
    return members;
}

/* One is recorded; an index that is none changes nothing. */
static void fanout_records(struct frame_client *c, const char *job, const struct sealed *m, size_t members)
{
    int64_t serial, again, now, first = 0, wrong = 99;
    struct fanout_result res;
    struct err e;

    CU_ASSERT_EQUAL(take_page(c, job, m, &serial), members);
    CU_ASSERT_EQUAL(rclient_fanout_done(c, job, &wrong, 1, NULL, 0, &now, &e), ERR_SYNTAX);
    CU_ASSERT_EQUAL(rclient_fanout_done(c, job, &first, 1, NULL, 0, &now, &e), 0);
    CU_ASSERT_EQUAL(now, serial);
    CU_ASSERT_EQUAL(take_page(c, job, m, &again), members - 1);
    CU_ASSERT_EQUAL(rclient_fanout_end(c, job, &res, &e), 0);
    CU_ASSERT(!res.ended && res.waiting == members - 1 && res.done == 1);
    fanout_result_clear(&res);
}

/* A copy's bounce address is the owner's; one that nobody was given is not. */
static void bounce_address(struct frame_client *c, const char *sender)
{
    struct address_info info;
    char bounce[ADDRESS_SIZE];

    snprintf(bounce, sizeof bounce, "%s", sender);
    CU_ASSERT_EQUAL(rclient_resolve(c, bounce, &info, NULL), 0);
    CU_ASSERT_EQUAL(info.kind, ADDRESS_OWNER);
    bounce[strcspn(bounce, "@") - 1] ^= 1;
    CU_ASSERT_EQUAL(rclient_resolve(c, bounce, &info, NULL), 0);
    CU_ASSERT_EQUAL(info.kind, ADDRESS_RESERVED);
}

/* After a crash what was recorded is on disk; all the others are refused for good. */
static void fanout_goes_on(struct frame_client *c, const char *job, const struct sealed *m, size_t members)
{
    struct fanout_result res;
    struct fanout_page p;
    struct err e;
    int64_t now;

    CU_ASSERT_EQUAL(rclient_fanout_begin(c, "list@example.com", list.profile.keyid, job, &res, &e), 0);
    CU_ASSERT(!res.ended && res.total == members);
    fanout_result_clear(&res);
    CU_ASSERT_EQUAL_FATAL(rclient_fanout_next(c, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, &e), 0);
    CU_ASSERT_EQUAL_FATAL(p.count, members - 1);
    bounce_address(c, p.list[0].sender);
    for (size_t i = 0; i < p.count; i++)
        CU_ASSERT_EQUAL(rclient_fanout_done(c, job, NULL, 0, &p.list[i].index, 1, &now, &e), 0);
    CU_ASSERT_EQUAL(rclient_fanout_end(c, job, &res, &e), 0);
    CU_ASSERT(res.ended && res.done == 1 && res.refused == members - 1 && res.name_count == members - 1);
    CU_ASSERT_STRING_EQUAL(res.names[0], p.list[0].account);
    fanout_result_clear(&res);
    fanout_page_clear(&p);
}

/* The same message again, after the end: nobody gets it. */
static void fanout_ended(struct frame_client *c, const char *job, const struct sealed *m, size_t members)
{
    struct fanout_result res;
    struct fanout_page p;
    struct err e;
    int64_t now, first = 0;

    CU_ASSERT_EQUAL(rclient_fanout_begin(c, "list@example.com", list.profile.keyid, job, &res, &e), 0);
    CU_ASSERT(res.ended && res.refused == members - 1);
    fanout_result_clear(&res);
    CU_ASSERT_EQUAL(rclient_fanout_next(c, job, m->to.suite, m->to.epk, m->to.epk_len, 0, &p, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(rclient_fanout_done(c, job, &first, 1, NULL, 0, &now, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(rclient_fanout_end(c, "ffffffffffffffffffffffffffffffff", &res, &e), ERR_ABSENT);
}

/* Two members and a limit of one; step by step, with a crash and repeated requests on the way. */
void test_fanout(void)
{
    static const char job[] = "0123456789abcdef0123456789abcdef";
    struct frame_client *c;
    struct sealed m;
    size_t members;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "inline_max = 1");
    must_start();
    c = client();
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    fanout_address(c, &m);
    members = fanout_begins(c, job, &m);
    one_at_a_time(&c, job, &m);
    fanout_records(c, job, &m, members);
    free_at_the_end(&c, job, &m, members - 1);
    CU_ASSERT_EQUAL(kill(w.pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(w.pid, NULL, 0), w.pid);
    w.pid = 0;
    must_start();
    fanout_goes_on(c, job, &m, members);
    fanout_ended(c, job, &m, members);
    sealed_clear(&m);
    frame_client_free(&c);
}

/* The limit was lowered under a list: it does not grow, and can shrink. */
void test_over_limit(void)
{
    static const char job[] = "ffffffffffffffffffffffffffffffff";
    struct fanout_result res;
    int64_t serial = 0, now = 0;
    struct frame_client *c;
    size_t n;
    struct expansion x;
    struct sealed m;

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_configure(&w, "list_max = 1");
    must_start();
    c = client();
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    CU_ASSERT_EQUAL_FATAL(rclient_fanout_begin(c, "list@example.com", list.profile.keyid, job, &res, NULL), 0);
    fanout_result_clear(&res);
    n = take_page(c, job, &m, &serial);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    put_member(&dave);
    CU_ASSERT_EQUAL(add_member(&dave, NULL, 0, 70), 409);
    CU_ASSERT_EQUAL(roster_remove(&roster, dave.address, NULL), 0);
    CU_ASSERT_EQUAL(roster_remove(&roster, erin.address, NULL), 0);
    CU_ASSERT_EQUAL(delete_member("erin@example.com", 70), 201);
    /* a fan-out that runs passes her over, and says that something changed */
    CU_ASSERT_EQUAL(take_page(c, job, &m, &now), n - 1);
    CU_ASSERT(now > serial);
    CU_ASSERT_EQUAL(rclient_expand(c, list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &x, NULL), 0);
    CU_ASSERT_EQUAL(x.grant_count, 8);
    expansion_clear(&x);
    sealed_clear(&m);
    frame_client_free(&c);
}

static void set_raw(const char *store, enum keystore_table t, const void *key, size_t key_len, const char *value)
{
    void *state;
    struct err e;

    world_as_service(1);
    CU_ASSERT_EQUAL_FATAL(keystore_berkeley.open(store, 0, 0, &state, &e), 0);
    CU_ASSERT_EQUAL(keystore_berkeley.begin(state, &e), 0);
    CU_ASSERT_EQUAL(keystore_berkeley.put(state, t, key, key_len, value, strlen(value), &e), 0);
    CU_ASSERT_EQUAL(keystore_berkeley.commit(state, &e), 0);
    keystore_berkeley.close(state);
    world_as_service(0);
}

static void fails(int status, const char *says, const char *option)
{
    struct buf out = BUF_INIT;
    int got = world_run(&w, &out, option, NULL);

    if (got != status || !strstr(buf_str(&out), says))
        printf("# status %d, wanted %d with \"%s\": %s\n", got, status, says, buf_str(&out));
    CU_ASSERT_EQUAL(got, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), says));
    buf_free(&out);
}

void test_store_faults(void)
{
    char store[256], key[256], aside[256];

    CU_ASSERT_EQUAL(world_stop(&w), 0);
    world_path(&w, "state/keystore", store);
    world_path(&w, "state/service.key", key);
    world_path(&w, "service.key.aside", aside);
    CU_ASSERT_EQUAL(chmod(key, 0640), 0);
    fails(77, "0600", "-f");
    CU_ASSERT_EQUAL(chmod(key, 0600), 0);
    CU_ASSERT_EQUAL(rename(key, aside), 0);
    fails(65, "restore it from a backup", "-f");
    CU_ASSERT(access(key, F_OK) != 0);
    CU_ASSERT_EQUAL(rename(aside, key), 0);
    set_raw(store, KEYSTORE_META, "service", 7, "AAAAA-AAAAA");
    fails(65, "service key", "-f");
    set_raw(store, KEYSTORE_META, "service", 7, jwk_kid(w.service_key));
    fails(0, "no fault", "--check");
    set_raw(store, KEYSTORE_ENTRIES, "x\0y", 3, "rubbish");
    set_raw(store, KEYSTORE_ACCOUNTS, "dave@example.com", 16, "{\"v\":1}");
    fails(65, "dave@example.com", "--check");
    set_raw(store, KEYSTORE_META, "format", 6, "2");
    fails(65, "newer", "-f");
    fails(65, "newer", "--check");
}
