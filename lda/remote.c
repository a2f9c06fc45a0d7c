#include "remote.h"

#include <stdio.h>

#include "common/lines.h"
#include "smtp.h"

/* What an answer comes to, whether it is to a command or to the message. */
static int judge(const struct smtp_reply *reply, int taken, const char *step, struct err *e)
{
    if (taken)
        return 0;
    if (reply->code / 100 == 5)
        return err_set(e, ERR_DENIED, "the next server refused %s: %d %s", step, reply->code, reply->text);
    return err_set(e, ERR_RETRY, "the next server did not take %s: %d %s", step, reply->code, reply->text);
}

static int lost(const char *step, struct err *e)
{
    return err_prefix(e, "the next server did not take %s", step), ERR_RETRY;
}

/* wanted: the code, or its first digit. */
static int say(struct smtp *s, const char *line, int wanted, const char *step, int *code, struct err *e)
{
    struct smtp_reply reply;
    int r = smtp_command(s, line, &reply, e);

    *code = reply.code;
    return r < 0 ? lost(step, e) : judge(&reply, reply.code == wanted || reply.code / 100 == wanted, step, e);
}

static int send_message(struct smtp *s, const struct buf *text, int *code, struct err *e)
{
    static const char step[] = "the message";
    struct smtp_reply reply = {0};
    int r;

    *code = 0;
    if ((r = smtp_message(s, (struct span){text->data, text->len}, e)) == 0 && (r = smtp_flush(s, e)) == 0)
        r = smtp_message_answer(s, &reply, e);
    *code = reply.code;
    return r < 0 ? lost(step, e) : judge(&reply, reply.code / 100 == 2, step, e);
}

/* With one recipient LMTP and SMTP differ in the greeting only: one answer to the message either way. */
static int converse(struct smtp *s, const char *sender, const char *recipient, const struct buf *text, int *code,
                    struct err *e)
{
    char mail[512], rcpt[512];
    int r;

    snprintf(mail, sizeof mail, "MAIL FROM:<%s>\r\n", sender);
    snprintf(rcpt, sizeof rcpt, "RCPT TO:<%s>\r\n", recipient);
    if ((r = say(s, mail, 2, "the sender", code, e)) < 0 || (r = say(s, rcpt, 2, "the recipient", code, e)) < 0 ||
        (r = say(s, "DATA\r\n", 354, "the message", code, e)) < 0)
        return r;
    return send_message(s, text, code, e);
}

int remote_deliver(const struct route *route, int timeout, const char *sender, const char *recipient,
                   const struct span *pieces, size_t count, int *code, struct err *e)
{
    const enum smtp_hello hello = route->kind == ROUTE_LMTP ? SMTP_LHLO : SMTP_EHLO;
    struct buf text = BUF_INIT;
    struct smtp *s = NULL;
    int r = 0;

    *code = 0;
    if (!smtp_sendable(sender) || !smtp_sendable(recipient) || !*recipient)
        return err_set(e, ERR_SYNTAX, "the address cannot be sent on");
    for (size_t i = 0; i < count && r == 0; i++)
        r = lines_to_crlf(pieces[i], &text, e);
    if (r == 0 && (r = smtp_open(route->address, hello, timeout, &s, e)) < 0)
        err_prefix(e, "the next server");
    if (r == 0)
        r = converse(s, sender, recipient, &text, code, e);
    smtp_close(&s);
    buf_free(&text);
    return r;
}
