#include "statements.h"

#include <stdio.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/udf.h"
#include "unit.h"

struct jwk *fresh_key(const char *type)
{
    struct jwk *k;

    CU_ASSERT_EQUAL_FATAL(jwk_generate(type, &k, NULL), 0);
    return k;
}

void name_key(struct jwk *k, const char *account)
{
    char udf[JWK_UDF_SIZE], keyid[KEYID_SIZE];

    CU_ASSERT_EQUAL_FATAL(jwk_udf(k, udf), 0);
    CU_ASSERT_EQUAL_FATAL(keyid_make(account, udf, keyid, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(jwk_set_kid(k, keyid), 0);
}

struct json_object *changed(struct json_object *obj, const char *name, const char *text)
{
    struct json_object *value;

    json_object_object_del(obj, name);
    if (text) {
        CU_ASSERT_EQUAL_FATAL(sjson_parse(text, strlen(text), NULL, &value, NULL), 0);
        sjson_set_object(obj, name, value);
    }
    return obj;
}

void changed_as(const struct change *c, int r)
{
    CU_ASSERT_EQUAL(r, c->code);
    if (r != c->code)
        printf("# %s = %s: %d\n", c->name, c->text ? c->text : "(none)", r);
}

void all_octets_count(struct buf *text, int (*read)(const void *text, size_t len))
{
    for (size_t i = 0; i < text->len; i += 7) {
        text->data[i] ^= 1;
        CU_ASSERT_NOT_EQUAL(read(text->data, text->len), 0);
        text->data[i] ^= 1;
    }
    for (size_t len = 0; len < text->len; len += 13)
        CU_ASSERT_NOT_EQUAL(read(text->data, len), 0);
    CU_ASSERT_EQUAL(read(text->data, text->len), 0);
}

int signed_and_read(const struct self_signed *s, struct json_object *obj, const struct jwk *signer, const char *typ)
{
    struct buf text = BUF_INIT;
    int r;

    CU_ASSERT_EQUAL_FATAL(jws_sign_json(signer, typ, obj, &text, NULL), 0);
    r = s->read(text.data, text.len);
    buf_free(&text);
    json_object_put(obj);
    return r;
}

void self_signed_refused(const struct self_signed *s, const struct change *changes, size_t count)
{
    struct jwk *k = fresh_key("X25519"), *signer = fresh_key("Ed25519"), *other = fresh_key("Ed25519");

    for (size_t i = 0; i < count; i++) {
        struct json_object *obj = changed(s->json(k, signer, 0), changes[i].name, changes[i].text);

        changed_as(&changes[i], signed_and_read(s, obj, signer, s->typ));
    }
    CU_ASSERT_EQUAL(signed_and_read(s, s->json(k, signer, 0), other, s->typ), ERR_CRYPTO);
    CU_ASSERT_EQUAL(signed_and_read(s, s->json(k, signer, 0), signer, s->other_typ), ERR_SYNTAX);
    CU_ASSERT_EQUAL(signed_and_read(s, s->json(k, signer, 1), signer, s->typ), ERR_SYNTAX);
    CU_ASSERT_EQUAL(signed_and_read(s, s->json(signer, signer, 0), signer, s->typ), ERR_KEY);
    jwk_free(&k);
    jwk_free(&signer);
    jwk_free(&other);
}
