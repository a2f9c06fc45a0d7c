#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "recrypt/web.h"
#include "unit.h"

static void test_url(void)
{
    static const struct {
        const char *text, *url; /* NULL = refused */
    } cases[] = {
        {"https://mail.example.com", "https://mail.example.com" WEB_PATH},
        {"https://mail.example.com/", "https://mail.example.com" WEB_PATH},
        {"https://mail.example.com:8443/x", "https://mail.example.com:8443/x"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080" WEB_PATH},
        {"http://127.0.0.2/y", "http://127.0.0.2/y"},
        {"http://[::1]:80", "http://[::1]:80" WEB_PATH},
        {"http://localhost:1", "http://localhost:1" WEB_PATH},
        {"http://mail.example.com", NULL},
        {"http://127.0.0.1.example.com", NULL},
        {"http://127.evil.example", NULL},
        {"http://localhost.example.com", NULL},
        {"http://localhost@example.com", NULL},
        {"http://127.0.0.1@example.com/", NULL},
        {"https://user@example.com/", NULL},
        {"https://example.com/?a", NULL},
        {"https://example.com/#a", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"http://[::1", NULL},
        {"ftp://example.com", NULL},
        {"file:///etc/passwd", NULL},
        {"https://exa mple.com", NULL},
        {"https://example.com/\n", NULL},
        {"", NULL},
    };
    struct buf out = BUF_INIT;
    int r;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        r = web_url(cases[i].text, &out, NULL);
        CU_ASSERT_EQUAL(r, cases[i].url ? 0 : ERR_USAGE);
        if (cases[i].url && strcmp(buf_str(&out), cases[i].url) != 0) {
            printf("# %s -> %s\n", cases[i].text, buf_str(&out));
            CU_FAIL("another URL");
        }
    }
    buf_free(&out);
}

static void test_reply(void)
{
    static const struct {
        const char *text;
        int expected;
    } cases[] = {
        {"{\"SetResponse\":{\"Status\":201,\"StatusDescription\":\"done\",\"x\":1}}", 0},
        {"{\"SetResponse\":{\"Status\":202,\"StatusDescription\":\"done\"}}", 0},
        {"{\"SetResponse\":{\"Status\":400,\"StatusDescription\":\"bad\"}}", ERR_SYNTAX},
        {"{\"SetResponse\":{\"Status\":401,\"StatusDescription\":\"nonce\"}}", ERR_DENIED},
        {"{\"SetResponse\":{\"Status\":404,\"StatusDescription\":\"no\"}}", ERR_ABSENT},
        {"{\"SetResponse\":{\"Status\":409,\"StatusDescription\":\"is there\"}}", ERR_EXISTS},
        {"{\"SetResponse\":{\"Status\":503,\"StatusDescription\":\"busy\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":200,\"StatusDescription\":\"not ours\"}}", ERR_RETRY},
        {"{\"GetResponse\":{\"Status\":201,\"StatusDescription\":\"other\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":\"201\",\"StatusDescription\":\"text\"}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":201}}", ERR_RETRY},
        {"{\"SetResponse\":{\"Status\":404,\"Status\":201,\"StatusDescription\":\"twice\"}}", ERR_RETRY},
        {"<html>301 Moved</html>", ERR_RETRY},
        {"", ERR_RETRY},
    };
    struct json_object *reply;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(web_reply("Set", cases[i].text, strlen(cases[i].text), &reply, NULL), cases[i].expected);
        CU_ASSERT_EQUAL(reply != NULL, cases[i].expected == 0);
        json_object_put(reply);
    }
}

static void test_signed(void)
{
    struct json_object *body = json_object_new_object(), *payload = NULL;
    struct jwk *key = NULL, *other = NULL;
    struct buf text = BUF_INIT;
    const char *value;
    struct jws j;
    int64_t iat;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &key, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_generate("Ed25519", &other, NULL), 0);
    CU_ASSERT_EQUAL(web_request("https://a.example/x", "Get", body, key, "N0nce", &text, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jws_parse(text.data, text.len, &j, NULL), 0);
    CU_ASSERT_EQUAL(jws_verify(&j, key, NULL, 0, NULL), 0);
    CU_ASSERT_EQUAL(jws_verify(&j, other, NULL, 0, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(sjson_string(j.header, "nonce", &value, NULL), 0);
    CU_ASSERT_STRING_EQUAL(value, "N0nce");
    CU_ASSERT_EQUAL(sjson_string(j.header, "url", &value, NULL), 0);
    CU_ASSERT_STRING_EQUAL(value, "https://a.example/x");
    CU_ASSERT_EQUAL(sjson_int(j.header, "iat", &iat, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&j.payload), "{\"GetRequest\":{}}");
    jws_clear(&j);
    buf_reset(&text);
    CU_ASSERT_EQUAL(web_request("https://a.example/x", "Get", body, NULL, NULL, &text, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(text.data, "{\"GetRequest\":{}}", text.len), 0);
    json_object_put(body);
    json_object_put(payload);
    jwk_free(&key);
    jwk_free(&other);
    buf_free(&text);
}

static void test_nobody_there(void)
{
    struct json_object *body = json_object_new_object(), *reply;
    struct web *w = NULL;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(web_new("http://127.0.0.1:1", NULL, &w, NULL), 0);
    CU_ASSERT_EQUAL(web_call(w, "Hello", body, NULL, &reply, &e), ERR_RETRY);
    CU_ASSERT_PTR_NULL(reply);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "127.0.0.1:1"));
    web_free(&w);
    json_object_put(body);
}

/* ---- connections ---- */

/* A service that answers whatever it is asked, and what it was asked on how many connections. */
static struct {
    int listening, connections;
    char asked[256];            /* "Hello,Get," */
    const char *closes_after;   /* the request after whose answer it closes the connection; NULL = none */
    const char *never_answers;  /* closes the connection instead */
    pthread_t thread, talks[8]; /* one a connection; they take turns, since the client does one thing at a time */
} svc;

/* One request's name; 0 when the client has gone. */
static int read_request(FILE *in, char name[32])
{
    char line[512], *body;
    size_t len = 0;

    while (fgets(line, sizeof line, in) && strcmp(line, "\r\n") != 0)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            len = strtoul(line + 15, NULL, 10);
    if (!len || !(body = calloc(1, len + 1)))
        return 0;
    if (fread(body, 1, len, in) != len || sscanf(body, "{\"%31[A-Za-z]", name) != 1)
        *name = 0;
    free(body);
    if (strlen(name) > 7)
        name[strlen(name) - 7] = 0; /* "Request" */
    return *name != 0;
}

static void *talk(void *arg)
{
    FILE *f = fdopen((int)(intptr_t)arg, "r+");
    char name[32], text[128];

    while (f && read_request(f, name)) {
        snprintf(svc.asked + strlen(svc.asked), sizeof svc.asked - strlen(svc.asked), "%s,", name);
        if (svc.never_answers && strcmp(name, svc.never_answers) == 0)
            break;
        snprintf(text, sizeof text, "{\"%sResponse\":{\"Status\":201,\"StatusDescription\":\"x\"}}", name);
        fseek(f, 0, SEEK_CUR);
        fprintf(f, "HTTP/1.1 200 OK\r\nReplay-Nonce: N%d\r\nContent-Length: %zu\r\n\r\n%s", svc.connections,
                strlen(text), text);
        fflush(f);
        if (svc.closes_after && strcmp(name, svc.closes_after) == 0)
            break;
    }
    if (f)
        fclose(f);
    return NULL;
}

static void *serve(void *arg)
{
    int fd;

    while (svc.connections < 8 && (fd = accept(svc.listening, NULL, NULL)) >= 0)
        if (pthread_create(&svc.talks[svc.connections], NULL, talk, (void *)(intptr_t)fd) == 0)
            svc.connections++;
    for (int i = 0; i < svc.connections; i++)
        pthread_join(svc.talks[i], NULL);
    return arg;
}

static struct web *begin(const char *closes_after, const char *never_answers)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct web *w;
    char url[64];

    memset(&svc, 0, sizeof svc);
    svc.closes_after = closes_after;
    svc.never_answers = never_answers;
    CU_ASSERT_FATAL((svc.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CU_ASSERT_FATAL(bind(svc.listening, (struct sockaddr *)&a, len) == 0 && listen(svc.listening, 5) == 0);
    CU_ASSERT_FATAL(getsockname(svc.listening, (struct sockaddr *)&a, &len) == 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&svc.thread, NULL, serve, NULL), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(a.sin_port));
    CU_ASSERT_EQUAL_FATAL(web_new(url, NULL, &w, NULL), 0);
    return w;
}

static void end(struct web *w)
{
    web_free(&w);
    shutdown(svc.listening, SHUT_RDWR);
    pthread_join(svc.thread, NULL);
    close(svc.listening);
}

static int ask(struct web *w, const char *name)
{
    struct json_object *body = json_object_new_object(), *reply;
    int r = web_call(w, name, body, NULL, &reply, NULL);

    json_object_put(body);
    json_object_put(reply);
    return r;
}

static void test_one_connection(void)
{
    static const char *const names[] = {"Hello", "GetKey", "Get", "Select", "RecryptData", "RecryptData", "Statement"};
    struct web *w = begin(NULL, NULL);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CU_ASSERT_EQUAL(ask(w, names[i]), 0);
    end(w);
    CU_ASSERT_EQUAL(svc.connections, 1);
    CU_ASSERT_STRING_EQUAL(svc.asked, "Hello,GetKey,Get,Select,RecryptData,RecryptData,Statement,");
}

/* Connections that the service has closed: what reads is asked again, on another. */
static void test_connection_closed(void)
{
    struct web *w = begin("RecryptData", NULL);

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ask(w, "RecryptData"), 0);
    end(w);
    CU_ASSERT_EQUAL(svc.connections, 3);
    CU_ASSERT_STRING_EQUAL(svc.asked, "RecryptData,RecryptData,RecryptData,");
}

/* What changes something is sent once, on a connection of its own: no answer is no reason to do it twice. */
static void test_change_sent_once(void)
{
    static const char *const names[] = {"Set", "Delete", "Join", "Leave"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct web *w = begin(NULL, names[i]);
        char wanted[64];

        CU_ASSERT_EQUAL(ask(w, "Get"), 0);
        CU_ASSERT_EQUAL(ask(w, names[i]), ERR_RETRY);
        end(w);
        snprintf(wanted, sizeof wanted, "Get,%s,", names[i]);
        CU_ASSERT_STRING_EQUAL(svc.asked, wanted);
        CU_ASSERT_EQUAL(svc.connections, 2);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"only https, or http to this machine", test_url},
        {"replies and their status", test_reply},
        {"a signed request says where to and when", test_signed},
        {"no service: try again later", test_nobody_there},
        {"requests that read share a connection", test_one_connection},
        {"a connection that the service closed", test_connection_closed},
        {"a change is sent once", test_change_sent_once},
    };
    return unit_main("recrypt-web", tests, sizeof tests / sizeof *tests);
}
