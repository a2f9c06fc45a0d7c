#include "seal.h"

#include <string.h>

#include "common/lines.h"
#include "common/mailcrypt.h"
#include "common/protect.h"
#include "message.h"

static const char outer_subject[] = "[...]";

static int person_key(struct frame_client *c, const struct address_info *info, struct jwk **key, struct err *e)
{
    char account[ADDRESS_SIZE];
    enum key_state state;
    int r = rclient_key(c, info->keyid, key, &state, account, e);

    if (r == 0 && (state != KEY_CURRENT || strcmp(account, info->account) != 0))
        r = err_set(e, ERR_RETRY, "key of %s changed meanwhile", info->account);
    if (r == 0 && jwk_set_kid(*key, info->keyid) < 0)
        r = err_set(e, ERR_SYSTEM, "out of memory");
    /* Whatever it is, it is no answer about this message. */
    if (r < 0 && r != ERR_SYSTEM && e)
        e->code = ERR_RETRY;
    return r < 0 && r != ERR_SYSTEM ? ERR_RETRY : r;
}

static int is(struct span name, const char *what)
{
    struct mime_field f = {{NULL, 0}, name, {NULL, 0}};

    return mime_field_is(&f, what);
}

/* The fields that stay, one Subject that says nothing; the caller adds those that describe the body. */
static int write_header(struct span header, const char *eol, struct buf *out)
{
    struct mime_field f;
    size_t at = 0;
    int found, r = 0;

    while (r == 0 && (found = mime_field_next(header, &at, &f, NULL)) != 0) {
        if (found == ERR_LIMIT)
            return ERR_LIMIT;
        if (found < 0 || !protect_stays_outside(f.name) || is(f.name, "Subject") || is(f.name, "MIME-Version") ||
            (f.name.len > 8 && is((struct span){f.name.data, 8}, "Content-")))
            continue;
        if ((r = buf_append(out, f.whole.data, f.whole.len)) == 0 && f.whole.data[f.whole.len - 1] != '\n')
            r = buf_puts(out, eol);
    }
    return r < 0 ? r : buf_printf(out, "Subject: %s%sMIME-Version: 1.0%s", outer_subject, eol, eol);
}

static int write_message(struct span msg, const struct jwe *jwe, const struct buf *ciphertext, struct buf *out,
                         struct err *e)
{
    int crlf = lines_have_crlf(msg), r;
    struct buf type = BUF_INIT, body = BUF_INIT;
    const char *eol = crlf ? "\r\n" : "\n";
    struct span header, rest;

    mime_split(msg, &header, &rest);
    if ((r = mailcrypt_build(jwe, ciphertext, &type, &body, e)) < 0)
        goto out;
    if ((r = write_header(header, eol, out)) < 0 ||
        (r = buf_printf(out, "Content-Type: %s%s%s", buf_str(&type), eol, eol)) < 0) {
        err_set(e, r, "the encrypted message does not fit");
        goto out;
    }
    if (!crlf)
        r = lines_to_lf((struct span){body.data, body.len}, out, e);
    else if ((r = buf_append(out, body.data, body.len)) < 0)
        err_set(e, r, "the encrypted message does not fit");
out:
    buf_free(&type);
    buf_free(&body);
    return r;
}

int seal_message(struct frame_client *c, const struct address_info *info, struct span msg, struct buf *out,
                 struct err *e)
{
    struct buf payload = BUF_INIT, ciphertext = BUF_INIT;
    struct jwe *jwe = NULL;
    struct jwk *key = NULL;
    int r;

    if ((r = person_key(c, info, &key, e)) == 0 && (r = protect_wrap(msg, outer_subject, &payload, e)) == 0)
        r = jwe_encrypt((const struct jwk *const *)&key, 1, NULL, payload.data, payload.len, &jwe, &ciphertext, e);
    buf_free(&payload);
    if (r == 0)
        r = write_message(msg, jwe, &ciphertext, out, e);
    jwe_free(&jwe);
    jwk_free(&key);
    buf_free(&ciphertext);
    return r;
}
