#include "smtp-reply.h"

#include <string.h>
#include <strings.h>

static int digit(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/* One line without its end. 1 = the last one, 0 = more follow. */
static int take_line(const unsigned char *p, size_t len, struct smtp_reply *out, struct err *e)
{
    static const char word[] = "PIPELINING";
    int code;

    if (len < 3 || !digit(p[0], '2', '5') || !digit(p[1], '0', '9') || !digit(p[2], '0', '9') ||
        (len > 3 && p[3] != ' ' && p[3] != '-'))
        return err_set(e, ERR_SYNTAX, "not an SMTP reply");
    code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    if (out->code && code != out->code)
        return err_set(e, ERR_SYNTAX, "an SMTP reply of two codes");
    if (!out->code) {
        size_t n = len > 4 ? len - 4 : 0;

        if (n >= sizeof out->text)
            n = sizeof out->text - 1;
        for (size_t i = 0; i < n; i++)
            out->text[i] = p[4 + i] < 0x20 || p[4 + i] > 0x7e ? '?' : (char)p[4 + i];
        out->text[n] = 0;
    }
    out->code = code;
    if (len == strlen(word) + 4 && strncasecmp((const char *)p + 4, word, strlen(word)) == 0)
        out->pipelining = 1;
    return len == 3 || p[3] == ' ';
}

int smtp_reply_take(const void *data, size_t len, struct smtp_reply *out, size_t *used, struct err *e)
{
    const unsigned char *p = data, *end;
    size_t at = 0;
    int r = 0;

    memset(out, 0, sizeof *out);
    *used = 0;
    while (r == 0 && at < len && (end = memchr(p + at, '\n', len - at))) {
        size_t n = (size_t)(end - p) - at;

        if (at + n > SMTP_REPLY_MAX)
            break;
        if (n && p[at + n - 1] == '\r')
            n--;
        r = take_line(p + at, n, out, e);
        at = (size_t)(end - p) + 1;
    }
    if (r == 1)
        *used = at;
    if (r == 0 && len > SMTP_REPLY_MAX)
        return err_set(e, ERR_LIMIT, "an SMTP reply of more than %d octets", (int)SMTP_REPLY_MAX);
    return r;
}
