/* The milter's socket: its mode and owner, also where another process is quick. */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <libmilter/mfapi.h>
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

/* In a process of its own: libmilter opens one socket in its life. */
static int open_one(mode_t mode)
{
    static char address[80];
    struct settings s = {.socket = address, .socket_mode = mode};
    struct wake own;
    struct err e;
    int status;
    pid_t pid;

    if (getuid() == 0) {
        s.user = (char *)(uintptr_t) "nobody";
        s.socket_group = (char *)(uintptr_t) "mail";
    }
    snprintf(address, sizeof address, "unix:%s", path);
    fflush(stdout);
    if ((pid = fork()) == 0)
        _exit(-milter_socket_open(&s, &own, &e));
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : 99;
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
