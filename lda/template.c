#include "template.h"

#include <string.h>

static int dotted(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/')) {
        size_t n;

        p += *p == '/';
        n = strcspn(p, "/");
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return 1;
    }
    return 0;
}

int template_check(const char *text, int allowed, struct err *e)
{
    int names_one = 0;

    for (const char *p = text; (p = strchr(p, '%')); p += 2) {
        if (p[1] == 0 || !strchr("undh%", p[1]))
            return err_set(e, ERR_USAGE, "'%s': after '%%' comes u, n, d, h or '%%'", text);
        if (strchr("und", p[1]) && !(allowed & TEMPLATE_ADDRESS))
            return err_set(e, ERR_USAGE, "'%s': %%%c has no meaning here", text, p[1]);
        if (p[1] == 'h' && (!(allowed & TEMPLATE_HOME) || p != text))
            return err_set(e, ERR_USAGE, "'%s': %%h has no meaning here", text);
        names_one |= strchr("unh", p[1]) != NULL;
    }
    if (!names_one)
        return err_set(e, ERR_USAGE, "'%s': one mailbox for all: %%u or %%n is missing", text);
    if (dotted(text))
        return err_set(e, ERR_USAGE, "'%s': a component '.' or '..'", text);
    return 0;
}

static int append_value(const char *s, size_t len, struct buf *out, struct err *e)
{
    if (len == 0 || len > 255 || strchr(".-~", s[0]))
        return err_set(e, ERR_SYNTAX, "the address names no mailbox");
    for (size_t i = 0; i < len; i++)
        if (s[i] == '/' || (unsigned char)s[i] <= 0x20 || (unsigned char)s[i] > 0x7e)
            return err_set(e, ERR_SYNTAX, "the address names no mailbox");
    return buf_append(out, s, len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int append_code(char code, const char *address, size_t len, const char *home, struct buf *out, struct err *e)
{
    const char *at = memchr(address, '@', len);

    if (code == '%')
        return buf_puts(out, "%") < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
    if (code == 'h') {
        if (!home || home[0] != '/')
            return err_set(e, ERR_USAGE, "this user has no home directory");
        return buf_puts(out, home) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
    }
    if (!at)
        return err_set(e, ERR_SYNTAX, "the address has no domain");
    if (code == 'n')
        return append_value(address, (size_t)(at - address), out, e);
    if (code == 'd')
        return append_value(at + 1, len - (size_t)(at + 1 - address), out, e);
    return append_value(address, len, out, e);
}

int template_expand(const char *text, const char *address, size_t address_len, const char *home, struct buf *out,
                    struct err *e)
{
    size_t before = out->len;
    int r;

    if ((r = template_check(text, TEMPLATE_ADDRESS | TEMPLATE_HOME, e)) < 0)
        return r;
    while (*text) {
        size_t plain = strcspn(text, "%");

        if (buf_append(out, text, plain) < 0)
            return err_set(e, ERR_SYSTEM, "out of memory");
        text += plain;
        if (*text) {
            if ((r = append_code(text[1], address, address_len, home, out, e)) < 0)
                return r;
            text += 2;
        }
    }
    /* "%n" alone cannot, but ".%n" could, make a component that leads upwards. */
    if (dotted(buf_str(out) + before))
        return err_set(e, ERR_SYNTAX, "the address names no mailbox");
    return 0;
}
