#include "lda/lmtp.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lda/lmtpd.h"
#include "unit.h"

/* What the client sees and what was delivered, as text. */
static struct {
    struct buf seen, got;
    int dead;
} x;

static int on_send(void *arg, const void *data, size_t len)
{
    (void)arg;
    return x.dead ? -1 : buf_append(&x.seen, data, len);
}

static void on_deliver(void *arg, const struct envelope *env, struct span msg, struct verdict *out)
{
    (void)arg;
    buf_printf(&x.got, "%s>%s:", env->sender, env->recipient);
    buf_append(&x.got, msg.data, msg.len);
    if (strncmp(env->recipient, "temp", 4) == 0)
        verdict_set(out, EX_TEMPFAIL, "4.3.0", "later");
    else if (strncmp(env->recipient, "none", 4) == 0)
        verdict_set(out, EX_NOUSER, "5.1.1", "nobody");
    else
        verdict_set(out, EX_OK, "2.0.0", "delivered");
}

/* A whole session in pieces of step octets; its last result. */
static int talk(const char *input, size_t len, size_t step)
{
    struct lmtp_handler h = {NULL, on_send, on_deliver};
    struct lmtp *l;
    int r = 0;

    buf_free(&x.seen);
    buf_free(&x.got);
    if (lmtp_new("mx.example.com", 1000, &h, &l, NULL) < 0)
        return -1;
    for (size_t at = 0; at < len && !r; at += step)
        r = lmtp_feed(l, input + at, len - at < step ? len - at : step);
    lmtp_free(&l);
    return r;
}

static int said(const char *s)
{
    return strstr(buf_str(&x.seen), s) != NULL;
}

#define START "LHLO me\r\nMAIL FROM:<s@x.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
#define TALK(s) talk(s, sizeof s - 1, sizeof s)

static void test_whole(void)
{
    static const char s[] = "LHLO me\r\nMAIL FROM:<s@x.org> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<bob@example.com>\r\n"
                            "RCPT TO:<temp@example.com>\r\nRCPT TO:<none@example.com>\r\nDATA\r\n"
                            "A: b\r\n\r\n..x\r\n.y\r\n.\r\nQUIT\r\n";

    for (size_t step = 1; step < sizeof s; step++) {
        CU_ASSERT(talk(s, sizeof s - 1, step) == 1);
        CU_ASSERT_STRING_EQUAL(buf_str(&x.got), "s@x.org>bob@example.com:A: b\n\n.x\ny\n"
                                                "s@x.org>temp@example.com:A: b\n\n.x\ny\n"
                                                "s@x.org>none@example.com:A: b\n\n.x\ny\n");
        CU_ASSERT_STRING_EQUAL(strstr(buf_str(&x.seen), "354"),
                               "354 end with a line of one dot\r\n250 2.0.0 delivered\r\n451 4.3.0 later\r\n"
                               "550 5.1.1 nobody\r\n221 2.0.0 bye\r\n");
    }
    CU_ASSERT(said("220 mx.example.com LMTP") && said("250-PIPELINING\r\n") && said("250-8BITMIME\r\n") &&
              said("250-SIZE 1000\r\n") && said("250 ENHANCEDSTATUSCODES\r\n"));
}

static void test_smuggling(void)
{
    static const struct {
        const char *end;
        int refused;
    } cases[] = {{"\n.\n", 1}, {"\n.\r\n", 1}, {"\r\n.\n", 1}, {"\n.\r", 1},
                 {"\r.\r\n", 0}, {"\r\n.\r", 0}, {"\r.\r", 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char s[400];
        int n = snprintf(s, sizeof s,
                         START "A: b\r\n\r\none%sMAIL FROM:<evil@x.org>\r\nRCPT TO:<none@example.com>\r\nDATA\r\n"
                               "\r\nevil\r\n.\r\nQUIT\r\n",
                         cases[i].end);

        for (size_t step = 1; step < 5; step++) {
            /* One message, from one sender, to its end; refused whole when it has a bare LF. */
            CU_ASSERT(talk(s, (size_t)n, step) == 1);
            CU_ASSERT(strstr(buf_str(&x.got), "evil@x.org>none@") == NULL);
            CU_ASSERT((x.got.len == 0) == cases[i].refused);
            CU_ASSERT((said("554 5.5.2") != 0) == cases[i].refused);
        }
    }
}

static void test_dots(void)
{
    CU_ASSERT(TALK(START ".\r\nQUIT\r\n") == 1);
    CU_ASSERT_STRING_EQUAL(buf_str(&x.got), "s@x.org>bob@example.com:");
    CU_ASSERT(TALK(START ".\rx\r\n...\r\n\r\r\n.\r\nQUIT\r\n") == 1);
    CU_ASSERT_STRING_EQUAL(buf_str(&x.got), "s@x.org>bob@example.com:\rx\n..\n\r\n");
}

static void test_order(void)
{
    CU_ASSERT(TALK("MAIL FROM:<>\r\n") == 0 && said("503 5.5.1 LHLO"));
    CU_ASSERT(TALK("EHLO me\r\n") == 0 && said("500 5.5.1 this is LMTP"));
    CU_ASSERT(TALK("LHLO\r\n") == 0 && said("501 5.5.4"));
    CU_ASSERT(TALK("LHLO me\r\nRCPT TO:<bob@example.com>\r\n") == 0 && said("503 5.5.1 MAIL"));
    CU_ASSERT(TALK("LHLO me\r\nMAIL FROM:<>\r\nDATA\r\n") == 0 && said("503 5.5.1 no recipients"));
    CU_ASSERT(TALK("LHLO me\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n") == 0 && said("503 5.5.1 nested"));
    CU_ASSERT(TALK("LHLO me\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n") == 0 && !said("503"));
    CU_ASSERT(TALK("NOOP\r\nVRFY bob\r\nfrob\r\n") == 0 && said("250 2.0.0") && said("252 2.5.0") && said("500 5.5.1"));
}

static void test_bad_arguments(void)
{
    static const struct {
        const char *line, *answer;
    } cases[] = {{"MAIL FROM:s@x.org", "501 5.1.7"},
                 {"MAIL FROM:<s@x.org", "501 5.1.7"},
                 {"MAIL FROM:<a b@x.org>", "501 5.1.7"},
                 {"MAIL FROM:<s@x.org>x", "501 5.1.7"},
                 {"MAIL FROM:<\xc3\xa4@x.org>", "501 5.1.7"},
                 {"MAIL FROM:<s@x.org> SIZE=x", "501 5.5.4"},
                 {"MAIL FROM:<s@x.org> SIZE=1001", "552 5.3.4"},
                 {"MAIL FROM:<s@x.org> SIZE=99999999999999999999999", "552 5.3.4"},
                 {"MAIL FROM:<s@x.org> SMTPUTF8", "555 5.5.4"},
                 {"MAIL FROM:<\"a b>\"@x.org>", "250 2.1.0"}};
    static const struct {
        const char *line, *answer;
    } rcpt[] = {{"RCPT TO:<>", "553 5.1.3"},
                {"RCPT TO:<bob>", "553 5.1.3"},
                {"RCPT TO:<\"b ob\"@example.com>", "553 5.1.3"},
                {"RCPT TO:<bob@example.com> NOTIFY=NEVER", "555 5.5.4"},
                {"RCPT TO:bob@example.com", "501 5.1.3"}};
    char s[600];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = snprintf(s, sizeof s, "LHLO me\r\n%s\r\n", cases[i].line);

        CU_ASSERT(talk(s, (size_t)n, 7) == 0 && said(cases[i].answer));
    }
    for (size_t i = 0; i < sizeof rcpt / sizeof *rcpt; i++) {
        int n = snprintf(s, sizeof s, "LHLO me\r\nMAIL FROM:<>\r\n%s\r\n", rcpt[i].line);

        CU_ASSERT(talk(s, (size_t)n, 7) == 0 && said(rcpt[i].answer));
    }
}

static void test_bounds(void)
{
    char s[8000];
    int n;

    /* A long line is thrown away to its end; the next one counts. */
    memset(s, 'x', 5000);
    memcpy(s + 5000, "\r\nNOOP\r\n", 9);
    CU_ASSERT(talk(s, 5008, 100) == 0 && said("500 5.5.2 line too long\r\n250 2.0.0 ok\r\n"));
    CU_ASSERT(TALK("NOOP\n") == 0 && said("500 5.5.2 a line ends"));
    CU_ASSERT(TALK("NO\0OP\r\n") == 0 && said("500 5.5.2 NUL"));
    CU_ASSERT(TALK("NOOP\rQUIT\r\n") == 0 && said("500 5.5.2 NUL or CR"));
    n = snprintf(s, sizeof s, START);
    memset(s + n, 'y', 1001);
    memcpy(s + n + 1001, "\r\n.\r\nNOOP\r\n", 12);
    CU_ASSERT(talk(s, (size_t)n + 1012, 64) == 0);
    CU_ASSERT(said("554 5.3.4 the message is too large\r\n250 2.0.0 ok") && x.got.len == 0);
}

static void test_many(void)
{
    struct buf s = BUF_INIT;

    for (int i = 0; i < 30; i++)
        buf_puts(&s, "frob\r\n");
    CU_ASSERT(talk(buf_str(&s), s.len, s.len) == 1 && said("421 4.7.0 too many errors"));
    buf_free(&s);
    buf_puts(&s, "LHLO me\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i <= LMTP_RECIPIENTS_MAX; i++)
        buf_printf(&s, "RCPT TO:<u%d@example.com>\r\n", i);
    CU_ASSERT(talk(buf_str(&s), s.len, s.len) == 0 && said("452 4.5.3"));
    buf_free(&s);
}

static void test_gone(void)
{
    x.dead = 1;
    CU_ASSERT(TALK("LHLO me\r\n") == 1);
    x.dead = 0;
    /* Cut off in the middle of a message: nothing is delivered. */
    CU_ASSERT(TALK(START "A: b\r\n\r\nhalf") == 0 && x.got.len == 0);
}

/* Commands without end, and their answers not read: the session ends in its time, as it does when nothing comes. */
static void test_not_reading(void)
{
    static char address[] = "unix:/nonexistent/socket";
    struct settings s = {.recryptd = address, .timeout = 1, .lmtp_timeout = 1, .max_message = 1000};
    const struct timespec pause = {0, 10 * 1000 * 1000};
    char noops[6 * 2000];
    int ends[2], status = -1, small = 16 << 10; /* as TCP's may be */
    pid_t pid, ended = 0;

    for (size_t i = 0; i < sizeof noops; i += 6)
        memcpy(noops + i, "NOOP\r\n", 6);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CU_ASSERT_EQUAL(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    while (send(ends[0], noops, sizeof noops, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    fflush(stdout);
    if ((pid = fork()) == 0) {
        close(ends[0]);
        _exit(lmtpd_session(&s, ends[1], ends[1], NULL) == 0 ? 0 : 1);
    }
    close(ends[1]);
    for (int i = 0; i < 1000 && pid > 0 && ended == 0; i++) {
        (void)!send(ends[0], noops, sizeof noops, MSG_DONTWAIT | MSG_NOSIGNAL);
        nanosleep(&pause, NULL);
        ended = waitpid(pid, &status, WNOHANG);
    }
    CU_ASSERT(ended == pid && status == 0);
    if (pid > 0 && ended == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(ends[0]);
}

int main(void)
{
    static const struct unit_test tests[] = {{"a session cut anywhere", test_whole},
                                             {"only CRLF . CRLF ends a message", test_smuggling},
                                             {"dots and stray CR", test_dots},
                                             {"order of commands", test_order},
                                             {"bad arguments", test_bad_arguments},
                                             {"long lines, NUL, large messages", test_bounds},
                                             {"too many errors, too many recipients", test_many},
                                             {"a client that is gone", test_gone},
                                             {"a client that does not read", test_not_reading}};
    int r = unit_main("lda-lmtp", tests, sizeof tests / sizeof *tests);

    buf_free(&x.seen);
    buf_free(&x.got);
    return r;
}
