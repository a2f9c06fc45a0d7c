/* The one form of a mail address under which everything is looked up (udf.h). */
#include <string.h>

#include "udf.h"

enum { LABEL_MAX = 63 };

static int is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 5322 atext, in lower case. */
static int is_atext(char c)
{
    return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static int dot_atom(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] == '.' ? i == 0 || i + 1 == len || s[i + 1] == '.' : !is_atext(s[i]))
            return 0;
    return len > 0;
}

/* Letter-digit-hyphen labels, 1 to 63 octets, no hyphen at either end. */
static int ldh_domain(const char *s)
{
    for (;;) {
        size_t n = strcspn(s, ".");

        if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
            return 0;
        for (size_t i = 0; i < n; i++)
            if (!is_alnum(s[i]) && s[i] != '-')
                return 0;
        if (!s[n])
            return 1;
        s += n + 1;
    }
}

int address_canonical(const char *text, size_t len, char out[ADDRESS_SIZE], struct err *e)
{
    char *at;
    size_t i;

    *out = 0;
    if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
        text++;
        len -= 2;
    }
    if (len >= ADDRESS_SIZE)
        return err_set(e, ERR_LIMIT, "address of more than %d octets", ADDRESS_SIZE - 1);
    for (i = 0; i < len; i++) {
        char c = text[i];

        if (!c)
            break;
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[i] = 0;
    at = strchr(out, '@');
    if (i < len || !at || !dot_atom(out, (size_t)(at - out)) || !ldh_domain(at + 1)) {
        *out = 0;
        return err_set(e, ERR_SYNTAX, "not a mail address of the form name@domain: %.*s", (int)len, text);
    }
    return 0;
}

const char *address_domain(const char *address)
{
    const char *at = strchr(address, '@');

    return at ? at + 1 : "";
}

void address_split(const char *address, char base[ADDRESS_SIZE], const char **ext, size_t *ext_len)
{
    const char *at = strchr(address, '@'), *plus = strchr(address, '+');
    size_t head;

    *ext = NULL;
    *ext_len = 0;
    head = strnlen(address, ADDRESS_SIZE - 1);
    /* What stays must be an address: nothing to cut in "+a@b" and "a.+b@c". */
    if (at && plus && plus > address && plus < at && plus[-1] != '.') {
        *ext = plus + 1;
        *ext_len = (size_t)(at - plus - 1);
        head = (size_t)(plus - address);
    }
    memcpy(base, address, head);
    base[head] = 0;
    if (*ext) {
        size_t rest = strnlen(at, ADDRESS_SIZE - 1 - head);

        memcpy(base + head, at, rest);
        base[head + rest] = 0;
    }
}
