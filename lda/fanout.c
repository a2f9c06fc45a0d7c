#include "fanout.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "common/lines.h"
#include "common/log.h"
#include "common/mailcrypt.h"
#include "common/maildir.h"
#include "common/rclient.h"
#include "deliver.h"
#include "inject.h"
#include "message.h"
#include "smtp.h"

/* So many members deferred one after the other: it is the server, not they. */
enum { DEFERRED_IN_A_ROW = 100, PIECES = 4, PAUSE_MS = 100 };

struct fanout {
    const struct settings *s;
    struct frame_client *c;
    const struct envelope *env;
    char list[ADDRESS_SIZE];
    char recipient[ADDRESS_SIZE];
    char job[MAILDIR_ID_SIZE];
    struct buf text;         /* the message with CRLF */
    struct mailcrypt m;      /* into text */
    struct jwe_recipient to; /* of m.jwe: the one that grants are for */
    size_t to_index;
    struct buf head, part1, tail; /* as they go over the wire: around part 1, which is each member's own */
    struct inject *smtp;
    int64_t done[SETTINGS_BATCH_MAX], refused[SETTINGS_BATCH_MAX]; /* not recorded yet */
    size_t done_count, refused_count;
    int64_t serial;
    size_t taken, deferred, in_a_row;
    struct err e;
};

/* ---- the message ---- */

/* Fields that an earlier delivery agent or list put on, and that would tell a member the address this is run for. */
static int left_out(const struct fanout *f, const struct mime_field *field)
{
    struct buf value = BUF_INIT;
    int out;

    if (mime_field_is(field, FANOUT_COPY_FIELD) || mime_field_is(field, "Return-Path"))
        return 1;
    if (!mime_field_is(field, "Delivered-To") && !mime_field_is(field, "X-Original-To"))
        return 0;
    /* What cannot be read might be hers. */
    out = mime_unfold(field->value, &value, NULL) < 0 || strcasecmp(buf_str(&value), f->recipient) == 0;
    buf_free(&value);
    return out;
}

static int build_frame(struct fanout *f, struct span header)
{
    const unsigned char *rest = header.data + header.len, *end = f->text.data + f->text.len;
    const unsigned char *after = f->m.part1.data + f->m.part1.len;
    struct mime_field field;
    size_t at = 0;
    int r, start = 1;

    while ((r = mime_field_next(header, &at, &field, &f->e)) == 1)
        if (!left_out(f, &field) && smtp_stuff(field.whole, &start, &f->head) < 0)
            return err_set(&f->e, ERR_SYSTEM, "out of memory");
    if (r < 0)
        return r;
    if (smtp_stuff((struct span){rest, (size_t)(f->m.part1.data - rest)}, &start, &f->head) < 0)
        return err_set(&f->e, ERR_SYSTEM, "out of memory");
    start = 0;
    if (smtp_stuff((struct span){after, (size_t)(end - after)}, &start, &f->tail) < 0)
        return err_set(&f->e, ERR_SYSTEM, "out of memory");
    return 0;
}

/* The recipients' grants come off: each copy gets its own. */
static int read_message(struct fanout *f, struct span msg)
{
    struct span header, body;
    int r;

    if ((r = lines_to_crlf(message_without_from_line(msg), &f->text, &f->e)) < 0 ||
        (r = mailcrypt_find_message((struct span){f->text.data, f->text.len}, &header, &body, &f->m, &f->e)) < 0)
        return r;
    if (f->m.kind != MAILCRYPT_TWO_PART)
        return err_set(&f->e, ERR_RETRY, "the message is not encrypted: recrypt-milter was bypassed");
    for (size_t i = 0; i < jwe_recipients(f->m.jwe); i++)
        if ((r = jwe_set_grants(f->m.jwe, i, NULL, 0, &f->e)) < 0)
            return r;
    return build_frame(f, header);
}

/* ---- recryptd ---- */

/* recryptd may be started anew at any time. All that is asked of it may be repeated, so it gets as long as it would for
 * one slow answer; and as long as the mail server where giving up would mean copies sent and not recorded, which go out
 * twice. */
static int again(const struct fanout *f, int64_t began)
{
    const int sent = f->done_count || f->refused_count;
    const struct timespec pause = {0, PAUSE_MS * 1000000L};

    if (time(NULL) - began >= (int64_t)f->s->timeout * (sent ? SMTP_PATIENCE : 1))
        return 0;
    nanosleep(&pause, NULL);
    return 1;
}

static int begin_one(struct fanout *f, size_t i, struct fanout_result *out)
{
    char address[ADDRESS_SIZE], udf[64];
    int64_t began = time(NULL);
    const char *keyid;
    int r;

    if (jwe_recipient(f->m.jwe, i, &f->to, &f->e) < 0)
        return ERR_ABSENT;
    /* apv counts where a foreign writer left kid out. */
    keyid = f->to.kid ? f->to.kid : f->to.apv;
    if (!keyid || keyid_parse(keyid, address, udf, NULL) < 0 || strcmp(address, f->list) != 0)
        return ERR_ABSENT;
    do
        r = rclient_fanout_begin(f->c, f->list, keyid, f->job, out, &f->e);
    while (r == ERR_RETRY && again(f, began));
    f->to_index = i;
    return r;
}

static int begin(struct fanout *f, struct fanout_result *out)
{
    int r = ERR_ABSENT;

    for (size_t i = 0; r == ERR_ABSENT && i < jwe_recipients(f->m.jwe); i++)
        r = begin_one(f, i, out);
    return r == ERR_ABSENT ? err_set(&f->e, ERR_RETRY, "the message is not encrypted to a key of %s", f->list) : r;
}

static int next_page(struct fanout *f, int64_t from, struct fanout_page *out)
{
    int64_t began = time(NULL);
    int r;

    do
        r = rclient_fanout_next(f->c, f->job, f->to.suite, f->to.epk, f->to.epk_len, from, out, &f->e);
    while (r == ERR_RETRY && again(f, began));
    return r;
}

/* From here on these are not sent again. With none it tells whether somebody was removed. */
static int record(struct fanout *f)
{
    int64_t began = time(NULL);
    int r;

    do
        r = rclient_fanout_done(f->c, f->job, f->done, f->done_count, f->refused, f->refused_count, &f->serial, &f->e);
    while (r == ERR_RETRY && again(f, began));
    if (r == 0)
        f->done_count = f->refused_count = 0;
    return r;
}

/* ---- copies ---- */

static struct inject_envelope envelope_of(const struct fanout_member *m)
{
    return (struct inject_envelope){m->sender, m->account};
}

/* Part 1 with her grant and nobody else's. */
static int write_part1(struct fanout *f, const struct fanout_member *m)
{
    struct buf plain = BUF_INIT;
    int r, start = 1;

    buf_reset(&f->part1);
    if ((r = jwe_set_grants(f->m.jwe, f->to_index, &m->grant, 1, &f->e)) == 0 &&
        (r = mailcrypt_part1(&f->m, &plain, &f->e)) == 0 &&
        smtp_stuff((struct span){plain.data, plain.len}, &start, &f->part1) < 0)
        r = err_set(&f->e, ERR_SYSTEM, "out of memory");
    buf_free(&plain);
    return r;
}

static int send_copy(struct fanout *f, const struct fanout_member *m, const struct fanout_member *next)
{
    struct inject_envelope env = envelope_of(m), ahead = {NULL, NULL};
    char field[64];
    int n = snprintf(field, sizeof field, FANOUT_COPY_FIELD ": %s\r\n", m->copy);
    enum inject_outcome outcome;
    struct smtp_reply reply;
    int r;

    if (next)
        ahead = envelope_of(next);
    if (!f->smtp && (r = inject_open(f->s->fanout_server, f->s->timeout, &f->smtp, &f->e)) < 0)
        return r;
    if ((r = write_part1(f, m)) < 0) /* the message's fault or ours, and no member's */
        return r;
    r = inject_copy(f->smtp, &env, (const struct span[PIECES]){{(const unsigned char *)field, (size_t)n},
                                                               {f->head.data, f->head.len},
                                                               {f->part1.data, f->part1.len},
                                                               {f->tail.data, f->tail.len}},
                    PIECES, next ? &ahead : NULL, &outcome, &reply, &f->e);
    if (r < 0 && r != ERR_SYNTAX)
        return r;
    if (r == ERR_SYNTAX) /* her address */
        outcome = INJECT_REFUSED;
    if (outcome == INJECT_TAKEN)
        f->done[f->done_count++] = m->index;
    else if (outcome == INJECT_REFUSED)
        f->refused[f->refused_count++] = m->index;
    else
        f->deferred++;
    f->taken += outcome == INJECT_TAKEN;
    f->in_a_row = outcome == INJECT_DEFERRED ? f->in_a_row + 1 : 0;
    if (outcome != INJECT_TAKEN)
        log_warn("to=<%s>, copy %s: %d %s", m->account, outcome == INJECT_REFUSED ? "refused" : "deferred", reply.code,
                 reply.text);
    return 0;
}

/* Members removed meanwhile must not get the rest of a page that was made before. An envelope sent ahead can only be
 * taken back by hanging up. */
static void hang_up(struct fanout *f)
{
    if (f->smtp && inject_ahead(f->smtp))
        inject_close(&f->smtp);
}

static int send_page(struct fanout *f, const struct fanout_page *p, int64_t *from)
{
    int r;

    f->serial = p->serial;
    for (size_t i = 0; i < p->count; i++) {
        const struct fanout_member *next = i + 1 < p->count ? &p->list[i + 1] : NULL;

        if ((r = send_copy(f, &p->list[i], next)) < 0)
            return r;
        /* Being put off takes its time: minutes, from a server that hangs. */
        if ((f->in_a_row || f->done_count + f->refused_count >= f->s->fanout_batch) && (r = record(f)) < 0)
            return r;
        if (f->in_a_row >= DEFERRED_IN_A_ROW)
            return err_set(&f->e, ERR_RETRY, "re-injection: the server takes nothing at present");
        if (next && f->serial != p->serial) {
            hang_up(f);
            *from = next->index;
            return 0;
        }
    }
    *from = p->next;
    return 0;
}

static int send_all(struct fanout *f)
{
    struct fanout_page page;
    int64_t from = 0;
    struct err why;
    int r = 0;

    while (r == 0 && from >= 0) {
        if ((r = next_page(f, from, &page)) < 0)
            break;
        r = send_page(f, &page, &from);
        fanout_page_clear(&page);
    }
    /* What was taken is recorded however the run ends. */
    why = f->e;
    if ((f->done_count || f->refused_count) && record(f) < 0 && r == 0)
        return f->e.code;
    f->e = why;
    return r;
}

/* ---- the end ---- */

static void conclude(const struct fanout *f, const struct fanout_result *res, struct verdict *out, struct buf *said)
{
    if (!res->ended) {
        verdict_set(out, EX_TEMPFAIL, "4.2.0", "not all members could be sent a copy yet");
        buf_printf(said, "4.2.0 %zu of %zu copies of this message are still to be sent", res->waiting, res->total);
    } else if (res->refused) {
        verdict_set(out, EX_UNAVAILABLE, "5.1.1", "some members' addresses were refused");
        buf_printf(said,
                   "5.1.1 %zu of %zu copies of this message were refused by the mail server, all others were sent."
                   " Refused:",
                   res->refused, res->total);
        for (size_t i = 0; i < res->name_count; i++)
            buf_printf(said, "%s %s", i ? "," : "", res->names[i]);
        if (res->name_count < res->refused)
            buf_printf(said, " and %zu more", res->refused - res->name_count);
    } else {
        verdict_set(out, EX_OK, "2.0.0", "delivered");
    }
    log_info("list %s, job %s: %zu of %zu members have a copy (%zu by this run), %zu refused, %zu wait", f->list,
             f->job, res->done, res->total, f->taken, res->refused, res->waiting);
}

/* 1 = it is somebody else's address. */
static int find_list(struct fanout *f)
{
    struct address_info info;
    int r;

    if (address_canonical(f->env->recipient, strlen(f->env->recipient), f->recipient, &f->e) < 0)
        return 1;
    if ((r = rclient_resolve(f->c, f->recipient, &info, &f->e)) < 0)
        return r;
    memcpy(f->list, info.account, sizeof f->list);
    return info.kind != ADDRESS_FANOUT;
}

/* recrypt-milter puts the list's bounce address in the sender's place. Whoever could name herself there, at the port
 * without milters, would be told by the bounce how many members there are, and some of their names. */
static int check_sender(struct fanout *f)
{
    struct address_info info;
    char sender[ADDRESS_SIZE];
    int r;

    if (address_canonical(f->env->sender, strlen(f->env->sender), sender, &f->e) == 0) {
        if ((r = rclient_resolve(f->c, sender, &info, &f->e)) < 0)
            return r;
        if (info.kind == ADDRESS_OWNER && strcmp(info.account, f->list) == 0)
            return 0;
    }
    return err_set(&f->e, ERR_RETRY,
                   "the sender is not the list's bounce address: recrypt-milter was bypassed, the message waits");
}

/* 1 = not for us. */
static int run(struct fanout *f, struct span msg, struct fanout_result *res)
{
    int r;

    if ((r = find_list(f)) != 0 || (r = check_sender(f)) < 0 || (r = read_message(f, msg)) < 0 ||
        (r = maildir_id(f->env->queue_id, f->recipient, "", msg, f->job, &f->e)) < 0 || (r = begin(f, res)) < 0)
        return r;
    if (res->ended)
        return 0;
    if ((r = send_all(f)) < 0)
        return r;
    fanout_result_clear(res);
    return rclient_fanout_end(f->c, f->job, res, &f->e);
}

void fanout_message(const struct settings *s, struct frame_client *c, const struct envelope *env, struct span msg,
                    struct verdict *out, struct buf *said)
{
    struct fanout f = {.s = s, .c = c, .env = env};
    struct fanout_result res = {0};
    int r = run(&f, msg, &res);

    if (r == 0) {
        conclude(&f, &res, out, said);
    } else if (r > 0) {
        /* The mail server knows these addresses by their form: anybody's extension may look the same. */
        deliver_message(s, c, env, msg, out);
    } else {
        /* Never a bounce: nobody can tell what of it was the message's fault, and members wait. */
        verdict_set(out, EX_TEMPFAIL, "4.3.0", "cannot deliver now, try again later");
        log_warn("to=<%s>, job %s, deferred after %zu copies: %s", env->recipient, f.job, f.taken, f.e.text);
    }
    fanout_result_clear(&res);
    inject_close(&f.smtp);
    mailcrypt_clear(&f.m);
    buf_free(&f.text);
    buf_free(&f.head);
    buf_free(&f.part1);
    buf_free(&f.tail);
}
