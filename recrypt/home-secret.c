/* Key files and shares of a home: modes, passphrases, wiping. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/conf.h"
#include "common/jwe.h"
#include "common/sjson.h"
#include "home-private.h"
#include "passphrase.h"

int home_passphrase(struct home *h, int want, const struct buf **out, struct err *e)
{
    int r;

    *out = &h->new_pass;
    if (!want || h->new_pass.len)
        return 0;
    r = passphrase_ask("Passphrase for the new key: ", 1, &h->new_pass, e);
    /* What is made in this run is read in this run. */
    if (r == 0 && h->pass.len == 0 && buf_append(&h->pass, h->new_pass.data, h->new_pass.len) < 0)
        r = err_errno(e, "out of memory");
    if (r < 0)
        buf_free(&h->new_pass);
    return r;
}

const struct buf *home_passphrase_known(const struct home *h)
{
    return &h->pass;
}

int home_secret_text(struct json_object *obj, const char *const *secret, struct buf *text, struct err *e)
{
    struct json_object *value;
    int r = 0;

    if (sjson_write(obj, text) < 0)
        r = err_errno(e, "out of memory");
    for (; *secret; secret++)
        if (json_object_object_get_ex(obj, *secret, &value) && json_object_is_type(value, json_type_string))
            secret_wipe((char *)(uintptr_t)json_object_get_string(value), (size_t)json_object_get_string_len(value));
    return r;
}

int home_secret_save(const char *path, int replace, const struct buf *text, const struct buf *pass, struct err *e)
{
    struct buf sealed = BUF_INIT;
    const struct buf *file = text;
    int r = 0;

    if (pass && pass->len) {
        r = jwe_seal_passphrase(buf_str(pass), text->data, text->len, &sealed, e);
        file = &sealed;
    }
    if (r == 0)
        r = replace ? file_write(path, file->data, file->len, 0600, e)
                    : file_create(path, file->data, file->len, 0600, e);
    buf_free(&sealed);
    return r;
}

/* The passphrase of an earlier file of this run first; files may have different ones. */
static int open_protected(struct home *h, const char *path, const struct buf *file, struct buf *text, struct err *e)
{
    char prompt[160];
    const char *name = strrchr(path, '/');
    int r;

    if (h->pass.len && (r = jwe_open_passphrase(buf_str(&h->pass), file->data, file->len, text, e)) != ERR_CRYPTO)
        return r < 0 ? err_prefix(e, "%s", path) : 0;
    buf_free(&h->pass);
    snprintf(prompt, sizeof prompt, "Passphrase for %.100s: ", name ? name + 1 : path);
    if ((r = passphrase_ask(prompt, 0, &h->pass, e)) == 0)
        r = jwe_open_passphrase(buf_str(&h->pass), file->data, file->len, text, e);
    if (r < 0)
        buf_free(&h->pass);
    if (r == ERR_CRYPTO)
        return err_set(e, ERR_KEY, "%s: the passphrase is wrong, or the file is damaged", path);
    return r < 0 ? err_prefix(e, "%s", path) : 0;
}

int home_secret_load(struct home *h, const char *path, struct buf *text, int *pass_used, struct err *e)
{
    struct buf file = BUF_INIT;
    struct stat st;
    int r;

    *pass_used = 0;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? err_set(e, ERR_ABSENT, "%s: no such key file", path)
                                                   : err_errno(e, "%s", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(e, ERR_DENIED,
                       "%s: others may read this private key; chmod 600 it, and if anybody could have, make "
                       "a new one",
                       path);
    if ((r = file_read(path, HOME_FILE_MAX, &file, e)) < 0)
        goto out;
    *pass_used = file.len > 0 && file.data[0] != '{';
    if (*pass_used)
        r = open_protected(h, path, &file, text, e);
    else if (buf_append(text, file.data, file.len) < 0)
        r = err_errno(e, "out of memory");
out:
    buf_free(&file);
    return r;
}

int home_key_create(const char *path, const struct jwk *k, const struct buf *pass, struct err *e)
{
    static const char *const secret[] = {"d", NULL};
    struct json_object *obj = NULL;
    struct buf text = BUF_INIT;
    int r;

    if ((r = jwk_to_json(k, 1, &obj, e)) < 0)
        return r;
    if ((r = home_secret_text(obj, secret, &text, e)) == 0)
        r = home_secret_save(path, 0, &text, pass, e);
    json_object_put(obj);
    buf_free(&text);
    return r;
}

int home_key_load(struct home *h, const char *path, struct jwk **out, int *pass_used, struct err *e)
{
    struct buf text = BUF_INIT;
    int protected, r;

    *out = NULL;
    if ((r = home_secret_load(h, path, &text, &protected, e)) < 0)
        goto out;
    if ((r = jwk_parse(text.data, text.len, out, e)) < 0) {
        err_prefix(e, "%s", path);
    } else if (!jwk_is_private(*out)) {
        jwk_free(out);
        r = err_set(e, ERR_KEY, "%s: this is no private key", path);
    } else if (pass_used) {
        *pass_used = protected;
    }
out:
    buf_free(&text);
    return r;
}
