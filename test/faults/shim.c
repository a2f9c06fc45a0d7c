/* shim.c - loaded before a program (LD_PRELOAD): its nth allocation fails, its writes and reads are cut short.
 *
 * $FAULT_CONTROL names a file of 64-bit numbers, at least the six of struct control, shared with who gives the orders.
 * With $FAULT_TRACE set, the failing allocation's callers are printed behind "failed:", and behind "crash:" those of a
 * crash.
 *
 * A call stack is told by a number: its return addresses, each relative to the beginning of its program or library, so
 * that it is the same in every run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../allocations.h"

extern void *__libc_memalign(size_t align, size_t size);

static struct control {
    int64_t countdown; /* counted down at each allocation, which fails when it gets to zero; 0: none fails */
    int64_t count;     /* allocations so far */
    int64_t half;      /* not zero: a write or read of a file or socket moves half of what it is asked, or one octet */
    int64_t record;    /* not zero: each allocation's call stack is written down in stacks, as many as the file holds */
    uint64_t hit;      /* the call stack of the allocation that failed */
    uint64_t target;   /* not zero: the next allocation with this call stack fails */
    uint64_t stacks[];
} *control;
static int64_t room;
static int trace;
static __thread int busy; /* what a call stack's finding allocates is not the program's */

static void callers(const char *what)
{
    void *list[32];

    (void)!write(STDERR_FILENO, what, strlen(what));
    backtrace_symbols_fd(list, backtrace(list, 32), STDERR_FILENO);
}

/* FNV-1a over the distances. It ends where libmicrohttpd called the program: when a request is whole, at its
 * connection's first look or a later one, is the network's affair.
 */
__attribute__((noinline)) static uint64_t call_stack(void)
{
    void *list[64];
    uint64_t h = 14695981039346656037u;
    int n, ours = 0;

    busy = 1;
    n = backtrace(list, 64);
    for (int i = 2; i < n; i++) { /* without this function and fails() */
        struct dl_find_object o;
        uint64_t at = 0;

        if (!_dl_find_object(list[i], &o)) {
            if (ours && strstr(o.dlfo_link_map->l_name, "libmicrohttpd"))
                break;
            ours = ours || !*o.dlfo_link_map->l_name;
            at = (uint64_t)((char *)list[i] - (char *)o.dlfo_map_start) ^
                 (uint64_t)((char *)o.dlfo_map_end - (char *)o.dlfo_map_start) << 24;
        }
        for (int k = 0; k < 64; k += 8)
            h = (h ^ (at >> k & 255)) * 1099511628211u;
    }
    busy = 0;
    return h;
}

static void on_crash(int sig)
{
    signal(sig, SIG_DFL);
    callers("crash:\n");
    raise(sig);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat st = {0};
    void *p = fd < 0 || fstat(fd, &st)
                  ? MAP_FAILED
                  : mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    backtrace((void *[1]){NULL}, 1); /* loads what it needs now */
    if (getenv("FAULT_TRACE")) {
        trace = 1;
        signal(SIGSEGV, on_crash);
        signal(SIGABRT, on_crash);
    }
    if (p == MAP_FAILED)
        return;
    control = p;
    room = (int64_t)((size_t)st.st_size - sizeof *control) / 8;
}

__attribute__((noinline)) static int fails(void)
{
    uint64_t target, stack = 0;
    int64_t n;

    if (!control || busy)
        return 0;
    n = __atomic_add_fetch(&control->count, 1, __ATOMIC_RELAXED);
    target = __atomic_load_n(&control->target, __ATOMIC_RELAXED);
    if (control->record || target)
        stack = call_stack();
    if (control->record && n <= room)
        control->stacks[n - 1] = stack;
    if (target) {
        if (stack != target ||
            !__atomic_compare_exchange_n(&control->target, &target, 0, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return 0;
    } else if (__atomic_load_n(&control->countdown, __ATOMIC_RELAXED) <= 0 ||
               __atomic_sub_fetch(&control->countdown, 1, __ATOMIC_RELAXED) != 0) {
        return 0;
    }
    control->hit = stack ? stack : call_stack();
    if (trace)
        callers("failed:\n");
    errno = ENOMEM;
    return 1;
}

int posix_memalign(void **out, size_t align, size_t size)
{
    void *p = fails() ? NULL : __libc_memalign(align, size);

    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

static size_t cut(size_t len)
{
    return control && control->half && len > 1 ? (len + 1) / 2 : len;
}

ssize_t write(int fd, const void *data, size_t len)
{
    return syscall(SYS_write, fd, data, cut(len));
}

ssize_t read(int fd, void *data, size_t len)
{
    return syscall(SYS_read, fd, data, cut(len));
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    return syscall(SYS_sendto, fd, data, cut(len), flags, NULL, 0);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    return syscall(SYS_recvfrom, fd, data, flags & MSG_WAITALL ? len : cut(len), flags, NULL, NULL);
}
