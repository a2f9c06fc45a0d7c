#include "inject.h"

#include <stdlib.h>
#include <string.h>

#include "common/udf.h"
#include "smtp.h"

struct inject {
    struct smtp *smtp;
    char ahead[ADDRESS_SIZE]; /* the recipient of an envelope that was sent, its answers not read; "" = none */
    int failed;               /* a transaction was left open: RSET first */
};

int inject_open(const char *address, int timeout, struct inject **out, struct err *e)
{
    struct inject *in = calloc(1, sizeof *in);
    int r;

    *out = NULL;
    if (!in)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if ((r = smtp_open(address, SMTP_EHLO, timeout, &in->smtp, e)) < 0) {
        free(in);
        err_prefix(e, "re-injection");
        return r;
    }
    *out = in;
    return 0;
}

void inject_close(struct inject **inp)
{
    struct inject *in = *inp;

    if (!in)
        return;
    if (*in->ahead)
        smtp_lost(in->smtp, "an envelope is under way", NULL);
    smtp_close(&in->smtp);
    free(in);
    *inp = NULL;
}

int inject_ahead(const struct inject *in)
{
    return *in->ahead != 0;
}

static int put_envelope(struct inject *in, const struct inject_envelope *env, struct err *e)
{
    return smtp_printf(in->smtp, e, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", env->sender, env->recipient);
}

/* Without PIPELINING: a command at a time, and none after one that was refused. */
static int step_by_step(struct inject *in, const struct inject_envelope *env, struct smtp_reply answers[3],
                        struct err *e)
{
    static const char *const forms[] = {"MAIL FROM:<%s>\r\n", "RCPT TO:<%s>\r\n", "DATA\r\n"};
    const char *words[] = {env->sender, env->recipient, ""};
    int r = 0;

    for (int i = 0; r == 0 && i < 3 && (i == 0 || answers[i - 1].code < 300); i++)
        if ((r = smtp_printf(in->smtp, e, forms[i], words[i])) == 0 && (r = smtp_flush(in->smtp, e)) == 0)
            r = smtp_answer(in->smtp, &answers[i], e);
    return r;
}

static int envelope(struct inject *in, const struct inject_envelope *env, struct smtp_reply answers[3], struct err *e)
{
    struct smtp_reply reset;
    int r = 0;

    if (in->failed && (r = smtp_command(in->smtp, "RSET\r\n", &reset, e)) < 0)
        return r;
    in->failed = 0;
    if (!smtp_pipelining(in->smtp))
        return step_by_step(in, env, answers, e);
    if (!*in->ahead && ((r = put_envelope(in, env, e)) < 0 || (r = smtp_flush(in->smtp, e)) < 0))
        return r;
    *in->ahead = 0;
    for (int i = 0; r == 0 && i < 3; i++)
        r = smtp_answer(in->smtp, &answers[i], e);
    return r;
}

/* What the three answers come to: 0 = send the message, 1 = this recipient gets none (outcome is set). */
static int judge(struct inject *in, const struct smtp_reply answers[3], enum inject_outcome *outcome,
                 struct smtp_reply *reply, struct err *e)
{
    struct smtp_reply ignored;
    int r;

    in->failed = 1;
    *reply = answers[0];
    if (answers[0].code / 100 != 2)
        return smtp_lost(in->smtp, "the server refuses the sender of the copies", e);
    *reply = answers[1];
    if (answers[1].code / 100 != 2) {
        *outcome = answers[1].code / 100 == 5 ? INJECT_REFUSED : INJECT_DEFERRED;
        /* A server that wants data for nobody gets none. */
        if (answers[2].code == 354 && (r = smtp_command(in->smtp, ".\r\n", &ignored, e)) < 0)
            return r;
        return 1;
    }
    *reply = answers[2];
    if (answers[2].code != 354) {
        *outcome = INJECT_DEFERRED;
        return answers[2].code / 100 == 5 ? smtp_lost(in->smtp, "the server refuses the message", e) : 1;
    }
    in->failed = 0;
    return 0;
}

/* What is no address to send to, inject_copy refuses: there would be no call that takes the answers. */
static int goes_ahead(const struct inject *in, const struct inject_envelope *next)
{
    return next && smtp_pipelining(in->smtp) && smtp_sendable(next->sender) && smtp_sendable(next->recipient) &&
           *next->recipient && strlen(next->recipient) < sizeof in->ahead;
}

/* The message, the next envelope along with it, and what the server makes of the message. */
static int message(struct inject *in, const struct span *pieces, size_t count, const struct inject_envelope *next,
                   struct smtp_reply *reply, struct err *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = smtp_write(in->smtp, pieces[i], e);
    if (r == 0)
        r = smtp_printf(in->smtp, e, ".\r\n");
    if (r == 0 && goes_ahead(in, next)) {
        strcpy(in->ahead, next->recipient);
        r = put_envelope(in, next, e);
    }
    if (r == 0)
        r = smtp_flush(in->smtp, e);
    return r < 0 ? r : smtp_message_answer(in->smtp, reply, e);
}

static int copy(struct inject *in, const struct inject_envelope *env, const struct span *pieces, size_t count,
                const struct inject_envelope *next, enum inject_outcome *outcome, struct smtp_reply *reply,
                struct err *e)
{
    struct smtp_reply answers[3];
    int r;

    memset(answers, 0, sizeof answers);
    if ((r = envelope(in, env, answers, e)) < 0)
        return r;
    if ((r = judge(in, answers, outcome, reply, e)) != 0)
        return r < 0 ? r : 0;
    if ((r = message(in, pieces, count, next, reply, e)) < 0)
        return r;
    *outcome = reply->code / 100 == 2 ? INJECT_TAKEN : INJECT_DEFERRED;
    return reply->code / 100 == 5 ? smtp_lost(in->smtp, "the server refuses the message", e) : 0;
}

int inject_copy(struct inject *in, const struct inject_envelope *env, const struct span *pieces, size_t count,
                const struct inject_envelope *next, enum inject_outcome *outcome, struct smtp_reply *reply,
                struct err *e)
{
    int r;

    memset(reply, 0, sizeof *reply);
    *outcome = INJECT_DEFERRED;
    if (smtp_is_lost(in->smtp))
        return err_set(e, ERR_RETRY, "re-injection: the connection is gone");
    /* The server would deliver this copy to whom the envelope names. */
    if (*in->ahead && strcmp(in->ahead, env->recipient) != 0)
        return smtp_lost(in->smtp, "re-injection: another copy's envelope is under way", e);
    if (!smtp_sendable(env->sender))
        return err_set(e, ERR_RETRY, "re-injection: the sender's address cannot be sent on");
    if (!smtp_sendable(env->recipient) || !*env->recipient)
        return err_set(e, ERR_SYNTAX, "the address cannot be sent on");
    if ((r = copy(in, env, pieces, count, next, outcome, reply, e)) < 0)
        err_prefix(e, "re-injection");
    return r;
}
