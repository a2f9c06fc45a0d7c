#include "callbacks.h"

#include <string.h>

#include "common/log.h"
#include "list.h"
#include "person.h"
#include "recipient.h"
#include "reply.h"
#include "session.h"

enum {
    ACTIONS = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_CHGFROM,
    /* Not asked for, where the mail server can leave it out. */
    NOT_SENT = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NOEOH
};

/* The session, with this callback's context and queue id; NULL when negotiation made none. libmilter may run each
 * callback of a connection on another thread. */
static struct session *enter(SMFICTX *ctx)
{
    struct session *s = mta_private(ctx);

    if (s) {
        s->mta.ctx = ctx;
        log_set_id(mta_macro(&s->mta, "i"));
    }
    return s;
}

/* The message is done with unless more callbacks follow. */
static sfsistat leave(struct session *s, sfsistat result)
{
    if (result != SMFIS_CONTINUE && result != SMFIS_SKIP && result != SMFIS_NOREPLY)
        session_end(s);
    log_set_id(NULL);
    return result;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
                             unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
    struct session *s;

    (void)f2, (void)f3;
    *pf2 = *pf3 = 0;
    if ((f0 & ACTIONS) != ACTIONS) {
        log_error("the mail server does not offer all that is needed: %#lx of %#x", f0 & ACTIONS, ACTIONS);
        return SMFIS_REJECT;
    }
    if (mta_private(ctx) || !(s = session_new()))
        return SMFIS_REJECT;
    *pf0 = ACTIONS | (f0 & SMFIF_SETSYMLIST);
    *pf1 = f1 & (NOT_SENT | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_SKIP | SMFIP_HDR_LEADSPC);
    s->quiet_sender = !!(*pf1 & SMFIP_NR_MAIL);
    s->quiet_headers = !!(*pf1 & SMFIP_NR_HDR);
    s->can_skip = !!(*pf1 & SMFIP_SKIP);
    s->mta.leading_space = !!(*pf1 & SMFIP_HDR_LEADSPC);
    if (f0 & SMFIF_SETSYMLIST) {
        mta_want_macros(ctx, SMFIM_ENVFROM, "i");
        mta_want_macros(ctx, SMFIM_ENVRCPT, "i {rcpt_addr}");
        mta_want_macros(ctx, SMFIM_DATA, "i");
        mta_want_macros(ctx, SMFIM_EOM, "i");
    }
    if (mta_set_private(ctx, s) < 0) {
        session_free(&s);
        return SMFIS_REJECT;
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    struct session *s = enter(ctx);

    /* Where the mail server waits for no answer, the first recipient gets this one: there is no message to add it
     * to. */
    if (!s || session_begin(s, argv[0]) < 0)
        return s && s->quiet_sender ? SMFIS_NOREPLY : SMFIS_TEMPFAIL;
    return leave(s, s->quiet_sender ? SMFIS_NOREPLY : SMFIS_CONTINUE);
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
    struct session *s = enter(ctx);
    sfsistat result;

    if (!s || !s->msg)
        return SMFIS_TEMPFAIL;
    /* A refused recipient does not end the message. */
    result = recipient_add(s, argv[0]);
    log_set_id(NULL);
    return result;
}

static sfsistat on_data(SMFICTX *ctx)
{
    struct session *s = enter(ctx);

    if (!s || !s->msg)
        return SMFIS_TEMPFAIL;
    return leave(s, message_wants_end(s->msg) ? SMFIS_CONTINUE : SMFIS_ACCEPT);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *s = enter(ctx);

    if (!s || !s->msg)
        return SMFIS_TEMPFAIL;
    if (message_wants_text(s->msg))
        message_add_field(s->msg, name, value, s->mta.leading_space, s->conf->max_message);
    return leave(s, s->quiet_headers ? SMFIS_NOREPLY : SMFIS_CONTINUE);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
    struct session *s = enter(ctx);
    struct message *m;

    if (!s || !s->msg)
        return SMFIS_TEMPFAIL;
    m = s->msg;
    if (message_wants_text(m))
        message_add_body(m, data, len, s->conf->max_message);
    if (m->fault)
        return leave(s, reply_fault(s, m->fault));
    return leave(s, !message_wants_text(m) && s->can_skip ? SMFIS_SKIP : SMFIS_CONTINUE);
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *s = enter(ctx);
    struct message *m;

    if (!s || !s->msg)
        return SMFIS_TEMPFAIL;
    m = s->msg;
    if (!message_wants_end(m)) /* a mail server without the DATA callback */
        return leave(s, SMFIS_ACCEPT);
    if (message_wants_text(m))
        message_complete(m);
    if (m->fault)
        return leave(s, reply_fault(s, m->fault));
    return leave(s, m->route == ROUTE_LIST ? list_message(s) : person_message(s));
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct session *s = enter(ctx);

    if (s)
        session_end(s);
    log_set_id(NULL);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct session *s = enter(ctx);

    (void)mta_set_private(ctx, NULL);
    session_free(&s);
    log_set_id(NULL);
    return SMFIS_CONTINUE;
}

struct smfiDesc callbacks_describe(void)
{
    static char name[] = "recrypt-milter";
    struct smfiDesc d;

    memset(&d, 0, sizeof d);
    d.xxfi_name = name;
    d.xxfi_version = SMFI_VERSION;
    d.xxfi_flags = ACTIONS | SMFIF_SETSYMLIST;
    d.xxfi_negotiate = on_negotiate;
    d.xxfi_envfrom = on_envfrom;
    d.xxfi_envrcpt = on_envrcpt;
    d.xxfi_data = on_data;
    d.xxfi_header = on_header;
    d.xxfi_body = on_body;
    d.xxfi_eom = on_eom;
    d.xxfi_abort = on_abort;
    d.xxfi_close = on_close;
    return d;
}
