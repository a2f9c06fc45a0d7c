/* What the headers of a JWE say, checked once when it is parsed or made. */
#include <string.h>

#include "jwe-private.h"
#include "sjson.h"

enum { PARTY_INFO_MAX = 1024, COORD = 32 };

struct json_object *jwe_param(const struct jwe *j, size_t i, const char *name)
{
    struct json_object *v;

    if (json_object_object_get_ex(j->prot, name, &v) || json_object_object_get_ex(j->unprotected, name, &v) ||
        json_object_object_get_ex(j->to[i].header, name, &v))
        return v;
    return NULL;
}

/* The header that holds a parameter, for sjson's typed access; NULL when none does. */
static struct json_object *holder(const struct jwe *j, size_t i, const char *name)
{
    if (sjson_has(j->prot, name))
        return j->prot;
    if (sjson_has(j->unprotected, name))
        return j->unprotected;
    return sjson_has(j->to[i].header, name) ? j->to[i].header : NULL;
}

/* RFC 7516 section 7.2.1: no parameter name in two of the headers that a recipient sees. */
static int disjoint(struct json_object *h, struct json_object *other, struct err *e)
{
    if (!h || !other)
        return 0;
    json_object_object_foreach(h, name, value)
    {
        (void)value;
        if (sjson_has(other, name))
            return err_set(e, ERR_SYNTAX, "JWE: \"%.40s\" in two headers", name);
    }
    return 0;
}

/* What makes the whole message unacceptable, in whichever header it stands. */
static int check_header(struct json_object *h, int recipients, struct err *e)
{
    struct json_object *grants;
    int r;

    if (sjson_has(h, "crit"))
        return err_set(e, ERR_UNSUPPORTED, "JWE: critical extensions");
    if (sjson_has(h, "zip"))
        return err_set(e, ERR_UNSUPPORTED, "JWE: compression");
    if (!sjson_has(h, "grants"))
        return 0;
    if (!recipients)
        return err_set(e, ERR_SYNTAX, "JWE: grants outside a recipient's header");
    if ((r = sjson_array(h, "grants", &grants, e)) < 0)
        return r;
    if (json_object_array_length(grants) > JWE_GRANTS_MAX)
        return err_set(e, ERR_LIMIT, "JWE: more than %d grants", (int)JWE_GRANTS_MAX);
    for (size_t i = 0; i < json_object_array_length(grants); i++)
        if (!json_object_is_type(json_object_array_get_idx(grants, i), json_type_object))
            return err_set(e, ERR_SYNTAX, "JWE: a grant is not an object");
    return 0;
}

/* "epk": a public JWK of a known suite, as raw octets. Only its syntax is checked. */
static int read_epk(struct json_object *h, struct jwe_to *to, struct err *e)
{
    struct json_object *epk;
    const char *kty, *crv;
    int r;

    if ((r = sjson_object(h, "epk", &epk, e)) < 0 || (r = sjson_string(epk, "kty", &kty, e)) < 0 ||
        (r = sjson_string(epk, "crv", &crv, e)) < 0)
        return r;
    to->suite = suite_by_name(crv);
    if (!to->suite || strcmp(suite_kty(to->suite), kty) != 0)
        return err_set(e, ERR_UNSUPPORTED, "JWE: ephemeral key of type %.40s %.40s", kty, crv);
    if ((r = sjson_b64(epk, "x", &to->epk, e)) < 0)
        return r;
    if (strcmp(kty, "EC") == 0) {
        if (to->epk.len != COORD)
            return err_set(e, ERR_SYNTAX, "JWE: ephemeral key of the wrong length");
        if ((r = sjson_b64(epk, "y", &to->epk, e)) < 0)
            return r;
    }
    if (to->epk.len != suite_pub_len(to->suite))
        return err_set(e, ERR_SYNTAX, "JWE: ephemeral key of the wrong length");
    return 0;
}

static int party_info(const struct jwe *j, size_t i, const char *name, struct buf *out, struct err *e)
{
    struct json_object *h = holder(j, i, name);
    int r;

    out->max = PARTY_INFO_MAX;
    if (h && (r = sjson_b64(h, name, out, e)) < 0)
        return r;
    return 0;
}

/* Key management of recipient i. ERR_UNSUPPORTED is this recipient's matter, everything else the message's. */
static int read_recipient(struct jwe *j, size_t i, int passphrase, struct err *e)
{
    struct jwe_to *to = &j->to[i];
    const struct jwe_alg *alg;
    struct json_object *h;
    const char *name;
    size_t wrapped;
    int r;

    if ((h = holder(j, i, "kid")) && (r = sjson_string(h, "kid", &to->kid, e)) < 0)
        return r;
    if ((r = sjson_string(holder(j, i, "alg"), "alg", &name, e)) < 0)
        return r;
    alg = jwe_alg_find(name);
    if (!alg || alg->passphrase != passphrase)
        return err_set(e, ERR_UNSUPPORTED, "JWE: algorithm %.40s", name);
    if (!passphrase && (r = read_epk(holder(j, i, "epk"), to, e)) < 0)
        return r;
    if ((r = party_info(j, i, "apu", &to->apu, e)) < 0 || (r = party_info(j, i, "apv", &to->apv, e)) < 0)
        return r;
    to->has_apv = holder(j, i, "apv") != NULL;
    wrapped = alg->kek_len ? j->enc->cek_len + JWE_WRAP_EXTRA : 0;
    if (to->encrypted_key.len != wrapped)
        return err_set(e, ERR_SYNTAX, "JWE: encrypted key of %zu octets instead of %zu", to->encrypted_key.len,
                       wrapped);
    if (!alg->kek_len && j->count > 1)
        return err_set(e, ERR_SYNTAX, "JWE: direct key agreement with several recipients");
    to->alg = alg;
    return 0;
}

/* One content encryption for all. */
static int read_enc(struct jwe *j, struct err *e)
{
    const char *name;
    int r;

    for (size_t i = 0; i < j->count; i++) {
        const struct jwe_enc *enc;

        if ((r = sjson_string(holder(j, i, "enc"), "enc", &name, e)) < 0)
            return r;
        if (!(enc = jwe_enc_find(name)))
            return err_set(e, ERR_UNSUPPORTED, "JWE: content encryption %.40s", name);
        if (j->enc && j->enc != enc)
            return err_set(e, ERR_SYNTAX, "JWE: recipients with different \"enc\"");
        j->enc = enc;
    }
    return 0;
}

int jwe_read_headers(struct jwe *j, int passphrase, struct err *e)
{
    struct err local = {0};
    size_t usable = 0;
    int r;

    if ((r = check_header(j->prot, 0, e)) < 0 || (r = check_header(j->unprotected, 0, e)) < 0 ||
        (r = disjoint(j->unprotected, j->prot, e)) < 0)
        return r;
    for (size_t i = 0; i < j->count; i++)
        if ((r = check_header(j->to[i].header, 1, e)) < 0 || (r = disjoint(j->to[i].header, j->prot, e)) < 0 ||
            (r = disjoint(j->to[i].header, j->unprotected, e)) < 0)
            return r;
    if ((r = read_enc(j, e)) < 0)
        return r;
    for (size_t i = 0; i < j->count; i++) {
        r = read_recipient(j, i, passphrase, &local);
        if (r == ERR_UNSUPPORTED) {
            j->to[i].why = local;
        } else if (r < 0) {
            if (e)
                *e = local;
            return r;
        } else {
            usable++;
        }
    }
    if (!usable) {
        if (e)
            *e = j->to[0].why;
        return ERR_UNSUPPORTED;
    }
    return 0;
}

size_t jwe_recipients(const struct jwe *j)
{
    return j->count;
}

int jwe_recipient(const struct jwe *j, size_t i, struct jwe_recipient *out, struct err *e)
{
    const struct jwe_to *to;

    memset(out, 0, sizeof *out);
    if (i >= j->count)
        return err_set(e, ERR_ABSENT, "JWE: no recipient %zu", i);
    to = &j->to[i];
    if (!to->alg)
        return err_set(e, to->why.code, "%s", to->why.text);
    out->alg = to->alg->name;
    out->enc = j->enc->name;
    out->kid = to->kid;
    out->suite = to->suite;
    out->epk = to->epk.data;
    out->epk_len = to->epk.len;
    if (to->has_apv && strlen(buf_str(&to->apv)) == to->apv.len)
        out->apv = buf_str(&to->apv);
    out->encrypted_key = to->encrypted_key.data;
    out->encrypted_key_len = to->encrypted_key.len;
    return 0;
}

struct json_object *jwe_protected(const struct jwe *j, const char *name)
{
    struct json_object *v;

    return json_object_object_get_ex(j->prot, name, &v) ? v : NULL;
}

const char *jwe_cty(const struct jwe *j)
{
    const char *cty;

    return sjson_string(j->prot, "cty", &cty, NULL) == 0 ? cty : NULL;
}
