/* The milter's socket: its mode and owner, also where another process is quick. */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "milter/settings.h"
#include "milter/socket.h"

static char dir[] = "/tmp/milter-socket.XXXXXX";
static char path[64], victim[64];
static int swapping;

/* In place of the C library's: the folder's owner puts a link in the socket's place as soon as that is there. */
int bind(int fd, __CONST_SOCKADDR_ARG name, socklen_t len)
{
    int r = (int)syscall(SYS_bind, fd, name.__sockaddr__, len);

    if (r == 0 && swapping && (unlink(path) < 0 || symlink(victim, path) < 0))
        abort();
    return r;
}

/* Its own connections lead to where it listens. */
static int connected(const struct wake *own)
{
    char c;

    for (int i = 0; i < WAKE_CONNECTIONS; i++)
        if (own->connection[i].fd < 0 || recv(own->connection[i].fd, &c, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN)
            return 0;
    return 1;
}

/* In a process of its own: libmilter opens one socket in its life. -99 = it is not connected to itself. */
static int open_at(char *address, mode_t mode)
{
    struct settings s = {.socket = address, .socket_mode = mode};
    struct wake own;
    struct err e;
    int status;
    pid_t pid;

    if (getuid() == 0) {
        s.user = (char *)(uintptr_t) "nobody";
        s.socket_group = (char *)(uintptr_t) "mail";
    }
    fflush(stdout);
    if ((pid = fork()) == 0) {
        int r = milter_socket_open(&s, &own, &e);

        _exit(r ? -r : connected(&own) ? 0 : 99);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : 98;
}

static int open_one(mode_t mode)
{
    static char address[80];

    snprintf(address, sizeof address, "unix:%s", path);
    return open_at(address, mode);
}

static void test_mode(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    const struct group *mail = getgrnam("mail");
    struct stat st;

    CU_ASSERT_EQUAL_FATAL(open_one(0622), 0);
    CU_ASSERT_EQUAL(lstat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, S_IFSOCK | 0622);
    if (getuid() == 0 && nobody && mail) {
        CU_ASSERT_EQUAL(st.st_uid, nobody->pw_uid);
        CU_ASSERT_EQUAL(st.st_gid, mail->gr_gid);
    }
}

/* A port that was free a moment ago. */
static int free_port(int family)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t len = family == AF_INET ? sizeof four : sizeof six;
    struct sockaddr_storage got;
    int fd = socket(family, SOCK_STREAM, 0), port = 0;

    if (fd >= 0 && syscall(SYS_bind, fd, sa, len) == 0 && (len = sizeof got) &&
        getsockname(fd, (struct sockaddr *)&got, &len) == 0) /* the port is in the same place of both */
        port = ntohs(((struct sockaddr_in *)&got)->sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

/* Whatever form of address libmilter takes. */
static void test_forms(void)
{
    static const struct {
        const char *before, *behind;
        int family;
    } forms[] = {{"inet:", "@127.0.0.1", AF_INET},      {"inet:", "@[127.0.0.1]", AF_INET}, {"inet:", "", AF_INET},
                 {"inet:", "@0.0.0.0", AF_INET},        {"inet6:", "@[::1]", AF_INET6},     {"inet6:", "", AF_INET6},
                 {"inet6:", "@[::]", AF_INET6},         {"INET:", "@localhost", AF_INET}};
    char address[80];

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int port = free_port(forms[i].family), r;

        if (!port && forms[i].family == AF_INET6) {
            printf("# %sPORT%s: no IPv6 here\n", forms[i].before, forms[i].behind);
            continue;
        }
        snprintf(address, sizeof address, "%s%d%s", forms[i].before, port, forms[i].behind);
        if ((r = open_at(address, 0)))
            printf("# %s: %d\n", address, r);
        CU_ASSERT_EQUAL(r, 0);
    }
    snprintf(address, sizeof address, "local:%s", path);
    unlink(path);
    CU_ASSERT_EQUAL(open_at(address, 0600), 0);
}

static void test_swapped(void)
{
    FILE *f = fopen(victim, "w");
    struct stat st, was;
    int r;

    CU_ASSERT_FATAL(f && fclose(f) == 0 && chmod(victim, 0600) == 0 && stat(victim, &was) == 0);
    unlink(path);
    swapping = 1;
    r = open_one(0666);
    swapping = 0;
    if (getuid() == 0)
        CU_ASSERT_EQUAL(r, ERR_EXISTS); /* nobody else gives it away */
    CU_ASSERT_EQUAL(stat(victim, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, was.st_mode);
    CU_ASSERT_EQUAL(st.st_uid, was.st_uid);
    CU_ASSERT_EQUAL(st.st_gid, was.st_gid);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"mode and owner are as configured", test_mode},
        {"its own connections, in every form of address", test_forms},
        {"what is put in the socket's place keeps its own", test_swapped},
    };
    struct smfiDesc filter = {.xxfi_name = (char *)(uintptr_t) "test", .xxfi_version = SMFI_VERSION};
    int r;

    if (!mkdtemp(dir) || smfi_register(filter) != MI_SUCCESS)
        return 99;
    snprintf(path, sizeof path, "%s/sock", dir);
    snprintf(victim, sizeof victim, "%s/victim", dir);
    r = unit_main("milter-socket", tests, sizeof tests / sizeof *tests);
    unlink(path);
    unlink(victim);
    rmdir(dir);
    return r;
}
