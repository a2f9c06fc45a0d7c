/* The local socket (recryptd-tests.h). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf.h"
#include "recryptd-tests.h"

/* ---- the local socket ---- */

static void resolves(struct frame_client *c, const char *address, enum address_kind kind)
{
    struct address_info info;
    struct err e = {0};

    CU_ASSERT_EQUAL(rclient_resolve(c, address, &info, &e), 0);
    if (info.kind != kind)
        printf("# %s: kind %d, %s\n", address, info.kind, e.text);
    CU_ASSERT_EQUAL(info.kind, kind);
    if (kind == ADDRESS_LIST) {
        CU_ASSERT_STRING_EQUAL(info.account, "list@example.com");
        CU_ASSERT_STRING_EQUAL(info.owner, "alice@example.com");
        CU_ASSERT_STRING_EQUAL(info.keyid, list.profile.keyid);
        CU_ASSERT_EQUAL(info.plaintext, PLAINTEXT_REJECT);
        CU_ASSERT_EQUAL(info.archive, 1);
        CU_ASSERT_EQUAL(info.max_size, 2000000);
    }
    if (kind == ADDRESS_OWNER)
        CU_ASSERT_STRING_EQUAL(info.owner, "alice@example.com");
    if (kind == ADDRESS_PERSON)
        CU_ASSERT_STRING_EQUAL(info.account, "bob@example.com");
}

void test_resolve(void)
{
    struct frame_client *c = client();

    resolves(c, "list@example.com", ADDRESS_LIST);
    resolves(c, "<LIST@Example.Com>", ADDRESS_LIST);
    resolves(c, "\"list\"@example.com", ADDRESS_LIST);
    resolves(c, "\"l\\ist\"@example.com.", ADDRESS_LIST);
    resolves(c, "list", ADDRESS_LIST);
    resolves(c, "list+bounce@example.com", ADDRESS_OWNER);
    resolves(c, "list+owner@example.com", ADDRESS_OWNER);
    resolves(c, "list+request@example.com", ADDRESS_OWNER);
    resolves(c, "list+archive-aaaaaaaaaaaaaaaaaaaaaa@example.com", ADDRESS_RESERVED);
    resolves(c, "list+other@example.com", ADDRESS_RESERVED);
    resolves(c, "list+@example.com", ADDRESS_RESERVED);
    resolves(c, "bob@example.com", ADDRESS_PERSON);
    resolves(c, "bob+shop@example.com", ADDRESS_PERSON);
    resolves(c, "nobody@example.com", ADDRESS_NONE);
    resolves(c, "carol@example.net", ADDRESS_NONE);
    resolves(c, "\"unclosed@example.com", ADDRESS_NONE);
    resolves(c, "", ADDRESS_NONE);
    frame_client_free(&c);
}

/* Is the member's tag among the grants, and which place has it? */
static int place_of(const struct expansion *x, const struct who *member, const struct sealed *m)
{
    struct json_object *grant;
    struct answer a;
    struct grant g = {0};
    int place = -1;

    ask_grant(member, list.profile.keyid, m, &a);
    if (!sjson_object(a.body, "Grant", &grant, NULL) && !grant_from_json(grant, &g, NULL))
        for (size_t i = 0; i < x->grant_count; i++)
            if (!memcmp(x->grants[i].tag, g.tag, sizeof g.tag) && x->grants[i].value_len == g.value_len &&
                !memcmp(x->grants[i].value, g.value, g.value_len))
                place = (int)i;
    grant_clear(&g);
    answer_clear(&a);
    return place;
}

void test_expand(void)
{
    struct frame_client *c = client();
    struct expansion x;
    struct sealed m;
    struct err e;
    int moved = 0, first = -1;

    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    for (int i = 0; i < 12; i++) {
        int at;

        CU_ASSERT_EQUAL_FATAL(rclient_expand(c, list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &x, &e), 0);
        CU_ASSERT_EQUAL(x.state, KEY_CURRENT);
        CU_ASSERT_STRING_EQUAL(x.account, "list@example.com");
        CU_ASSERT_STRING_EQUAL(x.current, list.profile.keyid);
        CU_ASSERT_STRING_EQUAL(x.sender, "list+bounce@example.com");
        CU_ASSERT_EQUAL(x.grant_count, 8);
        CU_ASSERT_EQUAL(x.recipient_count, 3); /* bob, carol, the archive */
        CU_ASSERT_EQUAL(recipient(&x, "bob@example.com"), 1);
        CU_ASSERT_EQUAL(recipient(&x, "carol@example.net"), 1);
        at = place_of(&x, &bob, &m);
        CU_ASSERT(at >= 0 && place_of(&x, &carol, &m) >= 0);
        first = first < 0 ? at : first;
        moved += at != first;
        if (!i)
            for (size_t k = 0; k < x.recipient_count; k++)
                if (!strncmp(x.recipients[k], "list+archive-", 13)) {
                    CU_ASSERT_EQUAL(strlen(x.recipients[k]), 13 + 22 + strlen("@example.com"));
                    resolves(c, x.recipients[k], ADDRESS_ARCHIVE);
                }
        expansion_clear(&x);
    }
    CU_ASSERT(moved > 0);
    CU_ASSERT_EQUAL(rclient_expand(c, "none@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa", m.to.suite, m.to.epk,
                                   m.to.epk_len, &x, &e),
                    ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_expand(c, bob.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &x, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_expand(c, list.profile.keyid, m.to.suite, (const unsigned char[32]){0}, 32, &x, &e),
                    ERR_SYNTAX);
    sealed_clear(&m);
    frame_client_free(&c);
}

void test_local_grant_and_key(void)
{
    struct frame_client *c = client();
    struct json_object *json;
    struct jwk *key = NULL;
    enum key_state state;
    char account[ADDRESS_SIZE];
    struct sealed m;
    struct grant g;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(seal(&list, "by delivery", &m), 0);
    CU_ASSERT_EQUAL(
        rclient_grant(c, "carol@example.net", list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &g, &e), 0);
    CU_ASSERT_EQUAL(grant_to_json(&g, &json, NULL), 0);
    CU_ASSERT_EQUAL(opens(&carol, &list, json, &m, "by delivery"), 1);
    json_object_put(json);
    grant_clear(&g);
    CU_ASSERT_EQUAL(
        rclient_grant(c, "dave@example.com", list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &g, &e),
        ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_grant(c, "bob@example.com", bob.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, &g, &e),
                    ERR_ABSENT);
    CU_ASSERT_EQUAL(rclient_key(c, "bob@example.com", &key, &state, account, &e), 0);
    CU_ASSERT_EQUAL(jwk_equal(key, bob.key), 1);
    CU_ASSERT_STRING_EQUAL(jwk_kid(key), bob.profile.keyid);
    CU_ASSERT_EQUAL(state, KEY_CURRENT);
    jwk_free(&key);
    CU_ASSERT_EQUAL(rclient_key(c, list.profile.keyid, &key, &state, account, &e), 0);
    CU_ASSERT_STRING_EQUAL(account, "list@example.com");
    jwk_free(&key);
    CU_ASSERT_EQUAL(rclient_key(c, "nobody@example.com", &key, &state, account, &e), ERR_ABSENT);
    sealed_clear(&m);
    frame_client_free(&c);
}

/* Sends the octets as uid; 1 = some answer came, 0 = closed without one. */
static int raw_local(uid_t uid, const void *data, size_t len)
{
    pid_t pid = fork();
    int status = 0;

    if (!pid) {
        char byte;
        int fd;

        alarm(10);
        if ((uid && setuid(uid)) || conf_connect(w.socket, 2000, &fd, NULL))
            _exit(2);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        if (write(fd, data, len) != (ssize_t)len)
            _exit(3);
        _exit(read(fd, &byte, 1) == 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int raw_frame(uid_t uid, const char *text)
{
    unsigned char frame[1024];
    uint32_t len = htonl((uint32_t)strlen(text));

    memcpy(frame, &len, 4);
    memcpy(frame + 4, text, strlen(text));
    return raw_local(uid, frame, 4 + strlen(text));
}

void test_local_misuse(void)
{
    static const unsigned char huge[] = {0x7f, 0xff, 0xff, 0xff}, over[] = {0, 1, 0, 1}, empty[4] = {0};

    CU_ASSERT_EQUAL(raw_frame(0, "{\"HelloRequest\":{}}"), 1);
    CU_ASSERT_EQUAL(raw_frame(0, "{\"HelloRequest\":{}"), 0);
    CU_ASSERT_EQUAL(raw_frame(0, "{\"DanceRequest\":{}}"), 0);
    CU_ASSERT_EQUAL(raw_frame(0, "{\"SetRequest\":{}}"), 0);
    CU_ASSERT_EQUAL(raw_frame(0, "{\"HelloRequest\":{},\"x\":1}"), 0);
    CU_ASSERT_EQUAL(raw_frame(0, "[]"), 0);
    CU_ASSERT_EQUAL(raw_frame(0, "{\"ResolveRequest\":{}}"), 1); /* well formed, an error in it: answered */
    CU_ASSERT_EQUAL(raw_local(0, huge, 4), 0);
    CU_ASSERT_EQUAL(raw_local(0, over, 4), 0);
    CU_ASSERT_EQUAL(raw_local(0, empty, 4), 0);
}

/* A user who opens connections and says nothing. Kill and wait for it. */
static pid_t silent_crowd(uid_t uid)
{
    pid_t pid = fork();
    int fd;

    if (!pid) {
        alarm(30);
        if (setuid(uid))
            _exit(2);
        for (int i = 0; i < 64; i++)
            if (conf_connect(w.socket, 2000, &fd, NULL))
                _exit(2);
        pause();
        _exit(0);
    }
    usleep(300000);
    return pid;
}

void test_roles(void)
{
    pid_t crowd;
    static const char resolve[] = "{\"ResolveRequest\":{\"Address\":\"list@example.com\"}}";
    static const char expand[] = "{\"ExpandRequest\":{}}", grant[] = "{\"GrantRequest\":{}}";
    static const char grants[] = "{\"GrantsRequest\":{}}", devices[] = "{\"DeviceGrantsRequest\":{}}";

    if (geteuid()) {
        unit_skip("other users' rights can only be tried as root");
        return;
    }
    world_configure(&w, "milter_users = {\"65533\"}\ndelivery_users = {\"65532\"}");
    world_signal(&w, SIGHUP);
    CU_ASSERT(world_logged(&w, "configuration reloaded"));
    CU_ASSERT_EQUAL(raw_frame(65534, "{\"HelloRequest\":{}}"), 1);
    CU_ASSERT_EQUAL(raw_frame(65534, resolve), 0);
    CU_ASSERT_EQUAL(raw_frame(65533, resolve), 1);
    CU_ASSERT_EQUAL(raw_frame(65533, expand), 1);
    CU_ASSERT_EQUAL(raw_frame(65533, grant), 0);
    CU_ASSERT_EQUAL(raw_frame(65533, grants), 0);
    CU_ASSERT_EQUAL(raw_frame(65533, devices), 0);
    CU_ASSERT_EQUAL(raw_frame(65532, resolve), 1);
    CU_ASSERT_EQUAL(raw_frame(65532, expand), 0);
    CU_ASSERT_EQUAL(raw_frame(65532, grant), 1);
    CU_ASSERT_EQUAL(raw_frame(65532, grants), 1);
    CU_ASSERT_EQUAL(raw_frame(65532, devices), 1);
    /* Any user may ask about herself; what she is told about others, the mail path's test looks at. */
    world_configure(&w, "milter_users = {\"65533\"}\nuser_domain = \"example.com\"");
    world_signal(&w, SIGHUP);
    for (int i = 0; i < 100 && raw_frame(65532, resolve); i++) /* no role any more, and no name */
        usleep(20000);
    CU_ASSERT_EQUAL(raw_frame(65532, resolve), 0);
    CU_ASSERT_EQUAL(raw_frame(65534, resolve), 1);
    CU_ASSERT_EQUAL(raw_frame(65534, grant), 1);
    CU_ASSERT_EQUAL(raw_frame(65534, grants), 1);
    CU_ASSERT_EQUAL(raw_frame(65534, devices), 1);
    CU_ASSERT_EQUAL(raw_frame(65534, expand), 0);
    crowd = silent_crowd(65534);
    CU_ASSERT_EQUAL(raw_frame(1, resolve), 1);
    kill(crowd, SIGKILL);
    waitpid(crowd, NULL, 0);
}

/* ---- octets at random ---- */

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

/* One to four octets changed, taken out or doubled. */
static size_t mutate(char *text, size_t len)
{
    static const char spice[] = "{}[]\":,\\u0000e-+.9 \n\x80\xff";

    for (uint32_t n = 1 + next_random(4); n && len > 1; n--) {
        size_t at = next_random((uint32_t)len);

        switch (next_random(3)) {
        case 0:
            text[at] = spice[next_random(sizeof spice)];
            break;
        case 1:
            memmove(text + at, text + at + 1, len - at - 1);
            len--;
            break;
        default:
            memmove(text + at + 1, text + at, len - at);
            len++;
        }
    }
    return len;
}

static void send_mutated(const char *seed)
{
    char frame[4096], piece[4096];
    size_t len = strlen(seed);
    uint32_t n;
    int fd;

    memcpy(frame + 4, seed, len);
    len = mutate(frame + 4, len);
    n = htonl((uint32_t)len);
    memcpy(frame, &n, 4);
    CU_ASSERT_EQUAL_FATAL(conf_connect(w.socket, 2000, &fd, NULL), 0);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (send(fd, frame, 4 + len, MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR))
        printf("# closed early\n");
    while (read(fd, piece, sizeof piece) > 0)
        continue;
    close(fd);
}

void test_mutated_requests(void)
{
    struct frame_client *c;
    struct buf seeds[5] = {BUF_INIT};
    struct sealed m;
    const char *epk;
    char *request;

    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    epk = json_object_to_json_string_ext(m.epk, JSON_C_TO_STRING_PLAIN);
    buf_puts(&seeds[0], "{\"HelloRequest\":{}}");
    buf_puts(&seeds[1], "{\"ResolveRequest\":{\"Address\":\"list+owner@example.com\"}}");
    buf_printf(&seeds[2], "{\"ExpandRequest\":{\"GroupKeyID\":\"%s\",\"EphemeralKey\":%s}}", list.profile.keyid, epk);
    buf_printf(&seeds[3],
               "{\"GrantRequest\":{\"Account\":\"bob@example.com\",\"GroupKeyID\":\"%s\",\"EphemeralKey\":%s}}",
               list.profile.keyid, epk);
    buf_printf(&seeds[4], "{\"KeyRequest\":{\"Key\":\"%s\"}}", list.profile.keyid);
    for (int i = 0; i < 1500; i++)
        send_mutated(buf_str(&seeds[i % 5]));
    request = malloc(16384);
    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    for (int i = 0; i < 300; i++) {
        struct buf text = BUF_INIT;
        struct answer a;
        size_t len;

        CU_ASSERT_EQUAL(world_signed(&w, bob.sign, buf_str(&seeds[3 - i % 2]), &text), 0);
        CU_ASSERT_FATAL(text.len < 8192);
        memcpy(request, text.data, text.len);
        len = mutate(request, text.len);
        if (!world_http(&w, "POST", "/.well-known/meshrecrypt", "application/jose+json", request, len, &a))
            CU_ASSERT(a.status == 400 || a.status == 401);
        answer_clear(&a);
        buf_free(&text);
    }
    free(request);
    c = client();
    resolves(c, "list@example.com", ADDRESS_LIST);
    frame_client_free(&c);
    for (int i = 0; i < 5; i++)
        buf_free(&seeds[i]);
    sealed_clear(&m);
}
