#include "list-header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "reply.h"

int list_id(const char *account, struct buf *out)
{
    const char *at = strrchr(account, '@');
    int r;

    if ((r = buf_append(out, account, (size_t)(at - account))) || (r = buf_puts(out, ".")))
        return r;
    return buf_puts(out, at + 1);
}

/* RFC 6068: what is neither unreserved nor harmless in an address is percent-encoded. */
static int mailto_octets(const char *p, size_t len, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; !r && i < len; i++)
        r = isalnum((unsigned char)p[i]) || strchr("-._~!$'*+", p[i]) ? buf_append(out, p + i, 1)
                                                                      : buf_printf(out, "%%%02X", (unsigned char)p[i]);
    return r;
}

int list_mailto(const char *account, const char *suffix, struct buf *out)
{
    const char *at = strrchr(account, '@');
    int r;

    if ((r = buf_puts(out, "<mailto:")) || (r = mailto_octets(account, (size_t)(at - account), out)) ||
        (r = buf_puts(out, suffix)))
        return r;
    return buf_printf(out, "%s>", at);
}

/* Names may hold anything but space and control characters; one with a space before the colon is read by some
 * programs and not by others. */
static int names_ok(const struct headers *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->field[i].odd || !h->field[i].name[0])
            return 0;
        for (const char *p = h->field[i].name; *p; p++)
            if ((unsigned char)*p < 33 || (unsigned char)*p > 126)
                return 0;
    }
    return 1;
}

/* The list's own identifier in a List-Id field's angle brackets. */
static int names_list(const char *value, const char *id)
{
    const char *open = strrchr(value, '<'), *close = open ? strchr(open, '>') : NULL;
    size_t len = strlen(id);

    if (open && close)
        return (size_t)(close - open - 1) == len && !strncasecmp(open + 1, id, len);
    return !strcasecmp(value, id);
}

/* Was this message here before? 1, 0, or a negative error. */
static int looped(const char *account, const struct headers *h)
{
    struct buf id = BUF_INIT, value = BUF_INIT;
    int r = list_id(account, &id), found = 0;

    for (size_t i = 0; !r && !found && i < h->count; i++) {
        int hop = !strcasecmp(h->field[i].name, LIST_HOP);

        if (!hop && strcasecmp(h->field[i].name, "List-Id"))
            continue;
        buf_reset(&value);
        r = mime_unfold(h->field[i].value, &value, NULL);
        if (r == ERR_SYNTAX) { /* no identifier of ours looks like that */
            r = 0;
            continue;
        }
        if (!r)
            found = hop ? !strcasecmp(buf_str(&value), account) : names_list(buf_str(&value), buf_str(&id));
    }
    buf_free(&id);
    buf_free(&value);
    return r < 0 ? r : found;
}

/* RFC 3834: anything but "no" was sent by a program. 1, 0, or a negative error. */
static int automatic(const struct headers *h)
{
    struct buf value = BUF_INIT;
    int n = (int)headers_count(h, "Auto-Submitted"), r = 0, found = 0;

    for (int i = 1; !r && !found && i <= n; i++) {
        size_t len;

        buf_reset(&value);
        if ((r = mime_unfold(headers_value(h, "Auto-Submitted", i), &value, NULL)) < 0)
            break;
        len = strcspn(buf_str(&value), " \t;(");
        found = len != 2 || strncasecmp(buf_str(&value), "no", 2);
    }
    buf_free(&value);
    return r == ERR_SYNTAX ? 1 : r < 0 ? r : found;
}

sfsistat list_header_check(const struct session *s, const struct headers *h)
{
    static const char *const once[] = {"From", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
                                       "Subject", "Date", "Message-ID", "To", "Cc", "Sender", "Reply-To", NULL};
    const char *account = s->msg->info.account;
    struct err e;
    int loop, robot;

    if (s->msg->null_sender)
        return reply(s, "550", "5.7.1", "%s takes no bounces", account);
    if (!names_ok(h))
        return reply(s, "550", "5.6.0", "Malformed header field name");
    if (headers_count(h, "From") != 1)
        return reply(s, "550", "5.6.0", "Exactly one From field is needed");
    for (size_t i = 0; once[i]; i++)
        if (headers_count(h, once[i]) > 1)
            return reply(s, "550", "5.6.0", "More than one %s field", once[i]);
    if ((loop = looped(account, h)) < 0 || (robot = automatic(h)) < 0) {
        err_set(&e, ERR_SYSTEM, "out of memory");
        return reply_later(s, &e);
    }
    if (loop || headers_count(h, LIST_HOP) >= LIST_HOPS_MAX)
        return reply(s, "554", "5.4.6", "Mail loop: %s had this message before", account);
    if (robot)
        return reply(s, "550", "5.7.1", "%s takes no automatic mail", account);
    return SMFIS_CONTINUE;
}

/* The hop fields of lists on the way here stay: they end a loop through several lists. */
static int of_lists(const char *name)
{
    static const char *const gone[] = {"List-", "X-Recrypt-", "Autocrypt", "Autocrypt-", "Precedence",
                                       "Disposition-Notification-", "Return-Receipt-", "X-Confirm-Reading-", NULL};

    return headers_in(name, gone) && strcasecmp(name, LIST_HOP);
}

int list_header_change(const struct session *s, const struct headers *h)
{
    const char *account = s->msg->info.account;
    struct buf id = BUF_INIT, post = BUF_INIT, owner = BUF_INIT;
    int r;

    if ((r = headers_delete(h, &s->mta, of_lists)))
        return r;
    if (!(r = buf_puts(&id, "<")) && !(r = list_id(account, &id)) && !(r = buf_puts(&id, ">")) &&
        !(r = list_mailto(account, "", &post)) && !(r = list_mailto(account, "+owner", &owner)) &&
        !(r = mta_add_header(&s->mta, "List-Id", buf_str(&id))) &&
        !(r = mta_add_header(&s->mta, "List-Post", buf_str(&post))) &&
        !(r = mta_add_header(&s->mta, "List-Owner", buf_str(&owner))) &&
        !(r = mta_add_header(&s->mta, "Precedence", "list")))
        r = mta_add_header(&s->mta, LIST_HOP, account);
    buf_free(&id);
    buf_free(&post);
    buf_free(&owner);
    return r;
}
