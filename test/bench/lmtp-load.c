/* lmtp-load.c - delivers messages by LMTP over a Unix socket, as fast as the server takes them.
 *
 *   lmtp-load SOCKET SESSIONS MESSAGES REUSE RECIPIENT FILE
 *
 * SESSIONS at a time send MESSAGES in all; with REUSE 1 each keeps its connection, with 0 each message has a new one.
 * RECIPIENT's %d becomes the number of the recipient, 1 to 50, in turn. Each message gets a Received field of its own
 * in front, since a delivery agent may take equal ones for one delivery tried again. FILE has lines that end with CR
 * LF. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECIPIENTS = 50 };

static char *text; /* FILE with dots doubled, and the last line */
static size_t text_len;

static void fail(const char *what)
{
    fprintf(stderr, "lmtp-load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    _exit(1);
}

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    int c, start = 1;

    text = malloc(1 << 20);
    if (!f || !text)
        fail(path);
    while ((c = getc(f)) != EOF && text_len < (1 << 20) - 8) {
        if (start && c == '.')
            text[text_len++] = '.';
        text[text_len++] = (char)c;
        start = c == '\n';
    }
    if (c != EOF)
        fail("the message is too large");
    fclose(f);
    memcpy(text + text_len, ".\r\n", 3);
    text_len += 3;
}

static FILE *dial(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    FILE *f;

    strncpy(sa.sun_path, path, sizeof sa.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || !(f = fdopen(fd, "r")))
        fail(path);
    return f;
}

static void say(FILE *f, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fileno(f), data, len);

        if (n < 0)
            fail("write");
        data += n;
        len -= (size_t)n;
    }
}

/* Reads one reply, of any number of lines. */
static void expect(FILE *f, char first)
{
    char line[1024];

    do
        if (!fgets(line, sizeof line, f))
            fail("the server went away");
    while (strlen(line) > 3 && line[3] == '-');
    if (line[0] != first) {
        fprintf(stderr, "lmtp-load: %s", line);
        _exit(1);
    }
}

static FILE *greet(const char *path)
{
    FILE *f = dial(path);

    expect(f, '2');
    say(f, "LHLO bench\r\n", 12);
    expect(f, '2');
    return f;
}

static void session(char **argv, int which, int count, int reuse)
{
    char head[2048], rcpt[256];
    FILE *f = reuse ? greet(argv[1]) : NULL;

    for (int i = 0; i < count; i++) {
        /* argv[5] is the caller's format, with one %d. */
        snprintf(rcpt, sizeof rcpt, argv[5], 1 + (which * count + i) % RECIPIENTS);
        if (!reuse)
            f = greet(argv[1]);
        /* One packet, as Postfix sends them when the server says PIPELINING. */
        say(f, head,
            (size_t)snprintf(head, sizeof head, "MAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n", rcpt));
        expect(f, '2');
        expect(f, '2');
        expect(f, '3');
        say(f, head,
            (size_t)snprintf(
                head, sizeof head,
                "Received: from bench (localhost [127.0.0.1])\r\n\tby mail.example.com (Postfix) with ESMTP id "
                "%ld.%d\r\n\tfor <%s>; Thu,  1 Jan 2026 00:00:00 +0000\r\n",
                (long)getpid(), i, rcpt));
        say(f, text, text_len);
        expect(f, '2');
        if (!reuse) {
            say(f, "QUIT\r\n", 6);
            expect(f, '2');
            fclose(f);
        }
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    int sessions, messages, status, bad = 0;

    if (argc != 7 || (sessions = atoi(argv[2])) < 1 || (messages = atoi(argv[3])) < sessions) {
        fprintf(stderr, "usage: lmtp-load SOCKET SESSIONS MESSAGES REUSE RECIPIENT FILE\n");
        return 64;
    }
    load(argv[6]);
    for (int i = 0; i < sessions; i++)
        switch (fork()) {
        case -1:
            fail("fork");
            break;
        case 0:
            session(argv, i, messages / sessions, atoi(argv[4]));
        }
    while (wait(&status) > 0)
        bad |= status;
    return bad ? 1 : 0;
}
