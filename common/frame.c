#include "frame.h"

#include "sjson.h"

enum { HEADER = 4, VALUES_MAX = 1 << 18, DEPTH_MAX = 16 };

int frame_put(struct json_object *obj, size_t max, struct buf *out, struct err *e)
{
    size_t start = out->len, len;
    int r;

    if ((r = buf_append(out, "\0\0\0\0", HEADER)) == 0)
        r = sjson_write(obj, out);
    len = r == 0 ? out->len - start - HEADER : 0;
    if (r == 0 && len > max)
        r = ERR_LIMIT;
    if (r < 0) {
        if (out->data) {
            secret_wipe(out->data + start, out->len - start);
            out->len = start;
        }
        return err_set(e, r, r == ERR_LIMIT ? "frame larger than %zu octets" : "frame: out of memory", max);
    }
    for (size_t i = 0; i < HEADER; i++)
        out->data[start + i] = (unsigned char)(len >> (8 * (HEADER - 1 - i)));
    return 0;
}

int frame_take(const void *data, size_t len, size_t max, struct json_object **out, size_t *used, struct err *e)
{
    const unsigned char *p = data;
    const struct sjson_limits lim = {max, DEPTH_MAX, VALUES_MAX};
    size_t n = 0;
    int r;

    *out = NULL;
    *used = 0;
    if (len < HEADER)
        return 0;
    for (size_t i = 0; i < HEADER; i++)
        n = n << 8 | p[i];
    if (n > max)
        return err_set(e, ERR_LIMIT, "frame of %zu octets, %zu are allowed", n, max);
    if (n == 0)
        return err_set(e, ERR_SYNTAX, "empty frame");
    if (len - HEADER < n)
        return 0;
    if ((r = sjson_parse(p + HEADER, n, &lim, out, e)) < 0)
        return r;
    if (!json_object_is_type(*out, json_type_object)) {
        json_object_put(*out);
        *out = NULL;
        return err_set(e, ERR_SYNTAX, "frame is not a JSON object");
    }
    *used = HEADER + n;
    return 1;
}
