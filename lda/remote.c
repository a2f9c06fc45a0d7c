#include "remote.h"

#include <libetpan/libetpan.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/lines.h"
#include "common/log.h"
#include "message.h"

/* What goes between the angle brackets must not be able to end them or the line. libetpan cuts commands at 512 octets. */
int remote_sendable(const char *address)
{
    if (strlen(address) > 320)
        return 0;
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e || *p == '<' || *p == '>')
            return 0;
    return 1;
}

static int refused(mailsmtp *session, int r, const char *step, int *code, struct err *e)
{
    if (r == MAILSMTP_NO_ERROR)
        return 0;
    *code = r == MAILSMTP_ERROR_STREAM ? 0 : session->response_code;
    if (*code >= 500 && *code <= 599)
        return err_set(e, ERR_DENIED, "the next server refused %s: %d", step, *code);
    return err_set(e, ERR_RETRY, "the next server did not take %s: %d", step, *code);
}

static int greet(mailsmtp *session, enum route_kind kind, int *code, struct err *e)
{
    char host[256];
    int r;

    if (gethostname(host, sizeof host) < 0)
        strcpy(host, "localhost");
    host[sizeof host - 1] = 0;
    if (kind == ROUTE_LMTP)
        r = mailesmtp_lhlo(session, host);
    else if ((r = mailesmtp_ehlo(session)) != MAILSMTP_NO_ERROR && r != MAILSMTP_ERROR_STREAM)
        r = mailsmtp_helo(session);
    if ((r = refused(session, r, "the greeting", code, e)) == ERR_DENIED)
        r = e->code = ERR_RETRY; /* says nothing about this message */
    return r;
}

/* With one recipient LMTP and SMTP differ in the greeting only: one answer to the message either way. */
static int converse(mailsmtp *session, enum route_kind kind, const char *sender, const char *recipient,
                    const struct buf *text, int *code, struct err *e)
{
    int r;

    if ((r = greet(session, kind, code, e)) < 0 ||
        (r = refused(session, mailsmtp_mail(session, sender), "the sender", code, e)) < 0 ||
        (r = refused(session, mailsmtp_rcpt(session, recipient), "the recipient", code, e)) < 0 ||
        (r = refused(session, mailsmtp_data(session), "the message", code, e)) < 0)
        return r;
    /* libetpan ends the last line itself. */
    return refused(session,
                   mailsmtp_data_message(session, buf_str(text), text->len >= 2 ? text->len - 2 : text->len),
                   "the message", code, e);
}

static int open_session(const struct route *route, int timeout, mailsmtp **out, struct err *e)
{
    mailsmtp *session;
    mailstream *stream;
    int fd, r;

    if ((r = conf_connect(route->address, timeout * 1000, &fd, e)) < 0)
        return r;
    if (!(stream = mailstream_socket_open_timeout(fd, timeout))) {
        close(fd);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    if (!(session = mailsmtp_new(0, NULL))) {
        mailstream_close(stream);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    mailsmtp_set_timeout(session, timeout);
    if (mailsmtp_connect(session, stream) != MAILSMTP_NO_ERROR) { /* closes the stream */
        mailsmtp_free(session);
        return err_set(e, ERR_RETRY, "the next server does not greet");
    }
    *out = session;
    return 0;
}

int remote_deliver(const struct route *route, int timeout, const char *sender, const char *recipient,
                   const struct span *pieces, size_t count, int *code, struct err *e)
{
    struct buf text = BUF_INIT;
    mailsmtp *session = NULL;
    int r = 0;

    *code = 0;
    if (!remote_sendable(sender) || !remote_sendable(recipient) || !*recipient)
        return err_set(e, ERR_SYNTAX, "the address cannot be sent on");
    for (size_t i = 0; i < count && r == 0; i++)
        r = lines_to_crlf(pieces[i], &text, e);
    if (r == 0 && (r = open_session(route, timeout, &session, e)) == 0) {
        r = converse(session, route->kind, sender, recipient, &text, code, e);
        mailsmtp_free(session); /* QUIT */
    }
    buf_free(&text);
    return r;
}
