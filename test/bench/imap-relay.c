/* imap-relay.c - a relay that reads and writes and does nothing else, for one connection: what any filter costs at
 * least.
 *
 *   imap-relay LISTEN-PORT SERVER-PORT    on 127.0.0.1 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static struct sockaddr_in local(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int take(const char *port)
{
    struct sockaddr_in a = local(port);
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, fd;

    check(s >= 0 && !setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
              !bind(s, (const struct sockaddr *)&a, sizeof a) && !listen(s, 1),
          "listen");
    fd = accept(s, NULL, NULL);
    check(fd >= 0, "accept");
    close(s);
    return fd;
}

/* 0 = the connection ended. */
static int pass(int from, int to)
{
    static char data[64 << 10];
    ssize_t n = recv(from, data, sizeof data, 0), done = 0, w;

    for (; done < n; done += w)
        if ((w = send(to, data + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
            return 0;
    return n > 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a;
    struct epoll_event e = {.events = EPOLLIN};
    int ends[2], poll, on = 1;

    check(argc == 3, "two ports");
    ends[0] = take(argv[1]);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    a = local(argv[2]);
    check(ends[1] >= 0 && !connect(ends[1], (const struct sockaddr *)&a, sizeof a), "connect");
    check((poll = epoll_create1(0)) >= 0, "epoll");
    for (int i = 0; i < 2; i++) {
        e.data.u32 = (unsigned)i;
        check(!setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) &&
                  !epoll_ctl(poll, EPOLL_CTL_ADD, ends[i], &e),
              "epoll");
    }
    while (epoll_wait(poll, &e, 1, -1) == 1)
        if (!pass(ends[e.data.u32], ends[!e.data.u32]))
            return 0;
    return 1;
}
