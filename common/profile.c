/* Profiles: an account's public key, signed (statement.h). */
#include <string.h>

#include "jws.h"
#include "sjson.h"
#include "statement-private.h"
#include "statement.h"

static const char *const kinds[] = {[PROFILE_PERSON] = "person", [PROFILE_LIST] = "list"};

/* Whether the parts fit together; of one read or about to be signed. */
static int check(const struct profile *p, const struct jwk *signer, struct err *e)
{
    if (!jwk_suite(p->key))
        return err_set(e, ERR_KEY, "the key of %s is not one to encrypt to", p->account);
    if (!jwk_is_signature(signer))
        return err_set(e, ERR_KEY, "the signer of %s's profile is not a signature key", p->account);
    if (p->kind == PROFILE_PERSON && strcmp(p->account, p->owner))
        return err_set(e, ERR_SYNTAX, "the person %s is owned by %s", p->account, p->owner);
    if (p->epoch < 1 || p->issued < 0)
        return err_set(e, ERR_SYNTAX, "profile of %s without epoch or date", p->account);
    return 0;
}

int profile_sign(const struct profile *p, const struct jwk *signer_private, struct buf *out, struct err *e)
{
    struct json_object *obj = json_object_new_object();
    struct jwk *key = NULL;
    char keyid[KEYID_SIZE];
    int r;

    if ((r = check(p, signer_private, e)) < 0 || (r = statement_make_keyid(p->account, p->key, keyid, e)) < 0 ||
        (r = jwk_public_copy(p->key, &key, e)) < 0)
        goto out;
    if (jwk_set_kid(key, keyid) < 0 || sjson_set_string(obj, "profile", kinds[p->kind]) < 0 ||
        sjson_set_string(obj, "account", p->account) < 0 || sjson_set_string(obj, "owner", p->owner) < 0 ||
        sjson_set_string(obj, "kid", keyid) < 0 || sjson_set_int(obj, "epoch", p->epoch) < 0 ||
        sjson_set_int(obj, "iat", p->issued) < 0)
        r = statement_no_memory(e);
    else if ((r = statement_set_key(obj, "key", key, e)) == 0 &&
             (r = statement_set_key(obj, "signer", signer_private, e)) == 0)
        r = jws_sign_json(signer_private, PROFILE_TYP, obj, out, e);
out:
    jwk_free(&key);
    json_object_put(obj);
    return r;
}

static int read_kind(struct json_object *obj, enum profile_kind *out, struct err *e)
{
    const char *text;
    int r = sjson_string(obj, "profile", &text, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(text, kinds[i])) {
            *out = (enum profile_kind)i;
            return 0;
        }
    return err_set(e, ERR_UNSUPPORTED, "profile of a \"%s\"", text);
}

static int read_payload(struct json_object *obj, struct profile *p, struct err *e)
{
    static const char *const names[] = {"profile", "account", "owner", "kid", "key", "signer", "epoch", "iat", NULL};
    char expected[KEYID_SIZE], udf[JWK_UDF_SIZE];
    int r;

    if ((r = sjson_only(obj, names, e)) < 0 || (r = read_kind(obj, &p->kind, e)) < 0 ||
        (r = statement_address(obj, "account", p->account, e)) < 0 ||
        (r = statement_address(obj, "owner", p->owner, e)) < 0 ||
        (r = statement_keyid(obj, "kid", p->keyid, NULL, udf, e)) < 0 ||
        (r = statement_number(obj, "epoch", 1, &p->epoch, e)) < 0 ||
        (r = statement_number(obj, "iat", 0, &p->issued, e)) < 0 || (r = statement_key(obj, "key", &p->key, e)) < 0 ||
        (r = statement_key(obj, "signer", &p->signer, e)) < 0 || (r = check(p, p->signer, e)) < 0 ||
        (r = statement_make_keyid(p->account, p->key, expected, e)) < 0)
        return r;
    if (strcmp(expected, p->keyid))
        return err_set(e, ERR_KEY, "the profile of %s names another key than it has", p->account);
    return jwk_set_kid(p->key, p->keyid) < 0 ? statement_no_memory(e) : 0;
}

int profile_read(const void *text, size_t len, struct profile *out, struct err *e)
{
    struct json_object *obj = NULL;
    struct jwk *signer = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = statement_claimed_signer(text, len, &signer, NULL, e)) == 0 &&
        (r = jws_open_json(text, len, signer, PROFILE_TYP, &obj, e)) == 0)
        r = read_payload(obj, out, e);
    if (r < 0)
        profile_clear(out);
    json_object_put(obj);
    jwk_free(&signer);
    return r;
}

void profile_clear(struct profile *p)
{
    jwk_free(&p->key);
    jwk_free(&p->signer);
    memset(p, 0, sizeof *p);
}
