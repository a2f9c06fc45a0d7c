#include "mime.h"

#include <string.h>
#include <strings.h>

static int is_wsp(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* The end of the line that starts at at: behind its LF, or the end of s. */
static size_t line_end(struct span s, size_t at)
{
    const unsigned char *lf = memchr(s.data + at, '\n', s.len - at);

    return lf ? (size_t)(lf - s.data) + 1 : s.len;
}

void mime_split(struct span msg, struct span *header, struct span *body)
{
    size_t at = 0, next;

    for (; at < msg.len; at = next) {
        next = line_end(msg, at);
        if (msg.data[at] == '\n' || (msg.data[at] == '\r' && next == at + 2)) {
            *header = (struct span){msg.data, at};
            *body = (struct span){msg.data + next, msg.len - next};
            return;
        }
    }
    *header = msg;
    *body = (struct span){msg.len ? msg.data + msg.len : msg.data, 0};
}

int mime_field_next(struct span header, size_t *at, struct mime_field *out, struct err *e)
{
    size_t start = *at, end, colon, name;

    memset(out, 0, sizeof *out);
    if (header.len > MIME_HEADER_MAX)
        return err_set(e, ERR_LIMIT, "header longer than %d octets", MIME_HEADER_MAX);
    if (start >= header.len)
        return 0;
    end = line_end(header, start);
    *at = end;
    for (colon = start; colon < end && header.data[colon] > 32 && header.data[colon] < 127; colon++)
        if (header.data[colon] == ':')
            break;
    name = colon - start;
    while (colon < end && is_wsp(header.data[colon])) /* "Subject : x", RFC 5322 section 4.5 */
        colon++;
    if (!name || colon == end || header.data[colon] != ':')
        return err_set(e, ERR_SYNTAX, "header line that is no field");
    while (end < header.len && is_wsp(header.data[end]))
        end = line_end(header, end);
    *at = end;
    out->whole = (struct span){header.data + start, end - start};
    out->name = (struct span){header.data + start, name};
    if (header.data[end - 1] == '\n') {
        end--;
        if (header.data[end - 1] == '\r')
            end--;
    }
    out->value = (struct span){header.data + colon + 1, end - colon - 1};
    return 1;
}

int mime_field_is(const struct mime_field *f, const char *name)
{
    return f->name.len == strlen(name) && strncasecmp((const char *)f->name.data, name, f->name.len) == 0;
}

int mime_field_find(struct span header, const char *name, struct mime_field *out, struct err *e)
{
    struct mime_field f;
    size_t at = 0;
    int r, count = 0, fields = 0;

    if (out)
        memset(out, 0, sizeof *out);
    while ((r = mime_field_next(header, &at, &f, e)) > 0) {
        if (++fields > MIME_FIELDS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d header fields", MIME_FIELDS_MAX);
        if (mime_field_is(&f, name) && count++ == 0 && out)
            *out = f;
    }
    return r < 0 ? r : count;
}

/* RFC 2046 section 5.1.1 */
static int boundary_valid(const char *b)
{
    size_t len = strlen(b);

    return len > 0 && len <= MIME_BOUNDARY_MAX && b[len - 1] != ' ' &&
           strspn(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ") == len;
}

/* 0 = no delimiter, 1 = a part begins behind it, 2 = the closing one. The whole line must match, so that one boundary
 * may begin like another. */
static int delimiter(const unsigned char *line, size_t len, const char *boundary, size_t blen)
{
    size_t at = 2 + blen;
    int kind = 1;

    if (len < at || line[0] != '-' || line[1] != '-' || memcmp(line + 2, boundary, blen) != 0)
        return 0;
    if (len - at >= 2 && line[at] == '-' && line[at + 1] == '-') {
        kind = 2;
        at += 2;
    }
    while (at < len && is_wsp(line[at]))
        at++;
    if (len - at == 2 && line[at] == '\r' && line[at + 1] == '\n')
        return kind;
    return at == len || (len - at == 1 && line[at] == '\n') ? kind : 0;
}

int mime_parts(struct span body, const char *boundary, struct span *parts, size_t max, size_t *count, struct err *e)
{
    size_t at, next, end, start = 0, blen = strlen(boundary);
    int kind, open = 0;

    *count = 0;
    if (!boundary_valid(boundary))
        return err_set(e, ERR_SYNTAX, "malformed multipart boundary");
    for (at = 0; at < body.len; at = next) {
        next = line_end(body, at);
        if (!(kind = delimiter(body.data + at, next - at, boundary, blen)))
            continue;
        if (open) {
            end = at - 1; /* the line end before a delimiter belongs to the delimiter */
            if (end > start && body.data[end - 1] == '\r')
                end--;
            if (*count == max)
                return err_set(e, ERR_LIMIT, "more than %zu parts", max);
            parts[(*count)++] = (struct span){body.data + start, end > start ? end - start : 0};
        }
        if (kind == 2 && open)
            return 0;
        if (kind == 2)
            break;
        open = 1;
        start = next;
    }
    return err_set(e, ERR_SYNTAX, open ? "multipart without closing delimiter" : "multipart without a part");
}

/* What an entity holds: its parts are put at *parts, which has room for max. */
static int children(struct span header, struct span body, struct span *parts, size_t max, size_t *count, struct err *e)
{
    struct buf type = BUF_INIT, boundary = BUF_INIT;
    struct mime_field f;
    int r;

    *count = 0;
    if ((r = mime_field_find(header, "Content-Type", &f, e)) <= 0)
        return r;
    if (r > 1)
        return err_set(e, ERR_SYNTAX, "two Content-Type fields");
    if ((r = mime_type(f.value, &type, e)) < 0)
        goto out;
    if (strncmp(buf_str(&type), "multipart/", 10) == 0) {
        if ((r = mime_param(f.value, "boundary", &boundary, e)) < 0)
            goto out;
        r = mime_parts(body, buf_str(&boundary), parts, max, count, e);
    } else if (strcmp(buf_str(&type), "message/rfc822") == 0 || strcmp(buf_str(&type), "message/global") == 0) {
        if (max == 0) {
            r = err_set(e, ERR_LIMIT, "more than %d parts", MIME_PARTS_MAX);
            goto out;
        }
        parts[0] = body;
        *count = 1;
    }
out:
    buf_free(&type);
    buf_free(&boundary);
    return r;
}

int mime_walk(struct span msg, mime_visit *visit, void *arg, struct err *e)
{
    struct span stack[MIME_PARTS_MAX], header, body, swap;
    unsigned depths[MIME_PARTS_MAX], depth;
    size_t top = 1, total = 1, count;
    int r;

    stack[0] = msg;
    depths[0] = 0;
    while (top > 0) {
        depth = depths[--top];
        mime_split(stack[top], &header, &body);
        if (header.len > MIME_HEADER_MAX)
            return err_set(e, ERR_LIMIT, "header longer than %d octets", MIME_HEADER_MAX);
        if ((r = visit(arg, depth, header, body, e)) != 0)
            return r;
        /* top <= total: every part on the stack was counted */
        if ((r = children(header, body, stack + top, MIME_PARTS_MAX - total, &count, e)) < 0)
            return r;
        if (count > 0 && depth + 1 >= MIME_DEPTH_MAX)
            return err_set(e, ERR_LIMIT, "parts nested more than %d deep", MIME_DEPTH_MAX);
        for (size_t i = 0; i < count / 2; i++) { /* the first part is to be on top */
            swap = stack[top + i];
            stack[top + i] = stack[top + count - 1 - i];
            stack[top + count - 1 - i] = swap;
        }
        for (size_t i = 0; i < count; i++)
            depths[top + i] = depth + 1;
        top += count;
        total += count;
    }
    return 0;
}
