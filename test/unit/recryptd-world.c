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
            w->port, w->port, w->socket, w->dir, geteuid() == 0 ? "user = \"" SERVICE_USER "\"\n" : "", extra ? extra : "");
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

/* ---- people ---- */

void who_sign(struct who *p, const struct who *owner, int64_t epoch)
{
    struct profile next = {.kind = owner ? PROFILE_LIST : PROFILE_PERSON, .epoch = epoch, .issued = time(NULL)};
    struct err e = {0};

    memcpy(next.account, p->address, sizeof next.account);
    memcpy(next.owner, owner ? owner->address : p->address, sizeof next.owner);
    next.key = p->key;
    profile_clear(&p->profile);
    buf_reset(&p->text);
    if (profile_sign(&next, p->sign, &p->text, &e) || profile_read(p->text.data, p->text.len, &p->profile, &e)) {
        printf("# profile of %s: %s\n", p->address, e.text);
        return;
    }
    jwk_set_kid(p->key, p->profile.keyid);
}

void who_make(struct who *p, const char *address, const char *suite)
{
    memset(p, 0, sizeof *p);
    snprintf(p->address, sizeof p->address, "%s", address);
    if (jwk_generate("Ed25519", &p->sign, NULL) || jwk_generate(suite, &p->key, NULL))
        return;
    who_sign(p, NULL, 1);
}

void who_make_list(struct who *l, const char *address, const struct who *owner, const char *suite, int64_t epoch)
{
    struct json_object *copy;

    memset(l, 0, sizeof *l);
    snprintf(l->address, sizeof l->address, "%s", address);
    if (jwk_to_json(owner->sign, 1, &copy, NULL))
        return;
    if (jwk_from_json(copy, &l->sign, NULL) || jwk_generate(suite, &l->key, NULL))
        printf("# keys of %s\n", address);
    else
        who_sign(l, owner, epoch);
    json_object_put(copy);
}

void who_clear(struct who *p)
{
    profile_clear(&p->profile);
    buf_free(&p->text);
    jwk_free(&p->sign);
    jwk_free(&p->key);
}

/* ---- requests ---- */

struct json_object *J(const char *fmt, ...)
{
    struct json_object *obj = NULL;
    char *text = NULL;
    struct err e;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    for (char *c = text; c && *c; c++)
        if (*c == '\'')
            *c = '"';
    if (!text || sjson_parse(text, strlen(text), NULL, &obj, &e))
        printf("# test's own JSON: %s\n", text ? e.text : "");
    free(text);
    return obj;
}

void answer_clear(struct answer *a)
{
    json_object_put(a->all);
    memset(a, 0, sizeof *a);
}

static int read_answer(struct buf *in, struct answer *out)
{
    static const struct sjson_limits limits = {16 << 20, 16, 1 << 20};
    const char *body = strstr(buf_str(in), "\r\n\r\n"), *nonce = strcasestr(buf_str(in), "\r\nReplay-Nonce: ");
    const char *text;

    if (!body || sscanf(buf_str(in), "HTTP/1.1 %d", &out->http) != 1)
        return -1;
    if (nonce && nonce < body)
        sscanf(nonce + 16, "%63[A-Za-z0-9_-]", out->nonce);
    body += 4;
    if (sjson_parse(body, in->len - (size_t)(body - buf_str(in)), &limits, &out->all, NULL))
        return -1;
    json_object_object_foreach(out->all, name, inner)
    {
        snprintf(out->name, sizeof out->name, "%s", name);
        out->body = inner;
    }
    if (sjson_int(out->body, "Status", &out->status, NULL) || sjson_string(out->body, "StatusDescription", &text, NULL))
        return -1;
    snprintf(out->text, sizeof out->text, "%s", text);
    return 0;
}

int world_http(const struct world *w, const char *method, const char *path, const char *type, const void *body,
               size_t len, struct answer *out)
{
    struct buf send_buf = BUF_INIT, in = BUF_INIT;
    char address[64], piece[4096];
    int fd, rc;
    ssize_t n = 0;

    memset(out, 0, sizeof *out);
    snprintf(address, sizeof address, "inet:127.0.0.1:%d", w->port);
    if (conf_connect(address, 2000, &fd, NULL))
        return -1;
    rc = buf_printf(&send_buf, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n", method, path);
    rc = rc || !type ? rc : buf_printf(&send_buf, "Content-Type: %s\r\n", type);
    rc = rc ? rc : buf_printf(&send_buf, "Content-Length: %zu\r\n\r\n", len);
    rc = rc ? rc : buf_append(&send_buf, body, len);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    for (size_t sent = 0; !rc && sent < send_buf.len && n >= 0; sent += (size_t)(n > 0 ? n : 0))
        n = send(fd, send_buf.data + sent, send_buf.len - sent, MSG_NOSIGNAL);
    while (!rc && (n = read(fd, piece, sizeof piece)) > 0)
        rc = buf_append(&in, piece, (size_t)n);
    close(fd);
    rc = rc ? rc : read_answer(&in, out);
    buf_free(&send_buf);
    buf_free(&in);
    return rc;
}

static int sign_request(const struct world *w, const struct jwk *signer, const struct buf *text,
                        const struct spoil *spoil, struct buf *out)
{
    struct json_object *header = json_object_new_object();
    struct answer hello = {0};
    const char *nonce = spoil ? spoil->nonce : NULL;
    int rc = 0;

    if (!nonce) {
        rc = world_http(w, "POST", "/.well-known/meshrecrypt", "application/json", "{\"HelloRequest\":{}}", 19, &hello);
        nonce = hello.nonce;
    }
    rc = rc ? rc : sjson_set_string(header, "nonce", nonce);
    rc = rc ? rc : sjson_set_string(header, "url", spoil && spoil->url ? spoil->url : w->url);
    rc = rc ? rc : sjson_set_int(header, "iat", time(NULL) + (spoil ? spoil->iat_off : 0));
    rc = rc ? rc : jws_sign_flattened(signer, header, text->data, text->len, out, NULL);
    if (!rc && spoil && spoil->flip) {
        char *sig = strstr((char *)out->data, "\"signature\":\"");

        sig[20] = sig[20] == 'A' ? 'B' : 'A';
    }
    json_object_put(header);
    answer_clear(&hello);
    return rc;
}

int world_signed(const struct world *w, const struct jwk *signer, const char *text, struct buf *out)
{
    struct buf b = BUF_INIT;
    int rc = buf_puts(&b, text);

    rc = rc ? rc : sign_request(w, signer, &b, NULL, out);
    buf_free(&b);
    return rc;
}

int world_call(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body,
               const struct spoil *spoil, struct answer *out)
{
    struct json_object *request = json_object_new_object();
    struct buf text = BUF_INIT, signed_text = BUF_INIT;
    char full[64];
    int rc;

    memset(out, 0, sizeof *out);
    snprintf(full, sizeof full, "%sRequest", name);
    rc = sjson_set_object(request, full, body);
    rc = rc ? rc : sjson_write(request, &text);
    if (signer)
        rc = rc ? rc : sign_request(w, signer, &text, spoil, &signed_text);
    rc = rc ? rc
            : world_http(w, "POST", "/.well-known/meshrecrypt", signer ? "application/jose+json" : "application/json",
                         signer ? signed_text.data : text.data, signer ? signed_text.len : text.len, out);
    json_object_put(request);
    buf_free(&text);
    buf_free(&signed_text);
    return rc;
}

int world_status(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body)
{
    struct answer a;
    int status = world_call(w, signer, name, body, NULL, &a) ? -1 : (int)a.status;

    if (getenv("TRACE"))
        printf("# %s: %d %s\n", name, status, a.text);
    answer_clear(&a);
    return status;
}

/* ---- messages ---- */

int seal(const struct who *list, const char *text, struct sealed *out)
{
    const struct jwk *to = list->key;
    struct jwk *epk = NULL;
    int rc;

    memset(out, 0, sizeof *out);
    rc = jwe_encrypt(&to, 1, &(struct jwe_options){0}, text, strlen(text), &out->jwe, &out->ciphertext, NULL);
    rc = rc ? rc : jwe_recipient(out->jwe, 0, &out->to, NULL);
    rc = rc ? rc : jwk_from_json(jwe_protected(out->jwe, "epk"), &epk, NULL);
    rc = rc ? rc : jwk_to_json(epk, 0, &out->epk, NULL);
    jwk_free(&epk);
    return rc;
}

void sealed_clear(struct sealed *s)
{
    jwe_free(&s->jwe);
    buf_free(&s->ciphertext);
    json_object_put(s->epk);
    s->epk = NULL;
}

int opens(const struct who *member, const struct who *list, struct json_object *grant, const struct sealed *s,
          const char *text)
{
    struct grant g = {0};
    struct share share = {0};
    struct buf plain = BUF_INIT;
    struct err e = {0};
    unsigned char tag[GRANT_TAG_LEN];
    int rc = grant_from_json(grant, &g, &e), yes;

    rc = rc ? rc : share_read(g.dk, list->profile.keyid, list->sign, member->key, &share, &e);
    rc = rc ? rc : entry_tag(share.tagkey, s->to.epk, s->to.epk_len, tag, &e);
    if (!rc && memcmp(tag, g.tag, sizeof tag))
        rc = err_set(&e, ERR_KEY, "tag");
    rc = rc ? rc : share_decrypt(&share, &g, s->jwe, 0, &s->ciphertext, &plain, &e);
    yes = !rc && plain.len == strlen(text) && !memcmp(plain.data, text, plain.len);
    if (rc)
        printf("# %s: %s\n", member->address, e.text);
    share_clear(&share);
    grant_clear(&g);
    buf_free(&plain);
    return yes;
}
