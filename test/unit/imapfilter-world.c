#include "imapfilter-world.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/sjson.h"
#include "imapfilter/server.h"

enum { PATIENCE_MS = 3000, QUIET_MS = 100 };

char world_dir[64];
static pid_t filter;
static int server_listener = -1;

static char *path(const char *name)
{
    static char text[4][128];
    static unsigned turn;

    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof text[turn], "%s/%s", world_dir, name);
    return text[turn];
}

static void must(int ok, const char *what)
{
    if (ok)
        return;
    printf("Bail out! %s\n", what);
    exit(99);
}

/* ---- certificate ---- */

static void make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:imap.test");
    FILE *f;

    must(key && cert && name && alt, "certificate");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"imap.test", -1, -1, 0);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_subject_name(cert, name);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, alt, -1);
    must(X509_sign(cert, key, EVP_sha256()) > 0, "certificate");
    must((f = fopen(path("cert.pem"), "w")) && PEM_write_X509(f, cert) == 1 && fclose(f) == 0, "cert.pem");
    must((f = fopen(path("key.pem"), "w")) && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
             fclose(f) == 0,
         "key.pem");
    X509_EXTENSION_free(alt);
    X509_NAME_free(name);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* ---- the filter ---- */

static void make_world(void)
{
    const char *tmp = getenv("TMPDIR");
    struct err e;

    if (*world_dir)
        return;
    signal(SIGPIPE, SIG_IGN);
    snprintf(world_dir, sizeof world_dir, "%.40s/imapf.XXXXXX", tmp ? tmp : "/tmp");
    must(mkdtemp(world_dir) != NULL, "no directory");
    make_certificate();
    must(conf_listen(path("server.sock"), 0600, &server_listener, &e) == 0, e.text);
}

static void write_settings(const char *settings)
{
    FILE *f = fopen(path("conf"), "w");

    must(f != NULL, "conf");
    fprintf(f, "listen = {\"unix:%s/front.sock\"}\nlisten_tls = {\"unix:%s/tls.sock\"}\n", world_dir, world_dir);
    fprintf(f, "tls_certificate = \"%s/cert.pem\"\ntls_key = \"%s/key.pem\"\n", world_dir, world_dir);
    fprintf(f, "backend = \"unix:%s/server.sock\"\nrecryptd = \"unix:%s/recryptd.sock\"\n%s\n", world_dir, world_dir,
            settings);
    must(fclose(f) == 0, "conf");
}

static int run_filter(void)
{
    struct listeners l = {.count = 0};
    struct settings *s;
    struct err e;
    char conf[128];
    int r;

    strcpy(conf, path("conf"));
    log_open("recrypt-imapfilter", 1, getenv("VERBOSE") != NULL);
    if (!getenv("VERBOSE") && !freopen(path("log"), "a", stderr))
        return 98;
    if ((r = settings_load(conf, NULL, &s, &e)) == 0 && (r = server_listen(s, &l, &e)) == 0)
        r = server_run(s, conf, &l, &e);
    if (r < 0)
        fprintf(stderr, "%s\n", e.text);
    return r < 0 ? 97 : 0;
}

static void wait_for_sockets(void)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    struct err e;

    for (int i = 0; i < 1000; i++) {
        int fd;

        if (conf_connect(path("tls.sock"), 100, &fd, &e) == 0) {
            close(fd);
            return;
        }
        nanosleep(&pause, NULL);
    }
    must(0, "the filter does not start");
}

void world_start(const char *settings)
{
    make_world();
    write_settings(settings);
    fflush(stdout);
    filter = fork();
    must(filter >= 0, "fork");
    if (filter == 0) {
        close(server_listener);
        exit(run_filter());
    }
    wait_for_sockets();
}

void world_reload(const char *settings)
{
    const struct timespec pause = {0, 100 * 1000 * 1000};

    write_settings(settings);
    kill(filter, SIGHUP);
    nanosleep(&pause, NULL);
}

int world_stop(void)
{
    int status = -1;
    struct talk t;

    if (!filter)
        return 1;
    kill(filter, SIGTERM);
    waitpid(filter, &status, 0);
    filter = 0;
    while (poll(&(struct pollfd){server_listener, POLLIN, 0}, 1, 0) > 0) {
        t = world_server();
        talk_close(&t);
    }
    if (status)
        printf("# the filter ended with %d\n", status);
    return status == 0;
}

void world_end(void)
{
    static const char *const files[] = {"cert.pem",   "key.pem",  "conf",          "log", "server.sock",
                                        "front.sock", "tls.sock", "recryptd.sock", NULL};

    world_stop();
    if (!*world_dir)
        return;
    close(server_listener);
    for (const char *const *f = files; *f; f++)
        unlink(path(*f));
    rmdir(world_dir);
}

size_t world_memory(void)
{
    char name[64], line[200];
    size_t kb = 0;
    FILE *f;

    snprintf(name, sizeof name, "/proc/%ld/status", (long)filter);
    if (!(f = fopen(name, "r")))
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %zu", &kb) == 1)
            break;
    fclose(f);
    return kb * 1024;
}

/* ---- connections ---- */

struct talk world_client(int tls_port)
{
    struct talk t = {-1, NULL};
    struct err e;

    must(conf_connect(path(tls_port ? "tls.sock" : "front.sock"), 2000, &t.fd, &e) == 0, e.text);
    return t;
}

struct talk world_server(void)
{
    struct talk t = {-1, NULL};

    if (poll(&(struct pollfd){server_listener, POLLIN, 0}, 1, 2000) > 0)
        t.fd = accept4(server_listener, NULL, NULL, SOCK_CLOEXEC);
    return t;
}

struct pair world_pair(void)
{
    struct pair p;

    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, "* OK [CAPABILITY " GREETING_LIST "] hello\r\n");
    if (!hears_line(&p.client, "* OK [CAPABILITY IMAP4rev1 ", NULL))
        puts("# no greeting");
    return p;
}

struct pair world_logged_in(void)
{
    struct pair p = world_pair();

    say(&p.client, "in LOGIN bob@example.com secret\r\n");
    if (!hears(&p.server, "in LOGIN bob@example.com secret\r\n"))
        puts("# no LOGIN");
    say(&p.server, "in OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE COMPRESS=DEFLATE] in\r\n");
    if (!hears(&p.client, "in OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE XRECRYPT] in\r\n"))
        puts("# not logged in");
    return p;
}

void talk_close(struct talk *t)
{
    SSL_free(t->tls);
    if (t->fd >= 0)
        close(t->fd);
    *t = (struct talk){-1, NULL};
}

void pair_close(struct pair *p)
{
    talk_close(&p->client);
    talk_close(&p->server);
}

static void set_patience(int fd, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

int talk_connect_tls(struct talk *t)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int ok;

    set_patience(t->fd, PATIENCE_MS);
    t->tls = SSL_new(ctx);
    SSL_CTX_free(ctx);
    ok = SSL_set_fd(t->tls, t->fd) == 1 && SSL_connect(t->tls) == 1;
    return ok;
}

int talk_accept_tls(struct talk *t)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int ok = SSL_CTX_use_certificate_chain_file(ctx, path("cert.pem")) == 1 &&
             SSL_CTX_use_PrivateKey_file(ctx, path("key.pem"), SSL_FILETYPE_PEM) == 1;

    set_patience(t->fd, PATIENCE_MS);
    t->tls = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ok && SSL_set_fd(t->tls, t->fd) == 1 && SSL_accept(t->tls) == 1;
}

/* ---- talking ---- */

void say_octets(struct talk *t, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = t->tls ? SSL_write(t->tls, p, (int)len) : send(t->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

void say(struct talk *t, const char *text)
{
    say_octets(t, text, strlen(text));
}

/* Octets, 0 = the end, -1 = nothing in time. */
static ssize_t take(struct talk *t, char *to, size_t size, int patience_ms)
{
    ssize_t n;

    set_patience(t->fd, patience_ms);
    n = t->tls ? SSL_read(t->tls, to, (int)size) : recv(t->fd, to, size, 0);
    if (t->tls && n <= 0)
        return SSL_get_error(t->tls, (int)n) == SSL_ERROR_WANT_READ ? -1 : 0;
    return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK ? 0 : n;
}

int hears_octets(struct talk *t, const void *data, size_t len)
{
    char *got = malloc(len + 1);
    size_t have = 0;
    ssize_t n = 1;
    int yes;

    while (have < len && (n = take(t, got + have, len - have, PATIENCE_MS)) > 0)
        have += (size_t)n;
    yes = have == len && memcmp(got, data, len) == 0;
    if (!yes)
        printf("# heard %zu octets%s: \"%.*s\"; wanted %zu: \"%.*s\"\n", have, n ? "" : " and the end",
               (int)(have < 300 ? have : 300), got, len, (int)(len < 300 ? len : 300), (const char *)data);
    free(got);
    return yes;
}

int hears(struct talk *t, const char *text)
{
    return hears_octets(t, text, strlen(text));
}

int hears_line(struct talk *t, const char *begin, char *line)
{
    char own[4096], *to = line ? line : own;
    size_t len = 0;

    while (len < sizeof own - 1 && take(t, to + len, 1, PATIENCE_MS) == 1)
        if (to[len++] == '\n')
            break;
    to[len] = 0;
    if (strncmp(to, begin, strlen(begin)) == 0 && len && to[len - 1] == '\n')
        return 1;
    printf("# heard the line \"%s\"; wanted \"%s...\"\n", to, begin);
    return 0;
}

int hears_end(struct talk *t)
{
    char c;
    ssize_t n = take(t, &c, 1, PATIENCE_MS);

    if (n)
        printf("# heard %s instead of the end\n", n < 0 ? "nothing" : "something");
    return n == 0;
}

int hears_nothing(struct talk *t)
{
    char got[200];
    ssize_t n = take(t, got, sizeof got - 1, QUIET_MS);

    if (n > 0)
        printf("# heard \"%.*s\"\n", (int)n, got);
    return n == -1;
}

void ciphertext_first(struct buf *json)
{
    struct buf out = BUF_INIT;
    const char *value, *end, *from = buf_str(json);
    size_t len;

    if (!sjson_find_string(from, json->len, "ciphertext", &value, &len))
        exit(99);
    end = value + len + strlen("\",");
    buf_puts(&out, "{\"ciphertext\":\"");
    buf_append(&out, value, (size_t)(end - value));
    buf_append(&out, from + 1, (size_t)(value - from) - 1 - strlen("\"ciphertext\":\""));
    buf_append(&out, end, json->len - (size_t)(end - from));
    buf_free(json);
    *json = out;
}
