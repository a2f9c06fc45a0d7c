#include "person.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"

int person_exists(const struct home *h, const char *account)
{
    char path[PATH_MAX];

    return home_path(h, 0, path, NULL, "persons", "/sign.jwk", account, NULL, NULL) == 0 && access(path, F_OK) == 0;
}

int person_registered(const struct home *h, const char *account)
{
    char path[PATH_MAX];

    return home_path(h, 0, path, NULL, "persons", "/profile.jws", account, NULL, NULL) == 0 && access(path, F_OK) == 0;
}

int person_open(struct home *h, const char *account, struct person *out, struct err *e)
{
    struct buf text = BUF_INIT;
    char path[PATH_MAX];
    int r;

    memset(out, 0, sizeof *out);
    snprintf(out->account, sizeof out->account, "%s", account);
    if (!person_exists(h, account))
        return home_no_account(h, account, e);
    if ((r = home_path(h, 0, path, e, "persons", "/profile.jws", account, NULL, NULL)) < 0)
        return r;
    if ((r = file_read(path, HOME_FILE_MAX, &text, e)) == ERR_ABSENT)
        r = home_no_account(h, account, e);
    else if (r == 0 && (r = profile_read(text.data, text.len, &out->profile, e)) < 0)
        err_prefix(e, "%s", path);
    buf_free(&text);
    if (r < 0 || (r = home_path(h, 0, path, e, "persons", "/sign.jwk", account, NULL, NULL)) < 0 ||
        (r = home_key_load(h, path, &out->sign, &out->under_passphrase, e)) < 0)
        goto fail;
    if (!jwk_is_signature(out->sign) || !jwk_equal(out->sign, out->profile.signer)) {
        r = err_set(e, ERR_KEY, "%s is not the key that signed this account's profile", path);
        goto fail;
    }
    return 0;
fail:
    person_close(out);
    return r;
}

void person_close(struct person *p)
{
    jwk_free(&p->sign);
    profile_clear(&p->profile);
    memset(p, 0, sizeof *p);
}

int person_key(struct home *h, const char *kind, const char *account, const char *udf, struct jwk **out, struct err *e)
{
    char path[PATH_MAX];
    int r;

    *out = NULL;
    if ((r = home_path(h, 0, path, e, kind, ".jwk", account, udf, NULL)) < 0)
        return r;
    return home_key_load(h, path, out, NULL, e);
}

struct keys_only {
    home_visit *visit;
    void *arg;
};

static int skip_sign(void *arg, const char *name, struct err *e)
{
    struct keys_only *k = arg;

    return strcmp(name, "sign") == 0 ? 0 : k->visit(k->arg, name, e);
}

int person_each_key(struct home *h, const char *kind, const char *account, home_visit *visit, void *arg, struct err *e)
{
    struct keys_only k = {visit, arg};

    return home_each(h, kind, account, ".jwk", skip_sign, &k, e);
}

int person_make_key(const char *account, const char *type, struct jwk **out, struct err *e)
{
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];
    int r;

    *out = NULL;
    if ((r = jwk_generate(type, out, e)) == 0 && (r = jwk_udf(*out, udf)) == 0 &&
        (r = keyid_make(account, udf, keyid, e)) == 0 && (r = jwk_set_kid(*out, jwk_suite(*out) ? keyid : udf)) < 0)
        err_errno(e, "out of memory");
    if (r < 0)
        jwk_free(out);
    return r;
}

int person_save_key(const struct home *h, const char *kind, const char *account, const struct jwk *key,
                    const struct buf *pass, struct err *e)
{
    char udf[JWK_UDF_SIZE], path[PATH_MAX];
    int r = jwk_udf(key, udf);

    if (r == 0 && (r = home_path(h, 1, path, e, kind, ".jwk", account, jwk_suite(key) ? udf : "sign", NULL)) == 0)
        r = home_key_create(path, key, pass, e);
    return r;
}
