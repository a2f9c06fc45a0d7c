/* Resolve: what an address is to us (doc/protocol.md section 5). */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/sjson.h"
#include "service.h"

/* The forms under which a mail server takes the same recipient: <> around it, the local part in quotes, a dot after the
 * domain. Writes the plain one; 0 when it is none of an account's. */
static int plain_form(const char *text, char out[ADDRESS_SIZE])
{
    char flat[2 * ADDRESS_SIZE];
    size_t n = 0, len = strlen(text);

    if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
        text++;
        len -= 2;
    }
    if (len >= sizeof flat)
        return 0;
    if (len && text[0] == '"') {
        size_t i = 1;

        for (; i < len && text[i] != '"'; i++) {
            if (text[i] == '\\' && i + 1 < len)
                i++;
            flat[n++] = text[i];
        }
        if (i == len)
            return 0;
        memcpy(flat + n, text + i + 1, len - i - 1);
        n += len - i - 1;
    } else {
        memcpy(flat, text, len);
        n = len;
    }
    if (n && flat[n - 1] == '.')
        n--;
    return address_canonical(flat, n, out, NULL) == 0;
}

static int put_person(struct service *s, const struct account *a, struct json_object *reply)
{
    int rc = sjson_set_string(reply, "Kind", "person");

    rc = rc ? rc : sjson_set_string(reply, "Account", a->address);
    rc = rc ? rc : sjson_set_string(reply, "KeyID", a->current);
    rc = rc ? rc : sjson_set_string(reply, "Plaintext", policy_plaintext_name(s->settings->person_plaintext));
    rc = rc ? rc : sjson_set_object(reply, "Archive", json_object_new_boolean(0));
    return rc ? rc : sjson_set_int(reply, "MaxSize", 0);
}

static int put_list(const struct account *a, const char *kind, struct json_object *reply)
{
    int rc = sjson_set_string(reply, "Kind", kind);

    rc = rc ? rc : sjson_set_string(reply, "Account", a->address);
    rc = rc ? rc : sjson_set_string(reply, "Owner", a->owner);
    rc = rc ? rc : sjson_set_string(reply, "KeyID", a->current);
    rc = rc ? rc : sjson_set_string(reply, "Plaintext", policy_plaintext_name(a->policy.plaintext));
    rc = rc ? rc : sjson_set_object(reply, "Archive", json_object_new_boolean(a->policy.archive));
    return rc ? rc : sjson_set_int(reply, "MaxSize", (int64_t)a->policy.max_size);
}

/* Addresses that nobody is to guess, a piece at a time, from how long the answer takes. */
static int is_secret(const char *made, const char *address)
{
    size_t len = strlen(made);

    return len == strlen(address) && CRYPTO_memcmp(made, address, len) == 0;
}

/* What "+ext" behind a list's name means. */
static const char *list_kind(struct service *s, const struct account *a, const char *address, const char *ext,
                             size_t len)
{
    static const char *const owners[] = {"bounce", "owner", "request"};
    static const char bounce[] = "bounce-";
    char made[ADDRESS_SIZE];

    if (!ext)
        return "list";
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
        if (len == strlen(owners[i]) && !strncmp(ext, owners[i], len))
            return "owner";
    if (len > strlen(bounce) && !strncmp(ext, bounce, strlen(bounce)) &&
        servicekey_bounce_known(s->keys, a->address, ext + strlen(bounce), len - strlen(bounce)))
        return "owner";
    if (a->policy.archive && !servicekey_archive(s->keys, a->address, made, NULL) && is_secret(made, address))
        return "archive";
    if (!servicekey_fanout(s->keys, a->address, made, NULL) && is_secret(made, address))
        return "fanout";
    return "reserved";
}

static int resolve(struct service *s, const char *address, struct json_object *reply, struct err *e)
{
    struct account a;
    char base[ADDRESS_SIZE];
    const char *ext;
    size_t ext_len = 0;
    int rc;

    address_split(address, base, &ext, &ext_len);
    rc = account_get(&s->records, base, &a, e);
    if (rc)
        return rc;
    if (a.kind == PROFILE_PERSON)
        rc = put_person(s, &a, reply);
    else
        rc = put_list(&a, list_kind(s, &a, address, ext, ext_len), reply);
    account_clear(&a);
    return rc ? err_set(e, rc, "out of memory") : STATUS_OK;
}

int resolve_handle(struct service *s, struct request *rq, struct json_object *reply, struct err *e)
{
    const struct names *domains = &s->settings->domains;
    char address[ADDRESS_SIZE], text[2 * ADDRESS_SIZE];
    const char *asked;
    int rc = sjson_string(rq->body, "Address", &asked, e);

    if (rc)
        return rc;
    snprintf(rq->about, sizeof rq->about, "%s", asked);
    rc = ERR_ABSENT;
    if (strchr(asked, '@')) {
        if (plain_form(asked, address))
            rc = resolve(s, address, reply, e);
    } else {
        /* A mail server puts its own domain behind a bare name, and which that is we are not told. */
        for (size_t i = 0; i < domains->count && rc == ERR_ABSENT; i++) {
            snprintf(text, sizeof text, "%.*s@%s", (int)ADDRESS_SIZE, asked, domains->list[i]);
            if (plain_form(text, address))
                rc = resolve(s, address, reply, e);
        }
    }
    if (rc == ERR_ABSENT)
        return sjson_set_string(reply, "Kind", "none") ? err_set(e, ERR_SYSTEM, "out of memory") : STATUS_OK;
    return rc;
}
