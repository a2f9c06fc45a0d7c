/* protect-sign.c - the sender's signature around a protected payload. */
#include "protect.h"

#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "b64.h"
#include "jws.h"
#include "sjson.h"
#include "udf.h"

enum { BOUNDARY_OCTETS = 18, ED25519_LEN = 32 };

static int signature_header(const struct jwk *signer, const char *from, const char *const *to, size_t n,
                            struct json_object **out, struct err *e)
{
    struct json_object *header = json_object_new_object(), *list = json_object_new_array(), *item;
    char kid[JWK_UDF_SIZE], account[ADDRESS_SIZE];
    int r;

    *out = NULL;
    if ((r = address_canonical(from, strlen(from), account, e)) < 0 || (r = jwk_udf(signer, kid)) < 0)
        goto fail;
    r = ERR_SYSTEM;
    if (!header || !list)
        goto fail;
    for (size_t i = 0; i < n; i++)
        if (!(item = json_object_new_string(to[i])) || json_object_array_add(list, item) != 0) {
            json_object_put(item);
            goto fail;
        }
    if (sjson_set_string(header, "typ", "recrypt-mail") < 0 || sjson_set_string(header, "kid", kid) < 0 ||
        sjson_set_string(header, "from", account) < 0 || sjson_set_int(header, "iat", (int64_t)time(NULL)) < 0)
        goto fail;
    r = sjson_set_object(header, "to", list);
    list = NULL;
    if (r < 0)
        goto fail;
    *out = header;
    return 0;
fail:
    json_object_put(list);
    json_object_put(header);
    return r == ERR_SYNTAX || r == ERR_LIMIT ? r : err_set(e, r, "the signature's header cannot be made");
}

int protect_sign(const struct buf *payload, const struct jwk *signer, const char *from, const char *const *to, size_t n,
                 struct buf *entity, struct err *e)
{
    unsigned char random[BOUNDARY_OCTETS];
    struct json_object *header = NULL;
    struct buf boundary = BUF_INIT, jws = BUF_INIT;
    size_t kept = entity->len, key_len;
    int r;

    if ((r = signature_header(signer, from, to, n, &header, e)) < 0 ||
        (r = jws_sign(signer, header, payload->data, payload->len, 1, &jws, e)) < 0)
        goto out;
    jwk_public(signer, &key_len);
    r = RAND_bytes(random, sizeof random) == 1 ? 0 : ERR_SYSTEM;
    if (r == 0 && (r = b64url_encode(random, sizeof random, &boundary)) == 0 &&
        (r = buf_reserve(entity, payload->len + jws.len + 1024)) == 0 &&
        (r = buf_printf(entity,
                        "Content-Type: multipart/signed; protocol=\"application/jose\"; micalg=\"%s\";\r\n"
                        "\tboundary=\"%s\"\r\n\r\n--%s\r\n",
                        key_len == ED25519_LEN ? "sha-512" : "sha-256", buf_str(&boundary), buf_str(&boundary))) == 0 &&
        (r = buf_append(entity, payload->data, payload->len)) == 0)
        r = buf_printf(entity, "\r\n--%s\r\nContent-Type: application/jose\r\n\r\n%s\r\n--%s--\r\n", buf_str(&boundary),
                       buf_str(&jws), buf_str(&boundary));
    if (r < 0) {
        buf_cut(entity, kept);
        err_set(e, r, "the signed message does not fit");
    }
out:
    json_object_put(header);
    buf_free(&boundary);
    buf_free(&jws);
    return r;
}
