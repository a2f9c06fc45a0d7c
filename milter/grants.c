#include "grants.h"

#include <string.h>

#include "common/log.h"
#include "reply.h"

/* The key id that recipient i names when it is one of this list's, else NULL. apv counts where a foreign writer left
 * kid out. */
static const char *key_of_list(const struct jwe_recipient *rcpt, const char *account)
{
    char address[ADDRESS_SIZE], udf[64];
    const char *keyid = rcpt->kid ? rcpt->kid : rcpt->apv;

    if (!keyid || keyid_parse(keyid, address, udf, NULL) < 0 || strcmp(address, account))
        return NULL;
    return keyid;
}

/* What the recipients of one JWE came to. */
struct tally {
    size_t granted, retired;
    char current[KEYID_SIZE];
};

static int grant_one(const struct session *s, struct jwe *j, size_t i, struct tally *t, struct expansion *out,
                     struct err *e)
{
    const char *account = s->msg->info.account, *keyid;
    struct jwe_recipient rcpt;
    struct expansion x = {0};
    int r;

    if ((r = jwe_recipient(j, i, &rcpt, e)) < 0 || !(keyid = key_of_list(&rcpt, account)))
        return r;
    r = rclient_expand(s->client, keyid, rcpt.suite, rcpt.epk, rcpt.epk_len, &x, e);
    if (r == ERR_ABSENT) /* the list's name with a key that was never its */
        return 0;
    if (r == ERR_SYNTAX) /* recryptd's word for an ephemeral key that it does not use */
        return e->code = ERR_KEY;
    if (r < 0)
        return r;
    if (x.state == KEY_RETIRED) {
        t->retired++;
        memcpy(t->current, x.current, sizeof t->current);
    } else if (strcmp(x.account, account)) {
        r = err_set(e, ERR_RETRY, "recryptd answers for another list");
    } else if (!(r = jwe_set_grants(j, i, x.grants, x.grant_count, e))) {
        t->granted++;
        expansion_clear(out);
        *out = x;
        memset(&x, 0, sizeof x);
    }
    expansion_clear(&x);
    return r;
}

/* Is there a grant, and somebody to have it? */
static sfsistat judge(const struct session *s, const struct tally *t, const struct expansion *x)
{
    struct address_info info = s->msg->info;

    if (!t->granted && t->retired) {
        memcpy(info.keyid, t->current, sizeof info.keyid);
        return reply_use_key(s, &info, "the key you encrypted to was retired");
    }
    if (!t->granted)
        return reply_use_key(s, &info, "your message is not encrypted to a key of this list");
    if (!x->recipient_count)
        return reply_nobody(s, info.account);
    return SMFIS_CONTINUE;
}

sfsistat grants_add(const struct session *s, struct jwe *j, struct expansion *out)
{
    struct tally t = {0};
    struct err e = {0};
    sfsistat result;
    int r = 0;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; !r && i < jwe_recipients(j); i++)
        r = jwe_set_grants(j, i, NULL, 0, &e);
    if (r < 0) {
        err_set(&e, ERR_SYSTEM, "grants could not be stripped");
        return reply_later(s, &e);
    }
    for (size_t i = 0; !r && i < jwe_recipients(j); i++)
        r = grant_one(s, j, i, &t, out, &e);
    if (r == ERR_KEY)
        result = reply(s, "550", "5.7.1", "Ephemeral key in the encrypted message refused: %s", e.text);
    else if (r < 0)
        result = reply_later(s, &e);
    else
        result = judge(s, &t, out);
    if (result != SMFIS_CONTINUE)
        expansion_clear(out);
    return result;
}
