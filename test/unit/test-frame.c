#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/sjson.h"
#include "frame-server.h"
#include "unit.h"

static char dir[] = "/tmp/recrypt-frame-XXXXXX";
static char path[64];

static void test_put_take(void)
{
    struct json_object *obj = json_object_new_object(), *got;
    struct buf b = BUF_INIT;
    struct err e;
    size_t used;

    CU_ASSERT_EQUAL(sjson_set_string(obj, "a", "x/y"), 0);
    CU_ASSERT_EQUAL_FATAL(frame_put(obj, 100, &b, &e), 0);
    CU_ASSERT_EQUAL(b.len, 15);
    CU_ASSERT_EQUAL(memcmp(b.data, "\0\0\0\x0b{\"a\":\"x/y\"}", 15), 0);
    CU_ASSERT_EQUAL(frame_put(obj, 11, &b, &e), 0);
    CU_ASSERT_EQUAL(frame_put(obj, 10, &b, &e), ERR_LIMIT);
    CU_ASSERT_EQUAL(b.len, 30); /* as before */
    for (size_t n = 0; n < 15; n++) {
        CU_ASSERT_EQUAL(frame_take(b.data, n, 100, &got, &used, &e), 0);
        CU_ASSERT_PTR_NULL(got);
        CU_ASSERT_EQUAL(used, 0);
    }
    CU_ASSERT_EQUAL_FATAL(frame_take(b.data, b.len, 100, &got, &used, &e), 1);
    CU_ASSERT_EQUAL(used, 15);
    CU_ASSERT(json_object_equal(got, obj));
    json_object_put(got);
    json_object_put(obj);
    buf_free(&b);
}

static void test_take_refuses(void)
{
    static const struct {
        const char *octets;
        size_t len;
        int code;
    } bad[] = {
        {"\0\0\0\0", 4, ERR_SYNTAX},
        {"\0\0\0\x65", 4, ERR_LIMIT}, /* told by the length alone */
        {"\xff\xff\xff\xff", 4, ERR_LIMIT},
        {"\x80\0\0\0{}", 6, ERR_LIMIT},
        {"\0\0\0\2[]", 6, ERR_SYNTAX},
        {"\0\0\0\2{]", 6, ERR_SYNTAX},
        {"\0\0\0\4null", 8, ERR_SYNTAX},
        {"\0\0\0\1{}", 6, ERR_SYNTAX},
        {"\0\0\0\3{}\0", 7, ERR_SYNTAX},
        {"\0\0\0\15{\"a\":1,\"a\":2}", 17, ERR_SYNTAX},
    };
    struct json_object *got;
    struct err e;
    size_t used;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(frame_take(bad[i].octets, bad[i].len, 100, &got, &used, &e), bad[i].code);
        CU_ASSERT_PTR_NULL(got);
        CU_ASSERT_EQUAL(used, 0);
    }
}

/* What the server does, in turn; the last one again and again. */
struct script {
    const char *answers[4];
    enum frame_action actions[4];
    int turn;
};

static enum frame_action follow(void *arg, struct json_object *request, struct buf *answer)
{
    struct script *s = arg;
    int n = s->turn;

    if (s->turn < 3 && s->answers[s->turn + 1])
        s->turn++;
    if (strcmp(s->answers[n], "echo") == 0) {
        struct json_object *out = json_object_new_object(), *in = json_object_object_get(request, "EchoRequest");

        sjson_set_int(in, "Status", 201);
        sjson_set_object(out, "EchoResponse", json_object_get(in));
        frame_put(out, FRAME_REPLY_MAX, answer, NULL);
        json_object_put(out);
    } else {
        frame_of(answer, s->answers[n]);
    }
    return s->actions[n];
}

/* Calls the scripted server `calls` times with one client; the result of the last call. */
static int play(struct script s, int timeout_ms, int calls, int *connections, int *requests, struct err *e)
{
    struct json_object *reply = NULL;
    struct frame_server server;
    struct frame_client *c;
    int r = 0;

    CU_ASSERT_EQUAL_FATAL(frame_server_start(&server, path, follow, &s), 0);
    CU_ASSERT_EQUAL_FATAL(frame_client_new(path, timeout_ms, &c, e), 0);
    for (int i = 0; i < calls; i++) {
        r = frame_call(c, "Echo", NULL, &reply, e);
        CU_ASSERT((r == 0) == (reply != NULL));
        json_object_put(reply);
        if (i + 1 < calls)
            usleep(50000); /* so that an end of the connection has come over */
    }
    *connections = server.connections;
    *requests = server.requests;
    frame_client_free(&c);
    CU_ASSERT_PTR_NULL(c);
    frame_server_stop(&server);
    return r;
}

static int64_t ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void test_call(void)
{
    struct json_object *body = json_object_new_object(), *reply;
    struct script s = {{"echo"}, {FRAME_REPLY}, 0};
    struct frame_server server;
    struct frame_client *c;
    char *big = calloc(1, 60001);
    const char *back;
    struct err e;

    memset(big, 'x', 60000);
    CU_ASSERT_EQUAL_FATAL(frame_server_start(&server, path, follow, &s), 0);
    CU_ASSERT_EQUAL_FATAL(frame_client_new(path, 5000, &c, &e), 0);
    CU_ASSERT_EQUAL(sjson_set_string(body, "Big", big), 0);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(frame_call(c, "Echo", body, &reply, &e), 0);
        CU_ASSERT_EQUAL(sjson_string(reply, "Big", &back, &e), 0);
        CU_ASSERT_STRING_EQUAL(back, big);
        json_object_put(reply);
    }
    CU_ASSERT_EQUAL(server.connections, 1);
    free(big);
    big = calloc(1, 70001);
    memset(big, 'x', 70000);
    CU_ASSERT_EQUAL(sjson_set_string(body, "Big", big), 0);
    CU_ASSERT_EQUAL(frame_call(c, "Echo", body, &reply, &e), ERR_LIMIT);
    CU_ASSERT_PTR_NULL(reply);
    free(big);
    json_object_put(body);
    frame_client_free(&c);
    frame_server_stop(&server);
}

static void test_statuses(void)
{
    static const struct {
        const char *answer;
        int code;
    } table[] = {
        {"{\"EchoResponse\":{\"Status\":201,\"StatusDescription\":\"done\"}}", 0},
        {"{\"EchoResponse\":{\"Status\":202}}", 0},
        {"{\"EchoResponse\":{\"Status\":400,\"StatusDescription\":\"why\"}}", ERR_SYNTAX},
        {"{\"EchoResponse\":{\"Status\":401,\"StatusDescription\":\"why\"}}", ERR_DENIED},
        {"{\"EchoResponse\":{\"Status\":404,\"StatusDescription\":\"why\"}}", ERR_ABSENT},
        {"{\"EchoResponse\":{\"Status\":409,\"StatusDescription\":\"why\"}}", ERR_EXISTS},
        {"{\"EchoResponse\":{\"Status\":500,\"StatusDescription\":\"why\"}}", ERR_RETRY},
        {"{\"EchoResponse\":{\"Status\":503,\"StatusDescription\":\"why\"}}", ERR_RETRY},
        {"{\"EchoResponse\":{\"Status\":302,\"StatusDescription\":\"why\"}}", ERR_RETRY},
        {"{\"EchoResponse\":{\"Status\":-201,\"StatusDescription\":\"why\"}}", ERR_RETRY},
    };
    struct err e;
    int connections, requests;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct script s = {{table[i].answer}, {FRAME_REPLY}, 0};

        CU_ASSERT_EQUAL(play(s, 5000, 2, &connections, &requests, &e), table[i].code);
        CU_ASSERT_EQUAL(connections, 1); /* a refusal is an answer: the connection is kept */
        CU_ASSERT_EQUAL(requests, 2);
        if (table[i].code)
            CU_ASSERT_STRING_EQUAL(e.text, "why");
    }
}

static void test_rubbish(void)
{
    static const char *const bad[] = {
        "{}", "[]", "x", "", "{\"EchoResponse\":{}}", "{\"EchoResponse\":{\"Status\":\"201\"}}",
        "{\"OtherResponse\":{\"Status\":201}}", "{\"EchoResponse\":{\"Status\":201},\"More\":1}",
        "{\"EchoResponse\":201}", "{\"EchoResponse\":{\"Status\":201,\"StatusDescription\":7}}",
    };
    struct err e;
    int connections, requests;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct script s = {{bad[i]}, {FRAME_REPLY}, 0};

        CU_ASSERT_EQUAL(play(s, 5000, 1, &connections, &requests, &e), ERR_RETRY);
        CU_ASSERT_EQUAL(requests, 1); /* an answer is never asked for again */
    }
}

#define GOOD "{\"EchoResponse\":{\"Status\":201}}"

static void test_broken_connections(void)
{
    struct err e;
    int connections, requests;
    int64_t start;

    /* Closed between two calls: opened again, and the request is sent once. */
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_REPLY_CLOSE}, 0}, 5000, 3, &connections, &requests, &e), 0);
    CU_ASSERT_EQUAL(connections, 3);
    CU_ASSERT_EQUAL(requests, 3);
    /* Closed on the first request of a connection: no second attempt. */
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_CLOSE}, 0}, 5000, 1, &connections, &requests, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(requests, 1);
    /* A kept connection ends without an octet of an answer: one more attempt, which is the last. */
    CU_ASSERT_EQUAL(play((struct script){{GOOD, GOOD, GOOD}, {FRAME_REPLY, FRAME_CLOSE, FRAME_REPLY}, 0}, 5000, 2,
                         &connections, &requests, &e), 0);
    CU_ASSERT_EQUAL(connections, 2);
    CU_ASSERT_EQUAL(requests, 3);
    CU_ASSERT_EQUAL(play((struct script){{GOOD, GOOD}, {FRAME_REPLY, FRAME_CLOSE}, 0}, 5000, 2, &connections,
                         &requests, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(requests, 3);
    /* Half an answer is not asked for again. */
    CU_ASSERT_EQUAL(play((struct script){{GOOD, GOOD}, {FRAME_REPLY, FRAME_CUT}, 0}, 5000, 2, &connections, &requests,
                         &e), ERR_RETRY);
    CU_ASSERT_EQUAL(requests, 2);
    /* Two answers to one request: neither is believed; a late one is never taken for the next request's. */
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_TWICE}, 0}, 5000, 1, &connections, &requests, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_EXTRA}, 0}, 5000, 2, &connections, &requests, &e), 0);
    CU_ASSERT_EQUAL(connections, 2);
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_REPLY_SLOW}, 0}, 5000, 2, &connections, &requests, &e), 0);
    CU_ASSERT_EQUAL(connections, 1);
    /* Silence, and an answer that only trickles: the deadline is for the whole call. */
    start = ms();
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_SILENT}, 0}, 100, 1, &connections, &requests, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(play((struct script){{GOOD}, {FRAME_REPLY_SLOW}, 0}, 10, 1, &connections, &requests, &e),
                    ERR_RETRY);
    CU_ASSERT(ms() - start < 2000);
    CU_ASSERT_EQUAL(requests, 1);
}

static void test_nobody(void)
{
    struct json_object *reply;
    struct frame_client *c;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(frame_client_new("/nonexistent/socket", 1000, &c, &e), 0);
    CU_ASSERT_EQUAL(frame_call(c, "Echo", NULL, &reply, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(frame_call(c, "Echo", NULL, &reply, &e), ERR_RETRY);
    frame_client_free(&c);
    frame_client_free(&c);
    CU_ASSERT_EQUAL(frame_client_new(NULL, 1000, &c, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(frame_client_new("/x", 0, &c, &e), ERR_USAGE);
    CU_ASSERT_PTR_NULL(c);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"frames are put and taken", test_put_take},
        {"bad frames", test_take_refuses},
        {"calls on one connection", test_call},
        {"each status becomes its error", test_statuses},
        {"rubbish for an answer", test_rubbish},
        {"connections that break: one more attempt at most", test_broken_connections},
        {"nobody there", test_nobody},
    };
    int r;

    if (!mkdtemp(dir))
        return 99;
    snprintf(path, sizeof path, "%s/socket", dir);
    r = unit_main("frame", tests, sizeof tests / sizeof *tests);
    unlink(path);
    rmdir(dir);
    return r;
}
