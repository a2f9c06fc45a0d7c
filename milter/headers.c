#include "headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void name_of(struct span name, struct header_field *f)
{
    size_t n = name.len;

    f->odd = name.data[n] != ':'; /* the field goes on behind its name */
    if (n >= sizeof f->name)
        n = sizeof f->name - 1;
    memcpy(f->name, name.data, n);
    f->name[n] = 0;
}

int headers_list(struct span header, struct headers **out, struct err *e)
{
    struct headers *h;
    struct mime_field field;
    size_t at = 0;
    int r;

    *out = NULL;
    if (!(h = calloc(1, sizeof *h)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    while ((r = mime_field_next(header, &at, &field, e)) > 0) {
        struct header_field *f = &h->field[h->count];

        if (h->count == MIME_FIELDS_MAX) {
            r = err_set(e, ERR_LIMIT, "too many header fields");
            break;
        }
        name_of(field.name, f);
        f->value = field.value;
        f->nth = (int)headers_count(h, f->name) + 1;
        h->count++;
    }
    if (r < 0) {
        free(h);
        return r;
    }
    *out = h;
    return 0;
}

size_t headers_count(const struct headers *h, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < h->count; i++)
        n += !strcasecmp(h->field[i].name, name);
    return n;
}

struct span headers_value(const struct headers *h, const char *name, int nth)
{
    struct span none = {(const unsigned char *)"", 0};

    for (size_t i = 0; i < h->count; i++)
        if (h->field[i].nth == nth && !strcasecmp(h->field[i].name, name))
            return h->field[i].value;
    return none;
}

int headers_in(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t n = strlen(*list);

        if ((*list)[n - 1] == '-' ? !strncasecmp(name, *list, n) : !strcasecmp(name, *list))
            return 1;
    }
    return 0;
}

int headers_delete(const struct headers *h, const struct mta *m, headers_match *match)
{
    int r = 0;

    for (size_t i = h->count; !r && i-- > 0;)
        if (match(h->field[i].name))
            r = mta_delete_header(m, h->field[i].name, h->field[i].nth);
    return r;
}

int headers_set(const struct headers *h, const struct mta *m, const char *name, const char *value)
{
    int r = 0;

    for (int n = (int)headers_count(h, name); !r && n > 1; n--)
        r = mta_delete_header(m, name, n);
    if (r)
        return r;
    return headers_count(h, name) ? mta_change_header(m, name, 1, value) : mta_add_header(m, name, value);
}

static int other_content(const char *name)
{
    static const char *const all[] = {"Content-", NULL};

    return headers_in(name, all) && strcasecmp(name, "Content-Type");
}

int headers_set_type(const struct headers *h, const struct mta *m, const char *content_type)
{
    int r;

    if ((r = headers_set(h, m, "MIME-Version", "1.0")) || (r = headers_set(h, m, "Content-Type", content_type)))
        return r;
    return headers_delete(h, m, other_content);
}
