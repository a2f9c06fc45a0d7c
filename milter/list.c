#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "common/log.h"
#include "grants.h"
#include "list-header.h"
#include "reply.h"
#include "seal.h"

struct work {
    struct headers *h;
    struct mailcrypt found;
    struct jwe *sealed; /* encrypted here */
    struct expansion to;
    struct new_body body;
};

static void work_clear(struct work *w)
{
    free(w->h);
    mailcrypt_clear(&w->found);
    jwe_free(&w->sealed);
    expansion_clear(&w->to);
    new_body_clear(&w->body);
}

/* Nothing is told to the mail server before all of it is ready. */
static int change(const struct session *s, const struct work *w)
{
    const struct message *m = s->msg;
    int r;

    if ((r = new_body_send(&w->body, &s->mta)))
        return r;
    if (w->sealed)
        r = seal_header(s, w->h, buf_str(&w->body.type));
    else if (w->body.type.len)
        r = headers_set_type(w->h, &s->mta, buf_str(&w->body.type));
    if (r || (r = list_header_change(s, w->h)) || (r = mta_change_sender(&s->mta, w->to.sender)))
        return r;
    for (size_t i = 0; !r && i < m->taken_count; i++)
        r = mta_delete_recipient(&s->mta, m->taken[i].given);
    for (size_t i = 0; !r && i < w->to.recipient_count; i++)
        r = mta_add_recipient(&s->mta, w->to.recipients[i]);
    return r;
}

/* The message came encrypted. */
static sfsistat encrypted(struct session *s, struct work *w)
{
    sfsistat result = grants_add(s, w->found.jwe, &w->to);
    struct err e;

    if (result != SMFIS_CONTINUE)
        return result;
    if (w->found.kind == MAILCRYPT_WHOLE) /* found.ciphertext has all that is needed */
        buf_free(&s->msg->text);
    if (new_body_from(&w->found, &w->body, &e) < 0)
        return reply_later(s, &e);
    buf_free(&w->found.ciphertext);
    return SMFIS_CONTINUE;
}

/* It came in the clear, and the list wants it encrypted here. */
static sfsistat plain(struct session *s, struct work *w)
{
    struct buf ciphertext = BUF_INIT;
    sfsistat result;
    struct err e;
    int r;

    if (s->msg->info.plaintext != PLAINTEXT_ENCRYPT)
        return reply_use_key(s, &s->msg->info, "encrypted mail only");
    if ((r = seal_message(s, &s->msg->info, &w->sealed, &ciphertext, &e)) < 0) {
        result = err_temporary(r) ? reply_later(s, &e) : reply(s, "550", "5.6.0", "Message malformed: %s", e.text);
    } else {
        result = grants_add(s, w->sealed, &w->to);
        if (result == SMFIS_CONTINUE && new_body_build(w->sealed, &ciphertext, &w->body, &e) < 0)
            result = reply_later(s, &e);
    }
    buf_free(&ciphertext);
    return result;
}

static sfsistat prepare(struct session *s, struct work *w)
{
    struct message *m = s->msg;
    struct span header = {m->header.data, m->header.len};
    sfsistat result;
    struct err e;
    int r;

    if (m->info.max_size && m->text.len > m->info.max_size)
        return reply(s, "552", "5.3.4", "%s takes messages of at most %zu octets", m->info.account, m->info.max_size);
    if ((r = headers_list(header, &w->h, &e)) < 0)
        return r == ERR_SYSTEM ? reply_later(s, &e) : reply_fault(s, FAULT_HEADER);
    if ((result = list_header_check(s, w->h)) != SMFIS_CONTINUE)
        return result;
    r = mailcrypt_find(headers_value(w->h, "Content-Type", 1), headers_value(w->h, "Content-Transfer-Encoding", 1),
                       message_body(m), &w->found, &e);
    if (r < 0)
        return reply_content(s, &e);
    return w->found.kind == MAILCRYPT_PLAIN ? plain(s, w) : encrypted(s, w);
}

sfsistat list_message(struct session *s)
{
    struct work w = {0};
    sfsistat result = prepare(s, &w);
    struct err e;

    if (result == SMFIS_CONTINUE) {
        if (change(s, &w) < 0) {
            err_set(&e, ERR_SYSTEM, "the mail server does not take a change");
            result = reply_later(s, &e);
        } else {
            log_info("list %s: accepted%s", s->msg->info.account, w.sealed ? ", encrypted here" : "");
            result = SMFIS_ACCEPT;
        }
    }
    work_clear(&w);
    return result;
}
