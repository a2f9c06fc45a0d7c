/* Prints the programs' filters as C, for common/sandbox.c: run while building. libseccomp's way to a filter
 * allocates a lot, and does not survive it when that fails; a filter that is there already needs nothing. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef SECCOMP_ERRNO
#define FORBIDDEN SCMP_ACT_ERRNO(EPERM)
#else
#define FORBIDDEN SCMP_ACT_KILL_PROCESS
#endif

/* By name: a call that this machine's kind of kernel does not have is left out. */
static const char *const base[] = {
    /* memory */
    "brk", "munmap", "mremap", "madvise", "futex", "membarrier",
    /* descriptors */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "fcntl", "dup", "dup2", "dup3", "pipe",
    "pipe2", "poll", "ppoll", "select", "pselect6",
    /* files: which ones, is for the file system and the user's rights */
    "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "getdents64", "umask",
    /* sockets that are there */
    "bind", "connect", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown", "getsockopt",
    "setsockopt", "getsockname", "getpeername", "accept", "accept4", "listen",
    /* time, signals, end */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack",
    "restart_syscall", "tgkill", "exit", "exit_group",
    /* oneself and the machine */
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getrandom", "uname", "sysinfo", "sched_yield", "sched_getaffinity", "getrlimit", "getrusage", "set_robust_list",
    "get_robust_list", "set_tid_address", "rseq", NULL};

static const char *const files[] = {"open",      "openat",    "fsync",  "fdatasync", "ftruncate", "fallocate", "rename",
                                    "renameat",  "renameat2", "link",   "linkat",    "unlink",    "unlinkat",  "mkdir",
                                    "mkdirat",   "rmdir",     "chmod",  "fchmod",    "fchmodat",  "flock",     NULL};
static const char *const events[] = {"epoll_create1", "epoll_ctl",      "epoll_wait",      "epoll_pwait",
                                     "eventfd2",      "timerfd_create", "timerfd_settime", NULL};
static const char *const recryptd_own[] = {"sync_file_range", "fadvise64", NULL};
static const char *const lda_own[] = {"chown", "fchown", "fchownat", "kill", "wait4", "waitid", NULL};
static const char *const milter_own[] = {"kill", "unlink", "unlinkat", NULL}; /* its socket goes at the end */
static const char *const none[] = {NULL};

static int allow(scmp_filter_ctx c, const char *const *names)
{
    for (; *names; names++) {
        int nr = seccomp_syscall_resolve_name(*names);
        int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 0);

        if (r < 0 && r != -EDOM)
            return r;
    }
    return 0;
}

/* Calls of which only some uses are permitted, in every program. */
static int allow_some(scmp_filter_ctx c)
{
    const scmp_datum_t x = PROT_EXEC, wx = PROT_EXEC | PROT_WRITE;
    const unsigned long requests[] = {TCGETS, FIONREAD, FIONBIO};
    /* Name services' modules are loaded at need: code that is mapped, yet never writable. */
    int r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));

    r = r ? r : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, wx, x));
    r = r ? r : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));
    r = r ? r : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    /* Reading a limit, of oneself. */
    r = r ? r
          : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
                             SCMP_A2(SCMP_CMP_EQ, 0));
    for (size_t i = 0; !r && i < sizeof requests / sizeof *requests; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
    /* Its flags lie in memory, where no filter can look: the library falls back on clone. */
    return r ? r : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* For programs that have no file to write: configuration, certificates, tables of names. A library that would open one
 * for writing is told that it may not. */
static int allow_reading(scmp_filter_ctx c)
{
    static const scmp_datum_t writing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
    const struct {
        int nr;
        unsigned flags; /* which argument they are */
    } calls[] = {{SCMP_SYS(open), 1}, {SCMP_SYS(openat), 2}};
    scmp_datum_t all = 0;
    int r = 0;

    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++)
        all |= writing[i];
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, calls[n].nr, 1, SCMP_CMP(calls[n].flags, SCMP_CMP_MASKED_EQ, all, 0));
        for (size_t i = 0; !r && i < sizeof writing / sizeof *writing; i++)
            r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EACCES), calls[n].nr, 1,
                                 SCMP_CMP(calls[n].flags, SCMP_CMP_MASKED_EQ, writing[i], writing[i]));
        if (r && r != -EDOM)
            return r;
    }
    return 0;
}

/* Of netlink what name services ask for, addresses and routes: others tell of every socket of the machine, or set up
 * its firewall. */
static int allow_netlink(scmp_filter_ctx c)
{
    int r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
                             SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE));

    return r ? r
             : seccomp_rule_add(c, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 2,
                                SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE));
}

/* Sockets of these families and AF_NETLINK; any other, as on a machine that does not have it: resolvers ask for
 * several. */
static int allow_sockets(scmp_filter_ctx c, const int *families, size_t n)
{
    int r = allow_netlink(c), highest = AF_NETLINK;

    for (size_t i = 0; !r && i < n; i++) {
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
        highest = families[i] > highest ? families[i] : highest;
    }
    for (int f = 0; !r && f < highest; f++) {
        int listed = f == AF_NETLINK;

        for (size_t i = 0; i < n; i++)
            listed |= families[i] == f;
        if (!listed)
            r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)f));
    }
    return r ? r
             : seccomp_rule_add(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                SCMP_A0(SCMP_CMP_GT, (scmp_datum_t)highest));
}

static int allow_clone(scmp_filter_ctx c, scmp_datum_t mask, scmp_datum_t value)
{
    return seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, mask, value));
}

static int begin(scmp_filter_ctx *out, const char *const *first, const char *const *second, const int *families,
                 size_t n)
{
    scmp_filter_ctx c = *out = seccomp_init(FORBIDDEN);
    int r = c ? 0 : -ENOMEM;

    r = r ? r : seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A search tree: a call costs the same wherever it stands in the list. */
    if (!r)
        (void)seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    r = r ? r : allow(c, base);
    r = r ? r : allow(c, first);
    r = r ? r : allow(c, second);
    r = r ? r : allow_some(c);
    return r ? r : allow_sockets(c, families, n);
}

static int print(const char *name, scmp_filter_ctx c, int r)
{
    FILE *made = r ? NULL : tmpfile();
    struct sock_filter f;
    size_t n = 0;

    r = r ? r : made ? seccomp_export_bpf(c, fileno(made)) : -errno;
    if (!r) {
        rewind(made);
        printf("static const struct sock_filter %s[] = {\n", name);
        for (; fread(&f, sizeof f, 1, made) == 1; n++)
            printf("    {%u, %u, %u, %uu},\n", (unsigned)f.code, (unsigned)f.jt, (unsigned)f.jf, (unsigned)f.k);
        puts("};");
        r = ferror(made) || !feof(made) || !n ? -EIO : 0;
    }
    if (r)
        fprintf(stderr, "filter %s: %s\n", name, strerror(-r));
    if (made)
        fclose(made);
    if (c)
        seccomp_release(c);
    return r;
}

static int recryptd(void)
{
    static const int families[] = {AF_UNIX};
    scmp_filter_ctx c;
    int r = begin(&c, files, recryptd_own, families, 1);

    r = r ? r : allow(c, events);
    return print("recryptd_filter", c, r);
}

static int milter(void)
{
    static const int families[] = {AF_UNIX};
    scmp_filter_ctx c;
    int r = begin(&c, none, milter_own, families, 1);

    r = r ? r : allow_reading(c);
    r = r ? r : allow_clone(c, CLONE_THREAD, CLONE_THREAD);
    return print("milter_filter", c, r);
}

static int lda(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    scmp_filter_ctx c;
    int r = begin(&c, files, lda_own, families, 3);

    r = r ? r
          : allow_clone(c,
                        CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                            CLONE_NEWCGROUP | CLONE_THREAD,
                        0);
    return print("lda_filter", c, r);
}

static int imapfilter(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    scmp_filter_ctx c;
    int r = begin(&c, events, none, families, 3);

    r = r ? r : allow_reading(c);
    return print("imapfilter_filter", c, r);
}

int main(void)
{
    puts("/* Made by common/filters/make.c. */");
    return recryptd() || milter() || lda() || imapfilter() || fflush(stdout) ? 1 : 0;
}
