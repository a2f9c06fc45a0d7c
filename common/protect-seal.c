/* protect-seal.c - the sender's side: protection, signature, encryption, the outer message. */
#include "protect.h"

#include <string.h>

#include "mailcrypt.h"
#include "protect-private.h"
#include "udf.h"

/* A message that can be sealed has one From. One that is signed has the signer in it, and no line that is no field (as
 * a mailbox file's "From " line): some readers would take the header to end there. */
static int check_from(struct span header, const char *signer, struct err *e)
{
    char inside[ADDRESS_SIZE], claimed[ADDRESS_SIZE];
    struct buf address = BUF_INIT;
    struct mime_field f, from = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    size_t at = 0;
    int r, count = 0;

    while ((r = mime_field_next(header, &at, &f, e)) != 0) {
        if (r == ERR_LIMIT || (r < 0 && signer))
            return r;
        if (r == 1 && mime_field_is(&f, "From") && count++ == 0)
            from = f;
    }
    if (count != 1)
        return err_set(e, ERR_SYNTAX, "the message has %s From field", count ? "more than one" : "no");
    if (!signer)
        return 0;
    if ((r = mime_mailbox(from.value, &address, e)) < 0 ||
        (r = address_canonical(buf_str(&address), address.len, inside, e)) < 0)
        err_prefix(e, "From of the message");
    else if ((r = address_canonical(signer, strlen(signer), claimed, e)) == 0 && strcmp(inside, claimed) != 0)
        r = err_set(e, ERR_USAGE, "the message is from %s, and the signature would be %s's", inside, claimed);
    buf_free(&address);
    return r;
}

/* The protected, signed entity of a message that goes to these keys. */
static int make_inside(struct span msg, const struct jwk *const *to, size_t n, const struct jwk *signer,
                       const char *from, const char *outer_subject, struct buf *inside, struct err *e)
{
    char thumbs[JWE_RECIPIENTS_MAX][JWK_THUMBPRINT_SIZE];
    const char *ids[JWE_RECIPIENTS_MAX];
    struct buf payload = BUF_INIT;
    int r = 0;

    if (!signer)
        return protect_wrap(msg, outer_subject, inside, e);
    for (size_t i = 0; i < n; i++) {
        if (!(ids[i] = jwk_kid(to[i])) && (r = jwk_thumbprint(to[i], thumbs[i])) < 0)
            return err_set(e, r, "a key has no thumbprint");
        if (!ids[i])
            ids[i] = thumbs[i];
    }
    if ((r = protect_wrap(msg, outer_subject, &payload, e)) == 0)
        r = protect_sign(&payload, signer, from, ids, n, inside, e);
    buf_free(&payload);
    return r;
}

int protect_seal(struct span msg, const struct jwk *const *to, size_t n, const struct jwk *signer, const char *from,
                 const char *outer_subject, struct buf *out, struct err *e)
{
    struct buf inside = BUF_INIT, cipher = BUF_INIT, type = BUF_INIT, body = BUF_INIT;
    struct jwe_options opt = {NULL, NULL, NULL, NULL};
    struct jwe *jwe = NULL;
    struct span header, rest;
    size_t kept = out->len;
    int r;

    if (n < 1 || n > JWE_RECIPIENTS_MAX)
        return err_set(e, ERR_USAGE, "a message is sealed to 1 to %d keys", JWE_RECIPIENTS_MAX);
    mime_split(msg, &header, &rest);
    if ((r = protect_subject(&outer_subject, e)) < 0 || (r = check_from(header, signer ? from : NULL, e)) < 0 ||
        (r = make_inside(msg, to, n, signer, from, outer_subject, &inside, e)) < 0 ||
        (r = jwe_encrypt(to, n, &opt, inside.data, inside.len, &jwe, &cipher, e)) < 0)
        goto out;
    buf_free(&inside);
    if ((r = mailcrypt_build(jwe, &cipher, &type, &body, e)) < 0 ||
        (r = protect_outer(header, outer_subject, "", "\r\n", out, e)) < 0)
        goto out;
    if (strncmp((char *)out->data + kept, "From:", 5) != 0) {
        r = err_set(e, ERR_UNSUPPORTED, "From has an address that is not ASCII");
        goto out;
    }
    buf_free(&cipher);
    if ((r = buf_reserve(out, body.len + type.len + 64)) < 0 ||
        (r = buf_printf(out, "MIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n", buf_str(&type))) < 0 ||
        (r = buf_append(out, body.data, body.len)) < 0)
        err_set(e, r, "the sealed message does not fit");
out:
    if (r < 0)
        buf_cut(out, kept);
    jwe_free(&jwe);
    buf_free(&inside);
    buf_free(&cipher);
    buf_free(&type);
    buf_free(&body);
    return r;
}
