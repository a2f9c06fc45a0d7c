#include "suite.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "buf.h"
#include "suite-private.h"

struct suite_key {
    const struct suite *suite;
    EVP_PKEY *pkey;
    unsigned char pub[SUITE_PUB_MAX], priv[SUITE_PRIV_MAX];
};

struct suite_peer {
    const struct suite *suite;
    EVP_PKEY *pkey;
};

static const struct suite *const suites[] = {
    &suite_x25519, &suite_x448, &suite_p256, &suite_ffdhe2048, &suite_ffdhe3072, &suite_modp2048,
};

const struct suite *suite_by_name(const char *name)
{
    for (size_t i = 0; name && i < sizeof suites / sizeof *suites; i++)
        if (!strcmp(suites[i]->name, name))
            return suites[i];
    return NULL;
}

const struct suite *suite_at(size_t index)
{
    return index < sizeof suites / sizeof *suites ? suites[index] : NULL;
}

const char *suite_name(const struct suite *s)
{
    return s->name;
}

const char *suite_kty(const struct suite *s)
{
    return s->kty;
}

size_t suite_pub_len(const struct suite *s)
{
    return s->pub_len;
}

size_t suite_priv_len(const struct suite *s)
{
    return s->priv_len;
}

size_t suite_value_len(const struct suite *s)
{
    return s->value_len;
}

size_t suite_candidates(const struct suite *s)
{
    return s->candidates;
}

int suite_openssl_error(struct err *e, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    err_set(e, ERR_SYSTEM, "%s: %s", what, reason ? reason : "failed");
    ERR_clear_error();
    return ERR_SYSTEM;
}

/* As above, but bad values are the cause unless memory ran out: ERR_KEY. */
static int openssl_refused(struct err *e, const char *what, unsigned long denied)
{
    suite_openssl_error(e, what);
    if (e)
        e->code = ERR_KEY;
    return secret_openssl_judged(ERR_KEY, denied, what, e);
}

int suite_fromdata(const char *algorithm, int selection, OSSL_PARAM *params, EVP_PKEY **out, struct err *e)
{
    unsigned long denied = secret_openssl_denied();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    int r = 0;

    *out = NULL;
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        r = suite_openssl_error(e, algorithm);
    else if (EVP_PKEY_fromdata(ctx, out, selection, params) != 1)
        r = openssl_refused(e, algorithm, denied);
    EVP_PKEY_CTX_free(ctx);
    return r;
}

void suite_native(unsigned char *out, const unsigned char *be, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = be[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? len - 1 - i : i];
}

static int check_length(const struct suite *s, size_t len, size_t want, const char *what, struct err *e)
{
    if (len == want)
        return 0;
    return err_set(e, ERR_KEY, "%s %s value of %zu octets, not %zu", s->name, what, len, want);
}

/* pub is trusted; priv was checked. */
static int key_new(const struct suite *s, const unsigned char *priv, const unsigned char *pub, struct suite_key **out,
                   struct err *e)
{
    struct suite_key *k = secret_alloc(sizeof *k);
    int r;

    if (!k)
        return err_set(e, ERR_SYSTEM, "out of memory");
    k->suite = s;
    memcpy(k->priv, priv, s->priv_len);
    memcpy(k->pub, pub, s->pub_len);
    if ((r = s->family->make(s, priv, pub, &k->pkey, e)) < 0)
        suite_key_free(&k);
    *out = k;
    return r;
}

/* priv was checked or drawn. */
static int key_complete(const struct suite *s, const unsigned char *priv, struct suite_key **out, struct err *e)
{
    unsigned char pub[SUITE_PUB_MAX];
    int r = s->family->derive_public(s, priv, pub, e);

    return r < 0 ? r : key_new(s, priv, pub, out, e);
}

int suite_generate(const struct suite *s, struct suite_key **out, struct err *e)
{
    unsigned char priv[SUITE_PRIV_MAX];
    int r;

    *out = NULL;
    if ((r = s->family->draw(s, priv, e)) == 0)
        r = key_complete(s, priv, out, e);
    secret_wipe(priv, sizeof priv);
    return r;
}

int suite_key_from_private(const struct suite *s, const unsigned char *priv, size_t len, const unsigned char *pub,
                           struct suite_key **out, struct err *e)
{
    int r;

    *out = NULL;
    if ((r = check_length(s, len, s->priv_len, "private", e)) < 0 || (r = s->family->check_private(s, priv, e)) < 0 ||
        (r = key_complete(s, priv, out, e)) < 0)
        return r;
    if (pub && CRYPTO_memcmp((*out)->pub, pub, s->pub_len)) {
        suite_key_free(out);
        return err_set(e, ERR_KEY, "%s public value is not the private value's", s->name);
    }
    return 0;
}

int suite_key_from_pair(const struct suite *s, const unsigned char *priv, size_t len, const unsigned char *pub,
                        struct suite_key **out, struct err *e)
{
    int r;

    *out = NULL;
    if ((r = check_length(s, len, s->priv_len, "private", e)) < 0 || (r = s->family->check_private(s, priv, e)) < 0)
        return r;
    return key_new(s, priv, pub, out, e);
}

const struct suite *suite_key_suite(const struct suite_key *k)
{
    return k->suite;
}

const unsigned char *suite_key_public(const struct suite_key *k)
{
    return k->pub;
}

const unsigned char *suite_key_private(const struct suite_key *k)
{
    return k->priv;
}

void suite_key_free(struct suite_key **k)
{
    if (!k || !*k)
        return;
    EVP_PKEY_free((*k)->pkey);
    secret_free(*k, sizeof **k);
    *k = NULL;
}

int suite_peer_new(const struct suite *s, const unsigned char *pub, size_t len, struct suite_peer **out, struct err *e)
{
    unsigned long denied = secret_openssl_denied();
    struct suite_peer *p;
    EVP_PKEY_CTX *ctx;
    int r;

    *out = NULL;
    if ((r = check_length(s, len, s->pub_len, "public", e)) < 0)
        return r;
    if (s->family->check_public && (r = s->family->check_public(s, pub, e)) < 0)
        return r;
    if (!(p = secret_alloc(sizeof *p)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    p->suite = s;
    if ((r = s->family->make(s, NULL, pub, &p->pkey, e)) == 0) {
        if (!(ctx = EVP_PKEY_CTX_new_from_pkey(NULL, p->pkey, NULL)))
            r = suite_openssl_error(e, s->name);
        else if (EVP_PKEY_public_check(ctx) != 1)
            r = openssl_refused(e, s->name, denied);
        EVP_PKEY_CTX_free(ctx);
    }
    if (r < 0)
        suite_peer_free(&p);
    *out = p;
    return r;
}

void suite_peer_free(struct suite_peer **p)
{
    if (!p || !*p)
        return;
    EVP_PKEY_free((*p)->pkey);
    secret_free(*p, sizeof **p);
    *p = NULL;
}

/* 0 or 1, read from either end, in time that does not depend on the value. */
static int is_trivial(const unsigned char *value, size_t len)
{
    unsigned middle = 0, ends = (unsigned)value[0] | value[len - 1];

    for (size_t i = 1; i + 1 < len; i++)
        middle |= value[i];
    return middle == 0 && ends <= 1;
}

int suite_agree(const struct suite_key *k, const struct suite_peer *p, unsigned char *value, struct err *e)
{
    const struct suite *s = k->suite;
    EVP_PKEY_CTX *ctx;
    size_t len = s->value_len;
    int r = 0;

    if (p->suite != s)
        return err_set(e, ERR_KEY, "an %s key and an %s public value", s->name, p->suite->name);
    /* The public value was checked once, in suite_peer_new: so no check here, and a failure is not the peer's. */
    if (!(ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL)) ||
        EVP_PKEY_derive_init_ex(ctx, s->family->agree_params) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, p->pkey, 0) != 1 || EVP_PKEY_derive(ctx, value, &len) != 1 ||
        len != s->value_len)
        r = suite_openssl_error(e, "key agreement");
    else if (s->family->one_is_refused && is_trivial(value, len))
        r = err_set(e, ERR_KEY, "%s agreement has no secret result", s->name);
    EVP_PKEY_CTX_free(ctx);
    secret_wipe_stack(); /* X25519 leaves its result there */
    if (r < 0)
        secret_wipe(value, s->value_len);
    return r;
}

int suite_split(const struct suite_key *a, struct suite_key **r, struct suite_key **b, struct err *e)
{
    const struct suite *s = a->suite;
    unsigned char r_priv[SUITE_PRIV_MAX], b_priv[SUITE_PRIV_MAX];
    int result, again;

    *r = *b = NULL;
    do
        again = 0;
    while ((result = s->family->draw(s, r_priv, e)) == 0 &&
           (result = s->family->rest(s, a->priv, r_priv, b_priv, &again, e)) == 0 && again);
    if (result == 0 && (result = key_complete(s, r_priv, r, e)) == 0 && (result = key_complete(s, b_priv, b, e)) < 0)
        suite_key_free(r);
    secret_wipe(r_priv, sizeof r_priv);
    secret_wipe(b_priv, sizeof b_priv);
    return result;
}

int suite_combine(const struct suite *s, const unsigned char *from_service, const unsigned char *from_member,
                  unsigned char *out, struct err *e)
{
    uint64_t ok = 0;
    int r = s->family->combine(s, from_service, from_member, out, &ok, e);

    if (r == 0 && !ok)
        r = err_set(e, ERR_CRYPTO, "recryption value does not belong to this message and member");
    if (r < 0)
        secret_wipe(out, s->candidates * s->value_len);
    return r;
}

int suite_dummy_value(const struct suite_peer *p, unsigned char *value, struct err *e)
{
    const struct suite *s = p->suite;
    unsigned char priv[SUITE_PRIV_MAX];
    struct suite_key *k = NULL;
    int r;

    /* Agreement does not look at a key's own public half, so it is not computed. */
    if ((r = s->family->draw(s, priv, e)) == 0 && (r = key_new(s, priv, s->base, &k, e)) == 0)
        r = suite_agree(k, p, value, e);
    suite_key_free(&k);
    secret_wipe(priv, sizeof priv);
    return r;
}
