/* What handlers share (service.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"
#include "common/sjson.h"
#include "service.h"

int request_address(struct request *rq, const char *name, int about, char out[ADDRESS_SIZE], struct err *e)
{
    const char *text;
    int rc = sjson_string(rq->body, name, &text, e);

    rc = rc ? rc : address_canonical(text, strlen(text), out, e);
    if (!rc && about)
        snprintf(rq->about, sizeof rq->about, "%s", out);
    return rc;
}

int body_keyid(struct json_object *body, char out[KEYID_SIZE], struct err *e)
{
    const char *text;
    int rc = sjson_string(body, "GroupKeyID", &text, e);

    if (rc)
        return rc;
    if (!*text || strlen(text) >= KEYID_SIZE)
        return err_set(e, ERR_SYNTAX, "GroupKeyID: not the name of a key");
    for (size_t i = 0; i <= strlen(text); i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
    return 0;
}

int request_keyid(struct request *rq, char out[KEYID_SIZE], struct err *e)
{
    int rc = body_keyid(rq->body, out, e);

    if (!rc)
        snprintf(rq->about, sizeof rq->about, "%s", out);
    return rc;
}

int request_epk(struct request *rq, struct epk *out, struct err *e)
{
    return body_epk(rq->body, out, e);
}

int body_epk(struct json_object *body, struct epk *out, struct err *e)
{
    struct json_object *obj;
    int rc = sjson_object(body, "EphemeralKey", &obj, e);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : jwk_read_public(obj, &out->suite, out->raw, &out->len, e);
    rc = rc ? rc : suite_peer_new(out->suite, out->raw, out->len, &out->peer, e);
    if (rc == ERR_SYSTEM)
        return rc;
    /* One text: what exactly is wrong with a key helps only who searches for one that passes. */
    return rc ? err_set(e, rc, "the ephemeral key is refused") : 0;
}

void epk_clear(struct epk *k)
{
    suite_peer_free(&k->peer);
}

int request_owned_group(struct service *s, struct request *rq, struct account *out, struct err *e)
{
    char address[ADDRESS_SIZE];
    int rc = request_address(rq, "Group", 1, address, e);

    memset(out, 0, sizeof *out);
    rc = rc ? rc : account_get(&s->records, address, out, e);
    if (rc)
        return rc;
    if (strcmp(out->signer, rq->caller->signer)) {
        rc = err_set(e, ERR_DENIED, "not the owner of %s", address);
        account_clear(out);
    }
    return rc;
}

int request_owned_list(struct service *s, struct request *rq, struct account *out, struct err *e)
{
    int rc = request_owned_group(s, rq, out, e);

    if (!rc && out->kind != PROFILE_LIST) {
        rc = err_set(e, ERR_ABSENT, "%s is not a list", out->address);
        account_clear(out);
    }
    return rc;
}

int request_policy(struct json_object *policy, struct policy *out, struct err *e)
{
    static const char *const names[] = {"Plaintext", "Archive", "MaxSize", NULL};
    const char *plaintext;
    int64_t size;
    int rc;

    if (!policy)
        return 0;
    rc = sjson_only(policy, names, e);
    if (!rc && sjson_has(policy, "Plaintext")) {
        rc = sjson_string(policy, "Plaintext", &plaintext, e);
        rc = rc ? rc : policy_plaintext(plaintext, 0, &out->plaintext, e);
    }
    if (!rc && sjson_has(policy, "Archive"))
        rc = sjson_bool(policy, "Archive", &out->archive, e);
    if (!rc && sjson_has(policy, "MaxSize")) {
        rc = sjson_int(policy, "MaxSize", &size, e);
        if (!rc && size < 0)
            rc = err_set(e, ERR_SYNTAX, "MaxSize: negative");
        out->max_size = rc ? out->max_size : (size_t)size;
    }
    return rc ? err_prefix(e, "Policy") : 0;
}

int service_new_key(struct service *s, struct account *a, const struct profile *p, const char *text,
                    enum key_state former, struct err *e)
{
    struct key_record k = {0};
    int rc;

    if (a->key_count) {
        rc = key_get(&s->records, a->current, &k, e);
        k.state = former;
        rc = rc ? rc : key_put(&s->records, a->current, &k, e);
        key_clear(&k);
        if (rc)
            return rc;
    }
    rc = key_get(&s->records, p->keyid, &k, e);
    key_clear(&k);
    if (rc != ERR_ABSENT)
        return rc ? rc : err_set(e, ERR_EXISTS, "%s is known already", p->keyid);
    memcpy(k.account, p->account, sizeof k.account);
    k.state = KEY_CURRENT;
    k.epoch = p->epoch;
    k.profile = strdup(text);
    rc = k.profile ? jwk_public_copy(p->key, &k.key, e) : err_errno(e, "profile");
    rc = rc ? rc : key_put(&s->records, p->keyid, &k, e);
    key_clear(&k);
    rc = rc ? rc : account_add_key(a, p->keyid, e);
    memcpy(a->current, p->keyid, sizeof a->current);
    a->epoch = p->epoch;
    return rc;
}
