/* mime-field.c - what stands in a header field: folding, comments, Content-Type and one mailbox. */
#include "mime.h"

#include <string.h>
#include <strings.h>

#include "b64.h"

enum { WORD_MAX = 1000 }; /* octets of an encoded word; RFC 2047 has 75 */

static int is_wsp(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* The length of a line end inside a value, 0 when at is not at one. */
static size_t eol(struct span v, size_t at)
{
    if (v.data[at] == '\n')
        return 1;
    return v.data[at] == '\r' && at + 1 < v.len && v.data[at + 1] == '\n' ? 2 : 0;
}

/* RFC 2045 section 5.1 */
static int is_token(unsigned char c)
{
    return c > 32 && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct span token(struct span v, size_t *at)
{
    struct span t = {v.data + *at, 0};

    while (*at < v.len && is_token(v.data[*at])) {
        t.len++;
        (*at)++;
    }
    return t;
}

/* Is the octet at *at, inside a comment or quoted string, one that may stand there? Steps over a backslash. */
static int quoted_octet(struct span v, size_t *at)
{
    if (v.data[*at] == '\\' && ++*at == v.len)
        return 0;
    return v.data[*at] != 0 && v.data[*at] != '\r' && v.data[*at] != '\n';
}

/* Skips white space, folds and comments, nested to any depth. */
static int skip_cfws(struct span v, size_t *at)
{
    size_t depth = 0, n;

    for (; *at < v.len; (*at)++) {
        if ((n = eol(v, *at)) > 0)
            *at += n - 1;
        else if (v.data[*at] == '(')
            depth++;
        else if (depth > 0 && v.data[*at] == ')')
            depth--;
        else if (depth > 0 ? !quoted_octet(v, at) : !is_wsp(v.data[*at]))
            break;
    }
    return depth > 0 ? ERR_SYNTAX : 0;
}

/* Reads a quoted string from its opening quote on; out may be NULL. */
static int quoted_string(struct span v, size_t *at, struct buf *out)
{
    size_t n;
    int r;

    for ((*at)++; *at < v.len; (*at)++) {
        if (v.data[*at] == '"') {
            (*at)++;
            return 0;
        }
        if ((n = eol(v, *at)) > 0) {
            *at += n - 1;
            continue;
        }
        if (!quoted_octet(v, at))
            break;
        if (out && (r = buf_append(out, v.data + *at, 1)) < 0)
            return r;
    }
    return ERR_SYNTAX;
}

int mime_unfold(struct span value, struct buf *out, struct err *e)
{
    size_t at = 0, start, n, kept = out->len;
    int r = 0;

    while (at < value.len) {
        for (start = at; at < value.len && value.data[at] != 0 && value.data[at] != '\r' && value.data[at] != '\n';
             at++)
            ;
        if ((r = buf_append(out, value.data + start, at - start)) < 0)
            break;
        if (at == value.len)
            break;
        n = eol(value, at);
        if (n == 0 || at + n >= value.len || !is_wsp(value.data[at + n])) {
            r = ERR_SYNTAX;
            break;
        }
        at += n;
    }
    if (r < 0) {
        buf_cut(out, kept);
        return err_set(e, r, r == ERR_SYNTAX ? "NUL, bare CR or bare LF in a header field" : "header field too long");
    }
    for (at = out->len; at > kept && is_wsp(out->data[at - 1]); at--)
        ;
    buf_cut(out, at);
    for (start = kept; start < at && is_wsp(out->data[start]); start++)
        ;
    if (start > kept) {
        memmove(out->data + kept, out->data + start, at - start);
        buf_cut(out, at - (start - kept));
    }
    return 0;
}

int mime_type_end(struct span value, size_t *end)
{
    struct span a, b;

    *end = 0;
    if (value.len == 0 || skip_cfws(value, end) < 0)
        return ERR_SYNTAX;
    a = token(value, end);
    if (a.len == 0 || *end == value.len || value.data[*end] != '/')
        return ERR_SYNTAX;
    ++*end;
    b = token(value, end);
    return b.len > 0 ? 0 : ERR_SYNTAX;
}

int mime_type(struct span value, struct buf *type, struct err *e)
{
    size_t at = 0, end, from;
    int r;

    if (mime_type_end(value, &end) < 0)
        return err_set(e, ERR_SYNTAX, "malformed Content-Type");
    skip_cfws(value, &at);
    from = type->len;
    if ((r = buf_append(type, value.data + at, end - at)) < 0)
        return err_set(e, r, "Content-Type too long");
    for (size_t i = from; i < type->len; i++)
        if (type->data[i] >= 'A' && type->data[i] <= 'Z')
            type->data[i] += 'a' - 'A';
    if (skip_cfws(value, &end) < 0 || (end < value.len && value.data[end] != ';')) {
        buf_cut(type, from);
        return err_set(e, ERR_SYNTAX, "malformed Content-Type");
    }
    return 0;
}

/* The next parameter; its value is appended to value when wanted says so. 1, 0 at the end, or an error. */
static int param_next(struct span v, size_t *at, const char *want, int *wanted, struct buf *value)
{
    struct span name, text;
    size_t len = strlen(want);
    int r;

    do { /* empty parameters, and a semicolon at the end, are common */
        if (skip_cfws(v, at) < 0)
            return ERR_SYNTAX;
        if (*at == v.len)
            return 0;
    } while (v.data[*at] == ';' && ++*at);
    name = token(v, at);
    *wanted = name.len >= len && strncasecmp((const char *)name.data, want, len) == 0 &&
              (name.len == len || name.data[len] == '*');
    if (name.len == 0 || (*wanted && name.len > len)) /* name*0= and name*= of RFC 2231 */
        return ERR_SYNTAX;
    if (skip_cfws(v, at) < 0 || *at == v.len || v.data[(*at)++] != '=' || skip_cfws(v, at) < 0 || *at == v.len)
        return ERR_SYNTAX;
    if (v.data[*at] == '"') {
        if ((r = quoted_string(v, at, *wanted ? value : NULL)) < 0)
            return r;
    } else {
        text = token(v, at);
        if (text.len == 0)
            return ERR_SYNTAX;
        if (*wanted && (r = buf_append(value, text.data, text.len)) < 0)
            return r;
    }
    if (skip_cfws(v, at) < 0 || (*at < v.len && v.data[*at] != ';'))
        return ERR_SYNTAX;
    return 1;
}

int mime_param(struct span value, const char *name, struct buf *out, struct err *e)
{
    struct buf found = BUF_INIT;
    size_t at;
    int r, wanted, seen = 0, count = 0;

    if (mime_type_end(value, &at) < 0 || skip_cfws(value, &at) < 0 || (at < value.len && value.data[at] != ';'))
        return err_set(e, ERR_SYNTAX, "malformed Content-Type");
    while ((r = param_next(value, &at, name, &wanted, &found)) > 0) {
        if (++count > MIME_PARAMS_MAX)
            r = ERR_LIMIT;
        else if (wanted && seen++)
            r = ERR_SYNTAX;
        if (r < 0)
            break;
    }
    if (r == 0)
        r = buf_append(out, found.data, found.len);
    buf_free(&found);
    if (r < 0)
        return err_set(e, r,
                       r == ERR_LIMIT ? "too many parameters of Content-Type" : "malformed parameter of Content-Type");
    return 0;
}

/* ---- encoded words (RFC 2047), found wherever some reader may find one ---- */

static int hex(unsigned char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) % 16 : -1;
}

/* "Q", but with an underscore for a space: neither matters here. */
static int decode_q(struct span text, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < text.len; i++) {
        unsigned char c = text.data[i];

        if (c == '=' && i + 2 < text.len && hex(text.data[i + 1]) >= 0 && hex(text.data[i + 2]) >= 0) {
            c = (unsigned char)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2]));
            i += 2;
        }
        r = buf_append(out, &c, 1);
    }
    return r;
}

/* In UTF-7 any octets may stand for control characters; in the ISO 2022 ones these three are none. */
static int word_check(struct span charset, unsigned char encoding, struct span text)
{
    static const char utf7[] = "utf-7", iso[] = "iso-2022-";
    const char *name = (const char *)charset.data;
    int shifts = charset.len >= sizeof iso - 1 && strncasecmp(name, iso, sizeof iso - 1) == 0;
    struct buf out = BUF_INIT;
    int r = encoding == 'b' || encoding == 'B' ? b64mime_decode(text.data, text.len, &out) : decode_q(text, &out);

    if (charset.len >= sizeof utf7 - 1 && strncasecmp(name, utf7, sizeof utf7 - 1) == 0)
        r = ERR_SYNTAX;
    for (size_t i = 0; r == 0 && i < out.len; i++) {
        unsigned char c = out.data[i];

        if ((c < 32 || c == 127) && !(shifts && (c == 0x1b || c == 0x0e || c == 0x0f)))
            r = ERR_SYNTAX;
    }
    buf_free(&out);
    return r;
}

/* The word whose "=?" is at p, if it is one. 1 = neither it nor another behind it has an end. */
static int word_at(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *mark = memchr(p + 2, '?', (size_t)(end - p) - 2), *text, *close;

    if (!mark || end - mark < 3)
        return 1;
    if (mark[2] != '?' || !mark[1] || !strchr("bBqQ", mark[1]))
        return 0;
    text = mark + 3;
    if (!(close = memmem(text, (size_t)(end - text), "?=", 2)))
        return 1;
    if (close - p > WORD_MAX)
        return ERR_SYNTAX;
    return word_check((struct span){p + 2, (size_t)(mark - p) - 2}, mark[1],
                      (struct span){text, (size_t)(close - text)});
}

/* No control characters, as they are or encoded: what a reader would make of them is not what others see. */
static int no_controls(struct span v)
{
    const unsigned char *p, *end = v.data + v.len;
    int r = 0;

    for (size_t i = 0; i < v.len; i++)
        if ((v.data[i] < 32 && !strchr("\t\r\n", v.data[i])) || v.data[i] == 127 || v.data[i] == 0)
            return ERR_SYNTAX;
    for (p = v.data; r == 0 && p < end && (p = memmem(p, (size_t)(end - p), "=?", 2)); p += 2)
        r = word_at(p, end);
    return r < 0 ? r : 0;
}

/* ---- one mailbox ---- */

/* Appends what comes before the octet stop or the end, comments and folding as one space, quoted strings left out.
 * Only one mailbox may stand there: no list, no group, no second bracket. */
static int mailbox_text(struct span v, size_t *at, unsigned char stop, int *quoted, struct buf *out)
{
    size_t before;
    int r;

    for (;;) {
        before = *at;
        if (skip_cfws(v, at) < 0)
            return ERR_SYNTAX;
        if (*at > before && (r = buf_append(out, " ", 1)) < 0)
            return r;
        if (*at == v.len || v.data[*at] == stop)
            return 0;
        if (v.data[*at] == '"') {
            *quoted = 1;
            if ((r = quoted_string(v, at, NULL)) < 0)
                return r;
            continue;
        }
        if (v.data[*at] < 33 || v.data[*at] == 127 || strchr(",;:<>)\\", v.data[*at]))
            return ERR_SYNTAX;
        if ((r = buf_append(out, v.data + *at, 1)) < 0)
            return r;
        ++*at;
    }
}

static int mailbox(struct span v, struct buf *text)
{
    size_t at = 0;
    int r, quoted = 0;

    if ((r = mailbox_text(v, &at, '<', &quoted, text)) < 0)
        return r;
    if (at < v.len) {
        /* "a@example.com <b@example.net>" without quotes is no name */
        if (text->len > 0 && memchr(text->data, '@', text->len))
            return ERR_SYNTAX;
        buf_reset(text);
        at++;
        quoted = 0;
        if ((r = mailbox_text(v, &at, '>', &quoted, text)) < 0)
            return r;
        if (at == v.len)
            return ERR_SYNTAX;
        at++;
        if (skip_cfws(v, &at) < 0 || at < v.len)
            return ERR_SYNTAX;
    }
    return quoted ? ERR_SYNTAX : 0;
}

int mime_mailbox(struct span value, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    size_t from = 0;
    int r = no_controls(value);

    if (r < 0)
        return err_set(e, r, "a control character, plain or in an encoded word");
    r = mailbox(value, &text);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    while (from < text.len && text.data[from] == ' ')
        from++;
    if (r == 0 && (from == text.len || memchr(text.data + from, ' ', text.len - from) ||
                   memmem(text.data + from, text.len - from, "=?", 2)))
        r = ERR_SYNTAX;
    if (r == 0)
        r = buf_append(out, text.data + from, text.len - from);
    buf_free(&text);
    return r < 0 ? err_set(e, r, "not exactly one mailbox") : 0;
}
