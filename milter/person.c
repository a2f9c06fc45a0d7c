#include "person.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "common/log.h"
#include "reply.h"
#include "seal.h"

/* Is it one of our encrypted messages, whole and well formed? 1, 0, or ERR_SYSTEM. What only looks like one is
 * plaintext. */
static int is_encrypted(const struct message *m, const struct headers *h)
{
    struct mailcrypt found = {0};
    struct err e;
    int r;

    if (headers_count(h, "Content-Type") > 1 || headers_count(h, "Content-Transfer-Encoding") > 1)
        return 0;
    r = mailcrypt_find(headers_value(h, "Content-Type", 1), headers_value(h, "Content-Transfer-Encoding", 1),
                       message_body(m), &found, &e);
    if (!r)
        r = found.kind != MAILCRYPT_PLAIN;
    else if (!err_temporary(r))
        r = 0;
    mailcrypt_clear(&found);
    return r;
}

/* List addresses that stand for the owner. */
static int redirect(const struct session *s)
{
    int r = 0;

    for (size_t i = 0; !r && i < s->msg->taken_count; i++)
        if (!(r = mta_delete_recipient(&s->mta, s->msg->taken[i].given)))
            r = mta_add_recipient(&s->mta, s->msg->taken[i].owner);
    return r;
}

static sfsistat changed(const struct session *s, int r)
{
    struct err e;

    if (!r)
        return SMFIS_ACCEPT;
    err_set(&e, ERR_SYSTEM, "the mail server does not take a change");
    return reply_later(s, &e);
}

static sfsistat seal(struct session *s, const struct headers *h)
{
    struct buf ciphertext = BUF_INIT;
    struct new_body body = {0};
    struct jwe *jwe = NULL;
    sfsistat result;
    struct err e;
    int r;

    if ((r = seal_message(s, &s->msg->info, &jwe, &ciphertext, &e)) < 0) {
        result = err_temporary(r) ? reply_later(s, &e) : reply(s, "550", "5.6.0", "Message malformed: %s", e.text);
        goto out;
    }
    r = new_body_build(jwe, &ciphertext, &body, &e);
    buf_free(&ciphertext);
    if (r < 0) {
        result = reply_later(s, &e);
        goto out;
    }
    if (!(r = new_body_send(&body, &s->mta)) && !(r = seal_header(s, h, buf_str(&body.type))))
        r = redirect(s);
    result = changed(s, r);
    if (result == SMFIS_ACCEPT)
        log_info("%s: encrypted here", s->msg->info.account);
out:
    buf_free(&ciphertext);
    new_body_clear(&body);
    jwe_free(&jwe);
    return result;
}

sfsistat person_message(struct session *s)
{
    struct message *m = s->msg;
    struct span header = {m->header.data, m->header.len};
    struct headers *h = NULL;
    sfsistat result;
    struct err e;
    int r;

    if (m->route == ROUTE_PASS)
        return changed(s, redirect(s));
    if (m->info.max_size && m->text.len > m->info.max_size)
        return reply(s, "552", "5.3.4", "%s takes messages of at most %zu octets", m->info.account, m->info.max_size);
    if ((r = headers_list(header, &h, &e)) < 0)
        return r == ERR_SYSTEM ? reply_later(s, &e) : reply_fault(s, FAULT_HEADER);
    if ((r = is_encrypted(m, h)) < 0) {
        err_set(&e, r, "out of memory");
        result = reply_later(s, &e);
    } else if (r) {
        result = changed(s, redirect(s));
    } else if (m->route == ROUTE_SEAL) {
        result = seal(s, h);
    } else {
        result = reply_use_key(s, &m->info, "encrypted mail only");
    }
    free(h);
    return result;
}
