#include "auth.h"

#include <stdlib.h>
#include <string.h>

#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"

static const char *const algs[] = {"EdDSA", "ES256"};
static const char *const types[] = {"Ed25519", "ES256"};
enum { ALGS = 2 };

struct auth {
    struct buf stand_in[ALGS]; /* encoded signer records */
};

/* A request has few values but long strings. What is longer than a stranger's may be is not looked into before it
 * verified. */
static const struct sjson_limits limits = {64u << 20, 8, 65536};
enum { STRANGER_MAX = 64 << 10 };

int auth_new(struct auth **out, struct err *e)
{
    struct auth *a = calloc(1, sizeof *a);
    int rc = a ? 0 : err_errno(e, "auth");

    *out = NULL;
    for (int i = 0; !rc && i < ALGS; i++) {
        struct jwk *key = NULL;
        struct signer s = {0};

        rc = jwk_generate(types[i], &key, e);
        s.key = key;
        rc = rc ? rc : signer_encode(&s, &a->stand_in[i], e);
        signer_clear(&s);
    }
    if (rc)
        auth_free(&a);
    *out = a;
    return rc;
}

void auth_free(struct auth **a)
{
    if (!*a)
        return;
    for (int i = 0; i < ALGS; i++)
        buf_free(&(*a)->stand_in[i]);
    free(*a);
    *a = NULL;
}

void auth_result_clear(struct auth_result *r)
{
    json_object_put(r->payload);
    r->payload = NULL;
    signer_clear(&r->signer);
}

/* Which of algs the protected header names. */
static int read_alg(const struct jws *j, int *out, struct err *e)
{
    const char *alg;
    int rc = sjson_string(j->header, "alg", &alg, e);

    for (*out = 0; !rc && *out < ALGS; ++*out)
        if (!strcmp(alg, algs[*out]))
            return 0;
    return rc ? rc : err_set(e, ERR_UNSUPPORTED, "alg: \"%s\" is neither EdDSA nor ES256", alg);
}

static int read_kid(const struct jws *j, const char **out, struct err *e)
{
    int rc = sjson_string(j->header, "kid", out, e);

    return rc || (**out && strlen(*out) < JWK_UDF_SIZE) ? rc : err_set(e, ERR_SYNTAX, "kid: not a fingerprint");
}

struct header {
    const char *kid, *nonce, *url;
    int64_t iat;
    int alg;
};

static int read_header(const struct jws *j, struct header *h, struct err *e)
{
    int rc = read_alg(j, &h->alg, e);

    rc = rc ? rc : read_kid(j, &h->kid, e);
    rc = rc ? rc : sjson_string(j->header, "nonce", &h->nonce, e);
    rc = rc ? rc : sjson_string(j->header, "url", &h->url, e);
    return rc ? rc : sjson_int(j->header, "iat", &h->iat, e);
}

/* {"SetRequest":{"Person":{"Profile":...}}}: the key that it brings, when that is the one that signed. */
static int key_of_registration(struct json_object *payload, const char *kid, struct jwk **out)
{
    struct json_object *set, *person, *jkey = NULL;
    struct profile p = {0};
    const char *text;
    char udf[JWK_UDF_SIZE];
    int rc = sjson_object(payload, "SetRequest", &set, NULL);

    rc = rc ? rc : sjson_object(set, "Person", &person, NULL);
    rc = rc ? rc : sjson_string(person, "Profile", &text, NULL);
    rc = rc ? rc : profile_read(text, strlen(text), &p, NULL);
    rc = rc ? rc : jwk_udf(p.signer, udf);
    if (!rc && strcmp(udf, kid))
        rc = ERR_ABSENT;
    /* Read anew: a key that verified before does so again with less work than the one of a record. */
    rc = rc ? rc : jwk_to_json(p.signer, 0, &jkey, NULL);
    rc = rc ? rc : jwk_from_json(jkey, out, NULL);
    json_object_put(jkey);
    profile_clear(&p);
    return rc;
}

/* Verifies under the signer's key; an unknown signer costs what a known one does, with a key that signed nothing: two
 * records decoded, one signature verified, what may be a registration looked into. Her lists are read once it is she.
 */
static int verify(struct auth *a, struct records *r, const struct jws *j, const struct header *h,
                  struct auth_result *out, struct err *e)
{
    struct signer stand_in = {0}, second = {0};
    struct jwk *brought = NULL;
    const struct jwk *key;
    int known = 0, rc = signer_get_key(r, h->kid, &out->signer, e);

    if (rc && rc != ERR_ABSENT)
        return rc;
    known = !rc;
    if (out->payload && !key_of_registration(out->payload, h->kid, &brought)) {
        if (known)
            jwk_free(&brought);
        known = 1;
    }
    rc = signer_decode(a->stand_in[h->alg].data, a->stand_in[h->alg].len, &stand_in, e);
    if (!rc && !known) /* in place of the record that was not read */
        rc = signer_decode(a->stand_in[h->alg].data, a->stand_in[h->alg].len, &second, e);
    if (rc)
        goto out;
    key = brought ? brought : known ? out->signer.key : stand_in.key;
    rc = jws_verify(j, key, NULL, 0, NULL);
    if (rc == ERR_UNSUPPORTED || rc == ERR_KEY) /* the key is not one for that algorithm */
        jws_verify(j, stand_in.key, NULL, 0, NULL);
    if (rc == ERR_SYSTEM)
        err_set(e, ERR_SYSTEM, "cannot verify");
    else if (rc || !known)
        rc = err_set(e, ERR_CRYPTO, "unauthorized");
    else if (out->signer.key)
        rc = signer_get_lists(r, h->kid, &out->signer, e);
out:
    signer_clear(&stand_in);
    signer_clear(&second);
    jwk_free(&brought);
    return rc;
}

int auth_verify(struct auth *a, struct records *r, struct nonces *n, const char *url, int64_t now, const void *text,
                size_t len, struct auth_result *out, struct err *e)
{
    struct header h = {0};
    struct jws j = {0};
    int rc;

    memset(out, 0, sizeof *out);
    rc = jws_parse(text, len, &j, e);
    if (rc)
        return rc;
    rc = read_header(&j, &h, e);
    if (rc)
        goto out;
    memcpy(out->udf, h.kid, strlen(h.kid) + 1);
    rc = nonces_check(n, h.nonce, now, e);
    if (!rc && strcmp(h.url, url))
        rc = err_set(e, ERR_DENIED, "url: signed for %s, this is %s", h.url, url);
    if (!rc && (h.iat > now + AUTH_CLOCK_SECONDS || h.iat < now - AUTH_CLOCK_SECONDS))
        rc = err_set(e, ERR_DENIED, "iat: more than %d seconds off", AUTH_CLOCK_SECONDS);
    if (!rc && j.payload.len <= STRANGER_MAX)
        rc = sjson_parse(j.payload.data, j.payload.len, &limits, &out->payload, e);
    rc = rc ? rc : verify(a, r, &j, &h, out, e);
    rc = rc ? rc : nonces_use(n, h.nonce, now, e);
    if (!rc && !out->payload)
        rc = sjson_parse(j.payload.data, j.payload.len, &limits, &out->payload, e);
out:
    jws_clear(&j);
    return rc;
}

int auth_signer_of(struct auth *a, struct records *r, const char *text, struct signer *out, char udf[JWK_UDF_SIZE],
                   struct err *e)
{
    struct jws j = {0};
    const char *kid;
    int alg, known, rc = jws_parse(text, strlen(text), &j, e);

    memset(out, 0, sizeof *out);
    if (rc)
        return rc;
    rc = read_alg(&j, &alg, e);
    rc = rc ? rc : read_kid(&j, &kid, e);
    if (rc)
        goto out;
    memcpy(udf, kid, strlen(kid) + 1);
    rc = signer_get_key(r, kid, out, e);
    known = !rc;
    if (rc == ERR_ABSENT)
        rc = signer_decode(a->stand_in[alg].data, a->stand_in[alg].len, out, e);
    rc = rc ? rc : known;
out:
    jws_clear(&j);
    return rc;
}
