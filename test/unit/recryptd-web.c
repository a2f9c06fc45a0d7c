/* Configuration, HTTP, registration, signatures, lists (recryptd-tests.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "recryptd-tests.h"

/* ---- configuration and start ---- */

static void bad_configuration(const char *extra, const char *says)
{
    struct buf out = BUF_INIT;

    world_configure(&w, extra);
    CU_ASSERT_EQUAL(world_run(&w, &out, "-n", NULL), 78);
    if (!strstr(buf_str(&out), says)) {
        printf("# wanted \"%s\", got %s\n", says, buf_str(&out));
        CU_FAIL("text of the error");
    }
    buf_free(&out);
}

void test_configuration(void)
{
    struct buf out = BUF_INIT;

    world_configure(&w, "");
    CU_ASSERT_EQUAL(world_run(&w, &out, "-n", NULL), 0);
    bad_configuration("colour = \"red\"", "colour");
    bad_configuration("domains = {}", "domains");
    bad_configuration("administrators = {\"no address\"}", "administrators");
    bad_configuration("registration = \"maybe\"", "registration");
    bad_configuration("list_plaintext = \"pass\"", "list_plaintext");
    bad_configuration("person_plaintext = \"perhaps\"", "person_plaintext");
    bad_configuration("tls_certificate = \"/x\"", "tls_key");
    bad_configuration("tls_certificate = \"/x\"\ntls_key = \"/y\"", "tls_certificate");
    bad_configuration("listen_web = \"0.0.0.0:8443\"", "loopback");
    bad_configuration("url = \"\"", "url");
    bad_configuration("url = \"ftp://x\"", "url");
    bad_configuration("milter_users = {\"no-such-user\"}", "milter_users");
    bad_configuration("inline_max = 0", "inline_max");
    bad_configuration("max_body = \"1k\"", "max_body");
    bad_configuration("listen_local_mode = \"9\"", "listen_local_mode");
    bad_configuration("timeout = \"soon\"", "timeout");
    CU_ASSERT_EQUAL(world_run(&w, &out, "--nonsense", NULL), 64);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--days", "0", NULL), 64);
    CU_ASSERT_EQUAL(world_run(&w, &out, "-c", "/nonexistent", "-n", NULL), 78);
    world_configure(&w, "");
    CU_ASSERT_EQUAL(world_run(&w, &out, "--invite", "bob@example.com", NULL), 66);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "start recryptd once"));
    CU_ASSERT_EQUAL(world_run(&w, &out, "--invite", "bob@example.org", NULL), 64);
    CU_ASSERT_EQUAL(world_run(&w, &out, "--check", NULL), 66);
    buf_free(&out);
}

void test_start(void)
{
    struct stat st;
    char path[256];

    world_configure(&w, "");
    must_start();
    world_path(&w, "state/service.key", path);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    world_path(&w, "state/access.log", path);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
}

/* ---- HTTP ---- */

static void http(const char *method, const char *path, const char *type, const char *body, int wanted)
{
    struct answer a;

    CU_ASSERT_EQUAL(world_http(&w, method, path, type, body, strlen(body), &a), 0);
    if (a.http != wanted)
        printf("# %s %s %s: %d\n", method, path, body, a.http);
    CU_ASSERT_EQUAL(a.http, wanted);
    CU_ASSERT_EQUAL(strlen(a.nonce), 43);
    answer_clear(&a);
}

/* Starts a request of the largest size and leaves out its last octet. */
static int unfinished(void)
{
    enum { BODY = 16 << 20 };
    char head[256], address[64], *body = calloc(1, BODY);
    int fd = -1, n;

    snprintf(address, sizeof address, "inet:127.0.0.1:%d", w.port);
    n = snprintf(head, sizeof head, "POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Content-Type: application/jose+json\r\nContent-Length: %d\r\n\r\n", BODY);
    if (!body || conf_connect(address, 2000, &fd, NULL) || send(fd, head, (size_t)n, MSG_NOSIGNAL) != n)
        CU_FAIL("connection");
    for (int sent = 0; fd >= 0 && sent < BODY - 1; sent += n)
        if ((n = (int)send(fd, body, (size_t)(BODY - 1 - sent), MSG_NOSIGNAL)) <= 0) {
            CU_FAIL("send");
            break;
        }
    free(body);
    return fd;
}

/* Who sends much and never ends takes the room for large requests, not that for the others. */
static void large_and_small(void)
{
    int fds[4];

    for (int i = 0; i < 4; i++)
        fds[i] = unfinished();
    usleep(200000);
    for (int i = 0; i < 3; i++)
        http("POST", "/.well-known/meshrecrypt", "application/json", "{\"HelloRequest\":{}}", 200);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

void test_http(void)
{
    static const char p[] = "/.well-known/meshrecrypt", json[] = "application/json", jose[] = "application/jose+json";
    char *big = malloc(200000);

    http("POST", p, json, "{\"HelloRequest\":{}}", 200);
    http("POST", p, "application/json; charset=utf-8", "{\"HelloRequest\":{}}", 200);
    http("GET", p, json, "", 405);
    http("POST", "/", json, "{\"HelloRequest\":{}}", 404);
    http("POST", p, "text/plain", "{\"HelloRequest\":{}}", 415);
    http("POST", p, NULL, "{\"HelloRequest\":{}}", 415);
    http("POST", p, json, "", 400);
    http("POST", p, json, "{\"HelloRequest\":{}", 400);
    http("POST", p, json, "{\"HelloRequest\":{},\"HelloRequest\":{}}", 400);
    http("POST", p, json, "{\"HelloRequest\":{},\"GetKeyRequest\":{}}", 400);
    http("POST", p, json, "{\"HelloRequest\":[]}", 400);
    http("POST", p, json, "{\"Hello\":{}}", 400);
    http("POST", p, json, "{\"DanceRequest\":{}}", 400);
    http("POST", p, json, "{\"ExpandRequest\":{}}", 400);
    http("POST", p, json, "{\"SetRequest\":{}}", 401);
    http("POST", p, json, "{\"RecryptDataRequest\":{}}", 401);
    http("POST", p, json, "[]", 400);
    http("POST", p, json, "{\"GetKeyRequest\":{}}", 400);
    http("POST", p, json, "{\"GetKeyRequest\":{\"GroupID\":\"nobody@example.com\"}}", 404);
    http("POST", p, json, "{\"GetKeyRequest\":{\"GroupID\":\"rubbish\"}}", 400);
    http("POST", p, jose, "{\"HelloRequest\":{}}", 400);
    memset(big, ' ', 199999);
    big[199999] = '\0';
    http("POST", p, json, big, 413);
    http("POST", p, jose, big, 400);
    free(big);
    large_and_small();
}

/* ---- registration ---- */

void test_registration(void)
{
    struct who mallory, plus, abroad;
    struct buf out = BUF_INIT;
    char token[128] = "";

    CU_ASSERT_EQUAL(set_person(&alice, NULL), 401);
    CU_ASSERT_EQUAL(set_person(&alice, "AAAA"), 401);
    invite("bob@example.com", token);
    CU_ASSERT_EQUAL(set_person(&alice, token), 401);
    invite("alice@example.com", token);
    token[20] = token[20] == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(set_person(&alice, token), 401);
    CU_ASSERT_EQUAL(register_person(&alice), 201);
    CU_ASSERT_EQUAL(set_person(&alice, NULL), 201); /* the very same again: an answer was lost */
    CU_ASSERT_EQUAL(register_person(&bob), 201);
    CU_ASSERT_EQUAL(register_person(&dave), 201);

    who_make(&mallory, "bob@example.com", "X25519");
    CU_ASSERT_EQUAL(register_person(&mallory), 409);
    /* signed by another key than the one that the profile names */
    CU_ASSERT_EQUAL(world_status(&w, mallory.sign, "Set", J("{'Person':{'Profile':'%s'}}", buf_str(&bob.text))), 401);
    CU_ASSERT_EQUAL(world_status(&w, dave.sign, "Set", J("{'Person':{'Profile':'%s'}}", buf_str(&bob.text))), 401);
    who_make(&plus, "bob+x@example.com", "X25519");
    CU_ASSERT_EQUAL(set_person(&plus, token), 400);
    who_make(&abroad, "bob@example.org", "X25519");
    CU_ASSERT_EQUAL(set_person(&abroad, token), 401);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Set", J("{'Person':{'Profile':'rubbish'}}")), 400);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Set", J("{'Person':{}}")), 400);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Set", J("{}")), 400);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Set", J("{'Horse':{}}")), 400);
    who_clear(&mallory);
    who_clear(&plus);
    who_clear(&abroad);
    buf_free(&out);
}

void test_new_person_key(void)
{
    char old[KEYID_SIZE];

    memcpy(old, dave.profile.keyid, sizeof old);
    jwk_free(&dave.key);
    CU_ASSERT_EQUAL(jwk_generate("P-256", &dave.key, NULL), 0);
    who_sign(&dave, NULL, 1);
    CU_ASSERT_EQUAL(set_person(&dave, NULL), 409);
    who_sign(&dave, NULL, 2);
    CU_ASSERT_EQUAL(set_person(&dave, NULL), 202);
    check_key("dave@example.com", "current", &dave);
    check_key(dave.profile.keyid, "current", &dave);
    check_key(old, "archived", &dave);
}

/* ---- who signs ---- */

static void spoiled(const struct jwk *signer, const struct spoil *s, int wanted, const char *says)
{
    struct answer a;

    CU_ASSERT_EQUAL(world_call(&w, signer, "Select", J("{'Kind':'groups'}"), s, &a), 0);
    CU_ASSERT_EQUAL(a.status, wanted);
    if (a.status != wanted || (says && !strstr(a.text, says)))
        printf("# %d %s\n", (int)a.status, a.text);
    CU_ASSERT(!says || strstr(a.text, says));
    answer_clear(&a);
}

void test_signatures(void)
{
    struct answer hello, a;
    struct spoil s = {0};
    struct who stranger;

    spoiled(alice.sign, NULL, 201, NULL);
    s = (struct spoil){.flip = 1};
    spoiled(alice.sign, &s, 401, "unauthorized");
    who_make(&stranger, "x@example.com", "X25519");
    spoiled(stranger.sign, NULL, 401, "unauthorized");
    jwk_free(&stranger.sign);
    CU_ASSERT_EQUAL(jwk_generate("ES256", &stranger.sign, NULL), 0);
    spoiled(stranger.sign, NULL, 401, "unauthorized");
    s = (struct spoil){.url = "http://127.0.0.1:1/.well-known/meshrecrypt"};
    spoiled(alice.sign, &s, 401, "url");
    s = (struct spoil){.iat_off = 400};
    spoiled(alice.sign, &s, 401, "iat");
    s = (struct spoil){.iat_off = -400};
    spoiled(alice.sign, &s, 401, "iat");
    s = (struct spoil){.iat_off = -200};
    spoiled(alice.sign, &s, 201, NULL);
    s = (struct spoil){.nonce = "AAAA"};
    spoiled(alice.sign, &s, 401, "nonce");
    s = (struct spoil){.nonce = ""};
    spoiled(alice.sign, &s, 401, "nonce");

    CU_ASSERT_EQUAL(world_call(&w, NULL, "Hello", J("{}"), NULL, &hello), 0);
    s = (struct spoil){.nonce = hello.nonce, .flip = 1};
    spoiled(alice.sign, &s, 401, "unauthorized"); /* does not use the nonce up */
    s = (struct spoil){.nonce = hello.nonce};
    spoiled(alice.sign, &s, 201, NULL);
    spoiled(alice.sign, &s, 401, "nonce");
    answer_clear(&hello);

    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Dance", J("{}"), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 400);
    CU_ASSERT_STRING_EQUAL(a.name, "ErrorResponse");
    answer_clear(&a);
    who_clear(&stranger);
}

/* ---- lists ---- */

void test_new_list(void)
{
    struct who other;
    struct roster r;

    who_make_list(&list, "list@example.com", &alice, "X25519", 1);
    first_roster(&list, &roster);
    who_make_list(&other, "bobs@example.com", &bob, "X25519", 1);
    first_roster(&other, &r);
    CU_ASSERT_EQUAL(set_group(&other, bob.sign, &r, ""), 401);     /* no administrator */
    CU_ASSERT_EQUAL(set_group(&list, bob.sign, &roster, ""), 401); /* not the owner */
    r = roster;
    r.serial = 2;
    CU_ASSERT_EQUAL(set_group(&list, alice.sign, &r, ""), 400);
    CU_ASSERT_EQUAL(set_group(&list, alice.sign, &roster, ",'Policy':{'Plaintext':'pass'}"), 400);
    CU_ASSERT_EQUAL(set_group(&list, alice.sign, &roster, ",'Policy':{'Colour':'red'}"), 400);
    CU_ASSERT_EQUAL(set_group(&list, alice.sign, &roster, ",'Policy':{'Archive':true,'MaxSize':1000000}"), 201);
    CU_ASSERT_EQUAL(set_group(&list, alice.sign, &roster, ""), 201); /* the very same again */
    who_clear(&other);
    who_make_list(&other, "list@example.com", &alice, "X25519", 1);
    first_roster(&other, &r);
    CU_ASSERT_EQUAL(set_group(&other, alice.sign, &r, ""), 409);
    who_clear(&other);
    who_make_list(&other, "bob@example.com", &alice, "X25519", 1);
    first_roster(&other, &r);
    CU_ASSERT_EQUAL(set_group(&other, alice.sign, &r, ""), 409); /* a person's address */
    who_clear(&other);
    who_make_list(&other, "list@example.org", &alice, "X25519", 1);
    first_roster(&other, &r);
    CU_ASSERT_EQUAL(set_group(&other, alice.sign, &r, ""), 401); /* not our domain */
    who_clear(&other);
    check_key("list@example.com", "current", &list);
}

void test_get_and_select(void)
{
    struct json_object *groups;
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL(world_status(&w, bob.sign, "Get", J("{'Group':'list@example.com'}")), 401);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Get", J("{'Group':'none@example.com'}")), 404);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Get", J("{'Group':'alice@example.com'}")), 201);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Get", J("{'Group':7}")), 400);
    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Get", J("{'Group':'List@Example.COM'}"), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 201);
    CU_ASSERT(!sjson_bool(a.body, "Quarantine", &yes, NULL) && !yes);
    CU_ASSERT(sjson_has(a.body, "Profile") && sjson_has(a.body, "Roster") && sjson_has(a.body, "Keys"));
    answer_clear(&a);
    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Select", J("{'Kind':'groups'}"), NULL, &a), 0);
    CU_ASSERT(!sjson_array(a.body, "Groups", &groups, NULL) && json_object_array_length(groups) == 1);
    answer_clear(&a);
    CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Select", J("{'Kind':'horses'}")), 400);
    CU_ASSERT_EQUAL(
        world_status(&w, alice.sign, "Set", J("{'Policy':{'Group':'list@example.com','Policy':{'MaxSize':-1}}}")), 400);
    CU_ASSERT_EQUAL(
        world_status(&w, bob.sign, "Set", J("{'Policy':{'Group':'list@example.com','Policy':{'MaxSize':1}}}")), 401);
    CU_ASSERT_EQUAL(
        world_status(&w, alice.sign, "Set", J("{'Policy':{'Group':'list@example.com','Policy':{'MaxSize':2000000}}}")),
        202);
}
