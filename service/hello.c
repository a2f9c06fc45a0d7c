/* Hello, GetKey and Key: what the service is, and whose keys it has. */
#include <stdio.h>
#include <string.h>

#include "common/sjson.h"
#include "service.h"

static struct json_object *strings(char *const *list, size_t count)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < count; i++) {
        struct json_object *text = json_object_new_string(list[i]);

        if (!text || json_object_array_add(array, text)) {
            json_object_put(text);
            json_object_put(array);
            return NULL;
        }
    }
    return array;
}

static int put_version(struct json_object *reply)
{
    char *json[] = {(char[]){"application/json"}};
    struct json_object *version = json_object_new_object(), *encoding = json_object_new_object();
    struct json_object *encodings = json_object_new_array();
    int rc = version && encoding && encodings ? 0 : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_object(encoding, "ID", strings(json, 1));
    if (!rc && !(rc = json_object_array_add(encodings, encoding) ? ERR_SYSTEM : 0))
        encoding = NULL;
    rc = rc ? rc : sjson_set_int(version, "Major", 1);
    rc = rc ? rc : sjson_set_int(version, "Minor", 0);
    if (!rc) {
        rc = sjson_set_object(version, "Encodings", encodings);
        encodings = NULL;
    }
    if (!rc) {
        rc = sjson_set_object(reply, "Version", version);
        version = NULL;
    }
    json_object_put(version);
    json_object_put(encoding);
    json_object_put(encodings);
    return rc;
}

int hello_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *service = json_object_new_object(), *key = NULL;
    char nonce[NONCE_SIZE];
    int rc = service ? put_version(reply) : ERR_SYSTEM;

    rc = rc ? rc : sjson_set_object(reply, "Alternates", json_object_new_array());
    rc = rc ? rc : sjson_set_object(service, "Domains", strings(s->settings->domains.list, s->settings->domains.count));
    rc = rc ? rc : jwk_to_json(s->keys->key, 0, &key, e);
    rc = rc ? rc : sjson_set_object(service, "EncryptionKey", key);
    if (!rc) {
        rc = sjson_set_object(reply, "Service", service);
        service = NULL;
    }
    json_object_put(service);
    if (!rc && !rq->caller->local) {
        rc = nonces_issue(s->nonces, rq->now, nonce, e);
        rc = rc ? rc : sjson_set_string(reply, "Nonce", nonce);
    }
    return rc ? err_set(e, rc, "out of memory") : STATUS_OK;
}

/* The key record that text stands for: an account's current one, or the one of that key id. */
static int find_key(struct service *s, struct request *rq, const char *text, char keyid[KEYID_SIZE], struct account *a,
                    struct key_record *k, struct err *e)
{
    char address[ADDRESS_SIZE], udf[64];
    int rc = 0;

    memset(a, 0, sizeof *a);
    memset(k, 0, sizeof *k);
    snprintf(rq->about, sizeof rq->about, "%s", text);
    if (strlen(text) >= KEYID_SIZE)
        return err_set(e, ERR_ABSENT, "no such account or key here");
    /* "x@example.com.mm--..." looks like an address as well: what is a key's name is one first. */
    if (!keyid_parse(text, address, udf, NULL)) {
        for (size_t i = 0; i <= strlen(text); i++)
            keyid[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
    } else if (address_canonical(text, strlen(text), address, NULL)) {
        return err_set(e, ERR_SYNTAX, "neither an address nor the name of a key");
    } else {
        rc = account_get(&s->records, address, a, e);
        if (!rc)
            memcpy(keyid, a->current, KEYID_SIZE);
    }
    rc = rc ? rc : key_get(&s->records, keyid, k, e);
    if (!rc && !a->key_count)
        rc = account_get(&s->records, k->account, a, e);
    if (rc) {
        account_clear(a);
        key_clear(k);
    }
    return rc == ERR_ABSENT ? err_set(e, rc, "no such account or key here") : rc;
}

int get_key_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct key_record k;
    struct account a;
    char keyid[KEYID_SIZE];
    const char *text;
    int rc = sjson_string(rq->body, "GroupID", &text, e);

    rc = rc ? rc : find_key(s, rq, text, keyid, &a, &k, e);
    if (rc)
        return rc;
    rc = sjson_set_string(reply, "SignedKey", k.profile);
    rc = rc ? rc : sjson_set_string(reply, "State", key_state_name(k.state));
    rc = rc ? rc : sjson_set_string(reply, "Current", a.current);
    account_clear(&a);
    key_clear(&k);
    return rc ? err_set(e, rc, "out of memory") : STATUS_OK;
}

int key_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    struct json_object *jkey = NULL;
    struct key_record k;
    struct account a;
    char keyid[KEYID_SIZE];
    const char *text;
    int rc = sjson_string(rq->body, "Key", &text, e);

    rc = rc ? rc : find_key(s, rq, text, keyid, &a, &k, e);
    if (rc)
        return rc;
    rc = jwk_set_kid(k.key, keyid);
    rc = rc ? rc : jwk_to_json(k.key, 0, &jkey, e);
    rc = rc ? rc : sjson_set_object(reply, "Key", jkey);
    rc = rc ? rc : sjson_set_string(reply, "KeyID", keyid);
    rc = rc ? rc : sjson_set_string(reply, "Account", a.address);
    rc = rc ? rc : sjson_set_string(reply, "State", key_state_name(k.state));
    account_clear(&a);
    key_clear(&k);
    return rc ? err_set(e, rc, "out of memory") : STATUS_OK;
}
