#include "fetch-progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 100, BAR_MAX = 40, BAR_MIN = 5 };

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fetch_progress_text(const struct fetch_progress *p, size_t columns, char out[256])
{
    char numbers[100], bar[BAR_MAX + 1];
    size_t room, full;

    snprintf(numbers, sizeof numbers, "%zu of %zu messages, %.1f MB", p->done, p->total, (double)p->octets / 1e6);
    room = columns > strlen(numbers) + 3 ? columns - strlen(numbers) - 3 : 0;
    if (room < BAR_MIN || p->total == 0) {
        snprintf(out, 256, "%.*s", (int)(columns < 255 ? columns : 255), numbers);
        return;
    }
    room = room > BAR_MAX ? BAR_MAX : room;
    full = p->done >= p->total ? room : room * p->done / p->total;
    memset(bar, '#', full);
    memset(bar + full, '.', room - full);
    bar[room] = 0;
    snprintf(out, 256, "[%s] %s", bar, numbers);
}

static void draw(struct fetch_progress *p)
{
    struct winsize size;
    char text[256];
    size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79;

    fetch_progress_text(p, columns, text);
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    p->drawn = now_ms();
}

void fetch_progress_begin(struct fetch_progress *p, size_t total)
{
    *p = (struct fetch_progress){.on = isatty(STDERR_FILENO) && total > 0, .total = total};
    if (p->on)
        draw(p);
}

void fetch_progress_step(struct fetch_progress *p, size_t octets)
{
    p->done++;
    p->octets += octets;
    if (p->on && (p->done == p->total || now_ms() - p->drawn >= EVERY_MS))
        draw(p);
}

void fetch_progress_clear(struct fetch_progress *p)
{
    if (p->on && p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = 0;
}
