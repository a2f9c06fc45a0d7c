/* shim.c - loaded before a program (LD_PRELOAD): its nth allocation fails, its writes and reads are cut short.
 *
 * $FAULT_CONTROL names a file of at least two 64-bit numbers, shared with who gives the orders: the first is counted down at
 * each allocation, which fails when it gets to zero (0 = none fails); the second counts allocations. A third that is not zero
 * makes every write and read of a file or socket move half of what was asked for, at least one octet. With $FAULT_TRACE set, the
 * failing allocation's callers are printed, and behind "crash:" those of a crash.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../allocations.h"

extern void *__libc_memalign(size_t align, size_t size);

static struct {
    int64_t countdown, count, half;
} *control;
static int trace;

static void callers(void)
{
    void *list[32];

    backtrace_symbols_fd(list, backtrace(list, 32), STDERR_FILENO);
}

static void on_crash(int sig)
{
    signal(sig, SIG_DFL);
    (void)!write(STDERR_FILENO, "crash:\n", 7);
    callers();
    raise(sig);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (getenv("FAULT_TRACE")) {
        trace = 1;
        backtrace((void *[1]){NULL}, 1); /* loads what it needs now */
        signal(SIGSEGV, on_crash);
        signal(SIGABRT, on_crash);
    }
    if (p != MAP_FAILED)
        control = p;
}

static int fails(void)
{
    if (!control)
        return 0;
    __atomic_add_fetch(&control->count, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&control->countdown, __ATOMIC_RELAXED) <= 0 ||
        __atomic_sub_fetch(&control->countdown, 1, __ATOMIC_RELAXED) != 0)
        return 0;
    if (trace)
        callers();
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
