#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

static sfsistat result(const struct session *s, const char *code, const char *status, const char *const *lines,
                       size_t count)
{
    if (mta_reply(&s->mta, code, status, lines, count) < 0) {
        log_error("the mail server does not take the reply %s %s", code, status);
        return SMFIS_TEMPFAIL;
    }
    log_info("%s %s %s", code, status, lines[0]);
    return code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

sfsistat reply(const struct session *s, const char *code, const char *status, const char *fmt, ...)
{
    char text[MTA_LINE_MAX];
    const char *line = text;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return result(s, code, status, &line, 1);
}

sfsistat reply_later(const struct session *s, const struct err *e)
{
    log_warn("try again later: %s", e->text);
    return reply(s, "451", "4.3.0", "Encryption service not available, try again later");
}

sfsistat reply_use_key(const struct session *s, const struct address_info *info, const char *what)
{
    char first[MTA_LINE_MAX], key[MTA_LINE_MAX], fetch[MTA_LINE_MAX];
    const char *lines[4 + SETTINGS_HELP_LINES] = {first, key, fetch,
                                                  "and send what \"recrypt seal\" makes of your message"};
    size_t n = 4;

    snprintf(first, sizeof first, "%s: %s", info->account, what);
    snprintf(key, sizeof key, "The key to encrypt to is %s", info->keyid);
    snprintf(fetch, sizeof fetch, "Get it with \"recrypt key %s\"", info->account);
    for (size_t i = 0; i < SETTINGS_HELP_LINES && s->conf->help[i]; i++)
        lines[n++] = s->conf->help[i];
    return result(s, "550", "5.7.1", lines, n);
}

sfsistat reply_nobody(const struct session *s, const char *account)
{
    char first[MTA_LINE_MAX], owner[MTA_LINE_MAX];
    const char *lines[] = {first, owner};
    size_t local = strcspn(account, "@");

    snprintf(first, sizeof first, "%s takes no mail at present: your message went to nobody", account);
    snprintf(owner, sizeof owner, "Ask its owner: %.*s+owner%s", (int)local, account, account + local);
    return result(s, "550", "5.2.1", lines, 2);
}

sfsistat reply_fault(const struct session *s, enum fault f)
{
    struct err e;

    switch (f) {
    case FAULT_SIZE:
        return reply(s, "552", "5.3.4", "Message too large");
    case FAULT_HEADER:
        return reply(s, "550", "5.6.0", "Message header malformed, or too large");
    case FAULT_OCTETS:
        return reply(s, "550", "5.6.0", "Message holds NUL, or CR and LF that are no line end");
    default:
        err_set(&e, ERR_SYSTEM, "out of memory");
        return reply_later(s, &e);
    }
}

sfsistat reply_content(const struct session *s, const struct err *e)
{
    switch (e->code) {
    case ERR_SYNTAX:
    case ERR_LIMIT:
        return reply(s, "550", "5.6.0", "Encrypted message broken: %s", e->text);
    case ERR_UNSUPPORTED:
        return reply(s, "550", "5.6.1", "Encryption not supported: %s", e->text);
    case ERR_KEY:
        return reply(s, "550", "5.7.1", "Key in the encrypted message refused: %s", e->text);
    default:
        return reply_later(s, e);
    }
}
