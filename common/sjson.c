#include "sjson.h"

#include <inttypes.h>
#include <string.h>

#include "b64.h"

/* p stands behind a quote: the one that ends the string. *escapes: whether it has any. */
static const char *string_end(const char *p, int *escapes)
{
    *escapes = 0;
    for (; *p != '"'; p++)
        if (*p == '\\') {
            *escapes = 1;
            p++;
        }
    return p;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

int sjson_find_string(const char *text, size_t len, const char *name, const char **value, size_t *value_len)
{
    const char *end = text + len, *start, *close;
    size_t depth = 0, n = strlen(name);
    int escapes;

    for (const char *p = text; p < end; p++) {
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        if (*p != '"')
            continue;
        start = p + 1;
        p = close = string_end(start, &escapes);
        if (depth != 1 || (size_t)(close - start) != n || memcmp(start, name, n) != 0)
            continue;
        start = skip_space(close + 1, end);
        if (start == end || *start != ':') /* a value */
            continue;
        start = skip_space(start + 1, end);
        if (start == end || *start != '"')
            return 0;
        *value = start + 1;
        *value_len = (size_t)(string_end(start + 1, &escapes) - *value);
        return !escapes;
    }
    return 0;
}

static int member(struct json_object *obj, const char *name, enum json_type type, struct json_object **out,
                  struct err *e)
{
    *out = NULL;
    if (!json_object_is_type(obj, json_type_object) || !json_object_object_get_ex(obj, name, out))
        return err_set(e, ERR_SYNTAX, "member \"%s\" is missing", name);
    if (!json_object_is_type(*out, type)) {
        *out = NULL;
        return err_set(e, ERR_SYNTAX, "member \"%s\" is not of type %s", name, json_type_to_name(type));
    }
    return 0;
}

int sjson_string(struct json_object *obj, const char *name, const char **out, struct err *e)
{
    struct json_object *v;
    int r = member(obj, name, json_type_string, &v, e);

    *out = r < 0 ? NULL : json_object_get_string(v);
    return r;
}

int sjson_int(struct json_object *obj, const char *name, int64_t *out, struct err *e)
{
    struct json_object *v;
    int r = member(obj, name, json_type_int, &v, e);

    *out = r < 0 ? 0 : json_object_get_int64(v);
    return r;
}

int sjson_bool(struct json_object *obj, const char *name, int *out, struct err *e)
{
    struct json_object *v;
    int r = member(obj, name, json_type_boolean, &v, e);

    *out = r < 0 ? 0 : json_object_get_boolean(v);
    return r;
}

int sjson_object(struct json_object *obj, const char *name, struct json_object **out, struct err *e)
{
    return member(obj, name, json_type_object, out, e);
}

int sjson_array(struct json_object *obj, const char *name, struct json_object **out, struct err *e)
{
    return member(obj, name, json_type_array, out, e);
}

int sjson_b64(struct json_object *obj, const char *name, struct buf *out, struct err *e)
{
    struct json_object *v;
    int r = member(obj, name, json_type_string, &v, e);

    if (r < 0)
        return r;
    r = b64url_decode(json_object_get_string(v), (size_t)json_object_get_string_len(v), out);
    return r < 0 ? err_set(e, r, "member \"%s\" is not base64url", name) : 0;
}

int sjson_has(struct json_object *obj, const char *name)
{
    return json_object_is_type(obj, json_type_object) && json_object_object_get_ex(obj, name, NULL);
}

int sjson_only(struct json_object *obj, const char *const *names, struct err *e)
{
    if (!json_object_is_type(obj, json_type_object))
        return err_set(e, ERR_SYNTAX, "not an object");
    json_object_object_foreach(obj, name, value)
    {
        const char *const *n = names;

        (void)value;
        while (*n && strcmp(*n, name) != 0)
            n++;
        if (!*n)
            return err_set(e, ERR_SYNTAX, "unexpected member \"%s\"", name);
    }
    return 0;
}

int sjson_set_object(struct json_object *obj, const char *name, struct json_object *value)
{
    if (!obj || !value || json_object_object_add(obj, name, value) < 0) {
        json_object_put(value);
        return ERR_SYSTEM;
    }
    return 0;
}

int sjson_set_string(struct json_object *obj, const char *name, const char *value)
{
    return sjson_set_object(obj, name, json_object_new_string(value));
}

int sjson_set_int(struct json_object *obj, const char *name, int64_t value)
{
    return sjson_set_object(obj, name, json_object_new_int64(value));
}

int sjson_set_b64(struct json_object *obj, const char *name, const void *data, size_t len)
{
    struct buf text = BUF_INIT;
    int r = b64url_encode(data, len, &text);

    if (r == 0 && text.len > INT32_MAX)
        r = ERR_SYSTEM;
    if (r == 0)
        r = sjson_set_object(obj, name, json_object_new_string_len(buf_str(&text), (int)text.len));
    buf_free(&text);
    return r < 0 ? ERR_SYSTEM : 0;
}

/* Not json-c's writer: that one leaves unwiped copies of a private key behind whenever its buffer grows, and leaves out
 * what it has no memory for. */
static int write_string(const char *s, size_t len, struct buf *out)
{
    int r = buf_puts(out, "\"");

    for (size_t i = 0; r == 0 && i < len;) {
        size_t run = i;

        while (run < len && (unsigned char)s[run] >= 0x20 && s[run] != '"' && s[run] != '\\')
            run++;
        if (run > i)
            r = buf_append(out, s + i, run - i);
        else if ((unsigned char)s[i] < 0x20)
            r = buf_printf(out, "\\u%04x", (unsigned)s[run++]);
        else
            r = buf_printf(out, "\\%c", s[run++]);
        i = run;
    }
    return r < 0 ? r : buf_puts(out, "\"");
}

static int write_value(struct json_object *v, struct buf *out);

static int write_object(struct json_object *obj, struct buf *out)
{
    int r = buf_puts(out, "{"), first = 1;

    json_object_object_foreach(obj, name, value)
    {
        if (r == 0 && !first)
            r = buf_puts(out, ",");
        if (r == 0 && (r = write_string(name, strlen(name), out)) == 0 && (r = buf_puts(out, ":")) == 0)
            r = write_value(value, out);
        first = 0;
    }
    return r < 0 ? r : buf_puts(out, "}");
}

static int write_array(struct json_object *list, struct buf *out)
{
    size_t n = json_object_array_length(list);
    int r = buf_puts(out, "[");

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i)
            r = buf_puts(out, ",");
        if (r == 0)
            r = write_value(json_object_array_get_idx(list, i), out);
    }
    return r < 0 ? r : buf_puts(out, "]");
}

/* As deep as the object is: what comes from outside is bounded by sjson_limits. */
static int write_value(struct json_object *v, struct buf *out)
{
    switch (json_object_get_type(v)) {
    case json_type_string:
        return write_string(json_object_get_string(v), (size_t)json_object_get_string_len(v), out);
    case json_type_object:
        return write_object(v, out);
    case json_type_array:
        return write_array(v, out);
    case json_type_null:
        return buf_puts(out, "null");
    case json_type_boolean:
        return buf_puts(out, json_object_get_boolean(v) ? "true" : "false");
    case json_type_int:
        return buf_printf(out, "%" PRId64, json_object_get_int64(v));
    default: /* a number with point or exponent, as it was read */
        return buf_puts(out, json_object_get_userdata(v));
    }
}

int sjson_write(struct json_object *obj, struct buf *out)
{
    size_t before = out->len;

    if (write_value(obj, out) == 0)
        return 0;
    out->len = before;
    if (out->data)
        out->data[before] = 0;
    return ERR_SYSTEM;
}

void sjson_free_secret(struct json_object **obj)
{
    struct json_object *o = *obj;
    size_t n;

    *obj = NULL;
    if (json_object_is_type(o, json_type_string)) {
        secret_wipe((char *)(uintptr_t)json_object_get_string(o), (size_t)json_object_get_string_len(o));
    } else if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, name, value)
        {
            (void)name;
            json_object_get(value);
            sjson_free_secret(&value);
        }
    } else if (json_object_is_type(o, json_type_array)) {
        n = json_object_array_length(o);
        for (size_t i = 0; i < n; i++) {
            struct json_object *value = json_object_get(json_object_array_get_idx(o, i));

            sjson_free_secret(&value);
        }
    }
    json_object_put(o);
}
