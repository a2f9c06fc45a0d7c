/* A stand-in for systemd: its socket, its variables, its descriptors. */
#include "common/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* A datagram socket of that name; '@' is an abstract one. */
static int manager_at(const char *name)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    const struct timeval soon = {2, 0};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(sa.sun_path, name, len);
    if (name[0] == '@')
        sa.sun_path[0] = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                          0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static int heard(int fd, const char *state)
{
    char text[200] = "";
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    size_t len = strlen(state);

    return n > 0 && !strncmp(text, state, len) && !strncmp(text + len, "\nMONOTONIC_USEC=", 16) &&
           strspn(text + len + 16, "0123456789") == strlen(text + len + 16) && text[len + 16];
}

static void test_tell(void)
{
    char path[64], hidden[64];
    int fd;

    snprintf(path, sizeof path, "/tmp/recrypt-manager.%d", (int)getpid());
    snprintf(hidden, sizeof hidden, "@recrypt-manager.%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        fd = manager_at(i ? hidden : path);
        errno = ERANGE;
        manager_tell("READY=1");
        CU_ASSERT_EQUAL(errno, ERANGE);
        CU_ASSERT(heard(fd, "READY=1"));
        manager_tell("RELOADING=1");
        CU_ASSERT(heard(fd, "RELOADING=1"));
        close(fd);
    }
    unlink(path);
}

/* No manager, or none that can be reached, is no reason to fail. */
static void test_nobody(void)
{
    char text[200];

    unsetenv("NOTIFY_SOCKET");
    errno = ERANGE;
    manager_tell("READY=1");
    CU_ASSERT_EQUAL(errno, ERANGE);
    memset(text, '/', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < 5; i++) {
        setenv("NOTIFY_SOCKET", ((const char *[]){"/tmp/recrypt-manager.nobody", "", "@", "vsock:2:1", text})[i], 1);
        manager_tell("READY=1");
        CU_ASSERT_EQUAL(errno, ERANGE);
    }
    unsetenv("NOTIFY_SOCKET");
}

/* ---- sockets ---- */

/* What manager_sockets says in a process of its own, whose descriptors from 3 on are n open ones; 99: the environment
 * still speaks of them, or they survive an exec. */
static int sockets_in(int own_pid, const char *fds, int n)
{
    int status, fd, r;
    char pid[32];
    pid_t child;

    fflush(stdout);
    if ((child = fork()) == 0) {
        for (int i = 3; i < 64; i++)
            close(i);
        for (int i = 0; i < n; i++)
            if (dup2(2, 3 + i) < 0)
                _exit(98);
        snprintf(pid, sizeof pid, "%ld", (long)getpid() + !own_pid);
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDNAMES", "a:b", 1);
        if (fds)
            setenv("LISTEN_FDS", fds, 1);
        r = manager_sockets(&fd, NULL);
        if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES") || fd != (r > 0 ? 3 : -1))
            _exit(99);
        for (int i = 0; i < r; i++)
            if (!(fcntl(3 + i, F_GETFD) & FD_CLOEXEC))
                _exit(99);
        _exit(r < 0 ? 100 - r : r);
    }
    CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_sockets(void)
{
    static const char *const wrong[] = {"0", "-1", "", "1x", "x", " 1", "+1", "99999999999999999999", "2147483647"};

    CU_ASSERT_EQUAL(sockets_in(1, "1", 1), 1);
    CU_ASSERT_EQUAL(sockets_in(1, "3", 3), 3);
    CU_ASSERT_EQUAL(sockets_in(1, NULL, 0), 0);
    CU_ASSERT_EQUAL(sockets_in(0, "1", 1), 0);
    CU_ASSERT_EQUAL(sockets_in(1, "2", 1), 100 - ERR_USAGE);
    CU_ASSERT_EQUAL(sockets_in(1, "1", 0), 100 - ERR_USAGE);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CU_ASSERT_EQUAL(sockets_in(1, wrong[i], 1), 100 - ERR_USAGE);
}

static void test_watchdog(void)
{
    char pid[32];

    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    CU_ASSERT_EQUAL(manager_watchdog(), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    CU_ASSERT_EQUAL(manager_watchdog(), 60000000);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    CU_ASSERT_EQUAL(manager_watchdog(), 60000000);
    setenv("WATCHDOG_PID", "1", 1);
    CU_ASSERT_EQUAL(manager_watchdog(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    CU_ASSERT_EQUAL(manager_watchdog(), 0);
    unsetenv("WATCHDOG_USEC");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"what is told", test_tell},
        {"nobody to tell", test_nobody},
        {"sockets handed over", test_sockets},
        {"the watchdog", test_watchdog},
    };

    return unit_main("manager", tests, sizeof tests / sizeof *tests);
}
