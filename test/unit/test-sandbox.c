/* What each program's sandbox refuses and what it leaves: each call in a process of its own. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netdb.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "common/sandbox.h"

typedef int enter(struct err *e);
typedef long act(void); /* negative with errno = refused */

static enter *const programs[] = {sandbox_recryptd, sandbox_milter, sandbox_lda, sandbox_imapfilter};
enum { RECRYPTD = 1, MILTER = 2, LDA = 4, IMAPFILTER = 8, ALL = 15, PROGRAMS = 4 };

enum outcome { DONE, REFUSED, ENDED, BROKEN };

static enum outcome run(enter *confine, act *what, int wanted_errno)
{
    struct err e;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (confine(&e) < 0)
            _exit(99);
        errno = 0;
        _exit(what() >= 0 ? 0 : errno == wanted_errno ? 1 : 2);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return BROKEN;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? ENDED : BROKEN;
    return WEXITSTATUS(status) == 0 ? DONE : WEXITSTATUS(status) == 1 ? REFUSED : BROKEN;
}

/* The programs of the set do it; to the others it is forbidden. */
static void allowed(const char *name, act *what, unsigned set)
{
    for (size_t i = 0; i < PROGRAMS; i++) {
        enum outcome got = run(programs[i], what, EPERM);
#ifdef SECCOMP_ERRNO
        enum outcome forbidden = REFUSED;
#else
        enum outcome forbidden = ENDED;
#endif
        if (got != (set >> i & 1 ? DONE : forbidden))
            printf("# %s, program %zu: %d\n", name, i, (int)got);
        CU_ASSERT_EQUAL(got, set >> i & 1 ? DONE : forbidden);
    }
}

/* To the programs outside of the set it fails as on a machine that does not have it. */
static void absent(act *what, int error, unsigned set)
{
    for (size_t i = 0; i < PROGRAMS; i++)
        CU_ASSERT_EQUAL(run(programs[i], what, error), set >> i & 1 ? DONE : REFUSED);
}

static long do_execve(void)
{
    char *const argv[] = {(char *)(uintptr_t) "/bin/true", NULL}, *const env[] = {NULL};

    return execve(argv[0], argv, env);
}
static long do_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long do_mount(void)
{
    return mount("none", "/nowhere", "tmpfs", 0, NULL);
}
static long do_setuid(void)
{
    return setuid(getuid());
}
static long do_chroot(void)
{
    return chroot("/");
}
static long do_unshare(void)
{
    return syscall(SYS_unshare, CLONE_NEWUSER);
}
static long do_peek(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static long do_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}
static long do_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}
static long do_keyctl(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}
static long do_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}
static long do_personality(void)
{
    return syscall(SYS_personality, 0xffffffff);
}
static long do_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : waitpid(pid, NULL, 0);
}
static long do_namespace(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}
static long do_kill(void)
{
    return kill(getpid(), 0);
}
static long do_chown(void)
{
    return chown("/nowhere/at/all", (uid_t)-1, (gid_t)-1) < 0 && errno == ENOENT ? 0 : -1;
}
static long do_fsync(void)
{
    return fsync(-1) < 0 && errno == EBADF ? 0 : -1;
}
static long do_unlink(void)
{
    return unlink("/nowhere/at/all") < 0 && errno == ENOENT ? 0 : -1;
}
/* The kind of file is not what is asked about: a directory, which the other flag then refuses. */
static long open_with(int flags)
{
    int fd = open("/", flags, 0600);

    return fd >= 0 || errno == EISDIR ? 0 : -1;
}
static long do_write(void)
{
    return open_with(O_WRONLY);
}
static long do_read_write(void)
{
    return open_with(O_RDWR);
}
static long do_create(void)
{
    return open_with(O_RDONLY | O_CREAT);
}
static long do_truncate(void)
{
    return open_with(O_RDONLY | O_TRUNC);
}
static long do_unnamed(void)
{
    return open("/nowhere/at/all", O_TMPFILE | O_RDWR, 0600) < 0 && errno == ENOENT ? 0 : -1;
}
static long do_old_open(void)
{
#ifdef SYS_open
    return syscall(SYS_open, "/", O_WRONLY) < 0 && errno == EISDIR ? 0 : -1;
#else
    return open_with(O_WRONLY);
#endif
}
static long do_openat2(void)
{
    return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0);
}
static long do_epoll(void)
{
    return syscall(SYS_epoll_create1, 0);
}

static void *thread(void *arg)
{
    return arg;
}
static long do_thread(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, thread, NULL) == 0 ? -pthread_join(t, NULL) : (errno = EPERM, -1);
}

static long do_writable_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                                  : 0;
}
static long do_made_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long do_inet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long do_inet6(void)
{
    return socket(AF_INET6, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT ? -1 : 0;
}
static long do_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}
static long do_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long do_diagnosis(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
}
static long do_routes(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}
static long do_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

/* What the programs do of themselves and by their libraries. */
static long do_ordinary(void)
{
    unsigned char random[16];
    char *big = malloc(64 << 20);
    struct addrinfo *found = NULL;
    int fd;

    if (!big || RAND_bytes(random, sizeof random) != 1 || !getpwnam("root"))
        return -1;
    memset(big, 1, 64 << 20);
    free(big);
    if (getaddrinfo("127.0.0.1", "25", NULL, &found) == 0)
        freeaddrinfo(found);
    openlog("test", 0, LOG_USER);
    closelog();
    if ((fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC)) < 0)
        return -1;
    return close(fd);
}
static long do_names(void)
{
    struct addrinfo *found = NULL;

    if (getaddrinfo("localhost", "25", NULL, &found) == 0)
        freeaddrinfo(found);
    return 0;
}

static void test_forbidden(void)
{
    allowed("execve", do_execve, 0);
    allowed("ptrace", do_ptrace, 0);
    allowed("mount", do_mount, 0);
    allowed("setuid", do_setuid, 0);
    allowed("chroot", do_chroot, 0);
    allowed("unshare", do_unshare, 0);
    allowed("process_vm_readv", do_peek, 0);
    allowed("io_uring_setup", do_uring, 0);
    allowed("bpf", do_bpf, 0);
    allowed("keyctl", do_keyctl, 0);
    allowed("memfd_create", do_memfd, 0);
    allowed("personality", do_personality, 0);
    allowed("clone into a namespace", do_namespace, 0);
}

static void test_memory(void)
{
    allowed("writable code", do_writable_code, 0);
    allowed("code made of data", do_made_code, 0);
}

static void test_by_program(void)
{
    allowed("fork", do_fork, LDA);
    allowed("threads", do_thread, MILTER);
    allowed("kill", do_kill, MILTER | LDA);
    allowed("chown", do_chown, LDA);
    allowed("fsync", do_fsync, RECRYPTD | LDA);
    allowed("epoll", do_epoll, RECRYPTD | IMAPFILTER);
    allowed("unlink", do_unlink, RECRYPTD | MILTER | LDA);
}

/* Who has no file to write opens none for writing, by whatever flag or call. */
static void test_files(void)
{
    static act *const ways[] = {do_write, do_read_write, do_create, do_truncate, do_unnamed, do_old_open};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        absent(ways[i], EACCES, RECRYPTD | LDA);
    allowed("openat2", do_openat2, 0); /* its flags lie in memory */
}

#ifdef __x86_64__
/* The same number is another call for programs of other kinds: neither kind gets in, whatever the list says. */
static long do_x32(void)
{
    return syscall(0x40000000L + SYS_getpid);
}
static long do_i386(void)
{
    long r;

    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid there, writev here */
    return r;
}

static void test_kinds(void)
{
    for (size_t i = 0; i < PROGRAMS; i++) {
        enum outcome old = run(programs[i], do_i386, EPERM);

        CU_ASSERT_EQUAL(run(programs[i], do_x32, EPERM), ENDED);
        CU_ASSERT(old == ENDED || old == BROKEN); /* BROKEN: this kernel knows no such programs, SIGSEGV */
    }
}
#else
static void test_kinds(void)
{
    unit_skip("one kind of program only");
}
#endif

static void test_sockets(void)
{
    absent(do_inet, EAFNOSUPPORT, LDA | IMAPFILTER);
    absent(do_packet, EAFNOSUPPORT, 0);
    absent(do_vsock, EAFNOSUPPORT, 0);
    absent(do_diagnosis, EPROTONOSUPPORT, 0);
    allowed("routes", do_routes, ALL);
    allowed("unix", do_unix, ALL);
    if (do_inet6() == 0)
        absent(do_inet6, EAFNOSUPPORT, LDA | IMAPFILTER);
}

static void test_ordinary(void)
{
    allowed("what libraries do", do_ordinary, ALL);
    allowed("names of hosts", do_names, ALL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"forbidden to all", test_forbidden},
        {"memory is written or executed, not both", test_memory},
        {"each program has its own list", test_by_program},
        {"files for writing", test_files},
        {"calls of other kinds of programs", test_kinds},
        {"sockets by family", test_sockets},
        {"what libraries need is left", test_ordinary},
    };

    if (!sandbox_available())
        return unit_main_skipped("sandbox", "built without libseccomp, or with sanitizers");
    return unit_main("sandbox", tests, sizeof tests / sizeof *tests);
}
