#include "seal.h"

#include <string.h>

#include "common/protect.h"

static int inside_only(const char *name)
{
    return !protect_stays_outside((struct span){(const unsigned char *)name, strlen(name)});
}

int seal_message(struct session *s, const struct address_info *info, struct jwe **jwe, struct buf *ciphertext,
                 struct err *e)
{
    struct span msg = {s->msg->text.data, s->msg->text.len};
    struct buf payload = BUF_INIT;
    struct jwk *key = NULL;
    char account[ADDRESS_SIZE];
    enum key_state state;
    int r;

    *jwe = NULL;
    if ((r = rclient_key(s->client, info->keyid, &key, &state, account, e)) < 0) {
        err_prefix(e, "key of %s", info->account);
        return e->code = ERR_RETRY;
    }
    if (state != KEY_CURRENT || strcmp(account, info->account) || jwk_set_kid(key, info->keyid) < 0)
        r = err_set(e, ERR_RETRY, "key of %s changed meanwhile", info->account);
    if (!r)
        r = protect_wrap(msg, s->conf->outer_subject, &payload, e);
    buf_free(&s->msg->text);
    if (!r)
        r = jwe_encrypt((const struct jwk *const *)&key, 1, NULL, payload.data, payload.len, jwe, ciphertext, e);
    buf_free(&payload);
    jwk_free(&key);
    return r;
}

int seal_header(const struct session *s, const struct headers *h, const char *content_type)
{
    int r;

    if ((r = headers_set(h, &s->mta, "Subject", s->conf->outer_subject)) ||
        (r = headers_set_type(h, &s->mta, content_type)))
        return r;
    return headers_delete(h, &s->mta, inside_only);
}
