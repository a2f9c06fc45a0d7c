#include "recipient.h"

#include <string.h>

#include "common/log.h"
#include "common/udf.h"
#include "reply.h"

enum { ASKED_MAX = 2 * ADDRESS_SIZE };

/* Brackets and a source route off; every other way of writing an address is recryptd's to know. 0 for what no address
 * of ours can look like. */
static int bare(const char *given, char out[ASKED_MAX])
{
    size_t n = strlen(given);
    const char *colon;

    if (n > 1 && *given == '<' && given[n - 1] == '>') {
        given++;
        n -= 2;
    }
    if (n && *given == '@' && (colon = memchr(given, ':', n))) {
        n -= (size_t)(colon + 1 - given);
        given = colon + 1;
    }
    if (!n || n >= ASKED_MAX)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)given[i] < 0x20 || (unsigned char)given[i] > 0x7e)
            return 0;
    memcpy(out, given, n);
    out[n] = 0;
    return 1;
}

/* The mail server may rewrite what the client said ("list%example.com@here") before it delivers: it tells as what. */
static int lookup(struct session *s, const char *given, struct address_info *info, struct err *e)
{
    char asked[ASKED_MAX] = "", other[ASKED_MAX];
    const char *rewritten = mta_macro(&s->mta, "{rcpt_addr}");
    int r = 0;

    memset(info, 0, sizeof *info);
    info->kind = ADDRESS_NONE;
    if (bare(given, asked))
        r = rclient_resolve(s->client, asked, info, e);
    if (r || info->kind != ADDRESS_NONE || !rewritten || !bare(rewritten, other) || !strcmp(asked, other))
        return r;
    return rclient_resolve(s->client, other, info, e);
}

static enum route person_route(const struct address_info *info)
{
    switch (info->plaintext) {
    case PLAINTEXT_PASS:
        return ROUTE_PASS;
    case PLAINTEXT_REJECT:
        return ROUTE_REFUSE;
    default:
        return ROUTE_SEAL;
    }
}

/* The owner's address gets the message, and her own rule for plaintext. */
static int owner_route(struct session *s, struct address_info *info, enum route *route, struct err *e)
{
    char owner[ADDRESS_SIZE];
    int r;

    strcpy(owner, info->owner);
    if ((r = rclient_resolve(s->client, owner, info, e)) < 0)
        return r;
    if (info->kind != ADDRESS_PERSON && info->kind != ADDRESS_NONE)
        return err_set(e, ERR_RETRY, "a list's owner is no person");
    *route = info->kind == ADDRESS_PERSON ? person_route(info) : ROUTE_PASS;
    return 0;
}

/* Can a recipient of this route be delivered the same body as those before it? */
static int fits(const struct message *m, enum route route, const struct address_info *info)
{
    if (m->route == ROUTE_NEW)
        return 1;
    if (m->route != route)
        return 0;
    return (route != ROUTE_LIST && route != ROUTE_SEAL) || !strcmp(m->info.account, info->account);
}

static sfsistat separately(const struct session *s, enum route route)
{
    if (s->msg->route == ROUTE_LIST || route == ROUTE_LIST)
        return reply(s, "452", "4.5.3", "One list per transaction, send to the others separately");
    return reply(s, "452", "4.5.3", "Recipients who need different encryption, send to this one separately");
}

sfsistat recipient_add(struct session *s, const char *given)
{
    struct message *m = s->msg;
    struct address_info info;
    enum route route = ROUTE_PASS;
    char owner[ADDRESS_SIZE] = "";
    struct err e = {0};
    int r;

    if ((r = lookup(s, given, &info, &e)) < 0)
        return reply_later(s, &e);
    if (info.kind == ADDRESS_RESERVED || info.kind == ADDRESS_ARCHIVE || info.kind == ADDRESS_FANOUT)
        return reply(s, "550", "5.1.1", "No such address");
    if (info.kind == ADDRESS_LIST)
        route = ROUTE_LIST;
    if (info.kind == ADDRESS_PERSON)
        route = person_route(&info);
    if (info.kind == ADDRESS_OWNER) {
        strcpy(owner, info.owner);
        if ((r = owner_route(s, &info, &route, &e)) < 0)
            return reply_later(s, &e);
    }
    if (!fits(m, route, &info))
        return separately(s, route);
    if (route == ROUTE_LIST || owner[0])
        r = message_take(m, given, owner[0] ? owner : NULL);
    if (r == ERR_LIMIT)
        return reply(s, "452", "4.5.3", "Too many recipients");
    if (r < 0) {
        err_set(&e, r, "out of memory");
        return reply_later(s, &e);
    }
    if (m->route == ROUTE_NEW) {
        m->route = route;
        m->info = info;
    }
    return SMFIS_CONTINUE;
}
