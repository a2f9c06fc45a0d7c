#include "deliver.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/maildir.h"
#include "common/rclient.h"
#include "fanout.h"
#include "grants.h"
#include "message.h"
#include "remote.h"
#include "seal.h"
#include "template.h"

enum { PIECES = 2 }; /* fields of ours, the message */

/* One delivery on its way. */
struct delivery {
    const struct settings *s;
    struct frame_client *c;
    const struct envelope *env;
    struct span msg;             /* as it came, less a "From " line */
    char recipient[ADDRESS_SIZE]; /* canonical, as given */
    char mailbox[ADDRESS_SIZE];   /* whose mailbox: without extension; a list's owner */
    const struct address_info *person; /* whose mail it is; NULL = nobody's whom recryptd knows */
    const char *next;             /* whom the next server is told: recipient, or a list's owner */
    struct buf rewritten, fields;
    struct span pieces[PIECES];
    size_t count;
    char where[16];
    struct verdict *v;
    struct err e;
};

/* Fails with what the verdict says already; the log gets the text. */
static int stop(struct delivery *d, int status, const char *enhanced, const char *text, const char *why)
{
    verdict_set(d->v, status, enhanced, text);
    return err_set(&d->e, ERR_DENIED, "%s", why);
}

/* A message that comes in the clear by a way past recrypt-milter. */
static int seal(struct delivery *d, enum grants_mode mode)
{
    struct buf granted = BUF_INIT;
    enum grants_kind kind;
    int r = seal_message(d->c, d->person, d->msg, &d->rewritten, &d->e);

    if (r == 0)
        r = grants_apply(d->c, d->person->account, mode, (struct span){d->rewritten.data, d->rewritten.len}, &kind,
                         &granted, &d->e);
    if (r == 0 && granted.len) {
        buf_free(&d->rewritten);
        d->rewritten = granted;
    }
    if (r == 0)
        log_info("came in the clear by a way past recrypt-milter: encrypted here");
    return r;
}

static int prepare(struct delivery *d, const char *account)
{
    /* Whoever is elsewhere may not be able to ask for one: she keeps what is hers. */
    enum grants_mode mode = d->person ? d->s->grants : GRANTS_EMBED;
    enum grants_kind kind;
    int r = grants_apply(d->c, account, mode, d->msg, &kind, &d->rewritten, &d->e);

    if (r < 0)
        return r;
    if (!account && kind != GRANTS_ENCRYPTED)
        return stop(d, EX_TEMPFAIL, "4.7.1", "cannot deliver now, try again later",
                    "a message to an archive is not encrypted: recrypt-milter was bypassed");
    if (d->person && d->person->plaintext == PLAINTEXT_REJECT && kind != GRANTS_ENCRYPTED)
        return stop(d, EX_TEMPFAIL, "4.7.1", "cannot deliver now, try again later",
                    "the recipient takes encrypted mail only: recrypt-milter was bypassed, the message waits");
    if (d->person && d->person->plaintext == PLAINTEXT_ENCRYPT && kind != GRANTS_ENCRYPTED) {
        if ((r = seal(d, mode)) < 0)
            return r;
    } else if (kind == GRANTS_BROKEN)
        log_info("claims to be encrypted and is not well formed (%s): delivered as it is", d->e.text);
    d->pieces[0] = d->rewritten.len ? (struct span){d->rewritten.data, d->rewritten.len} : d->msg;
    d->count = 1;
    return 0;
}

/* A member's copy of a large list's message has a mark: sent again after a crash, it has another queue id and the same
 * mark. The body counts as well, so that a mark that somebody repeats loses no other message. 1 = id is set, 0 = no
 * mark. */
static int copy_id(struct delivery *d, char id[MAILDIR_ID_SIZE])
{
    struct span header, body;
    struct mime_field field;
    struct buf mark = BUF_INIT;
    int r;

    mime_split(d->msg, &header, &body);
    if (mime_field_find(header, FANOUT_COPY_FIELD, &field, NULL) != 1)
        return 0;
    r = mime_unfold(field.value, &mark, &d->e);
    if (r == 0 && mark.len)
        r = maildir_id(buf_str(&mark), d->recipient, "", body, id, &d->e);
    else if (r == 0 || r == ERR_SYNTAX)
        r = 1;
    buf_free(&mark);
    return r < 0 ? r : !r;
}

/* An id marks a delivery that may be tried again: one that has a queue id, or a Received field, which has one
 * inside. */
static int delivery_id(struct delivery *d, char id[MAILDIR_ID_SIZE], const char **out)
{
    int r;

    *out = NULL;
    r = copy_id(d, id);
    if (r) {
        *out = id;
        return r < 0 ? r : 0;
    }
    if (!*d->env->queue_id && !message_has_field(d->msg, "Received"))
        return 0;
    *out = id;
    return maildir_id(d->env->queue_id, d->recipient, d->env->original, d->msg, id, &d->e);
}

static int add_fields(struct delivery *d)
{
    int r;

    if (d->s->fields == FIELDS_NEVER || (d->s->fields == FIELDS_LMTP && !d->env->lmtp))
        return 0;
    if ((r = message_delivery_fields(d->msg, d->env->sender, d->recipient, &d->fields, &d->e)) < 0)
        return r;
    d->pieces[1] = d->pieces[0];
    d->pieces[0] = (struct span){d->fields.data, d->fields.len};
    d->count = 2;
    return 0;
}

/* Path and root of the Maildir for an address: below mail_root, or in the home of whoever we are. */
static int mailbox_path(struct delivery *d, const char *template, const char *address, struct buf *path,
                        const char **root)
{
    const struct passwd *pw = NULL;

    *root = d->s->mail_root;
    if (template[0] == '%' && template[1] == 'h') {
        if (!(pw = getpwuid(geteuid())) || !pw->pw_dir)
            return err_set(&d->e, ERR_SYSTEM, "no home directory for uid %ld", (long)geteuid());
        *root = pw->pw_dir;
    } else if (buf_printf(path, "%s/", d->s->mail_root) < 0) {
        return err_set(&d->e, ERR_SYSTEM, "out of memory");
    }
    return template_expand(template, address, strlen(address), *root, path, &d->e);
}

static int into_maildir(struct delivery *d, const char *template, const char *address,
                        const struct maildir_modes *modes)
{
    struct buf path = BUF_INIT;
    char idtext[MAILDIR_ID_SIZE];
    const char *root, *id;
    int r, again;

    if ((r = mailbox_path(d, template, address, &path, &root)) == 0 && (r = delivery_id(d, idtext, &id)) == 0)
        r = maildir_deliver(root, buf_str(&path), modes, id, d->pieces, d->count, &again, &d->e);
    if (r == 0)
        snprintf(d->where, sizeof d->where, "%s", again ? "maildir, again" : "maildir");
    buf_free(&path);
    return r;
}

static int to_remote(struct delivery *d, const struct route *route)
{
    int code, r;

    d->pieces[0] = message_without_delivery_fields(d->pieces[0]);
    r = remote_deliver(route, d->s->timeout, d->env->sender, d->next, d->pieces, d->count, &code, &d->e);

    if (r == ERR_DENIED) {
        char text[64];

        snprintf(text, sizeof text, "the next server refused the message (%d)", code);
        verdict_set(d->v, EX_UNAVAILABLE, "5.0.0", text);
    }
    snprintf(d->where, sizeof d->where, "%s", route->kind == ROUTE_LMTP ? "lmtp" : "smtp");
    return r;
}

/* An archive is a Maildir wherever members' mail goes. */
static int to_archive(struct delivery *d, const struct address_info *info)
{
    int r = prepare(d, NULL);

    return r < 0 ? r : into_maildir(d, d->s->archive_maildir, info->account, &d->s->archive);
}

static int to_mailbox(struct delivery *d, const char *account)
{
    const struct route *route = settings_route(d->s, address_domain(d->mailbox));
    int r;

    /* An owner elsewhere: only where the table says so, or her mail would end in a mailbox here that nobody reads. */
    if (strcmp(address_domain(d->mailbox), address_domain(d->recipient)) != 0 &&
        !settings_knows(d->s, address_domain(d->mailbox)))
        return stop(d, EX_TEMPFAIL, "4.3.5", "cannot deliver now, try again later",
                    "the list's owner is in another domain: name it in a domain section");
    if ((r = prepare(d, account)) < 0)
        return r;
    if (route->kind != ROUTE_MAILDIR)
        return to_remote(d, route);
    if ((r = add_fields(d)) < 0)
        return r;
    return into_maildir(d, d->s->maildir, d->mailbox, &maildir_private);
}

/* What is she? An extension that recryptd gives no meaning is cut off, so that "list+anything" is the list. */
static int resolve(struct delivery *d, struct address_info *info)
{
    int r = rclient_resolve(d->c, d->recipient, info, &d->e);

    if (r == 0 && info->kind == ADDRESS_NONE && strcmp(d->recipient, d->mailbox) != 0)
        r = rclient_resolve(d->c, d->mailbox, info, &d->e);
    if (r < 0)
        r = d->e.code = ERR_RETRY;
    return r;
}

static int to_person(struct delivery *d, const struct address_info *info)
{
    snprintf(d->mailbox, sizeof d->mailbox, "%s", info->account);
    d->person = info;
    return to_mailbox(d, d->mailbox);
}

/* recrypt-milter puts the owner in place of such an address; what passed it by still goes to her, on her own terms. */
static int to_owner(struct delivery *d, const struct address_info *list)
{
    struct address_info owner;

    snprintf(d->mailbox, sizeof d->mailbox, "%s", list->owner);
    d->next = d->mailbox;
    if (rclient_resolve(d->c, d->mailbox, &owner, &d->e) < 0)
        return d->e.code = ERR_RETRY;
    return owner.kind == ADDRESS_PERSON ? to_person(d, &owner) : to_mailbox(d, d->mailbox);
}

static int dispatch(struct delivery *d)
{
    struct address_info info;
    const char *ext;
    size_t ext_len;
    int r;

    if ((r = address_canonical(d->env->recipient, strlen(d->env->recipient), d->recipient, &d->e)) < 0)
        return r == ERR_LIMIT ? err_set(&d->e, ERR_SYNTAX, "the address is too long") : r;
    address_split(d->recipient, d->mailbox, &ext, &ext_len);
    d->next = d->recipient;
    if ((r = resolve(d, &info)) < 0)
        return r;
    switch (info.kind) {
    case ADDRESS_NONE:
        return to_mailbox(d, d->mailbox);
    case ADDRESS_PERSON:
        return to_person(d, &info);
    case ADDRESS_OWNER:
        return to_owner(d, &info);
    case ADDRESS_ARCHIVE:
        return to_archive(d, &info);
    case ADDRESS_RESERVED:
        return stop(d, EX_NOUSER, "5.1.1", "no such user", "an archive address that is none");
    case ADDRESS_FANOUT:
        return stop(d, EX_TEMPFAIL, "4.3.5", "cannot deliver now, try again later",
                    "a large list's message: it needs a transport of its own, with recrypt-lda --fanout");
    case ADDRESS_LIST:
        return stop(d, EX_TEMPFAIL, "4.7.1", "cannot deliver now, try again later",
                    "the recipient is a list: recrypt-milter was bypassed, the message waits");
    }
    return err_set(&d->e, ERR_RETRY, "an unknown kind of address");
}

void deliver_message(const struct settings *s, struct frame_client *c, const struct envelope *env, struct span msg,
                     struct verdict *out)
{
    struct delivery d = {.s = s, .c = c, .env = env, .v = out, .rewritten = BUF_INIT, .fields = BUF_INIT};
    int r;

    verdict_set(out, EX_TEMPFAIL, "", "");
    d.msg = message_without_from_line(msg);
    r = dispatch(&d);
    if (r == 0) {
        verdict_set(out, EX_OK, "2.0.0", "delivered");
        log_info("to=<%s>, delivered (%s)", d.recipient, d.where);
    } else {
        if (!out->enhanced[0])
            verdict_error(out, &d.e);
        log_warn("to=<%s>, %s (%s): %s", env->recipient, out->status == EX_TEMPFAIL ? "deferred" : "refused",
                 out->enhanced, d.e.text);
    }
    buf_free(&d.rewritten);
    buf_free(&d.fields);
}
