/* The validator and parser of sjson.h: one walk over the octets with an explicit stack, no recursion. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sjson.h"

const struct sjson_limits sjson_default = {(size_t)1 << 20, 16, 65536};

struct name {
    size_t at, len; /* in check.names */
};

struct level {
    int object;
    struct json_object *made;     /* when building; its parent's, or the root */
    size_t first_name, names_len; /* what the stacks of names had when it was opened */
};

struct check {
    const unsigned char *p, *start, *end;
    const struct sjson_limits *lim;
    struct err *e;
    struct level *levels;
    size_t depth;
    size_t values;
    struct name *stack; /* the names of all open objects, innermost last */
    size_t count, size;
    struct buf names; /* their octets, escapes resolved */
    struct buf number;
    /* When building: */
    int build;
    struct json_object *root;
    struct buf text; /* a string's octets, escapes resolved */
};

static int bad(struct check *c, const char *what)
{
    return err_set(c->e, ERR_SYNTAX, "JSON, octet %zu: %s", (size_t)(c->p - c->start), what);
}

static void space(struct check *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static int keep(struct check *c, struct buf *to, const void *data, size_t len)
{
    int r = to ? buf_append(to, data, len) : 0;

    return r < 0 ? err_set(c->e, r, "JSON: no memory for names") : 0;
}

static int hex4(struct check *c, unsigned *out)
{
    unsigned v = 0;

    if (c->end - c->p < 4)
        return bad(c, "escape is cut off");
    for (int i = 0; i < 4; i++, c->p++) {
        if (*c->p >= '0' && *c->p <= '9')
            v = v << 4 | (unsigned)(*c->p - '0');
        else if ((*c->p | 32) >= 'a' && (*c->p | 32) <= 'f')
            v = v << 4 | (unsigned)((*c->p | 32) - 'a' + 10);
        else
            return bad(c, "not a hexadecimal digit");
    }
    *out = v;
    return 0;
}

/* \uXXXX, c->p behind the u: a character or a surrogate pair, never NUL. */
static int unicode_escape(struct check *c, struct buf *to)
{
    unsigned char utf8[4];
    unsigned v, low;
    size_t n;
    int r;

    if ((r = hex4(c, &v)) < 0)
        return r;
    if (v == 0)
        return bad(c, "NUL in a string");
    if (v >= 0xdc00 && v <= 0xdfff)
        return bad(c, "lone surrogate");
    if (v >= 0xd800 && v <= 0xdbff) {
        if (c->end - c->p < 2 || c->p[0] != '\\' || c->p[1] != 'u')
            return bad(c, "lone surrogate");
        c->p += 2;
        if ((r = hex4(c, &low)) < 0)
            return r;
        if (low < 0xdc00 || low > 0xdfff)
            return bad(c, "lone surrogate");
        v = 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00));
    }
    if (v < 0x80) {
        utf8[0] = (unsigned char)v;
        n = 1;
    } else if (v < 0x800) {
        utf8[0] = (unsigned char)(0xc0 | v >> 6);
        utf8[1] = (unsigned char)(0x80 | (v & 63));
        n = 2;
    } else if (v < 0x10000) {
        utf8[0] = (unsigned char)(0xe0 | v >> 12);
        utf8[1] = (unsigned char)(0x80 | (v >> 6 & 63));
        utf8[2] = (unsigned char)(0x80 | (v & 63));
        n = 3;
    } else {
        utf8[0] = (unsigned char)(0xf0 | v >> 18);
        utf8[1] = (unsigned char)(0x80 | (v >> 12 & 63));
        utf8[2] = (unsigned char)(0x80 | (v >> 6 & 63));
        utf8[3] = (unsigned char)(0x80 | (v & 63));
        n = 4;
    }
    return keep(c, to, utf8, n);
}

static int escape(struct check *c, struct buf *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (++c->p >= c->end)
        return bad(c, "string is cut off");
    if (*c->p == 'u') {
        c->p++;
        return unicode_escape(c, to);
    }
    found = *c->p ? strchr(from, *c->p) : NULL;
    if (!found)
        return bad(c, "unknown escape");
    c->p++;
    return keep(c, to, into + (found - from), 1);
}

/* One UTF-8 sequence of two to four octets at c->p (Unicode 15, table 3-7). */
static int utf8_sequence(struct check *c, struct buf *to)
{
    const unsigned char *p = c->p;
    size_t left = (size_t)(c->end - p), n = 0;
    unsigned char lo = 0x80, hi = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (!n || left < n || p[1] < lo || p[1] > hi || (n > 2 && (p[2] & 0xc0) != 0x80) ||
        (n > 3 && (p[3] & 0xc0) != 0x80))
        return bad(c, "not UTF-8");
    c->p += n;
    return keep(c, to, p, n);
}

/* A string, c->p at its opening quote; its octets are appended to to unless that is NULL. */
static int string(struct check *c, struct buf *to)
{
    int r = 0;

    c->p++;
    while (r == 0 && c->p < c->end && *c->p != '"') {
        const unsigned char *run = c->p;

        while (c->p < c->end && *c->p >= 0x20 && *c->p < 0x80 && *c->p != '"' && *c->p != '\\')
            c->p++;
        if (c->p > run)
            r = keep(c, to, run, (size_t)(c->p - run));
        else if (*c->p < 0x20)
            r = bad(c, "control character in a string");
        else if (*c->p == '\\')
            r = escape(c, to);
        else
            r = utf8_sequence(c, to);
    }
    if (r == 0 && c->p >= c->end)
        return bad(c, "string is cut off");
    c->p++;
    return r;
}

static size_t digits(struct check *c)
{
    const unsigned char *from = c->p;

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return (size_t)(c->p - from);
}

/* Whether the number's text, kept in c->number, is in range: int64, or finite in double whatever the process's locale
 * says. */
static int number_range(struct check *c, const unsigned char *from, int integer, double *d)
{
    locale_t plain;

    buf_reset(&c->number);
    if (keep(c, &c->number, from, (size_t)(c->p - from)) < 0)
        return ERR_SYSTEM;
    if (integer) {
        errno = 0;
        (void)strtoll(buf_str(&c->number), NULL, 10);
        return errno == ERANGE ? bad(c, "integer out of range") : 0;
    }
    if (!(plain = newlocale(LC_ALL_MASK, "C", (locale_t)0)))
        return err_errno(c->e, "JSON");
    *d = strtod_l(buf_str(&c->number), NULL, plain);
    freelocale(plain);
    return isfinite(*d) ? 0 : bad(c, "number out of range");
}

/* Puts a value where it belongs: v is the container's, or the root, or gone. An object's names are compared when it
 * closes. */
static int put(struct check *c, struct json_object *v)
{
    struct level *l = c->depth ? &c->levels[c->depth - 1] : NULL;
    int r = 0;

    if (!l)
        c->root = v;
    else if (l->object)
        r = json_object_object_add_ex(l->made, (const char *)c->names.data + c->stack[c->count - 1].at, v,
                                      JSON_C_OBJECT_ADD_KEY_IS_NEW);
    else
        r = json_object_array_add(l->made, v);
    if (r == 0)
        return 0;
    json_object_put(v);
    return err_set(c->e, ERR_SYSTEM, "JSON: no memory");
}

static int put_new(struct check *c, struct json_object *v)
{
    return v ? put(c, v) : err_set(c->e, ERR_SYSTEM, "JSON: no memory");
}

/* The string that ended at c->p, from its opening quote on. */
static int put_string(struct check *c, const unsigned char *from)
{
    const unsigned char *data = from + 1;
    size_t len = (size_t)(c->p - 1 - data);
    int r;

    if (memchr(data, '\\', len)) {
        c->p = from;
        buf_reset(&c->text);
        if ((r = keep(c, &c->text, "", 0)) < 0 || (r = string(c, &c->text)) < 0)
            return r;
        data = c->text.data;
        len = c->text.len;
    }
    return put_new(c, json_object_new_string_len((const char *)data, (int)len));
}

/* Its text is in c->number, and in range. */
static int put_number(struct check *c, int integer, double d)
{
    const char *text = buf_str(&c->number);

    return put_new(c, integer ? json_object_new_int64(strtoll(text, NULL, 10)) : json_object_new_double_s(d, text));
}

static int number(struct check *c)
{
    const unsigned char *from = c->p;
    int integer = 1, r;
    double d = 0;

    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return bad(c, "not a number");
    if (c->p < c->end && *c->p == '.') {
        integer = 0;
        c->p++;
        if (!digits(c))
            return bad(c, "no digit after the point");
    }
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        integer = 0;
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (!digits(c))
            return bad(c, "no digit in the exponent");
    }
    r = number_range(c, from, integer, &d);
    return r < 0 || !c->build ? r : put_number(c, integer, d);
}

static int literal(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return bad(c, "not a value");
    c->p += n;
    return 0;
}

static int open_level(struct check *c)
{
    struct json_object *made = NULL;
    int r;

    if (c->depth >= c->lim->depth)
        return err_set(c->e, ERR_LIMIT, "JSON: nested more than %zu deep", c->lim->depth);
    if (c->build) {
        made = *c->p == '{' ? json_object_new_object() : json_object_new_array();
        if ((r = put_new(c, made)) < 0)
            return r;
    }
    c->levels[c->depth].made = made;
    c->levels[c->depth].object = *c->p == '{';
    c->levels[c->depth].first_name = c->count;
    c->levels[c->depth].names_len = c->names.len;
    c->depth++;
    c->p++;
    return 0;
}

static int compare(const void *x, const void *y, void *octets)
{
    const struct name *a = x, *b = y;
    const unsigned char *base = octets;
    int r = memcmp(base + a->at, base + b->at, a->len < b->len ? a->len : b->len);

    return r ? r : (a->len > b->len) - (a->len < b->len);
}

/* Closes the innermost level; an object's names are sorted and neighbours compared. */
static int close_level(struct check *c)
{
    struct level *l = &c->levels[--c->depth];
    size_t n = c->count - l->first_name;
    struct name *own = n ? c->stack + l->first_name : NULL; /* without any name there is no stack yet */

    c->p++;
    if (n > 1) {
        qsort_r(own, n, sizeof *own, compare, c->names.data);
        for (size_t i = 1; i < n; i++)
            if (compare(own + i - 1, own + i, c->names.data) == 0)
                return err_set(c->e, ERR_SYNTAX, "JSON: two members named \"%.*s\"",
                               (int)(own[i].len < 64 ? own[i].len : 64), (const char *)c->names.data + own[i].at);
    }
    c->count = l->first_name;
    c->names.len = l->names_len;
    return 0;
}

/* A member's name and colon. */
static int name(struct check *c)
{
    struct name *bigger;
    size_t at = c->names.len;
    int r;

    if (c->p >= c->end || *c->p != '"')
        return bad(c, "a name was expected");
    if ((r = keep(c, &c->names, "", 0)) < 0 || (r = string(c, &c->names)) < 0)
        return r;
    if (c->count == c->size) {
        size_t size = c->size ? c->size * 2 : 32;

        if (!(bigger = reallocarray(c->stack, size, sizeof *bigger)))
            return err_errno(c->e, "JSON");
        c->stack = bigger;
        c->size = size;
    }
    c->stack[c->count].at = at;
    c->stack[c->count++].len = c->names.len - at;
    space(c);
    if (c->p >= c->end || *c->p != ':')
        return bad(c, "a colon was expected");
    c->p++;
    space(c);
    return 0;
}

/* One value's first token: 1 when it opened a level, 0 when it is complete. */
static int value(struct check *c)
{
    const unsigned char *from = c->p;
    int r;

    if (c->p >= c->end)
        return bad(c, "text ends where a value was expected");
    if (c->values++ >= c->lim->values)
        return err_set(c->e, ERR_LIMIT, "JSON: more than %zu values", c->lim->values);
    switch (*c->p) {
    case '{':
    case '[':
        r = open_level(c);
        return r < 0 ? r : 1;
    case '"':
        r = string(c, NULL);
        return r < 0 || !c->build ? r : put_string(c, from);
    case 't':
        r = literal(c, "true");
        return r < 0 || !c->build ? r : put_new(c, json_object_new_boolean(1));
    case 'f':
        r = literal(c, "false");
        return r < 0 || !c->build ? r : put_new(c, json_object_new_boolean(0));
    case 'n':
        r = literal(c, "null");
        return r < 0 || !c->build ? r : put(c, NULL);
    default:
        return number(c);
    }
}

/* After a complete value: closes levels until a comma, which leaves the next value at c->p. Returns 1 when the
 * outermost value is complete. */
static int after_value(struct check *c)
{
    int r;

    while (c->depth > 0) {
        int object = c->levels[c->depth - 1].object;

        space(c);
        if (c->p >= c->end)
            return bad(c, "text is cut off");
        if (*c->p == ',') {
            c->p++;
            space(c);
            return object ? name(c) : 0;
        }
        if (*c->p != (object ? '}' : ']'))
            return bad(c, "a comma or the end was expected");
        if ((r = close_level(c)) < 0)
            return r;
    }
    return 1;
}

static int walk(struct check *c)
{
    int r;

    space(c);
    for (;;) {
        if ((r = value(c)) < 0)
            return r;
        if (r == 1) { /* a level was opened: empty, or its first value comes */
            int object = c->levels[c->depth - 1].object;

            space(c);
            if (c->p < c->end && *c->p == (object ? '}' : ']'))
                r = close_level(c);
            else if (object && (r = name(c)) == 0)
                continue;
            else if (!object)
                continue;
            if (r < 0)
                return r;
        }
        if ((r = after_value(c)) < 0)
            return r;
        if (r == 1)
            break;
    }
    space(c);
    return c->p == c->end ? 0 : bad(c, "octets after the value");
}

static int check(struct check *c, const void *data, size_t len, const struct sjson_limits *lim, struct err *e)
{
    int r;

    c->p = c->start = data;
    c->e = e;
    c->lim = lim ? lim : &sjson_default;
    if (len > c->lim->octets || len > INT32_MAX)
        return err_set(e, ERR_LIMIT, "JSON: more than %zu octets", c->lim->octets);
    c->end = c->p + len;
    if (!(c->levels = calloc(c->lim->depth + 1, sizeof *c->levels)))
        return err_errno(e, "JSON");
    r = walk(c);
    free(c->levels);
    free(c->stack);
    buf_free(&c->names);
    buf_free(&c->number);
    buf_free(&c->text);
    return r;
}

int sjson_validate(const void *data, size_t len, const struct sjson_limits *lim, struct err *e)
{
    struct check c = {0};

    return check(&c, data, len, lim, e);
}

int sjson_parse(const void *data, size_t len, const struct sjson_limits *lim, struct json_object **out, struct err *e)
{
    struct check c = {.build = 1};
    int r = check(&c, data, len, lim, e);

    *out = r < 0 ? NULL : c.root;
    if (r < 0)
        json_object_put(c.root);
    return r;
}
