/* The profiles of one's own lists and accounts, on their way to the service (list.h). */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "known.h"
#include "list.h"

int list_profile_load(const struct home *h, const char *kind, const char *address, const char *file, struct buf *text,
                      struct profile *out, struct err *e)
{
    char path[PATH_MAX];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = home_path(h, 0, path, e, kind, NULL, address, file, NULL)) < 0 ||
        (r = file_read(path, HOME_FILE_MAX, text, e)) < 0)
        return r;
    r = profile_read(text->data, text->len, out, e);
    return r < 0 ? err_prefix(e, "%s", path) : 0;
}

int list_profile_next(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e)
{
    char path[PATH_MAX];
    int r = home_path(h, 1, path, e, kind, NULL, address, "next.jws", NULL);

    return r < 0 ? r : file_write(path, text->data, text->len, 0600, e);
}

/* The file of the private key that goes with a profile. */
static int key_there(const struct home *h, const char *kind, const struct profile *p)
{
    char udf[JWK_UDF_SIZE], path[PATH_MAX];

    return jwk_udf(p->key, udf) == 0 && home_path(h, 0, path, NULL, kind, ".jwk", p->account, udf, NULL) == 0 &&
           access(path, F_OK) == 0;
}

int list_profile_pending(const struct home *h, const char *kind, const char *address, struct buf *text,
                         struct profile *out, struct err *e)
{
    int r = list_profile_load(h, kind, address, "next.jws", text, out, e);

    if (r < 0 || key_there(h, kind, out))
        return r;
    profile_clear(out);
    memset(out, 0, sizeof *out);
    buf_reset(text);
    return err_set(e, ERR_ABSENT, "the key of %s was never saved", address);
}

int list_profile_new(const struct home *h, const char *kind, const char *suite, const struct jwk *signer,
                     const struct buf *pass, struct profile *p, struct buf *text, struct err *e)
{
    int r;

    buf_reset(text);
    p->kind = strcmp(kind, "lists") == 0 ? PROFILE_LIST : PROFILE_PERSON;
    p->issued = (int64_t)time(NULL);
    if ((r = person_make_key(p->account, suite, &p->key, e)) < 0 || (r = profile_sign(p, signer, text, e)) < 0 ||
        (r = list_profile_next(h, kind, p->account, text, e)) < 0 ||
        (r = person_save_key(h, kind, p->account, p->key, pass, e)) < 0)
        return r;
    profile_clear(p);
    return profile_read(text->data, text->len, p, e);
}

int list_profile_done(const struct home *h, const char *kind, const char *address, const struct buf *text,
                      struct err *e)
{
    struct profile pinned;
    char path[PATH_MAX];
    int r;

    /* Our own signature: it replaces whatever was pinned before. */
    if ((r = home_path(h, 1, path, e, kind, NULL, address, "profile.jws", NULL)) < 0 ||
        (r = file_write(path, text->data, text->len, 0600, e)) < 0 ||
        (r = known_accept(h, address, text, 1, &pinned, e)) < 0)
        return r;
    profile_clear(&pinned);
    /* Last: as long as it is there, the next command finishes this and makes no second key. */
    if ((r = home_path(h, 0, path, e, kind, NULL, address, "next.jws", NULL)) < 0)
        return r;
    unlink(path);
    return 0;
}
