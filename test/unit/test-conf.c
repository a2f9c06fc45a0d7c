#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/conf.h"
#include "starve.h"
#include "unit.h"

static char dir[] = "/tmp/recrypt-conf-XXXXXX";

static const char *in_dir(const char *name)
{
    return unit_path(dir, name);
}

static int load_written(cfg_t **out, struct err *e)
{
    char word[] = "default", list[] = "{}"; /* libconfuse wants them writable */
    cfg_opt_t tls[] = {CFG_STR("certificate", NULL, CFGF_NONE), CFG_END()};
    cfg_opt_t domain[] = {CFG_STR("service", NULL, CFGF_NONE), CFG_END()};
    cfg_opt_t opts[] = {CFG_STR("keystore", word, CFGF_NONE), CFG_INT("workers", 2, CFGF_NONE),
                        CFG_STR_LIST("users", list, CFGF_NONE), CFG_SEC("tls", tls, CFGF_NONE),
                        CFG_SEC("domain", domain, CFGF_MULTI | CFGF_TITLE), CFG_END()};

    return conf_load(in_dir("conf"), opts, out, e);
}

static void write_conf(const char *text)
{
    CU_ASSERT_EQUAL_FATAL(file_write(in_dir("conf"), text, strlen(text), 0600, NULL), 0);
}

static int load(const char *text, cfg_t **out, struct err *e)
{
    write_conf(text);
    return load_written(out, e);
}

static void test_load(void)
{
    struct err e;
    cfg_t *cfg;

    CU_ASSERT_EQUAL_FATAL(load("# comment\nkeystore = \"/x\"\nusers = {a, b}\ndomain a { service = \"u\" }\n"
                               "domain b { service = \"v\" }\ntls { certificate = c }\n", &cfg, &e), 0);
    CU_ASSERT_STRING_EQUAL(cfg_getstr(cfg, "keystore"), "/x");
    CU_ASSERT_EQUAL(cfg_getint(cfg, "workers"), 2);
    CU_ASSERT_EQUAL(cfg_size(cfg, "users"), 2);
    CU_ASSERT_EQUAL(cfg_size(cfg, "domain"), 2);
    CU_ASSERT_STRING_EQUAL(cfg_getstr(cfg, "tls|certificate"), "c");
    cfg_free(cfg);
    /* Nothing of the first file is left in the second. */
    CU_ASSERT_EQUAL_FATAL(load("tls { certificate = d }\n", &cfg, &e), 0);
    CU_ASSERT_STRING_EQUAL(cfg_getstr(cfg, "keystore"), "default");
    cfg_free(cfg);
}

static void refused(const char *text, const char *where)
{
    struct err e = {0, ""};
    cfg_t *cfg = NULL;

    CU_ASSERT_EQUAL(load(text, &cfg, &e), ERR_USAGE);
    CU_ASSERT_PTR_NULL(cfg);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, where));
    if (!strstr(e.text, where))
        fprintf(stderr, "# %s gave: %s\n", text, e.text);
}

static void test_load_refuses(void)
{
    struct err e;
    cfg_t *cfg;
    cfg_opt_t none[] = {CFG_END()};

    refused("keystore = a\nnosuch = 1\n", "conf:2: no such option 'nosuch'");
    refused("workers = many\n", "conf:1: ");
    refused("\n\ndomain a { service = u }\ndomain a { service = v }\n", "conf:4: ");
    refused("tls { certificate = a }\n\ntls { certificate = b }\n", "conf:3: section 'tls' given twice");
    refused("keystore = \"open\n", "conf:");
    refused("tls {\n", "inside a section");
    refused("keystore = a\n/* and so on\n", "inside a comment");
    refused("keystore =\n", "conf:");
    refused("}\n", "conf:1: ");
    CU_ASSERT_EQUAL(conf_load(in_dir("absent"), none, &cfg, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(conf_load(dir, none, &cfg, &e), ERR_USAGE);
    CU_ASSERT_PTR_NULL(cfg);
}

static void test_values(void)
{
    static const char *const bad[] = {
        "", "k", "-1", "1x", "1kk", "1 k", "99999999999999999999", "9223372036854775807G", NULL};
    struct err e;
    size_t size;
    int64_t s;

    CU_ASSERT_EQUAL(conf_size("1048576", &size, &e), 0);
    CU_ASSERT_EQUAL(size, 1048576);
    CU_ASSERT_EQUAL(conf_size("512k", &size, &e), 0);
    CU_ASSERT_EQUAL(size, 524288);
    CU_ASSERT_EQUAL(conf_size("25M", &size, &e), 0);
    CU_ASSERT_EQUAL(size, 25 << 20);
    CU_ASSERT_EQUAL(conf_seconds("90s", &s, &e), 0);
    CU_ASSERT_EQUAL(s, 90);
    CU_ASSERT_EQUAL(conf_seconds("10m", &s, &e), 0);
    CU_ASSERT_EQUAL(s, 600);
    CU_ASSERT_EQUAL(conf_seconds("7d", &s, &e), 0);
    CU_ASSERT_EQUAL(s, 7 * 86400);
    CU_ASSERT_EQUAL(conf_seconds("5", &s, &e), 0);
    CU_ASSERT_EQUAL(s, 5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(conf_size(bad[i], &size, &e), ERR_USAGE);
        CU_ASSERT_EQUAL(conf_seconds(bad[i], &s, &e), ERR_USAGE);
    }
}

static void test_user(void)
{
    struct err e;
    uid_t uid;
    gid_t gid;

    CU_ASSERT_EQUAL(conf_user("root", &uid, &gid, &e), 0);
    CU_ASSERT_EQUAL(uid, 0);
    CU_ASSERT_EQUAL(conf_user("0", &uid, NULL, &e), 0);
    CU_ASSERT_EQUAL(conf_user("987654", &uid, NULL, &e), 0);
    CU_ASSERT_EQUAL(uid, 987654);
    CU_ASSERT_EQUAL(conf_user("987654", &uid, &gid, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(conf_user("no such user", &uid, &gid, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(conf_user("-1", &uid, NULL, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(conf_user("4294967295", &uid, NULL, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(conf_user("", &uid, NULL, &e), ERR_USAGE);
}

static void test_daemon_user(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct err e;
    uid_t uid;
    gid_t gid;

    CU_ASSERT_EQUAL(conf_daemon_user("no such user", &uid, &gid, &e), ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(e.text, "user: no user 'no such user'");
    CU_ASSERT_EQUAL(conf_daemon_user("root", &uid, &gid, &e), ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not as root"));
    for (int i = 0; i < 2; i++) {
        int r = conf_daemon_user(i ? "" : NULL, &uid, &gid, &e);

        CU_ASSERT_EQUAL(r, getuid() ? 0 : ERR_USAGE);
        CU_ASSERT(r < 0 || (uid == getuid() && gid == getgid()));
    }
    if (!nobody)
        return unit_skip("no user nobody");
    CU_ASSERT_EQUAL(conf_daemon_user("nobody", &uid, &gid, &e), 0);
    CU_ASSERT(uid == nobody->pw_uid && gid == nobody->pw_gid);
}

/* In a child, since there is no way back. Its exit status is the number of what went wrong. */
static int drop_in_child(uid_t uid, gid_t gid)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (conf_drop_privileges(uid, gid, NULL) < 0)
            _exit(1);
        if (getuid() != uid || setuid(0) == 0)
            _exit(2);
        if (conf_drop_privileges(uid, gid, NULL) < 0)
            _exit(3);
        /* fs.suid_dumpable may be 2: what root had read would be dumped */
        if (prctl(PR_GET_DUMPABLE) != 0)
            _exit(4);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void test_privileges(void)
{
    struct err e;
    struct passwd *nobody = getpwnam("nobody");

    CU_ASSERT_EQUAL(conf_drop_privileges(0, 0, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(conf_drop_privileges(1, 0, &e), ERR_USAGE);
    if (getuid() != 0) {
        CU_ASSERT_EQUAL(conf_drop_privileges(getuid(), getgid(), &e), 0);
        CU_ASSERT_EQUAL(conf_drop_privileges(getuid() + 1, 1, &e), ERR_DENIED);
        return;
    }
    if (!nobody)
        return unit_skip("no user nobody");
    CU_ASSERT_EQUAL(drop_in_child(nobody->pw_uid, nobody->pw_gid), 0);
}

static void test_unix_socket(void)
{
    char address[160];
    struct stat st;
    struct err e;
    int fd, second, client, flags;

    snprintf(address, sizeof address, "unix:%s", in_dir("sock"));
    CU_ASSERT_EQUAL(conf_connect(address, 1000, &client, &e), ERR_RETRY);
    CU_ASSERT_EQUAL(e.code, ERR_RETRY);
    CU_ASSERT_EQUAL_FATAL(conf_listen(address, 0660, &fd, &e), 0);
    CU_ASSERT_EQUAL(stat(in_dir("sock"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
    flags = fcntl(fd, F_GETFD);
    CU_ASSERT(flags & FD_CLOEXEC);
    CU_ASSERT_EQUAL(conf_listen(address, 0660, &second, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(second, -1);
    CU_ASSERT_EQUAL_FATAL(conf_connect(in_dir("sock"), 1000, &client, &e), 0);
    CU_ASSERT_EQUAL(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    CU_ASSERT(fcntl(client, F_GETFD) & FD_CLOEXEC);
    close(client);
    close(fd);
    CU_ASSERT_EQUAL(conf_connect(address, 1000, &client, &e), ERR_RETRY);
    CU_ASSERT_EQUAL_FATAL(conf_listen(address, 0600, &fd, &e), 0); /* the stale file is replaced */
    close(fd);
    CU_ASSERT_EQUAL(file_write(in_dir("plain"), "x", 1, 0600, &e), 0);
    CU_ASSERT_EQUAL(conf_listen(in_dir("plain"), 0600, &fd, &e), ERR_EXISTS);
}

static const char *swapped; /* puts a link to this in the place of the next socket */

/* In place of the C library's: the folder's owner is quick. */
int bind(int fd, __CONST_SOCKADDR_ARG name, socklen_t len)
{
    int r = (int)syscall(SYS_bind, fd, name.__sockaddr__, len);

    if (r == 0 && swapped && (unlink(in_dir("sock")) < 0 || symlink(swapped, in_dir("sock")) < 0))
        abort();
    return r;
}

/* Whatever the umask, and nothing but the socket. */
static void test_socket_mode(void)
{
    mode_t before = umask(0137);
    char victim[160];
    struct stat st;
    struct err e;
    int fd;

    unlink(in_dir("sock"));
    CU_ASSERT_EQUAL_FATAL(conf_listen(in_dir("sock"), 0666, &fd, &e), 0);
    CU_ASSERT_EQUAL(stat(in_dir("sock"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0666);
    CU_ASSERT_EQUAL(umask(before), 0137);
    close(fd);
    unlink(in_dir("sock"));
    snprintf(victim, sizeof victim, "%s", in_dir("plain"));
    CU_ASSERT_EQUAL(file_write(victim, "x", 1, 0600, &e), 0);
    swapped = victim;
    if (conf_listen(in_dir("sock"), 0666, &fd, &e) == 0)
        close(fd);
    swapped = NULL;
    CU_ASSERT_EQUAL(stat(victim, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
    unlink(in_dir("sock"));
}

static void test_inet_socket(void)
{
    char address[64];
    struct err e;
    int fd, client, port = 0;

    srand((unsigned)getpid());
    for (int i = 0; i < 50 && port == 0; i++) {
        int n = 20000 + rand() % 20000;

        snprintf(address, sizeof address, "inet:127.0.0.1:%d", n);
        if (conf_listen(address, 0, &fd, &e) == 0)
            port = n;
    }
    CU_ASSERT_NOT_EQUAL_FATAL(port, 0);
    CU_ASSERT_EQUAL(conf_listen(address, 0, &client, &e), ERR_EXISTS);
    snprintf(address, sizeof address, "inet:%d@127.0.0.1", port);
    CU_ASSERT_EQUAL(conf_connect(address, 1000, &client, &e), 0);
    close(client);
    close(fd);
    CU_ASSERT_EQUAL(conf_connect(address, 1000, &client, &e), ERR_RETRY);
}

static void test_socket_names(void)
{
    static const char *const bad[] = {"",      "unix:",   "unix:relative", "host:25",
                                      "inet:", "inet:25", "inet:host:",    "inet::25"};
    char path[200];
    struct err e;
    int fd;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(conf_listen(bad[i], 0600, &fd, &e), ERR_USAGE);
        CU_ASSERT_EQUAL(conf_connect(bad[i], 100, &fd, &e), ERR_USAGE);
    }
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    CU_ASSERT_EQUAL(conf_listen(path, 0600, &fd, &e), ERR_USAGE);
}

/* A listener that never accepts: the time limit holds. */
static void test_connect_timeout(void)
{
    char address[160];
    int fd, clients[64], n = 0, r = 0;
    struct err e;

    snprintf(address, sizeof address, "%s", in_dir("full"));
    CU_ASSERT_EQUAL_FATAL(conf_listen(address, 0600, &fd, &e), 0);
    CU_ASSERT_EQUAL(listen(fd, 1), 0);
    while (n < 64 && (r = conf_connect(address, 50, &clients[n], &e)) == 0)
        n++;
    CU_ASSERT_EQUAL(r, ERR_RETRY);
    while (n > 0)
        close(clients[--n]);
    close(fd);
}

static void test_files(void)
{
    struct buf b = BUF_INIT;
    struct stat st;
    struct err e;

    CU_ASSERT_EQUAL(file_read(in_dir("f"), 10, &b, &e), ERR_ABSENT);
    CU_ASSERT_EQUAL(file_write(in_dir("f"), "hello", 5, 0600, &e), 0);
    CU_ASSERT_EQUAL(stat(in_dir("f"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
    CU_ASSERT_EQUAL(buf_puts(&b, "<"), 0);
    CU_ASSERT_EQUAL(file_read(in_dir("f"), 4, &b, &e), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "<");
    CU_ASSERT_EQUAL(file_read(in_dir("f"), 5, &b, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "<hello");
    CU_ASSERT_EQUAL(file_create(in_dir("f"), "x", 1, 0600, &e), ERR_EXISTS);
    CU_ASSERT_EQUAL(file_create(in_dir("g"), "x", 1, 0644, &e), 0);
    CU_ASSERT_EQUAL(stat(in_dir("g"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0644);
    CU_ASSERT_EQUAL(st.st_nlink, 1);
    CU_ASSERT_EQUAL(file_write(in_dir("f"), "other", 5, 0640, &e), 0);
    buf_reset(&b);
    CU_ASSERT_EQUAL(file_read(in_dir("f"), 5, &b, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "other");
    CU_ASSERT_EQUAL(file_read(dir, 5, &b, &e), ERR_USAGE);
    CU_ASSERT_EQUAL(file_write(in_dir("no/such"), "x", 1, 0600, &e), ERR_SYSTEM);
    CU_ASSERT_EQUAL(mkfifo(in_dir("pipe"), 0600), 0);
    CU_ASSERT_EQUAL(file_read(in_dir("pipe"), 5, &b, &e), ERR_USAGE);
    b.max = 6;
    CU_ASSERT_EQUAL(file_read(in_dir("f"), 5, &b, &e), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "other");
    buf_free(&b);
}

/* The nth allocation fails: 0 = everything as it is in the file, or by default; 1 = refused; 2 = fewer allocations; 3 =
 * lost. */
static int load_starved(int n)
{
    cfg_t *cfg = NULL;
    int r;

    starve(n);
    r = load_written(&cfg, NULL);
    if (starve_spared())
        return 2;
    if (r < 0)
        return r == ERR_SYSTEM || r == ERR_USAGE || r == ERR_RETRY ? 1 : 3;
    return cfg_getstr(cfg, "keystore") && !strcmp(cfg_getstr(cfg, "keystore"), "default") &&
                   cfg_getint(cfg, "workers") == 2 && cfg_size(cfg, "users") == 2 &&
                   !strcmp(cfg_getnstr(cfg, "users", 0), "a") && !strcmp(cfg_getnstr(cfg, "users", 1), "b") &&
                   cfg_size(cfg, "domain") == 1 && !strcmp(cfg_getstr(cfg, "domain|service"), "u") &&
                   !strcmp(cfg_getstr(cfg, "tls|certificate"), "c")
               ? 0
               : 3;
}

/* libconfuse gives up with exit() or crashes at some of them: a process each. */
static void test_starved(void)
{
    int outcome = 0, refused = 0;

    if (!starve_works()) {
        unit_skip("sanitizers have allocations of their own");
        return;
    }
    write_conf("users = {a, b}\ndomain a { service = \"u\" }\ntls { certificate = c }\n");
    for (int n = 1; n < 1000 && outcome != 2; n++) {
        int status;
        pid_t pid;

        fflush(stdout);
        if ((pid = fork()) == 0) {
            if (!freopen("/dev/null", "w", stderr))
                _exit(3);
            _exit(load_starved(n));
        }
        CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
        outcome = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (outcome == 3)
            printf("# allocation %d\n", n);
        CU_ASSERT_NOT_EQUAL(outcome, 3);
        refused += outcome == 1;
    }
    CU_ASSERT_EQUAL(outcome, 2);
    CU_ASSERT(refused > 20);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"configuration file is read", test_load},
        {"bad configuration: file and line are named", test_load_refuses},
        {"sizes and times", test_values},
        {"users", test_user},
        {"who a daemon is to be", test_daemon_user},
        {"privileges go for good", test_privileges},
        {"unix sockets: mode, live and stale", test_unix_socket},
        {"a socket's mode is its own", test_socket_mode},
        {"TCP sockets", test_inet_socket},
        {"bad socket addresses", test_socket_names},
        {"connect gives up in time", test_connect_timeout},
        {"files: cap, replace, create", test_files},
        {"out of memory: no setting is lost in silence", test_starved},
    };

    return unit_main_in(dir, "conf", tests, sizeof tests / sizeof *tests);
}
