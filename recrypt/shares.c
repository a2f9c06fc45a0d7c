#include "shares.h"

#include <string.h>

#include "common/sjson.h"

static int share_path(struct home *h, int make, const char *keyid, const char *member, char path[PATH_MAX],
                      struct err *e)
{
    char list[ADDRESS_SIZE], udf[64];
    int r = keyid_parse(keyid, list, udf, e);

    return r < 0 ? r : home_path(h, make, path, e, "shares", ".json", list, udf, member);
}

int shares_load(struct home *h, const char *keyid, const char *member, struct share *out, struct err *e)
{
    struct json_object *obj = NULL;
    struct buf text = BUF_INIT, wiped = BUF_INIT;
    static const char *const secret[] = {"b", "tagkey", NULL};
    char path[PATH_MAX];
    int protected, r;

    memset(out, 0, sizeof *out);
    if ((r = share_path(h, 0, keyid, member, path, e)) < 0 || (r = home_secret_load(h, path, &text, &protected, e)) < 0)
        goto out;
    if ((r = sjson_parse(text.data, text.len, NULL, &obj, e)) < 0 || (r = share_from_json(obj, out, e)) < 0)
        err_prefix(e, "%s", path);
    else if (strcmp(out->keyid, keyid) != 0 || strcmp(out->member, member) != 0)
        r = err_set(e, ERR_KEY, "%s: this share is of another key or member", path);
    if (obj)
        home_secret_text(obj, secret, &wiped, NULL);
    if (r < 0)
        share_clear(out);
out:
    json_object_put(obj);
    buf_free(&text);
    buf_free(&wiped);
    return r;
}

int shares_keep(struct home *h, const struct share *s, struct err *e)
{
    static const char *const secret[] = {"b", "tagkey", NULL};
    struct json_object *obj = NULL;
    struct buf text = BUF_INIT;
    char path[PATH_MAX];
    int r;

    if ((r = share_path(h, 1, s->keyid, s->member, path, e)) < 0 || (r = share_to_json(s, &obj, e)) < 0)
        goto out;
    if ((r = home_secret_text(obj, secret, &text, e)) == 0)
        r = home_secret_save(path, 1, &text, home_passphrase_known(h), e);
out:
    json_object_put(obj);
    buf_free(&text);
    return r;
}
