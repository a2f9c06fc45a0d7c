#include <stdio.h>
#include <string.h>

#include "common/conf.h"
#include "fetch-private.h"
#include "mail.h"
#include "mark.h"
#include "stream.h"

enum outcome { PLAIN, OPENED, SHUT };

#define KEPT "encrypted "

int fetch_looks_sealed(struct span msg)
{
    static const char *const types[] = {"multipart/encrypted", "application/jose+json", "application/jose"};
    struct span header, body;
    struct mime_field field;
    struct buf type = BUF_INIT;
    int sealed = 0;

    mime_split(msg, &header, &body);
    if (mime_field_find(header, "Content-Type", &field, NULL) > 0 && mime_type(field.value, &type, NULL) == 0)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            sealed |= strcmp(buf_str(&type), types[i]) == 0;
    buf_free(&type);
    return sealed;
}

/* It is shut; the first reason of a run is what the run ends with, unless one comes that passes by itself. */
static int shut(struct fetch *f, const struct err *why, struct buf *status, struct err *e)
{
    if (f->worst.code == 0 || (why->code == ERR_RETRY && f->worst.code != ERR_RETRY))
        f->worst = *why;
    return buf_printf(status, KEPT "%s", why->text) < 0 ? err_errno(e, "out of memory") : SHUT;
}

/* Tries to open; inside and status are appended. An enum outcome, or what must stop the run. */
static int attempt(struct fetch *f, struct span msg, const struct granted_list *brought, struct buf *inside,
                   struct buf *status, struct err *e)
{
    const struct buf text = {(unsigned char *)msg.data, msg.len, msg.len, 0};
    struct protect_verdict verdict;
    struct err why;
    int r = mail_open(f->t, &text, brought, inside, &verdict, &why);

    if (r == 1)
        return buf_puts(status, "plain") < 0 ? err_errno(e, "out of memory") : PLAIN;
    if (r == 0 && verdict.status == PROTECT_BAD)
        r = err_set(&why, ERR_CRYPTO, "BAD signature: %s", verdict.why);
    else if (r == 0)
        return buf_puts(status, "opened ") < 0 || mail_verdict(&verdict, status) < 0 ? err_errno(e, "out of memory")
                                                                                     : OPENED;
    if (r == ERR_SYSTEM)
        return err_set(e, r, "%s", why.text);
    return shut(f, &why, status, e);
}

static int record(struct fetch *f, uint32_t uid, const char *digest, const char *kept, struct err *e)
{
    int r = fetch_state_add(f->state, uid, digest, kept, e);

    f->unsynced += r == 0;
    return r;
}

/* Into the Maildir, unless it was there when the run began. */
static int deliver(struct fetch *f, const char *id, struct span msg, const struct buf *status, int as_it_is,
                   struct err *e)
{
    struct buf text = BUF_INIT;
    struct span piece;
    int r;

    if (fetch_find_there(f, id))
        return 0;
    text.max = 2 * (size_t)STREAM_MESSAGE_MAX;
    if ((r = mark_message(msg, buf_str(status), as_it_is, &text, e)) == 0) {
        piece = (struct span){text.data, text.len};
        r = maildir_deliver_fresh(f->root, f->c->maildir, &maildir_private, id, &piece, 1, e);
    }
    buf_free(&text);
    return r;
}

/* The names under which a message lies in the Maildir: for good, and while it is kept as it came. */
static int ids_of(const struct fetch *f, uint32_t uid, char id[MAILDIR_ID_SIZE], char kept[MAILDIR_ID_SIZE],
                  struct err *e)
{
    const struct span none = {NULL, 0};
    char number[64];
    struct buf from = BUF_INIT;
    int r;

    snprintf(number, sizeof number, "%u %u", f->validity, uid);
    if (buf_printf(&from, "%s %s", f->c->account, f->c->mailbox) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = maildir_id("fetch", buf_str(&from), number, none, id, e)) == 0)
        r = maildir_id("fetch-kept", buf_str(&from), number, none, kept, e);
    buf_free(&from);
    return r;
}

/* Opened or plain: delivered, and what a killed run kept of it removed. */
static int finish(struct fetch *f, uint32_t uid, const char *digest, const char *id, const char *kept, struct span msg,
                  const struct buf *status, struct err *e)
{
    int r = deliver(f, id, msg, status, 0, e);

    if (r == 0 && fetch_find_there(f, kept))
        r = maildir_remove(f->c->maildir, kept, e);
    return r < 0 ? r : record(f, uid, digest, NULL, e);
}

/* A reason that is as long as it is common is told once. */
static void tell_kept(struct fetch *f, uint32_t uid, const char *why)
{
    fetch_progress_clear(&f->progress);
    if (strcmp(why, f->told) == 0) {
        tool_note("message %u stays encrypted: the same", uid);
        return;
    }
    tool_note("message %u stays encrypted: %s", uid, why);
    snprintf(f->told, sizeof f->told, "%s", why);
}

static int bring(struct fetch *f, uint32_t uid, const char *digest, struct span msg, const struct granted_list *brought,
                 struct err *e)
{
    char id[MAILDIR_ID_SIZE], kept[MAILDIR_ID_SIZE];
    struct buf inside = BUF_INIT, status = BUF_INIT;
    int r;

    inside.max = 2 * (size_t)STREAM_MESSAGE_MAX;
    if ((r = ids_of(f, uid, id, kept, e)) < 0)
        goto out;
    if (fetch_find_there(f, id)) { /* by a run that was killed before it could write so */
        r = finish(f, uid, digest, id, kept, msg, &status, e);
        goto out;
    }
    if ((r = attempt(f, msg, brought, &inside, &status, e)) < 0)
        goto out;
    if (r == SHUT) {
        tell_kept(f, uid, buf_str(&status) + strlen(KEPT));
        f->counts->kept++;
        if ((r = deliver(f, kept, msg, &status, 1, e)) == 0)
            r = record(f, uid, digest, kept, e);
    } else {
        if (r == OPENED)
            msg = (struct span){(const unsigned char *)buf_str(&inside), inside.len};
        r = finish(f, uid, digest, id, kept, msg, &status, e);
    }
    if (r == 0)
        f->counts->brought++;
out:
    buf_free(&inside);
    buf_free(&status);
    return r;
}

int fetch_new(struct fetch *f, uint32_t uid, struct span msg, const struct granted_list *brought, struct err *e)
{
    char digest[MAILDIR_ID_SIZE], kept[MAILDIR_ID_SIZE];
    int r;

    if ((r = maildir_id("", "", "", msg, digest, e)) < 0)
        return r;
    switch (fetch_state_take_old(f->state, digest, kept)) {
    case FETCH_BROUGHT:
        return record(f, uid, digest, NULL, e);
    case FETCH_KEPT:
        return record(f, uid, digest, kept, e);
    default:
        return bring(f, uid, digest, msg, brought, e);
    }
}

int fetch_kept(struct fetch *f, uint32_t uid, const char *digest, const char *kept, const struct granted_list *brought,
               struct err *e)
{
    const char *name = fetch_find_there(f, kept);
    struct buf path = BUF_INIT, msg = BUF_INIT, inside = BUF_INIT, status = BUF_INIT;
    char id[MAILDIR_ID_SIZE];
    struct span text;
    int r;

    if (!name) /* its reader took it away */
        return record(f, uid, digest, NULL, e);
    msg.max = inside.max = 2 * (size_t)STREAM_MESSAGE_MAX;
    if (buf_printf(&path, "%s/%s", f->c->maildir, name) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = file_read(buf_str(&path), msg.max, &msg, e)) == ERR_ABSENT)
        r = SHUT; /* its reader moves it just now */
    else if (r == 0)
        r = attempt(f, (struct span){msg.data, msg.len}, brought, &inside, &status, e);
    if (r == OPENED) {
        text = (struct span){(const unsigned char *)buf_str(&inside), inside.len};
        if ((r = maildir_id("fetch-opened", kept, "", (struct span){NULL, 0}, id, e)) == 0 &&
            (r = finish(f, uid, digest, id, kept, text, &status, e)) == 0)
            f->counts->opened++;
    } else if (r >= 0) {
        f->counts->waiting++;
        r = 0;
    }
    buf_free(&path);
    buf_free(&msg);
    buf_free(&inside);
    buf_free(&status);
    return r;
}
