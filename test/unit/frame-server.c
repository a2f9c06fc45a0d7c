#include "frame-server.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/frame.h"

void frame_of(struct buf *out, const char *text)
{
    size_t n = strlen(text);
    unsigned char head[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                             (unsigned char)n};

    if (buf_append(out, head, sizeof head) < 0 || buf_puts(out, text) < 0)
        perror("frame_of");
}

static void send_octets(int fd, const unsigned char *p, size_t len, size_t piece)
{
    const struct timespec pause = {0, 2 * 1000 * 1000};

    for (size_t done = 0; done < len;) {
        size_t n = len - done < piece ? len - done : piece;
        ssize_t sent = send(fd, p + done, n, MSG_NOSIGNAL);

        if (sent < 0)
            return;
        done += (size_t)sent;
        if (piece < len)
            nanosleep(&pause, NULL);
    }
}

/* 0 = the connection stays open. */
static int act(int fd, enum frame_action action, struct buf *b)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};

    switch (action) {
    case FRAME_REPLY:
    case FRAME_REPLY_CLOSE:
        send_octets(fd, b->data, b->len, b->len + 1);
        return action == FRAME_REPLY_CLOSE;
    case FRAME_REPLY_SLOW:
        send_octets(fd, b->data, b->len, 3);
        return 0;
    case FRAME_CUT:
        send_octets(fd, b->data, b->len / 2, b->len);
        return 1;
    case FRAME_TWICE: /* in one go, so that both arrive together */
        if (buf_reserve(b, b->len) == 0 && buf_append(b, b->data, b->len) == 0)
            send_octets(fd, b->data, b->len, b->len + 1);
        return 0;
    case FRAME_EXTRA:
        send_octets(fd, b->data, b->len, b->len + 1);
        nanosleep(&pause, NULL);
        send_octets(fd, b->data, b->len, b->len + 1);
        return 0;
    case FRAME_SILENT:
        return 0;
    default:
        return 1;
    }
}

static int readable(struct frame_server *s, int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    while (!s->stop)
        if (poll(&p, 1, 20) > 0)
            return 1;
    return 0;
}

static void serve(struct frame_server *s, int fd)
{
    struct buf in = BUF_INIT, answer = BUF_INIT;
    struct json_object *request;
    size_t used;
    ssize_t n;
    int done = 0;

    while (!done && readable(s, fd)) {
        if (buf_reserve(&in, 4096) < 0 || (n = recv(fd, in.data + in.len, 4096, 0)) <= 0)
            break;
        in.len += (size_t)n;
        while (!done && frame_take(in.data, in.len, FRAME_REQUEST_MAX, &request, &used, NULL) == 1) {
            memmove(in.data, in.data + used, in.len - used);
            in.len -= used;
            s->requests++;
            buf_reset(&answer);
            done = act(fd, s->handler(s->arg, request, &answer), &answer);
            json_object_put(request);
        }
    }
    buf_free(&answer);
    buf_free(&in);
}

static void *run(void *arg)
{
    struct frame_server *s = arg;
    int fd;

    while (readable(s, s->listener)) {
        if ((fd = accept(s->listener, NULL, NULL)) < 0)
            continue;
        s->connections++;
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

int frame_server_start(struct frame_server *s, const char *path, frame_handler *handler, void *arg)
{
    memset(s, 0, sizeof *s);
    snprintf(s->address, sizeof s->address, "%s", path);
    s->handler = handler;
    s->arg = arg;
    if (conf_listen(path, 0600, &s->listener, NULL) < 0)
        return -1;
    return pthread_create(&s->thread, NULL, run, s) == 0 ? 0 : -1;
}

void frame_server_stop(struct frame_server *s)
{
    s->stop = 1;
    pthread_join(s->thread, NULL);
    close(s->listener);
}
