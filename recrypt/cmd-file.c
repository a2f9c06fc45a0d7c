/* encrypt, decrypt: controlled documents, FILE.jcd. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/jcd.h"
#include "common/sjson.h"
#include "known.h"
#include "opener.h"
#include "stream.h"

static int read_fd(void *arg, unsigned char *data, size_t max, size_t *got, struct err *e)
{
    const int *fd = arg;
    ssize_t n;

    while ((n = read(*fd, data, max)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return err_errno(e, "cannot read the file");
    *got = (size_t)n;
    return 0;
}

static int write_fd(void *arg, const void *data, size_t len, struct err *e)
{
    const int *fd = arg;

    return stream_put(*fd, data, len, e);
}

static int open_input(const char *path, int *fd, struct err *e)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    return errno == ENOENT ? err_set(e, ERR_ABSENT, "%s: no such file", path) : err_errno(e, "%s", path);
}

/* The header: a fresh content key, wrapped for the group. */
static int make_header(const struct profile *to, unsigned char *key, struct buf *text, struct err *e)
{
    struct jwe_options opt = {NULL, NULL, "jcd", NULL};
    const struct jwk *keys[1] = {to->key};
    struct json_object *extra = json_object_new_object();
    struct jwe *j = NULL;
    int r;

    if (!extra || sjson_set_int(extra, "chunk", JCD_CHUNK) < 0 || jwk_set_kid(to->key, to->keyid) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    opt.extra = extra;
    if (RAND_priv_bytes(key, JCD_KEY_LEN) != 1)
        r = err_set(e, ERR_SYSTEM, "the system's random generator failed");
    else if ((r = jwe_wrap_key(keys, 1, &opt, key, JCD_KEY_LEN, &j, e)) == 0)
        r = jwe_write(j, NULL, text, e);
out:
    json_object_put(extra);
    jwe_free(&j);
    return r;
}

int command_encrypt(struct tool *t, struct err *e)
{
    const char *path = t->args->words[1], *wanted = t->args->value[OPT_OUT];
    int flags = args_given(t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0;
    unsigned char *key = secret_alloc(JCD_KEY_LEN);
    struct stream_file file = STREAM_NONE;
    struct buf header = BUF_INIT, name = BUF_INIT;
    struct profile to;
    int in = -1, r;

    memset(&to, 0, sizeof to);
    if (!key || (wanted ? buf_puts(&name, wanted) : buf_printf(&name, "%s.jcd", path)) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = open_input(path, &in, e)) < 0 ||
        (r = known_fetch(t->home, t->services, t->args->words[0], flags, &to, NULL, e)) < 0 ||
        (r = make_header(&to, key, &header, e)) < 0 ||
        (r = stream_begin(buf_str(&name), args_given(t->args, OPT_FORCE), &file, e)) < 0 ||
        (r = jcd_seal(&header, key, read_fd, &in, write_fd, &file.file.fd, e)) < 0)
        goto out;
    r = stream_finish(&file, e);
out:
    stream_abandon(&file);
    if (in >= 0)
        close(in);
    secret_free(key, JCD_KEY_LEN);
    buf_free(&header);
    buf_free(&name);
    profile_clear(&to);
    return r;
}

static int key_with_key(void *arg, const struct jwe *j, const struct jwk *key, struct err *e)
{
    return jwe_unwrap_key(j, key, arg, e);
}

/* As share_decrypt, for the content key alone. */
static int key_with_share(void *arg, const struct jwe *j, size_t recipient, const struct share *s,
                          const struct grant *g, struct err *e)
{
    const struct suite *suite = suite_key_suite(s->b);
    size_t size = suite_value_len(suite) * suite_candidates(suite);
    unsigned char own[SUITE_VALUE_MAX], *candidates = secret_alloc(size);
    struct suite_peer *epk = NULL;
    struct jwe_recipient to;
    int r;

    if (!candidates)
        return err_errno(e, "out of memory");
    if ((r = jwe_recipient(j, recipient, &to, e)) < 0)
        goto out;
    if (to.suite != suite || g->value_len != suite_value_len(suite))
        r = err_set(e, ERR_KEY, "the grant is of another kind than the key");
    else if ((r = suite_peer_new(suite, to.epk, to.epk_len, &epk, e)) == 0 &&
             (r = suite_agree(s->b, epk, own, e)) == 0 && (r = suite_combine(suite, g->value, own, candidates, e)) == 0)
        r = jwe_unwrap_candidates(j, recipient, candidates, suite_candidates(suite), arg, e);
out:
    suite_peer_free(&epk);
    secret_wipe(own, sizeof own);
    secret_free(candidates, size);
    return r;
}

/* FILE.jcd -> FILE; another name needs --out. */
static int plain_name(struct tool *t, struct buf *name, struct err *e)
{
    const char *path = t->args->words[0], *wanted = t->args->value[OPT_OUT];
    size_t len = strlen(path);

    if (!wanted && (len <= 4 || strcmp(path + len - 4, ".jcd") != 0 || path[len - 5] == '/'))
        return err_set(e, ERR_USAGE, "%s: the name does not end in .jcd; say --out FILE", path);
    if ((wanted ? buf_puts(name, wanted) : buf_append(name, path, len - 4)) < 0)
        return err_errno(e, "out of memory");
    return 0;
}

int command_decrypt(struct tool *t, struct err *e)
{
    struct buf key = BUF_INIT;
    const struct opener how = {key_with_key, key_with_share, &key, NULL};
    struct stream_file file = STREAM_NONE;
    struct buf name = BUF_INIT;
    struct jcd *d = NULL;
    struct jwe *j = NULL;
    char keyid[KEYID_SIZE];
    int in = -1, r;

    if ((r = plain_name(t, &name, e)) < 0 || (r = open_input(t->args->words[0], &in, e)) < 0 ||
        (r = jcd_open(read_fd, &in, &d, e)) < 0 ||
        (r = jwe_parse_keys(jcd_header(d)->data, jcd_header(d)->len, &j, e)) < 0 ||
        (r = opener_run(t, j, &how, keyid, e)) < 0)
        goto out;
    if (key.len != JCD_KEY_LEN) {
        r = err_set(e, ERR_SYNTAX, "the document's key has the wrong length");
        goto out;
    }
    if ((r = stream_begin(buf_str(&name), args_given(t->args, OPT_FORCE), &file, e)) < 0 ||
        (r = jcd_body(d, key.data, write_fd, &file.file.fd, e)) < 0)
        goto out;
    r = stream_finish(&file, e);
out:
    stream_abandon(&file);
    if (in >= 0)
        close(in);
    jwe_free(&j);
    jcd_free(&d);
    buf_free(&key);
    buf_free(&name);
    return r;
}
