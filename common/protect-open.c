/* protect-open.c - the reader's side: whose message it is, and the message. */
#include "protect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "jws.h"
#include "protect-private.h"
#include "sjson.h"
#include "udf.h"

static void judge(struct protect_verdict *v, enum protect_status status, const char *why)
{
    v->status = status;
    snprintf(v->why, sizeof v->why, "%s", why);
}

/* Is the entity multipart/signed with our protocol, as a whole? 1 and its two parts, 0, or ERR_SYNTAX when it says so
 * and is broken. */
static int signed_parts(struct span entity, struct span parts[2], struct err *e)
{
    struct span header, body;
    struct buf type = BUF_INIT, protocol = BUF_INIT, boundary = BUF_INIT;
    struct mime_field f;
    size_t count;
    int r;

    mime_split(entity, &header, &body);
    if ((r = mime_field_find(header, "Content-Type", &f, e)) != 1)
        return r == ERR_SYSTEM ? r : 0; /* two of them: nobody can say which one counts, so it is not signed */
    r = mime_type(f.value, &type, e);
    if (r == 0 && strcmp(buf_str(&type), "multipart/signed") == 0 &&
        (r = mime_param(f.value, "protocol", &protocol, e)) == 0 &&
        strcasecmp(buf_str(&protocol), "application/jose") == 0) {
        if ((r = mime_param(f.value, "boundary", &boundary, e)) == 0 &&
            (r = mime_parts(body, buf_str(&boundary), parts, 2, &count, e)) == 0)
            r = count == 2 ? 1 : ERR_SYNTAX;
        if (r == ERR_LIMIT)
            r = ERR_SYNTAX;
    } else if (r != ERR_SYSTEM) {
        r = 0;
    }
    buf_free(&type);
    buf_free(&protocol);
    buf_free(&boundary);
    return r;
}

/* The JWS in the second part. */
static int signature_parse(struct span part, struct jws *out, struct err *e)
{
    struct span header, body;
    struct buf type = BUF_INIT;
    struct mime_field f;
    int r;

    mime_split(part, &header, &body);
    if ((r = mime_field_find(header, "Content-Type", &f, e)) != 1)
        return r == ERR_SYSTEM ? r : err_set(e, ERR_SYNTAX, "signature part without its type");
    r = mime_type(f.value, &type, e);
    if (r == 0 && strcmp(buf_str(&type), "application/jose") != 0)
        r = err_set(e, ERR_SYNTAX, "signature part of another type");
    buf_free(&type);
    if (r < 0)
        return r;
    while (body.len > 0 && (body.data[body.len - 1] == '\n' || body.data[body.len - 1] == '\r'))
        body.len--;
    if (body.len == 0 || memchr(body.data, '{', body.len))
        return err_set(e, ERR_SYNTAX, "signature that is no compact JWS");
    if ((r = jws_parse(body.data, body.len, out, e)) == 0 && out->payload.len > 0) {
        jws_clear(out);
        r = err_set(e, ERR_SYNTAX, "signature with a content of its own");
    }
    return r;
}

/* What the signature says of itself goes into the verdict; the reason for which it cannot count is returned, or NULL.
 */
static const char *signature_claims(const struct jws *j, const char *keyid, struct protect_verdict *v)
{
    static const char udf_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-";
    char account[ADDRESS_SIZE];
    const char *typ, *from, *kid = jws_kid(j);
    struct json_object *to, *item;
    struct err e;

    if (sjson_string(j->header, "typ", &typ, &e) < 0 || strcmp(typ, "recrypt-mail") != 0)
        return "the signature is not one of a message";
    if (sjson_string(j->header, "from", &from, &e) < 0 || address_canonical(from, strlen(from), account, &e) < 0 ||
        strcmp(from, account) != 0)
        return "the signature does not name its signer";
    snprintf(v->from, sizeof v->from, "%s", account);
    if (!kid || strlen(kid) >= sizeof v->kid || strspn(kid, udf_characters) != strlen(kid))
        return "the signature does not name its key";
    snprintf(v->kid, sizeof v->kid, "%s", kid);
    if (sjson_array(j->header, "to", &to, &e) < 0)
        return "the signature does not name the keys it was made for";
    for (size_t i = 0; keyid && i < json_object_array_length(to); i++)
        if ((item = json_object_array_get_idx(to, i)) && json_object_is_type(item, json_type_string) &&
            strcmp(json_object_get_string(item), keyid) == 0)
            return NULL;
    return "the signature was made for another recipient, who may have passed the message on";
}

/* Is the message from that account, and from nobody else? */
static int is_from(struct span msg, const char *account)
{
    char inside[ADDRESS_SIZE];
    struct span header, body;
    struct mime_field f;
    struct buf address = BUF_INIT;
    struct err e;
    int same;

    mime_split(msg, &header, &body);
    same = mime_field_find(header, "From", &f, &e) == 1 && mime_mailbox(f.value, &address, &e) == 0 &&
           address_canonical(buf_str(&address), address.len, inside, &e) == 0 && strcmp(inside, account) == 0;
    buf_free(&address);
    return same;
}

/* Checks the signature over content with the key that the lookup has. Fills the verdict; an error is one of the lookup.
 */
static int verify(const struct jws *j, struct span content, protect_lookup *lookup, void *arg,
                  struct protect_verdict *v, struct err *e)
{
    char udf[JWK_UDF_SIZE];
    struct jwk *key = NULL;
    int r = lookup(arg, v->from, v->kid, &key, e);

    if (r == ERR_ABSENT || (r == 0 && (jwk_udf(key, udf) < 0 || strcmp(udf, v->kid) != 0))) {
        judge(v, PROTECT_UNKNOWN, "the signer's key is not known");
        r = 0;
    } else if (r == 0) {
        r = jws_verify(j, key, content.data ? (const void *)content.data : "", content.len, e);
        if (r == 0)
            judge(v, PROTECT_SIGNED, "signed by the sender");
        else if (r != ERR_SYSTEM && r != ERR_RETRY) {
            judge(v, PROTECT_BAD, "the signature does not verify");
            r = 0;
        }
    }
    jwk_free(&key);
    return r;
}

int protect_open(struct span plain, const char *keyid, protect_lookup *lookup, void *arg, struct buf *msg,
                 struct protect_verdict *verdict, struct err *e)
{
    struct span parts[2], first, second;
    struct jws jws;
    const char *why;
    size_t kept = msg->len;
    int r;

    memset(&jws, 0, sizeof jws);
    memset(verdict, 0, sizeof *verdict);
    judge(verdict, PROTECT_UNSIGNED, "nobody signed");
    /* A protected payload at the top is the message itself, also when its own type is multipart/signed. */
    r = protect_is_payload(plain, &first, &second) ? 0 : signed_parts(plain, parts, e);
    if (r == ERR_SYNTAX)
        judge(verdict, PROTECT_BAD, "the signature is malformed");
    if (r == 0 || r == ERR_SYNTAX)
        return protect_unwrap(plain, msg, e);
    if (r < 0 || (r = protect_unwrap(parts[0], msg, e)) < 0)
        return r;
    r = signature_parse(parts[1], &jws, e);
    if (r == ERR_SYNTAX || r == ERR_LIMIT || r == ERR_UNSUPPORTED) {
        judge(verdict, PROTECT_BAD, "the signature is malformed");
        return 0;
    }
    if (r == 0 && (why = signature_claims(&jws, keyid, verdict)))
        judge(verdict, PROTECT_BAD, why);
    else if (r == 0 && !is_from((struct span){msg->data + kept, msg->len - kept}, verdict->from))
        judge(verdict, PROTECT_BAD, "the signer is not the sender named in the message");
    else if (r == 0)
        r = verify(&jws, parts[0], lookup, arg, verdict, e);
    if (r < 0)
        buf_cut(msg, kept);
    jws_clear(&jws);
    return r;
}
