#include "rclient-private.h"

#include <stdlib.h>
#include <string.h>

#include "sjson.h"

enum { RECIPIENTS_MAX = 100000 };

/* recryptd is trusted to be honest, not to be free of faults: what does not fit is "try again later". */
int rclient_rubbish(const char *what, struct err *e)
{
    return err_set(e, ERR_RETRY, "recryptd: answer with a bad or missing %s", what);
}

/* Copies a string member that is no longer than size - 1 and has neither spaces nor control characters. An optional
 * one that is absent gives "". */
int rclient_word(struct json_object *obj, const char *name, int required, char *out, size_t size, struct err *e)
{
    const char *s;

    out[0] = 0;
    if (!sjson_has(obj, name) && !required)
        return 0;
    if (sjson_string(obj, name, &s, NULL) < 0 || strlen(s) >= size || (required && !*s))
        return rclient_rubbish(name, e);
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return rclient_rubbish(name, e);
    strcpy(out, s);
    return 0;
}

/* The index of a string member's value in a NULL-ended list. */
static int take_choice(struct json_object *obj, const char *name, const char *const *values, int *out, struct err *e)
{
    const char *s;

    if (sjson_string(obj, name, &s, NULL) < 0)
        return rclient_rubbish(name, e);
    for (int i = 0; values[i]; i++)
        if (strcmp(s, values[i]) == 0) {
            *out = i;
            return 0;
        }
    return rclient_rubbish(name, e);
}

static int out_of_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "out of memory");
}

/* Order as enum address_kind, enum plaintext_policy and enum key_state. */
static const char *const kinds[] = {"none", "list", "person", "owner", "archive", "reserved", "fanout", NULL};
static const char *const policies[] = {"reject", "encrypt", "pass", NULL};
static const char *const states[] = {"current", "archived", "retired", NULL};

static int read_info(struct json_object *reply, struct address_info *out, struct err *e)
{
    int r, n = 0, has_key;
    int64_t size = 0;

    if ((r = take_choice(reply, "Kind", kinds, &n, e)) < 0)
        return r;
    out->kind = (enum address_kind)n;
    if (out->kind == ADDRESS_NONE || out->kind == ADDRESS_RESERVED)
        return 0;
    has_key = out->kind == ADDRESS_LIST || out->kind == ADDRESS_PERSON;
    if ((r = rclient_word(reply, "Account", 1, out->account, sizeof out->account, e)) < 0 ||
        (r = rclient_word(reply, "Owner", out->kind == ADDRESS_OWNER, out->owner, sizeof out->owner, e)) < 0 ||
        (r = rclient_word(reply, "KeyID", has_key, out->keyid, sizeof out->keyid, e)) < 0)
        return r;
    if (!has_key)
        return 0;
    if ((r = take_choice(reply, "Plaintext", policies, &n, e)) < 0)
        return r;
    out->plaintext = (enum plaintext_policy)n;
    if (sjson_has(reply, "Archive") && sjson_bool(reply, "Archive", &out->archive, NULL) < 0)
        return rclient_rubbish("Archive", e);
    if (sjson_has(reply, "MaxSize") && (sjson_int(reply, "MaxSize", &size, NULL) < 0 || size < 0))
        return rclient_rubbish("MaxSize", e);
    out->max_size = (size_t)size;
    return 0;
}

int rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if (!body || sjson_set_string(body, "Address", address) < 0)
        r = out_of_memory(e);
    else if ((r = frame_call(c, "Resolve", body, &reply, e)) == 0)
        r = read_info(reply, out, e);
    if (r < 0)
        memset(out, 0, sizeof *out);
    json_object_put(reply);
    json_object_put(body);
    return r;
}

/* The epk as a public JWK, as it came: recryptd checks it. */
static int epk_json(const struct suite *s, const unsigned char *epk, size_t len, struct json_object **out,
                    struct err *e)
{
    struct json_object *jwk;
    size_t half = strcmp(suite_kty(s), "EC") == 0 ? len / 2 : len;
    int r;

    *out = NULL;
    if (len != suite_pub_len(s))
        return err_set(e, ERR_SYNTAX, "ephemeral key of %zu octets", len);
    if (!(jwk = json_object_new_object()))
        return out_of_memory(e);
    if ((r = sjson_set_string(jwk, "kty", suite_kty(s))) < 0 || (r = sjson_set_string(jwk, "crv", suite_name(s))) < 0 ||
        (r = sjson_set_b64(jwk, "x", epk, half)) < 0 ||
        (half < len && (r = sjson_set_b64(jwk, "y", epk + half, len - half)) < 0)) {
        json_object_put(jwk);
        return out_of_memory(e);
    }
    *out = jwk;
    return 0;
}

int rclient_epk_request(const char *account, const char *keyid, const struct suite *s, const unsigned char *epk,
                       size_t epk_len, struct json_object **out, struct err *e)
{
    struct json_object *body, *jwk;
    int r;

    *out = NULL;
    if ((r = epk_json(s, epk, epk_len, &jwk, e)) < 0)
        return r;
    if (!(body = json_object_new_object()))
        json_object_put(jwk);
    if (!body || sjson_set_object(body, "EphemeralKey", jwk) < 0 ||
        (keyid && sjson_set_string(body, "GroupKeyID", keyid) < 0) ||
        (account && sjson_set_string(body, "Account", account) < 0)) {
        json_object_put(body);
        return out_of_memory(e);
    }
    *out = body;
    return 0;
}

static int read_recipients(struct json_object *reply, struct expansion *out, struct err *e)
{
    struct json_object *list;
    size_t n;

    if (sjson_array(reply, "Recipients", &list, NULL) < 0 || (n = json_object_array_length(list)) > RECIPIENTS_MAX)
        return rclient_rubbish("Recipients", e);
    if (!(out->recipients = calloc(n + 1, sizeof *out->recipients)))
        return out_of_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *s = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";

        if (!*s || strlen(s) >= ADDRESS_SIZE)
            return rclient_rubbish("Recipients", e);
        for (const char *p = s; *p; p++)
            if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '<' || *p == '>')
                return rclient_rubbish("Recipients", e);
        if (!(out->recipients[i] = strdup(s)))
            return out_of_memory(e);
        out->recipient_count++;
    }
    return 0;
}

/* A grant for all members' eyes must not carry one member's statement. */
static int read_grants(struct json_object *reply, const struct suite *s, struct expansion *out, struct err *e)
{
    struct json_object *list;
    size_t n;

    if (sjson_array(reply, "Grants", &list, NULL) < 0 || (n = json_object_array_length(list)) > JWE_GRANTS_MAX)
        return rclient_rubbish("Grants", e);
    if (!(out->grants = calloc(n + 1, sizeof *out->grants)))
        return out_of_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct grant *g = &out->grants[i];
        int r = grant_from_json(json_object_array_get_idx(list, i), g, e);

        if (r == ERR_SYSTEM)
            return r;
        if (r < 0)
            return rclient_rubbish("Grants", e);
        out->grant_count++;
        if (g->dk || g->value_len != suite_value_len(s))
            return rclient_rubbish("Grants", e);
    }
    return 0;
}

static int read_expansion(struct json_object *reply, const struct suite *s, struct expansion *out, struct err *e)
{
    int r, n = 0;

    if ((r = take_choice(reply, "State", states, &n, e)) < 0)
        return r;
    out->state = (enum key_state)n;
    if ((r = rclient_word(reply, "Account", 1, out->account, sizeof out->account, e)) < 0 ||
        (r = rclient_word(reply, "Current", 1, out->current, sizeof out->current, e)) < 0 || out->state == KEY_RETIRED)
        return r;
    if ((r = rclient_word(reply, "Sender", 1, out->sender, sizeof out->sender, e)) < 0 ||
        (r = read_recipients(reply, out, e)) < 0)
        return r;
    return read_grants(reply, s, out, e);
}

int rclient_expand(struct frame_client *c, const char *keyid, const struct suite *s, const unsigned char *epk,
                   size_t epk_len, struct expansion *out, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = rclient_epk_request(NULL, keyid, s, epk, epk_len, &body, e)) == 0 &&
        (r = frame_call(c, "Expand", body, &reply, e)) == 0)
        r = read_expansion(reply, s, out, e);
    if (r < 0)
        expansion_clear(out);
    json_object_put(reply);
    json_object_put(body);
    return r;
}

void expansion_clear(struct expansion *x)
{
    for (size_t i = 0; i < x->recipient_count; i++)
        free(x->recipients[i]);
    for (size_t i = 0; i < x->grant_count; i++)
        grant_clear(&x->grants[i]);
    free(x->recipients);
    free(x->grants);
    memset(x, 0, sizeof *x);
}

int rclient_grant(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                  const unsigned char *epk, size_t epk_len, struct grant *out, struct err *e)
{
    struct json_object *body = NULL, *reply = NULL, *grant;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = rclient_epk_request(account, keyid, s, epk, epk_len, &body, e)) == 0 &&
        (r = frame_call(c, "Grant", body, &reply, e)) == 0) {
        if (sjson_object(reply, "Grant", &grant, NULL) < 0)
            r = rclient_rubbish("Grant", e);
        else if ((r = grant_from_json(grant, out, e)) < 0)
            r = r == ERR_SYSTEM ? r : rclient_rubbish("Grant", e);
        else if (!out->dk || out->value_len != suite_value_len(s))
            r = rclient_rubbish("Grant", e);
    }
    if (r < 0)
        grant_clear(out);
    json_object_put(reply);
    json_object_put(body);
    return r;
}

static int read_key(struct json_object *reply, struct jwk **key, enum key_state *state, char account[ADDRESS_SIZE],
                    struct err *e)
{
    struct json_object *obj;
    char keyid[KEYID_SIZE];
    int r, n = 0;

    if ((r = take_choice(reply, "State", states, &n, e)) < 0 ||
        (r = rclient_word(reply, "Account", 1, account, ADDRESS_SIZE, e)) < 0 ||
        (r = rclient_word(reply, "KeyID", 1, keyid, sizeof keyid, e)) < 0)
        return r;
    *state = (enum key_state)n;
    if (sjson_object(reply, "Key", &obj, NULL) < 0)
        return rclient_rubbish("Key", e);
    if ((r = jwk_from_json(obj, key, e)) < 0)
        return r == ERR_SYSTEM ? r : rclient_rubbish("Key", e);
    if (jwk_is_private(*key) || !jwk_suite(*key))
        return rclient_rubbish("Key", e);
    return jwk_set_kid(*key, keyid) < 0 ? out_of_memory(e) : 0;
}

int rclient_key(struct frame_client *c, const char *account_or_keyid, struct jwk **key, enum key_state *state,
                char account[ADDRESS_SIZE], struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    int r;

    *key = NULL;
    *state = KEY_RETIRED;
    account[0] = 0;
    if (!body || sjson_set_string(body, "Key", account_or_keyid) < 0)
        r = out_of_memory(e);
    else if ((r = frame_call(c, "Key", body, &reply, e)) == 0)
        r = read_key(reply, key, state, account, e);
    if (r < 0) {
        jwk_free(key);
        account[0] = 0;
    }
    json_object_put(reply);
    json_object_put(body);
    return r;
}
