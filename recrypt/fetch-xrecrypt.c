#include "fetch-xrecrypt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"

#define ITEM "XRECRYPT "

static int parse(int calling_parser, mailstream *stream, MMAPString *line, struct mailimap_parser_context *context,
                 size_t *at, struct mailimap_extension_data **result, size_t rate, progress_function *progress);

static void free_data(struct mailimap_extension_data *data)
{
    struct buf *json = data->ext_data;

    buf_free(json);
    free(json);
    free(data);
}

static char name[] = "XRECRYPT";
static struct mailimap_extension_api extension = {
    .ext_name = name, .ext_id = -1, .ext_parser = parse, .ext_free = free_data};

/* "{n}" and the end of the line are at text: the literal comes from the stream, and the rest of the line after it. The
 * guard has seen to it that n is no larger than was asked for. */
static int read_literal(mailstream *stream, MMAPString *line, size_t *at, struct buf *out)
{
    const char *text = line->str + *at;
    char *end;
    unsigned long n = strtoul(text + 1, &end, 10);
    size_t start = (size_t)(end - line->str);
    ssize_t got;

    if (end == text + 1 || strncmp(end, "}\r\n", 3) != 0 || line->str[start + 3] != 0)
        return MAILIMAP_ERROR_PARSE;
    if (buf_reserve(out, n) < 0)
        return MAILIMAP_ERROR_MEMORY;
    while (out->len < n) {
        if ((got = mailstream_read(stream, (char *)out->data + out->len, n - out->len)) <= 0)
            return MAILIMAP_ERROR_STREAM;
        out->len += (size_t)got;
    }
    if (!mailstream_read_line_append(stream, line))
        return MAILIMAP_ERROR_STREAM;
    *at = start + 3;
    return MAILIMAP_NO_ERROR;
}

static int read_quoted(const MMAPString *line, size_t *at, struct buf *out)
{
    size_t i = *at + 1;

    for (; i < line->len && line->str[i] != '"'; i++) {
        if (line->str[i] == '\\')
            i++;
        if (i == line->len || line->str[i] == '\r' || line->str[i] == '\n')
            return MAILIMAP_ERROR_PARSE;
        if (buf_append(out, line->str + i, 1) < 0)
            return MAILIMAP_ERROR_MEMORY;
    }
    if (i == line->len)
        return MAILIMAP_ERROR_PARSE;
    *at = i + 1;
    return MAILIMAP_NO_ERROR;
}

static int parse(int calling_parser, mailstream *stream, MMAPString *line, struct mailimap_parser_context *context,
                 size_t *at, struct mailimap_extension_data **result, size_t rate, progress_function *progress)
{
    size_t here = *at + strlen(ITEM);
    struct buf *json;
    int r = MAILIMAP_NO_ERROR;

    (void)context;
    (void)rate;
    (void)progress;
    if (calling_parser != MAILIMAP_EXTENDED_PARSER_FETCH_DATA || !stream || line->len <= here ||
        strncasecmp(line->str + *at, ITEM, strlen(ITEM)) != 0)
        return MAILIMAP_ERROR_PARSE;
    if (!(json = calloc(1, sizeof *json)))
        return MAILIMAP_ERROR_MEMORY;
    if (strncasecmp(line->str + here, "NIL", 3) == 0)
        here += 3;
    else if (line->str[here] == '{')
        r = read_literal(stream, line, &here, json);
    else
        r = line->str[here] == '"' ? read_quoted(line, &here, json) : MAILIMAP_ERROR_PARSE;
    if (r == MAILIMAP_NO_ERROR && !(*result = mailimap_extension_data_new(&extension, 0, json)))
        r = MAILIMAP_ERROR_MEMORY;
    if (r != MAILIMAP_NO_ERROR) {
        buf_free(json);
        free(json);
        return r;
    }
    *at = here;
    return MAILIMAP_NO_ERROR;
}

int fetch_xrecrypt_register(void)
{
    static int done;

    if (!done && mailimap_extension_register(&extension) != 0)
        return ERR_SYSTEM;
    done = 1;
    return 0;
}

struct span fetch_xrecrypt_item(const struct mailimap_msg_att_item *item)
{
    const struct mailimap_extension_data *data = item->att_type == MAILIMAP_MSG_ATT_ITEM_EXTENSION
                                                     ? item->att_data.att_extension_data
                                                     : NULL;
    const struct buf *json = data && data->ext_extension == &extension ? data->ext_data : NULL;

    return json && json->len ? (struct span){json->data, json->len} : (struct span){NULL, 0};
}
