#include "chain.h"

#include <string.h>

#include "common/sjson.h"
#include "devices.h"

/* A device's membership names itself: its member address is the group's with an extension. No list has such a member.
 */
const struct signer_membership *chain_device(const struct signer *s, const char *key_udf, size_t *from)
{
    for (; s && *from < s->count; ++*from) {
        const struct signer_membership *m = &s->memberships[*from];
        char base[ADDRESS_SIZE];
        const char *ext;
        size_t len;

        address_split(m->member, base, &ext, &len);
        if (ext && !strcmp(base, m->group) && !strcmp(m->key_udf, key_udf)) {
            ++*from;
            return m;
        }
    }
    return NULL;
}

static int wrap(const char *keyid, struct json_object *grant, struct json_object **out, struct err *e)
{
    *out = json_object_new_object();
    if (!*out || sjson_set_string(*out, "KeyID", keyid)) {
        json_object_put(grant);
    } else if (!sjson_set_object(*out, "Grant", grant)) {
        return 0;
    }
    json_object_put(*out);
    *out = NULL;
    return err_set(e, ERR_SYSTEM, "out of memory");
}

int chain_grant(struct service *s, const char *statement, const char *member, const char *key_udf, const char *signer,
                struct json_object **out, struct err *e)
{
    struct statement_claim claim;
    struct json_object *grant = NULL;
    struct epk epk = {0};
    int allowed = statement != NULL, rc = 0;

    *out = NULL;
    rc = allowed ? 0 : grants_stand_in(s->grants, &statement, e);
    rc = rc ? rc : statement_claim(statement, strlen(statement), &claim, e);
    if (rc)
        return rc;
    epk.suite = claim.to.suite;
    epk.len = claim.to.epk_len;
    memcpy(epk.raw, claim.to.epk, claim.to.epk_len);
    rc = suite_peer_new(epk.suite, epk.raw, epk.len, &epk.peer, e);
    rc = rc ? rc : grant_one(s->grants, &s->records, claim.to.kid, member, key_udf, signer, &epk, allowed, &grant, e);
    rc = rc ? rc : wrap(claim.to.kid, grant, out, e);
    epk_clear(&epk);
    statement_claim_clear(&claim);
    return rc;
}

int chain_share(struct service *s, const char *person, const char *keyid, struct buf *out, struct err *e)
{
    int rc = device_text_get(&s->records, DEVICE_SHARE, person, keyid, out, NULL, e);

    return rc == ERR_ABSENT ? err_set(e, rc, "no grant") : rc;
}

int chain_share_grant(const char *statement, struct json_object **out, struct err *e)
{
    *out = json_object_new_object();
    if (*out && !sjson_set_string(*out, "dk", statement))
        return 0;
    json_object_put(*out);
    *out = NULL;
    return err_set(e, ERR_SYSTEM, "out of memory");
}
