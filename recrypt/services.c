#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"

enum standing { STRANGER, KNOWN, OWN };
enum { TRIES_OWN = 3, TRIES = 1, STRANGERS_MAX = 3 };

struct service {
    struct web *web;
    enum standing standing;
    struct jwk *key; /* NULL until asked for */
    struct service *next;
};
struct services {
    const struct home *home;
    const char *only;
    char domain[ADDRESS_SIZE]; /* the one that only is for; "" = all */
    int limited;
    struct service *first;
};

int services_new(const struct home *h, const char *only, const char *domain, struct services **out, struct err *e)
{
    if (!(*out = calloc(1, sizeof **out)))
        return err_errno(e, "out of memory");
    (*out)->home = h;
    (*out)->only = only;
    snprintf((*out)->domain, sizeof(*out)->domain, "%s", domain);
    return 0;
}

void services_free(struct services **s)
{
    struct service *next;

    if (!*s)
        return;
    for (struct service *one = (*s)->first; one; one = next) {
        next = one->next;
        web_free(&one->web);
        jwk_free(&one->key);
        free(one);
    }
    free(*s);
    *s = NULL;
}

void services_limit(struct services *s)
{
    s->limited = 1;
}

static int is_of(void *domain, const char *name, struct err *e)
{
    (void)e;
    return strcmp(address_domain(name), domain) == 0;
}

/* Whom the domain belongs to. It can only get better: a key may have become known. */
static int find_standing(struct services *s, const char *domain, struct service *one, struct err *e)
{
    char name[ADDRESS_SIZE];
    int r;

    snprintf(name, sizeof name, "%s", domain);
    if (one->standing == OWN)
        return 0;
    if ((r = home_each(s->home, "persons", NULL, "", is_of, name, e)) == 0)
        r = home_each(s->home, "devices", NULL, "", is_of, name, e);
    if (r == 1)
        one->standing = OWN;
    else if (r == 0 && (r = home_each(s->home, "known", NULL, ".jws", is_of, name, e)) == 1)
        one->standing = KNOWN;
    return r < 0 ? r : 0;
}

/* May it be asked, with the limits? */
static int admit(struct services *s, const char *domain, struct service *one, struct err *e)
{
    const struct web_record *record = web_record(one->web);
    int r = find_standing(s, domain, one, e), away = 0;

    if (r < 0)
        return r;
    if (record->failures >= (one->standing == OWN ? TRIES_OWN : TRIES) || (one->standing == STRANGER && record->slow))
        return err_set(e, ERR_RETRY, "%s: it did not answer, or took too long, and is asked no more in this run",
                       web_where(one->web));
    if (one->standing != STRANGER || record->answers)
        return 0;
    for (const struct service *i = s->first; i; i = i->next)
        away += i->standing == STRANGER && (web_record(i->web)->failures || web_record(i->web)->slow);
    if (away >= STRANGERS_MAX)
        return err_set(e, ERR_RETRY, "%s: not asked in this run, as others of which nothing is known did not answer",
                       web_where(one->web));
    return 0;
}

static int find(struct services *s, const char *address, struct service **out, struct err *e)
{
    struct buf url = BUF_INIT;
    struct service *one;
    const char *ca = NULL;
    int is_only, r;

    is_only = s->only && (s->domain[0] == 0 || strcmp(s->domain, address_domain(address)) == 0);
    r = is_only ? web_url(s->only, &url, e) : home_service(s->home, address_domain(address), &url, &ca, e);
    if (r < 0)
        goto out;
    for (one = s->first; one && strcmp(web_where(one->web), buf_str(&url)) != 0; one = one->next)
        ;
    if (!one) {
        if (!(one = calloc(1, sizeof *one))) {
            r = err_errno(e, "out of memory");
            goto out;
        }
        if ((r = web_new(buf_str(&url), ca, &one->web, e)) < 0) {
            free(one);
            goto out;
        }
        if (is_only || home_has_service(s->home, address_domain(address)))
            one->standing = OWN;
        else
            web_guessed(one->web);
        one->next = s->first;
        s->first = one;
    }
    if (s->limited && (r = admit(s, address_domain(address), one, e)) < 0)
        goto out;
    *out = one;
out:
    buf_free(&url);
    return r;
}

int services_for(struct services *s, const char *address, struct web **out, struct err *e)
{
    struct service *one;
    int r = find(s, address, &one, e);

    *out = r == 0 ? one->web : NULL;
    return r;
}

int services_encryption_key(struct services *s, const char *address, const struct jwk **out, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL, *service, *key;
    struct service *one;
    int r;

    *out = NULL;
    if ((r = find(s, address, &one, e)) < 0)
        return r;
    if (!one->key) {
        body = json_object_new_object();
        if ((r = web_call(one->web, "Hello", body, NULL, &reply, e)) == 0 &&
            (r = sjson_object(reply, "Service", &service, e)) == 0 &&
            (r = sjson_object(service, "EncryptionKey", &key, e)) == 0)
            r = jwk_from_json(key, &one->key, e);
        json_object_put(body);
        json_object_put(reply);
        if (r == 0 && !jwk_suite(one->key)) {
            jwk_free(&one->key);
            r = err_set(e, ERR_KEY, "the service's key is not for encryption");
        }
        if (r < 0)
            return err_prefix(e, "the encryption key of %s", web_where(one->web));
    }
    *out = one->key;
    return 0;
}

/* The account of an account or key id. */
static int account_of(const char *text, char account[ADDRESS_SIZE], struct err *e)
{
    char udf[64];

    return keyid_parse(text, account, udf, NULL) == 0 ? 0 : address_canonical(text, strlen(text), account, e);
}

int services_get_key(struct services *s, const char *account_or_keyid, struct buf *profile, char state[16],
                     struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    char account[ADDRESS_SIZE];
    const char *text, *word;
    struct web *w;
    int r;

    state[0] = 0;
    if ((r = account_of(account_or_keyid, account, e)) < 0 || (r = services_for(s, account, &w, e)) < 0)
        goto out;
    if (sjson_set_string(body, "GroupID", account_or_keyid) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    r = web_call(w, "GetKey", body, NULL, &reply, e);
    if (r == ERR_ABSENT)
        err_set(e, ERR_ABSENT, "%s has no key at %s: check the spelling, or ask its owner to make one",
                account_or_keyid, web_where(w));
    if (r < 0 || (r = sjson_string(reply, "SignedKey", &text, e)) < 0 ||
        (r = sjson_string(reply, "State", &word, e)) < 0)
        goto out;
    snprintf(state, 16, "%s", word);
    if (buf_puts(profile, text) < 0)
        r = err_errno(e, "out of memory");
out:
    json_object_put(body);
    json_object_put(reply);
    return r;
}

/* The ephemeral key of a message as the JWK that the request carries. */
static int ephemeral_key(const struct jwe_recipient *to, struct json_object **out, struct err *e)
{
    const char *kty = suite_kty(to->suite);
    size_t half = to->epk_len / 2;
    struct json_object *o = json_object_new_object();
    int bad, ec = strcmp(kty, "EC") == 0;

    bad = !o || sjson_set_string(o, "kty", kty) < 0 || sjson_set_string(o, "crv", suite_name(to->suite)) < 0 ||
          sjson_set_b64(o, "x", to->epk, ec ? half : to->epk_len) < 0 ||
          (ec && sjson_set_b64(o, "y", to->epk + half, half) < 0);
    if (bad) {
        json_object_put(o);
        o = NULL;
    }
    *out = o;
    return bad ? err_errno(e, "out of memory") : 0;
}

int services_has(struct services *s, const struct profile *p, struct err *e)
{
    struct buf text = BUF_INIT;
    struct profile there;
    char state[16];
    int r;

    memset(&there, 0, sizeof there);
    r = services_get_key(s, p->account, &text, state, e);
    if (r == ERR_ABSENT)
        r = 0;
    else if (r == 0 && (r = profile_read(text.data, text.len, &there, e)) == 0)
        r = strcmp(there.keyid, p->keyid) == 0 && jwk_equal(there.signer, p->signer)
                ? 1
                : err_set(e, ERR_EXISTS, "the address %s is taken: its key at the service is %s", p->account,
                          there.keyid);
    profile_clear(&there);
    buf_free(&text);
    return r;
}

int services_granted(struct services *s, const char *at, const char *keyid, const struct jwe_recipient *to,
                     const char *member_udf, const struct jwk *signer, struct granted *out, struct err *e)
{
    struct json_object *body = json_object_new_object(), *epk = NULL, *reply = NULL, *grant, *device = NULL;
    struct web *w;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = services_for(s, at, &w, e)) < 0 || (r = ephemeral_key(to, &epk, e)) < 0)
        goto out;
    if (sjson_set_string(body, "GroupKeyID", keyid) < 0 || sjson_set_string(body, "MemberKeyUDF", member_udf) < 0 ||
        sjson_set_object(body, "EphemeralKey", json_object_get(epk)) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = web_call(w, "RecryptData", body, signer, &reply, e)) < 0 ||
        (r = sjson_object(reply, "Grant", &grant, e)) < 0 ||
        (sjson_has(reply, "Device") && (r = sjson_object(reply, "Device", &device, e)) < 0))
        goto out;
    r = granted_from_json(keyid, grant, device, "KeyID", out, e);
out:
    json_object_put(body);
    json_object_put(epk);
    json_object_put(reply);
    return r;
}

/* What is asked for along with a statement. */
static int ask_sealed(struct json_object *body, const struct jwe_recipient *to, const struct jwk *key, struct err *e)
{
    struct json_object *epk = NULL, *jwk = NULL;
    int r;

    if ((r = ephemeral_key(to, &epk, e)) == 0 && (r = jwk_to_json(key, 0, &jwk, e)) == 0 &&
        (sjson_set_object(body, "EphemeralKey", json_object_get(epk)) < 0 ||
         sjson_set_object(body, "Key", json_object_get(jwk)) < 0))
        r = err_errno(e, "out of memory");
    json_object_put(epk);
    json_object_put(jwk);
    return r;
}

int services_statement(struct services *s, const char *keyid, const char *device, const struct jwe_recipient *to,
                       const struct jwk *key, struct buf *out, struct buf *sealed, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    char account[ADDRESS_SIZE];
    const char *text, *grant = "";
    struct web *w;
    int r;

    if ((r = account_of(keyid, account, e)) < 0 || (r = services_for(s, account, &w, e)) < 0)
        goto out;
    if (sjson_set_string(body, "GroupKeyID", keyid) < 0 || sjson_set_string(body, "Device", device) < 0)
        r = err_errno(e, "out of memory");
    else if ((!to || (r = ask_sealed(body, to, key, e)) == 0) &&
             (r = web_call(w, "Statement", body, NULL, &reply, e)) == 0 &&
             (r = sjson_string(reply, "Statement", &text, e)) == 0 &&
             (!to || (r = sjson_string(reply, "Sealed", &grant, e)) == 0) &&
             (buf_puts(out, text) < 0 || (to && buf_puts(sealed, grant) < 0)))
        r = err_errno(e, "out of memory");
out:
    json_object_put(body);
    json_object_put(reply);
    return r;
}
