#include "recryptd-world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/jws.h"
#include "keystore/keystore-dump.h"
#include "keystore/keystore.h"

enum { TRIES = 400, STEP_US = 25000 };
/* Where root runs the tests. */
#define SERVICE_USER "daemon"

void world_path(const struct world *w, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", w->dir, name);
}

static int free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0), port = -1;

    if (fd >= 0 && !bind(fd, (struct sockaddr *)&sa, len) && !getsockname(fd, (struct sockaddr *)&sa, &len))
        port = ntohs(sa.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

int world_make(struct world *w)
{
    const char *tmp = getenv("TMPDIR"), *tail = "/test/unit/";
    char self[400], *cut = NULL;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    memset(w, 0, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    self[n > 0 ? n : 0] = '\0';
    for (char *at = self; (at = strstr(at, tail)); at++)
        cut = at;
    if (cut)
        *cut = '\0';
    snprintf(w->program, sizeof w->program, "%s/recryptd", self);
    snprintf(w->dir, sizeof w->dir, "%s/recryptd-test.XXXXXX", tmp ? tmp : "/tmp");
    w->port = free_port();
    if (access(w->program, X_OK) || w->port < 0 || !mkdtemp(w->dir)) {
        printf("# no %s, no port or no folder\n", w->program);
        return -1;
    }
    if (chmod(w->dir, 0755))
        return -1;
    world_path(w, "recryptd.conf", w->conf);
    snprintf(w->socket, sizeof w->socket, "%s/s", w->dir);
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%d/.well-known/meshrecrypt", w->port);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void world_remove(struct world *w)
{
    if (w->pid)
        world_stop(w);
    jwk_free(&w->service_key);
    if (*w->dir)
        nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_configure(const struct world *w, const char *extra)
{
    FILE *f = fopen(w->conf, "w");

    if (!f)
        return;
    fprintf(f,
            "domains = {\"example.com\"}\nadministrators = {\"alice@example.com\"}\n"
            "url = \"http://127.0.0.1:%d\"\nlisten_web = \"127.0.0.1:%d\"\nlisten_local = \"unix:%s\"\n"
            "state_directory = \"%s/state\"\ninline_max = 5\nlist_max = 5\n%s%s\n",
            w->port, w->port, w->socket, w->dir, geteuid() == 0 ? "user = \"" SERVICE_USER "\"\n" : "",
            extra ? extra : "");
    fclose(f);
}

static int log_fd(const struct world *w)
{
    char path[256];

    world_path(w, "log", path);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int listens(const struct world *w)
{
    char web[64];
    int fd;

    snprintf(web, sizeof web, "inet:127.0.0.1:%d", w->port);
    if (conf_connect(web, 1000, &fd, NULL))
        return 0;
    close(fd);
    if (conf_connect(w->socket, 1000, &fd, NULL))
        return 0;
    close(fd);
    return 1;
}

static int fetch_service_key(struct world *w)
{
    struct json_object *service, *key;
    struct answer a;
    int rc = world_call(w, NULL, "Hello", J("{}"), NULL, &a);

    rc = rc ? rc : sjson_object(a.body, "Service", &service, NULL);
    rc = rc ? rc : sjson_object(service, "EncryptionKey", &key, NULL);
    jwk_free(&w->service_key);
    rc = rc ? rc : jwk_from_json(key, &w->service_key, NULL);
    answer_clear(&a);
    return rc;
}

void world_as_service(int yes)
{
    const struct passwd *user = getpwnam(SERVICE_USER);

    if (getuid() || !user)
        return;
    if (yes ? setegid(user->pw_gid) || seteuid(user->pw_uid) : seteuid(0) || setegid(0))
        printf("# no change of user\n");
}

/* Only a process of the very same user and group may. */
static int set_limit(pid_t pid, unsigned long descriptors)
{
    const struct passwd *user = getuid() ? NULL : getpwnam(SERVICE_USER);
    struct rlimit limit;

    if (user && (setgid(user->pw_gid) || setuid(user->pw_uid)))
        return -1;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit))
        return -1;
    limit.rlim_cur = descriptors;
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
}

int world_limit(const struct world *w, unsigned long descriptors, unsigned long *before)
{
    char path[64], line[256];
    int status, known = !before;
    pid_t pid;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/limits", (int)w->pid);
    if (!(f = fopen(path, "r")))
        return -1;
    while (!known && fgets(line, sizeof line, f))
        known = sscanf(line, "Max open files %lu", before) == 1;
    fclose(f);
    if (!known || (pid = fork()) < 0)
        return -1;
    if (!pid)
        _exit(set_limit(w->pid, descriptors) ? 1 : 0);
    return waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
}

static int own_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const struct passwd *user = getpwnam(SERVICE_USER);

    (void)st;
    (void)type;
    (void)ftw;
    return user ? lchown(path, user->pw_uid, user->pw_gid) : -1;
}

/* What a test made as root, a key store among it, is the service's. */
static void hand_over(const struct world *w)
{
    if (geteuid() == 0 && nftw(w->dir, own_one, 16, FTW_PHYS))
        printf("# %s cannot be handed to " SERVICE_USER "\n", w->dir);
}

/* Not even as root can the limit be raised then. */
static void limit_descriptors(int n)
{
    const struct rlimit limit = {(rlim_t)n, (rlim_t)n};

    if (!n)
        return;
    if (geteuid() == 0 && prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0))
        _exit(126);
    if (setrlimit(RLIMIT_NOFILE, &limit))
        _exit(126);
}

int world_start(struct world *w)
{
    pid_t pid;
    int status;

    hand_over(w);
    pid = fork();

    if (!pid) {
        int fd = log_fd(w);

        dup2(fd, 1);
        dup2(fd, 2);
        limit_descriptors(w->descriptors);
        execl(w->program, "recryptd", "-f", "-v", "-c", w->conf, (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        return -1;
    w->pid = pid;
    for (int i = 0; i < TRIES; i++) {
        if (listens(w))
            return fetch_service_key(w);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            printf("# recryptd ended at once\n");
            w->pid = 0;
            return -1;
        }
        usleep(STEP_US);
    }
    printf("# recryptd does not listen\n");
    return -1;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void world_signal(const struct world *w, int number)
{
    if (w->pid > 0) /* 0 would be this test and whoever started it */
        kill(w->pid, number);
}

int world_stop(struct world *w)
{
    pid_t pid = w->pid;
    int status;

    if (!pid)
        return -1;
    world_signal(w, SIGTERM);
    w->pid = 0;
    for (int i = 0; i < TRIES; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return exit_status(status);
        usleep(STEP_US);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return exit_status(status);
}

FILE *world_dump(struct world *w)
{
    char store[256], path[256];
    struct keystore *ks;
    uint64_t count;
    FILE *f = NULL;

    world_path(w, "state/keystore", store);
    world_path(w, "dump", path);
    if (world_stop(w))
        return NULL;
    world_as_service(1);
    if (!keystore_open("berkeley", store, 0, 1, &ks, NULL)) {
        if ((f = fopen(path, "w+")) && keystore_dump(ks, NULL, f, &count, NULL)) {
            fclose(f);
            f = NULL;
        }
        keystore_close(&ks);
    }
    world_as_service(0);
    return world_start(w) ? NULL : f;
}

int world_load(struct world *w, FILE *dump)
{
    char store[256], aside[256];
    struct err e = {0};
    uint64_t count;
    int rc;

    world_path(w, "state/keystore", store);
    world_path(w, "aside", aside);
    if (world_stop(w) || rename(store, aside))
        return -1;
    rewind(dump);
    world_as_service(1);
    rc = keystore_load("berkeley", store, dump, &count, &e);
    world_as_service(0);
    fclose(dump);
    if (rc)
        printf("# load: %s\n", e.text);
    return rc ? -1 : world_start(w);
}

int world_run(const struct world *w, struct buf *out, ...)
{
    char *argv[16] = {(char[]){"recryptd"}, (char[]){"-c"}, (char *)(uintptr_t)w->conf};
    char piece[512];
    int ends[2], n = 3, status = 0;
    pid_t pid;
    ssize_t got;
    va_list ap;

    va_start(ap, out);
    while (n < 15 && (argv[n] = va_arg(ap, char *)))
        n++;
    va_end(ap);
    argv[n] = NULL;
    buf_reset(out);
    hand_over(w);
    if (pipe2(ends, O_CLOEXEC) || (pid = fork()) < 0)
        return -1;
    if (!pid) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        alarm(30);
        execv(w->program, argv);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], piece, sizeof piece)) > 0)
        buf_append(out, piece, (size_t)got);
    close(ends[0]);
    waitpid(pid, &status, 0);
    return exit_status(status);
}

int world_logged(const struct world *w, const char *text)
{
    char path[256];
    int found = 0;

    world_path(w, "log", path);
    for (int i = 0; i < TRIES / 2 && !found; i++) {
        struct buf b = BUF_INIT;

        found = !file_read(path, 1 << 24, &b, NULL) && strstr(buf_str(&b), text);
        buf_free(&b);
        if (!found)
            usleep(STEP_US);
    }
    return found;
}
