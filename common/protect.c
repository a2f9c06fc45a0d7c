/* protect.c - header protection (RFC 9788), and what of a header is told outside. */
#include "protect.h"

#include <string.h>
#include <strings.h>

#include "protect-private.h"

/* Behind the type of the first Content-Type field, or in a field of its own. */
static const char hp_param[] = "; hp=\"cipher\"";
static const char hp_field[] = "Content-Type: text/plain; hp=\"cipher\"";
static const char hp_outer[] = "HP-Outer: ";
static const char default_subject[] = "[...]";

/* What of a message's header is told to everybody; Subject comes last, replaced. */
static const char *const outer_names[] = {"From", "To", "Cc", "Date", "Message-ID", "In-Reply-To", "References"};
enum { OUTER = sizeof outer_names / sizeof *outer_names, SUBJECT_MAX = 900 };

static int starts(struct span s, const char *text, size_t len)
{
    return s.len >= len && memcmp(s.data, text, len) == 0;
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.data + n, s.len - n};
}

/* The first field of that name; lines that are no fields are stepped over. 1 or 0, or ERR_LIMIT. */
static int first_field(struct span header, const char *name, struct mime_field *out, struct err *e)
{
    size_t at = 0;
    int r;

    while ((r = mime_field_next(header, &at, out, e)) != 0)
        if (r == ERR_LIMIT || (r == 1 && mime_field_is(out, name)))
            return r;
    return 0;
}

static int plain_octet(unsigned char c)
{
    return c == '\t' || c == '\n' || (c >= 32 && c < 127);
}

/* Is there an octet that must not go outside in a word with '@'? Replacing it would make another address. */
static int address_is_odd(struct span v)
{
    int at_sign = 0, odd = 0;

    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] && strchr(" \t\r\n,;:<>()\"", v.data[i])) {
            at_sign = odd = 0;
            continue;
        }
        at_sign |= v.data[i] == '@';
        odd |= !plain_octet(v.data[i]);
        if (at_sign && odd)
            return 1;
    }
    return 0;
}

/* A field's value for the outside: the message's line ends brought to eol, and only before folding that has something
 * behind it; every octet that is not printable ASCII a '?'. */
static int outer_value(struct span v, const char *eol, struct buf *out)
{
    size_t start, next;
    int r = 0;

    for (size_t i = 0; r == 0 && i < v.len; i = next) {
        next = i + 1;
        if (v.data[i] == '\n') {
            while (next < v.len && (v.data[next] == ' ' || v.data[next] == '\t'))
                next++;
            if (next == v.len || v.data[next] == '\n' ||
                (v.data[next] == '\r' && next + 1 < v.len && v.data[next + 1] == '\n'))
                continue;
            r = buf_puts(out, eol);
            if (r == 0)
                r = buf_append(out, v.data + i + 1, next - i - 1);
        } else if (v.data[i] == '\r' && next < v.len && v.data[next] == '\n') {
            continue;
        } else if (!plain_octet(v.data[i])) {
            r = buf_puts(out, "?");
        } else {
            for (start = i; next < v.len && plain_octet(v.data[next]) && v.data[next] != '\n'; next++)
                ;
            r = buf_append(out, v.data + start, next - start);
        }
    }
    return r;
}

int protect_outer(struct span header, const char *subject, const char *prefix, const char *eol, struct buf *out,
                  struct err *e)
{
    struct mime_field f;
    int r;

    for (size_t i = 0; i < OUTER; i++) {
        if ((r = first_field(header, outer_names[i], &f, e)) < 0)
            return r;
        if (r == 0 || address_is_odd(f.value))
            continue;
        if ((r = buf_printf(out, "%s%s:%s", prefix, outer_names[i], f.value.len && f.value.data[0] == ' ' ? "" : " ")) <
                0 ||
            (r = outer_value(f.value, eol, out)) < 0 || (r = buf_puts(out, eol)) < 0)
            return err_set(e, r, "the header does not fit");
    }
    if ((r = buf_printf(out, "%sSubject: %s%s", prefix, subject, eol)) < 0)
        return err_set(e, r, "the header does not fit");
    return 0;
}

int protect_stays_outside(struct span name)
{
    /* One that ends in '-' stands for all that begin so. */
    static const char *const outside[] = {
        "From", "To", "Cc", "Date", "Message-ID", "In-Reply-To", "References", "Subject", "MIME-Version", "Content-",
        "Return-Path", "Received", "Received-SPF", "Authentication-Results", "ARC-", "DKIM-Signature", "Delivered-To",
        "X-Original-To", "Resent-", "List-", "Precedence", "Auto-Submitted", "Sender", "X-Spam-", "X-Virus-"};

    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        size_t n = strlen(outside[i]);

        if (name.len >= n && strncasecmp((const char *)name.data, outside[i], n) == 0 &&
            (name.len == n || outside[i][n - 1] == '-'))
            return 1;
    }
    return 0;
}

int protect_subject(const char **subject, struct err *e)
{
    if (!*subject)
        *subject = default_subject;
    if (strlen(*subject) > SUBJECT_MAX)
        return err_set(e, ERR_USAGE, "the outer subject is longer than %d characters", SUBJECT_MAX);
    for (const char *s = *subject; *s; s++)
        if (*s < 32 || *s > 126)
            return err_set(e, ERR_USAGE, "the outer subject has a character that is not printable ASCII");
    return 0;
}

/* Where the parameter goes: behind the type of the first Content-Type field. 1 and *at, or 0, or ERR_LIMIT. */
static int param_place(struct span msg, struct span header, size_t *at, struct err *e)
{
    struct mime_field f;
    int r = first_field(header, "Content-Type", &f, e);

    if (r <= 0 || mime_type_end(f.value, at) < 0)
        return r < 0 ? r : 0;
    *at += (size_t)(f.value.data - msg.data);
    return 1;
}

static const char *line_end_of(struct span msg)
{
    const unsigned char *lf = msg.len ? memchr(msg.data, '\n', msg.len) : NULL;

    return lf && (lf == msg.data || lf[-1] != '\r') ? "\n" : "\r\n";
}

int protect_wrap(struct span msg, const char *outer_subject, struct buf *payload, struct err *e)
{
    struct span header, body;
    const char *eol = line_end_of(msg);
    size_t at = 0, kept = payload->len, head;
    int r, has_type;

    if ((r = protect_subject(&outer_subject, e)) < 0)
        return r;
    if (!msg.data)
        msg.data = (const unsigned char *)"";
    mime_split(msg, &header, &body);
    if ((has_type = param_place(msg, header, &at, e)) < 0)
        return has_type;
    if (!has_type && (r = buf_printf(payload, "%s%s", hp_field, eol)) < 0)
        goto full;
    if ((r = protect_outer(header, outer_subject, hp_outer, eol, payload, e)) < 0)
        goto out;
    head = payload->len - kept + header.len + sizeof hp_param;
    if (head > MIME_HEADER_MAX) {
        r = err_set(e, ERR_LIMIT, "header longer than %d octets with its protection", MIME_HEADER_MAX);
        goto out;
    }
    if ((r = buf_reserve(payload, msg.len + sizeof hp_param)) < 0 || (r = buf_append(payload, msg.data, at)) < 0 ||
        (has_type && (r = buf_puts(payload, hp_param)) < 0) ||
        (r = buf_append(payload, msg.data + at, msg.len - at)) < 0)
        goto full;
    return 0;
full:
    err_set(e, r, "the message does not fit");
out:
    buf_cut(payload, kept);
    return r;
}

static int skip_line(struct span *s)
{
    const unsigned char *lf = s->len ? memchr(s->data, '\n', s->len) : NULL;

    if (!lf)
        return 0;
    *s = skip(*s, (size_t)(lf - s->data) + 1);
    return 1;
}

int protect_is_payload(struct span payload, struct span *first, struct span *second)
{
    struct span rest = payload, header, body;
    size_t at = 0, fields = 0;
    int has_field = starts(rest, hp_field, sizeof hp_field - 1);

    if (has_field) {
        rest = skip(rest, sizeof hp_field - 1);
        if (!starts(rest, "\n", 1) && !starts(rest, "\r\n", 2))
            return 0;
        skip_line(&rest);
    }
    for (int subject = 0; !subject;) {
        if (!starts(rest, hp_outer, sizeof hp_outer - 1) || fields++ > OUTER)
            return 0;
        subject = starts(skip(rest, sizeof hp_outer - 1), "Subject:", 8);
        if (!skip_line(&rest))
            return 0;
        while (!subject && rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'))
            if (!skip_line(&rest))
                return 0;
    }
    if (!has_field) {
        mime_split(rest, &header, &body);
        if (param_place(rest, header, &at, NULL) != 1 || !starts(skip(rest, at), hp_param, sizeof hp_param - 1))
            return 0;
    }
    *first = (struct span){rest.data, at};
    *second = skip(rest, has_field ? 0 : at + sizeof hp_param - 1);
    return 1;
}

int protect_unwrap(struct span payload, struct buf *msg, struct err *e)
{
    struct span header, body, first, second;
    struct mime_field f;
    size_t at = 0, start = 0, kept = msg->len;
    int r;

    if (payload.len == 0)
        return 0;
    if ((r = buf_reserve(msg, payload.len)) < 0)
        return err_set(e, r, "the message does not fit");
    if (protect_is_payload(payload, &first, &second)) {
        if ((r = buf_append(msg, first.data, first.len)) == 0)
            r = buf_append(msg, second.data, second.len);
        return r;
    }
    mime_split(payload, &header, &body);
    while ((r = mime_field_next(header, &at, &f, e)) != 0) {
        if (r == ERR_LIMIT)
            return r;
        if (r == 1 && mime_field_is(&f, "HP-Outer")) {
            if ((r = buf_append(msg, payload.data + start, at - f.whole.len - start)) < 0)
                break;
            start = at;
        }
    }
    if (r == 0)
        r = buf_append(msg, payload.data + start, payload.len - start);
    if (r < 0)
        buf_cut(msg, kept);
    return r < 0 ? err_set(e, r, "the message does not fit") : 0;
}
